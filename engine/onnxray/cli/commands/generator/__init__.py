"""``onnxray generator``: pictures that a trained generator shows, and what they fool."""
