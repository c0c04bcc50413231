"""One check on one model, as an audit works at it: which pictures are missing, and what the rows come to.

Where a check is sampled sequentially, its rows are looked at when 64, 128, ... pictures are measured, of an order that
the seed draws, and it ends once every limit is cleared, or one is broken. With L looks the intervals are of
1 - (1 - confidence) / L each, so that all of them hold together with the stated confidence (Bonferroni).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from onnxray.assess.audit.check import ALL, Outcome, Picture, Row
from onnxray.assess.audit.pictures import digest_of, drawn
from onnxray.assess.audit.policy import Use
from onnxray.assess.audit.verdicts import Before, Judged, judged
from onnxray.assess.audit.work import UNREADABLE, Measured, Opening, params_of
from onnxray.assess.jobs.executors import Failure
from onnxray.assess.jobs.store import Blob, Store
from onnxray.assess.jobs.unit import Unit, digest
from onnxray.errors import OnnxrayError
from onnxray.errors.shown_text import one_line

FIRST_LOOK: Final = 64


@final
@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the rows of a check come to by now. missing: pictures (or units) that are not measured."""

    outcome: Outcome | None
    judged: tuple[Judged, ...] = ()
    pictures: tuple[Picture, ...] = ()
    unreadable: tuple[tuple[Picture, str], ...] = ()
    missing: int = 0
    confidence: float = 0.0
    machines: tuple[Mapping[str, Any], ...] = ()
    key: str = ""
    failure: str | None = None


@final
class Job:
    """One check on one model. place: its number among the audit's. before: what the baseline has of it."""

    def __init__(
        self, *, place: int, path: str, opening: Opening, facts: Mapping[str, Any], use: Use,
        pictures: Sequence[Picture], seed: int, baseline: Any,
    ) -> None:  # fmt: skip
        self.place, self.path, self.opening, self.use, self.seed = place, path, opening, use, seed
        self._unit = Unit(
            model=facts["identity"], profile=facts["profile_sha256"],
            check=f"{use.check.name}@{use.check.version}", params=params_of(use.check, seed),
        )  # fmt: skip
        self._baseline = baseline
        self.by_picture = use.check.chunk > 0
        self._sample = drawn(pictures, seed)[: use.images] if use.check.chunk else []
        self._order = {id(one): number for number, one in enumerate(pictures)}
        self._rank = {self._name(one): number for number, one in reversed([*enumerate(self._sample)])}
        self.looks = _looks(use, len(self._sample)) if self.by_picture else (len(self._sample),)
        self.look = 0
        self.failures: dict[int, Failure] = {}

    @property
    def sample(self) -> Sequence[Picture]:
        """The pictures up to the present look."""
        return self._sample[: self.looks[self.look]]

    @property
    def confidence(self) -> float:
        """Of the intervals."""
        return 1 - (1 - self.use.confidence) / len(self.looks)

    def count(self, store: Store) -> int:
        """How many units are missing at this look."""
        return sum(1 for _ in self._missing(store))

    def tasks(self, store: Store) -> Iterator[Measured]:
        """The units that are missing at this look, until one of the job fails."""
        for pictures in self._missing(store):
            if self.failures:
                return
            yield Measured(
                path=self.path, opening=self.opening, check=self.use.check, seed=self.seed, place=self.place,
                pictures=pictures, unit=self._unit_of(pictures),
            )  # fmt: skip

    def failed(self, task: Measured, failure: Failure) -> None:
        """Remember it; of several the one of the first unit counts, whoever was done first."""
        self.failures[min((self._rank[self._name(one)] for one in task.pictures), default=0)] = failure

    def read(self, store: Store) -> Reading:
        """What is known by now."""
        if self.failures:
            return Reading(outcome=None, failure=self.failures[min(self.failures)].message)
        if not self.by_picture:
            return self._read_whole(store)
        sample = sorted(self.sample, key=lambda one: self._order[id(one)])
        names = set(map(self._name, sample))
        rows: dict[str, Row] = {}
        machines: dict[str, Mapping[str, Any]] = {}
        for blob in store.blobs(self._unit.family):
            own = {name: row for name, row in zip(blob.unit.images, blob.rows) if name in names}
            rows |= own
            if own:
                machines.setdefault(json.dumps(blob.machine, sort_keys=True), blob.machine)
        there = [(one, rows[name]) for one in sample if (name := self._name(one)) in rows]
        broken = tuple((one, str(row[UNREADABLE])) for one, row in there if UNREADABLE in row)
        sound = [(one, row) for one, row in there if UNREADABLE not in row]
        missing = len(sample) - len(there)
        told = [machines[key] for key in sorted(machines)]
        return self._summed([row for _, row in sound], [one for one, _ in sound], missing, broken, told)

    def decided(self, reading: Reading) -> bool:
        """Whether further looks could not change the verdict."""
        met = [one.met for one in reading.judged]
        last = self.look + 1 == len(self.looks)
        return last or reading.failure is not None or bool(reading.missing) or False in met or all(met)

    def _read_whole(self, store: Store) -> Reading:
        pictures = self._together()
        unit = self._unit_of(pictures)
        blob = next((one for one in store.blobs(unit.family) if one.unit.key == unit.key), None)
        if blob is None:
            return Reading(outcome=None, missing=1)
        return self._summed(blob.rows, pictures, 0, (), [blob.machine])

    def _summed(
        self, rows: Sequence[Row], pictures: Sequence[Picture], missing: int,
        broken: tuple[tuple[Picture, str], ...], machines: Sequence[Mapping[str, Any]],
    ) -> Reading:  # fmt: skip
        if missing:
            return Reading(outcome=None, missing=missing, pictures=tuple(pictures))
        if self.by_picture and not rows:
            return Reading(outcome=None, unreadable=broken, failure="none of the pictures can be read")
        try:
            outcome = self.use.check.summarise(rows, pictures, self.confidence)
        except OnnxrayError as error:
            return Reading(outcome=None, failure=str(error))
        except Exception as error:  # a fault in one check is that check's result, not the end of the audit
            return Reading(outcome=None, failure=one_line(f"{type(error).__name__}: {error}"))
        before: Before = self._baseline(self.path, self.use, self.seed, digest_of(pictures))
        return Reading(
            outcome=outcome, judged=tuple(judged(self.use.limits, outcome.figures, before)), pictures=tuple(pictures),
            unreadable=broken, confidence=self.confidence, machines=tuple(machines),
            key=digest([self._unit.family, sorted(map(self._name, pictures))]),
        )  # fmt: skip

    def _missing(self, store: Store) -> Iterator[tuple[Picture, ...]]:
        if not self.by_picture:
            pictures = self._together()
            key = self._unit_of(pictures).key
            if not any(blob.unit.key == key for blob in store.blobs(self._unit.family)):
                yield pictures
            return
        there = store.measured(self._unit.family)
        left = {self._name(one): one for one in self.sample}  # the same bytes twice are measured once
        todo = [one for name, one in left.items() if name not in there]
        for start in range(0, len(todo), self.use.check.chunk):
            yield tuple(todo[start : start + self.use.check.chunk])

    def _together(self) -> tuple[Picture, ...]:
        """The pictures of a check that sees all at once: in an order of their own."""
        return tuple(sorted(self._sample, key=lambda one: (one.sha256, str(one.label), one.folder)))

    def _name(self, picture: Picture) -> str:
        return f"{picture.sha256} {picture.label}" if self.use.check.labelled else picture.sha256

    def _unit_of(self, pictures: Sequence[Picture]) -> Unit:
        base = self._unit
        return Unit(
            model=base.model, profile=base.profile, check=base.check, params=base.params,
            images=tuple(map(self._name, pictures)),
        )  # fmt: skip


def kept(task: Measured, answer: bytes) -> Blob:
    """What a worker gave, as it is stored."""
    told = json.loads(answer)
    return Blob(unit=task.unit, rows=told["rows"], seconds=told["seconds"], machine=told["machine"])


def _looks(use: Use, count: int) -> tuple[int, ...]:
    if not use.sequential or not use.limits or use.check.chunk == ALL:
        return (count,)
    found, at = [], max(FIRST_LOOK, use.min_images)
    while at < count:
        found.append(at)
        at *= 2
    return (*found, count)
