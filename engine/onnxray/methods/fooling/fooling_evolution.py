"""Fooling images by evolution: MAP-Elites over the classes (Nguyen, Yosinski, Clune 2015, arXiv 1412.1897, section 2).

    elite_c <- the picture with the highest p_c so far, for each class c;   each generation: children of random elites

The judge alone is asked, of 8-bit pictures: any file that names classes with probabilities can be fooled, with
gradients or without. A child is tried for every class. Encodings: ``direct``, each pixel by itself (encodings.py);
``cppn``, networks that draw regular patterns (pattern_networks.py). It ends when all classes have ``confidence``, after
``generations``, or when ``queries`` are spent. Each of ``runs`` begins anew. What is kept goes on after a kill from the
generation that was written last, with the generator as it was, so that the same comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.images.pixels import Pixels
from onnxray.methods.fooling.base import Fooling, answered
from onnxray.methods.fooling.encodings import Direct, Encoding
from onnxray.methods.fooling.kept_state import UNREADABLE, keep_state, kept_state
from onnxray.methods.fooling.pattern_networks import Patterns
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.model.model import Model
from onnxray.notebooks.glimpses import offer
from onnxray.results.file_names import stem_named
from onnxray.results.journal import Seldom

if TYPE_CHECKING:
    from onnxray.results.finished_items import Tape

_DIGITS = 6
_SHARE = 0.01
"""Of the time, that keeping the state may take."""


@final
@dataclass(frozen=True, kw_only=True)
class FoolingEvolution(Fooling):
    """Fooling images of all classes at once, by evolution: the judge alone, no gradients."""

    name: ClassVar[str] = "fooling-evolution"

    encoding: Annotated[
        Literal["direct", "cppn"], "how pictures are written down: pixel by pixel, or as networks that draw patterns"
    ] = "direct"
    population: Annotated[
        int, "pictures a generation; the authors' are 200 for digits and 400 for photographs", Range(2, 100_000)
    ] = 200  # fmt: skip
    generations: Annotated[
        int, "generations behind the first, at most; the authors' are 1000 for digits, 5000 for photographs",
        Range(0, 1_000_000),
    ] = 1000  # fmt: skip
    runs: Annotated[int, "how often to begin anew, each run kept when it is finished", Range(1, 10_000)] = 1
    queries: Annotated[
        int | None, "passes of the judge that a run may take; default: as many as it makes", Range(1, 10**12)
    ] = None  # fmt: skip

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SynthesisItem]:
        """Give each class's elite, in the order of the classes, run by run; interrupted, those so far."""
        stated, count = self.classes(model, pixels, goal)
        niches = stated if stated.size else np.arange(count)
        assert model.profile is not None
        shape = model.profile.shape
        encoding: Encoding[Any] = Direct(shape=shape) if self.encoding == "direct" else Patterns(shape=shape)
        for number, own in run.units(range(self.runs)):
            evolution = _Evolution(self, model, encoding, niches, own)
            if run.lasting_folder is not None:
                evolution.go_on(number, run.lasting_folder)
            interrupted = evolution.go(number)
            own.tell("evolution", evolution.told(number))
            for place, niche in enumerate(niches.tolist()):
                yield self.fooling(
                    model, evolution.pictures[place], niche,
                    stem=stem_named(model.label(niche), number * len(niches) + place, self.name),
                    numbers={"run": number, "generation": int(evolution.born[place])},
                )  # fmt: skip
            if interrupted:
                raise KeyboardInterrupt

    def extra(self, tape: Tape[SynthesisItem]) -> dict[str, Any]:
        """Of each run the median confidence over the classes, generation by generation."""
        return {"evolution": list(tape.facts("evolution"))}


class _Evolution:
    """One run. Of each class: elites, their genomes; pictures; sure, the judge's confidence; born, the generation.

    asked: passes. medians, reached: of the classes' confidence, and how many have enough of it, a generation.
    """

    def __init__(
        self, method: FoolingEvolution, model: Model, encoding: Encoding[Any], niches: NDArray[np.int64], run: Run
    ) -> None:
        self.method, self.model, self.encoding, self.niches, self.progress = (
            method,
            model,
            encoding,
            niches,
            run.progress,
        )
        self.random = run.random
        self.elites: list[Any] = [None] * len(niches)
        self.pictures: list[Any] = [None] * len(niches)
        self.sure, self.born = np.full(len(niches), -1.0), np.zeros(len(niches), np.int64)
        self.asked = 0
        self.medians: list[float] = []
        self.reached: list[int] = []
        self.folder: Path | None = None
        self.kept = Seldom(_SHARE)

    def go_on(self, number: int, folder: Path) -> None:
        """From where an earlier try of this run was killed, if there was one; from now on the state is kept there."""
        self.folder = folder
        try:
            told, arrays = kept_state(folder)
            elites = self.encoding.unpacked(arrays["genomes"])
            pictures = [self.encoding.picture(one) for one in elites]
            sure, born = arrays["sure"], arrays["born"]
            asked, medians, reached = int(told["asked"]), [*told["medians"]], [*told["reached"]]
            if told["run"] != number or {sure.shape, born.shape, (len(elites),)} != {self.sure.shape}:
                return
            self.random.bit_generator.state = told["random"]
        except UNREADABLE:
            return
        self.elites, self.pictures, self.sure, self.born = elites, list(pictures), sure, born
        self.asked, self.medians, self.reached = asked, medians, reached

    def _keep(self, number: int) -> None:
        if self.folder is None:
            return
        told = {
            "run": number, "asked": self.asked, "medians": self.medians, "reached": self.reached,
            "random": self.random.bit_generator.state,
        }  # fmt: skip
        arrays = {"genomes": self.encoding.packed(self.elites), "sure": self.sure, "born": self.born}
        keep_state(self.folder, told, arrays)

    def go(self, number: int) -> bool:
        """All generations; whether Ctrl-C ended them."""
        method, total = self.method, self.method.generations + 1
        try:
            for generation in range(len(self.medians), total):
                if self.reached and self.reached[-1] == len(self.niches):
                    break
                size = method.population
                if method.queries is not None:
                    size = min(size, method.queries - self.asked)
                if size < 1:
                    break
                self._tried(self._born(size, generation), generation)
                self.medians.append(float(np.median(self.sure)))
                self.reached.append(int((self.sure >= method.confidence).sum()))
                said = f"median confidence {self.medians[-1]:.4f}, {self.reached[-1]} of {len(self.niches)} classes"
                offer(lambda: np.stack(self.pictures))
                self.progress(number * total + generation + 1, method.runs * total, said)
                self.kept(lambda: self._keep(number))
        except KeyboardInterrupt:
            if not self.medians:
                raise
            return True
        self.progress((number + 1) * total, method.runs * total, f"run {number + 1} is finished")
        return False

    def told(self, number: int) -> dict[str, Any]:
        """The run's own figures, plain for JSON."""
        return {
            "run": number, "generations": len(self.medians) - 1, "queries": {"judge": self.asked},
            "classes": len(self.niches), "reached": self.reached,
            "median_confidence": [round(one, _DIGITS) for one in self.medians],
        }  # fmt: skip

    def _born(self, size: int, generation: int) -> list[Any]:
        """The genomes of a generation: at random, or children of elites drawn alike."""
        if generation == 0:
            return [self.encoding.drawn(self.random) for _ in range(size)]
        pairs = self.random.integers(0, len(self.elites), (size, 2)).tolist()
        return [
            self.encoding.child(self.elites[first], self.elites[second], generation, self.random)
            for first, second in pairs
        ]

    def _tried(self, genomes: list[Any], generation: int) -> None:
        """Each for every class."""
        pictures: Image8 = np.stack([self.encoding.picture(one) for one in genomes])
        said = answered(self.model, pictures).probabilities[:, self.niches]
        self.asked += len(genomes)
        best = said.argmax(0)
        for place in np.flatnonzero(said[best, np.arange(len(best))] > self.sure).tolist():
            row = int(best[place])
            self.elites[place], self.pictures[place] = genomes[row], pictures[row].copy()
            self.sure[place], self.born[place] = said[row, place], generation
