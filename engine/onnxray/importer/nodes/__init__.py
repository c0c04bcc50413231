"""What a converter sees of a node: attributes, weights, shapes, number types."""
