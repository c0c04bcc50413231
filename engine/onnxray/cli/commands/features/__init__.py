"""onnxray features: what the layers of a model make of many pictures; a command a question."""
