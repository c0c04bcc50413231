"""Occlusion (Zeiler, Fergus 2014, arXiv 1311.2901): a square slides over the image, and the score's drop is mapped.

    d_k = S(x) - S(x with window k filled),    M_yx = sum_k d_k [yx in k] / sum_k [yx in k]

Divided by how many windows cover a pixel, so that the border, which fewer cover, is shown as it is. The last window of
a row or a column ends with the image. Positive: what was hidden spoke for the target.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.drawing.class_map import draw_class_map
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.saliency.base import Map, Saliency, shape_of_maps
from onnxray.methods.saliency.perturbation.copies import Copies, slices
from onnxray.methods.saliency.perturbation.fills import FILLS, check_fill, filled_image, filled_sample
from onnxray.methods.saliency.perturbation.occluder_scan import planned_scan
from onnxray.methods.saliency.perturbation.windows import mean_over_windows, sliding_windows
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective

# 15 pixels at 224, the size that is customary
_SHARE = 15 / 224


@final
@dataclass(frozen=True, kw_only=True)
class Occlusion(Saliency):
    """How much the score drops where a square hides the image, and which class is predicted then. No gradients.

    Of a class, the drops of logit and of probability are both kept as arrays; ``score`` decides which is drawn. Samples
    that are no images are occluded number by number.
    """

    name: ClassVar[str] = "occlusion"
    images_only: ClassVar[bool] = False

    size: Annotated[int | None, "side of the square in pixels; by default 15 for each 224 of the image", Range(1)] = (
        None
    )
    stride: Annotated[
        int | None, "pixels from one position to the next; by default about half of the square", Range(1)
    ] = None
    fill: Annotated[str, f"what hides: {FILLS}"] = "mean"
    patches: Annotated[bool, "compute again only what the square reaches, where that gives the same"] = True
    batch_memory: Annotated[int, "MiB that a batch of hidden images may take"] = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fill(self.fill)
        if self.size is not None and self.stride is not None and self.stride > self.size:
            raise InputError(f"stride is {self.stride}; at most the size, {self.size}, or pixels stay uncovered")

    def map_unit(self, score: str, step: str) -> str:
        """Of a score that is lost."""
        return f"{score} lost"

    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """One forward a position."""
        copies = Copies(model, pixels, objective, self.batch_memory)
        if pixels.plain:
            yield from self._features(model, pixels, copies, run)
            return
        assert model.profile is not None
        plane = (pixels.array.shape[2], pixels.array.shape[3])
        size, stride = self._geometry(plane)
        windows, grid = sliding_windows(plane, size, stride)
        fills = [filled_image(model.profile, image, self.fill, size / 2, run.random) for image in pixels.array]
        scan = planned_scan(copies, windows, pixels, fills[0], patches=self.patches)
        if scan.patches is None and scan.difference is not None:
            run.note(f"patches differ from whole forwards by {scan.difference:.1e}; whole forwards were used")
        for row, _ in run.units(range(len(pixels))):
            clean = copies.read(copies.forward(model.feeds(pixels.rows(slice(row, row + 1)))), 1, row)

            def tick(done: int, start: int = row) -> None:
                total = len(windows) * len(pixels)
                run.progress(start * len(windows) + done, total, f"{len(windows)} positions")

            found = scan.read(pixels, fills[row], row, tick)
            drops = {name: clean[name] - found[name] for name in found if name != "class"}
            arrays: dict[str, NDArray[Any]] = {
                f"{name}_drop": mean_over_windows(drops[name], windows, plane).astype(np.float32)
                for name in ("logit", "probability")
                if name in drops
            }
            numbers = {
                "size": size, "stride": stride, "positions": len(windows), "fill": self.fill,
                "largest_drop": float(drops["score"].max()), **copies.facts, **scan.facts,
            }  # fmt: skip
            pictures = {}
            if "class" in found:
                kept, classes = int(clean["class"][0]), found["class"].reshape(grid)
                arrays["classes"] = classes
                pictures = draw_class_map(pixels.array[row], classes, kept, model.label)
                numbers["class_kept"] = float((classes == kept).mean())
            yield row, Map(
                heat=mean_over_windows(drops["score"], windows, plane).astype(np.float32), signed=True,
                attribution=drops["score"].reshape(grid).astype(np.float32), numbers=numbers, arrays=arrays,
                pictures=pictures,
            )  # fmt: skip

    def _geometry(self, plane: tuple[int, int]) -> tuple[int, int]:
        shorter = min(plane)
        size = self.size if self.size is not None else max(1, round(_SHARE * shorter))
        if size > shorter:
            raise InputError(f"size is {size}; at most {shorter} fits into the image of {plane[0]} x {plane[1]} pixels")
        stride = self.stride if self.stride is not None else -(-size // 2)
        if stride > size:
            raise InputError(f"stride is {stride}; at most the size, {size}, or pixels stay uncovered")
        return size, stride

    def _features(self, model: Model, pixels: Pixels, copies: Copies, run: Run) -> Iterator[tuple[int, Map]]:
        """Each number of a sample, or all those of a token, are set to the fill, alone."""
        if self.size is not None or self.stride is not None:
            raise InputError("size and stride are for images; the numbers of a sample are occluded one by one")
        shape = shape_of_maps(pixels)
        count = math.prod(shape)
        for (row, sample), _ in run.units(enumerate(pixels.array)):
            fill = filled_sample(pixels, row, self.fill).reshape(count, -1)
            clean = copies.read(copies.forward(model.feeds(pixels.rows(slice(row, row + 1)))), 1, row)
            found: dict[str, list[NDArray[Any]]] = {}
            for part in slices(np.arange(count), copies.batch):
                batch = np.repeat(sample.reshape(1, count, -1), len(part), axis=0)
                batch[np.arange(len(part)), part] = fill[part]
                hidden = pixels.rows(np.full(len(part), row)).replaced(batch.reshape(len(part), *sample.shape))
                for name, numbers in copies.read(copies.forward(model.feeds(hidden)), len(part), row).items():
                    found.setdefault(name, []).append(numbers)
                run.progress(row * count + int(part[-1]) + 1, count * len(pixels), f"{count} numbers")
            joined = {name: np.concatenate(parts).reshape(shape) for name, parts in found.items()}
            arrays: dict[str, NDArray[Any]] = {
                f"{name}_drop": (clean[name] - joined[name]).astype(np.float32)
                for name in ("logit", "probability")
                if name in joined
            }
            if "class" in joined:
                arrays["classes"] = joined["class"]
            heat = (clean["score"] - joined["score"]).astype(np.float32)
            numbers_ = {"positions": count, "fill": self.fill, "largest_drop": float(heat.max()), **copies.facts}
            yield row, Map(heat=heat, signed=True, numbers=numbers_, arrays=arrays)
