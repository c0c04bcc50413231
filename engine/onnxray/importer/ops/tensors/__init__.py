"""Converters of arithmetic, shapes, indices, control flow."""
