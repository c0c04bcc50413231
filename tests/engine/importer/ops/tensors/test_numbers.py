"""Arithmetic, comparisons, casts, reductions and searches where the standard's own node tests do not reach."""

import itertools

import numpy as np
import onnx
import pytest
import torch

import onnxray
from onnxray.errors import UnsupportedOperator
from onnxray.importer.nodes.number_types import divide_unsigned
from onnxray.importer.ops.tensors.searching import TopK
from support import models

FLOATS = (np.float32, np.float64)
INTEGERS = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)


def draw(dtype, *shape, low=-4, high=5):
    """Small numbers with many ties, none zero; of floats also the fractions."""
    rng = np.random.default_rng(len(shape))
    whole = rng.integers(0 if np.dtype(dtype).kind == "u" else low, high, shape)
    whole = np.where(whole == 0, 1, whole).astype(dtype)
    return whole + rng.random(shape).astype(dtype) if np.dtype(dtype).kind == "f" else whole


def twin(model, *inputs):
    got = onnxray.to_torch(model, verify=False)(*(torch.from_numpy(np.array(array)) for array in inputs))
    return [value.numpy() for value in (got if isinstance(got, tuple) else (got,))]


def same(model, inputs, *, strict=True):
    """The twin gives what ONNX Runtime gives, in value, type and shape; False where ONNX Runtime refuses."""
    try:
        want = models.run(model, inputs)
    except Exception:
        assert not strict
        return False
    for mine, theirs in zip(twin(model, *inputs.values()), want, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
        assert mine.shape == theirs.shape
    return True


def since(operator):
    found = {schema.since_version for schema in onnx.defs.get_all_schemas_with_history() if schema.name == operator}
    return sorted(max(version, 7) for version in found if version <= 21)  # what ONNX Runtime runs


@pytest.mark.parametrize(
    "operator", ["Add", "Sub", "Mul", "Div", "Mod", "Min", "Max", "Greater", "LessOrEqual", "Equal"]
)
def test_binary_of_every_type_and_version(operator):
    ran = 0
    for version in dict.fromkeys(since(operator)):
        for dtype in (*FLOATS, *INTEGERS):
            inputs = {"a": draw(dtype, 2, 3, 4), "b": draw(dtype, 3, 1)}
            attributes = {"fmod": 1} if operator == "Mod" and dtype in FLOATS else {}
            model = models.node(operator, inputs, opset=version, **attributes)
            ran += same(model, inputs, strict=version > 7 and dtype is np.float32)
    assert ran


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div", "Pow", "Less", "And"])
def test_first_versions_align_with_an_axis(operator):
    a, b = np.abs(draw(np.float32, 2, 3, 4, 5)) + 0.5, np.abs(draw(np.float32, 3, 4)) + 0.5
    if operator == "And":
        a, b = a > 2, b > 2
    function = {
        "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power, "Less": np.less,
        "And": np.logical_and,
    }[operator]  # fmt: skip
    model = models.node(operator, {"a": a, "b": b}, opset=6, broadcast=1, axis=1)
    np.testing.assert_allclose(twin(model, a, b)[0], function(a, b[:, :, None]), rtol=1e-5)
    model = models.node(operator, {"a": a, "b": b[0]}, opset=6, broadcast=1, axis=2)
    np.testing.assert_allclose(twin(model, a, b[0])[0], function(a, b[0][:, None]), rtol=1e-5)
    model = models.node(operator, {"a": a, "b": a[0, 0]}, opset=6, broadcast=1)
    np.testing.assert_allclose(twin(model, a, a[0, 0])[0], function(a, a[0, 0]), rtol=1e-5)
    with pytest.raises(UnsupportedOperator, match="axis is -2"):
        twin(models.node(operator, {"a": a, "b": b}, opset=6, broadcast=1, axis=-2), a, b)


def test_unsigned_division_is_exact():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2**64 - 1, 10000, dtype=np.uint64, endpoint=True)
    b = rng.integers(1, 2**64 - 1, 10000, dtype=np.uint64, endpoint=True) >> rng.integers(0, 63, 10000, dtype=np.uint64)
    b = np.where(b == 0, np.uint64(1), b)
    quotient = divide_unsigned(torch.from_numpy(a.view(np.int64)), torch.from_numpy(b.view(np.int64)))
    np.testing.assert_array_equal(quotient.numpy().view(np.uint64), a // b)


def test_pow_keeps_the_type_of_its_base():
    for base in (*FLOATS, np.int32, np.int64):
        for power in (*FLOATS, np.int32, np.int64):
            x, y = np.abs(draw(base, 6)) + base(1), np.arange(6).astype(power)
            same(models.node("Pow", {"x": x, "y": y}, opset=15), {"x": x, "y": y})
            for constant in (np.array(3, power), np.array([2], power), np.arange(6).astype(power)):
                same(models.node("Pow", {"x": x}, constants={"y": constant}, opset=15), {"x": x})
    x = np.array([1, 2, -2, 4])
    model = models.node("Pow", {"x": x, "y": -x}, opset=15)
    np.testing.assert_array_equal(twin(model, x, -x)[0], [1, 0, 4, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.int64, np.uint8, np.uint32, np.uint64])
def test_clip_with_bounds_from_anywhere(dtype):
    x, low, high = draw(dtype, 3, 4, high=9), np.array(2, dtype), np.array(5, dtype)
    for version in (11, 12, 13):
        for inputs, constants, order in (
            ({"x": x, "l": low, "h": high}, {}, None), ({"x": x, "h": high}, {"l": low}, ["x", "l", "h"]),
            ({"x": x}, {"l": low, "h": high}, None), ({"x": x}, {"h": high}, ["x", "", "h"]), ({"x": x}, {}, None),
            ({"x": x}, {"l": high, "h": low}, None), ({"x": x, "l": high, "h": low}, {}, None),
        ):  # fmt: skip
            model = models.node("Clip", inputs, constants=constants, order=order, opset=version)
            if not same(model, inputs, strict=False):
                bounds = {**inputs, **constants}
                want = np.minimum(np.maximum(x, bounds.get("l", x)), bounds.get("h", np.maximum(x, x.max())))
                np.testing.assert_array_equal(twin(model, *inputs.values())[0], want)


REDUCTIONS = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceProd", "ReduceL1", "ReduceL2"]
OTHER_TYPES = {("ReduceSum", np.int32), ("ReduceSum", np.int64), ("ReduceMax", np.int32), ("ReduceMean", np.int64)}


@pytest.mark.parametrize(
    ("operator", "dtype"),
    [
        pytest.param(op, dtype, marks=() if dtype is np.float32 or (op, dtype) in OTHER_TYPES else pytest.mark.slow)
        for op, dtype in itertools.product(REDUCTIONS, (np.float32, np.int32, np.int64))
    ],
)
def test_reductions_with_axes_from_anywhere(operator, dtype):
    x = draw(dtype, 2, 3, 2)
    modern = 13 if operator == "ReduceSum" else 18
    for axes in (None, [1], [-1, 0], [0, 1, 2]):
        for keep in (0, 1):
            given = {} if axes is None else {"axes": axes}
            same(models.node(operator, {"x": x}, opset=11, keepdims=keep, **given), {"x": x})
            array = {} if axes is None else {"axes": np.array(axes)}
            same(models.node(operator, {"x": x}, constants=array, opset=modern, keepdims=keep), {"x": x})
            same(models.node(operator, {"x": x, **array}, opset=modern, keepdims=keep), {"x": x, **array})
    for axes in (np.array([], np.int64), None):
        array = {} if axes is None else {"axes": axes}
        same(models.node(operator, {"x": x}, constants=array, opset=modern, noop_with_empty_axes=1), {"x": x})
        same(models.node(operator, {"x": x, **array}, opset=modern, noop_with_empty_axes=1), {"x": x, **array})
    nothing = x[:, :0]
    same(
        models.node(operator, {"x": nothing}, constants={"axes": np.array([1])}, opset=modern),
        {"x": nothing},
        strict=False,
    )


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
def test_unsigned_reductions_beyond_the_signed_range(dtype):
    x = np.array([[3, np.iinfo(dtype).max], [np.iinfo(dtype).max - 1, 7]], dtype)
    total, product = x.sum(0, dtype=dtype), x.prod(0, dtype=dtype)
    wanted = {"Max": x.max(0), "Min": x.min(0), "Sum": total, "L1": total, "Prod": product}
    for operator, want in wanted.items():
        model = models.node(f"Reduce{operator}", {"x": x}, opset=11, axes=[0], keepdims=0)
        np.testing.assert_array_equal(twin(model, x)[0], want)
    k = {"k": np.array([1])}
    values, places = twin(models.node("TopK", {"x": x}, constants=k, outputs=2, opset=24), x)
    np.testing.assert_array_equal(values[:, 0], x.max(1))
    np.testing.assert_array_equal(places[:, 0], x.argmax(1))
    np.testing.assert_array_equal(
        twin(models.node("ArgMax", {"x": x}, opset=13, axis=1, keepdims=0), x)[0], x.argmax(1)
    )


def test_reduce_log_sum_exp_is_stable_and_refuses_integers():
    x = np.array([[1000.0, 1001.0], [-1000.0, -np.inf]], np.float32)
    same(models.node("ReduceLogSumExp", {"x": x}, opset=18, constants={"axes": np.array([1])}), {"x": x})
    whole = x[:1].astype(np.int64)
    with pytest.raises(UnsupportedOperator, match=r"ReduceLogSumExp version 13 .*integers"):
        twin(models.node("ReduceLogSumExp", {"x": whole}, opset=13), whole)


@pytest.mark.parametrize("operator", ["ArgMax", "ArgMin"])
def test_arg_extrema_among_ties(operator):
    x = np.random.default_rng(0).integers(0, 3, (4, 6, 5)).astype(np.float32)
    for last in (0, 1):
        for axis in (0, 1, -1):
            model = models.node(operator, {"x": x}, opset=12, axis=axis, select_last_index=last)
            assert same(model, {"x": x})


def test_topk_takes_the_lower_index_among_equals_in_every_version():
    x = np.random.default_rng(0).integers(0, 3, (4, 60)).astype(np.float32)
    k = {"k": np.array([7])}
    for axis in (0, -1):
        count = {"k": np.array([3])}
        same(models.node("TopK", {"x": x, **count}, outputs=2, opset=10, axis=axis), {"x": x, **count})
        for largest in (0, 1):
            same(
                models.node("TopK", {"x": x, **count}, outputs=2, opset=11, axis=axis, largest=largest),
                {"x": x, **count},
            )
    first = twin(models.node("TopK", {"x": x}, outputs=2, opset=9, k=7), x)
    for mine, theirs in zip(first, twin(models.node("TopK", {"x": x}, outputs=2, opset=10, constants=k), x)):
        np.testing.assert_array_equal(mine, theirs)


def test_topk_of_a_long_axis_breaks_ties_alike():
    rng = np.random.default_rng(0)
    for x in (rng.integers(0, 9, (2, 5000, 3)).astype(np.float32), models.random(0, 2, 5000, 3), np.ones((1, 5000, 1))):
        for largest in (True, False):
            order = np.argsort(-x if largest else x, 1, kind="stable")[:, :700]
            tensor = torch.from_numpy(x).requires_grad_()
            values, indices = TopK(700, 1, largest)(tensor)
            np.testing.assert_array_equal(indices.numpy(), order)
            np.testing.assert_array_equal(values.detach().numpy(), np.take_along_axis(x, order, 1))
            (gradient,) = torch.autograd.grad(values.sum(), tensor)
            assert int(gradient.sum()) == values.numel()


@pytest.mark.parametrize("sort", [0, 1])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_unique(sort, axis):
    x = np.random.default_rng(0).integers(0, 2, (3, 4, 2)).astype(np.float32)
    attributes = {} if axis is None else {"axis": axis}
    for outputs in (1, 4):
        assert same(models.node("Unique", {"x": x}, outputs=outputs, opset=11, sorted=sort, **attributes), {"x": x})


def test_cumulative_sums_with_an_axis_from_anywhere():
    for dtype in (np.float32, np.int32, np.int64):
        x, axis = draw(dtype, 3, 4), {"axis": np.array(-1, np.int32)}
        for exclusive in (0, 1):
            for reverse in (0, 1):
                flags = {"exclusive": exclusive, "reverse": reverse}
                assert same(models.node("CumSum", {"x": x}, constants=axis, opset=14, **flags), {"x": x})
                assert same(models.node("CumSum", {"x": x, **axis}, opset=14, **flags), {"x": x, **axis})


@pytest.mark.parametrize("operator", ["Softmax", "LogSoftmax", "Hardmax"])
def test_softmax_of_every_version_and_axis(operator):
    x = models.random(0, 2, 3, 4, 2)
    for version in (9, 11, 13):
        for axis in ({}, *({"axis": axis} for axis in range(0 if version < 11 else -4, 4))):
            assert same(models.node(operator, {"x": x}, opset=version, **axis), {"x": x})


def test_casts_between_all_numbers():
    codes = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13)
    for dtype in (*FLOATS, np.float16, *INTEGERS):
        x = draw(dtype, 4, 5, low=0)
        for to in codes:
            assert same(models.node("Cast", {"x": x}, opset=13, to=to), {"x": x})
            y = draw(dtype, 4, 5)
            if np.dtype(dtype).kind != "f":
                assert same(models.node("Cast", {"x": y}, opset=13, to=to), {"x": y})
    x = np.array([1.7, -2.2], np.float32)
    assert twin(models.node("Cast", {"x": x}, opset=5, to="INT32"), x)[0].tolist() == [1, -2]


def test_casts_to_8_bit_floats_at_the_ends_of_their_range():
    edges = [464, 464.5, 448, 248, 247.9, 61440, 61439, 1e9, np.inf, 1e-9, 0.3]
    x = np.array([sign * edge for edge in edges for sign in (1, -1)] + [np.nan], np.float32)
    for to in (17, 18, 19, 20):
        for saturate in (0, 1):
            there = onnx.helper.make_node("Cast", ["x"], ["t"], to=to, saturate=saturate)
            back = onnx.helper.make_node("Cast", ["t"], ["y"], to=1)
            info = [onnx.helper.make_tensor_value_info(name, 1, [len(x)]) for name in "xy"]
            graph = onnx.helper.make_graph([there, back], "g", info[:1], info[1:])
            model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 19)], ir_version=9)
            kind = onnx.helper.tensor_dtype_to_np_dtype(to)
            with np.errstate(all="ignore"):
                want = onnx.numpy_helper.saturate_cast(x, kind) if saturate else x.astype(kind)
            np.testing.assert_array_equal(twin(model, x)[0], want.astype(np.float32))
            with pytest.raises(UnsupportedOperator, match=r"Cast version 19 .*a gradient"):
                onnxray.to_torch(model, verify=False)(torch.from_numpy(x).requires_grad_())


def test_dropout_refuses_to_train_and_gives_its_mask():
    x = models.random(0, 3, 4)
    for version in (7, 10, 12, 13):
        assert same(models.node("Dropout", {"x": x}, opset=version, outputs=2), {"x": x})
    for ratio, training in ((0.5, True), (0.0, True), (0.5, False)):
        inputs = {"x": x, "ratio": np.array(ratio, np.float32), "training": np.array(training)}
        constants = {name: inputs[name] for name in ("ratio", "training")}
        for fed, held in ((inputs, {}), ({"x": x}, constants)):
            model = models.node("Dropout", fed, constants=held, opset=13)
            if ratio and training:
                with pytest.raises(UnsupportedOperator, match="training mode"):
                    twin(model, *fed.values())
            else:
                np.testing.assert_array_equal(twin(model, *fed.values())[0], x)
