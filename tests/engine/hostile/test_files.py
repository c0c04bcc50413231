"""Files that are no model, damaged models and models that ask for what cannot be had: one line each, never a traceback."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxray
from onnxray.errors import (
    InputError,
    MismatchError,
    ModelFileError,
    NotDifferentiable,
    OnnxrayError,
    RuntimeRefusal,
    UnknownValue,
    UnsupportedOperator,
)
from onnxray.graph.classifier.output import aliases_of
from onnxray.graph.reading import read_graph
from support import models

Write = Callable[..., Path]


def assert_one_line(error: BaseException) -> None:
    assert str(error)
    assert "\n" not in str(error)
    assert "Traceback" not in str(error)


def outcome(data: bytes, *, predict: bool) -> str:
    """Open, and where that works classify: the name of the error, or "model". Anything else is raised."""
    try:
        model = onnxray.open(data, models.GREY)
        if predict:
            model.predict(models.pictures(1))
    except OnnxrayError as error:
        assert_one_line(error)
        return type(error).__name__
    return "model"


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file") as caught:
        onnxray.open(tmp_path / "no.onnx")
    assert_one_line(caught.value)


@pytest.mark.parametrize("name", ["x" * 5000 + ".onnx", "y" * 5000, "a\x00b.onnx", "a\x00b"])
def test_names_that_no_file_can_have(name: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        onnxray.open(name)
    assert_one_line(caught.value)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="is a folder"):
        onnxray.open(tmp_path)


def test_an_empty_file(write: Write) -> None:
    with pytest.raises(ModelFileError, match="is empty"):
        onnxray.open(write(b""))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"\xff" * 1000, b"hello, world\n" * 50, bytes(range(256)) * 20, b"PK\x03\x04" + b"\x00" * 100],
)
def test_garbage(data: bytes, write: Write) -> None:
    for source in (data, write(data)):
        with pytest.raises(ModelFileError) as caught:
            onnxray.open(source)
        assert_one_line(caught.value)


@pytest.mark.parametrize("magic", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_a_picture_in_place_of_a_model(magic: bytes, write: Write) -> None:
    with pytest.raises(ModelFileError, match="is a picture"):
        onnxray.open(write(magic + b"\x00" * 100, "cat.png"))


def test_truncated_anywhere(lenet: onnx.ModelProto, write: Write) -> None:
    data = lenet.SerializeToString()
    cuts = sorted({*range(80), *np.linspace(80, len(data) - 1, 60).astype(int).tolist(), len(data) - 1})
    for cut in cuts:
        with pytest.raises(ModelFileError) as caught:
            onnxray.open(write(data[:cut], "cut.onnx"), models.GREY)
        assert_one_line(caught.value)


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_give_a_model_or_an_error(seed: int) -> None:
    """Flips in the structure (the weights are left out of it, where any flip is a model)."""
    small = models.parse(
        """g (float[N,1,14,14] x) => (float[N,3] y) {
          c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w)
          r = Relu (c)
          shape = Constant <value = int64[2] {0, -1}> ()
          p = GlobalAveragePool (r)
          f = Reshape (p, shape)
          y = Softmax (f)
        }""",
        {"w": models.random(0, 3, 1, 3, 3)},
        opset=13,
    )
    data = small.SerializeToString()
    generator = np.random.default_rng(seed)
    seen = set()
    for trial in range(120):
        damaged = bytearray(data)
        for place in generator.integers(0, len(data), 1 + trial % 3):
            damaged[place] ^= 1 << generator.integers(0, 8)
        seen.add(outcome(bytes(damaged), predict=True))
    assert {"model", "ModelFileError"} <= seen


def test_flipped_bytes_in_a_function_and_a_subgraph() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17, "own": 1]>
        g (float[N,1,14,14] x, bool c) => (float[N,1,14,14] y) {
          t = own.twice (x)
          y = If (c) <then_branch = a () => (float[N,1,14,14] p) { p = Relu (t) },
                      else_branch = b () => (float[N,1,14,14] q) { q = Neg (t) }>
        }
        <opset_import: ["": 17], domain: "own">
        twice (v) => (w) { w = Add (v, v) }"""
    )
    data = model.SerializeToString()
    assert "t" in read_graph(data).values
    generator = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data)
        damaged[generator.integers(0, len(data))] ^= 1 << generator.integers(0, 8)
        try:
            graph = read_graph(bytes(damaged))
            assert aliases_of(graph) is not None
            assert graph.parameters >= 0
        except OnnxrayError as error:
            assert_one_line(error)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("g (float[N] x) => (float[N] y) { y = Add (x, missing) }", "reads 'missing', which nothing before it defines"),
        ("g (float[N] x) => (float[N] y) { a = Add (x, b) b = Relu (a) y = Relu (b) }", "reads 'b'"),
        ("g (float[N] x) => (float[N] y) { y = Relu (x) y = Neg (x) }", "'y' is defined twice"),
        ("g (float[N] x) => (float[N] y) { x = Relu (x) y = Neg (x) }", "'x' is defined twice"),
        ("g (float[N] x) => (float[N] z) { y = Relu (x) }", "output 'z' is computed by no node"),
        ("g (float[N] x) => () { y = Relu (x) }", "no outputs"),
    ],
)
def test_nodes_that_form_no_graph(text: str, said: str, write: Write) -> None:
    model = models.parse(text)
    with pytest.raises(ModelFileError, match=said) as caught:
        onnxray.open(write(model))
    assert_one_line(caught.value)


def test_an_initialiser_given_twice() -> None:
    model = models.lenet()
    model.graph.initializer.append(model.graph.initializer[0])
    with pytest.raises(ModelFileError, match="two initialisers called 'w1'"):
        onnxray.open(model)


def test_a_missing_initialiser() -> None:
    model = models.lenet()
    del model.graph.initializer[0]
    with pytest.raises(ModelFileError, match="reads 'w1'"):
        onnxray.open(model)


def test_weights_that_do_not_fit_their_operator() -> None:
    model = onnxray.open(models.lenet(weights=models.lenet_weights() | {"w3": models.random(0, 20, 200)}), models.GREY)
    with pytest.raises(RuntimeRefusal) as caught:
        model.predict(models.pictures(1))
    assert_one_line(caught.value)
    with pytest.raises(OnnxrayError) as caught:
        model.pullback(models.pictures(1), {"conv1": models.random(0, 4, 12, 12)})
    assert_one_line(caught.value)


def test_an_unknown_operator_by_both_engines() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17, "acme": 3]> g (float[N,1,14,14] x) => (float[N,1,14,14] y) '
        "{ r = Relu (x) [odd] z = acme.Frobnicate (r) y = Neg (z) }"
    )
    opened = onnxray.open(model, models.GREY)
    with pytest.raises(RuntimeRefusal) as caught:
        opened.judge.outputs({"x": models.random(0, 1, 1, 14, 14)})
    assert_one_line(caught.value)
    with pytest.raises(UnsupportedOperator, match=r"'odd'.*acme\.Frobnicate version 3") as refused:
        onnxray.to_torch(model, verify=False)
    assert_one_line(refused.value)
    read = opened.values(models.pictures(1), ["r"])["r"]  # what lies before it can still be read
    assert read.shape == (1, 1, 14, 14)


def test_an_operator_newer_than_onnx_knows() -> None:
    model = models.parse("g (float[N,1,14,14] x) => (float[N,1,14,14] y) { y = Relu (x) }")
    model.opset_import[0].version = 99
    opened = onnxray.open(model, models.GREY)
    for call in (lambda: opened.verify(), lambda: onnxray.to_torch(model, verify=False)):
        with pytest.raises(OnnxrayError) as caught:
            call()
        assert_one_line(caught.value)


@pytest.fixture
def with_nan() -> onnxray.Model:
    weights = models.lenet_weights()
    weights["w1"][1, 0, 1, 1] = np.nan
    return onnxray.open(models.lenet(weights=weights), models.GREY)


def test_nan_in_the_weights_is_said_at_prediction_and_at_the_gradient(with_nan: onnxray.Model) -> None:
    x = models.pictures(2)
    with pytest.raises(InputError, match="NaN in the weights"):
        with_nan.predict(x)
    with pytest.raises(InputError, match="NaN in the weights"):
        with_nan.classify(x)
    with pytest.raises(MismatchError, match="NaN in the weights"):
        with_nan.pullback(x, {"ip2": models.random(0, 5)})
    with pytest.raises(MismatchError, match="NaN in the weights"):
        onnxray.to_torch(with_nan)


def test_verify_does_not_call_nan_agreement(with_nan: onnxray.Model) -> None:
    found = with_nan.verify()
    assert not found.agrees
    assert found.first_divergence is not None
    assert found.first_divergence.name == "conv2"  # conv1 is NaN in one channel alone
    assert found.to_dict()["first_divergence"]["absolute"] is None


def test_a_gradient_of_nan_is_refused() -> None:
    """sqrt at 0: the value is right in both engines, its slope is infinite."""
    model = onnxray.open(models.parse("g (float[N,2] x) => (float[N,2] y) { y = Sqrt (x) }"))
    x = np.array([[0.0, 1.0]], np.float32)
    with pytest.raises(NotDifferentiable, match="NaN or infinity"):
        model.pullback(x, {"y": np.ones((1, 2), np.float32)})
    np.testing.assert_allclose(model.pullback(x + 1, {"y": np.ones((1, 2), np.float32)}), 0.5 / np.sqrt(x + 1))


@pytest.mark.parametrize(("scores", "said"), [(np.inf, "infinity"), (np.nan, "NaN")])
def test_scores_of_infinity_are_no_verdict(scores: float, said: str) -> None:
    model = models.parse("g (float[N,2] x) => (float[N,2] y) { y = Add (x, b) }", {"b": np.float32([scores, 0])})
    with pytest.raises(InputError, match=said):
        onnxray.open(model, output="y=logits").predict(np.zeros((1, 2), np.float32))


def test_a_ruled_out_class_is_no_error() -> None:
    model = models.parse("g (float[N,2] x) => (float[N,2] y) { y = Add (x, b) }", {"b": np.float32([-np.inf, 0])})
    predicted = onnxray.open(model, output="y=logits").predict(np.zeros((1, 2), np.float32))
    assert predicted.classes.tolist() == [1]
    assert predicted.probabilities.tolist() == [[0, 1]]


def test_whole_numbers_have_no_gradient() -> None:
    model = onnxray.open(
        models.parse(
            """g (float[N,4] x) => (float[N,4] y) {
              top = ArgMax <axis = 1, keepdims = 1> (x)
              step = Cast <to = 1> (top)
              y = Mul (x, step)
            }"""
        )
    )
    x = models.random(0, 2, 4)
    with pytest.raises(NotDifferentiable, match="'top' holds int64"):
        model.pullback(x, {"top": np.ones((2, 1))})
    with pytest.raises(NotDifferentiable, match="'step' is a step function"):
        model.pullback(x, {"step": np.ones((2, 1))})
    expected = np.broadcast_to(x.argmax(1)[:, None].astype(np.float32), x.shape)
    np.testing.assert_array_equal(model.pullback(x, {"y": np.ones((2, 4))}), expected)


def test_constants_have_no_gradient() -> None:
    model = onnxray.open(
        models.parse("g (float[N,2] x) => (float[N,2] y) { c = Constant <value_float = 2.0> () y = Mul (x, c) }")
    )
    with pytest.raises(NotDifferentiable, match="'c' does not depend on the input"):
        model.pullback(models.random(0, 1, 2), {"c": np.ones(())})


def test_unknown_values_are_met_with_near_misses(lenet: onnx.ModelProto) -> None:
    model = onnxray.open(lenet, models.GREY)
    for call in (
        lambda: model.values(models.pictures(1), ["conv3"]),
        lambda: model.pullback(models.pictures(1), {"conv3": np.ones(1)}),
        lambda: model.select("conv3"),
    ):
        with pytest.raises(UnknownValue, match="'conv3'; nearest: .*'conv[12]'.*onnxray inspect") as caught:
            call()
        assert_one_line(caught.value)


def test_sparse_weights_are_refused_by_the_twin_alone() -> None:
    dense = np.zeros((4, 4), np.float32)
    dense[1, 2] = 3
    sparse = onnx.helper.make_sparse_tensor(
        numpy_helper.from_array(np.float32([3]), "w"), numpy_helper.from_array(np.int64([6]), "w_indices"), [4, 4]
    )
    model = models.parse("g (float[N,4] x) => (float[N,4] y) { y = MatMul (x, w) }")
    model.graph.sparse_initializer.append(sparse)
    x = models.random(0, 2, 4)
    opened = onnxray.open(model)
    np.testing.assert_allclose(opened.judge.outputs({"x": x})["y"], x @ dense)
    with pytest.raises(UnsupportedOperator, match="'w'"):
        opened.pullback(x, {"y": np.ones((2, 4))})


DOTS = ("i.j,jk", "i..j,jk", "....ij,jk", "......,jk", "...i...j,jk", "ij,j.k", "ij,jk->i..k", ". . .,jk", ".,jk->i")


@pytest.mark.parametrize("equation", DOTS)
@pytest.mark.parametrize("place", ["graph", "body", "function"])
def test_dots_in_an_equation_that_onnx_would_never_come_to_the_end_of(equation: str, place: str) -> None:
    node = f'Einsum <equation = "{equation}"> (x, x)'
    text = {
        "graph": f"g (float[2,2] x) => (float[2,2] y) {{ y = {node} }}",
        "body": f"g (float[2,2] x, bool b) => (float[2,2] y) {{ y = If (b) <then_branch = t () => (float[2,2] u) "
        f"{{ u = {node} }}, else_branch = e () => (float[2,2] v) {{ v = Identity (x) }}> }}",
        "function": f'g (float[2,2] x) => (float[2,2] y) {{ y = own.f <e = "{equation}"> (x) }}',
    }[place]
    function = '<domain: "own", opset_import: ["": 17]> f <e> (x) => (y) { y = Einsum <equation: string = @e> (x, x) }'
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17, "own": 1]> {text} {function if place == "function" else ""}'
    )
    with pytest.raises(ModelFileError, match="Einsum .*equation"):
        onnxray.open(model)


def test_equations_with_three_dots_are_read() -> None:
    model = models.parse('g (float[2,2] x) => (float[2,2] y) { y = Einsum <equation = "...ij,...jk->...ik"> (x, x) }')
    assert onnxray.open(model).graph.values["y"].shape == (2, 2)


def test_an_output_that_is_no_row_for_each_image() -> None:
    model = models.lenet()
    model.graph.output[0].name = next(t.name for t in model.graph.initializer if len(t.dims) == 2)
    opened = onnxray.open(model, models.GREY)
    for question in (opened.predict, opened.classify):
        with pytest.raises(InputError, match="rows for 2 images"):
            question(models.pictures(2))


def test_a_name_of_many_parts_is_no_tower_of_modules() -> None:
    deep = ".".join("x" * 20_000)
    model = models.parse("g (float[N,2] x) => (float[N,2] y) { y = Mul (x, w) }", {"w": np.ones(2, np.float32)})
    model.graph.initializer[0].name = model.graph.node[0].input[1] = deep
    module = onnxray.to_torch(model, verify=False)
    assert copy.deepcopy(module).parameter_names == module.parameter_names
    assert max(name.count(".") for name, _ in module.named_modules()) < 5


def test_a_constant_that_states_no_value() -> None:
    model = models.parse("g (float[N,2] x) => (float[N,2] y) { c = Constant <value_float = 2.0> ()  y = Mul (x, c) }")
    del model.graph.node[0].attribute[:]
    for verify in (False, True):
        with pytest.raises(onnxray.errors.OnnxrayError, match="'c'|Constant"):
            onnxray.to_torch(model, verify=verify)


def test_a_constant_that_points_outside_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(np.ones(4, np.float32).tobytes())
    model = models.parse(
        "g (float[N,4] x) => (float[N,4] y) { c = Constant <value = float[4] {1, 2, 3, 4}> () y = Add (x, c) }"
    )
    tensor = model.graph.node[0].attribute[0].t
    tensor.ClearField("float_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=str(tmp_path / "secret.bin"))
    with pytest.raises(OnnxrayError) as caught:
        onnxray.to_torch(model, verify=False)
    assert_one_line(caught.value)


def test_arrays_that_hold_no_numbers() -> None:
    model = onnxray.open(models.parse("g (float[N,2] x) => (float[N,2] y) { y = Relu (x) }"))
    for array in (np.array([["a", "b"]]), np.array([[None, 1]], object), np.array([[1j, 2]])):
        with pytest.raises(InputError, match="'x'"):
            model.predict(array)


def test_no_samples() -> None:
    model = onnxray.open(models.parse("g (float[N,2] x) => (float[N,2] y) { y = Relu (x) }"))
    for call in (model.predict, lambda x: model.pullback(x, {"y": np.ones(2)})):
        with pytest.raises(InputError, match="no samples"):
            call(np.zeros((0, 2), np.float32))


def test_inputs_that_do_not_fit_are_refused_by_both_engines() -> None:
    model = onnxray.open(
        models.parse("g (float[N,2] x) => (float[N,3] y) { y = MatMul (x, w) }", {"w": models.random(0, 2, 3)})
    )
    wrong = np.zeros((1, 5), np.float32)
    for call in (
        lambda: model.predict(wrong),
        lambda: model.values(wrong, ["y"], engine="twin"),
        lambda: model.pullback(wrong, {"y": np.ones(3)}),
    ):
        with pytest.raises(RuntimeRefusal) as caught:
            call()
        assert_one_line(caught.value)


def test_texts_as_output_are_no_scores() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 13, "ai.onnx.ml": 1]> g (int64[N] x) => (string[N] y) '
        '{ y = ai.onnx.ml.LabelEncoder <classes_strings = ["a", "b"], default_string = "c"> (x) }'
    )
    with pytest.raises(InputError, match="not one score a class"):
        onnxray.open(model).predict_classes(np.zeros(2, np.int64))
    assert onnxray.open(model).predict(np.zeros(2, np.int64)).values.tolist() == ["a", "a"]
