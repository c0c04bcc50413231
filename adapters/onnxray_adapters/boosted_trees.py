"""Boosted trees in their libraries' own files, through onnxmltools: one input, a row of numbers a sample.

    model.txt               LightGBM      Booster.save_model
    model.json  model.ubj   XGBoost       Booster.save_model, XGBClassifier.save_model

Neither kind is a program, but their libraries end the process over numbers out of range: a child reads each file, and
asks it once, before. Outputs are called as onnxmltools calls them: label and probabilities; variable of what gives one
number. The proof: predict on the same rows; a tie of two classes is left to rounding.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import ModelFileError
from onnxray.errors.short_values import short
from onnxray.graph.file.made_model import MadeModel, Wishes
from onnxray_adapters.frameworks import columns_note, existing, fits, needed, quiet, row_proofs, told, undecided

INPUT: Final = "input"
_START: Final = 2**20
"""Of a file, in bytes, is looked at to tell whose it is."""
_LONGEST: Final = 600
_LIGHTGBM: Final = """
import sys, lightgbm, numpy
net = lightgbm.Booster(model_file=sys.argv[1])
net.predict(numpy.zeros((2, net.num_feature())), num_threads=1)
"""
_XGBOOST: Final = """
import sys, xgboost, numpy
net = xgboost.Booster({"nthread": 1})
net.load_model(sys.argv[1])
net.feature_names = None
net.predict(xgboost.DMatrix(numpy.zeros((2, net.num_features()))))
"""


def from_lightgbm(source: str, wishes: Wishes) -> MadeModel:
    """The model of a LightGBM text file. Errors: ModelFileError; InputError for examples that do not fit."""
    path = existing(source)
    if not _start(path).startswith((b"tree\n", b"tree\r\n")):
        raise ModelFileError(f"{short(source)}: a text file of LightGBM's (its first line is 'tree') was expected")
    lightgbm = needed("lightgbm", "lightgbm", "LightGBM's files")
    convert = needed("onnxmltools", "lightgbm", "LightGBM's conversion").convert_lightgbm
    _try(source, path, _LIGHTGBM)
    with told(source, "cannot be read by LightGBM"):
        booster = lightgbm.Booster(model_file=str(path))
        count, names = int(booster.num_feature()), booster.feature_name()
    return _made(
        source, path, wishes, count, names,
        convert=lambda types: convert(booster, initial_types=types, zipmap=False),
        predict=lambda rows: booster.predict(np.asarray(rows), num_threads=1),
    )  # fmt: skip


def from_xgboost(source: str, wishes: Wishes) -> MadeModel:
    """The model of XGBoost's JSON or binary JSON. Errors: ModelFileError; InputError for examples that do not fit."""
    path = existing(source)
    if b"learner" not in _start(path):
        raise ModelFileError(f"{short(source)}: a model of XGBoost's, in JSON or binary JSON, was expected")
    xgboost = needed("xgboost", "xgboost", "XGBoost's files")
    convert = needed("onnxmltools", "xgboost", "XGBoost's conversion").convert_xgboost
    _try(source, path, _XGBOOST)
    with told(source, "cannot be read by XGBoost"):
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(str(path))
        count, names = int(booster.num_features()), booster.feature_names or ()
        kind = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]
        booster.feature_names = None  # onnxmltools takes f0, f1, ... alone; a row has no names
    if kind != "gbtree":  # of others (dart, gblinear) onnxmltools ends in a KeyError
        raise ModelFileError(f"{short(source)}: XGBoost's booster {short(kind)} is not converted; gbtree was expected")
    return _made(
        source, path, wishes, count, names,
        convert=lambda types: convert(booster, initial_types=types),
        predict=lambda rows: booster.predict(xgboost.DMatrix(np.asarray(rows))),
    )  # fmt: skip


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_START)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from None


def _try(source: str, path: Path, program: str) -> None:
    """Have a child read the file. Errors: ModelFileError where it ends without a word; its own words come later."""
    command = [sys.executable, "-P", "-c", program, str(path.absolute())]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_LONGEST, check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ModelFileError(f"{short(source)}: its library did not read it within {_LONGEST} seconds") from None
    if done.returncode < 0:
        raise ModelFileError(f"{short(source)} is damaged: its library ends the process that reads it")


def _made(
    source: str,
    path: Path,
    wishes: Wishes,
    columns: int,
    names: Sequence[str],
    *,
    convert: Callable[[list[Any]], Any],
    predict: Callable[[Array], Any],
) -> MadeModel:
    numbers = needed("onnxmltools.convert.common.data_types", "lightgbm", "the conversion").FloatTensorType
    with told(source, "cannot be converted by onnxmltools"):
        model = convert([(INPUT, numbers([None, columns]))])
    for value in model.graph.output:  # some are stated of one row
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "rows"
    outputs = tuple(value.name for value in model.graph.output)

    def reference(feeds: Mapping[str, Array]) -> dict[str, Array]:
        with told(source, "cannot be run by its library"), quiet():
            found = np.asarray(predict(feeds[INPUT]), np.float32)
        if len(outputs) == 1:
            return {outputs[0]: found if found.ndim > 1 else found[:, None]}
        chances = found if found.ndim > 1 else np.stack([1 - found, found], axis=1)
        return dict(zip(outputs, [undecided(chances.argmax(axis=1).astype(np.int64), chances), chances]))

    notes = columns_note(INPUT, names)
    return MadeModel(
        fits(model, source), path, {}, source, reference=reference, proofs=row_proofs(INPUT, columns, wishes),
        notes=notes,
    )  # fmt: skip


def register_estimators() -> bool:
    """Tell skl2onnx of the estimators of LightGBM and XGBoost, where a pickle loaded these; whether it did.

    Errors: ModelFileError.
    """
    if not {"lightgbm", "xgboost"} & sys.modules.keys():
        return False
    register = needed("skl2onnx", "sklearn", "scikit-learn's conversion").update_registered_converter
    shapes = needed("skl2onnx.common.shape_calculator", "sklearn", "scikit-learn's conversion")
    classes, number = shapes.calculate_linear_classifier_output_shapes, shapes.calculate_linear_regressor_output_shapes
    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    if (lightgbm := sys.modules.get("lightgbm")) is not None:
        operators = needed("onnxmltools.convert.lightgbm.operator_converters.LightGbm", "lightgbm", "LightGBM's files")
        convert = operators.convert_lightgbm
        register(lightgbm.LGBMClassifier, "LightGbmLGBMClassifier", classes, convert, options=options)
        register(lightgbm.LGBMRegressor, "LightGbmLGBMRegressor", number, convert, options={"split": None})
    if (xgboost := sys.modules.get("xgboost")) is not None:
        operators = needed("onnxmltools.convert.xgboost.operator_converters.XGBoost", "xgboost", "XGBoost's files")
        convert = operators.convert_xgboost
        register(xgboost.XGBClassifier, "XGBoostXGBClassifier", classes, convert, options=options)
        register(xgboost.XGBRegressor, "XGBoostXGBRegressor", number, convert)
    return True
