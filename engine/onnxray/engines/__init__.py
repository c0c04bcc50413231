"""The two engines: the judge (ONNX Runtime) and the twin (torch), and how batches go through them."""
