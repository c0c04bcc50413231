"""Results: items, where they came from, and the folders that they are saved in."""
