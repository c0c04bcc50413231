"""Universal perturbations (Moosavi-Dezfooli, Fawzi, Fawzi, Frossard 2017, arXiv 1610.08401).

    for each picture x, in random order, that x + v does not fool:   r = DeepFool(x + v),   v <- project_eps(v + r)

until the fooling rate, the share of pictures whose class changes under v, is reached, or ``epochs`` are over; v of the
best epoch is given. DeepFool is that of the L2 norm, over the ``candidates`` that come first at x + v; an r that did
not arrive within ``steps`` is left out, as in the authors' code. x + v is kept in [0, 255], which they do when v is
shown alone. v: (channels, height, width) in grey levels, at the model's size.

``by="gradient"`` steps along what all pictures of a batch have in common (Shafahi et al. 2020, arXiv 1811.11304):

    v <- project_eps(v - a steepest(mean_x grad L(x + v)))

The fooling rate is measured by the judge on saved pictures, round(clip(x + v)), within the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np

from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.images.pixels import Pixels
from onnxray.methods.attack.base import Attacked, seed_of
from onnxray.methods.attack.minimum_norm.deepfool import DeepFool
from onnxray.methods.attack.picture_sets import PictureSet, generator_of_all, moved_to, parted, picture_set
from onnxray.methods.attack.rates import rate_of
from onnxray.methods.attack.success import OtherClass
from onnxray.methods.attack.threat import NORMS, Floats, Norm, norms_of
from onnxray.methods.attack.universal.item import UniversalItem
from onnxray.methods.method import Method
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.run import Run, silent
from onnxray.methods.variable import Rows
from onnxray.model.model import Model
from onnxray.objectives.class_losses import LossName

_EXAMPLES = 6
Tell = Callable[[int, str], None]


@final
@dataclass(frozen=True, kw_only=True)
class Universal(Method[UniversalItem]):
    """A universal perturbation: one that, added to any picture, makes the file say something else."""

    name: ClassVar[str] = "universal"
    item_type: ClassVar[type[Any]] = UniversalItem

    norm: Annotated[Literal["linf", "l2"], "the norm of the budget"] = "linf"
    eps: Annotated[
        float, "the budget, in grey levels; the paper's are 10 (linf) and 2000 (l2)", Range(1e-3, 1e9)
    ] = 10.0  # fmt: skip
    fooling_rate: Annotated[float, "the share of pictures at which it is done", Range(0.0, 1.0)] = 0.8
    epochs: Annotated[int, "how often all pictures are gone through, at most", Range(1, 100_000)] = 10
    held_out: Annotated[
        str | tuple[str, ...] | None,
        "pictures that it is tried on and not made of: a folder, may be repeated; or a share of the pictures (0.2)",
    ] = None
    by: Annotated[
        Literal["deepfool", "gradient"], "what is added: DeepFool's step of each picture, or one of a batch's gradient"
    ] = "deepfool"
    steps: Annotated[int, "DeepFool's steps over a boundary, of each picture", Range(2, 100_000)] = 10
    candidates: Annotated[int, "classes that DeepFool looks at, the own among them", Range(2, 100_000)] = 10
    overshoot: Annotated[float, "how much further than the boundaries DeepFool goes", Range(0.0, 1.0)] = 0.02
    batch: Annotated[int, "pictures that share a step of the gradient", Range(1, 100_000)] = 32
    step_size: Annotated[
        float | None, "a of the gradient, in grey levels (of l2 the norm of a step); default: eps / 10",
        Range(1e-6, 1e9),
    ] = None  # fmt: skip
    loss: Annotated[LossName, "what the gradient goes down"] = "cross-entropy"

    def __post_init__(self) -> None:
        check_choices(self)
        if self.norm == "linf":
            Range(1e-3, 255.0).check("eps", self.eps)

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for this method."""
        return "attack", self.name

    @property
    def measure(self) -> Norm:
        """That of the budget."""
        return NORMS[self.norm]

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[UniversalItem]:
        """Give the perturbation. goal: as of any attack; None: another class, of each picture."""
        for _, own in run.units([None]):
            given, others = parted(model, pixels, self.held_out, "a universal perturbation")
            fitted = picture_set(model, given, goal, self.name)
            held = None if others is None else picture_set(model, others, goal, self.name)
            if held is None:
                own.note(
                    "no pictures were held out (--held-out FOLDER, or a share): the fooling rate is that of the "
                    "pictures that it was made of"
                )
            random = generator_of_all(given, seed_of(own))

            def tell(done: int, what: str, whole: int = self.epochs * len(fitted)) -> None:
                run.progress(done, whole, f"universal: {what}")

            v, history = self._made(fitted, random, tell)
            signs = random.choice(np.array([-1.0, 1.0]), v.size).astype(np.float32)
            signs *= np.float32(self.eps / self.measure.size(signs[None])[0])
            yield self._item(model, fitted, held, v, signs, history)
            tell(self.epochs * len(fitted), "done")

    def _made(
        self, pictures: PictureSet, random: np.random.Generator, tell: Tell
    ) -> tuple[Floats, list[dict[str, float]]]:
        """v of the epoch whose fooling rate is the highest, and the rate after each."""
        v = np.zeros(pictures.oracle.numbers, np.float32)
        best, most, history = v, -1.0, []
        for epoch in range(self.epochs):
            order = random.permutation(len(pictures))
            go = self._by_deepfool if self.by == "deepfool" else self._by_gradient
            v = go(pictures, v, order, lambda done, what, epoch=epoch: tell(epoch * len(pictures) + done, what))  # type: ignore[misc]
            rate = float(pictures.reached(v, self.measure, self.eps).mean())
            history.append({"epoch": epoch + 1, "rate": rate})
            if rate >= most:
                best, most = v, rate
            tell((epoch + 1) * len(pictures), f"epoch {epoch + 1}, fooling rate {rate:.2f}")
            if rate >= self.fooling_rate:
                break
        return best, history

    def _projected(self, v: Floats) -> Floats:
        return np.asarray(self.measure.project(v[None], np.array([self.eps]))[0], np.float32)

    def _by_deepfool(self, pictures: PictureSet, v: Floats, order: Rows, tell: Tell) -> Floats:
        """One picture after the other; each begins with what those before have made of v."""
        oracle = pictures.oracle
        deepfool = DeepFool(steps=self.steps, candidates=self.candidates, overshoot=self.overshoot)
        for done, row in enumerate(order.tolist()):
            rows = np.array([row])
            tell(done, f"picture {done + 1} of {len(order)}")
            if oracle.met(oracle.within(v[None], rows), rows)[0]:
                continue
            attacked = Attacked(
                oracle=oracle, rows=rows, random=(), tell=silent, eps=np.array([np.inf]), start=v[None]
            )  # fmt: skip
            walk = deepfool.walk(attacked, self._nearest(pictures, v, rows))
            if walk.arrived[0]:
                v = self._projected(v + walk.r[0])
        return v

    def _nearest(self, pictures: PictureSet, v: Floats, rows: Rows) -> Any:
        """(1, k): the classes that come first at x + v, besides the own."""
        oracle = pictures.oracle
        criterion = oracle.criterion
        if not isinstance(criterion, OtherClass) or criterion.wanted is not None:
            return None
        said = oracle.variable.verdict(oracle.fed(v[None], rows))
        there = replace(criterion, left=criterion.left[rows], said=replace(criterion.said, predictions=said))
        return there.nearest(self.candidates - 1)

    def _by_gradient(self, pictures: PictureSet, v: Floats, order: Rows, tell: Tell) -> Floats:
        """Batch by batch."""
        oracle = pictures.oracle
        size = self.eps / 10 if self.step_size is None else self.step_size
        for start in range(0, len(order), self.batch):
            rows = order[start : start + self.batch]
            tell(start, f"picture {start + 1} of {len(order)}")
            slopes = oracle.slopes(np.repeat(v[None], len(rows), 0), rows, self.loss)
            mean = slopes.gradient.mean(0, keepdims=True)
            v = self._projected(v - np.float32(size) * self.measure.steepest(mean)[0])
        return v

    def _item(
        self, model: Model, fitted: PictureSet, held: PictureSet | None, v: Floats, signs: Floats,
        history: list[dict[str, float]],
    ) -> UniversalItem:  # fmt: skip
        """All that is measured of v."""
        norm, eps = self.measure, self.eps
        sets = {"fitted": fitted, **({} if held is None else {"held_out": held})}
        rates: dict[str, Any] = {"held_out": None, "random_held_out": None}
        reached = {}
        for name, pictures in sets.items():
            reached[name] = pictures.reached(v, norm, eps)
            rates[name] = rate_of(int(reached[name].sum()), len(pictures))
            rates[f"random_{name}"] = rate_of(int(pictures.reached(signs, norm, eps).sum()), len(pictures))
        shown, hit = (fitted, reached["fitted"]) if held is None else (held, reached["held_out"])
        fooled = np.flatnonzero(hit)
        classes = moved_to(model, shown, shown.saved(v, fooled, norm, eps), fooled) if fooled.size else []
        v = v.reshape(fitted.shape)
        drawn, gain = signed_to_grey(v)
        images = {"perturbation": drawn}
        examples = []
        for number, row in enumerate(np.linspace(0, len(shown) - 1, min(_EXAMPLES, len(shown))).round().astype(int)):
            rows = np.array([row])
            d = shown.saved(v.reshape(-1), rows, norm, eps)
            after = shown.oracle.variable.saved(shown.oracle.samples(d, rows))[0]
            images |= {f"before-{number + 1}": shown.shots.images[row], f"after-{number + 1}": after}
            said = moved_to(model, shown, d, rows)
            examples.append({
                "path": shown.shots.names[row], "label": shown.shots.shown(row).label,
                "label_after": said[0]["label"] if said else None, "reached": bool(hit[row]),
            })  # fmt: skip
        queries = {
            kind: sum(sum(one.oracle.queries.row(k)[kind] for k in range(len(one))) for one in sets.values())
            for kind in ("judge", "forward", "backward")
        }
        return UniversalItem(
            goal=fitted.goal, norm=self.norm, eps=eps, by=self.by, rates=rates, history=tuple(history),
            stop_at=self.fooling_rate, norms=norms_of(v, ("linf", "l2")), classes=tuple(classes), shown_of=(
                "fitted" if held is None else "held_out"
            ), left_out={name: one.left_out for name, one in sets.items()}, examples=tuple(examples), queries=queries,
            gain=gain, perturbation=v, images=images,
            reason=None if held is not None else "no pictures were held out",
        )  # fmt: skip
