"""Networks that turn a picture into a picture (fast style transfer, restoration), run by the judge on any size.

A network of fixed size sees overlapping tiles; its answers are blended by weights that fall linearly to the ends of a
tile:  y = sum_k S_k^T (w y_k) / sum_k S_k^T w.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.eight_bits import to_uint8
from onnxray.images.tiles import cut, ramp, windows
from onnxray.model.model import Model

OutputRange = Literal["auto", "255", "1", "signed"]
_RANGES: dict[str, tuple[float, float]] = {"255": (0.0, 255.0), "1": (0.0, 1.0), "signed": (-1.0, 1.0)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Applied:
    """What a network made: 8-bit (C, H, W); the range that its numbers were read in, and the numbers' own."""

    image: NDArray[np.uint8]
    range: str
    least: float
    largest: float
    tiles: int


def apply_network(
    model: Model, picture: NDArray[np.float32], *, overlap: int | None = None, range: OutputRange = "auto"
) -> Applied:
    """Run an image-to-image network on a picture (C, H, W) in grey levels.

    range: what the output's numbers mean: "255" for [0, 255], "1" for [0, 1], "signed" for [-1, 1]; "auto" takes the
    first of 255, signed, 1 that the numbers need: beyond 2, below -0.2, else. The channels are the profile's.
    overlap: pixels that tiles share; by default 32, or a quarter of a smaller tile.
    Errors: InputError where the output is no picture, or the overlap does not fit into a tile.
    """
    if range not in {"auto", *_RANGES}:
        raise InputError(f"range is {range!r}; one of auto, {', '.join(_RANGES)} was expected")
    assert model.profile is not None
    tile = model.profile.size if _fixed(model) else (picture.shape[1], picture.shape[2])
    overlap = min(32, min(tile) // 4) if overlap is None else overlap
    if not 0 <= overlap < min(tile):
        raise InputError(f"the overlap is {overlap}; a whole number from 0 to {min(tile) - 1} was expected")
    rows, columns = (windows(side, own, overlap) for side, own in zip(picture.shape[1:], tile))
    tiles = cut(picture, rows, columns)
    answers = np.concatenate([_answer(model, one) for one in tiles])
    factor = answers.shape[2] // tile[0]
    if factor < 1 or answers.shape[2:] != (tile[0] * factor, tile[1] * factor):
        raise InputError(
            f"{tile[0]} x {tile[1]} pixels become {answers.shape[2]} x {answers.shape[3]}; the same size, or a whole "
            "multiple, was expected of a network that is applied to a picture"
        )
    whole = _blended(answers, rows, columns, (picture.shape[1], picture.shape[2]), factor, overlap)
    least, largest = float(whole.min()), float(whole.max())
    if not np.isfinite([least, largest]).all():
        raise InputError("the network's output holds NaN or infinity; is the profile the one it was trained with?")
    if range == "auto":
        range = "255" if max(-least, largest) > 2 else "signed" if least < -0.2 else "1"
    low, high = _RANGES[range]
    levels = 255 * (whole - low) / (high - low)
    return Applied(
        image=to_uint8(levels), range=range, least=least, largest=largest,
        tiles=len(tiles),
    )  # fmt: skip


def _fixed(model: Model) -> bool:
    """Whether the file states the height or the width of its input."""
    shape = model.graph.inputs[0].shape
    assert model.profile is not None
    if shape is None:
        return True
    return any(isinstance(side, int) for side in (shape[2:] if model.profile.layout == "NCHW" else shape[1:3]))


def _answer(model: Model, picture: NDArray[Any]) -> NDArray[np.float64]:
    """The network's first output for a picture, (1, C, h, w) in the order of the pixels."""
    assert model.profile is not None
    name = model.graph.outputs[0].name
    feeds = model.encoder.fed(np.ascontiguousarray(picture[None], np.float32))
    answer = np.asarray(model.judge.outputs(feeds, [name])[name])
    if answer.dtype.kind in "OUS":
        raise InputError(f"the output {name!r} holds text; apply takes networks from pictures to pictures")
    found = np.asarray(answer, np.float64)
    if model.profile.layout == "NHWC" and found.ndim == 4:
        found = found.transpose(0, 3, 1, 2)
    if found.ndim != 4 or len(found) != 1 or found.shape[1] not in (1, 3):
        raise InputError(
            f"the output {name!r} has the shape {list(found.shape)}, which is no picture of 1 or 3 channels; apply "
            "takes networks from pictures to pictures"
        )
    return found[:, ::-1] if model.profile.channels == "BGR" and found.shape[1] == 3 else found


def _blended(
    answers: NDArray[np.float64],
    rows: list[NDArray[np.int64]],
    columns: list[NDArray[np.int64]],
    size: tuple[int, int],
    factor: int,
    overlap: int,
) -> NDArray[np.float64]:
    high, wide = size[0] * factor, size[1] * factor
    total, weight = np.zeros((answers.shape[1], high, wide)), np.zeros((high, wide))
    each = iter(answers)
    for r in rows:
        for c in columns:
            answer = next(each)
            # A side that fits into one tile was mirrored to fill it: what it mirrors is dropped.
            tall, broad = min(len(r), size[0]) * factor, min(len(c), size[1]) * factor
            share = np.outer(ramp(tall, overlap * factor), ramp(broad, overlap * factor))
            place = np.s_[r[0] * factor : r[0] * factor + tall, c[0] * factor : c[0] * factor + broad]
            total[(slice(None), *place)] += share * answer[:, :tall, :broad]
            weight[place] += share
    return total / weight
