"""Converters of what resizes, samples and finds in pictures and signals."""
