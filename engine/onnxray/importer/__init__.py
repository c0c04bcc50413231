"""ONNX to torch: a walk over the nodes, through our own converters and onnx2torch's, into a torch.fx graph."""
