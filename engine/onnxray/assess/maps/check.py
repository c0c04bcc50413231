"""A saliency method put to the test on images: insertion and deletion, pointing, noise, weights drawn anew."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np

from onnxray.assess.maps.figures import Figures
from onnxray.assess.maps.item import CheckedItem
from onnxray.assess.maps.noise_stability import Heat, stability
from onnxray.assess.maps.rank_correlation import rank_correlation
from onnxray.assess.maps.redrawn_weights import reinitialised
from onnxray.assess.maps.summary import summarize
from onnxray.errors import NotDifferentiable, OnnxrayError
from onnxray.images.pixels import Pixels
from onnxray.methods.as_typed import path_texts, plain_fields, target_text
from onnxray.methods.method import Method
from onnxray.methods.option_checks import check_range, refuse_without_images
from onnxray.methods.run import Progress, Run, silent
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.item import MapItem
from onnxray.methods.saliency.objects_of_maps import Reference, references_of
from onnxray.methods.subjects import refuse_several
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective
from onnxray.objectives.targets import read_target
from onnxray.results.file_names import stem_of
from onnxray.results.finished_items import Tape

# Images and noisy copies that a method is given at once.
_GROUP = 16


@dataclass(frozen=True)
class _Part:
    """Some neighbouring images of a run, and where they stand in it."""

    pixels: Pixels
    objective: Objective
    references: tuple[Reference | None, ...]
    start: int
    count: int

    def told(self, progress: Progress) -> Progress:
        """What is done of the part, as what is done of the whole."""
        share = len(self.pixels) / self.count
        if share == 1:
            return progress
        whole = 3 * self.count
        return lambda done, total, what: progress(int(3 * self.start + share * whole * done / total), whole, what)


@final
@dataclass(frozen=True, kw_only=True)
class Check(Figures, Method[CheckedItem]):
    """Whether a method's maps can be believed, image by image.

    The maps' target is read once, on the network and the image as they are.
    """

    name: ClassVar[str] = "check"
    item_type: ClassVar[type[Any]] = CheckedItem
    images_only: ClassVar[bool] = False

    method: Saliency
    references: tuple[Reference, ...] = ()
    noise_copies: Annotated[int, "noisy copies of each image; 0 leaves the stability out"] = 10
    noise_level: Annotated[float, "noise: uniform, up to so many grey levels"] = 5.0
    weights: Annotated[
        Literal["cascade", "independent", "none"],
        "which weights are drawn anew: of all layers from the output down to one, or of one layer alone",
    ] = "cascade"
    weights_draw: Annotated[
        Literal["normal", "permuted"], "normal: with each tensor's mean and deviation; permuted: its own numbers"
    ] = "normal"
    weights_stages: Annotated[int, "layers at which the maps are compared, evenly chosen from the output down"] = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("noise_copies", self.noise_copies, 0, 10_000)
        check_range("noise_level", self.noise_level, 1e-6, 255)
        check_range("weights_stages", self.weights_stages, 1, 10_000)

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for it."""
        return ("saliency", "check", self.method.name)

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options, the method's among them."""
        return {
            "images": path_texts("the images", images), "target": target_text(goal),
            **plain_fields(self, without=("method",)), **plain_fields(self.method),
        }  # fmt: skip

    def options(self) -> dict[str, Any]:
        """The options, the method's among them, as they stand in provenance."""
        own = {name: value for name, value in super().options().items() if name not in {"method", "references"}}
        return {"method": self.method.name, "method_options": self.method.options(), **own}

    def refuse_if_unfit(self, model: Model) -> None:
        """Refuse where the method that is checked does, and reference boxes where there are no images."""
        self.method.refuse_if_unfit(model)
        refuse_several(model, self.method.wrt)
        if self.references:
            refuse_without_images(model, "a reference box needs images")

    def extra(self, tape: Tape[CheckedItem]) -> dict[str, Any]:
        """``summary``: mean and median of every figure over the images."""
        return {"summary": summarize(tape.items)}

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[CheckedItem]:
        """Give the maps with their figures, in order of the images."""
        references = references_of(self.references, len(pixels))
        for given in self.references:
            given.checked(pixels.array.shape[2:])
        pixels = model.encoded(pixels)
        objective = read_target(model, pixels, goal, self.method.score)
        seed = int(run.random.integers(2**31))
        drawing = copy.deepcopy(run.random)
        for start, own in run.units(range(0, len(pixels), _GROUP)):
            index = np.arange(start, min(start + _GROUP, len(pixels)))
            # The weights drawn anew are the same for all groups; the first one goes on with the run's own generator.
            drawn = copy.deepcopy(drawing) if start else own.random
            part = _Part(
                pixels.rows(index), objective.rows(index), references[start : start + _GROUP], start, len(pixels)
            )
            yield from self._group(model, part, seed, drawn, own.telling(part.told(run.progress)))
        run.progress(3 * len(pixels), 3 * len(pixels), "done")

    def _group(
        self, model: Model, part: _Part, seed: int, drawn: np.random.Generator, run: Run
    ) -> Iterator[CheckedItem]:
        """Some neighbouring images."""
        pixels, objective = part.pixels, part.objective
        quiet = Run(
            np.random.default_rng(seed), lambda done, total, what: run.progress(done, 3 * total, what), run.notes
        )
        items = list(self.method.run(model, pixels, objective, quiet))
        places = _places(items)
        correlations = None
        if self.weights != "none":
            correlations = self._weights(model, pixels, objective, items, seed, drawn, run)
        for place in range(len(pixels)):
            index = np.array([place])
            one, target = pixels.rows(index), objective.rows(index)
            own = [(number, item) for number, (item, at) in enumerate(zip(items, places)) if at == place]
            heats: dict[str | None, Heat] = {item.layer: item.heat for _, item in own}
            stable = self._stability(model, one, target, heats, seed, run)
            for number, item in own:
                run.progress(2 * len(pixels) + place, 3 * len(pixels), "curves and noise")
                figures = self.of_map(model, one, target, item, part.references[place], run.random)
                if stable:
                    figures["noise"] = stable[item.layer]
                if correlations is not None:
                    figures["weights"] = correlations[number]
                stem = stem_of(item.path, part.start + place)
                yield CheckedItem(map=replace(item, stem=stem), figures=figures)

    def _weights(
        self,
        model: Model,
        pixels: Pixels,
        objective: Objective,
        items: Sequence[MapItem],
        seed: int,
        drawn: np.random.Generator,
        run: Run,
    ) -> list[list[dict[str, Any]]]:
        """Each map's rank correlation with that of the changed network, layer by layer from the output down."""
        found: list[list[dict[str, Any]]] = [[] for _ in items]
        places = _places(items)
        changed_models = reinitialised(
            model, order="independent" if self.weights == "independent" else "cascade", draw=self.weights_draw,
            stages=self.weights_stages, random=drawn,
        )  # fmt: skip
        for stage, (layer, changed) in enumerate(changed_models):
            run.progress(self.weights_stages + stage, 3 * self.weights_stages, f"weights drawn anew down to {layer}")
            try:
                heats = self._heats(changed, pixels, objective, seed)
            except OnnxrayError as error:
                for entries in found:
                    entries.append({"layer": layer, "correlation": None, "reason": str(error)})
                continue
            for entries, item, place in zip(found, items, places):
                rho = rank_correlation(np.abs(item.heat), np.abs(heats[place][item.layer]))
                reason = "a map is flat and orders nothing" if rho is None else None
                entries.append({"layer": layer, "correlation": rho, "reason": reason})
        return found

    def _stability(
        self, model: Model, one: Pixels, target: Objective, heats: dict[str | None, Heat], seed: int, run: Run
    ) -> dict[str | None, dict[str, Any]]:
        if not self.noise_copies:
            return {}

        def maps(noisy: Pixels) -> list[dict[str | None, Heat]]:
            return self._heats(model, noisy, target.rows(np.zeros(len(noisy), np.int64)), seed)

        try:
            return stability(maps, one, heats, copies=self.noise_copies, level=self.noise_level, random=run.random)
        except OnnxrayError as error:
            lost = {"mean": None, "max": None, "correlation": None, "reason": str(error)}
            return dict.fromkeys(heats, lost)

    def _heats(self, model: Model, pixels: Pixels, objective: Objective, seed: int) -> list[dict[str | None, Heat]]:
        """The method's maps alone, by layer, one dictionary an image; random methods start from the same seed."""
        run = Run(np.random.default_rng(seed), silent, [])
        found: list[dict[str | None, Heat]] = [{} for _ in range(len(pixels))]
        for start in range(0, len(pixels), _GROUP):
            index = np.arange(start, min(start + _GROUP, len(pixels)))
            for row, map_ in self.method.maps(model, pixels.rows(index), objective.rows(index), run):
                if not np.isfinite(map_.heat).all():
                    raise NotDifferentiable(
                        f"the map of {self.method.name} is not finite on the changed network or image"
                    )
                found[start + row][map_.layer] = map_.heat
        return found


def _places(items: Sequence[MapItem]) -> list[int]:
    """The place of each map's image: maps of one image share their stem."""
    order = {stem: place for place, stem in enumerate(dict.fromkeys(item.stem for item in items))}
    return [order[item.stem] for item in items]
