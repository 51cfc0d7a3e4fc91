"""FHIR data judged by the profiles that define it. Stands alone: it needs nothing else of this SDK."""
