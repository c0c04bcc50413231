"""Converters of layers, a file a family; ``catalogue.py`` has them by type."""
