"""Layer stability: whether a picture keeps its class when a layer's own representation is pushed, by LOTS.

    eta_l(x) = J_l(x)^T (+-f_l(x)),   x' = round(clip(x + eps * eta_l / max|eta_l|, 0, 255))     (LOTS, eq. 4)
    stability = mean_i [ C(x'_l) = C(x_i) for every layer l and both signs ]
    gain_l    = median_i | ||f_l(x')|| - ||f_l(x)|| | / ||f_l(x)||, of both signs the larger

The push has a largest change of eps grey levels and one gradient a layer; it asks no label. Rozsa, Guenther, Boult 2016
(arXiv 1611.06503).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, final

import numpy as np

from onnxray.assess.audit.check import Check, Figure, Finding, Outcome, Picture, Row, seed_of, slices_of
from onnxray.assess.audit.measures.reading import no_classes, row_of_each
from onnxray.assess.audit.measures.spreads import median
from onnxray.errors import NotDifferentiable, NotFinite, ZeroGradient
from onnxray.graph.weight_layers import weight_layers
from onnxray.graph.whole_numbers import holds_reals
from onnxray.images.pixels import Pixels
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.option_checks import Range
from onnxray.model.model import Model

_SIGNS: Final = ("magnify", "inhibit")


@final
@dataclass(frozen=True, kw_only=True)
class LayerStability(Check):
    """The share of pictures whose class stays when layers are pushed, layer by layer."""

    name: ClassVar[str] = "layer-stability"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "whether the class stays when a layer's own representation is pushed (LOTS)"
    chunk: ClassVar[int] = 16

    eps: Annotated[float, "grey levels of the push, of the pixel that moves most", Range(1.0, 255.0)] = 8.0
    layers: Annotated[int, "layers with weights that are pushed, evenly chosen", Range(1, 10_000)] = 5

    def unfit(self, model: Model) -> str | None:
        """A classifier of pictures with layers is needed."""
        if (why := no_classes(model)) is not None:
            return why
        return None if _layers(model, 1) else "it has no layer with weights that holds real numbers"

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """Of each picture and layer whether the class stays, and how far its norm goes, relative to what it is."""
        layers = _layers(model, self.layers)

        def measured(picture: Picture, pixels: Pixels) -> Row:
            before = int(model.classify(pixels)[0])
            found: dict[str, dict[str, Any]] = {}
            for layer in layers:
                kept, gains, reason = True, list[float](), None
                for sign in _SIGNS:
                    try:
                        lots = LOTS(layer=layer, until="linf", linf=self.eps)
                        (item,) = lots(model, pixels, sign, seed=seed_of(seed, self, picture)).items
                    except ZeroGradient:  # nothing moves the layer
                        continue
                    except (NotDifferentiable, NotFinite) as error:  # it was not pushed, which is no sign of stability
                        kept, reason = False, str(error)
                        continue
                    kept = kept and item.class_ == before
                    size = item.distance_before
                    gains += [abs(item.distance_after - size) / size] if size > 0 else []
                finite = [gain for gain in gains if math.isfinite(gain)]
                found[layer] = {"kept": kept, "gain": max(finite, default=None), "reason": reason}
            return {"layers": found}

        return row_of_each(model, pictures, measured)

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """The share that stays in every layer first, then layer by layer, then the gains, then classes and folders."""
        kept = [all(one["kept"] for one in row["layers"].values()) for row in rows]
        layers = dict.fromkeys(layer for row in rows for layer in row["layers"])
        figures = [Figure.share("stability", sum(kept), len(rows), confidence)]
        for layer in layers:
            own = [row["layers"][layer] for row in rows]
            stays = sum(one["kept"] for one in own)
            figures.append(Figure.share("stability", stays, len(own), confidence, slice=f"layer={layer}"))
        for layer in layers:
            gains = [row["layers"][layer]["gain"] for row in rows if row["layers"][layer]["gain"] is not None]
            figures.append(median(
                "gain", gains, confidence, unit="share of the norm", better="lower", slice=f"layer={layer}"
            ))  # fmt: skip
        figures += [
            Figure.share("stability", sum(kept[k] for k in places), len(places), confidence, slice=name)
            for name, places in slices_of(pictures).items()
        ]
        failed = [one["reason"] for row in rows for one in row["layers"].values() if one["reason"] is not None]
        findings = (
            (Finding(level="warning", message=f"{len(failed)} layers of pictures count as not stable: {failed[0]}"),)
            if failed
            else ()
        )
        notes = (f"pushed by {self.eps:g} grey levels, one gradient a layer and sign",)
        return Outcome(figures=tuple(figures), findings=findings, notes=notes)


def _layers(model: Model, count: int) -> list[str]:
    """At most so many layers with weights, evenly chosen from the first to the last."""
    known = [name for name in weight_layers(model.graph) if holds_reals(model.graph, name)]
    places = np.unique(np.rint(np.linspace(0, len(known) - 1, min(count, len(known)))).astype(int))
    return [known[place] for place in places.tolist()] if known else []
