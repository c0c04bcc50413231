"""Several methods on the same images and target, side by side, with figures by which they can be told apart."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from onnxray.assess.maps.figures import Figures
from onnxray.assess.maps.item import CheckedItem
from onnxray.assess.maps.summary import summarize
from onnxray.errors import InputError, OnnxrayError
from onnxray.images.pixels import Pixels
from onnxray.methods.as_typed import methods_typed, path_texts, plain_fields, target_text
from onnxray.methods.method import Method
from onnxray.methods.option_checks import refuse_without_images
from onnxray.methods.run import Run, generator_of, silent
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.objects_of_maps import Reference, references_of
from onnxray.methods.subjects import refuse_several
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective
from onnxray.objectives.targets import read_target
from onnxray.results.file_names import stem_of
from onnxray.results.finished_items import Tape


@final
@dataclass(frozen=True, kw_only=True)
class Comparison(Figures, Method[CheckedItem]):
    """The maps of every method on every image, one target for all, with their figures.

    A method that cannot explain an image (it has no layer of the kind, nothing to rectify, a zero gradient) does not
    end the comparison: image, method and reason stand in ``extra["refused"]``. ``extra["summary"]``: mean and median.
    seconds: of one image on its own; the first time that a method works on a network includes what it prepares.
    Errors: InputError.
    """

    name: ClassVar[str] = "compare"
    item_type: ClassVar[type[Any]] = CheckedItem
    images_only: ClassVar[bool] = False

    methods: tuple[Saliency, ...]
    references: tuple[Reference, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.methods:
            raise InputError("no methods were given to compare; name one or several")

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for it."""
        return ("saliency", "compare")

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options: the methods by name, and what is set of each."""
        return {
            "images": path_texts("the images", images), "target": target_text(goal),
            **plain_fields(self, without=("methods",)), **methods_typed(self.methods),
        }  # fmt: skip

    def options(self) -> dict[str, Any]:
        """The options, those of every method among them, as they stand in provenance."""
        own = {name: value for name, value in super().options().items() if name not in {"methods", "references"}}
        return {"methods": {method.name: method.options() for method in self.methods}, **own}

    def refuse_if_unfit(self, model: Model) -> None:
        """Refuse reference boxes where there are no images, and maps of several inputs; methods are refused one by one,
        beside the others.
        """
        for method in self.methods:
            refuse_several(model, method.wrt)
        if self.references:
            refuse_without_images(model, "a reference box needs images")

    def extra(self, tape: Tape[CheckedItem]) -> dict[str, Any]:
        """``refused``: what could not be had, and why; ``summary``: mean and median of every figure."""
        return {"refused": list(tape.facts("refused")), "summary": summarize(tape.items)}

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[CheckedItem]:
        """Give the maps with their figures, image by image."""
        references = references_of(self.references, len(pixels))
        for reference in self.references:
            reference.checked(pixels.array.shape[2:])
        pixels = model.encoded(pixels)
        objective = read_target(model, pixels, goal)
        count = len(self.methods)
        for (place, (number, method)), own in run.units(itertools.product(range(len(pixels)), enumerate(self.methods))):
            index = np.array([place])
            one, target = pixels.rows(index), objective.rows(index)
            run.progress(place * count + number, len(pixels) * count, method.name)
            # Every method begins with the same random numbers, alone or in company.
            alone = Run(generator_of(run.random, ()), silent, own.notes)
            try:
                items = self._items(model, one, target, method, place, references[place], alone)
            except OnnxrayError as error:
                own.tell("refused", {"image": place, "path": one.names[0], "method": method.name, "reason": str(error)})
                continue
            yield from items

    def _items(
        self, model: Model, one: Pixels, target: Objective, method: Saliency, place: int, reference: Reference | None,
        run: Run,
    ) -> list[CheckedItem]:  # fmt: skip
        """One method's maps of one image, with their figures."""
        method.refuse_if_unfit(model)
        started = time.perf_counter()
        maps = list(method.run(model, one, target, run))
        seconds = time.perf_counter() - started
        items = []
        for item in maps:
            # Images of one name in several folders stay apart, and each is one file for all methods.
            stem = stem_of(item.path, place)
            figures = {"seconds": seconds, **self.of_map(model, one, target, item, reference, run.random)}
            items.append(CheckedItem(map=replace(item, stem=stem), figures=figures))
        return items
