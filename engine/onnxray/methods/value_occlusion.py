"""Occlusion of a middle value: parts of it are set to a fill, and the judge goes on from there.

    positions:  d_k = S(a) - S(a with window k of every channel filled),  M = mean over the windows that cover a place
    channels:   w_c = S(a) - S(a with channel c filled),                  M = sum_c w_c a_c

a is the value for the image. The channels' map is Ablation-CAM's (Desai, Ramaswamy 2020) without its division by S(a)
and its rectifier. Maps are enlarged bilinearly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.copies import Copies, slices
from onnxray.errors import InputError
from onnxray.images import Pixels
from onnxray.method import Run
from onnxray.model import Model
from onnxray.objectives import Objective
from onnxray.resume import Resumed
from onnxray.saliency import Map, Saliency
from onnxray.windows import mean_over_windows, sliding_windows

_NAMED = 10


@final
@dataclass(frozen=True, kw_only=True)
class ValueOcclusion(Saliency):
    """How much the score drops where a part of a middle value is taken out: places of it, or channels. No gradients."""

    name: ClassVar[str] = "value-occlusion"

    layer: Annotated[str, "the value, (N, channels, height, width), or (N, channels) for channels"] = "last-conv"
    parts: Annotated[Literal["positions", "channels"], "what is taken out: windows of all channels, or a channel"] = (
        "positions"
    )
    size: Annotated[int, "side of the window, in places of the value"] = 1
    stride: Annotated[int, "places from one window to the next"] = 1
    fill: Annotated[Literal["zero", "mean"], "what takes the place; mean: a channel's own over all places"] = "zero"
    memory: Annotated[int, "MiB that a batch of changed values may take"] = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("size", "stride"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; a whole number from 1 was expected")
        if self.stride > self.size:
            raise InputError(f"stride is {self.stride}; at most the size, {self.size}, or places stay uncovered")

    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """One forward from the value on for each part."""
        layer = model.select_values([self.layer])[0]
        copies = Copies(model, pixels, objective, self.memory)
        resumed = Resumed(copies, layer)
        for row in range(len(pixels)):
            value, beside = resumed.values(model.feeds(pixels.rows(slice(row, row + 1))))
            self._check(layer, value)
            fill = np.zeros_like(value)
            if self.fill == "mean":
                fill = np.broadcast_to(value.mean(axis=tuple(range(1, value.ndim)), keepdims=True), value.shape)
            places, shape = self._places(value)
            clean = copies.read(resumed.forward(value[None], beside), 1, row)["score"][0]
            drops = np.empty(len(places))
            for index in slices(np.arange(len(places)), copies.batch):
                batch = np.repeat(value[None], len(index), axis=0)
                for one, k in zip(batch, index):
                    one[places[k]] = fill[places[k]]
                scores = copies.read(resumed.forward(batch, beside), len(index), row)["score"]
                drops[index] = clean - scores
                done = row * len(places) + int(index[-1]) + 1
                run.progress(done, len(places) * len(pixels), f"{len(places)} {self.parts}")
            yield row, self._map(layer, value, drops.reshape(shape), pixels, copies)

    def _check(self, layer: str, value: NDArray[Any]) -> None:
        if value.ndim == 3:
            if self.parts == "positions" and self.size > min(value.shape[1:]):
                raise InputError(
                    f"size is {self.size}; at most {min(value.shape[1:])} fits into {layer!r} of "
                    f"{value.shape[1]} x {value.shape[2]} places"
                )
        elif value.ndim != 1 or self.parts == "positions":
            raise InputError(
                f"{layer!r} has the shape {list(value.shape)} an image, no (channels, height, width); "
                + ("--parts channels takes its numbers out" if value.ndim == 1 else "name another layer")
            )

    def _places(self, value: NDArray[Any]) -> tuple[list[Any], tuple[int, ...]]:
        if self.parts == "channels":
            return list(range(len(value))), (len(value),)
        windows, grid = sliding_windows((value.shape[1], value.shape[2]), self.size, self.stride)
        return [(slice(None), slice(t, b), slice(left, right)) for t, b, left, right in windows.tolist()], grid

    def _map(self, layer: str, value: NDArray[Any], drops: NDArray[np.float64], pixels: Pixels, copies: Copies) -> Map:
        numbers: dict[str, Any] = {"parts": self.parts, "fill": self.fill, **copies.facts}
        numbers["largest_drop"] = float(drops.max())
        reason = None
        if self.parts == "channels":
            ranked = np.argsort(-drops, kind="stable")[:_NAMED]
            numbers["channels"] = [{"channel": int(c), "drop": float(drops[c])} for c in ranked]
            heat = np.tensordot(drops, value.astype(np.float64), 1) if value.ndim == 3 else np.zeros((1, 1))
            if value.ndim == 1:
                reason = f"{layer} has no places: the map is empty, the channels' drops are in the attribution"
        else:
            plane = (value.shape[1], value.shape[2])
            windows, _ = sliding_windows(plane, self.size, self.stride)
            heat = mean_over_windows(drops.reshape(-1), windows, plane)
        return Map(
            heat=_enlarged(heat, pixels.array.shape[2:]), attribution=drops.astype(np.float32), signed=True,
            layer=layer, numbers=numbers, reason=reason,
        )  # fmt: skip


def _enlarged(plane: NDArray[Any], size: tuple[int, ...]) -> NDArray[np.float32]:
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR), np.float32)
