"""scikit-learn's estimators and pipelines, through skl2onnx: one input, a row of numbers a sample.

    net.joblib  net.pkl        pickles, which run what their author wrote: read only where they are trusted

Outputs are called as skl2onnx calls them: label and probabilities; variable of what gives one array. The proof:
predict, predict_proba or transform on the same rows. Which of two classes wins that tie is left to rounding, and labels
are not compared there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import InputError, ModelFileError
from onnxray.errors.short_values import short
from onnxray.graph.file.made_model import MadeModel, Wishes
from onnxray_adapters.frameworks import (
    examples_of,
    existing,
    fits,
    named,
    needed,
    quiet,
    rows,
    told,
    trusted,
    undecided,
)

INPUT: Final = "input"
_MODULES: Final = "sklearn"


def from_pickle(source: str, wishes: Wishes) -> MadeModel:
    """The model of a pickled estimator. Errors: ModelFileError; InputError for examples that do not fit."""
    path = existing(source)
    trusted(source, wishes, "a pickle is a program")
    needed(_MODULES, "sklearn", "scikit-learn's files")
    joblib = needed("joblib", "sklearn", "scikit-learn's files")
    with told(source, "cannot be read as a pickle of scikit-learn's"):
        estimator = joblib.load(path)
    return made_of_estimator(estimator, source, path, wishes)


def made_of_estimator(estimator: Any, source: str, path: Path, wishes: Wishes) -> MadeModel:
    """The model of an estimator that is there. Errors: ModelFileError, InputError."""
    base = needed("sklearn.base", "sklearn", "scikit-learn's files")
    if not isinstance(estimator, base.BaseEstimator):
        raise ModelFileError(
            f"{short(source)} holds {short(type(estimator).__name__)}; an estimator or a pipeline of scikit-learn's "
            "was expected"
        )
    convert = needed("skl2onnx", "sklearn", "scikit-learn's conversion").convert_sklearn
    numbers = needed("skl2onnx.common.data_types", "sklearn", "scikit-learn's conversion").FloatTensorType
    columns = getattr(estimator, "n_features_in_", None)
    if not isinstance(columns, int | np.integer) or columns < 1:
        raise ModelFileError(f"{short(source)}: the estimator does not say how many columns it takes; was it trained?")
    with told(source, "cannot be converted by skl2onnx"):
        options = {id(estimator): {"zipmap": False}} if base.is_classifier(estimator) else None
        model = convert(estimator, initial_types=[(INPUT, numbers([None, int(columns)]))], options=options)
    outputs = tuple(value.name for value in model.graph.output)

    def reference(feeds: Mapping[str, Array]) -> dict[str, Array]:
        with told(source, "cannot be run by scikit-learn"):
            return dict(zip(outputs, _numbers(estimator, feeds[INPUT], len(outputs))))

    own = named(examples_of(wishes), (INPUT,))
    if own and (own[INPUT].ndim != 2 or own[INPUT].shape[1] != columns):
        raise InputError(f"the example is of shape {own[INPUT].shape}; rows of {columns} columns were expected")
    proofs = [{INPUT: rows(int(columns))}, *({name: array.astype(np.float32)} for name, array in own.items())]
    return MadeModel(
        fits(model, source), path, {}, source, reference=reference, proofs=tuple(proofs),
        notes=_notes(source, estimator),
    )  # fmt: skip


def _numbers(estimator: Any, given: Array, count: int) -> list[Array]:
    """What the estimator gives, in the order of the model's outputs."""
    with quiet():
        if hasattr(estimator, "predict_proba") and count > 1:
            chances = np.asarray(estimator.predict_proba(given))
            return [undecided(np.asarray(estimator.predict(given)), chances), chances]
        if hasattr(estimator, "decision_function") and count > 1:
            scores = np.asarray(estimator.decision_function(given))
            scores = scores if scores.ndim > 1 else scores[:, None]
            return [undecided(np.asarray(estimator.predict(given)), scores), scores]
        found = np.asarray(estimator.predict(given) if hasattr(estimator, "predict") else estimator.transform(given))
    return [found if found.ndim > 1 else found[:, None]]


def _notes(source: str, estimator: Any) -> tuple[str, ...]:
    """What is to be said: the pickle was run, and which columns the rows are."""
    found = [f"{short(source)} was unpickled, for --trust was stated: what its author wrote into it was run"]
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        shown = ", ".join(short(str(name)[:40]) for name in names[:5]) + (", ..." if len(names) > 5 else "")
        found.append(f"the columns of {INPUT!r} are, in this order: {shown}")
    return tuple(found)
