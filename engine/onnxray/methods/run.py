"""What a running method is handed besides its data."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from onnxray.images.pixels import Pixels
from onnxray.results.finished_items import Tape
from onnxray.results.journal import Unit

Piece = TypeVar("Piece")

Progress = Callable[[int, int, str], None]
"""(units done, units in all, what is being done)."""


@dataclass(frozen=True)
class Run:
    """What a running method is handed besides its data: a seeded generator, progress, and a place for notes.

    pictures: the images one by one at their own sizes, for a method that takes them so. tape, unit: where what is
    finished goes, and which part of the run this is; a run without a tape, of a method within another, has units too,
    but one generator for all of them.
    """

    random: np.random.Generator
    progress: Progress
    notes: list[str]
    pictures: Sequence[Pixels] = ()
    tape: Tape[Any] | None = None
    unit: Unit = ()

    def note(self, text: str) -> None:
        """Say something that belongs in the result; once, however often it is found again."""
        if text not in self.notes:
            self.notes.append(text)

    def tell(self, kind: str, fact: Any) -> None:
        """Hand over what is found beside the items, plain for JSON."""
        if self.tape is not None:
            self.tape.tell(self.unit, kind, fact)

    def telling(self, progress: Progress) -> Run:
        """The same run, with its progress told otherwise."""
        return dataclasses.replace(self, progress=progress)

    @property
    def lasting_folder(self) -> Path | None:
        """A folder that is there again when the run is gone on with; None where the run is not kept."""
        keep = None if self.tape is None else self.tape.keep
        return None if keep is None else keep.work

    @contextmanager
    def work_folder(self) -> Iterator[Path]:
        """A folder for what the run computes on the way and does not hold in memory.

        Where the run is kept it lies in its folder, and is there again when the run is gone on with.
        """
        lasting = self.lasting_folder
        if lasting is not None:
            yield lasting
            return
        with tempfile.TemporaryDirectory(prefix="onnxray-") as folder:
            yield Path(folder)

    def units(self, pieces: Iterable[Piece]) -> Iterator[tuple[Piece, Run]]:
        """Hand out the pieces of a run one after the other, each with a run of its own; units may have units.

        A unit's numbers must come from its piece, its own generator and what is the same for all, never from another
        unit: so those that an earlier run finished can be left out here, and the rest comes as if nothing had happened.
        What is fed to an engine together belongs into one unit, for the size of a batch moves the last digits.
        The first unit goes on with the generator of what it is a part of (which draws nothing afterwards), each further
        one has its own, by the seed and the unit's place.
        """
        for piece in pieces:
            if self.tape is None:
                yield piece, self
                continue
            number, finished = self.tape.next_unit(self.unit)
            if finished:
                continue
            unit = (*self.unit, number)
            self.tape.enter(unit)
            random = self.random if number == 0 else generator_of(self.random, unit)
            yield piece, dataclasses.replace(self, random=random, notes=self.tape.notes_of(unit), unit=unit)
            self.tape.leave(unit)


def generator_of(random: np.random.Generator, unit: Unit) -> np.random.Generator:
    """The own generator of a unit, whatever was drawn before."""
    seeds: Any = random.bit_generator.seed_seq  # a SeedSequence, which numpy's types do not say
    return np.random.default_rng(np.random.SeedSequence(seeds.entropy, spawn_key=unit))


def silent(done: int, total: int, what: str) -> None:
    """No progress is shown."""
