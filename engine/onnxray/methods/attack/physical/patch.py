"""Adversarial patches (Brown, Mane, Roy, Abadi, Gilmer 2017, arXiv 1712.09665): one for all pictures, wherever it lies.

    p <- clip(p - a Adam(mean grad_p L(A(p, x, l, t))), 0, 255)

A: the patch p laid on a picture x at a random place l, scaled and turned, then seen by a camera: the transformations t
(transformations.py; scale and rotation are those of the patch, all others of the whole picture). A step takes ``batch``
pictures, each with a draw of its own. p is in grey levels, at the resolution that it has on the picture at scale 1.

Measured by the judge over ``trials`` fresh placements of the patch as it is saved, the pictures in turn, each with the
patch rounded to 8 bits; beside it what a patch of random pixels does at the same places, for what hides a part of a
picture changes its class as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import numpy as np

from onnxray.errors import InputError
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.attack.adam import Adam
from onnxray.methods.attack.base import group_size, seed_of
from onnxray.methods.attack.physical.patch_item import PatchItem
from onnxray.methods.attack.physical.placements import Placement, ShapeName, outline, place, side_of, with_patch
from onnxray.methods.attack.physical.transformations import Transformation, Translation, read_transformations
from onnxray.methods.attack.picture_sets import PictureSet, generator_of_all, parted, picture_set
from onnxray.methods.attack.rates import rate_of
from onnxray.methods.attack.threat import Floats
from onnxray.methods.method import Method
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.run import Run
from onnxray.methods.variable import Rows
from onnxray.model.model import Model
from onnxray.objectives.class_losses import LossName

_EXAMPLES = 6
_NONE = np.array([0])


@final
@dataclass(frozen=True, kw_only=True)
class Patch(Method[PatchItem]):
    """An adversarial patch: a square or a disc that, laid anywhere on a picture, makes the file say something else."""

    name: ClassVar[str] = "patch"
    item_type: ClassVar[type[Any]] = PatchItem

    share: Annotated[float, "how much of a picture the patch covers", Range(1e-4, 1.0)] = 0.1
    shape: Annotated[ShapeName, "its outline"] = "square"
    transform: Annotated[
        str | tuple[str, ...],
        "a transformation and its range, rotation=-20..20; may be repeated: scale and rotation of the patch, blur, "
        "contrast, brightness, noise and jpeg of the picture",
    ] = ("scale=0.8..1.2", "rotation=-20..20", "brightness=-20..20")
    steps: Annotated[int, "steps of Adam", Range(1, 1_000_000)] = 300
    batch: Annotated[int, "pictures of a step", Range(1, 100_000)] = 16
    step_size: Annotated[float, "a, in grey levels", Range(1e-3, 255.0)] = 8.0
    loss: Annotated[LossName, "what is gone down"] = "cross-entropy"
    held_out: Annotated[
        str | tuple[str, ...] | None,
        "pictures that it is tried on and not made of: a folder, may be repeated; or a share of the pictures (0.2)",
    ] = None
    trials: Annotated[int, "fresh placements that it is measured over", Range(1, 1_000_000)] = 100
    print_mm: Annotated[float, "how wide it is on the A4 sheet to print, in mm", Range(5.0, 190.0)] = 100.0
    dpi: Annotated[int, "dots per inch of that sheet", Range(72, 600)] = 300

    def __post_init__(self) -> None:
        check_choices(self)
        self.kinds()

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for this method."""
        return "attack", self.name

    def kinds(self) -> tuple[Transformation, ...]:
        """The transformations. Errors: InputError."""
        found = read_transformations(self.transform)
        for one in found:
            if isinstance(one, Translation):
                raise InputError(f"a patch lies anywhere on a picture by itself; leave {one} out")
        return found

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[PatchItem]:
        """Give the patch. goal: as of any attack; None: another class, of each picture."""
        for _, own in run.units([None]):
            given, others = parted(model, pixels, self.held_out, "a patch")
            fitted = picture_set(model, given, goal, self.name)
            held = None if others is None else picture_set(model, others, goal, self.name)
            if held is None:
                own.note(
                    "no pictures were held out (--held-out FOLDER, or a share): success is that on the pictures that "
                    "the patch was made of"
                )
            random = generator_of_all(given, seed_of(own))
            side = side_of(self.share, self.shape, *fitted.shape[1:])
            start = random.uniform(0, 255, (fitted.shape[0], side, side)).astype(np.float32)
            whole = self.steps + 2 * self.trials * (1 if held is None else 2)

            def tell(done: int, what: str, whole: int = whole) -> None:
                run.progress(done, whole, f"patch: {what}")

            patch = self._made(fitted, start, random, tell)
            yield self._item(model, fitted, held, self._saved(start), self._saved(patch), random, tell)

    def _saved(self, patch: Floats) -> Any:
        """In 8 bits, white outside of the disc."""
        return np.where(outline(self.shape, patch.shape[1]) > 0, to_uint8(patch), np.uint8(255))

    def _places(self, pictures: PictureSet, count: int, side: int, random: np.random.Generator) -> list[Placement]:
        return [place(self.kinds(), side, self.shape, pictures.shape, random) for _ in range(count)]

    def _made(
        self, pictures: PictureSet, patch: Floats, random: np.random.Generator, tell: Callable[[int, str], None]
    ) -> Floats:
        """The patch after all steps."""
        oracle, adam = pictures.oracle, Adam.none(1, patch.size)
        size = group_size(oracle.numbers)
        for step in range(self.steps):
            rows = random.choice(len(pictures), self.batch, replace=self.batch > len(pictures))
            places, total = self._places(pictures, self.batch, patch.shape[1], random), np.zeros_like(patch)
            for first in range(0, self.batch, size):
                some = rows[first : first + size]
                views = with_patch(oracle.variable.floats(some), patch, self.shape, places[first : first + size])
                slopes = oracle.slopes_at(views.array, some, oracle.criterion.loss(self.loss, some))
                total += views.back(slopes.gradient.reshape(views.array.shape))[0]
            direction, _ = adam.step(_NONE, total.reshape(1, -1) / np.float32(self.batch), step + 1)
            patch = np.clip(patch - np.float32(self.step_size) * direction.reshape(patch.shape), 0, 255)
            tell(step + 1, f"step {step + 1}")
        return patch

    def _tried(
        self, pictures: PictureSet, patch: Any, places: list[Placement], rows: Rows
    ) -> Iterator[tuple[Floats, Any, Rows]]:
        """Pictures with the patch in 8 bits, whether the judge takes them, and which they are, in groups."""
        size = group_size(pictures.oracle.numbers)
        for first in range(0, len(rows), size):
            some = rows[first : first + size]
            origin = pictures.oracle.variable.floats(some)
            seen = to_uint8(with_patch(origin, patch, self.shape, places[first : first + size]).array)
            yield seen, pictures.oracle.met_at(seen, some), some

    def _item(
        self, model: Model, fitted: PictureSet, held: PictureSet | None, start: Any, patch: Any,
        random: np.random.Generator, tell: Callable[[int, str], None],
    ) -> PatchItem:  # fmt: skip
        """All that is measured of the patch."""
        sets = {"fitted": fitted, **({} if held is None else {"held_out": held})}
        rates: dict[str, Any] = {"held_out": None, "random_held_out": None}
        images, examples, classes = {"patch": patch}, list[dict[str, Any]](), dict[int, int]()
        before = self.steps
        for name, pictures in sets.items():
            rows = np.arange(self.trials) % len(pictures)
            places = self._places(pictures, self.trials, patch.shape[1], random)
            shown = pictures is (fitted if held is None else held)
            for prefix, laid in (("", patch), ("random_", start)):
                reached, done = 0, 0
                for seen, met, some in self._tried(pictures, laid, places, rows):
                    reached, done = reached + int(met.sum()), done + len(some)
                    tell(before + done, f"fresh placement {done} of {self.trials}")
                    if shown and not prefix:
                        self._show(model, pictures, seen, met, some, images, examples, classes)
                rates[f"{prefix}{name}"] = rate_of(reached, self.trials)
                before += self.trials
        ordered = sorted(classes.items(), key=lambda pair: (-pair[1], pair[0]))
        queries = {
            kind: sum(sum(one.oracle.queries.row(k)[kind] for k in range(len(one))) for one in sets.values())
            for kind in ("judge", "forward", "backward")
        }
        return PatchItem(
            goal=fitted.goal, shape=self.shape, share=self.share, side=patch.shape[1],
            transformations=tuple(map(str, self.kinds())), rates=rates,
            classes=tuple({"class": k, "label": model.label(k), "trials": count} for k, count in ordered),
            shown_of="fitted" if held is None else "held_out", examples=tuple(examples),
            pictures_={name: len(one) for name, one in sets.items()},
            left_out={name: one.left_out for name, one in sets.items()}, queries=queries, print_mm=self.print_mm,
            dpi=self.dpi, images=images, reason=None if held is not None else "no pictures were held out",
        )  # fmt: skip

    def _show(
        self, model: Model, pictures: PictureSet, seen: Floats, met: Any, rows: Rows, images: dict[str, Any],
        examples: list[dict[str, Any]], classes: dict[int, int],
    ) -> None:  # fmt: skip
        """Count what those that arrived are called now, and keep the first trials to be looked at."""
        said = pictures.oracle.variable.verdict(pictures.oracle.variable.fed(seen, rows))
        for k, row in enumerate(rows.tolist()):
            now = None if said is None else int(said.classes[k])
            if met[k] and now is not None:
                classes[now] = classes.get(now, 0) + 1
            if len(examples) < _EXAMPLES:
                images[f"placed-{len(examples) + 1}"] = seen[k]
                examples.append({
                    "path": pictures.shots.names[row], "label": pictures.shots.shown(row).label,
                    "label_after": None if now is None else model.label(now), "reached": bool(met[k]),
                })  # fmt: skip
