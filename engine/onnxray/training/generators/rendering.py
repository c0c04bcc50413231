"""What a generator that was trained shows: its pictures of classes or channels, judged as they are saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.methods.as_typed import plain_fields
from onnxray.methods.method import Method
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.training.generators.item import GeneratedItem
from onnxray.training.generators.shown import Generator, check_fits, judged, read_numbers


@final
@dataclass(frozen=True, kw_only=True)
class RenderGenerator(Method[GeneratedItem]):
    """The pictures of a generator, 127.5 (G(i) + 1), as ONNX Runtime sees them."""

    name: ClassVar[str] = "generator-render"
    item_type: ClassVar[type[Any]] = GeneratedItem
    needs_images: ClassVar[bool] = False

    generator: Annotated[str | None, "the generator's file, which is needed"] = None
    numbers: Annotated[str | None, "the classes or channels that are shown, as 0-9 or 1,5,7; all where left out"] = None
    samples: Annotated[int, "pictures of each; several take a generator with noise", Range(1, 10_000)] = 1

    def __post_init__(self) -> None:
        check_choices(self)
        if self.generator is None:
            raise InputError("no generator was given; state its file: --generator generator.onnx")

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for it."""
        return "generator", "render"

    def as_typed(self, _images: object, _goal: object) -> dict[str, Any]:
        """The command's options."""
        return plain_fields(self)

    def run(self, model: Model, _pixels: Pixels, _goal: Any, run: Run) -> Iterator[GeneratedItem]:
        """Give an item for each picture."""
        assert self.generator is not None
        opened = Generator.opened(self.generator)
        for note in check_fits(opened, model):
            run.note(note)
        if self.samples > 1 and not opened.noise:
            raise InputError(
                "the generator takes no noise, so its pictures of a class are all one; train one: --noise 16"
            )
        wanted = None if self.numbers is None else read_numbers(self.numbers, "numbers", max(opened.numbers) + 1)
        yield from judged(opened, model, wanted, self.samples, run.random)
