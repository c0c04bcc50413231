"""Generators of pictures: trained to show what a network looks for, or to invert a layer; ONNX files themselves."""
