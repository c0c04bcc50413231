"""What channels look for: the pictures of a folder that activate them most, cut to what the unit sees of them
(Zeiler, Fergus 2014, figure 2; Girshick et al. 2014, figure 4).

    max over places (y, x) of a[c, y, x], picture by picture; the strongest pictures first

a: the layer, by ONNX Runtime. A patch is the unit's receptive field, told from the graph (graph/receptive), where the
picture has it; a unit behind a linear layer or a global pooling sees all of the picture. Beside each patch stands what
of it the unit answers to: its gradient with respect to the pixels, by the deconvnet's rule of the rectifiers where
there are some (or guided backpropagation's, or the plain one).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, OnnxrayError
from onnxray.errors.short_values import short
from onnxray.images.drawing.heat_map import draw_map
from onnxray.images.drawing.mosaic import mosaic
from onnxray.images.drawing.object_outline import frame
from onnxray.images.drawing.plot_style import VERMILION, YELLOW, rgb
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.features.base import Features, asked, pictures_of
from onnxray.methods.features.parts.effective_field import effective_field
from onnxray.methods.features.parts.unit_layers import UnitLayer, unit_layers
from onnxray.methods.features.parts.walk import Block, Question, Walked
from onnxray.methods.features.patches_item import PatchesItem
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.saliency.gradient.rectifiers import rectifier_rules
from onnxray.model.layers.grid import read_space
from onnxray.model.layers.map_layers import choose_layers
from onnxray.model.model import Model
from onnxray.objectives.gradients import gradient
from onnxray.objectives.parts_of_values import Element
from onnxray.results.file_names import stem_named

_RANGE = re.compile(r"(\d{1,7})(?:-(\d{1,7}))?")
# How much of the progress a layer is, pictures that are read being one each.
_A_LAYER: Final = 100
_GREY = 128
_SHOWN = 0.99
"""The share of a gradient's numbers that its greys span."""
_SEEN = 14
"""A unit's place is marked by no less than this part of a side."""
_MEASURED = 8
"""Pictures over which the effective field is averaged."""

Image = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Top, left, bottom, right."""


@final
@dataclass(frozen=True, kw_only=True)
class Patches(Features[PatchesItem]):
    """What channels look for: the parts of pictures that activate them most, and what of them counts."""

    name: ClassVar[str] = "patches"
    item_type: ClassVar[type[Any]] = PatchesItem

    channels: Annotated[
        str | None, "channels, as 0-15,40; default: those whose strongest number stands out most over their mean"
    ] = None
    most: Annotated[int, "channels that are taken where none are named", Range(1, 10_000)] = 16
    patches: Annotated[int, "patches of each channel", Range(1, 100)] = 9
    picture: Annotated[
        Literal["deconvnet", "guided", "gradient", "none"], "what stands beside a patch: a gradient by which rule"
    ] = "deconvnet"

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[PatchesItem]:
        """Give the chosen channels of every layer."""
        layers = unit_layers(model, self.layers(model, run))
        with run.work_folder() as folder:
            question = Question(layers=tuple(layer.name for layer in layers), keep=lambda block: _peaks(layers, block))
            after = _A_LAYER * len(layers)
            found = asked(model, pictures_of(run), question, folder / "peaks", run, "values", share=(0, after))
            shower = _Shower(self, model, run, found)
            for (place, layer), own in run.units(enumerate(layers)):
                yield from shower.items(
                    layer, own, (len(pictures_of(run)) + _A_LAYER * place, after - _A_LAYER * place)
                )

    def default_layer(self, model: Model) -> str:
        """The last with rows and columns before the pooling."""
        space = read_space(model)
        return choose_layers(space, (model.aliases.get("logits", model.graph.outputs[0].name),), ())[0].value

    def chosen(self, layer: UnitLayer, largest: NDArray[Any], mean: NDArray[Any]) -> list[int]:
        """The channels of a layer that are shown. Errors: InputError."""
        if self.channels is None:
            spread = np.maximum(largest.std(0), np.finfo(np.float32).tiny)
            outstanding = (largest.max(0) - mean) / spread
            outstanding[largest.std(0) == 0] = -1
            return [int(channel) for channel in np.argsort(-outstanding, kind="stable")[: self.most]]
        found: list[int] = []
        for part in self.channels.split(","):
            match = _RANGE.fullmatch(part.strip())
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
            if first > last or last >= layer.channels:
                raise InputError(
                    f"channels is {short(self.channels)}; numbers from 0 to {layer.channels - 1} of {layer.name!r} "
                    "were expected, as 0-15,40"
                )
            found += range(first, last + 1)
        return list(dict.fromkeys(found))


def _peaks(layers: Sequence[UnitLayer], block: Block) -> Mapping[str, NDArray[Any]]:
    """Of every picture and channel the largest number, its place, and the mean."""
    kept: dict[str, NDArray[Any]] = {}
    for layer in layers:
        maps = layer.maps(block.values[layer.name]).astype(np.float32, copy=False)
        plain = maps.reshape(*maps.shape[:2], -1)
        kept[f"largest {layer.name}"] = plain.max(2)
        kept[f"place {layer.name}"] = plain.argmax(2).astype(np.int32)
        kept[f"mean {layer.name}"] = plain.mean(2, dtype=np.float64).astype(np.float32)
    return kept


@final
@dataclass(frozen=True, eq=False)
class _Shower:
    """Makes the items of a layer out of the peaks."""

    method: Patches
    model: Model
    run: Run
    found: Walked

    def items(self, layer: UnitLayer, own: Run, share: tuple[int, int]) -> Iterator[PatchesItem]:
        """Every chosen channel. share: how much was done before, and how much there is from here on."""
        before, left = share
        largest = np.asarray(self.found.arrays[f"largest {layer.name}"])
        places = self.found.arrays[f"place {layer.name}"]
        mean = np.asarray(self.found.arrays[f"mean {layer.name}"]).mean(0, dtype=np.float64)
        count = min(self.method.patches, len(largest))
        channels = self.method.chosen(layer, largest, mean)
        told, effective = self._field(layer, own)
        for done, channel in enumerate(channels):
            rows = np.argsort(-largest[:, channel], kind="stable")[:count]
            width = 1 if layer.grid is None else layer.grid.width
            at = [tuple(int(n) for n in np.divmod(places[row, channel], width)) for row in rows]
            pixels = pictures_of(self.run).rows(self.found.places[rows])
            boxes = [self._box(layer, *place) for place in at]
            images, reason = self._images(layer, channel, pixels, at, boxes, own)
            if done == 0 and effective is not None:
                images["effective-field"] = effective
            yield PatchesItem(
                layer=layer.name, channel=channel, receptive_field=told, mean=float(mean[channel]),
                patches=[
                    {
                        "path": name, "value": float(largest[row, channel]),
                        "place": None if layer.grid is None else list(place), "box": list(box),
                    }
                    for name, row, place, box in zip(pixels.names, rows, at, boxes)
                ],
                largest=float(largest[:, channel].max()), pictures_seen=len(largest), picture=self.method.picture,
                reason=reason, images=images,
                stems={role: stem_named(layer.name, channel, "patches", role) for role in images},
            )  # fmt: skip
            ticks = _A_LAYER * (done + 1) // len(channels)
            own.progress(before + ticks, before + left, f"channels of {layer.name}")

    def _size(self) -> tuple[int, int]:
        assert self.model.profile is not None
        return self.model.profile.size

    def _box(self, layer: UnitLayer, row: int, column: int) -> Box:
        """What a unit sees: top, left, bottom, right."""
        field = layer.field
        if field is None or field.size is None or field.axes is None or layer.grid is None:
            return 0, 0, *self._size()
        return field.box(row, column)

    def _field(self, layer: UnitLayer, own: Run) -> tuple[dict[str, Any], Image | None]:
        """The receptive field for JSON, and the effective one as a picture."""
        if layer.field is None:
            told: dict[str, Any] = dict.fromkeys(("size", "step", "offset"))
            told["reason"] = "it is not known how the layer is computed from the picture"
        else:
            told = dict(layer.field.to_dict())
        if told["reason"]:
            own.note(f"{layer.name!r} has no bounded receptive field: {told['reason']}")
        told |= {"effective": None, "effective_reason": "no gradient was asked for"}
        if self.method.picture == "none":
            return told, None
        places = np.linspace(0, len(self.found.places) - 1, min(_MEASURED, len(self.found.places))).round().astype(int)
        pixels = pictures_of(self.run).rows(self.found.places[places])
        try:
            effective = effective_field(self.model, pixels, layer)
        except OnnxrayError as error:
            return {**told, "effective_reason": str(error)}, None
        told |= {"effective": effective.side, "effective_reason": None}
        picture = draw_map(effective.heat, float(effective.heat.max()), signed=False)
        box = self._box(layer, *effective.place)
        picture[:, frame(picture.shape[1:], (box[1], box[0], box[3], box[2]), 1)] = _colour(YELLOW)
        return told, picture

    def _images(
        self, layer: UnitLayer, channel: int, pixels: Pixels, at: Sequence[tuple[int, ...]],
        boxes: Sequence[Box], own: Run,
    ) -> tuple[dict[str, Image], str | None]:  # fmt: skip
        """The grids of a channel: patches, gradients, and the whole pictures with the boxes on them."""
        pictures = to_uint8(pixels.array)
        room = tuple(max(box[k + 2] - box[k] for box in boxes) for k in (0, 1))
        high, wide = max(room[0], 1), max(room[1], 1)
        found = {
            "patches": mosaic(np.stack([
                _cut(one, box, high, wide, self._size()) for one, box in zip(pictures, boxes)
            ])),
            "whole": mosaic(np.stack([
                self._marked(one, layer, place, box) for one, place, box in zip(pictures, at, boxes)
            ])),
        }  # fmt: skip
        if self.method.picture == "none":
            return found, None
        index = np.array([layer.index(channel, *place) for place in at])
        try:
            slopes = self._slopes(pixels, Element(layer.name, index), own)
        except OnnxrayError as error:
            return found, str(error)
        drawn = []
        for slope, box in zip(slopes, boxes):
            inside = slope[:, box[0] : box[2], box[1] : box[3]]
            grey = np.full(slope.shape, _GREY, np.uint8)
            if inside.size:  # a few pixels hold most of it; those are cut off in the picture
                shown = float(np.quantile(np.abs(inside), _SHOWN))
                gain = 127 / shown if shown > np.finfo(np.float32).tiny else None
                grey[:, box[0] : box[2], box[1] : box[3]] = signed_to_grey(inside, gain)[0]
            drawn.append(_cut(grey, box, high, wide, self._size()))
        found["gradients"] = mosaic(np.stack(drawn))
        return found, None if slopes.any() else "the gradient of the strongest units is zero"

    def _slopes(self, pixels: Pixels, objective: Element, own: Run) -> NDArray[np.float32]:
        if self.method.picture in {"gradient", "none"}:
            return gradient(self.model, pixels, objective)
        rule: Literal["guided", "deconvnet"] = "guided" if self.method.picture == "guided" else "deconvnet"
        try:
            rules, note = rectifier_rules(self.model, objective, rule, "Relu")
        except InputError:
            own.note(f"{objective.value!r} has no Relu before it, so the plain gradient stands beside its patches")
            return gradient(self.model, pixels, objective)
        own.note(note)
        return gradient(self.model, pixels, objective, rules)

    def _marked(self, picture: Image, layer: UnitLayer, place: tuple[int, ...], box: Box) -> Image:
        """A picture with what the unit sees outlined, and its own place in the grid of the layer."""
        coloured = np.array(np.broadcast_to(picture, (3, *picture.shape[1:])))
        size = picture.shape[1:]
        thick = max(1, min(size) // 45)
        own: tuple[float, float, float, float] | None = None
        if layer.grid is not None:
            cell = [size[k] / (layer.grid.height, layer.grid.width)[k] for k in (0, 1)]
            middle = [(place[k] + 0.5) * cell[k] for k in (0, 1)]
            half = [max(cell[k], size[k] / _SEEN) / 2 for k in (0, 1)]
            left, top, right, bottom = (
                middle[1] - half[1], middle[0] - half[0], middle[1] + half[1], middle[0] + half[0]
            )  # fmt: skip
            own = (max(left, 0), max(top, 0), min(right, size[1]), min(bottom, size[0]))
        coloured[:, frame(size, (box[1], box[0], box[3], box[2]), thick)] = _colour(YELLOW)
        if own is not None:
            coloured[:, frame(size, own, thick)] = _colour(VERMILION)
        return coloured


def _colour(colour: str) -> Image:
    return np.array(rgb(colour), np.uint8)[:, None]


def _cut(
    picture: Image, box: Box, high: int, wide: int, size: tuple[int, int]
) -> Image:  # fmt: skip
    """A patch on a canvas of the largest of its channel; at a picture's upper or left edge it stands at the other end
    of the canvas, as the picture would go on there.
    """
    top, left, bottom, right = box
    canvas = np.full((len(picture), high, wide), _GREY, np.uint8)
    down = high - (bottom - top) if top == 0 and bottom < size[0] else 0
    across = wide - (right - left) if left == 0 and right < size[1] else 0
    canvas[:, down : down + bottom - top, across : across + right - left] = picture[:, top:bottom, left:right]
    return canvas
