"""The course of a hardening: epochs, what is judged after each, the best that is kept, and where it stands on the disk.

Every epoch draws by a generator of its own, seeded by the run and the epoch, and begins with what the last one left on
the disk, so that a run that was killed goes on to the same file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from onnxray.arrays import Array, spread_places
from onnxray.errors import NotFinite
from onnxray.images.eight_bits import to_uint8
from onnxray.images.picture_list import PictureList
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.training.checkpoints import read_best, read_state, write_best, write_state
from onnxray.training.examples import Examples, shuffled
from onnxray.training.fine_tuning import compare
from onnxray.training.item import EpochItem
from onnxray.training.losses import Virtual, adversarial, reading_of, trades
from onnxray.training.network import Network, model_with
from onnxray.training.options import HardeningOptions
from onnxray.training.perturbations import Perturbing
from onnxray.training.recalibration import recalibrated
from onnxray.training.steps import SCHEDULES, Steps

_JUDGED: Final = 1000
"""Held-out pictures that are judged after an epoch, at most."""
_STEPS: Final = 20
_CALIBRATED: Final = 256
_FAR: Final = 0.9
_Places = NDArray[np.int64]


class Course:
    """One hardening at work. kept, held: the places of pictures that are trained on, and of those that judge."""

    def __init__(
        self, asked: HardeningOptions, model: Model, pictures: PictureList, classes: NDArray[np.int64], kept: _Places,
        held: _Places, folder: Path, run: Run,
    ) -> None:  # fmt: skip
        self.asked, self.model, self.folder = asked, model, folder
        self.logits, self.read = asked.logits(model), reading_of(model.head.kind)
        self.network = Network(model, asked.constants(model), dropout=asked.dropout)
        self.steps = Steps(self.network, asked.optimizer, asked.rate, asked.clip)
        self.layers = asked.layers(model.graph, self.logits)
        self.seed = int(run.random.integers(2**31))
        self.pictures, self.classes, self.held = pictures, classes, held
        self.examples = Examples.of(pictures, kept, classes[kept])
        self.unlabelled = self._without_labels()
        places = held[spread_places(len(held), _JUDGED)]
        self.judged = Examples.of(pictures, places, classes[places])
        self.each = max(len(self.examples), 0 if self.unlabelled is None else len(self.unlabelled))
        self.steps_each = -(-self.each // asked.batch)
        self.standing: dict[str, Any] = {"stopped": "", "best": -1.0, "clean": None, "epoch": -1}

    def _without_labels(self) -> torch.Tensor | None:
        if not self.asked.unlabelled:
            return None
        given = self.asked.unlabelled
        return torch.from_numpy(np.array(self.model.pixels([given] if isinstance(given, str) else list(given)).array))

    def epoch(self, number: int, run: Run) -> EpochItem | None:
        """Train an epoch and judge the file; epoch 0 judges it as it came. None where the training has ended before."""
        self._go_on(number - 1)
        if self.standing["stopped"]:
            return None
        random = torch.Generator().manual_seed(self.seed + number)
        loss: float | None = None
        stopped = ""
        if number == 0:
            run.tell("trained", self._trained())
            self._check_direction(random, run)
        else:
            try:
                loss = self._trained_epoch(number, random, run)
            except NotFinite as error:
                stopped = f"{error}"
        if stopped:  # the weights are those before the step that was none; what is judged is the best so far
            run.note(f"the training ended in epoch {number}: {stopped}; the best until then is kept")
            self._stand(number, stopped)
            return None
        return self._judged_epoch(number, loss, random, run)

    def _judged_epoch(self, number: int, loss: float | None, random: torch.Generator, run: Run) -> EpochItem:
        arrays = self.network.stored()
        now = self.model if number == 0 else self.model_of(arrays)
        clean, robust = self._accuracies(now, random)
        first = clean if number == 0 else float(self.standing["clean"])
        fell = first - clean > self.asked.max_drop + 1e-9
        worth = self._worth(number, clean, robust)
        best = worth > self.standing["best"] and not fell
        stopped = ""
        if fell:
            stopped = f"clean accuracy fell from {first:.4f} to {clean:.4f}, further than {self.asked.max_drop:g}"
            run.note(f"the training ended with epoch {number}: {stopped}; the best until then is kept")
        if best:
            self.standing["best"] = worth
            if number:
                write_best(self.folder, arrays)
        self.standing["clean"] = first
        self._stand(number, stopped)
        return EpochItem(
            epoch=number, loss=loss, eps=self.asked.eps, clean_accuracy=clean, robust_accuracy=robust,
            held_out=len(self.judged), best=best, stopped=stopped,
        )  # fmt: skip

    def _worth(self, number: int, clean: float, robust: float) -> float:
        """What the written epoch has most of."""
        plain = self.asked.loss == "adversarial" and not self.asked.named
        return {"robust": robust, "clean": clean, "last": float(number)}[
            self.asked.best_by or ("clean" if plain else "robust")
        ]

    def _go_on(self, last: int) -> None:
        """Begin with what the last epoch left, where this run has not trained it itself."""
        state = read_state(self.folder, last) if self.standing["epoch"] < 0 <= last else None
        if state is None:
            return
        self.standing = dict(state["standing"])
        self.steps.load(state["steps"])

    def _stand(self, number: int, stopped: str) -> None:
        self.standing |= {"stopped": stopped, "epoch": number}
        write_state(self.folder, number, {"standing": self.standing, "steps": self.steps.state()})

    def _trained_epoch(self, number: int, random: torch.Generator, run: Run) -> float:
        asked = self.asked
        order = np.random.default_rng([self.seed, number])
        grown = min(1.0, number / max(1.0, asked.warm_up * asked.epochs)) if asked.warm_up else 1.0
        own = self.perturbing(asked.eps * grown, asked.steps, random)
        total, count = 0.0, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + number)
            batches = self.examples.batches(
                asked.batch, self.each, order, random, distort=asked.distort, flip=asked.flip
            )
            for place, ((x, y), more) in enumerate(zip(batches, self._more(order))):
                done, steps = (number - 1) * self.steps_each + place, asked.epochs * self.steps_each
                self.steps.set_rate(asked.rate * SCHEDULES[asked.schedule](done / steps))
                value = self.steps.step(self._loss(own, x, y, more, order))
                total, count = total + value * len(x), count + len(x)
                run.progress(done + 1, steps, f"epoch {number}: loss {total / count:.4g}")
        return total / count

    def _more(self, order: np.random.Generator) -> Iterator[torch.Tensor | None]:
        """A batch of pictures without labels for each step; None where there are none."""
        if self.unlabelled is None:
            yield from itertools.repeat(None, self.steps_each)
            return
        rows = shuffled(len(self.unlabelled), self.each, order)
        for start in range(0, self.each, self.asked.batch):
            yield self.unlabelled[torch.from_numpy(rows[start : start + self.asked.batch])]

    def perturbing(self, eps: float, steps: int, random: torch.Generator) -> Perturbing:
        """What perturbs, of so many grey levels."""
        values = self.network.values
        return Perturbing(
            values=lambda x, names: values(x, names), logits=self.logits, layers=self.layers, eps=eps, steps=steps,
            random=random, read=self.read,
        )  # fmt: skip

    def _scores(self, x: torch.Tensor) -> torch.Tensor:
        return self.read(self.network.values(x, [self.logits], drawn=self.asked.dropout)[self.logits])

    def _loss(
        self, own: Perturbing, x: torch.Tensor, y: torch.Tensor, more: torch.Tensor | None, order: np.random.Generator
    ) -> torch.Tensor:
        asked, named = self.asked, self.asked.named
        x, y = x.to(self.network.device), y.to(self.network.device)
        if asked.loss == "trades":
            return trades(self._scores, own, x, y, asked.beta)
        if asked.loss == "virtual":
            labelled, u = adversarial(self._scores, x, x, y, 1.0), x if more is None else more.to(x)
            virtual = Virtual(radius=asked.radius, xi=asked.xi)
            return labelled + asked.weight * virtual.loss(self._scores, own, u) if asked.weight else labelled
        if not named:
            return adversarial(self._scores, x, x, y, 1.0)
        kind = named[int(order.integers(len(named)))]
        return adversarial(self._scores, x, own.by(kind, x, y), y, asked.clean)

    def _accuracies(self, now: Model, random: torch.Generator) -> tuple[float, float]:
        """Of held-out pictures and of perturbed ones, by ONNX Runtime on 8-bit pictures."""
        own = self.perturbing(self.asked.eps, _STEPS, random)
        right = [0, 0]
        for start in range(0, len(self.judged), self.asked.batch):
            rows = np.arange(start, min(start + self.asked.batch, len(self.judged)))
            x, y = self.judged.rows(rows)
            x = torch.from_numpy(to_uint8(x.numpy()).astype(np.float32))
            moved = own.by("pgd", x.to(self.network.device), y.to(self.network.device)).cpu()
            for place, shown in enumerate((x, moved)):
                named = now.classify(Pixels.of(to_uint8(shown.numpy()).astype(np.float32)))
                right[place] += int((named == y.numpy()).sum())
        return right[0] / len(self.judged), right[1] / len(self.judged)

    def _trained(self) -> dict[str, Any]:
        return {
            "constants": [master.constant.name for master in self.network.masters],
            "numbers": sum(master.constant.count for master in self.network.masters),
            "pictures": len(self.examples), "held_out": len(self.held),
            "unlabelled": 0 if self.unlabelled is None else len(self.unlabelled),
        }  # fmt: skip

    def _check_direction(self, random: torch.Generator, run: Run) -> None:
        """Whether xi is long enough for float32 to tell a direction."""
        if self.asked.loss != "virtual":
            return
        x, _ = self.judged.rows(np.arange(min(16, len(self.judged))))
        own = self.perturbing(self.asked.eps, 1, random)
        agreement = Virtual(radius=self.asked.radius, xi=self.asked.xi).agreement(own, x.to(self.network.device))
        said = f"directions found at xi {self.asked.xi:g} and at ten times that agree to a cosine of {agreement:.3f}"
        run.note(said if agreement >= _FAR else f"{said}: xi may be rounding noise, or too far; try another")

    def result(self, run: Run) -> dict[str, Array]:
        """The constants of the best epoch, and statistics of batch normalisation where they were measured anew."""
        self._go_on(self.asked.epochs)
        stored = self.network.stored()
        x, _ = self.judged.rows(np.arange(min(8, len(self.judged))))
        compare(self.network, self.model_of(stored), x, [self.logits])
        found = read_best(self.folder, stored)
        if found is None:
            run.note("no epoch was better than the file as it came, which is what is written")
            return {}
        if self.asked.bn == "recalibrate":
            places = self.examples.places[:_CALIBRATED]
            pixels = self.pictures.rows(places)
            found |= recalibrated(self.model_of(found), pixels, run.progress)
        return found

    def model_of(self, arrays: Mapping[str, Array]) -> Model:
        """The file with these numbers in it."""
        return model_with(self.model, arrays) if arrays else self.model

    def evaluated(self, model: Model, run: Run) -> dict[str, Any] | None:
        """The robustness evaluation of a file on held-out pictures. None where it is not wanted."""
        if not self.asked.evaluate:
            return None
        places = self.held[spread_places(len(self.held), self.asked.evaluate)]

        def tick(done: int, total: int, what: str) -> None:
            run.progress(done, total, f"robustness: {what}")

        found = self.asked.attacked()(
            model, self.pictures.rows(places), [int(k) for k in self.classes[places]], progress=tick
        )
        return dict(found.extra["robustness"])

    def verified(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Twin against judge of the result, on held-out pictures."""
        places = self.held[:4]
        found = self.model_of(arrays).verify(self.pictures.rows(places))
        return {"agrees": found.agrees, "values": len(found.comparisons), "reason": found.reason}
