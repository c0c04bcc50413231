"""Small models of every kind of input, and what is given for them."""

from __future__ import annotations

import onnx

from support.models import parse, random

TWO = """
g (float[N,3,16,16] rgb, float[N,1,16,16] depth) => (float[N,4] y) {
  i = Concat <axis = 1> (rgb, depth)  c = Conv <pads = [1, 1, 1, 1]> (i, w)  r = Tanh (c)
  p = GlobalAveragePool (r)  f = Flatten (p)  y = Gemm (f, v)
}
"""
TOKENS = """
g (int64[N,T] input_ids, int64[N,T] attention_mask) => (float[N,2] logits) {
  e = Gather (table, input_ids)  h = MatMul (e, w1)  t = Tanh (h)
  m = Cast <to = 1> (attention_mask)  last = Constant <value_ints = [2]> ()  u = Unsqueeze (m, last)
  masked = Mul (t, u)  s = ReduceSum <keepdims = 0> (masked, one)  logits = Gemm (s, w2)
}
"""
TABLE = """
g (float[N,5] x) => (float[N,3] y) {
  h = Gemm (x, w1, b1)  r = Tanh (h)  z = Gemm (r, w2)  y = Softmax <axis = 1> (z)
}
"""
WAVE = """
g (float[N,1,800] audio) => (float[N,2] y) {
  c = Conv <strides = [20]> (audio, w)  r = Relu (c)  p = GlobalAveragePool (r)  f = Flatten (p)  y = Gemm (f, v)
}
"""
CLIP = """
g (float[N,3,4,16,16] video) => (float[N,2] y) {
  c = Conv (video, w)  r = Relu (c)  p = GlobalAveragePool (r)  f = Flatten (p)  y = Gemm (f, v)
}
"""
SPECTROGRAM = """
g (float[N,1,20,30] mel) => (float[N,3] y) {
  c = Conv <pads = [1, 1, 1, 1]> (mel, w)  r = Relu (c)  p = GlobalAveragePool (r)  f = Flatten (p)  y = Gemm (f, v)
}
"""
SERIES = """
g (float[N,1,100] x) => (float[N,2] y) {
  c = Conv (x, w)  r = Relu (c)  p = GlobalAveragePool (r)  f = Flatten (p)  y = Gemm (f, v)
}
"""


def two() -> onnx.ModelProto:
    """A picture and its depth, joined."""
    return parse(TWO, {"w": random(0, 4, 4, 3, 3), "v": random(1, 4, 4)})


def tokens() -> onnx.ModelProto:
    """A sum over tokens that a mask lets through."""
    import numpy as np

    weights = {"table": random(0, 30, 8), "w1": random(1, 8, 8), "w2": random(2, 8, 2), "one": np.array([1])}
    return parse(TOKENS, weights)


def table() -> onnx.ModelProto:
    """Five columns, three classes."""
    return parse(TABLE, {"w1": random(0, 5, 8), "b1": random(1, 8), "w2": random(2, 8, 3)})


def wave() -> onnx.ModelProto:
    """One signal of 800 samples."""
    return parse(WAVE, {"w": random(0, 6, 1, 80), "v": random(1, 6, 2)})


def clip() -> onnx.ModelProto:
    """Four frames."""
    return parse(CLIP, {"w": random(0, 6, 3, 2, 3, 3), "v": random(1, 6, 2)})


def spectrogram() -> onnx.ModelProto:
    """Twenty bins by thirty frames."""
    return parse(SPECTROGRAM, {"w": random(0, 6, 1, 3, 3), "v": random(1, 6, 3)})


def series() -> onnx.ModelProto:
    """A hundred measurements."""
    return parse(SERIES, {"w": random(0, 6, 1, 7), "v": random(1, 6, 2)})
