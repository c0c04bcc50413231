"""A classifier that is linear in its pixels, with whole weights: in float32 every value and gradient of it is exact."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

import onnxray
from onnxray.images.profile.profile import Profile
from support import models

Array = NDArray[Any]

SIDE = 12
RAW = Profile(name="raw", layout="NCHW", channels="GREY", scale=1, mean=(0,), std=(1,), size=(SIDE, SIDE))
TEXT = f"""
linear (float[{{batch}},1,{SIDE},{SIDE}] x) => (float[{{batch}},K] z) {{{{
  flat = Flatten (x)
  h = MatMul (flat, w)
  g = MatMul (h, v)
  z = Add (g, b)
}}}}
"""


@dataclass(frozen=True)
class Linear:
    """h = W x and z = V h + b, of images of 12 x 12."""

    w: Array
    v: Array
    b: Array

    @classmethod
    def random(cls, seed: int = 0, features: int = 6, classes: int = 4) -> "Linear":
        generator = np.random.default_rng(seed)
        w = generator.integers(-3, 4, (features, SIDE * SIDE))
        return cls(w, generator.integers(-3, 4, (classes, features)), generator.integers(-9, 10, classes))

    def proto(self, batch: int | str = "N") -> onnx.ModelProto:
        arrays: Mapping[str, Array] = {"w": self.w.T, "v": self.v.T, "b": self.b}
        return models.parse(TEXT.format(batch=batch), {n: a.astype(np.float32).copy() for n, a in arrays.items()})

    def open(self, batch: int | str = "N") -> onnxray.Model:
        return onnxray.open(self.proto(batch), RAW)

    def h(self, image: Array) -> Array:
        return np.asarray(self.w.astype(np.float64) @ image.ravel().astype(np.float64))

    def class_of(self, image: Array) -> int:
        return int((self.v.astype(np.float64) @ self.h(image) + self.b).argmax())

    def eta(self, image: Array, target: Array) -> Array:
        """W^T (t - W x)."""
        return np.asarray(self.w.T.astype(np.float64) @ (target - self.h(image))).reshape(1, SIDE, SIDE)


def pictures(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, SIDE, SIDE)).astype(np.uint8)


def moved(image: Array, eta: Array, scale: float) -> NDArray[np.uint8]:
    """round(clip(x + s eta / max|eta|, 0, 255))."""
    return np.rint(np.clip(image + scale * (eta / np.abs(eta).max()), 0, 255)).astype(np.uint8)
