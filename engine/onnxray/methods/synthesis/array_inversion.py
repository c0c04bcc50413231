"""Inversion of arrays: what a representation has kept of inputs that are no pictures, or of a value inside.

    x* = argmin_x ||m (f_l(x) - f_0)||^2 / ||m f_0||^2,   from x_0 = mean + 10 u N(0, 1)

mean: of the sample's own array, of a picture given for one of several inputs of its profile. No prior: those there are
are of models of one picture. The error is ONNX Runtime's on what is saved; l2 is in its own units (of several the root
of the sum of squares).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxray.graph.classifier.predictions import Predictions
from onnxray.images.distances import l2
from onnxray.methods.array_variable import ArrayVariable
from onnxray.methods.changed_sample import ChangedSample
from onnxray.methods.run import Run
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.objectives.gradients import judged
from onnxray.objectives.matching import Match, RepresentationPart, mask_of
from onnxray.results.file_names import stem_of

if TYPE_CHECKING:
    from onnxray.methods.synthesis.ascent.arrays import ClimbedArrays

_STEPS, _RATE, _NOISE = 400, 10.0, 10.0


def invert_arrays(
    variable: ArrayVariable, layer: str, rows: NDArray[np.int64], run: Run, *, name: str, part: RepresentationPart,
    samples: int, steps: int | None, rate: float | None,
) -> Iterator[SynthesisItem]:  # fmt: skip
    """An item for each of some samples and each pre-image of it. A run that Ctrl-C ended gives them and goes on to end.

    name: of the method. rate: in steps u.
    """
    from onnxray.methods.synthesis.ascent.arrays import climb_arrays

    references = np.asarray(variable.values(variable.start[rows], rows, [layer])[layer], np.float32)
    said = variable.verdict(variable.fed(variable.start[rows], rows))
    own = np.repeat(np.arange(len(rows)), samples)
    match = Match(layer, references[own], mask_of(part, layer, references.shape[1:]))
    mean = variable.means(rows)[own]
    start = mean + _NOISE * variable.steps(rows)[own] * run.random.standard_normal(mean.shape)
    climbed = climb_arrays(
        variable, rows[own], start, match, run, steps=steps or _STEPS, rate=_RATE if rate is None else rate
    )
    for k, place in enumerate(own.tolist()):
        yield _item(variable, match, climbed, said, k, rows, own, place, samples=samples, name=name, part=part)
    if climbed.interrupted:
        raise KeyboardInterrupt


def _item(
    variable: ArrayVariable, match: Match, climbed: ClimbedArrays, said: Predictions | None, k: int,
    rows: NDArray[np.int64], own: NDArray[np.int64], place: int, *, samples: int, name: str, part: RepresentationPart,
) -> SynthesisItem:  # fmt: skip
    """The k-th pre-image, of the sample ``rows[place]``."""
    x, row = climbed.x[k], int(rows[place])
    one = variable.model.encoded(variable.fed(x[None], rows[[place]]))
    verdict = variable.verdict(one)
    now, before = (None if found is None else found.row(at) for found, at in ((verdict, 0), (said, place)))
    changed = ChangedSample.of(variable, row, x)
    roles = {"original": changed.before, "image": changed.after}
    arrays, shown = changed.saved(roles, "image", "original", f"pre-image at {match.value}", "its pre-image")
    others = [climbed.x[j] for j in np.flatnonzero(own == place) if j != k]
    score = changed.similarity
    numbers: dict[str, Any] = {
        "error": float(-judged(variable.model, one, match.rows(np.array([k])))[0]),
        "same_class": None if now is None or before is None else now.class_ == before.class_,
        "l2": changed.l2, "pass": None if isinstance(score, str) else score.score,
        "ssim": None if isinstance(score, str) else score.ssim,
        "original_class": None if before is None else before.class_,
        "original_label": None if before is None else before.label,
        "sample": k % samples,
        "other_samples_l2": float(np.mean([l2(x, other) for other in others])) if others else None,
    }  # fmt: skip
    path = variable.samples.names[row]
    layer = match.value
    scores = tuple(climbed.scores[:, k].tolist())
    return SynthesisItem(
        path=path, method=name, layer=layer, target=part, class_=None if now is None else now.class_,
        label=None if now is None else now.label, probability=None if now is None else now.probability,
        steps=len(scores), trace={"objective": scores, "total": scores}, numbers_=numbers,
        reason="; ".join(filter(None, (climbed.reason, score if isinstance(score, str) else None))) or None,
        stem=stem_of(path, row, layer, name, k % samples),
        images=shown, moved=changed.numbers(), arrays_=arrays,
    )  # fmt: skip
