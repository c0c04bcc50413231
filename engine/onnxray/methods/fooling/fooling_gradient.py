"""Fooling images by gradient ascent (Nguyen, Yosinski, Clune 2015, arXiv 1412.1897, section 3.4).

    g = d log p_t / dx,   x <- clip((1 - decay) (x + rate g / mean|g| - c) + c, 0, 255),   c the mean colour

until the judge says class t with ``confidence`` of the saved 8-bit picture; it is asked at the start and after every
``check`` steps. ``start``: the mean colour with N(0, 1) added, as the authors begin; numbers from 0 to 255 drawn alike;
or black. The authors step by g / ||g||^2, so far that the probability would grow by 0.03 or less; a step of stated
length in grey levels gets there sooner. Their L2 decay (0.01) makes pictures in which something is to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.attack.base import seed_of
from onnxray.methods.fooling.base import Fooling, answered
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.model.model import Model
from onnxray.objectives.class_score import in_one_batch
from onnxray.objectives.target_lists import each_target
from onnxray.results.file_names import stem_named

if TYPE_CHECKING:
    from onnxray.methods.synthesis.ascent.loop import Ascent

Begun = Literal["mean", "uniform", "black"]


@final
@dataclass(frozen=True, kw_only=True)
class FoolingGradient(Fooling):
    """Fooling images by gradient ascent on a class, from noise; without --target each of a class drawn at random."""

    name: ClassVar[str] = "fooling-gradient"

    samples: Annotated[int, "pictures of each target; without one, of as many classes", Range(1, 100_000)] = 1
    start: Annotated[Begun, "what is begun from: the mean colour and faint noise, even noise, or black"] = "mean"
    steps: Annotated[int, "gradients taken, at most", Range(1, 100_000)] = 200
    rate: Annotated[float, "mean length of a step, in grey levels", Range(1e-4, 255.0)] = 1.0
    decay: Annotated[
        float, "share by which a picture is drawn to the mean colour at each step (L2); the authors' is 0.01",
        Range(0.0, 1.0),
    ] = 0.0  # fmt: skip
    check: Annotated[int, "steps after which the judge is asked", Range(1, 100_000)] = 5
    queries: Annotated[
        int | None, "passes that a picture may take, forward and backward together; default: as many as it makes",
        Range(1, 10**9),
    ] = None  # fmt: skip
    together: Annotated[int, "pictures climbed at once", Range(1, 10_000)] = 16

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SynthesisItem]:
        """Give ``samples`` pictures of each class, in the order in which the classes were stated."""
        stated, count = self.classes(model, pixels, goal)
        if stated.size:
            wanted = np.repeat(stated, self.samples)
        else:
            wanted = np.random.default_rng(seed_of(run)).integers(0, count, self.samples)
            run.note(f"no target was stated: {self.samples} of {count} classes, drawn at random")
        for first, own in run.units(range(0, len(wanted), self.together)):
            yield from _Group(self, model, wanted, first, own).climbed()


class _Group:
    """Pictures that are climbed together. (n, ...) each: begun, where they began; x, in floats; taken, steps; traces,
    log p at each; asked, forward and backward, passes.
    """

    def __init__(self, method: FoolingGradient, model: Model, wanted: NDArray[np.int64], first: int, run: Run) -> None:
        from onnxray.methods.synthesis.ascent.loop import Ascent
        from onnxray.methods.synthesis.ascent.optimizers import Normalized
        from onnxray.methods.synthesis.ascent.parametrizations import Pixels as Plain
        from onnxray.methods.synthesis.ascent.projections import Bounds, Decay

        assert model.profile is not None
        self.method, self.model, self.first, self.run, self.total = method, model, first, run, len(wanted)
        self.wanted, profile = wanted[first : first + method.together], model.profile
        targets = [f"class:{one}" for one in self.wanted.tolist()]
        self.objective = in_one_batch(each_target(model, targets, "log-probability", "mean"))
        decays = (Decay(rate=method.decay, centre=profile.mean_colour),) if method.decay else ()
        self.plan: Ascent = Ascent(
            steps=method.check, parametrization=Plain(), projections=(*decays, Bounds()),
            optimizer=Normalized(start=method.rate, end=method.rate, norm="mean"),
        )  # fmt: skip
        seed, count = seed_of(run), len(self.wanted)
        each = [np.random.default_rng([seed, first + place]) for place in range(count)]
        self.begun = np.stack([_begun(method.start, profile.shape, profile.mean_colour, one) for one in each])
        self.x = self.begun.copy()
        self.taken, self.asked, self.forward, self.backward = np.zeros((4, count), np.int64)
        self.traces: list[list[float]] = [[] for _ in range(count)]

    def climbed(self) -> Iterator[SynthesisItem]:
        """Climb until the judge is sure of all, or no step is left; interrupted, what there is."""
        interrupted = False
        left = self._judged(np.arange(len(self.wanted)))
        while left.size and not interrupted:
            steps = self._steps(left)
            if not steps:
                break
            interrupted = self._stepped(left, steps)
            left = self._judged(left)
        if not interrupted:
            self.run.progress(1000 * (self.first + len(self.wanted)), 1000 * self.total, "climbed")
        for place, wanted in enumerate(self.wanted.tolist()):
            moved = self.x[place].astype(np.float64) - self.begun[place]
            queries = {
                "judge": int(self.asked[place]), "forward": int(self.forward[place]),
                "backward": int(self.backward[place]),
            }  # fmt: skip
            yield self.method.fooling(
                self.model, to_uint8(self.x[place]), wanted,
                stem=stem_named(self.model.label(wanted), self.first + place, self.method.name),
                numbers={"l2_from_start": float(np.linalg.norm(moved)), "queries": queries},
                trace={"objective": self.traces[place]},
            )  # fmt: skip
        if interrupted:
            raise KeyboardInterrupt

    def _steps(self, left: NDArray[np.int64]) -> int:
        """How many may be taken before the judge is asked again: two passes each, and one more of the first."""
        steps = min(self.method.check, self.method.steps - int(self.taken[left[0]]))
        if self.method.queries is not None:
            passes = int((self.asked + self.forward + self.backward)[left[0]])
            steps = min(steps, (self.method.queries - passes - 2) // 2)
        return max(steps, 0)

    def _stepped(self, left: NDArray[np.int64], steps: int) -> bool:
        """Go on with some; whether Ctrl-C ended it."""
        from dataclasses import replace

        from onnxray.methods.synthesis.ascent.loop import climb

        def progress(step: int, _: int, what: str) -> None:
            share = (self.taken[left[0]] + step) / self.method.steps * len(self.wanted)
            self.run.progress(int(1000 * (self.first + share)), 1000 * self.total, what)

        found = climb(
            self.model, self.objective.rows(left), replace(self.plan, steps=steps), self.run.telling(progress),
            start=self.x[left],
        )  # fmt: skip
        self.x[left] = found.images
        self.taken[left] += found.steps
        self.forward[left] += found.steps
        self.backward[left] += found.steps + 1  # the first gradient is looked at by itself
        for place, values in zip(left.tolist(), found.trace["objective"].T):
            self.traces[place] += values.tolist()
        return found.interrupted

    def _judged(self, left: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of them that the judge is not sure of yet, as they are saved."""
        said = answered(self.model, to_uint8(self.x[left])).probabilities
        self.asked[left] += 1
        return left[said[np.arange(len(left)), self.wanted[left]] < self.method.confidence]


def _begun(
    start: Begun, shape: tuple[int, int, int], mean: tuple[float, ...], random: np.random.Generator
) -> NDArray[np.float32]:
    """(C, H, W): one start, as it is saved in whole grey levels."""
    if start == "black":
        return np.zeros(shape, np.float32)
    if start == "uniform":
        return random.integers(0, 256, shape).astype(np.float32)
    faint = np.reshape(mean, (-1, 1, 1)) + random.standard_normal(shape)
    return to_uint8(faint).astype(np.float32)
