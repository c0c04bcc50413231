"""Methods judged."""
