"""Several methods on the same images and target, side by side, with figures by which they can be told apart."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxray.assess.maps.check import curve_figures
from onnxray.assess.maps.insertion_deletion import Start
from onnxray.assess.maps.item import CheckedItem
from onnxray.assess.maps.summary import summarize
from onnxray.errors import InputError, OnnxrayError
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Progress, Run, silent
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.found_objects import is_pointed_at
from onnxray.methods.saliency.objects_of_maps import Reference, references_of
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective
from onnxray.objectives.targets import read_target
from onnxray.results.finished_items import Tape
from onnxray.results.provenance import Provenance, provenance
from onnxray.results.result import Result

if TYPE_CHECKING:
    from onnxray.results.keeping import Keeping


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Which figures stand beside the maps; curve_steps of 0 leaves the curves out."""

    curve_steps: int = 50
    curve_start: Start = "blur"
    pointing_tolerance: float = 15.0


def compare(
    model: Model,
    images: object,
    methods: Sequence[Saliency],
    target: object = None,
    *,
    references: Sequence[Reference] = (),
    figures: Figures | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    keep: Keeping | None = None,
) -> Result[CheckedItem]:
    """The maps of every method on every image, one target for all, with their figures.

    A method that cannot explain an image (it has no layer of the kind, nothing to rectify, a zero gradient) does not
    end the comparison: image, method and reason stand in ``extra["refused"]``. ``extra["summary"]``: mean and median.
    seconds: of one image on its own; the first time that a method works on a network includes what it prepares.
    Interrupted (Ctrl-C), what is finished is given. keep: where the maps are written as they are finished (see
    onnxray.results.keeping). Errors: InputError.
    """
    if not methods:
        raise InputError("no methods were given to compare; name one or several")
    started = time.perf_counter()
    wanted = figures or Figures()
    pixels = model.pixels(images)
    if references and pixels.plain:
        raise InputError("a reference box needs images, and this model's input is none")
    given = references_of(references, len(pixels))
    for reference in references:
        reference.checked(pixels.array.shape[2:])
    objective = read_target(model, pixels, target)
    tape = Tape[CheckedItem](keep)
    tape.notes_of(()).extend(pixels.notes)

    def stamp() -> Provenance:
        return provenance(
            model, name="compare", seed=seed, seconds=round(time.perf_counter() - started + tape.seconds, 3),
            notes=tape.notes, options={
                "methods": {method.name: method.options() for method in methods}, "curve_steps": wanted.curve_steps,
                "curve_start": wanted.curve_start, "pointing_tolerance": wanted.pointing_tolerance,
            },
        )  # fmt: skip

    if keep is not None:
        options = [method.options() for method in methods]
        tape.begin(*keep.begin(stamp, (pixels, images, target, references, options), CheckedItem))
    interrupted = False
    whole = Run(np.random.default_rng(seed), silent, tape.notes_of(()), images, tape)
    try:
        for (place, (count, method)), own in whole.units(itertools.product(range(len(pixels)), enumerate(methods))):
            index = np.array([place])
            one, target_ = pixels.rows(index), objective.rows(index)
            if progress is not None:
                progress(place * len(methods) + count, len(pixels) * len(methods), method.name)
            run = Run(np.random.default_rng(seed), silent, own.notes)
            try:
                found = _maps(model, one, target_, method, place, given[place], wanted, run)
            except OnnxrayError as error:
                own.tell("refused", {"image": place, "path": one.names[0], "method": method.name, "reason": str(error)})
                continue
            for item in found:
                tape.add(item)
    except KeyboardInterrupt:
        if not tape.items:
            raise
        tape.settle()
        interrupted = True
    extra = {"refused": list(tape.facts("refused")), "summary": summarize(tape.items)}
    return Result(replace(stamp(), interrupted=interrupted), tape.items, None, extra)


def _maps(
    model: Model, one: Pixels, target: Objective, method: Saliency, place: int, reference: Reference | None,
    wanted: Figures, run: Run,
) -> list[CheckedItem]:  # fmt: skip
    """One method's maps of one image, with their figures."""
    if model.profile is None and method.images_only:
        raise InputError(f"{method.name} works on images, and this model's input is none")
    started = time.perf_counter()
    maps = list(method.run(model, one, target, run))
    seconds = time.perf_counter() - started
    found = []
    for item in maps:
        # Images of one name in several folders stay apart, and each is one file for all methods.
        stem = f"{Path(item.path).stem if item.path else 'image'}-{place}"
        figures: dict[str, Any] = {"seconds": seconds}
        if wanted.curve_steps:
            figures |= curve_figures(model, one, target, item, wanted.curve_steps, wanted.curve_start, run)
        if reference is not None:
            figures["reference_box"] = list(reference.box)
            figures["pointed_at"] = is_pointed_at(item.heat, reference.box, wanted.pointing_tolerance)
        found.append(CheckedItem(map=replace(item, stem=stem), figures=figures))
    return found
