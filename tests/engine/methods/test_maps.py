"""Every saliency method on one picture of which only a square matters: what must fall when what its map names is hidden.

The network answers to a checkerboard, and the picture holds one on one of its quarters, on noise that it hardly sees.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import onnxray
from onnxray.methods.catalogue import family
from onnxray.methods.saliency.base import Saliency
from support import models
from support.trusted import trusted

SIDE, SQUARE = 16, np.s_[8:16, 0:8]
PROFILE = replace(models.GREY, size=(SIDE, SIDE), scale=1 / 255, mean=(0.5,))
BOARD = np.where(np.add.outer(np.arange(4), np.arange(4)) % 2, -1.0, 1.0).astype(np.float32)

POOLED = f"""net (float[N,1,{SIDE},{SIDE}] x) => (float[N,3] z) {{
  c = Conv <kernel_shape = [4, 4], pads = [1, 1, 2, 2]> (x, k, low)
  r = Relu (c)
  p = GlobalAveragePool (r)
  f = Flatten (p)
  z = Gemm (f, w, b)
}}"""
POOLED_WEIGHTS = {
    "k": np.concatenate([BOARD[None, None], models.random(0, 2, 1, 4, 4, scale=0.02)]), "low": np.float32([-1, 0, 0]),
    "w": np.float32([[4, 0, 0], [0, 1, 0], [0, 0, 1]]), "b": np.float32([0.1, 0.2, 0.3]),
}  # fmt: skip

# One block of attention over patches of 4 x 4: the class token looks at those that hold a checkerboard.
ATTENDING = f"""net (float[N,1,{SIDE},{SIDE}] x) => (float[N,3] z) {{
  a = Conv <kernel_shape = [4, 4], strides = [4, 4]> (x, k)
  flat = Reshape (a, to_flat)
  tokens = Transpose <perm = [0, 2, 1]> (flat)
  one = Shape <start = 0, end = 1> (x)
  size = Concat <axis = 0> (one, rest)
  cls = Expand (token, size)
  s = Concat <axis = 1> (cls, tokens)
  q = MatMul (s, own)
  qh = Reshape (q, to_heads)
  qt = Transpose <perm = [0, 2, 1, 3]> (qh)
  kt = Transpose <perm = [0, 2, 3, 1]> (qh)
  score = MatMul (qt, kt)
  near = Softmax <axis = -1> (score)
  seen = MatMul (near, qt)
  together = Transpose <perm = [0, 2, 1, 3]> (seen)
  out = Reshape (together, to_tokens)
  both = Add (s, out)
  read = Gather <axis = 1> (both, first)
  z = MatMul (read, w)
}}"""
ATTENDING_WEIGHTS = {
    "k": POOLED_WEIGHTS["k"], "token": np.float32([[[1, 0, 0]]]), "own": np.eye(3, dtype=np.float32),
    "w": np.eye(3, dtype=np.float32), "to_flat": np.array([0, 0, 16]), "rest": np.array([1, 3]), "first": np.array(0),
    "to_heads": np.array([0, 17, 1, 3]), "to_tokens": np.array([0, 17, 3]),
}  # fmt: skip

SCORE, FEATURES, ATTENTION = "the class's score", "the layer's features", "the class token's attention"

TABLE = {
    # method: what must fall, and the options it runs with here
    "ablation-cam": (SCORE, {"layer": "r"}),
    "attention-rollout": (ATTENTION, {}),
    "cam": (SCORE, {}),
    "deconvnet": (SCORE, {}),
    "deeplift": (SCORE, {"baseline": "mean"}),
    "eigen-cam": (FEATURES, {"layer": "r"}),
    "full-grad": (SCORE, {}),
    "grad-cam": (SCORE, {"layer": "r"}),
    "grad-cam++": (SCORE, {"layer": "r"}),
    "gradient": (SCORE, {}),
    "guided-backpropagation": (SCORE, {}),
    "guided-grad-cam": (SCORE, {"layer": "r"}),
    "hires-cam": (SCORE, {"layer": "r"}),
    "input-x-gradient": (SCORE, {}),
    "integrated-gradients": (SCORE, {}),
    "kernel-shap": (SCORE, {"superpixels": "grid", "segments": 16, "samples": 300}),
    "layer-cam": (SCORE, {"layer": "r"}),
    "lime": (SCORE, {"superpixels": "grid", "segments": 16, "samples": 300}),
    "lrp": (SCORE, {}),
    "occlusion": (SCORE, {"size": 4, "stride": 2}),
    "rise": (SCORE, {"masks": 400, "cells": 4}),
    "score-cam": (SCORE, {"layer": "r"}),
    "smoothgrad": (SCORE, {"samples": 4}),
    "value-occlusion": (SCORE, {"layer": "r", "parts": "positions"}),
    "xgrad-cam": (SCORE, {"layer": "r"}),
}


@cache
def network(text: str) -> onnxray.Model:
    weights = POOLED_WEIGHTS if text is POOLED else ATTENDING_WEIGHTS
    model = onnxray.open(models.parse(text, weights), PROFILE)
    trusted(model)
    return model


def picture() -> np.ndarray:
    x = np.random.default_rng(0).uniform(120, 135, (1, 1, SIDE, SIDE)).astype(np.float32)
    x[0, 0][SQUARE] = np.tile(127.5 + 60 * BOARD, (2, 2))
    return x


def hidden(x: np.ndarray, heat: np.ndarray, *, most: bool) -> np.ndarray:
    """A quarter of the pixels grey: those that the map puts first, or last."""
    order = np.argsort(heat.ravel(), kind="stable")
    count = heat.size // 4
    copy = x.reshape(-1).copy()
    copy[order[-count:] if most else order[:count]] = 127.5
    return copy.reshape(x.shape)


def measured(model: onnxray.Model, what: str, x: np.ndarray) -> float:
    if what == SCORE:
        return float(model.values(x, ["z"])["z"][0, 0])
    if what == FEATURES:
        return float(np.linalg.norm(model.values(x, ["r"])["r"]))
    near = model.values(x, ["near"])["near"][0, 0]  # a row of the class token, then one a patch
    squares = np.arange(16).reshape(4, 4)[2:, :2].ravel() + 1
    return float(near[0, squares].sum())


@pytest.mark.parametrize("name", TABLE)
def test_what_must_fall_falls_where_the_map_says(name: str) -> None:
    what, options = TABLE[name]
    model, x = network(ATTENDING if what == ATTENTION else POOLED), picture()
    method = family(Saliency)[name]  # type: ignore[type-abstract]
    item = method(**options)(model, x, 0).items[0]
    whole, first, last = (measured(model, what, shown) for shown in (
        x, hidden(x, item.heat, most=True), hidden(x, item.heat, most=False),
    ))  # fmt: skip
    assert whole - first > 0.4 * whole
    assert whole - last < (whole - first) / 2


def test_the_table_names_every_method() -> None:
    assert set(TABLE) == set(family(Saliency))  # type: ignore[type-abstract]
