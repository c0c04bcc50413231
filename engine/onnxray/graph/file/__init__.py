"""The bytes of an ONNX file and what lies in them: opened once, bounded, checked."""
