"""Attacks that go by the scores of the judge alone: no gradient, whatever ONNX Runtime opens."""
