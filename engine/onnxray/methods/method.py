"""The sealed base of every method: a frozen value whose fields are its options, and a ``run``."""

from __future__ import annotations

import dataclasses
import inspect
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, final

import numpy as np

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.errors.type_checks import check_callable, check_kind, check_seed
from onnxray.images.pixels import Pixels, read_at_own_size
from onnxray.methods.as_typed import call_of, path_texts, plain_fields, target_text
from onnxray.methods.documentation import documentation
from onnxray.methods.option_checks import OptionsByName, refuse_without_images
from onnxray.methods.own_methods import note_of_own
from onnxray.methods.run import Progress, Run, silent
from onnxray.model.model import Model
from onnxray.notebooks.progress_bars import check_progress, shown
from onnxray.results.finished_items import Tape
from onnxray.results.item import ItemT
from onnxray.results.made_from import made_from
from onnxray.results.provenance import Provenance, provenance
from onnxray.results.result import Result

if TYPE_CHECKING:
    from onnxray.results.keeping import Keeping


class Method(Generic[ItemT], metaclass=OptionsByName):
    """A configured method. Subclasses are frozen keyword-only dataclasses, one file each.

    Calling one reads the images, seeds, runs, stamps provenance. With ``keep_partial`` an interruption (Ctrl-C) ends
    the run and gives what is finished, marked ``interrupted``.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    """What the class says of itself; its whole documentation, formula and options included, is put together of it."""
    item_type: ClassVar[type[Any]]
    images_only: ClassVar[bool] = True
    """Whether a model whose input is no image is refused."""
    needs_images: ClassVar[bool] = True
    """Whether it works on images at all; where not, none may be given (activation maximisation starts from noise)."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Show the formula, the source and the options in ``help``, of every method that is no base of others."""
        super().__init_subclass__(**options)
        if "name" in cls.__dict__:
            cls.summary = inspect.cleandoc(cls.__doc__ or "")
            cls.__doc__ = documentation(cls)

    @final
    def __call__(
        self,
        model: Model,
        images: object = None,
        goal: object = None,
        *,
        seed: int = 0,
        progress: Progress | bool | None = None,
        keep_partial: bool = False,
        keep: Keeping | None = None,
        each: Callable[[ItemT], ItemT] | None = None,
        target: object = None,
    ) -> Result[ItemT]:
        """Run on images (paths, PIL images or arrays), towards a goal where the method takes one.

        target: another name of the goal: what a map explains, what is climbed, the images that LOTS makes for.
        progress: a function of (done, total, what), called as the run goes on; True for a bar of tqdm's, False for
        none. Left out, there is a bar in a notebook where tqdm is installed, and none elsewhere.
        keep: where items are written as they are finished (see onnxray.results.keeping). each: done to every item
        before that.
        """
        started = time.perf_counter()
        if target is not None and goal is not None:
            raise InputError(f"goal is {short(goal)} and target {short(target)}; they are one thing, give one of them")
        goal = target if goal is None else goal
        if not isinstance(model, Model):
            raise InputError(f"the model is a {type(model).__name__}; open it first: onnxray.open(path)")
        self.refuse_if_unfit(model)
        check_seed(seed)
        pixels, pictures = self._read(model, images)
        check_progress(progress)
        check_callable("each", each, "item", optional=True)
        if keep is not None:
            from onnxray.results.keeping import Keeping  # it writes what methods give

            check_kind("keep", keep, Keeping)
        check_kind("keep_partial", keep_partial, bool)
        tape = Tape[ItemT](keep)

        def stamp() -> Provenance:
            seconds = round(time.perf_counter() - started + tape.seconds, 3)
            return provenance(
                model, name=self.name, options=self.options(), seed=seed, seconds=seconds, notes=tape.notes
            )

        mixed = model.mixing.note()
        own = note_of_own(type(self)) or note_of_own(type(getattr(self, "method", self)))  # the one that is checked
        tape.notes_of(()).extend([*pixels.notes, *(note for note in (mixed, own) if note is not None)])
        if keep is not None:
            tape.begin(*keep.begin(stamp, (pictures or pixels, images, goal, self.options()), self.item_type))
        interrupted = False
        try:
            with shown(progress) as tick:
                run = Run(np.random.default_rng(seed), tick or silent, tape.notes_of(()), pictures, tape)
                for item in self.run(model, pixels, goal, run):
                    if not isinstance(item, self.item_type):
                        raise TypeError(f"method {self.name!r} gave a {type(item).__name__}; its author must mend that")
                    tape.add(item if each is None else each(item))
        except KeyboardInterrupt:
            if not keep_partial or not tape.items:
                raise
            tape.settle()
            interrupted = True
        made = made_from(call_of(self, model, images, goal, seed=seed, each=each), model)
        stamped = dataclasses.replace(stamp(), interrupted=interrupted, made_from=made)
        return Result(stamped, tape.items, None, self.extra(tape))

    def _read(self, model: Model, images: object) -> tuple[Pixels, Sequence[Pixels]]:
        """The images at the model's size, or one by one at their own."""
        longest = self.longest_side()
        as_needed = self.read_as_needed(model, images)
        if as_needed is not None:
            assert model.profile is not None
            return Pixels.blank(model.profile, 0), as_needed
        if model.profile is not None:
            if images is None and not self.needs_images:
                return Pixels.blank(model.profile, 0), ()
            if longest is not None:
                own = model.pixels(images) if isinstance(images, Pixels) else images
                pictures = read_at_own_size(() if own is None else own, model.profile, longest, strict=model.strict)
                return Pixels.blank(model.profile, 0), pictures
        if images is None and model.profile is None:
            raise InputError(f"{self.name} was given no samples, and this model's input is no picture to begin from")
        return model.pixels(() if images is None else images), ()

    def longest_side(self) -> int | None:
        """What pictures' longer side is reduced to, for a method that takes them at their own sizes; else None."""
        return None

    def read_as_needed(self, model: Model, images: object) -> Sequence[Pixels] | None:
        """The images one by one, read when they are asked for, of a method that takes any number of them; else None."""
        return None

    def refuse_if_unfit(self, model: Model) -> None:
        """Refuse a model that the method cannot work on, before anything is run. Errors: InputError."""
        if self.images_only:
            refuse_without_images(model, f"{self.name} works on images")

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for this method; () where no command runs it."""
        return ()

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options by their parameters' names, but for those of opening. Errors: as_typed.Unstated."""
        return {"images": path_texts("the images", images), "target": target_text(goal), **plain_fields(self)}

    def extra(self, tape: Tape[ItemT]) -> dict[str, Any]:
        """What the document states beside the items, of what is finished."""
        return {}

    @abstractmethod
    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[ItemT]:
        """Give items as they are finished."""

    def options(self) -> dict[str, Any]:
        """The options, as they stand in provenance."""
        assert dataclasses.is_dataclass(self)
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
