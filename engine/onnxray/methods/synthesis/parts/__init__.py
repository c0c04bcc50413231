"""Presets and losses that methods of synthesis are put together from."""
