"""Twin against judge: how far two engines are apart on the same input, value by value."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnxray.batching import Array, Arrays
from onnxray.errors import MismatchError
from onnxray.graph import Graph

TOLERANCE = 1e-3
"""The largest difference let pass, relative to the largest absolute number that the judge gives for the value."""

_FLOOR = 1e-6
_LOG_FLOOR = 1e-20


@dataclass(frozen=True, slots=True)
class Comparison:
    """One value in both engines: ``absolute`` is max |twin - judge|, ``relative`` is that over max |judge|."""

    name: str
    node: str | None
    operator: str | None
    shape: tuple[int, ...]
    absolute: float
    relative: float
    agrees: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``Model.verify`` found, in graph order.

    ``outputs_moved``: max |output of the whole copy that gives every inner value - output of the file itself| by the
    judge: how far reading moves what is read. ``skipped``: values that hold no real numbers, or that one engine
    cannot give.
    """

    comparisons: tuple[Comparison, ...]
    skipped: tuple[str, ...]
    tolerance: float
    outputs_moved: float
    inputs: str

    @property
    def agrees(self) -> bool:
        """Whether every value agrees within the tolerance."""
        return all(comparison.agrees for comparison in self.comparisons)

    @property
    def first_divergence(self) -> Comparison | None:
        """The first value in graph order that does not agree: its node is at fault, or was fed by one that is."""
        return next((comparison for comparison in self.comparisons if not comparison.agrees), None)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        first = self.first_divergence
        return {
            "agrees": self.agrees,
            "tolerance": self.tolerance,
            "inputs": self.inputs,
            "outputs_moved_by_reading": number(self.outputs_moved),
            "first_divergence": None if first is None else _row(first),
            "values": [_row(comparison) for comparison in self.comparisons],
            "skipped": list(self.skipped),
        }


def compare(graph: Graph, name: str, judge: Array, twin: Array, tolerance: float = TOLERANCE) -> Comparison:
    """Compare one value: agrees where max|twin - judge| <= tolerance * max|judge| + 1e-6, shapes and NaN alike."""
    value = graph.values.get(name)
    node, operator = (value.node, value.operator) if value is not None else (None, None)
    if judge.shape != twin.shape:
        return Comparison(name, node, operator, judge.shape, float("inf"), float("inf"), agrees=False)
    if judge.size == 0:
        return Comparison(name, node, operator, judge.shape, 0.0, 0.0, agrees=True)
    expected, got = judge.astype(np.float64), twin.astype(np.float64)
    same = (expected == got) | (np.isnan(expected) & np.isnan(got))
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.where(same, 0.0, np.abs(got - expected))
    absolute = float(np.nanmax(np.where(np.isnan(difference), np.inf, difference)))
    finite = np.abs(expected[np.isfinite(expected)])
    scale = float(finite.max()) if finite.size else 0.0
    relative = absolute / scale if scale else (0.0 if absolute == 0 else float("inf"))
    return Comparison(name, node, operator, judge.shape, absolute, relative, absolute <= tolerance * scale + _FLOOR)


def check_outputs(graph: Graph, judge: Arrays, twin: Arrays, softmax: str | None) -> float:
    """Compare the outputs once before the first gradient; probabilities also by their logarithms.

    A saturated softmax hides a wrong network behind ones and zeros: log p does not. Gives the largest relative
    difference. Errors: MismatchError naming the first output that differs.
    """
    worst = 0.0
    for name, expected in judge.items():
        pairs = [(expected, twin[name], name)]
        if name == softmax and expected.shape == twin[name].shape and expected.min(initial=0) >= 0:
            shown = expected > _LOG_FLOOR
            logs = [np.log(np.maximum(array[shown].astype(np.float64), _LOG_FLOOR)) for array in (expected, twin[name])]
            pairs.append((logs[0], logs[1], name))
        for left, right, label in pairs:
            found = compare(graph, label, left, right)
            worst = max(worst, found.relative if found.absolute > _FLOOR else 0.0)
            if not found.agrees:
                raise MismatchError(
                    f"the torch twin and ONNX Runtime disagree on output {name!r}: {found.absolute:.3g} absolute, "
                    f"{found.relative:.3g} relative, {TOLERANCE:g} allowed; no gradient of this file is given. "
                    f"Find the node: onnxray verify {graph.path or 'MODEL'}"
                )
    return worst


def seeded_inputs(graph: Graph, *, batch: int = 2, seed: int = 0) -> dict[str, Array]:
    """Random inputs of a model whose input is no image: normal, or 0 and 1 for whole numbers; free dimensions are 2."""
    generator = np.random.default_rng(seed)
    feeds: dict[str, Array] = {}
    for value in graph.inputs:
        dims = value.shape or (batch,)
        shape = [dim if isinstance(dim, int) else batch for dim in dims]
        if value.is_float:
            feeds[value.name] = generator.standard_normal(shape).astype(value.dtype)
        else:
            feeds[value.name] = generator.integers(0, 2, shape).astype(value.dtype or np.int64)
    return feeds


def seeded_pixels(shape: tuple[int, int, int], *, seed: int = 0) -> Array:
    """Two images in [0, 255]: uniform noise, and smooth coloured waves that reach deeper into a network than noise."""
    channels, height, width = shape
    generator = np.random.default_rng(seed)
    noise = generator.uniform(0, 255, shape)
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = np.zeros(shape)
    for channel in range(channels):
        for _ in range(6):
            across, down, phase = generator.uniform(-4, 4, 3)
            waves[channel] += np.sin(2 * np.pi * (across * columns + down * rows) + phase)
    span = np.ptp(waves) or 1.0
    return np.stack([noise, (waves - waves.min()) / span * 255]).astype(np.float32)


class Memory:
    """What was checked already, remembered in the user's cache folder (``ONNXRAY_CACHE`` moves it)."""

    def __init__(self, graph: Graph, described: Mapping[str, Any]) -> None:
        outside = [
            (str(region.path), os.stat(region.path).st_size, os.stat(region.path).st_mtime_ns)  # noqa: PTH116
            for region in graph.container.regions.values()
            if region.path is not None and graph.path is not None and region.path != graph.path.resolve()
        ]
        known = {"sha256": graph.sha256, "external": sorted(set(outside)), **described}
        digest = hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()
        self._file = cache_folder() / "verified" / f"{digest}.json"
        self._known = known

    def recall(self) -> bool:
        """Whether this very file passed this very check before."""
        return self._file.is_file()

    def remember(self, worst: float) -> None:
        """Note that the check passed. A cache that cannot be written costs time, not truth."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside = self._file.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps({**self._known, "worst_relative": worst}, default=str))
            beside.replace(self._file)
        except OSError as error:
            logging.getLogger("onnxray").info("the check is not remembered: %s", error)


def cache_folder() -> Path:
    """``ONNXRAY_CACHE``, else the platform's own place for caches."""
    own = os.environ.get("ONNXRAY_CACHE")
    if own:
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "onnxray"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "onnxray"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "onnxray"


def number(value: float) -> float | None:
    """A float for JSON: None in place of infinity and NaN."""
    return float(value) if np.isfinite(value) else None


def _row(comparison: Comparison) -> dict[str, Any]:
    row = asdict(comparison)
    return row | {"absolute": number(comparison.absolute), "relative": number(comparison.relative)}
