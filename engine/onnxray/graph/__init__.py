"""Facts of an ONNX file, told from the file alone."""
