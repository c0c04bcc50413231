"""scikit-learn's estimators and pipelines, through skl2onnx: one input, a row of numbers a sample.

    net.joblib  net.pkl        pickles, which run what their author wrote: read only where they are trusted

Outputs are called as skl2onnx calls them: label and probabilities; variable of what gives one array. The proof:
predict, predict_proba or transform on the same rows. Which of two classes wins that tie is left to rounding, and labels
are not compared there. Where a part of a pipeline picks columns by name, these stand in the row in the order of
feature_names_in_. Estimators of LightGBM's and XGBoost's are converted by onnxmltools.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import ModelFileError
from onnxray.errors.short_values import short
from onnxray.graph.file.made_model import MadeModel, Wishes
from onnxray_adapters.boosted_trees import register_estimators
from onnxray_adapters.frameworks import (
    columns_note,
    existing,
    fits,
    join_columns,
    needed,
    quiet,
    row_proofs,
    told,
    trusted,
    undecided,
)

INPUT: Final = "input"
_MODULES: Final = "sklearn"
_OPSET: Final = 18
_TREES: Final = 3
"""The versions of ONNX' operators that onnxmltools writes."""


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
    by_name = _named_columns(estimator)
    if (encoder := _text_encoder(estimator)) is not None:
        raise ModelFileError(
            f"{short(source)}: {encoder} takes text, and the model would take rows of numbers; encode the text before, "
            "and convert what comes after"
        )
    with told(source, "cannot be converted by skl2onnx"):
        opsets = {"": _OPSET, "ai.onnx.ml": _TREES} if register_estimators() else None
        options = {id(estimator): {"zipmap": False}} if base.is_classifier(estimator) else None
        types = [(name, numbers([None, 1])) for name in by_name] or [(INPUT, numbers([None, int(columns)]))]
        model = convert(estimator, initial_types=types, options=options, target_opset=opsets)
        if by_name:
            join_columns(model, INPUT)
    outputs = tuple(value.name for value in model.graph.output)

    def reference(feeds: Mapping[str, Array]) -> dict[str, Array]:
        with told(source, "cannot be run by scikit-learn"):
            given: Any = feeds[INPUT]
            if by_name:
                given = needed("pandas", "sklearn", "columns by name").DataFrame(given, columns=list(by_name))
            return dict(zip(outputs, _numbers(estimator, given, len(outputs))))

    return MadeModel(
        fits(model, source), path, {}, source, reference=reference, proofs=row_proofs(INPUT, int(columns), wishes),
        notes=_notes(source, estimator),
    )  # fmt: skip


def _named_columns(estimator: Any) -> tuple[str, ...]:
    """The columns in their order, where a part of the estimator picks some of them by name; else none."""
    picked = (one for part in (estimator, *_parts(estimator)) for one in getattr(part, "transformers", None) or ())
    by_name = any(isinstance(columns, str) or _of_text(columns) for *_, columns in picked)
    return tuple(map(str, getattr(estimator, "feature_names_in_", ()))) if by_name else ()


def _text_encoder(estimator: Any) -> str | None:
    """The name of a part that was trained on words."""
    for part in (estimator, *_parts(estimator)):
        categories = getattr(part, "categories_", None) or ()
        if hasattr(part, "vocabulary_") or any(np.asarray(one).dtype.kind in "OUS" for one in categories):
            return type(part).__name__
    return None


def _parts(estimator: Any) -> Iterator[Any]:
    """The trained parts of pipelines and column transformers, whatever they lie in."""
    own = [one for _, one in getattr(estimator, "steps", None) or ()]
    own += [one for _, one, _ in getattr(estimator, "transformers_", None) or ()]
    for part in own:
        yield part
        yield from _parts(part)


def _of_text(columns: Any) -> bool:
    return isinstance(columns, list | tuple | np.ndarray) and any(isinstance(one, str) for one in columns)


def _numbers(estimator: Any, given: Any, count: int) -> list[Array]:
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
    ran = f"{short(source)} was unpickled, for --trust was stated: what its author wrote into it was run"
    return (ran, *columns_note(INPUT, getattr(estimator, "feature_names_in_", None)))
