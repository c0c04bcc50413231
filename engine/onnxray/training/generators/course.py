"""The course of a generator's training: rounds of steps, and where it stands on the disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np
import onnx
import torch
from torch.nn.functional import cross_entropy

from onnxray.errors import OutputError
from onnxray.graph.file.replaced_tensors import replaced_bytes
from onnxray.graph.reading import read_graph
from onnxray.graph.trainable.listing import chosen, constants_of
from onnxray.images.profile.profile import Profile
from onnxray.methods.run import Run
from onnxray.methods.synthesis.ascent.regularizers import AlphaNorm, Regularizer, TotalVariation
from onnxray.methods.synthesis.ascent.transforms import Similarity
from onnxray.model.model import Model
from onnxray.training.checkpoints import read_state, write_state
from onnxray.training.generators.drawn import drawn_generator, with_card
from onnxray.training.generators.shown import CARD
from onnxray.training.network import Network
from onnxray.training.steps import Steps

_ROUND: Final = 100
_TOLD: Final = 10
"""Steps whose mean cross-entropy is told as one."""
_SMOOTH: Final = 1e-6
"""Under the root of the total variation, of squares of numbers from -1 to 1."""


class GeneratorCourse:
    """One training at work."""

    def __init__(
        self, asked: Any, model: Model, value: str, numbers: tuple[int, ...], card: str, folder: Path, run: Run
    ) -> None:
        assert model.profile is not None
        self.asked, self.value, self.folder = asked, value, folder
        self.seed = int(run.random.integers(2**31))
        proto = drawn_generator(
            model.profile.shape, len(numbers), width=asked.width, maps=asked.maps, noise=asked.noise, feed=asked.feed,
            random=np.random.default_rng(self.seed),
        )  # fmt: skip
        self.generator, self.network = drawn_network(proto, CARD, card)
        self.steps = Steps(self.network, "adam", asked.rate, None)
        self.numbers = torch.tensor(numbers)
        self.shown = model.twin_for(asked.batch).differentiable((value,))
        self.view = Similarity(jitters=_jitters(model.profile.size)) if asked.augment == "similarity" else None
        self.priors = _priors(asked.variation, asked.decay, model.profile)
        self.rounds = -(-asked.steps // _ROUND)
        self.standing: dict[str, Any] = {"round": -1, "ended": False}

    def round(self, number: int, run: Run) -> None:
        """A hundred steps, unless the training has ended before."""
        self._go_on(number)
        if self.standing["ended"]:
            return
        random = torch.Generator().manual_seed(self.seed + 1 + number)
        before, count = number * _ROUND, min(_ROUND, self.asked.steps - number * _ROUND)
        found: list[float] = []
        for step in range(count):
            entropy, loss = self._losses(random)
            self.steps.step(loss)
            found.append(float(entropy.detach()))
            run.progress(before + step + 1, self.asked.steps, f"generator: cross-entropy {fmean(found):.4g}")
            if (step + 1) % _TOLD == 0 or step + 1 == count:
                last = found[step // _TOLD * _TOLD :]
                run.tell("loss", {"steps": before + step + 1, "loss": fmean(last)})
        self.standing = {"round": number, "ended": fmean(found) < self.asked.until}
        write_state(self.folder, number, {"standing": self.standing, "steps": self.steps.state()})

    def _losses(self, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean cross-entropy of a step, and the same with what the prior costs."""
        places = torch.randint(len(self.numbers), (self.asked.batch,), generator=random)
        feeds = {"class": places}
        if self.asked.noise:
            feeds["noise"] = torch.randn((self.asked.batch, self.asked.noise), generator=random)
        made = self.network.values(feeds, ["picture"])["picture"]
        pixels = 127.5 * (made + 1)
        seen = self.shown(pixels if self.view is None else self.view(pixels, random))[self.value].float()
        scores = seen.flatten(2).mean(2) if seen.ndim > 2 else seen
        entropy = cross_entropy(scores, self.numbers[places].to(scores.device))
        return entropy, sum((one.weight * one.penalty(made).mean() for one in self.priors), entropy)

    def _go_on(self, number: int) -> None:
        """Take over what an earlier run left before the round. Errors: OutputError where it left nothing of it."""
        if not self.standing["round"] < 0 < number:
            return
        state = read_state(self.folder, number - 1)
        standing = {} if state is None else dict(state["standing"])
        if state is None or not (standing["ended"] or standing["round"] == number - 1):
            done = min(number * _ROUND, self.asked.steps)
            raise OutputError(
                f"{self.folder} holds no state of the training after {done} steps, so it cannot be gone on with; begin "
                "anew: --overwrite"
            )
        self.standing = standing
        self.steps.load(state["steps"])

    def written(self, _run: Run) -> bytes:
        """The generator's file."""
        self._go_on(self.rounds)
        return replaced_bytes(self.generator.graph.container, self.network.stored())

    def model_of(self, data: bytes) -> Model:
        """The file, opened."""
        return Model(read_graph(data), None)


def _jitters(size: tuple[int, int]) -> tuple[int, int]:
    """Shifts by up to 8 and 4 pixels of 224, as lucid's, and as many for the size of others."""
    return round(min(size) / 28), round(min(size) / 56)


def _priors(variation: float, decay: float, profile: Profile) -> list[Regularizer]:
    """What pictures from -1 to 1 pay for: a number that does not depend on their size."""
    centre = tuple(one / 127.5 - 1 for one in profile.mean_colour)
    each: tuple[Regularizer, ...] = (
        TotalVariation(weight=variation, beta=1.0, scale=1 / math.prod(profile.size), floor=_SMOOTH),
        AlphaNorm(weight=decay, alpha=2.0, centre=centre, scale=1 / math.prod(profile.shape)),
    )
    return [one for one in each if one.weight]


def drawn_network(proto: onnx.ModelProto, key: str, card: str, left: Sequence[str] = ()) -> tuple[Model, Network]:
    """What was drawn, its card among its metadata: opened, and all of it trained but for constants that are left."""
    opened = Model(read_graph(with_card(proto, iter([(key, card)])).SerializeToString()), None)
    trained = [one for one in chosen(constants_of(opened.graph)) if one.name not in left]
    return opened, Network(opened, trained)
