"""External data anywhere in a model: read beside the model alone, the same bytes for both engines, or one line."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxray
from onnxray.errors import ModelFileError
from onnxray.graph.file import external_data
from onnxray.graph.reading import read_graph
from support import models

SHAPE = (2, 3)
RIGHT, WRONG = np.full(SHAPE, 7.5, np.float32), np.full(SHAPE, -3, np.float32)
X = {"x": models.random(0, *SHAPE)}

IF = """g (float[2,3] x) => (float[2,3] y) {
  y = If (c) <then_branch = a () => (p) { p = Add (x, s) }, else_branch = b () => (q) { q = Neg (x) }>
}"""
NESTED = """g (float[2,3] x) => (float[2,3] y) {
  y = If (c) <
    then_branch = a () => (p) {
      p = If (c) <then_branch = e () => (r) { r = Add (x, s) }, else_branch = f () => (t) { t = Neg (x) }> },
    else_branch = b () => (q) { q = Neg (x) }>
}"""
LOOP = """g (float[2,3] x) => (float[2,3] y) {
  y = Loop (n, c, x) <body = a (int64 i, bool k, float[2,3] v) => (bool k2, float[2,3] w) {
    k2 = Identity (k) w = Add (v, s) }>
}"""
SCAN = """g (float[2,3] x) => (float[2,3] y) {
  y = Scan (x) <num_scan_inputs = 1, body = a (float[3] v) => (float[3] w) { w = Add (v, s) }>
}"""
PLAIN = """g (float[2,3] x) => (float[2,3] y) {
  s = Constant <value = float[1] {0}> ()
  y = Add (x, s)
}"""
CONSTANT_IN_BODY = """g (float[2,3] x) => (float[2,3] y) {
  y = If (c) <
    then_branch = a () => (p) { s = Constant <value = float[1] {0}> () p = Add (x, s) },
    else_branch = b () => (q) { q = Neg (x) }>
}"""
FUNCTION = """<ir_version: 8, opset_import: ["": 17, "own": 1]>
g (float[2,3] x) => (float[2,3] y) { y = own.shift (x) }
<opset_import: ["": 17], domain: "own">
shift (v) => (w) { s = Constant <value = float[1] {0}> () w = Add (v, s) }"""


def outside(tensor: onnx.TensorProto, entries: Mapping[str, str], array: np.ndarray) -> None:
    """Make the tensor say that its data lies elsewhere."""
    tensor.CopyFrom(onnx.TensorProto(name=tensor.name, data_type=1, dims=array.shape))
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)


def bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def in_body(text: str, depth: int = 1) -> Callable[[Mapping[str, str]], onnx.ModelProto]:
    """The model of a text whose weight ``s`` lies outside, ``depth`` bodies deep."""

    def make(entries: Mapping[str, str]) -> onnx.ModelProto:
        model = models.parse(text, {"c": np.array(True), "n": np.array(1)})
        graph = model.graph
        for _ in range(depth):
            graph = bodies(graph.node[0])[0]
        array = RIGHT[0] if "Scan" in text else RIGHT
        outside(graph.initializer.add(name="s"), entries, array)
        return model

    return make


def constant(entries: Mapping[str, str]) -> onnx.ModelProto:
    model = models.parse(PLAIN)
    outside(model.graph.node[0].attribute[0].t, entries, RIGHT)
    return model


def constant_in_body(entries: Mapping[str, str]) -> onnx.ModelProto:
    model = models.parse(CONSTANT_IN_BODY, {"c": np.array(True)})
    outside(bodies(model.graph.node[0])[0].node[0].attribute[0].t, entries, RIGHT)
    return model


def constant_in_function(entries: Mapping[str, str]) -> onnx.ModelProto:
    model = onnx.parser.parse_model(FUNCTION)
    outside(model.functions[0].node[0].attribute[0].t, entries, RIGHT)
    return model


def sparse_constant(entries: Mapping[str, str]) -> onnx.ModelProto:
    model = models.parse(PLAIN)
    attribute = model.graph.node[0].attribute[0]
    indices = numpy_helper.from_array(np.arange(6), "i")
    sparse = onnx.SparseTensorProto(values=onnx.TensorProto(name="s"), indices=indices, dims=SHAPE)
    outside(sparse.values, entries, RIGHT.reshape(-1))
    attribute.CopyFrom(onnx.helper.make_attribute("sparse_value", sparse))
    return model


PLACES: dict[str, Callable[[Mapping[str, str]], onnx.ModelProto]] = {
    "if": in_body(IF),
    "nested": in_body(NESTED, 2),
    "loop": in_body(LOOP),
    "scan": in_body(SCAN),
    "constant": constant,
    "constant in a body": constant_in_body,
    "constant in a function": constant_in_function,
    "sparse constant": sparse_constant,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model's folder; the current one holds a file of the same name, and so does the one above."""
    for name, array in (("model", RIGHT), ("current", WRONG), (".", WRONG)):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "s.bin").write_bytes(b"\x00" * 7 + array.tobytes())
    monkeypatch.chdir(tmp_path / "current")
    return tmp_path / "model"


def write(folder: Path, place: str, **entries: str) -> Path:
    path = folder / "m.onnx"
    path.write_bytes(PLACES[place](entries).SerializeToString())
    return path


@pytest.mark.parametrize("place", PLACES)
def test_both_engines_read_beside_the_model(place: str, folder: Path) -> None:
    path = write(folder, place, location="s.bin", offset="7", **({"length": "12"} if place == "scan" else {}))
    model = onnxray.open(path)
    assert set(model.graph.identity) == {"sha256", "external:s.bin"}
    np.testing.assert_array_equal(model.judge.outputs(X)["y"], X["x"] + 7.5)
    if place == "sparse constant":
        return  # the twin has no sparse constants
    np.testing.assert_array_equal(model.values(X, ["y"])["y"], X["x"] + 7.5)
    np.testing.assert_array_equal(model.values(X, ["y"], engine="twin")["y"], X["x"] + 7.5)
    np.testing.assert_array_equal(model.pullback(X, {"y": WRONG}), WRONG)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"location": "missing.bin"}, "missing beside"),
        ({"location": "../s.bin"}, "outside the model's folder"),
        ({"location": "sub/../../s.bin"}, "outside the model's folder"),
        ({"location": "/etc/hostname"}, "outside the model's folder"),
        ({"location": "C:\\s.bin"}, "outside the model's folder"),
        ({"location": "link.bin"}, "outside the model's folder"),
        ({}, "outside the model's folder"),
        ({"location": "s.bin", "offset": "8"}, "takes .* bytes, it has"),
        ({"location": "s.bin", "offset": "20", "length": "24"}, "is the file whole"),
        ({"location": "s.bin", "offset": "-1"}, "is the file whole"),
        ({"location": "s.bin", "offset": "x"}, "damaged external-data entry"),
        ({"location": "pipe"}, "missing beside"),
    ],
)
def test_what_cannot_be_had_is_one_line(place: str, entries: dict[str, str], said: str, folder: Path) -> None:
    (folder / "link.bin").symlink_to(folder.parent / "s.bin")
    with pytest.raises(ModelFileError, match=said) as caught:
        read_graph(write(folder, place, **entries))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["if", "constant"])
def test_without_a_path_it_cannot_be_found(place: str) -> None:
    with pytest.raises(ModelFileError, match="open the model by its path"):
        read_graph(PLACES[place]({"location": "s.bin"}))


def test_what_is_held_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_data, "LARGEST_INNER", 20)
    with pytest.raises(ModelFileError, match="24 bytes with constant 'value' .* 20 are the most"):
        read_graph(write(folder, "constant", location="s.bin", offset="7"))


def test_text_is_never_external(folder: Path) -> None:
    model = constant({"location": "s.bin"})
    model.graph.node[0].attribute[0].t.data_type = onnx.TensorProto.STRING
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="holds text"):
        read_graph(folder / "m.onnx")


def test_what_changed_since_is_not_read(folder: Path) -> None:
    path = write(folder, "if", location="s.bin", offset="7")
    model = onnxray.open(path)
    (folder / "s.bin").write_bytes(b"\x00" * 7 + WRONG.tobytes())
    np.testing.assert_array_equal(model.judge.outputs(X)["y"], X["x"] + 7.5)  # what was read when it was opened
    for work in (lambda: model.graph.identity, lambda: model.values(X, ["y"], engine="twin")):
        with pytest.raises(ModelFileError, match=r"'s\.bin' beside .*changed since it was opened"):
            work()
