"""Training through the file: the graph of an ONNX file is trained and the same file written, other numbers in it."""

from onnxray.training.fine_tuning import fine_tune, trainable
from onnxray.training.saving import save

__all__ = ["fine_tune", "save", "trainable"]
