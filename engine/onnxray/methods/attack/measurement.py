"""The numbers of a perturbed sample, all of what is saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onnxray.images.distances import similarities
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.methods.array_variable import ArrayVariable
from onnxray.methods.attack.item import AttackItem
from onnxray.methods.attack.oracle import Oracle
from onnxray.methods.attack.threat import Floats, Norm, norms_of
from onnxray.methods.shots import Shots


def measured(
    oracle: Oracle, shots: Shots, row: int, whole: Floats, unrounded: Floats | None, *, method: str, norm: Norm,
    eps: float | None, numbers: Mapping[str, Any],
) -> AttackItem:  # fmt: skip
    """Judge and measure what came of one sample. whole, unrounded: its perturbation as it is saved, and in floats."""
    rows = np.array([row])
    before, variable = oracle.queries.row(row), oracle.variable
    saved = variable.saved(oracle.samples(whole[None], rows))
    # The saved sample alone: in company an int8 file may take another scale from the batch.
    fed = variable.model.encoded(variable.fed(saved, rows))
    success = bool(oracle.criterion.met(variable.model, fed, rows)[0])
    judged = Shots(images=saved, names=(None,), predictions=variable.verdict(fed)).shown(0)
    name = shots.names[row]
    stem = f"{Path(name).stem if name else 'image'}-{row}"
    pictures: dict[str, Any] = {}
    if isinstance(variable, ArrayVariable):
        arrays = {"image": variable.parts(saved), "origin": variable.parts(variable.start[rows])}
        files = {f"{role}-{part}": array[0] for role, parts in arrays.items() for part, array in parts.items()}
        similarity, ssim, too_small, gain = None, None, None, None
    else:
        origin, image, files = variable.start[row], saved[0], {}
        similarity, ssim, too_small = similarities(image, origin)
        perturbation, gain = signed_to_grey(image.astype(np.float64) - origin)
        pictures = {"origin": origin, "image": image, "perturbation": perturbation}
    missed = None if success else f"{oracle.criterion.describe(row)} was not reached"
    return AttackItem(
        method=method, goal=oracle.criterion.describe(row), norm=norm.name, eps=eps, origin=shots.shown(row),
        judged=judged, success=success, **norms_of(whole), similarity=similarity, ssim=ssim, queries=before,
        unrounded=None if unrounded is None else _unrounded(oracle, unrounded, row), numbers_=dict(numbers), gain=gain,
        reason="; ".join(filter(None, (missed, too_small))) or None,
        stems={role: stem if role == "origin" else f"{stem}-{method}-{role}" for role in (*pictures, *files)},
        images=pictures, arrays_=files,
    )  # fmt: skip


def _unrounded(oracle: Oracle, d: Floats, row: int) -> dict[str, Any]:
    """What the judge says of the sample before it was rounded, and its norms."""
    rows, variable = np.array([row]), oracle.variable
    fed = variable.model.encoded(variable.fed(oracle.samples(d[None], rows), rows))
    said = variable.verdict(fed)
    shown = Shots(images=d[None], names=(None,), predictions=said).shown(0)
    return {
        "success": bool(oracle.criterion.met(variable.model, fed, rows)[0]), "class": shown.class_,
        "label": shown.label, "probability": shown.probability, **norms_of(d),
    }  # fmt: skip
