"""scikit-learn's estimators through `onnxray convert`: the same numbers, and what is refused."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import InputError, MismatchError, ModelFileError, OutputError
from onnxray.model.converting import Converted, convert_model

pytest.importorskip("sklearn")
pytest.importorskip("skl2onnx")

import joblib
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

ALL_DIGITS, CLASSES = load_digits(return_X_y=True)
DIGITS = ALL_DIGITS.astype(np.float32)


def trained(estimator: Any) -> Any:
    return make_pipeline(StandardScaler(), estimator).fit(DIGITS[:500], CLASSES[:500])


def saved(estimator: Any, folder: Path) -> str:
    joblib.dump(estimator, folder / "net.joblib")
    return str(folder / "net.joblib")


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(max_iter=200), Ridge(), MLPClassifier((8,), max_iter=30, tol=1, random_state=0),
    ],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
def test_the_file_gives_the_estimators_numbers(estimator: Any, tmp_path: Path) -> None:
    compared(trained(estimator), tmp_path)


@pytest.mark.parametrize("trees", [DecisionTreeClassifier(random_state=0), RandomForestClassifier(5, random_state=0)])
def test_trees_without_a_scaler(trees: Any, tmp_path: Path) -> None:
    made = compared(trees.fit(DIGITS[:500], CLASSES[:500]), tmp_path)
    assert made.proof is not None
    assert (made.proof.undecided > 0) == (type(trees) is RandomForestClassifier), "five trees often tie"


def test_trees_behind_a_scaler_part_at_rounding(tmp_path: Path) -> None:
    """A pixel of 8 lies on the threshold between 7 and 9, and on which side of it is rounding's once it was scaled."""
    with pytest.raises(MismatchError, match="are others than in the framework; nothing was written"):
        compared(trained(RandomForestClassifier(5, random_state=0)), tmp_path)
    assert not (tmp_path / "net.onnx").exists()


def compared(net: Any, tmp_path: Path) -> Converted:
    np.save(tmp_path / "digits.npy", DIGITS[500:])
    made = convert_model(
        saved(net, tmp_path), tmp_path / "net.onnx", trust=True, examples=(str(tmp_path / "digits.npy"),)
    )
    assert made.proof is not None
    assert made.proof.inputs == 3
    assert made.proof.largest < 1e-4
    outputs = made.model.judge.outputs({"input": DIGITS[500:600]})
    first, *more = outputs.values()
    if more:
        np.testing.assert_allclose(more[0], net.predict_proba(DIGITS[500:600]), atol=1e-5)
    else:
        np.testing.assert_allclose(first.ravel(), net.predict(DIGITS[500:600]), rtol=1e-4, atol=1e-3)
    return made


def test_a_converted_classifier_is_classified_explained_and_attacked(tmp_path: Path) -> None:
    net = trained(LogisticRegression(max_iter=200))
    source, out = saved(net, tmp_path), str(tmp_path / "net.onnx")
    result = command("convert", source, "--trust", "-o", out)
    assert result.exit_code == 0, result.stderr
    assert "was unpickled, for --trust was stated" in result.stderr
    assert "with the framework's own on 2 sets of inputs: off by at most" in result.stdout
    np.save(tmp_path / "rows.npy", DIGITS[500:503])
    result = command("classify", out, str(tmp_path / "rows.npy"), "--json")
    assert result.exit_code == 0, result.stderr
    found = [item["class"] for item in json.loads(result.stdout)["items"]]
    assert found == net.predict(DIGITS[500:503]).tolist()
    result = command("saliency", "gradient", out, str(tmp_path / "rows.npy"), "-o", str(tmp_path / "maps"))
    assert result.exit_code == 0, result.stderr


def test_nothing_is_unpickled_without_trust(tmp_path: Path) -> None:
    (tmp_path / "net.pkl").write_bytes(pickle.dumps(Touching(str(tmp_path / "touched"))))
    result = command("convert", str(tmp_path / "net.pkl"), "-o", str(tmp_path / "net.onnx"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "a pickle is a program, so reading it can run whatever its author wrote into it" in result.stderr
    assert "State --trust" in result.stderr
    with pytest.raises(ModelFileError, match=r"make an ONNX file of it: onnxray convert"):
        onnxray.open(tmp_path / "net.pkl")
    assert not (tmp_path / "touched").exists()
    assert command("convert", str(tmp_path / "net.pkl"), "--trust").exit_code == 1
    assert (tmp_path / "touched").exists(), "it does what is said of it"


class Touching:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def test_a_folder_cannot_state_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved(trained(Ridge()), tmp_path)
    (tmp_path / "onnxray.toml").write_text("[convert]\ntrust = true\n")
    result = command("convert", "net.joblib")
    assert result.exit_code != 0
    assert not (tmp_path / "net.onnx").exists()


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"weights": [1]}, "holds 'dict'; an estimator or a pipeline"), (StandardScaler(), "was it trained"),
        (make_pipeline(StandardScaler()), "was it trained"),
    ],
)  # fmt: skip
def test_what_is_no_trained_estimator(held: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=said):
        convert_model(saved(held, tmp_path), tmp_path / "net.onnx", trust=True)


def test_damaged_pickles_are_one_line(tmp_path: Path) -> None:
    whole = Path(saved(trained(Ridge()), tmp_path)).read_bytes()
    random = np.random.default_rng(0)
    for data in (b"", b"nonsense", whole[: len(whole) // 2], random.bytes(100)):
        (tmp_path / "net.pkl").write_bytes(data)
        with pytest.raises(ModelFileError, match="cannot be read as a pickle"):
            convert_model(tmp_path / "net.pkl", tmp_path / "net.onnx", trust=True)


class Unknown(BaseEstimator):
    n_features_in_ = 4

    def predict(self, given: Any) -> Any:
        return given[:, 0]


class Wrong(Ridge):
    """A ridge that says something else than its coefficients do, and is converted as a ridge."""

    def predict(self, given: Any) -> Any:
        return super().predict(given) + 1


def test_a_mismatch_writes_nothing_and_leaves_what_is_there(tmp_path: Path) -> None:
    from skl2onnx import update_registered_converter
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common.shape_calculator import calculate_linear_regressor_output_shapes
    from skl2onnx.operator_converters.linear_regressor import convert_sklearn_linear_regressor

    update_registered_converter(
        Wrong, "TestsWrongRidge", calculate_linear_regressor_output_shapes, convert_sklearn_linear_regressor
    )
    try:
        source = saved(Wrong().fit(DIGITS[:100], CLASSES[:100]), tmp_path)
        (tmp_path / "net.onnx").write_bytes(b"kept")
        with pytest.raises(MismatchError, match=r"'variable' is off by .* of its largest number"):
            convert_model(source, tmp_path / "net.onnx", trust=True, overwrite=True)
    finally:
        del sklearn_operator_name_map[Wrong]
    assert (tmp_path / "net.onnx").read_bytes() == b"kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.joblib", "net.onnx"]


def test_what_cannot_be_converted_or_written(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"cannot be converted by skl2onnx: "):
        convert_model(saved(Unknown(), tmp_path), tmp_path / "net.onnx", trust=True)
    source = saved(trained(Ridge()), tmp_path)
    (tmp_path / "there.onnx").write_bytes(b"")
    with pytest.raises(OutputError, match="is there already"):
        convert_model(source, tmp_path / "there.onnx", trust=True)
    (tmp_path / "same.pkl").symlink_to("same.onnx")
    (tmp_path / "net.joblib").rename(tmp_path / "same.onnx")
    with pytest.raises(OutputError, match="is the file that is converted"):
        convert_model(tmp_path / "same.pkl", tmp_path / "same.onnx", trust=True, overwrite=True)


@pytest.mark.parametrize(
    ("array", "said"), [(np.zeros((2, 63)), "rows of 64 columns"), (np.zeros(64), r"rows of 64 columns")]
)
def test_examples_of_another_shape(array: Any, said: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(InputError, match=said):
        convert_model(
            saved(trained(Ridge()), tmp_path), tmp_path / "net.onnx", trust=True, examples=(str(tmp_path / "x.npy"),)
        )
    np.save(tmp_path / "x.npy", np.array([{}], object))
    with pytest.raises(InputError):
        convert_model(
            saved(trained(Ridge()), tmp_path), tmp_path / "net.onnx", trust=True, examples=(str(tmp_path / "x.npy"),)
        )


def test_scores_without_probabilities(tmp_path: Path) -> None:
    net = trained(SVC(random_state=0))
    made = convert_model(saved(net, tmp_path), tmp_path / "net.onnx", trust=True)
    assert made.proof is not None
    assert len(made.proof.differences) == 2


def test_columns_that_are_picked_by_name(tmp_path: Path) -> None:
    """A row holds them in the order of feature_names_in_, whatever they are called in ONNX."""
    pandas = pytest.importorskip("pandas")
    names = ["sepal length (cm)", "b", "input", "d"]
    frame = pandas.DataFrame(DIGITS[:200, 10:14], columns=names)
    parts = make_column_transformer((StandardScaler(), ["d", names[0]]), ("passthrough", ["input"]))
    net = make_pipeline(parts, LogisticRegression(C=0.01, max_iter=1000)).fit(frame, CLASSES[:200])
    made = convert_model(saved(net, tmp_path), tmp_path / "net.onnx", trust=True)
    (_, chances) = made.model.judge.outputs({made.model.graph.inputs[0].name: DIGITS[200:300, 10:14]}).values()
    expected = net.predict_proba(pandas.DataFrame(DIGITS[200:300, 10:14], columns=names))
    np.testing.assert_allclose(chances, expected, atol=1e-5)
    assert any("in this order: 'sepal length (cm)', 'b', 'input', 'd'" in note for note in made.notes)


def test_columns_of_text_are_refused_by_name(tmp_path: Path) -> None:
    words = np.array([["a"], ["b"], ["a"], ["c"]], object)
    net = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(words, [0, 1, 0, 1])
    with pytest.raises(ModelFileError, match=r"OneHotEncoder takes text, and the model would take rows of numbers"):
        convert_model(saved(net, tmp_path), tmp_path / "net.onnx", trust=True)


def test_a_forest_is_attacked_by_its_answers_alone(tmp_path: Path) -> None:
    convert_model(saved(RandomForestClassifier(5, random_state=0).fit(DIGITS[:300], CLASSES[:300]), tmp_path),
                  tmp_path / "net.onnx", trust=True)  # fmt: skip
    np.save(tmp_path / "rows.npy", DIGITS[500:501])
    result = command(
        "attack", "hopskipjump", str(tmp_path / "net.onnx"), str(tmp_path / "rows.npy"), "--steps", "2", "--json",
        "-o", str(tmp_path / "attack"),
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["items"][0]["success"] is True
