"""Networks of the kinds that people have, as ONNX text with random weights: VGG-16, a ViT, channels last, QDQ int8."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import onnxray
from onnxray.images.profile.profile import Profile
from support import models

Array = NDArray[Any]

VGG_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
_THINNER = 16
VGG_FACE = Profile(
    name="vgg-face", layout="NCHW", channels="BGR", scale=1.0, mean=(129.1863, 104.7624, 93.5940), std=(1.0,) * 3,
    size=(224, 224),
)  # fmt: skip


def _he(random: np.random.Generator, *shape: int) -> Array:
    """Weights under which a rectifier's output keeps its size; shape: outputs, inputs, kernel."""
    return (random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)


def vgg16() -> onnxray.Model:
    """VGG Face's layers at 224 x 224 under its Caffe names, a sixteenth as wide; 20 classes."""
    random, weights, lines, before, channels = np.random.default_rng(0), {}, [], "data", 3
    for block, (width, count) in enumerate(VGG_BLOCKS, 1):
        for place in range(1, count + 1):
            name = f"{block}_{place}"
            weights[f"w{name}"] = _he(random, width // _THINNER, channels, 3, 3) / (100 if before == "data" else 1)
            weights[f"b{name}"] = models.random(block, width // _THINNER, scale=0.05)
            lines.append(
                f"conv{name} = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> ({before}, w{name}, b{name})\n"
                f"relu{name} = Relu (conv{name})"
            )
            before, channels = f"relu{name}", width // _THINNER
        lines.append(f"pool{block} = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> ({before})")
        before = f"pool{block}"
    lines.append("flat = Flatten (pool5)")
    before, wide = "flat", 49 * channels
    for name, width in (("fc6", 64), ("fc7", 64), ("fc8", 20)):
        weights[f"w_{name}"], weights[f"b_{name}"] = _he(random, width, wide), models.random(9, width, scale=0.05)
        lines.append(f"{name} = Gemm <transB = 1> ({before}, w_{name}, b_{name})")
        if name != "fc8":
            lines.append(f"{name}_relu = Relu ({name})")
        before, wide = f"{name}_relu", width
    lines.append("prob = Softmax <axis = 1> (fc8)")
    text = "vgg (float[1,3,224,224] data) => (float[1,20] prob) {\n" + "\n".join(lines) + "\n}"
    return onnxray.open(models.parse(text, weights), VGG_FACE)


_VIT_BLOCK = """
  n{k} = LayerNormalization <axis = -1> (s{k}, gain, shift)
  qkv{k} = MatMul (n{k}, wqkv{k})
  parts{k} = Reshape (qkv{k}, to_parts)
  turned{k} = Transpose <perm = [2, 0, 3, 1, 4]> (parts{k})
  q{k} = Gather <axis = 0> (turned{k}, i0)
  key{k} = Gather <axis = 0> (turned{k}, i1)
  v{k} = Gather <axis = 0> (turned{k}, i2)
  kt{k} = Transpose <perm = [0, 1, 3, 2]> (key{k})
  score{k} = MatMul (q{k}, kt{k})
  scaled{k} = Mul (score{k}, third)
  near{k} = Softmax <axis = -1> (scaled{k})
  seen{k} = MatMul (near{k}, v{k})
  heads{k} = Transpose <perm = [0, 2, 1, 3]> (seen{k})
  joined{k} = Reshape (heads{k}, to_tokens)
  out{k} = MatMul (joined{k}, wo{k})
  mid{k} = Add (s{k}, out{k})
  m{k} = LayerNormalization <axis = -1> (mid{k}, gain, shift)
  up{k} = MatMul (m{k}, wu{k})
  half{k} = Div (up{k}, root)
  erf{k} = Erf (half{k})
  more{k} = Add (erf{k}, unit)
  gated{k} = Mul (up{k}, more{k})
  gelu{k} = Mul (gated{k}, point5)
  down{k} = MatMul (gelu{k}, wd{k})
  s{next} = Add (mid{k}, down{k})
"""


def vit() -> onnxray.Model:
    """Two blocks of three heads on 16 patches of 8 x 8 and a class token; the file fixes its batch at 1."""
    blocks = "".join(_VIT_BLOCK.format(k=k, next=k + 1) for k in range(2))
    text = f"""
    vit (float[1,3,32,32] x) => (float[1,6] z) {{
      patches = Conv <kernel_shape = [8, 8], strides = [8, 8]> (x, w)
      flat = Reshape (patches, to_flat)
      tokens = Transpose <perm = [0, 2, 1]> (flat)
      all = Concat <axis = 1> (cls, tokens)
      s0 = Add (all, places)
      {blocks}
      norm = LayerNormalization <axis = -1> (s2, gain, shift)
      first = Gather <axis = 1> (norm, i0)
      z = MatMul (first, wz)
    }}"""
    random = np.random.default_rng(1)
    weights = {
        "w": _he(random, 24, 3, 8, 8), "cls": _he(random, 1, 1, 24), "places": _he(random, 1, 17, 24),
        "wz": models.random(3, 24, 6), "gain": np.ones(24, np.float32), "shift": np.zeros(24, np.float32),
        "to_flat": np.array([1, 24, 16]), "to_parts": np.array([1, 17, 3, 3, 8]), "to_tokens": np.array([1, 17, 24]),
        **{f"i{k}": np.array(k) for k in range(3)}, "third": np.array(8**-0.5, np.float32),
        "root": np.array(2**0.5, np.float32), "unit": np.array(1, np.float32), "point5": np.array(0.5, np.float32),
    }  # fmt: skip
    for k in range(2):
        for name, shape in (("wqkv", (24, 72)), ("wo", (24, 24)), ("wu", (24, 48)), ("wd", (48, 24))):
            weights[f"{name}{k}"] = models.random(10 + k, *shape, scale=shape[0] ** -0.5)
    return onnxray.open(models.parse(text, weights), _profile("NCHW", "RGB", 32))


def channels_last() -> onnxray.Model:
    """A network of Keras: BGR pixels with their channels last, turned before and after each convolution."""
    text = """
    k (float[N,32,32,3] x) => (float[N,5] p) {
      t1 = Transpose <perm = [0, 3, 1, 2]> (x)
      c1 = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]> (t1, w1, v1)
      b1 = Transpose <perm = [0, 2, 3, 1]> (c1)  a1 = Relu (b1)
      t2 = Transpose <perm = [0, 3, 1, 2]> (a1)
      c2 = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]> (t2, w2, v2)
      b2 = Transpose <perm = [0, 2, 3, 1]> (c2)  a2 = Relu (b2)
      m = ReduceMean <axes = [1, 2], keepdims = 0> (a2)  z = MatMul (m, w3)  p = Softmax <axis = -1> (z)
    }"""
    random = np.random.default_rng(2)
    weights = {"w1": _he(random, 12, 3, 3, 3), "w2": _he(random, 16, 12, 3, 3), "w3": models.random(4, 16, 5)}
    weights |= {"v1": models.random(5, 12, scale=0.3), "v2": models.random(6, 16, scale=0.3)}
    return onnxray.open(models.parse(text, weights), _profile("NHWC", "BGR", 32))


def quantised() -> onnxray.Model:
    """Two convolutions of int8 weights, every value between them quantised to int8 and back."""
    text = """
    q (float[N,3,32,32] x) => (float[N,5] z) {
      xq = QuantizeLinear (x, sx, zero)  xd = DequantizeLinear (xq, sx, zero)
      w1 = DequantizeLinear (w1q, sw, zero)  c1 = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]> (xd, w1, v1)
      r1 = Relu (c1)  q1 = QuantizeLinear (r1, s1, low)  d1 = DequantizeLinear (q1, s1, low)
      w2 = DequantizeLinear (w2q, sw, zero)  c2 = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]> (d1, w2, v2)
      r2 = Relu (c2)  q2 = QuantizeLinear (r2, s2, low)  d2 = DequantizeLinear (q2, s2, low)
      g = GlobalAveragePool (d2)  f = Flatten (g)  z = MatMul (f, w3)
    }"""
    random = np.random.default_rng(3)
    step = 0.01
    weights: Mapping[str, Array] = {
        "w1q": np.int8(np.clip(np.rint(_he(random, 12, 3, 3, 3) / step), -127, 127)),
        "w2q": np.int8(np.clip(np.rint(_he(random, 16, 12, 3, 3) / step), -127, 127)),
        "w3": models.random(5, 16, 5), "v1": models.random(6, 12, scale=0.3), "v2": models.random(7, 16, scale=0.3),
        "sw": np.array(step, np.float32), "zero": np.array(0, np.int8),
        "low": np.array(-128, np.int8), "sx": np.array(2.1 / 127, np.float32), "s1": np.array(5 / 255, np.float32),
        "s2": np.array(5 / 255, np.float32),
    }  # fmt: skip
    return onnxray.open(models.parse(text, weights), _profile("NCHW", "RGB", 32))


def lenet() -> onnxray.Model:
    """The bundled LeNet: grey digits of 28 x 28."""
    return onnxray.open("lenet")


def _profile(layout: str, channels: str, side: int) -> Profile:
    return Profile(
        name="test", layout=layout, channels=channels, scale=1 / 255, mean=(0.5,) * 3, std=(0.25,) * 3,
        size=(side, side),
    )  # fmt: skip


KINDS: Mapping[str, Callable[[], onnxray.Model]] = {
    "VGG-16": vgg16, "ViT": vit, "NHWC": channels_last, "QDQ int8": quantised, "grey LeNet": lenet,
}  # fmt: skip
PLACES = {"VGG-16": "relu3_3", "ViT": "patches", "NHWC": "a1", "QDQ int8": "d1", "grey LeNet": "conv2"}
"""A value of each that keeps rows and columns."""


def picture(model: onnxray.Model, seed: int = 0) -> NDArray[np.uint8]:
    """Waves of different directions in each colour, 8-bit (C, H, W), with a little noise."""
    assert model.profile is not None
    random = np.random.default_rng(seed)
    count, height, width = model.profile.shape
    rows, columns = np.mgrid[:height, :width] / height * 12
    waves = [np.sin(np.cos(k + seed) * rows + np.sin(k + seed) * columns + k) for k in range(count)]
    return np.uint8(np.clip(128 + 90 * np.stack(waves) + 10 * random.standard_normal((count, height, width)), 0, 255))
