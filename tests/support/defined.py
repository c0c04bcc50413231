"""Quantised operators by their definitions, in exact integers: what is right on every processor.

ONNX Runtime's own numbers are compared where no kernel saturates: with weights of seven bits (2 * 255 * 64 fits into 16
bits), where both factors have one sign, on a processor that does not, or where it is made exact.
"""

from typing import Any

import numpy as np

from onnxray.engines.judge import Judge
from onnxray.engines.processor import u8s8_saturates
from onnxray.graph.reading import read_graph
from support.models import Array, run

SEVEN_BITS = 2
"""What int8 weights are divided by so that no kernel saturates: -128..127 becomes -64..63."""


def product(a: Array, za: Any, b: Array, zb: Any) -> Array:
    """(a - za) (b - zb), za and zb of any shape that numpy spreads."""
    return (a.astype(np.int64) - np.int64(za)) @ (b.astype(np.int64) - np.asarray(zb, np.int64))


def convolution(x: Array, zx: Any, w: Array, *, group: int, pads: list[int], strides: list[int]) -> Array:
    """sum over the window of (x - zx) w, NCHW; what is padded counts as zero."""
    top, left, bottom, right = pads
    padded = np.pad(x.astype(np.int64) - np.int64(zx), ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], (2, 3))[:, :, :: strides[0], :: strides[1]]
    inputs, outputs = x.shape[1] // group, len(w) // group
    parts = [
        np.einsum(
            "nchwij,ocij->nohw",
            windows[:, k * inputs : (k + 1) * inputs],
            w[k * outputs : (k + 1) * outputs].astype(np.int64),
        )
        for k in range(group)
    ]
    return np.concatenate(parts, 1)


def requantised(sums: Array, factor: Any, zero: Any) -> Array:
    """clip(round(sums * factor) + zero), halves to even, in the type of the zero point."""
    limits = np.iinfo(np.asarray(zero).dtype)
    steps = np.rint(sums * np.asarray(factor, np.float64)) + np.float64(zero)
    return np.clip(steps, limits.min, limits.max).astype(np.asarray(zero).dtype)


def dynamically_quantised(x: Array) -> tuple[Array, np.float32, np.uint8]:
    """DynamicQuantizeLinear: the numbers, the scale, the zero point."""
    low, high = np.minimum(x.min(), np.float32(0)), np.maximum(x.max(), np.float32(0))
    scale = np.float32((high - low) / np.float32(255))
    zero = np.uint8(np.rint(np.clip(-low / scale, 0, 255)))
    return np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.uint8), scale, zero


def judged(model: Any, feeds: dict[str, Array], *, saturable: bool, constant: bool) -> list[Array]:
    """What ONNX Runtime gives for the first output, in each way in which it is exact on this processor; none maybe.

    saturable: uint8 is multiplied by int8 of eight bits; constant: these are weights.
    """
    found = [] if saturable and u8s8_saturates() else [run(model, feeds)[0]]
    if constant:
        graph = read_graph(model)
        found.append(Judge(graph).where_exact().outputs(feeds)[graph.outputs[0].name])
    return found
