"""What the fuzzers of the validator share: targets, seeds, and how bytes become broken resources."""
