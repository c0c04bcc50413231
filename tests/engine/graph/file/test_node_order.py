"""Nodes out of order: sorted as ONNX Runtime does in the graph, and where it does not, in bodies and functions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import ModelFileError
from onnxray.graph.file.node_order import in_order
from onnxray.graph.reading import read_graph
from support import models

CHAIN = """g (float[N,3] x) => (float[N,4] y) {
  a = MatMul (x, w)
  b = Tanh (a)
  c = Mul (b, a)
  y = Softmax <axis = 1> (c)
}"""
BRANCH = """g (float[N,3] x, bool c) => (float[N,3] y) {
  a = Tanh (x)
  y = If (c) <then_branch = t () => (float[N,3] p) { q = Neg (a) r = Exp (q) p = Add (r, q) },
              else_branch = e () => (float[N,3] s) { u = Neg (x) s = Exp (u) }>
}"""
LOOP = """g (float[2,3] x) => (float[2,3] y) {
  count = Constant <value_int = 3> ()
  yes = Constant <value = bool {1}> ()
  y = Loop (count, yes, x) <body = b (int64 i, bool go, float[2,3] before) => (bool on, float[2,3] after) {
    on = Identity (go)
    half = Tanh (before)
    after = Add (half, x)
  }>
}"""
SCAN = """g (float[2,3] x, float[3] start) => (float[3] last, float[2,3] y) {
  last, y = Scan <num_scan_inputs = 1, body = b (float[3] sum, float[3] row) => (float[3] next, float[3] out) {
    t = Tanh (row)
    next = Add (sum, t)
    out = Identity (next)
  }> (start, x)
}"""
FUNCTION = """<ir_version: 8, opset_import: ["": 17, "own": 1]>
g (float[N,3] x) => (float[N,3] y) { a = own.f (x) y = Neg (a) }
<domain: "own", opset_import: ["": 17]>
f (x) => (y) { t = Tanh (x) u = Exp (t) y = Mul (t, u) }
"""
FILES: dict[str, Callable[[], onnx.ModelProto]] = {
    "chain": lambda: models.parse(CHAIN, {"w": models.random(0, 3, 4)}),
    "If": lambda: models.parse(BRANCH),
    "Loop": lambda: models.parse(LOOP),
    "Scan": lambda: models.parse(SCAN),
    "function": lambda: onnx.parser.parse_model(FUNCTION),
}


def shuffled(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """The nodes of everything that holds some in another order: reversed for seed 0."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    pending: list[Any] = [copy.graph, *copy.functions]
    while pending:
        holder = pending.pop()
        nodes = list(holder.node)
        order = np.random.default_rng(seed).permutation(len(nodes)) if seed else range(len(nodes))[::-1]
        del holder.node[:]
        holder.node.extend(nodes[place] for place in order)
        pending += [attribute.g for node in holder.node for attribute in node.attribute if attribute.HasField("g")]
    return copy


def feeds_of(model: onnx.ModelProto) -> dict[str, np.ndarray[Any, Any]]:
    shapes = {"x": (2, 3), "start": (3,)}
    return {
        info.name: np.array(True) if info.name == "c" else models.random(1, *shapes[info.name])
        for info in model.graph.input
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", FILES)
def test_nodes_out_of_order_give_what_they_give_in_order(kind: str, seed: int) -> None:
    model = FILES[kind]()
    feeds, mixed = feeds_of(model), shuffled(model, seed)
    names = [info.name for info in mixed.graph.output]
    expected = models.run(model, feeds)
    opened = onnxray.open(mixed.SerializeToString())
    for engine in ("judge", "twin"):
        found = opened.values(feeds, names, engine)
        for name, wanted in zip(names, expected, strict=True):
            np.testing.assert_allclose(found[name], wanted, rtol=1e-5, atol=1e-6)
    x = {name: array.astype(np.float64) for name, array in feeds.items() if array.dtype.kind == "f"}
    got = opened.pullback(feeds, {names[-1]: np.ones(expected[-1].shape, np.float32)})
    got = got["x"] if isinstance(got, dict) else got
    step = np.zeros_like(x["x"])
    step[0, 1] = 1e-2
    sides = [models.run(model, feeds | {"x": (x["x"] + way * step).astype(np.float32)})[-1] for way in (1, -1)]
    assert got[0, 1] == pytest.approx(float((sides[0] - sides[1]).sum()) / 2e-2, rel=2e-2, abs=1e-3)


@pytest.mark.parametrize("kind", FILES)
def test_what_is_in_order_stays_the_same_object(kind: str) -> None:
    model = FILES[kind]()
    assert in_order(model) is model


@pytest.mark.parametrize("kind", FILES)
def test_reversed_nodes_are_read_in_the_order_of_the_file(kind: str) -> None:
    """A chain has one order alone; of two that may come next, the first in the file does."""
    model = shuffled(FILES[kind](), 0)
    found = in_order(model)
    assert sorted(n.SerializeToString() for n in in_order(found).graph.node) == sorted(
        n.SerializeToString() for n in found.graph.node
    )
    assert in_order(found) is found


def test_independent_nodes_keep_their_order() -> None:
    text = """g (float[N,3] x) => (float[N,3] y) {
      y = Sum (d, b, a)
      b = Neg (x)
      a = Exp (x)
      d = Tanh (a)
    }"""
    found = in_order(models.parse(text))
    assert [node.output[0] for node in found.graph.node] == ["b", "a", "d", "y"]


def test_a_circle_is_refused_by_name() -> None:
    text = "g (float[N,3] x) => (float[N,3] y) { a = Add (x, b) b = Neg (a) y = Exp (b) }"
    with pytest.raises(ModelFileError, match=r"'b'.*circle"):
        read_graph(models.parse(text))


def test_a_value_that_nothing_defines_is_refused_by_name() -> None:
    with pytest.raises(ModelFileError, match="reads 'nowhere'"):
        read_graph(models.parse("g (float[N,3] x) => (float[N,3] y) { y = Add (x, nowhere) }"))


def test_half_files_of_onnx_runtimes_own_converter(tmp_path: Any) -> None:
    """Its Cast nodes stand last (``keep_io_types``); verified on a file, with a cut at an inner value."""
    float16 = pytest.importorskip("onnxruntime.transformers.float16")
    model = float16.convert_float_to_float16(models.lenet(), keep_io_types=True)
    assert model.graph.node[-1].op_type == "Cast"
    path = tmp_path / "half.onnx"
    onnx.save(model, path)
    opened = onnxray.open(path, profile=models.GREY)
    assert opened.verify().agrees
    pixels = models.pictures(2)
    assert opened.pullback(pixels, {"ip2": np.ones(5, np.float32)}).shape == pixels.shape
    assert opened.values(pixels, ["relu1"])["relu1"].shape == (2, 4, 12, 12)
