"""Whether a map can be believed."""
