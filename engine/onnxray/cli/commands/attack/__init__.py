"""onnxray attack: a command an attack, and what is said of a model by several."""
