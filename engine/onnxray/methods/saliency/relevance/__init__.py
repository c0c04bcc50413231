"""Maps that share a score out among the input's numbers by rules for each layer."""
