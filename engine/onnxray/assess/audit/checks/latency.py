"""Latency: how long ONNX Runtime takes for one sample, measured on the machine that the audit runs on.

    median and 90th percentile of ``runs`` single runs after ``warm_up`` that are not counted; the start of a session

Times are no facts of the file: they are recorded and gate nothing unless a policy says so, and no two audits agree on
them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np

from onnxray.assess.audit.check import Check, Figure, Outcome, Picture, Row
from onnxray.assess.audit.measures.spreads import median
from onnxray.engines.judge import Judge
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.model.encoding import seeded
from onnxray.model.model import Model


@final
@dataclass(frozen=True, kw_only=True)
class Latency(Check):
    """Milliseconds of one run, and of the start of a session."""

    name: ClassVar[str] = "latency"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "how long one sample takes on this machine; recorded, no gate by default"
    chunk: ClassVar[int] = 0

    runs: Annotated[int, "runs that are counted", Range(1, 100_000)] = 30
    warm_up: Annotated[int, "runs before them that are not", Range(0, 100_000)] = 5

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """Milliseconds of each run, in order, on a grey picture or on seeded arrays."""
        judge = Judge(model.graph, model.device, model.mixing)
        if model.profile is None:
            feeds = model.feeds(seeded(model.graph, None, model.judge.outputs))
        else:
            feeds = model.feeds(Pixels.blank(model.profile))
        begun = time.perf_counter()
        judge.outputs(feeds)
        start = time.perf_counter() - begun
        for _ in range(self.warm_up):
            judge.outputs(feeds)
        times = []
        for _ in range(self.runs):
            begun = time.perf_counter()
            judge.outputs(feeds)
            times.append(round(1e3 * (time.perf_counter() - begun), 4))
        return [{"start": round(1e3 * start, 4), "runs": times}]

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """The median run first."""
        (row,) = rows
        slow = float(np.quantile(row["runs"], 0.9))
        return Outcome(figures=(
            median("median run", row["runs"], confidence, unit="ms", better="lower"),
            Figure.exact("90th percentile", slow, count=len(row["runs"]), unit="ms", better="lower"),
            Figure.exact("start with the first run", row["start"], unit="ms", better="lower"),
        ))  # fmt: skip
