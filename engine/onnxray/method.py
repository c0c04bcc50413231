"""The sealed base of every method: a frozen value whose fields are its options, and a ``run``."""

from __future__ import annotations

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, final, get_origin, get_type_hints

import numpy as np

from onnxray.checks import check_callable, check_kind
from onnxray.errors import InputError
from onnxray.images import Pixels
from onnxray.journal import Unit
from onnxray.model import Model
from onnxray.results import ItemT, Provenance, Result, provenance
from onnxray.short_values import short
from onnxray.tape import Tape

if TYPE_CHECKING:
    from onnxray.keeping import Keeping

Piece = TypeVar("Piece")
Progress = Callable[[int, int, str], None]
"""(units done, units in all, what is being done)."""


@dataclass(frozen=True)
class Run:
    """What a running method is handed besides its data: a seeded generator, progress, and a place for notes.

    given: the images as the caller gave them, for a method that works at their own size. tape, unit: where what is
    finished goes, and which part of the run this is; a run without a tape, of a method within another, has units too,
    but one generator for all of them.
    """

    random: np.random.Generator
    progress: Progress
    notes: list[str]
    given: object = None
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


class Method(ABC, Generic[ItemT]):
    """A configured method. Subclasses are frozen keyword-only dataclasses, one file each.

    Calling one reads the images, seeds, runs, stamps provenance. With ``keep_partial`` an interruption (Ctrl-C) ends
    the run and gives what is finished, marked ``interrupted``.
    """

    name: ClassVar[str]
    item_type: ClassVar[type[Any]]
    images_only: ClassVar[bool] = True
    """Whether a model whose input is no image is refused."""
    needs_images: ClassVar[bool] = True
    """Whether it works on images at all; where not, none may be given (activation maximisation starts from noise)."""

    @final
    def __call__(
        self,
        model: Model,
        images: object = None,
        goal: object = None,
        *,
        seed: int = 0,
        progress: Progress | None = None,
        keep_partial: bool = False,
        keep: Keeping | None = None,
        each: Callable[[ItemT], ItemT] | None = None,
    ) -> Result[ItemT]:
        """Run on images (paths, PIL images or arrays), towards a goal where the method takes one.

        keep: where items are written as they are finished (see onnxray.keeping). each: done to every item before that.
        """
        started = time.perf_counter()
        if not isinstance(model, Model):
            raise InputError(f"the model is a {type(model).__name__}; open it first: onnxray.open(path)")
        if model.profile is None and self.images_only:
            raise InputError(
                f"{self.name} works on images, and this model's input is no image (no profile fits it); "
                "state how pixels enter it with --profile"
            )
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InputError(f"seed is {short(seed)}; a whole number from 0 was expected")
        if images is None and not self.needs_images and model.profile is not None:
            pixels = Pixels(np.zeros((0, *model.profile.shape), np.float32), ())
        else:
            pixels = model.pixels(() if images is None else images)
        check_callable("progress", progress, "done", "total", "what", optional=True)
        check_callable("each", each, "item", optional=True)
        if keep is not None:
            from onnxray.keeping import Keeping  # it writes what methods give

            check_kind("keep", keep, Keeping)
        check_kind("keep_partial", keep_partial, bool)
        tape = Tape[ItemT](keep)

        def stamp() -> Provenance:
            seconds = round(time.perf_counter() - started + tape.seconds, 3)
            return provenance(
                model, name=self.name, options=self.options(), seed=seed, seconds=seconds, notes=tape.notes
            )

        mixed = model.mixing.note()
        tape.notes_of(()).extend([*pixels.notes, *([] if mixed is None else [mixed])])
        if keep is not None:
            tape.begin(*keep.begin(stamp, (pixels, images, goal, self.options()), self.item_type))
        interrupted = False
        try:
            run = Run(np.random.default_rng(seed), progress or silent, tape.notes_of(()), images, tape)
            for item in self.run(model, pixels, goal, run):
                if not isinstance(item, self.item_type):
                    raise TypeError(f"method {self.name!r} gave a {type(item).__name__}; its author must mend that")
                tape.add(item if each is None else each(item))
        except KeyboardInterrupt:
            if not keep_partial or not tape.items:
                raise
            tape.settle()
            interrupted = True
        return Result(dataclasses.replace(stamp(), interrupted=interrupted), tape.items)

    @abstractmethod
    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[ItemT]:
        """Give items as they are finished."""

    def options(self) -> dict[str, Any]:
        """The options, as they stand in provenance."""
        assert dataclasses.is_dataclass(self)
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def check_choices(method: object) -> None:
    """Refuse options that are none of their choices, or of the wrong type. Errors: InputError."""
    for name, kind in get_type_hints(type(method)).items():
        if get_origin(kind) is not ClassVar:
            check_kind(name, getattr(method, name), kind)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse an option outside of its range. Errors: InputError."""
    check_kind(name, value, float)
    if not low <= value <= high:
        raise InputError(f"{name} is {value!r}; {low:g} to {high:g} was expected")


def silent(done: int, total: int, what: str) -> None:
    """No progress is shown."""
