"""Reads OpenAPI documents that nobody vouches for: bounded in size, depth and steps, and never fetching anything."""
