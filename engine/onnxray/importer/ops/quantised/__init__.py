"""Converters of casts, quantisation and products of whole numbers."""
