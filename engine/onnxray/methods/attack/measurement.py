"""The numbers of a perturbed sample, all of what is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from onnxray.errors import NotFinite
from onnxray.images.distances import similarities
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.methods.array_variable import ArrayVariable
from onnxray.methods.attack.changed_arrays import of_arrays
from onnxray.methods.attack.item import AttackItem
from onnxray.methods.attack.oracle import Oracle, Queries
from onnxray.methods.attack.threat import Floats, Norm, norms_of
from onnxray.methods.shots import Shots, Shown
from onnxray.methods.variable import Variable
from onnxray.results.file_names import extended, stem_of


def not_asked(variable: Variable, row: int, why: str, *, method: str, norm: Norm, eps: float | None) -> AttackItem:
    """A sample that nothing can be asked of, as it came."""
    path, saved = variable.samples.names[row], variable.start[row]
    shown, stem = Shown(path=path, class_=None, label=None, score=None, probability=None), stem_of(path, row)
    if isinstance(variable, ArrayVariable):
        seen = of_arrays(variable, row, saved, stem, method, why)
    else:
        seen = _of_pixels(variable, row, saved, stem, method)
    none = norms_of(np.zeros(1, np.float32))
    return AttackItem(
        method=method, goal=why, norm=norm.name, eps=eps, origin=shown, judged=replace(shown, path=None), success=False,
        queries=Queries.none(1).row(0), unrounded=None, numbers_={}, **{**seen, **none, "reason": why},
    )  # fmt: skip


def measured(
    oracle: Oracle, shots: Shots, row: int, whole: Floats, unrounded: Floats | None, *, place: int, method: str,
    norm: Norm, eps: float | None, numbers: Mapping[str, Any],
) -> AttackItem:  # fmt: skip
    """Judge and measure what came of one sample. whole, unrounded: its perturbation as it is saved, and in floats.

    place: where the sample stands in the run, those that are left out counted.

    Where the judge says NaN or infinity of it, it is left as it was.
    """
    more: dict[str, Any] = {"place": place, "method": method, "norm": norm, "eps": eps, "numbers": numbers}
    try:
        return _measured(oracle, shots, row, whole, unrounded, **more)
    except NotFinite as error:
        left = _measured(
            oracle, shots, row, np.zeros_like(whole), None if unrounded is None else np.zeros_like(unrounded), **more
        )
        return replace(left, reason=f"{left.reason}: {error}")


def _measured(
    oracle: Oracle, shots: Shots, row: int, whole: Floats, unrounded: Floats | None, *, place: int, method: str,
    norm: Norm, eps: float | None, numbers: Mapping[str, Any],
) -> AttackItem:  # fmt: skip
    rows = np.array([row])
    queries, variable = oracle.queries.row(row), oracle.variable
    saved = variable.saved(oracle.samples(whole[None], rows))
    # The saved sample alone: in company an int8 file may take another scale from the batch.
    fed = variable.model.encoded(variable.fed(saved, rows))
    success = bool(oracle.criterion.met(variable.model, fed, rows)[0])
    judged = Shots(images=saved, names=(None,), predictions=variable.verdict(fed)).shown(0)
    origin = shots.shown(row)
    label = oracle.criterion.label(variable.model, fed)
    if label is not None:
        before = variable.model.encoded(variable.fed(variable.start[rows], rows))
        judged = replace(judged, label=label)
        origin = replace(origin, label=oracle.criterion.label(variable.model, before))
    goal = oracle.criterion.describe(row)
    stem = stem_of(origin.path, place)
    if isinstance(variable, ArrayVariable):
        seen = of_arrays(variable, row, saved[0], stem, method, goal)
    else:
        seen = _of_pixels(variable, row, saved[0], stem, method)
    missed = None if success else f"{goal} was not reached"
    return AttackItem(
        method=method, goal=goal, norm=norm.name, eps=eps, origin=origin, judged=judged, success=success,
        queries=queries, unrounded=None if unrounded is None else _unrounded(oracle, unrounded, row),
        numbers_=dict(numbers),
        **{**seen, **norms_of(whole), "reason": "; ".join(filter(None, (missed, seen["reason"]))) or None},
    )  # fmt: skip


def _of_pixels(variable: Variable, row: int, image: Floats, stem: str, method: str) -> dict[str, Any]:
    """Similarities and pictures of a picture, by the fields of an item."""
    origin = variable.start[row]
    similarity, ssim, too_small = similarities(image, origin)
    perturbation, gain = signed_to_grey(image.astype(np.float64) - origin)
    pictures = {"origin": origin, "image": image, "perturbation": perturbation}
    return {
        "similarity": similarity, "ssim": ssim, "gain": gain, "reason": too_small, "images": pictures,
        "stems": {role: extended(stem, None if role == "origin" else method, role) for role in pictures},
    }  # fmt: skip


def _unrounded(oracle: Oracle, d: Floats, row: int) -> dict[str, Any]:
    """What the judge says of the sample before it was rounded, and its norms."""
    rows, variable = np.array([row]), oracle.variable
    fed = variable.model.encoded(oracle.fed(d[None], rows))
    said = variable.verdict(fed)
    shown = Shots(images=d[None], names=(None,), predictions=said).shown(0)
    return {
        "success": bool(oracle.criterion.met(variable.model, fed, rows)[0]), "class": shown.class_,
        "label": shown.label, "probability": shown.probability, **norms_of(d),
    }  # fmt: skip
