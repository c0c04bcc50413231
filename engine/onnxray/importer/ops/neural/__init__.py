"""Converters of the layers of neural networks."""
