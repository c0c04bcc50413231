"""Maps from a layer's activations."""
