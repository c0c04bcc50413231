"""Models compared on the same pictures: predictions, values layer by layer, maps."""
