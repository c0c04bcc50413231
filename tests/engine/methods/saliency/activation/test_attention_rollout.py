"""Attention rollout restated on a transformer of two blocks, and the attention that it refuses."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

import onnxray
from onnxray.errors import InputError
from onnxray.methods.saliency.activation.attention_rollout import AttentionRollout
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from support import models

Array = NDArray[Any]
SIZE = (14, 20)
PROFILE = replace(models.GREY, size=SIZE)


def pictures(count: int = 2) -> Array:
    return np.random.default_rng(1).uniform(0, 255, (count, 1, *SIZE)).astype(np.float32)


def upsampled(attribution: Array) -> Array:
    maps = torch.from_numpy(attribution.astype(np.float64))[None, None]
    return functional.interpolate(maps, SIZE, mode="bilinear", align_corners=False)[0, 0].numpy()


def close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


ROLLED = """
net (float[N,1,14,20] x) => (float[N,5] z) {
  a = Conv <kernel_shape = [7, 5], strides = [7, 5]> (x, w)
  flat = Reshape (a, to_flat)
  tokens = Transpose <perm = [0, 2, 1]> (flat)
  one = Shape <start = 0, end = 1> (x)
  size = Concat <axis = 0> (one, rest)
  cls = Expand (token, size)
  s0 = Concat <axis = 1> (cls, tokens)
BLOCKS
  read = READ
  z = MatMul (read, wz)
}
"""
BLOCK = """
  q{k} = MatMul (s{k}, wq)
  qh{k} = Reshape (q{k}, to_heads)
  qt{k} = Transpose <perm = [0, 2, 1, 3]> (qh{k})
  kt{k} = Transpose <perm = [0, 2, 3, 1]> (qh{k})
  score{k} = MatMul (qt{k}, kt{k})
  near{k} = Softmax <axis = -1> (score{k})
  seen{k} = MatMul (near{k}, qt{k})
  together{k} = Transpose <perm = [0, 2, 1, 3]> (seen{k})
  out{k} = Reshape (together{k}, to_tokens)
  s{n} = Add (s{k}, out{k})
"""
ROLLED_WEIGHTS = {
    "w": models.random(1, 6, 1, 7, 5, scale=0.5), "token": models.random(2, 1, 1, 6), "wq": models.random(3, 6, 6),
    "wz": models.random(4, 6, 5), "to_flat": np.array([0, 0, 8]), "rest": np.array([1, 6]), "first": np.array(0),
    "to_heads": np.array([0, 9, 2, 3]), "to_tokens": np.array([0, 9, 6]), "from": np.array([1]), "to": np.array([9]),
    "along": np.array([1]),
}  # fmt: skip
CLASS_READ, MEAN_READ = "Gather <axis = 1> (s2, first)", "ReduceMean <axes = [1], keepdims = 0> (s2)"


def transformer(read: str, text: str = ROLLED) -> onnx.ModelProto:
    blocks = "".join(BLOCK.format(k=k, n=k + 1) for k in range(2))
    return models.parse(text.replace("BLOCKS", blocks).replace("READ", read), ROLLED_WEIGHTS)


@pytest.mark.parametrize("heads", ["mean", "max", "min"])
@pytest.mark.parametrize("read", [CLASS_READ, MEAN_READ])
def test_attention_rollout(read: str, heads: Any) -> None:
    proto = transformer(read)
    model = onnxray.open(proto, PROFILE)
    found = AttentionRollout(heads=heads)(model, pictures(), 2)
    near = models.run(proto, model.feeds(pictures()), ["near0", "near1"])
    for row, item in enumerate(found.items):
        rolled = np.eye(9)
        for attention in near:
            mixed = (getattr(attention[row].astype(np.float64), heads)(0) + np.eye(9)) / 2
            rolled = np.diag(1 / mixed.sum(1)) @ mixed @ rolled
        shares = rolled[0, 1:] if read == CLASS_READ else rolled[1:, 1:].mean(0)
        close(item.attribution, shares.reshape(2, 4))
        close(item.heat, upsampled(item.attribution))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROLLED.replace("BLOCKS", ""), "no attention"),
        (ROLLED.replace("READ", "READ2").replace("read = READ2", "t = Transpose <perm = [0, 2, 1]> (s2)\n  u = Softmax <axis = -1> (t)\n  w2 = MatMul (u, s2)\n  read = ReduceMean <axes = [1], keepdims = 0> (w2)"),
         "all tokens among all"),
    ],
)  # fmt: skip
def test_attention_that_cannot_be_rolled_out(text: str, message: str) -> None:
    read = CLASS_READ.replace("s2", "s0") if "BLOCKS" not in text else CLASS_READ
    model = onnxray.open(transformer(read, text), PROFILE)
    with pytest.raises(InputError, match=message):
        AttentionRollout()(model, pictures(), 2)


def test_attention_that_is_changed_on_its_way_is_refused() -> None:
    """Talking heads, gates: what weighs the values is another matrix than the softmax."""
    proto = transformer(CLASS_READ)
    for node in proto.graph.node:
        if node.output[0] == "seen1":
            node.input[0] = "gated"
            gate = onnx.helper.make_node("Mul", ["near1", "near0"], ["gated"], name="gate")
    proto.graph.node.insert([node.output[0] for node in proto.graph.node].index("seen1"), gate)
    with pytest.raises(InputError, match=r"'near\d' is changed by node 'gate' \(Mul\)"):
        AttentionRollout()(onnxray.open(proto, PROFILE), pictures(), 2)


def test_attention_rollout_refuses_operators_that_keep_the_matrix() -> None:
    text = """
    net (float[N,1,14,20] x) => (float[N,5] z) {
      a = Conv <kernel_shape = [7, 5], strides = [7, 5]> (x, w)
      flat = Reshape (a, to_flat)
      tokens = Transpose <perm = [0, 2, 1]> (flat)
      seen = Attention <q_num_heads = 2, kv_num_heads = 2> (tokens, tokens, tokens)
      read = ReduceMean <keepdims = 0> (seen, along)
      z = MatMul (read, wz)
    }"""
    model = onnxray.open(models.parse(text, ROLLED_WEIGHTS, opset=23), PROFILE)
    with pytest.raises(InputError, match=r"\(Attention\) does not give its attention matrix"):
        AttentionRollout()(model, pictures(), 2)
    assert GradCAM()(model, pictures(), 2).items[0].layer == "seen"
