"""A generator's pictures as perturbations that fool a model on other pictures.

    x' = clip(round(x + e V_i), 0, 255),   V_i = G(i) in [-1, 1];   fooled: argmax D(x') != argmax D(x)

The fooling rate at e is the mean over all i and all pictures; targeted: argmax D(x') = i, of pictures that are no i.
Beside it that of random signs, S in {-1, 1}, drawn for the first five i: of the same maximum, e S, and of the same size
in L2, e rms(V_i) S; and of a perturbation that is given, scaled to a largest number of 1. ``form="signs"`` adds
sign(V_i) in place of V_i: all that a limit of e for each number allows. Judged by ONNX Runtime on 8-bit pictures.
(Karagounis, section IV.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.errors import InputError
from onnxray.images.array_files import read_npy
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.as_typed import path_texts, plain_fields
from onnxray.methods.attack.rates import share_of
from onnxray.methods.method import Method
from onnxray.methods.option_checks import check_choices
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.notebooks.displayed import one_line
from onnxray.results.file_names import stem_named
from onnxray.results.finished_items import Tape
from onnxray.results.item import Item
from onnxray.training.generators.shown import Generator, check_fits, pictures_of, read_numbers

_LARGEST, _DRAWS = 255, 5


@dataclass(frozen=True, kw_only=True, eq=False)
class FoolingItem(Item):
    """One perturbation, V_i. rates: at each coefficient e how many of the pictures are fooled, and how many of those
    that were no i become i. rms: of its numbers, from 0 to 1. images: V_i, and a picture before and after at the
    largest coefficient.
    """

    number: int
    label: str
    rms: float
    rates: list[dict[str, Any]]
    stems: Mapping[str, str] = field(repr=False)
    images: Mapping[str, Image8] = field(repr=False)

    def __repr__(self) -> str:
        last = self.rates[-1]
        return one_line(self, f"{self.label}: {last['fooled']} of {last['pictures']} fooled at {last['coefficient']}")

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"number": self.number, "label": self.label, "rms": self.rms, "rates": self.rates}

    def pictures(self) -> dict[str, tuple[str, Image8]]:
        """The perturbation, before and after."""
        return {role: (self.stems[role], picture) for role, picture in self.images.items()}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of the document and its pictures."""
        own = {name: document[name] for name in ("number", "label", "rms", "rates")}
        stems = {role: Path(name).stem for role, name in document["files"].items()}
        return cls(**own, stems=stems, images=dict(pictures))


@final
@dataclass(frozen=True, kw_only=True)
class FoolWithGenerator(Method[FoolingItem]):
    """Add a generator's pictures to others, and count how many a model then takes for something else."""

    name: ClassVar[str] = "generator-fool"
    item_type: ClassVar[type[Any]] = FoolingItem

    generator: Annotated[str | None, "the generator's file, which is needed"] = None
    coefficients: Annotated[str, "what the perturbation is multiplied by, in grey levels, as 1-35 or 1,5,10"] = "1-35"
    numbers: Annotated[str | None, "the classes that are added, as 0-9 or 1,5,7; all where left out"] = None
    form: Annotated[
        Literal["picture", "signs"], "what is added: the picture from -1 to 1, or the sign of each of its numbers"
    ] = "picture"
    universal: Annotated[
        str | None, "a .npy file of another perturbation to compare with, as attack universal writes it"
    ] = None

    def __post_init__(self) -> None:
        check_choices(self)
        if self.generator is None:
            raise InputError("no generator was given; state its file: --generator generator.onnx")
        read_numbers(self.coefficients, "coefficients", _LARGEST + 1, 1)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The coefficients, smallest first. Errors: InputError."""
        return tuple(sorted(read_numbers(self.coefficients, "coefficients", _LARGEST + 1, 1)))

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for it."""
        return "generator", "fool"

    def as_typed(self, images: object, _goal: object) -> dict[str, Any]:
        """The command's options."""
        return {"images": path_texts("the images", images), **plain_fields(self)}

    def run(self, model: Model, pixels: Pixels, _goal: Any, run: Run) -> Iterator[FoolingItem]:
        """Give an item for each perturbation."""
        assert self.generator is not None
        opened = Generator.opened(self.generator)
        for note in check_fits(opened, model):
            run.note(note)
        wanted = None if self.numbers is None else read_numbers(self.numbers, "numbers", max(opened.numbers) + 1)
        places = opened.places(wanted)
        x = to_uint8(pixels.array).astype(np.float32)
        other = None if self.universal is None else _perturbation(self.universal, x.shape[1:])
        said = model.classify(Pixels.of(x))
        v = opened.perturbations(places, np.random.default_rng(run.random.integers(2**31)))
        if self.form == "signs":
            v = np.where(v < 0, np.float32(-1), np.float32(1))
        seed = int(run.random.integers(2**31))
        whole = len(places) + (other is not None)
        for row, own in run.units(range(whole)):
            own.progress(row, whole, "perturbations added to pictures")
            if row == len(places):
                assert other is not None
                for fact in self._rates(model, x, said, other, None):
                    own.tell("universal", fact)
                continue
            number = opened.numbers[places[row]]
            target = number if opened.layer is None else None
            rms = float(np.sqrt(np.square(v[row], dtype=np.float64).mean()))
            if row < _DRAWS:
                self._tell_random(model, x, said, np.random.default_rng([seed, row]), rms, own)
            rates = self._rates(model, x, said, v[row], target)
            label = model.label(number) if opened.layer is None else f"{opened.layer}:{number}"
            images = {
                "perturbation": pictures_of(v[row : row + 1])[0], "before": to_uint8(x[0]),
                "after": added(x[:1], v[row], self.sizes[-1])[0],
            }  # fmt: skip
            stems = {role: stem_named(label, row, role) for role in images}
            stems["before"] = "before"
            yield FoolingItem(number=number, label=label, rms=rms, rates=rates, stems=stems, images=images)

    def _tell_random(
        self, model: Model, x: NDArray[np.float32], said: NDArray[np.int64], random: np.random.Generator, rms: float,
        run: Run,
    ) -> None:  # fmt: skip
        """The rates of random signs of the same maximum as a perturbation, and of the same L2."""
        signs = random.choice(np.array([-1, 1], np.float32), x.shape[1:])
        kinds = {"random": 1.0} if self.form == "signs" else {"random": 1.0, "random_of_the_same_l2": rms}
        for kind, size in kinds.items():
            for fact in self._rates(model, x, said, np.float32(size) * signs, None):
                run.tell(kind, fact)

    def _rates(
        self, model: Model, x: NDArray[np.float32], said: NDArray[np.int64], v: NDArray[np.float32], target: int | None
    ) -> list[dict[str, Any]]:
        """At each coefficient."""
        found: list[dict[str, Any]] = []
        for e in self.sizes:
            now = model.classify(Pixels.of(added(x, v, e).astype(np.float32)))
            others = said != target
            hit = None if target is None else int(((now == target) & others).sum())
            found.append({
                "coefficient": e, "pictures": len(x), "fooled": int((now != said).sum()), "targeted": hit,
                "others": int(others.sum()),
            })  # fmt: skip
        return found

    def extra(self, tape: Tape[FoolingItem]) -> dict[str, Any]:
        """The curve: the mean fooling rates at each coefficient."""
        named = {name: list(tape.facts(name)) for name in ("random", "random_of_the_same_l2", "universal")}
        own = [rate for item in tape.items for rate in item.rates]
        curve = []
        for e in self.sizes:
            row: dict[str, Any] = {"coefficient": e}
            for name, facts in {"generator": own, **named}.items():
                at = [fact for fact in facts if fact["coefficient"] == e]
                row[name] = share_of(sum(f["fooled"] for f in at), sum(f["pictures"] for f in at))
            at = [fact for fact in own if fact["coefficient"] == e and fact["targeted"] is not None]
            row["targeted"] = share_of(sum(f["targeted"] for f in at), sum(f["others"] for f in at))
            curve.append(row)
        return {"fooling": {"curve": curve, "perturbations": len(tape.items)}}


def added(x: NDArray[np.float32], v: NDArray[np.float32], e: float) -> Image8:
    """The saved pictures: clip(round(x + e v), 0, 255)."""
    return to_uint8(x + np.float32(e) * v)


def _perturbation(path: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One that is given, divided by its largest number. Errors: InputError."""
    array = read_npy(Path(path))
    if array.shape != shape or array.dtype.kind != "f":
        raise InputError(
            f"{path} is {array.dtype} of shape {list(array.shape)}; a perturbation of {list(shape)} in real numbers "
            "was expected"
        )
    largest = float(np.abs(array).max())
    if not 0 < largest < np.inf:
        raise InputError(f"{path} is a perturbation whose largest number is {largest:g}; one above 0 was expected")
    return np.asarray(array / largest, np.float32)
