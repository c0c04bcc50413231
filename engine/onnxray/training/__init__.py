"""Training through the file: the graph of an ONNX file is trained and the same file written, other numbers in it."""
