"""What a file tells wrongly of its values ends in one line, not in a traceback."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import InputError, ModelFileError, OnnxrayError, RuntimeRefusal
from onnxray.model.picture_network import apply_network
from support import models


def test_a_sequence_that_shape_inference_does_not_reach() -> None:
    """A weight of another kind stops onnx's inference, and then nothing tells that ``s`` is a sequence."""
    model = models.parse(
        "g (float[N,4] x) => (float[N,8] y) { a = Relu (x) s = SequenceConstruct (a, x) y = ConcatFromSequence <axis = 1> (s) }"
    )
    model.graph.initializer.add()
    model.graph.sparse_initializer.add().indices.string_data.append(b"text")
    try:
        onnxray.open(model).verify(np.ones((2, 4), np.float32))
    except OnnxrayError as error:
        # The file itself is refused where ONNX Runtime is asked for all of it, the value where it is cut before.
        assert isinstance(error, RuntimeRefusal) or "'s' is no tensor" in str(error)  # noqa: PT017


def test_a_network_that_answers_in_words_is_not_applied() -> None:
    node = onnx.helper.make_node(
        "LinearClassifier", ["f"], ["label", "y"], domain="ai.onnx.ml", coefficients=[0.1] * 12, intercepts=[0.1] * 3,
        classlabels_strings=["a", "b", "c"],
    )  # fmt: skip
    model = models.parse("g (float[N,1,2,2] x) => (string[N] label) { f = Flatten (x) }")
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 3))
    model.graph.node.append(node)
    opened = onnxray.open(model, "unit")
    with pytest.raises(InputError, match="'label' holds text"):
        apply_network(opened, np.asarray(Image.new("L", (2, 2)), np.float32)[None])


@pytest.mark.parametrize(
    "name", ["file", "allow_pickle", "self", "args", "../../x", "/etc/x", "é" * 20_000, "x" * 70_000]
)
def test_values_of_any_name_are_written(name: str, tmp_path: Path) -> None:
    """Some are names of numpy's own options, some longer than an archive takes."""
    model = models.parse("g (float[N,1,4,4] x) => (float[N,1,4,4] y) { t = Relu (x) y = Neg (t) }")
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = name
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    Image.new("L", (4, 4), 7).save(tmp_path / "a.png")
    given = [
        str(tmp_path / "m.onnx"),
        str(tmp_path / "a.png"),
        "--value",
        "*",
        "--profile",
        "raw",
        "-o",
        str(tmp_path / "o"),
    ]
    done = CliRunner().invoke(app, ["values", *given])
    assert done.exit_code == 0, done.output
    (key,) = (
        item["key"] for item in json.loads((tmp_path / "o/result.json").read_text())["items"] if item["name"] == name
    )
    assert not {"/", "\\"} & set(key)
    with np.load(tmp_path / "o/values.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive[key], np.full((1, 1, 4, 4), 7, np.float32))


def test_values_that_are_text_are_no_pickles(tmp_path: Path) -> None:
    from support.mutation_pictures import picture_networks

    (tmp_path / "m.onnx").write_bytes(picture_networks()["labelled"].SerializeToString())
    Image.new("L", (8, 8), 7).save(tmp_path / "a.png")
    given = [str(tmp_path / "m.onnx"), str(tmp_path / "a.png"), "--value", "label", "-o", str(tmp_path / "o")]
    assert CliRunner().invoke(app, ["values", *given]).exit_code == 0
    with np.load(tmp_path / "o/values.npz", allow_pickle=False) as archive:
        assert archive["label"].item() in {"cat", "dog", "a third"}


@pytest.mark.parametrize("number", [29, 77, -1])
def test_weights_of_a_type_that_onnx_does_not_know(number: int, tmp_path: Path) -> None:
    """Whatever is told of them before they are read."""
    model = models.parse(
        "g (uint8[N,4] x) => (int32[N,4] y) { y = MatMulInteger (x, w) }", {"w": np.ones((4, 4), np.int8)}
    )
    model.graph.initializer[0].data_type = number
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    for command in ("inspect", "verify"):
        done = CliRunner().invoke(app, [command, str(tmp_path / "m.onnx")])
        assert isinstance(done.exception, SystemExit | None), done.exception


def test_attributes_of_functions_where_there_is_none() -> None:
    model = models.parse("g (float[N,4] x) => (float[4,N] y) { [turn] y = Transpose <perm = [1, 0]> (x) }")
    model.graph.node[0].attribute[0].ref_attr_name = "order"
    with pytest.raises(ModelFileError, match="'perm' refers to a function's attribute 'order'"):
        onnxray.to_torch(model, verify=False)


def test_attributes_of_functions_where_only_the_layout_is_asked_for(tmp_path: Path) -> None:
    from support.mutation_pictures import picture_networks

    model = picture_networks()["transformer"]
    turn = next(node for node in model.graph.node if node.op_type == "Transpose")
    turn.attribute[0].ref_attr_name = "order"
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    Image.new("L", (8, 8), 7).save(tmp_path / "a.png")
    done = CliRunner().invoke(app, ["saliency", "grad-cam", str(tmp_path / "m.onnx"), str(tmp_path / "a.png")])
    assert isinstance(done.exception, SystemExit), done.exception


def test_attributes_of_functions_are_theirs() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "own": 1]>
    g (float[N,4] x) => (float[4,N] y) { y = own.turn <order = [1, 0]> (x) }
    <opset_import: ["": 17], domain: "own"> turn <order> (v) => (w) { w = Transpose <perm: ints = @order> (v) }"""
    assert onnxray.open(onnx.parser.parse_model(text)).verify(np.ones((2, 4), np.float32)).agrees
