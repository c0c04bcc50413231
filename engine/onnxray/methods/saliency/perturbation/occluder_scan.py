"""An image with one window of it filled after the other, read by the judge: whole, or by patches where they agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array, Arrays
from onnxray.errors import OnnxrayError
from onnxray.graph.receptive_field import local_field, pad_constants
from onnxray.images.pixels import Pixels
from onnxray.methods.saliency.perturbation.copies import Copies, slices
from onnxray.methods.saliency.perturbation.patched_forward import Patches, planned

TOLERANCE = 1e-4
"""How far patches may be from whole forwards, as a share of the largest |number| that is read."""
_CHECKED = 5
# For fewer windows the sessions of the patches take longer to open than they save.
_FEWEST = 64

Tick = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Scan:
    """Windows (M, 4) of images. patches: None where whole forwards are used.

    difference: how far patches were from whole forwards, None where none were tried.
    """

    copies: Copies
    windows: NDArray[np.int64]
    patches: Patches | None = None
    difference: float | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What is stated in the result."""
        if self.patches is None:
            return {"forwards": "whole"}
        return {"forwards": "patches", "spared": round(self.patches.spared, 3), "patch_difference": self.difference}

    def read(self, pixels: Pixels, filled: NDArray[np.float32], row: int, tick: Tick) -> dict[str, NDArray[Any]]:
        """What ``Copies.read`` gives of image ``row``, (M,) each. filled: an image (C, height, width) of the fill."""
        clean, fill = _encoded(self.copies, pixels, filled, row)
        if self.patches is None:
            groups, unchanged = [np.arange(len(self.windows))], clean
        else:
            groups = self.patches.groups()
            unchanged = clean | self.copies.model.judge.values(clean, self.patches.names, once=True)
        found: dict[str, NDArray[Any]] = {}
        done = 0
        for part in (part for group in groups for part in slices(group, self.copies.batch)):
            if self.patches is None:
                values = self.copies.forward(_filled(self.copies, clean, fill, self.windows[part]))
            else:
                values = self.patches.run(part, unchanged, fill[0])
            for name, numbers in self.copies.read(values, len(part), row).items():
                found.setdefault(name, np.empty(len(self.windows), numbers.dtype))[part] = numbers
            done += len(part)
            tick(done)
        return found


def planned_scan(
    copies: Copies, windows: NDArray[np.int64], pixels: Pixels, filled: NDArray[np.float32], *, patches: bool
) -> Scan:
    """A scan by patches, where they spare work and give what whole forwards do on some windows of the first image."""
    whole = Scan(copies, windows)
    profile = copies.model.profile
    if not patches or profile is None or profile.layout != "NCHW" or len(windows) * len(pixels) < _FEWEST:
        return whole
    try:
        found = _planned(copies, windows)
        if found is None:
            return whole
        difference = _difference(copies, windows, found, _encoded(copies, pixels, filled, 0))
    except OnnxrayError:  # a cut that the runtime does not take
        return whole
    return Scan(copies, windows, found if difference <= TOLERANCE else None, difference)


def _planned(copies: Copies, windows: NDArray[np.int64]) -> Patches | None:
    graph, judge = copies.model.graph, copies.model.judge
    if any(not graph.values[name].is_float for name in copies.names):
        return None
    weights = {name: graph.weight(name) for name in pad_constants(graph, copies.names) if name in graph.initializers}
    constants = {**copies.constants, **weights}
    field = local_field(graph, copies.input, copies.names, copies.shapes, constants)
    return planned(judge, field, copies.names, copies.shapes, windows)


def _difference(copies: Copies, windows: NDArray[np.int64], patches: Patches, encoded: tuple[Arrays, Array]) -> float:
    """max |patches - whole| / max |whole|, of windows spread evenly and one at least of each group."""
    clean, fill = encoded
    unchanged = {**clean, **copies.model.judge.values(clean, patches.names, once=True)}
    spread = np.linspace(0, len(windows) - 1, _CHECKED).astype(np.int64)
    worst = 0.0
    for group in patches.groups():
        some = np.union1d(group[:1], np.intersect1d(group, spread))
        for part in slices(some, copies.batch):
            found = patches.run(part, unchanged, fill[0])
            expected = copies.forward(_filled(copies, clean, fill, windows[part]))
            for name, array in expected.items():
                largest = float(np.abs(array).max()) or 1.0
                worst = max(worst, float(np.abs(found[name] - array).max()) / largest)
    return worst if np.isfinite(worst) else np.inf


def _encoded(copies: Copies, pixels: Pixels, filled: NDArray[np.float32], row: int) -> tuple[dict[str, Array], Array]:
    """What is fed for the image, and for the fill: pixels are encoded one by one, so that windows can be set there."""
    clean = copies.model.feeds(pixels.rows(slice(row, row + 1)))
    return dict(clean), copies.model.feeds(Pixels.of(filled[None]))[copies.input]


def _filled(copies: Copies, clean: Arrays, fill: Array, windows: NDArray[np.int64]) -> dict[str, Array]:
    profile = copies.model.profile
    assert profile is not None
    batch = np.repeat(clean[copies.input], len(windows), axis=0)
    rows, columns = (2, 3) if profile.layout == "NCHW" else (1, 2)
    for one, (top, bottom, left, right) in zip(batch, windows.tolist()):
        place: list[slice] = [slice(None)] * 3
        place[rows - 1], place[columns - 1] = slice(top, bottom), slice(left, right)
        one[tuple(place)] = fill[0][tuple(place)]
    return {copies.input: batch}
