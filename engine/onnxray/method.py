"""The sealed base of every method: a frozen value whose fields are its options, and a ``run``."""

from __future__ import annotations

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, final, get_origin, get_type_hints

import numpy as np

from onnxray.checks import brief, check_callable, check_kind
from onnxray.errors import InputError
from onnxray.images import Pixels
from onnxray.model import Model
from onnxray.results import ItemT, Result, provenance

Progress = Callable[[int, int, str], None]
"""(units done, units in all, what is being done)."""


@dataclass(frozen=True)
class Run:
    """What a running method is handed besides its data: a seeded generator, progress, and a place for notes.

    given: the images as the caller gave them, for a method that works at their own size.
    """

    random: np.random.Generator
    progress: Progress
    notes: list[str]
    given: object = None

    def note(self, text: str) -> None:
        """Say something that belongs in the result; once, however often it is found again."""
        if text not in self.notes:
            self.notes.append(text)


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
    ) -> Result[ItemT]:
        """Run on images (paths, PIL images or arrays), towards a goal where the method takes one."""
        started = time.perf_counter()
        if not isinstance(model, Model):
            raise InputError(f"the model is a {type(model).__name__}; open it first: onnxray.open(path)")
        if model.profile is None and self.images_only:
            raise InputError(
                f"{self.name} works on images, and this model's input is no image (no profile fits it); "
                "state how pixels enter it with --profile"
            )
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InputError(f"seed is {brief(seed)}; a whole number from 0 was expected")
        if images is None and not self.needs_images and model.profile is not None:
            pixels = Pixels(np.zeros((0, *model.profile.shape), np.float32), ())
        else:
            pixels = model.pixels(() if images is None else images)
        if progress is not None:
            check_callable("progress", progress, "done", "total", "what")
        check_kind("keep_partial", keep_partial, bool)
        run = Run(np.random.default_rng(seed), progress or silent, list(pixels.notes), images)
        if (mixed := model.mixing.note()) is not None:
            run.note(mixed)
        items: list[ItemT] = []
        interrupted = False
        try:
            for item in self.run(model, pixels, goal, run):
                if not isinstance(item, self.item_type):
                    raise TypeError(f"method {self.name!r} gave a {type(item).__name__}; its author must mend that")
                items.append(item)
        except KeyboardInterrupt:
            if not keep_partial or not items:
                raise
            interrupted = True
        stamp = provenance(
            model, name=self.name, options=self.options(), seed=seed,
            seconds=round(time.perf_counter() - started, 3), notes=run.notes,
        )  # fmt: skip
        return Result(dataclasses.replace(stamp, interrupted=interrupted), tuple(items))

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
