"""CAM (Zhou, Khosla, Lapedriza, Oliva, Torralba 2016, arXiv 1512.04150).

    M_ij = sum_k w_ck F_k,ij,   z_c = mean_ij M_ij + b_c

F: the feature maps that are averaged over all places, w and b the linear layer after that, c the class. Where class
maps themselves are averaged (SqueezeNet, Network in Network), M is the class's own map. Negative numbers speak against
the class and are kept. The second equation is checked against ONNX Runtime's own score. By ONNX Runtime alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from onnxray.errors import InputError, MismatchError
from onnxray.images.interpolation import bilinear
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.methods.saliency.activation.base import pictures_seen
from onnxray.methods.saliency.base import Map, Saliency
from onnxray.model.layers.grid import picture_size, read_space
from onnxray.model.layers.pooled_head import find_head
from onnxray.model.model import Model
from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.gradients import judged
from onnxray.objectives.objective import Objective

_EXACT, _ROUNDED = 1e-3, 0.1
"""How far the score may be from the map's mean and the bias, relative to the larger; the latter where int8 rounds."""


@final
@dataclass(frozen=True, kw_only=True)
class CAM(Saliency):
    """What every place adds to the class's logit, in networks that average feature maps and end in a linear layer."""

    name: ClassVar[str] = "cam"
    images_only: ClassVar[bool] = False

    def subjects(self, model: Model) -> str | tuple[str, ...] | None:
        """Of several inputs those that hold a picture."""
        return self.wrt if self.wrt is not None else pictures_seen(model, None)

    def map_unit(self, score: str, step: str) -> str:
        """Of a logit."""
        return "logit"

    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """One map an image, no gradient taken."""
        if not isinstance(objective, ClassScore) or objective.kind != "logit":
            raise InputError(
                f"CAM divides the logit of a class among the places; the target is the {objective.describe(0)}. Name a "
                "class and take --score logit, or take Grad-CAM"
            )
        feeds = model.feeds(pixels)
        space, size = read_space(model, pixels), picture_size(model, pixels)
        head = find_head(space, objective.value, model.feeds(pixels.rows(slice(0, 1))))
        run.note(f"the features {head.features.value!r} ({head.features.kind}) are averaged before the scores")
        values = head.features.maps(model.judge.values(feeds, [head.features.value])[head.features.value])
        scores = judged(model, pixels, objective)
        classes = objective.of_samples(len(pixels))
        bias = np.broadcast_to(head.bias, (int(classes.max()) + 1,)) if head.bias.size == 1 else head.bias
        for row, (features, number) in enumerate(zip(values.astype(np.float64), classes)):
            found = features[number] if head.weights is None else np.tensordot(head.weights[number], features, 1)
            total = float(found.mean() + bias[number])
            gap = abs(total - scores[row]) / max(1.0, abs(scores[row]), float(np.abs(found).max()))
            if not gap <= (_ROUNDED if head.quantised else _EXACT):
                raise MismatchError(
                    f"the map's mean and the bias give {total:.6g}, ONNX Runtime's score of class {number} is "
                    f"{scores[row]:.6g}; the head is not what it was taken for, so no map is given"
                )
            heat = bilinear(found, size)
            yield (
                row,
                Map(
                    heat=heat.astype(np.float32), attribution=found.astype(np.float32), signed=True,
                    layer=head.features.value, numbers={"bias": float(bias[number])},
                ),
            )  # fmt: skip
