"""The summands of a score: what relevance begins with at the values that it is computed from.

    R_v = v * dS/dv,     sum R_v = S

for every S that is a sum, a difference or a maximum of values times numbers: a logit, a margin, a channel's mean, a
box's coordinate (Euler: S is homogeneous of degree 1). Of a cosine <v, r> / (|v| |r|) the length |v| is taken as a
factor, as relevance takes that of a normalisation: R_v = v * r / (|v| |r|).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxray.errors import InputError
from onnxray.objectives.gradients import cotangents
from onnxray.objectives.likeness import Similarity
from onnxray.objectives.objective import Objective

_CLOSE = 1e-3
"""How far the summands may be off: a share of the sum of their absolute values. Rounding stays far below."""


def shares(objective: Objective) -> Any:
    """The summands at the values of a chunk. Errors: InputError for a score that has none, such as a probability."""
    import torch

    factors = factors_of_sum(objective)

    def give(values: Mapping[str, torch.Tensor], place: slice) -> Mapping[str, torch.Tensor]:
        if not isinstance(objective, Similarity):
            return {name: values[name] * factor for name, factor in factors(values, place).items()}
        vectors = values[objective.value].reshape(place.stop - place.start, -1)
        given = objective.references[place]
        unit = torch.as_tensor(given / np.linalg.norm(given, axis=1, keepdims=True)).to(vectors)
        length = vectors.norm(dim=1, keepdim=True).clamp(min=torch.finfo(vectors.dtype).tiny)
        return {objective.value: (vectors * unit / length).reshape(values[objective.value].shape)}

    return give


def factors_of_sum(objective: Objective) -> Any:
    """dS/dv at the values of a chunk, of a score that is sum v * dS/dv. Errors: InputError for any other."""
    import torch

    slopes = cotangents(objective)

    def give(values: Mapping[str, torch.Tensor], place: slice) -> Mapping[str, torch.Tensor]:
        found: Mapping[str, torch.Tensor] = slopes(values, place)
        scores = objective.score(values, place).double()
        parts = [(values[name] * slope).double().reshape(len(scores), -1) for name, slope in found.items()]
        total = torch.stack([part.sum(1) for part in parts]).sum(0)
        size = torch.stack([part.abs().sum(1) for part in parts]).sum(0)
        off = (total - scores).abs() > _CLOSE * torch.maximum(size, scores.abs())
        if off.any():
            row = place.start + int(off.nonzero()[0][0])
            raise InputError(
                f"the {objective.describe(row)} is no sum of summands at {', '.join(map(repr, objective.values))}, so "
                "there is nothing to share out; explain a logit or a margin (--score), or a value (--target)"
            )
        return found

    return give
