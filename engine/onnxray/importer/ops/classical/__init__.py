"""Converters of ai.onnx.ml: encoders, linear models, trees."""
