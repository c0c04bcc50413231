"""Pickles and copies: modules of ``to_torch`` (torch.fx reads their source again, and looks into no function of ours),
models and graphs, which are read again from their files, and answers.
"""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import onnxray
from onnxray.errors import ModelFileError
from support import models

FIXED = """g (float[2,1,6,6] x) => (float[2,3] y) {
  c = Conv <kernel_shape = [3, 3]> (x, w)
  s = Constant <value = int64[3] {2, 16, 3}> ()
  r = Reshape (c, s)
  t = Transpose <perm = [2, 0, 1]> (r)
  m = ReduceMax <axes = [2], keepdims = 0> (t)
  y = Transpose <perm = [1, 0]> (m)
}"""
CARRIED = """g (float[N,4] x) => (uint8[N,4] y) { q = QuantizeLinear (x, s, z) y = Reshape (q, to) }"""


def fixed() -> onnx.ModelProto:
    return models.parse(FIXED, {"w": models.random(0, 3, 1, 3, 3)})


def carried() -> onnx.ModelProto:
    constants = {"s": np.float32(0.1), "z": np.uint8(3), "to": np.int64([-1, 4])}
    return models.parse(CARRIED, constants)


@pytest.mark.parametrize(("model", "shape"), [(fixed, (6, 1, 6, 6)), (carried, (3, 4)), (models.lenet, (2, 1, 14, 14))])
def test_a_module_comes_back_from_a_pickle(model: object, shape: tuple[int, ...]) -> None:
    assert callable(model)
    module = onnxray.to_torch(model())
    x = torch.from_numpy(models.random(5, *shape))
    expected = module(x)
    for other in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert torch.equal(other(x), expected)
        assert [n.op for n in other.graph.nodes] == [n.op for n in module.graph.nodes]
        again = pickle.loads(pickle.dumps(other))
        assert torch.equal(again(x), expected)


Write = Callable[..., Path]


def test_a_model_comes_back_by_its_file_and_as_it_was_opened(write: Write) -> None:
    path = write(models.lenet())
    labels = [f"word {k}" for k in range(5)]
    model = onnxray.open(path, models.GREY, labels=labels, strict=True, output="prob=classes")
    other = pickle.loads(pickle.dumps(model))
    assert isinstance(other, onnxray.Model)
    assert (other.profile, other.strict, other.head) == (model.profile, model.strict, model.head)
    assert other.inputs == model.inputs
    said, its = model.predict(models.pictures(3)), other.predict(models.pictures(3))
    assert its.labels == said.labels
    np.testing.assert_array_equal(its.probabilities, said.probabilities)
    cotangent = models.random(0, 1, 5)
    np.testing.assert_array_equal(
        other.pullback(models.pictures(1), {"ip2": cotangent}), model.pullback(models.pictures(1), {"ip2": cotangent})
    )
    again = pickle.loads(pickle.dumps(other))
    assert again.graph.sha256 == model.graph.sha256


def test_a_model_of_tables_comes_back_with_what_its_inputs_are_read_as(write: Write) -> None:
    text = "g (float[N,4] x) => (float[N,3] z) { z = MatMul (x, w) }"
    path = write(models.parse(text, {"w": models.random(0, 4, 3)}))
    model = onnxray.open(path, inputs={"x": {"kind": "table row", "columns": ["a", "b", "c", "d"]}})
    other = pickle.loads(pickle.dumps(model))
    assert other.inputs == model.inputs
    assert other.inputs.to_dict() == model.inputs.to_dict()


def test_a_model_in_memory_is_refused_in_one_line() -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    for value in (model, model.graph):
        with pytest.raises(ModelFileError, match="given as bytes cannot be pickled; save it to a file"):
            pickle.dumps(value)


def test_a_pickle_whose_file_is_another_now_is_refused_in_one_line(write: Write) -> None:
    path = write(models.lenet())
    pickles = [pickle.dumps(value) for value in (onnxray.open(path, models.GREY), onnxray.open(path).graph)]
    write(models.lenet(weights=models.lenet_weights(seed=1)))
    for data in pickles:
        with pytest.raises(ModelFileError, match="is not the file that it was when the model was pickled"):
            pickle.loads(data)
    path.unlink()
    for data in pickles:
        with pytest.raises(ModelFileError):
            pickle.loads(data)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_model_is_the_model(copied: Callable[[object], object]) -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    assert copied(model) is model
    assert copied(model.graph) is model.graph


@pytest.mark.parametrize("kind", ["embedding", "regression", "logits"])
def test_answers_are_pickled_and_copied(kind: str) -> None:
    text = "g (float[N,4] x) => (float[N,3] z) { z = MatMul (x, w) }"
    model = onnxray.open(models.parse(text, {"w": models.random(0, 4, 3)}), output=f"z={kind}")
    said = model.predict(models.random(1, 2, 4))
    for other in (pickle.loads(pickle.dumps(said)), copy.copy(said), copy.deepcopy(said)):
        assert repr(other) == repr(said)
        assert [other.numbers(k) for k in range(2)] == [said.numbers(k) for k in range(2)]
