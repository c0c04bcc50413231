"""What a model answers of samples, by the kind of its output: one frozen value a kind."""
