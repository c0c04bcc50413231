"""LightGBM's and XGBoost's files through `onnxray convert`, then classified and attacked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("sklearn")
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import onnxray
from onnxray.cli.app import app
from onnxray.errors import ModelFileError, OnnxrayError
from onnxray.model.converting import Converted, convert_model

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")
pytest.importorskip("onnxmltools")
joblib = pytest.importorskip("joblib")
pytestmark = pytest.mark.filterwarnings("ignore")

ALL, CLASSES = load_digits(return_X_y=True)
DIGITS = ALL.astype(np.float32)
LARGE = (CLASSES > 4).astype(int)


def booster(library: str, objective: str, folder: Path) -> tuple[str, Any]:
    """A file and what predicts the same."""
    labels = LARGE[:300] if objective == "binary" else CLASSES[:300]
    if library == "lightgbm":
        kind = lightgbm.LGBMRegressor if objective == "number" else lightgbm.LGBMClassifier
        net = kind(n_estimators=3, verbose=-1, n_jobs=1).fit(DIGITS[:300], labels)
        net.booster_.save_model(folder / "net.txt")
        return str(folder / "net.txt"), net
    kind = xgboost.XGBRegressor if objective == "number" else xgboost.XGBClassifier
    net = kind(n_estimators=3, n_jobs=1).fit(DIGITS[:300], labels)
    name = "net.ubj" if objective == "binary" else "net.json"
    net.save_model(folder / name)
    return str(folder / name), net


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("objective", ["classes", "binary", "number"])
def test_the_file_gives_the_boosters_numbers(library: str, objective: str, tmp_path: Path) -> None:
    source, net = booster(library, objective, tmp_path)
    made = convert_model(source, tmp_path / "net.onnx")
    assert made.proof is not None
    assert made.proof.largest < 1e-6
    outputs = list(made.model.judge.outputs({"input": DIGITS[300:400]}).values())
    if objective == "number":
        np.testing.assert_allclose(outputs[0].ravel(), net.predict(DIGITS[300:400]), rtol=1e-5, atol=1e-5)
    else:
        np.testing.assert_allclose(outputs[1], net.predict_proba(DIGITS[300:400]), atol=1e-6)


@pytest.mark.parametrize("kind", ["dart", "gblinear"])
def test_other_boosters_are_refused_by_name(kind: str, tmp_path: Path) -> None:
    net = xgboost.XGBRegressor(n_estimators=2, n_jobs=1, booster=kind).fit(DIGITS[:50], CLASSES[:50])
    net.save_model(tmp_path / "net.json")
    with pytest.raises(ModelFileError, match=f"XGBoost's booster '{kind}' is not converted; gbtree was expected"):
        convert_model(tmp_path / "net.json", tmp_path / "net.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["net.json"]


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_rows_with_holes(library: str, tmp_path: Path) -> None:
    """NaN is a column that is missing, and each tree says where such rows go."""
    rows = DIGITS[:300].copy()
    rows[::7] = np.nan
    rows[1::5, 20:] = np.nan
    kind = lightgbm.LGBMClassifier if library == "lightgbm" else xgboost.XGBClassifier
    net = kind(n_estimators=3, n_jobs=1).fit(rows, LARGE[:300])
    np.save(tmp_path / "rows.npy", rows)
    if library == "lightgbm":
        net.booster_.save_model(tmp_path / "net.txt")
    else:
        net.save_model(tmp_path / "net.json")
    source = tmp_path / ("net.txt" if library == "lightgbm" else "net.json")
    made = convert_model(source, tmp_path / "net.onnx", examples=(str(tmp_path / "rows.npy"),))
    (_, chances) = made.model.judge.outputs({"input": rows}).values()
    np.testing.assert_allclose(chances, net.predict_proba(rows), atol=1e-6)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_pickled_estimators_and_pipelines(library: str, tmp_path: Path) -> None:
    kinds = {"lightgbm": lightgbm.LGBMClassifier, "xgboost": xgboost.XGBClassifier}
    net = make_pipeline(MinMaxScaler((0, 16)), kinds[library](n_estimators=3, n_jobs=1)).fit(DIGITS[:300], LARGE[:300])
    joblib.dump(net, tmp_path / "net.joblib")
    made: Converted = convert_model(tmp_path / "net.joblib", tmp_path / "net.onnx", trust=True)
    (_, chances) = made.model.judge.outputs({"input": DIGITS[300:400]}).values()
    np.testing.assert_allclose(chances, net.predict_proba(DIGITS[300:400]), atol=1e-6)


def test_a_converted_booster_is_classified_and_attacked(tmp_path: Path) -> None:
    source, net = booster("xgboost", "classes", tmp_path)
    out, rows = str(tmp_path / "net.onnx"), str(tmp_path / "rows.npy")
    np.save(rows, DIGITS[300:302])
    result = CliRunner().invoke(app, ["convert", source, "-o", out])
    assert result.exit_code == 0, result.stderr
    result = CliRunner().invoke(app, ["classify", out, rows, "--json"])
    assert [item["class"] for item in json.loads(result.stdout)["items"]] == net.predict(DIGITS[300:302]).tolist()
    attack = ["attack", "noise", out, rows, "--eps", "128", "-o", str(tmp_path / "attack"), "--json"]
    result = CliRunner().invoke(app, attack)
    assert result.exit_code == 0, result.stderr
    assert len(json.loads(result.stdout)["items"]) == 2


def test_what_is_no_booster(tmp_path: Path) -> None:
    for name, text in [("a.txt", "cat\ndog\n"), ("a.json", '{"a": 1}'), ("a.ubj", "")]:
        (tmp_path / name).write_text(text)
        with pytest.raises(ModelFileError, match=r"was expected"):
            convert_model(tmp_path / name, tmp_path / "net.onnx")
    with pytest.raises(OnnxrayError, match=r"no such file"):
        convert_model(tmp_path / "none.txt", tmp_path / "net.onnx")
    with pytest.raises(OnnxrayError) as caught:
        onnxray.open(tmp_path / "a.txt")
    assert "another framework" not in str(caught.value), "most text files are no model"


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_damaged_files_are_one_line(library: str, share: float, tmp_path: Path) -> None:
    """LightGBM ends the process over such a file."""
    source = Path(booster(library, "classes", tmp_path)[0])
    whole = source.read_bytes()
    source.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelFileError) as caught:
        convert_model(source, tmp_path / "net.onnx")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "net.onnx").exists()
