"""Receptive fields: which part of the picture the units of a value see, told from the graph alone."""
