"""Our own converters of all but windows, against ONNX Runtime, and gradients against central differences."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import onnxray
from onnxray.errors import UnsupportedOperator
from onnxray.importer.ops.neural import linear, normalization
from onnxray.importer.ops.tensors import elementwise, reduction, shaping
from support import importing, models
from support.importing import assert_gradients, assert_same

R = models.random
IMAGE = {"x": R(0, 2, 4, 7, 8)}
TRIED: set[tuple[str, int]] = set()
check = partial(importing.check, TRIED)

# Linear layers and normalisation


@pytest.mark.parametrize("ta", [0, 1])
@pytest.mark.parametrize("tb", [0, 1])
@pytest.mark.parametrize("bias", [None, (3,), (1,), (2, 3), (2, 1), (1, 3), ()])
def test_gemm(ta: int, tb: int, bias: tuple[int, ...] | None) -> None:
    a, b = R(0, *((4, 2) if ta else (2, 4))), R(1, *((3, 4) if tb else (4, 3)))
    c = {} if bias is None else {"c": R(2, *bias) if bias else np.array(0.5, np.float32)}
    for opset, factors in ((13, {}), (11, {"alpha": 0.5, "beta": 2.0})):
        check("Gemm", opset, {"a": a}, constants={"b": b, **c}, transA=ta, transB=tb, **factors)
    check("Gemm", 13, {"a": a, "b": b, **c}, transA=ta, transB=tb, gradients=False)


@pytest.mark.parametrize("opset", [7, 9])
def test_gemm_of_the_first_versions(opset: int) -> None:
    check("Gemm", opset, {"a": R(0, 2, 4)}, constants={"b": R(1, 3, 4), "c": R(2, 3)}, transB=1, alpha=0.5)


@pytest.mark.parametrize("opset", [1, 6])
def test_gemm_that_broadcasts_when_told_to(opset: int) -> None:
    """ONNX Runtime runs it no more, so the formula is the judge."""
    TRIED.add(("Gemm", opset))
    a, b, c = R(0, 2, 4), R(1, 3, 4), R(2, 3)
    model = models.node("Gemm", {"a": a}, constants={"b": b, "c": c}, opset=opset, transB=1, alpha=0.5, broadcast=1)
    found = onnxray.to_torch(model, verify=False)(torch.from_numpy(a)).numpy()
    np.testing.assert_allclose(found, 0.5 * a @ b.T + c, rtol=1e-5, atol=1e-5)


def test_gemm_is_a_linear_layer_where_it_is_one() -> None:
    a = {"a": R(0, 2, 4)}
    assert type(check("Gemm", 13, a, constants={"b": R(1, 3, 4), "c": R(2, 3)}, transB=1)) is nn.Linear
    assert type(check("Gemm", 13, a, constants={"b": R(1, 3, 4)}, transB=1)) is nn.Linear
    assert type(check("Gemm", 13, a, constants={"b": R(1, 4, 3), "c": R(2, 3)})) is not nn.Linear


STATISTICS = {"s": R(1, 4), "b": R(2, 4), "m": R(3, 4), "v": np.abs(R(4, 4)) + 0.5}


@pytest.mark.parametrize("opset", [7, 9, 14, 15])
@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 5), (2, 4, 3, 2), (2, 4, 2, 2, 2)])
def test_batch_normalization(opset: int, shape: tuple[int, ...]) -> None:
    x = {"x": R(0, *shape)}
    module = check("BatchNormalization", opset, x, constants=STATISTICS, epsilon=0.01)
    assert not module.training
    check("BatchNormalization", opset, x | STATISTICS, gradients=False)


@pytest.mark.parametrize("opset", [1, 6])
def test_batch_normalization_of_the_first_versions(opset: int) -> None:
    """ONNX Runtime runs them no more, so the formula is the judge."""
    model = models.node("BatchNormalization", IMAGE, constants=STATISTICS, opset=opset, is_test=1, epsilon=0.01, **({"consumed_inputs": [0, 0, 0, 1, 1]} if opset == 1 else {}))  # fmt: skip
    TRIED.add(("BatchNormalization", opset))
    s, b, m, v = (STATISTICS[name].reshape(1, 4, 1, 1) for name in "sbmv")
    found = onnxray.to_torch(model, verify=False)(torch.from_numpy(IMAGE["x"])).numpy()
    np.testing.assert_allclose(found, (IMAGE["x"] - m) / np.sqrt(v + 0.01) * s + b, rtol=1e-4, atol=1e-5)


def test_batch_normalization_with_statistics_for_every_place() -> None:
    """ONNX Runtime refuses it, so the formula is the judge."""
    statistics = {"s": R(1, 4, 7, 8), "b": R(2, 4, 7, 8), "m": R(3, 4, 7, 8), "v": np.abs(R(4, 4, 7, 8)) + 0.5}
    model = models.node("BatchNormalization", IMAGE, constants=statistics, opset=7, spatial=0, epsilon=0.01)
    s, b, m, v = statistics.values()
    found = onnxray.to_torch(model, verify=False)(torch.from_numpy(IMAGE["x"])).numpy()
    np.testing.assert_allclose(found, (IMAGE["x"] - m) / np.sqrt(v + 0.01) * s + b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("opset", [14, 15])
def test_batch_normalization_that_trains_gives_the_running_statistics_too(opset: int) -> None:
    options = {"training_mode": 1, "momentum": 0.7, "epsilon": 0.01, "outputs": 3}
    check("BatchNormalization", opset, {"x": R(0, 3, 4, 5)}, constants=STATISTICS, **options)


def test_the_first_batch_normalization_that_trains_is_refused() -> None:
    model = models.node("BatchNormalization", IMAGE, constants=STATISTICS, opset=6)
    with pytest.raises(UnsupportedOperator, match="BatchNormalization version 6 .*training mode"):
        onnxray.to_torch(model, verify=False)


def test_declared_outputs_that_nobody_reads_do_no_harm() -> None:
    """Old exporters declare all five outputs of BatchNormalization and both of MaxPool."""
    model = models.parse(
        """g (float[N,4,6,6] x) => (float[N,4,3,3] y) {
          n, m1, v1, m2, v2 = BatchNormalization (x, s, b, m, v)
          y, where = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (n)
        }""",
        STATISTICS,
        opset=9,
        ir=4,
    )
    feeds = {"x": R(0, 3, 4, 6, 6)}
    plain = models.parse(
        """g (float[N,4,6,6] x) => (float[N,4,3,3] y) {
          n = BatchNormalization (x, s, b, m, v)
          y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (n)
        }""",
        STATISTICS,
        opset=9,
    )
    found = onnxray.to_torch(model, verify=False)(torch.from_numpy(feeds["x"])).numpy()
    np.testing.assert_allclose(found, models.run(plain, feeds)[0], rtol=1e-5, atol=1e-6)
    with pytest.raises(UnsupportedOperator, match="output 1 is not given"):
        onnxray.open(plain).values(R(0, 1, 4, 6, 6), ["y"]) and onnxray.open(model)._new_twin().values(feeds, ["where"])


# Element-wise


@pytest.mark.parametrize(
    ("low", "high"),
    [(None, None), (-0.5, None), (None, 0.5), (-0.5, 0.5), (0.0, None), (0.0, 6.0), (0.5, -0.5), (0.0, 1.0)],
)
def test_clip(low: float | None, high: float | None) -> None:
    x = {"x": R(0, 3, 5) * 4}
    bounds = {name: np.float32(value) for name, value in (("low", low), ("high", high)) if value is not None}
    order = ["x", "low" if low is not None else "", "high"][: 3 if high is not None else 2 if low is not None else 1]
    for opset in (11, 12, 13):
        check("Clip", opset, x, constants=bounds, order=order)
    attributes = {key: value for key, value in (("min", low), ("max", high)) if value is not None}
    if (low, high) != (0.5, -0.5):  # which ONNX Runtime refuses as attributes
        check("Clip", 6, x, **attributes)
    model = models.node("Clip", x | {k: np.array(v) for k, v in bounds.items()}, opset=13, order=order)
    assert_same(model, x | {k: np.array(v) for k, v in bounds.items()})


def test_clip_of_the_first_version() -> None:
    TRIED.add(("Clip", 1))
    model = models.node("Clip", {"x": R(0, 3)}, opset=1, min=-0.5, max=0.5)
    x = R(0, 3)
    np.testing.assert_array_equal(onnxray.to_torch(model, verify=False)(torch.from_numpy(x)).numpy(), x.clip(-0.5, 0.5))


def test_clip_is_a_relu_where_it_is_one() -> None:
    zero, six = {"low": np.float32(0)}, {"high": np.float32(6)}
    assert type(check("Clip", 13, {"x": R(0, 5)}, constants=zero)) is nn.ReLU
    assert type(check("Clip", 13, {"x": R(0, 5)}, constants=zero | six)) is nn.ReLU6


def test_clip_of_whole_numbers() -> None:
    bounds = {"low": np.int64(-2), "high": np.int64(3)}
    check("Clip", 13, {"x": np.arange(-5, 6)}, constants=bounds, gradients=False)


@pytest.mark.parametrize("opset", [7, 10, 12, 13, 22])
def test_dropout_is_not_there_at_inference(opset: int) -> None:
    for outputs in (1, 2):
        check("Dropout", opset, {"x": R(0, 3, 4)}, outputs=outputs, gradients=outputs == 1)
    if opset >= 12:
        rates = {"ratio": np.float32(0.5), "training": np.array(False)}
        check("Dropout", opset, {"x": R(0, 3, 4)}, constants=rates)


@pytest.mark.parametrize("opset", [1, 6])
def test_dropout_of_the_first_versions(opset: int) -> None:
    TRIED.add(("Dropout", opset))
    x = R(0, 3, 4)
    model = models.node("Dropout", {"x": x}, opset=opset, is_test=1)
    np.testing.assert_array_equal(onnxray.to_torch(model, verify=False)(torch.from_numpy(x)).numpy(), x)
    with pytest.raises(UnsupportedOperator, match="training mode"):
        onnxray.to_torch(models.node("Dropout", {"x": x}, opset=opset), verify=False)


def test_dropout_that_trains_is_refused() -> None:
    """At once where the file says so, else when it runs; a training mode that is switched off does no harm."""
    ratio, order = {"ratio": np.float32(0.5)}, ["x", "ratio", "t"]
    fixed = models.node("Dropout", {"x": R(0, 3)}, opset=13, constants=ratio | {"t": np.array(True)}, order=order)
    with pytest.raises(UnsupportedOperator, match="Dropout version 13 .*training mode"):
        onnxray.to_torch(fixed, verify=False)
    inputs = {"x": R(0, 3), "t": np.array(False)}
    module = assert_same(models.node("Dropout", inputs, opset=13, constants=ratio, order=order), inputs)
    with pytest.raises(UnsupportedOperator, match="Dropout version 13 .*training mode"):
        module(torch.from_numpy(inputs["x"]), torch.tensor(True))


@pytest.mark.parametrize("opset", [1, 13, 14, 16, 19, 21, 23, 24, 25])
def test_identity(opset: int) -> None:
    check("Identity", opset, {"x": R(0, 3, 4)})


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(approximate: str) -> None:
    check("Gelu", 20, {"x": R(0, 3, 4)}, approximate=approximate)


@pytest.mark.parametrize("opset", [7, 9, 16])
@pytest.mark.parametrize("slope", [(1,), (4, 1, 1), (5,), (1, 1, 5), (4, 5, 5), (1, 4, 1, 1)])
def test_prelu_broadcasts_its_slope_from_the_last_axis(opset: int, slope: tuple[int, ...]) -> None:
    """A slope of (5,) belongs to the last axis, also where the channels are 5 as well."""
    x = R(0, 1, 5, 5, 5) if slope == (5,) else R(0, 1, 4, 5, 5)
    check("PRelu", opset, {"x": x}, constants={"slope": R(1, *slope)})


# Shapes and reductions


@pytest.mark.parametrize("opset", [5, 13, 14, 19, 21, 23, 24, 25])
@pytest.mark.parametrize("shape", [(2, 12), (-1,), (0, -1), (0, 0, 4), (1, 0, -1, 2), (4, 3, 2)])
def test_reshape(opset: int, shape: tuple[int, ...]) -> None:
    x, sizes = R(0, 2, 3, 4), np.array(shape, np.int64)
    check("Reshape", opset, {"x": x}, constants={"shape": sizes}, gradients=opset == 25)
    check("Reshape", opset, {"x": x, "shape": sizes}, gradients=False)


def test_reshape_that_allows_zero() -> None:
    x = {"x": np.zeros((0, 3, 4), np.float32)}
    check("Reshape", 14, x, constants={"shape": np.int64([3, 4, 0])}, allowzero=1, gradients=False)


def test_reshape_of_the_first_version() -> None:
    TRIED.add(("Reshape", 1))
    x = R(0, 2, 3, 4)
    model = models.node("Reshape", {"x": x}, opset=1, shape=[0, -1])
    np.testing.assert_array_equal(onnxray.to_torch(model, verify=False)(torch.from_numpy(x)).numpy(), x.reshape(2, 12))


def test_reshape_to_a_shape_that_the_graph_computes() -> None:
    model = models.parse(
        """g (float[N,3,4] x) => (float[N,12] y) {
          s = Shape (x) zero = Constant <value = int64[1] {0}> () n = Gather (s, zero)
          rest = Constant <value = int64[1] {-1}> () to = Concat <axis = 0> (n, rest) y = Reshape (x, to)
        }""",
        opset=13,
    )
    module = assert_same(model, {"x": R(0, 5, 3, 4)})
    assert_gradients(module, {"x": R(0, 2, 3, 4)})


@pytest.mark.parametrize("opset", [1, 9, 11, 13, 21, 23, 24, 25])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, 3, 4, -1, -4])
def test_flatten(opset: int, axis: int | None) -> None:
    if axis is not None and axis < 0 and opset < 11:
        pytest.skip("negative axes came with 11")
    check("Flatten", opset, {"x": R(0, 2, 3, 4, 2)}, gradients=False, **({} if axis is None else {"axis": axis}))


def test_flatten_is_the_module_that_tools_know() -> None:
    assert type(check("Flatten", 13, IMAGE)) is nn.Flatten
    check("Flatten", 13, {"x": R(0, 5)}, gradients=False)


REDUCTIONS = ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"]


@pytest.mark.parametrize("operator", REDUCTIONS)
@pytest.mark.parametrize("axes", [None, [1], [-1], [0, 2], [-2, -1], [0, 1, 2]])
@pytest.mark.parametrize("keep", [None, 0, 1])
def test_reductions(operator: str, axes: list[int] | None, keep: int | None) -> None:
    x, options = {"x": R(0, 2, 3, 4)}, {} if keep is None else {"keepdims": keep}
    by_attribute = {"ReduceSum": (1, 11)}.get(operator, (1, 11, 13) if operator == "ReduceMean" else (1, 11, 12, 13))
    for opset in by_attribute if keep is None else by_attribute[-1:]:
        check(
            operator,
            opset,
            x,
            gradients=opset == 11 and axes != [-1],
            **options,
            **({} if axes is None else {"axes": axes}),
        )
    by_input = {"ReduceSum": (13,), "ReduceMean": (18,)}.get(operator, (18, 20))
    for opset in by_input if keep is None else by_input[-1:]:
        check(
            operator, opset, x, constants={} if axes is None else {"axes": np.int64(axes)}, gradients=False, **options
        )


@pytest.mark.parametrize("noop", [0, 1])
@pytest.mark.parametrize("given", [True, False])
def test_reductions_without_axes(noop: int, given: bool) -> None:
    constants = {"axes": np.int64([])} if given else {}
    check("ReduceSum", 13, {"x": R(0, 2, 3)}, constants=constants, noop_with_empty_axes=noop)
    check("ReduceMax", 18, {"x": R(0, 2, 3)}, constants=constants, noop_with_empty_axes=noop)


def test_reductions_keep_whole_numbers_in_their_type() -> None:
    x = {"x": np.arange(6, dtype=np.int32).reshape(2, 3)}
    for operator in ("ReduceSum", "ReduceMax", "ReduceMin"):
        check(operator, 13, x, gradients=False)


def test_axes_that_the_graph_computes() -> None:
    check("ReduceSum", 13, {"x": R(0, 2, 3), "axes": np.int64([1])}, gradients=False)
    check("ReduceMax", 18, {"x": R(0, 2, 3, 4), "axes": np.int64([-1, 0])}, gradients=False, keepdims=0)


@pytest.mark.parametrize("opset", [10, 11, 13])
@pytest.mark.parametrize("computed", [False, True])
@pytest.mark.parametrize(
    "bounds",
    [
        {"s": [1], "e": [2]},
        {"s": [0, 1], "e": [1, -1]},
        {"s": [1, -3], "e": [3, 1000], "a": [1, 3]},
        {"s": [1, -1, 9], "e": [1000, -1000, 0], "a": [1, -1, 2], "t": [1, -2, -1]},
        {"s": [-1], "e": [-9223372036854775808], "a": [2], "t": [-1]},
        {"s": [0], "e": [9223372036854775807], "a": [3], "t": [3]},
        {"s": [3], "e": [1], "a": [3], "t": [1]},
        {"s": [0], "e": [3], "a": [3], "t": [-1]},
    ],
)
def test_slice(opset: int, computed: bool, bounds: dict[str, list[int]]) -> None:
    given = {name: np.array(numbers, np.int64) for name, numbers in bounds.items()}
    if computed:
        check("Slice", opset, {"x": R(0, 2, 3, 4, 5), **given}, gradients=False)
    else:
        check("Slice", opset, {"x": R(0, 2, 3, 4, 5)}, constants=given, gradients=opset == 13)


def test_slice_with_axes_left_out() -> None:
    bounds = {"s": np.int64([0, 2]), "e": np.int64([9, 0]), "t": np.int64([1, -1])}
    check("Slice", 13, {"x": R(0, 2, 3)}, constants=bounds, order=["x", "s", "e", "", "t"])
    check("Slice", 13, {"x": R(0, 2, 3), **bounds}, order=["x", "s", "e", "", "t"], gradients=False)


def test_slice_of_the_first_version() -> None:
    check("Slice", 9, {"x": R(0, 2, 3, 4)}, starts=[1, -3], ends=[3, 1000], axes=[1, 2])
    check("Slice", 9, {"x": R(0, 2, 3, 4)}, starts=[1, -3], ends=[3, 1000])


WIDTHS = [(0, 0, 1, 2, 0, 0, 3, 0), (0, 0, 0, 1, 0, 0, 0, 2), (0,) * 8]


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
@pytest.mark.parametrize("opset", [2, 11, 13, 18, 19, 21, 23, 24, 25])
def test_pad(mode: str, opset: int) -> None:
    more = [(1, 2, 0, 0, 0, 1, 0, 0), (0, 0, -1, 2, 0, 0, 3, -2)] if mode == "constant" else []
    for widths in WIDTHS + more:
        x, fill = {"x": R(0, 2, 3, 4, 5)}, {"v": np.float32(0.5)} if mode == "constant" else {}
        if opset < 11:
            check("Pad", opset, x, mode=mode, pads=widths, **({"value": 0.5} if fill else {}))
        else:
            check("Pad", opset, x, constants={"p": np.int64(widths), **fill}, mode=mode, gradients=opset == 13)
    if opset >= 18:
        chosen = {"p": np.int64([1, 2, 0, 1]), "a": np.int64([-1, 2])}
        check(
            "Pad",
            opset,
            {"x": R(0, 2, 3, 4, 5)},
            constants=chosen,
            order=["x", "p", "", "a"],
            mode=mode,
            gradients=False,
        )


def test_pads_that_wrap_and_pads_that_the_graph_computes() -> None:
    x, widths = {"x": R(0, 2, 3, 4, 5)}, {"p": np.int64(WIDTHS[0])}
    check("Pad", 19, x, constants=widths, mode="wrap")
    for mode in ("constant", "reflect", "edge", "wrap"):
        check("Pad", 19, x | widths, mode=mode, gradients=False)


@pytest.mark.parametrize("axis", [-1, 2, -3])
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("given", ["constant", "computed", "no bias", "broadcast"])
def test_layer_normalization(axis: int, dynamic: bool, given: str) -> None:
    """Also where shape inference knows no dimension."""
    x = R(0, 2, 3, 4, 5)
    shape = (5,) if given == "broadcast" else x.shape[axis:]
    affine = {"s": R(1, *shape)} | ({} if given == "no bias" else {"b": R(2, *shape)})
    inputs, constants = ({"x": x, **affine}, {}) if given == "computed" else ({"x": x}, affine)
    check(
        "LayerNormalization",
        17,
        inputs,
        constants=constants,
        axis=axis,
        epsilon=0.01,
        dynamic=dynamic,
        gradients=not dynamic,
    )


def test_layer_normalization_whose_statistics_are_read() -> None:
    check("LayerNormalization", 17, {"x": R(0, 2, 3)}, constants={"s": R(1, 3)}, outputs=3)


def test_every_version_was_tried() -> None:
    """Runs last in this file: a version that no test above has compared is not known to be right.

    The other operators of these families are compared, version by version, by test_importer_versions.
    """
    if len(TRIED) < 40:
        pytest.skip("only with the whole file")
    declared = {
        (operator, version)
        for family in (elementwise, linear, normalization, reduction, shaping)
        for _, operator, version in family.CONVERTERS
    }
    operators = {operator for operator, _ in TRIED}
    assert {pair for pair in declared - TRIED if pair[0] in operators} == set()


@pytest.mark.parametrize("inputs", [["x", "", "x"], ["x", "x", "x"], ["x", "x", "", "x"], ["x", "", "", "x"]])
def test_more_inputs_than_the_operator_has_are_refused(inputs: list[str]) -> None:
    model = models.parse("g (float[N,2] x) => (float[N,2] y) { y = Sub (x, x) }")
    del model.graph.node[0].input[:]
    model.graph.node[0].input.extend(inputs)
    with pytest.raises(onnxray.errors.UnsupportedOperator, match=f"{len(inputs)} inputs, and its operator takes 2"):
        onnxray.to_torch(model, verify=False)
