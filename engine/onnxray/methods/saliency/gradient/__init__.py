"""Maps from gradients with respect to pixels."""
