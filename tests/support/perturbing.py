"""Perturbation restated by hand: the small networks it is tried on, and occlusion pixel by pixel."""

from typing import Any

import numpy as np
import onnx

from onnxray.images.profile.profile import Profile
from support import models


def encoded(pixels: models.Array) -> models.Array:
    return (pixels / np.float32(255) - np.float32(0.5)) / np.float32(0.5)


def logits(pixels: models.Array) -> models.Array:
    return models.run(models.lenet(), {"x": encoded(pixels)}, ["ip2"])[0].astype(np.float64)


def softmax(z: models.Array) -> models.Array:
    powers = np.exp(z - z.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def by_hand(image: models.Array, size: int, stride: int, fill: float, score: Any) -> tuple[models.Array, models.Array]:
    """(map, score at each position), pixel by pixel of each window that fits or ends with the image."""
    height, width = image.shape[1:]
    tops, lefts = _starts(height, size, stride), _starts(width, size, stride)
    hidden = np.repeat(image[None], len(tops) * len(lefts), 0)
    windows = [np.s_[:, top : top + size, left : left + size] for top in tops for left in lefts]
    for picture, window in zip(hidden, windows, strict=True):
        picture[window] = fill
    scores = score(hidden)
    total, count, clean = np.zeros((1, height, width)), np.zeros((1, height, width)), score(image[None])[0]
    for number, window in zip(scores, windows, strict=True):
        total[window] += clean - number
        count[window] += 1
    return (total / count)[0], scores.reshape(len(tops), len(lefts))


def _starts(side: int, size: int, stride: int) -> list[int]:
    """0, stride, 2 stride, ... up to the first window that reaches the end."""
    starts = [0]
    while starts[-1] + size < side:
        starts.append(starts[-1] + stride)
    return starts


DEEP = """
deep (float[N,3,{height},{width}] x) => (float[N,4] z) {{
  a = Conv <kernel_shape = [5, 3], strides = [2, 1], pads = [2, 0, 1, 2]> (x, w1)
  b = Relu (a)
  c = MaxPool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1> (b)
  d = Conv <kernel_shape = [3, 3], pads = [2, 2, 2, 2], dilations = [2, 2]> (c, w2)
  e = Add (c, d)
  f = Relu (e)
  left = Conv <kernel_shape = [1, 1], strides = [2, 2]> (f, w3)
  right = AveragePool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (f)
  g = Concat <axis = 1> (left, right)
  h = LRN <size = 3> (g)
  i = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (h, w4)
  j = GlobalAveragePool (i)
  z = Flatten (j)
}}
"""


def deep(height: int, width: int, channels: int = 16) -> onnx.ModelProto:
    c = channels
    shapes = {"w1": (c, 3, 5, 3), "w2": (c, c, 3, 3), "w3": (c, c, 1, 1), "w4": (4, 2 * c, 3, 3)}
    scale = 1.2 / np.sqrt(c)
    weights = {name: models.random(k, *shape, scale=scale) for k, (name, shape) in enumerate(shapes.items())}
    return models.parse(DEEP.format(height=height, width=width), weights)


def rgb(height: int, width: int, layout: Any = "NCHW") -> Profile:
    return Profile(
        name="deep", layout=layout, channels="RGB", scale=1 / 64, mean=(2.0, 1.0, 3.0), std=(1.0, 2.0, 1.0),
        size=(height, width),
    )  # fmt: skip
