"""A page in the browser to look into a model with: ``onnxray explore``."""
