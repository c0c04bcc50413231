"""Converters of com.microsoft, the operators that ONNX Runtime adds."""
