"""Saliency sanity: whether a map changes when weights are drawn anew, layer by layer from the output down.

    rho_s = Spearman's rank correlation of |M(x)| and |M_s(x)|,  M_s of the network with s layers drawn anew

A map that stays the same shows the picture and not what the network has learnt: with all weights drawn anew |rho|
should be near 0. Adebayo et al. 2018 (arXiv 1810.03292). The networks are the same for all pictures of an audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import numpy as np

from onnxray.arrays import Array
from onnxray.assess.audit.check import Check, Outcome, Picture, Row, seed_of
from onnxray.assess.audit.measures.reading import no_classes, row_of_each
from onnxray.assess.audit.measures.spreads import mean_share
from onnxray.assess.audit.work import UNREADABLE
from onnxray.assess.maps.calls import method_of
from onnxray.assess.maps.rank_correlation import rank_correlation
from onnxray.assess.maps.redrawn_weights import reinitialised
from onnxray.errors import OnnxrayError
from onnxray.graph.weight_layers import layer_weights
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.run import Run, silent
from onnxray.model.model import Model
from onnxray.objectives.targets import read_target


@final
@dataclass(frozen=True, kw_only=True)
class SaliencySanity(Check):
    """How much of a map is left when the weights are drawn anew."""

    name: ClassVar[str] = "saliency-sanity"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "whether a saliency map depends on what the network has learnt"
    chunk: ClassVar[int] = 16

    method: Annotated[str, "saliency method by name"] = "grad-cam"
    stages: Annotated[int, "layers at which maps are compared, evenly chosen from the output down", Range(1, 1000)] = 4

    def __post_init__(self) -> None:
        check_choices(self)
        method_of(self.method)

    def unfit(self, model: Model) -> str | None:
        """A classifier of pictures, whose weights can be drawn and which the method takes."""
        if (why := no_classes(model)) is not None:
            return why
        if not any(layer_weights(model.graph).values()):
            return "it has no layer with weights of its own that could be drawn anew"
        try:
            method_of(self.method).refuse_if_unfit(model)
        except OnnxrayError as error:
            return str(error)
        return None

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """Of each picture the correlation at every stage; None, with the reason, where there is none."""
        own: dict[str, tuple[Pixels, Any, Array]] = {}

        def first(picture: Picture, pixels: Pixels) -> Row:
            target = read_target(model, pixels, None, method_of(self.method).score)
            own[picture.sha256] = (pixels, target, self._heat(model, pixels, target, seed_of(seed, self, picture)))
            return {"stages": []}

        rows = [dict(row) for row in row_of_each(model, pictures, first)]
        random = np.random.default_rng(seed_of(seed, self))
        for layer, changed in reinitialised(model, stages=self.stages, random=random):
            for row, picture in zip(rows, pictures):
                if UNREADABLE in row:
                    continue
                pixels, target, heat = own[picture.sha256]
                entry: dict[str, Any] = {"layer": layer, "correlation": None, "reason": None}
                try:
                    other = self._heat(changed, pixels, target, seed_of(seed, self, picture))
                    entry["correlation"] = rank_correlation(np.abs(heat), np.abs(other))
                except OnnxrayError as error:
                    entry["reason"] = str(error)
                else:
                    flat = "a map is flat and orders nothing"
                    entry["reason"] = flat if entry["correlation"] is None else None
                row["stages"] = [*row["stages"], entry]
        return list(rows)

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """The mean |rho| with all layers drawn anew first, then stage by stage from the output down."""
        layers = [entry["layer"] for entry in rows[0]["stages"]] if rows else []
        by_stage = {
            layer: [abs(row["stages"][k]["correlation"]) for row in rows if row["stages"][k]["correlation"] is not None]
            for k, layer in enumerate(layers)
        }
        last = by_stage[layers[-1]] if layers else []
        name, unit = "correlation with weights drawn anew", "|rho|"
        figures = [mean_share(name, last, confidence, unit=unit, better="lower")]
        figures += [
            mean_share(name, numbers, confidence, unit=unit, better="lower", slice=f"down to={layer}")
            for layer, numbers in by_stage.items()
        ]
        missing = sum(row["stages"][-1]["correlation"] is None for row in rows)
        notes = [f"maps: {self.method}, of the class that the file gives"]
        notes += [f"{missing} pictures have no correlation in the last stage, as a map is flat or was refused"] * bool(
            missing
        )
        return Outcome(figures=tuple(figures), notes=tuple(notes))

    def _heat(self, model: Model, pixels: Pixels, target: Any, seed: int) -> Array:
        run = Run(np.random.default_rng(seed), silent, [])
        return next(iter(method_of(self.method).maps(model, pixels, target, run)))[1].heat
