"""Occlusion of a middle value: parts of it are set to a fill, and the judge goes on from there.

    positions:  d_k = S(a) - S(a with window k of every channel filled),  M = mean over the windows that cover a place
    channels:   w_c = S(a) - S(a with channel c filled),                  M = sum_c w_c a_c

a is the value for the image, on its rows and columns: (channels, height, width), (height, width, channels), or tokens,
of which those beside the picture's (class and register tokens) stay as they are. The channels' map is Ablation-CAM's
(Desai, Ramaswamy 2020) without its division by S(a) and its rectifier. Maps are enlarged bilinearly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.saliency.activation.base import layers_of
from onnxray.methods.saliency.base import Map, Saliency
from onnxray.methods.saliency.perturbation.copies import Copies, slices
from onnxray.methods.saliency.perturbation.resumed_forward import Resumed
from onnxray.methods.saliency.perturbation.windows import mean_over_windows, sliding_windows
from onnxray.model.layers.grid import read_space
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective

_NAMED = 10


@final
@dataclass(frozen=True, kw_only=True)
class ValueOcclusion(Saliency):
    """How much the score drops where a part of a middle value is taken out: places of it, or channels. No gradients."""

    name: ClassVar[str] = "value-occlusion"

    layer: Annotated[
        str | None,
        "the value, with rows and columns or tokens of the picture; for channels also (N, channels); default: the last "
        "with rows and columns before the pooling",
    ] = None
    parts: Annotated[Literal["positions", "channels"], "what is taken out: windows of all channels, or a channel"] = (
        "positions"
    )
    size: Annotated[int, "side of the window, in places of the value", Range(1)] = 1
    stride: Annotated[int, "places from one window to the next", Range(1)] = 1
    fill: Annotated[Literal["zero", "mean"], "what takes the place; mean: a channel's own over all places"] = "zero"
    batch_memory: Annotated[int, "MiB that a batch of changed values may take"] = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stride > self.size:
            raise InputError(f"stride is {self.stride}; at most the size, {self.size}, or places stay uncovered")

    def map_unit(self, score: str, step: str) -> str:
        """Of a score that is lost; of channels it is times what they hold."""
        return f"{score} lost" if self.parts == "positions" else ""

    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """One forward from the value on for each part."""
        if self.layer is None:
            layer = layers_of(self, model, pixels, objective, run)[0].value
        else:
            layer = model.select_value(self.layer)
        copies = Copies(model, pixels, objective, self.batch_memory)
        resumed = Resumed(copies, layer)
        places: NDArray[np.int64] | None = None
        for row, _ in run.units(range(len(pixels))):
            value, beside = resumed.values(model.feeds(pixels.rows(slice(row, row + 1))))
            if places is None:
                places = self._places(model, pixels, layer, value)
            numbers = value.reshape(-1)[places]
            fill = np.zeros_like(numbers)
            if self.fill == "mean":
                fill = np.broadcast_to(numbers.mean((1, 2), keepdims=True), numbers.shape)
            parts, shape = self._parts(numbers)
            clean = copies.read(resumed.forward(value[None], beside), 1, row)["score"][0]
            drops = np.empty(len(parts))
            for index in slices(np.arange(len(parts)), copies.batch):
                batch = np.repeat(value[None], len(index), axis=0)
                for one, k in zip(batch.reshape(len(index), -1), index):
                    one[places[parts[k]]] = fill[parts[k]]
                scores = copies.read(resumed.forward(batch, beside), len(index), row)["score"]
                drops[index] = clean - scores
                done = row * len(parts) + int(index[-1]) + 1
                run.progress(done, len(parts) * len(pixels), f"{len(parts)} {self.parts}")
            yield row, self._map(layer, numbers, drops.reshape(shape), pixels, copies)

    def _places(self, model: Model, pixels: Pixels, layer: str, value: NDArray[Any]) -> NDArray[np.int64]:
        """(channels, height, width): where in the flattened value each number of the picture's places stands."""
        index = np.arange(value.size)
        if self.parts == "channels" and value.size == len(value):
            return index.reshape(-1, 1, 1)
        if value.ndim < 2:
            raise InputError(
                f"{layer!r} has the shape {list(value.shape)} an image, no rows and columns; "
                "--parts channels takes its numbers out"
            )
        places = read_space(model).grid(layer).maps(index.reshape(1, *value.shape))[0]
        if self.parts == "positions" and self.size > min(places.shape[1:]):
            raise InputError(
                f"size is {self.size}; at most {min(places.shape[1:])} fits into {layer!r} of "
                f"{places.shape[1]} x {places.shape[2]} places"
            )
        return np.asarray(places)

    def _parts(self, numbers: NDArray[Any]) -> tuple[list[Any], tuple[int, ...]]:
        if self.parts == "channels":
            return list(range(len(numbers))), (len(numbers),)
        windows, grid = sliding_windows((numbers.shape[1], numbers.shape[2]), self.size, self.stride)
        return [(slice(None), slice(t, b), slice(left, right)) for t, b, left, right in windows.tolist()], grid

    def _map(self, layer: str, values: NDArray[Any], drops: NDArray[np.float64], pixels: Pixels, copies: Copies) -> Map:
        numbers: dict[str, Any] = {"parts": self.parts, "fill": self.fill, **copies.facts}
        numbers["largest_drop"] = float(drops.max())
        reason = None
        plane = (values.shape[1], values.shape[2])
        if self.parts == "channels":
            ranked = np.argsort(-drops, kind="stable")[:_NAMED]
            numbers["channels"] = [{"channel": int(c), "drop": float(drops[c])} for c in ranked]
            heat = np.tensordot(drops, values.astype(np.float64), 1)
            if plane == (1, 1):
                reason = f"{layer} has no places: the map is empty, the channels' drops are in the attribution"
                heat = np.zeros(plane)
        else:
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
