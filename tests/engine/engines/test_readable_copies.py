"""Files that ONNX Runtime cannot be fed as they are: a copy is judged, exactly the same otherwise, and it is said."""

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.engines.judge import Judge
from onnxray.engines.readable_copies import newest, note, reasons
from onnxray.errors import RuntimeRefusal
from onnxray.graph.reading import read_graph
from support import models

TEXT = "g (float[N,3] x) => (float[N,4] y) { a = MatMul (x, w) y = Softmax <axis = 1> (a) }"
X = models.random(1, 2, 3)
W = models.random(0, 3, 4)
FOREIGN = ("bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "int4", "uint4")


def new(ir: int, opset: int) -> onnx.ModelProto:
    return models.parse(TEXT, {"w": W}, opset=opset, ir=ir)


def test_the_newest_versions_start_and_the_next_do_not() -> None:
    ir, opset = newest()
    assert models.run(new(ir, opset), {"x": X})[0].shape == (2, 4)
    if ir < onnx.IR_VERSION:
        with pytest.raises(Exception, match="IR version"):
            models.run(new(ir + 1, opset), {"x": X})
    if opset < onnx.defs.onnx_opset_version():
        with pytest.raises(Exception, match=r"(?i)opset"):
            models.run(new(ir, opset + 1), {"x": X})


@pytest.mark.parametrize(("ir", "opset"), [(onnx.IR_VERSION, 17), (10, onnx.defs.onnx_opset_version())])
def test_a_file_newer_than_onnx_runtime_is_judged_on_a_copy(ir: int, opset: int) -> None:
    known = newest()
    if ir <= known[0] and opset <= known[1]:
        pytest.skip("this ONNX Runtime reads all that onnx writes")
    model = new(ir, opset)
    opened = onnxray.open(model.SerializeToString())
    expected = models.run(new(10, 17), {"x": X})[0]
    np.testing.assert_array_equal(opened.values(X, ["y"])["y"], expected)
    assert opened.values(X, ["a"])["a"].shape == (2, 4)
    assert opened.verify().agrees
    assert opened.pullback(X, {"y": np.ones(4, np.float32)}).shape == X.shape
    assert any(f" {ir if ir > known[0] else opset}, the copy" in said for said in opened.notes)


def test_an_operator_that_changed_is_not_read_as_its_older_self() -> None:
    opset = onnx.defs.onnx_opset_version()
    known = newest()[1]
    names = {schema.name for schema in onnx.defs.get_all_schemas() if known < schema.since_version <= opset}
    changed = sorted(names & {"QuantizeLinear", "Attention", "TopK", "Cast", "DequantizeLinear"})
    if not changed:
        pytest.skip("nothing changed since")
    node = onnx.helper.make_node(changed[0], ["x", "w"], ["z"])
    model = new(10, opset)
    model.graph.node.append(node)
    graph = read_graph(model)
    assert not any("opset" in why for why in reasons(graph))
    with pytest.raises(RuntimeRefusal):
        Judge(graph).outputs({"x": X})


@pytest.mark.parametrize("kind", FOREIGN)
def test_numbers_that_numpy_has_no_type_for_come_and_go_exactly(kind: str) -> None:
    """Small whole numbers, which every one of these types holds."""
    text = f"g ({kind}[N,3] x) => ({kind}[N,3] y, float[N,3] z) {{ z = Cast <to = 1> (x) y = Cast <to = {{}}> (z) }}"
    number = getattr(onnx.TensorProto, kind.upper())
    model = models.parse(text.replace("{}", str(number)), opset=21, ir=10)
    graph = read_graph(model)
    x = np.array([[0, 1, 2], [2, 1, 0]], np.float32).astype(onnx.helper.tensor_dtype_to_np_dtype(number))
    found = Judge(graph).values({"x": x}, ["y", "z"])
    assert found["y"].dtype in {np.dtype(np.float32), np.dtype(np.int8), np.dtype(np.uint8)}
    for name in ("y", "z"):
        np.testing.assert_array_equal(found[name].astype(np.float32), x.astype(np.float32))
    said = note(graph)
    assert said is not None
    assert "casts to and from" in said


@pytest.mark.parametrize("kind", FOREIGN[:5])
def test_the_twin_takes_the_same_numbers(kind: str) -> None:
    number = getattr(onnx.TensorProto, kind.upper())
    text = f"g ({kind}[N,3] x) => (float[N,3] y) {{ z = Cast <to = 1> (x) y = Tanh (z) }}"
    opened = onnxray.open(models.parse(text, opset=21, ir=10).SerializeToString())
    x = np.array([[0, 1, 2]], np.float32).astype(onnx.helper.tensor_dtype_to_np_dtype(number))
    judge, twin = (opened.values(x, ["y"], engine)["y"] for engine in ("judge", "twin"))
    np.testing.assert_allclose(twin, judge, rtol=1e-6)
    np.testing.assert_allclose(judge, np.tanh([[0, 1, 2]]), rtol=1e-6)


def test_a_file_that_can_be_fed_is_judged_itself() -> None:
    graph = read_graph(models.lenet())
    assert reasons(graph) == ()
    assert note(graph) is None
    assert onnxray.open(models.lenet(), profile=models.GREY).notes == ()
