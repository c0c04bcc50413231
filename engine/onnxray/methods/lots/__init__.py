"""LOTS: layerwise origin-target synthesis."""

from onnxray.methods.lots.lots import LOTS

__all__ = ["LOTS"]
