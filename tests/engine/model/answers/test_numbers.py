"""Numbers, embeddings and labels are what ONNX Runtime gives, and nothing is made of them."""

from __future__ import annotations

import json
import pickle

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import NoSuchAnswer
from support import models

X = models.random(0, 4, 3)


def ending(nodes: str, outputs: str) -> onnx.ModelProto:
    weights = {"w": models.random(1, 3, 5), "u": models.random(2, 3, 1)}
    used = {name: array for name, array in weights.items() if f", {name})" in nodes}
    return models.parse(f"g (float[N,3] x) => ({outputs}) {{ {nodes} }}", used)


@pytest.mark.parametrize(
    ("nodes", "outputs", "kind"),
    [
        ("y = MatMul (x, u)", "float[N,1] y", "regression"),
        ("landmarks = MatMul (x, w)", "float[N,5] landmarks", "regression"),
    ],
)
def test_numbers_as_they_are(nodes: str, outputs: str, kind: str) -> None:
    proto = ending(nodes, outputs)
    found = onnxray.open(proto).predict(X)
    (given,) = models.run(proto, {"x": X})
    assert found.kind == kind
    np.testing.assert_array_equal(found.values, given)
    assert found.describe(1) == ", ".join(f"{number:.6g}" for number in given[1].tolist())
    assert json.loads(json.dumps(found.numbers(1)))["values"] == given[1].tolist()
    assert not hasattr(found, "probabilities")
    with pytest.raises(NoSuchAnswer, match=f"output '{found.output}' is {kind}, so it has no classes; where it is a"):
        _ = found.classes
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.values, given)


def test_an_embedding() -> None:
    proto = ending("embedding = MatMul (x, w)", "float[N,5] embedding")
    found = onnxray.open(proto).predict(X)
    (given,) = models.run(proto, {"x": X})
    a, b = given[0].astype(np.float64), given[1].astype(np.float64)
    np.testing.assert_allclose(found.norms, np.linalg.norm(given.astype(np.float64), axis=1))
    assert found.cosine(0, 1) == pytest.approx(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    assert found.numbers(0)["values"] == given[0].tolist()
    assert any("taken for embedding, assumed" in note for note in found.notes)


@pytest.mark.parametrize("text", [True, False])
def test_labels(text: bool) -> None:
    listed, kind = (
        ('classlabels_strings = ["red", "green"]', "string") if text else ("classlabels_ints = [7, 3]", "int64")
    )
    proto = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 3]> g (float[N,3] x) => ({kind}[N] label) '
        f"{{ label, p = ai.onnx.ml.LinearClassifier <{listed}, coefficients = [1.0, 2.0, 3.0, -1.0, -2.0, -3.0], "
        "intercepts = [0.0, 0.0]> (x) }"
    )
    found = onnxray.open(proto).predict(X)
    (given,) = models.run(proto, {"x": X})
    assert found.kind == "labels"
    assert [found.numbers(k)["label"] for k in range(4)] == given.tolist()
    assert onnxray.open(proto).verdict(X) is None


def test_what_is_not_one_row_a_sample_is_said() -> None:
    proto = models.parse("g (float[N,3] x) => (float[3,N] y) { t = Sin (x) y = Transpose (t) }")
    with pytest.raises(
        onnxray.errors.InputError, match=r"output 'y' has the shape \[3, 4\] for 4 samples, not one row"
    ):
        onnxray.open(proto, output="y=regression").predict(X)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_layers_of_a_state_are_no_samples(rows: int) -> None:
    """As many for any number of samples: a voice detector's state stands beside its signal."""
    proto = models.parse(
        """g (float[N,3] x, float[2,N,1] state) => (float[N,1] y, float[2,N,1] next) {
          one, two = Split <axis = 0> (state)  h = MatMul (x, u)  s = Squeeze (one, first)  y = Add (h, s)
          next = Neg (state) }""",
        {"u": models.random(2, 3, 1), "first": np.array([0])},
    )
    given = {"x": X[:rows], "state": models.random(3, 2, rows, 1)}
    found = onnxray.open(proto, output="y=regression").predict(given)
    np.testing.assert_allclose(found.values, models.run(proto, given, ["y"])[0], rtol=1e-6)
