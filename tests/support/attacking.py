"""Samples as an attack is given them, and small networks whose smallest perturbations are known or quick to have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import onnxray
from onnxray.methods.array_variable import variable_of
from onnxray.methods.attack.base import Attacked, generators_of
from onnxray.methods.attack.oracle import Oracle, Queries
from onnxray.methods.attack.success import criterion_of
from support import models
from support.linear import RAW, SIDE, TEXT

BENT = f"""
bent (float[N,1,{SIDE},{SIDE}] x) => (float[N,K] z) {{
  flat = Flatten (x)
  h = MatMul (flat, w)
  g = Tanh (h)
  z = MatMul (g, v)
}}
"""


def bent(classes: int, seed: int = 3) -> Any:
    random = np.random.default_rng(seed)
    w = random.normal(0, 0.003, (SIDE * SIDE, 24)).astype(np.float32)
    return onnxray.open(models.parse(BENT, {"w": w, "v": random.normal(0, 2, (24, classes)).astype(np.float32)}), RAW)


def attacked(model: Any, images: Any, eps: float, start: Any = None) -> Attacked:
    pixels = model.pixels(images)
    variable = variable_of(model, pixels, None, [model.head.name])
    criterion, shots = criterion_of(variable, None)
    oracle = Oracle(variable=variable, criterion=criterion, queries=Queries.none(len(images)))
    return Attacked(
        oracle=oracle, rows=np.arange(len(images)), random=generators_of(shots.images, 0),
        tell=lambda done, total, what: None, eps=np.full(len(images), eps), start=start,
    )  # fmt: skip


def straight(classes: int = 4, seed: int = 0, bias: Sequence[float] = ()) -> tuple[Any, Any]:
    """A model that is linear in its pixels, with logits of a network's size, and its weights (classes, pixels)."""
    random = np.random.default_rng(seed)
    w = random.normal(0, 0.002, (SIDE * SIDE, classes)).astype(np.float32)
    eye, b = np.eye(classes, dtype=np.float32), np.asarray(bias or [0.0] * classes, np.float32)
    return onnxray.open(models.parse(TEXT.format(batch="N"), {"w": w, "v": eye, "b": b}), RAW), w.T.astype(np.float64)


def nearest(weights: Any, image: Any, norm: str) -> float:
    """The smallest norm that leaves the class of a linear model: min_j margin_j / ||w_j - w_y||, the dual norm, as long
    as no pixel ends; of l0 and l1 pixels moved as far as they can be, those that count most first.
    """
    z = weights @ image.ravel().astype(np.float64)
    own = int(z.argmax())
    found = []
    for other in set(range(len(z))) - {own}:
        slope = weights[other] - weights[own]
        margin, room = float(z[own] - z[other]), np.where(slope > 0, 255.0 - image.ravel(), image.ravel())
        gain = np.abs(slope) * room
        if norm == "l0":
            found.append(float(np.searchsorted(np.sort(gain)[::-1].cumsum(), margin) + 1))
        elif norm == "l1":
            order = np.argsort(-np.abs(slope))
            before = np.concatenate([[0.0], gain[order].cumsum()])
            full = int(np.searchsorted(before, margin)) - 1
            found.append(room[order[:full]].sum() + (margin - before[full]) / abs(slope[order[full]]))
        else:
            found.append(margin / np.linalg.norm(slope, 1 if norm == "linf" else 2))
    return float(min(found))
