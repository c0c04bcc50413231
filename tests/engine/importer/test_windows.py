"""Our own converters of convolutions and pools, against ONNX Runtime, and gradients against central differences."""

import itertools
from functools import partial
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import onnxray
from onnxray.errors import UnsupportedOperator
from onnxray.importer.ops.neural import convolution, pooling
from support import importing, models

R = models.random
IMAGE = {"x": R(0, 2, 4, 7, 8)}
TRIED: set[tuple[str, int]] = set()
check = partial(importing.check, TRIED)

# Convolution

SAME = ("SAME_UPPER", "SAME_LOWER")
PADDINGS = [
    *({"auto_pad": auto} for auto in (*SAME, "VALID", "NOTSET")), {"pads": (1, 1)}, {"pads": (0, 2)}, {"pads": (2, 1)}, {},
]  # fmt: skip


def padded(options: dict[str, Any], rank: int) -> dict[str, Any]:
    if "pads" not in options:
        return options
    begin, end = options["pads"]
    return {"pads": [begin] * rank + [end] * rank}


@pytest.mark.parametrize("opset", [1, 11, 22])
@pytest.mark.parametrize("padding", PADDINGS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv(opset: int, padding: dict[str, Any], rank: int) -> None:
    x = {"x": R(0, 1, 4, *(7, 6, 5)[:rank])}
    many = (
        itertools.product((2, 3), (1, 3), (1, 2), (False, True)) if rank == 2 else [(2, 2, 1, False), (3, 1, 2, True)]
    )
    for kernel, stride, group, bias in many if opset == 11 else [(3, 2, 2, True)]:
        constants = {"w": R(1, 6, 4 // group, *([kernel] * rank))} | ({"b": R(2, 6)} if bias else {})
        attributes = {"strides": [stride] * rank, "group": group, **padded(padding, rank)}
        check("Conv", opset, x, constants=constants, gradients=False, **attributes)
    small, constants = {"x": R(0, 1, 2, *(4, 3, 2)[:rank])}, {"w": R(1, 2, 1, *([2] * rank)), "b": R(2, 2)}
    check("Conv", opset, small, constants=constants, group=2, gradients=opset == 11, **padded(padding, rank))


@pytest.mark.parametrize("padding", [{"pads": (2, 2)}, {"pads": (1, 3)}, {}], ids=str)
def test_dilated_conv(padding: dict[str, Any]) -> None:
    attributes = {"dilations": [2, 3], "strides": [2, 1], **padded(padding, 2)}
    check("Conv", 11, IMAGE, constants={"w": R(1, 3, 4, 3, 2)}, **attributes)


def test_depthwise_conv() -> None:
    check("Conv", 11, IMAGE, constants={"w": R(1, 8, 1, 3, 3), "b": R(2, 8)}, group=4)


@pytest.mark.parametrize("bias", ["none", "constant", "computed"])
@pytest.mark.parametrize("padding", [{}, {"auto_pad": "SAME_LOWER"}, {"pads": (0, 1)}], ids=str)
def test_conv_whose_weights_are_computed(bias: str, padding: dict[str, Any]) -> None:
    inputs = {"x": R(0, 1, 2, 5, 5), "w": R(1, 3, 2, 2, 2)} | ({"b": R(2, 3)} if bias == "computed" else {})
    constants = {"b": R(2, 3)} if bias == "constant" else None
    check(
        "Conv",
        11,
        inputs,
        constants=constants,
        order=["x", "w", *([] if bias == "none" else ["b"])],
        **padded(padding, 2),
    )


def test_conv_with_a_computed_bias_alone() -> None:
    check("Conv", 11, {"x": R(0, 1, 2, 5, 5), "b": R(2, 3)}, constants={"w": R(1, 3, 2, 2, 2)}, order=["x", "w", "b"])


def test_conv_modules_are_what_hook_based_tools_know() -> None:
    assert type(check("Conv", 11, IMAGE, constants={"w": R(1, 3, 4, 3, 3)}, gradients=False)) is nn.Conv2d


# Pools


@pytest.mark.parametrize("opset", [1, 8, 10, 11, 12, 22])
@pytest.mark.parametrize(
    "padding", [{}, {"pads": (1, 1)}, {"pads": (0, 1)}, *({"auto_pad": a} for a in (*SAME, "VALID"))], ids=str
)
@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_pools(operator: str, opset: int, padding: dict[str, Any]) -> None:
    if operator == "AveragePool":
        opset = {1: 7, 8: 7, 12: 19}.get(opset, opset)
    ceilings = (0, 1) if opset >= 10 and padding in ({}, {"pads": (1, 1)}) else (0,)
    counted = (0, 1) if operator == "AveragePool" and opset >= 7 else (None,)
    many = [
        c for c in itertools.product((1, 2, 3), (2, 3), (1, 2, 3), ceilings, counted) if c[0] == 2 or c[1:3] == (3, 2)
    ]
    for rank, kernel, stride, ceil, count in (
        many if (operator, opset) in {("MaxPool", 11), ("AveragePool", 19)} else [(2, 3, 2, ceilings[-1], counted[-1])]
    ):
        options: dict[str, Any] = {"kernel_shape": [kernel] * rank, "strides": [stride] * rank, **padded(padding, rank)}
        options |= ({"ceil_mode": 1} if ceil else {}) | ({"count_include_pad": count} if count else {})
        check(operator, opset, {"x": R(0, 2, 3, *(7, 8, 5)[:rank])}, gradients=False, **options)
    if opset == 11:
        check(operator, opset, {"x": R(0, 1, 2, 5, 6)}, kernel_shape=[2, 3], **padded(padding, 2))


def test_average_pool_of_the_first_version_is_that_of_the_seventh() -> None:
    """ONNX Runtime runs it no more; it never counted what is padded."""
    TRIED.add(("AveragePool", 1))
    options = {"kernel_shape": [2, 3], "pads": [1, 1, 0, 1], "strides": [2, 1]}
    first, seventh = (models.node("AveragePool", IMAGE, opset=opset, **options) for opset in (1, 7))
    found = onnxray.to_torch(first, verify=False)(torch.from_numpy(IMAGE["x"])).numpy()
    np.testing.assert_allclose(found, models.run(seventh, IMAGE)[0], rtol=1e-5, atol=1e-6)


def test_default_strides_of_pools_are_one() -> None:
    check("MaxPool", 8, IMAGE, kernel_shape=[2, 2])


@pytest.mark.parametrize("ceil", [0, 1])
def test_dilated_max_pool(ceil: int) -> None:
    check(
        "MaxPool", 12, IMAGE, kernel_shape=[2, 3], dilations=[3, 2], strides=[2, 1], pads=[1, 0, 1, 0], ceil_mode=ceil
    )


@pytest.mark.parametrize("count", [0, 1])
def test_dilated_average_pool(count: int) -> None:
    options = {"dilations": [2, 1], "strides": [2, 1], "pads": [1, 0, 1, 0], "count_include_pad": count}
    check("AveragePool", 19, {"x": R(0, 1, 2, 7, 8)}, kernel_shape=[2, 3], **options)


@pytest.mark.parametrize("operator", ["AveragePool", "MaxPool"])
@pytest.mark.parametrize("pads", [[0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 1, 0]])
@pytest.mark.parametrize("stride", [2, 3])
def test_ceil_with_uneven_padding(operator: str, pads: list[int], stride: int) -> None:
    options = {"kernel_shape": [3, 2], "strides": [stride] * 2, "pads": pads, "ceil_mode": 1}
    check(operator, 19 if operator == "AveragePool" else 12, {"x": R(0, 1, 2, 7, 8)}, **options)


def test_max_pool_padded_by_more_than_half_its_kernel() -> None:
    check("MaxPool", 12, IMAGE, kernel_shape=[3, 3], pads=[2, 2, 2, 2])


@pytest.mark.parametrize("opset", [8, 10, 12, 22])
@pytest.mark.parametrize("order", [0, 1])
def test_max_pool_whose_indices_are_read(opset: int, order: int) -> None:
    options = {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [1, 1, 0, 1]}
    check("MaxPool", opset, IMAGE, outputs=2, storage_order=order, gradients=False, **options)


@pytest.mark.parametrize("opset", [1, 22])
@pytest.mark.parametrize("operator", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 5, 4), (1, 2, 3, 4, 2)])
def test_global_pools(operator: str, opset: int, shape: tuple[int, ...]) -> None:
    check(operator, opset, {"x": R(0, *shape)})


@pytest.mark.parametrize(
    ("operator", "options", "said"),
    [
        ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 2], "auto_pad": "SAME_UPPER"}, "with dilations"),
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [4, 1], "auto_pad": "SAME_UPPER"}, "shorter than its stride"),
        ("AveragePool", {"kernel_shape": [2, 2], "strides": [1, 5], "auto_pad": "SAME_LOWER"}, "shorter than its"),
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "VALID", "ceil_mode": 1}, "ceil_mode with"),
        ("MaxPool", {}, "kernel_shape"),
        ("MaxPool", {"kernel_shape": [2, 2, 2, 2]}, "kernel_shape"),
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [0, 1]}, "strides"),
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [1]}, "strides"),
        ("MaxPool", {"kernel_shape": [2, 2], "pads": [-1, 0, 0, 0]}, "pads"),
        ("MaxPool", {"kernel_shape": [2, 2], "pads": [1, 1]}, "pads"),
        ("MaxPool", {"kernel_shape": [2, 2], "auto_pad": "ODD"}, "auto_pad"),
        ("Conv", {"group": 2, "pads": [1]}, "pads"),
        ("Conv", {"dilations": [0, 1]}, "dilations"),
    ],
)
def test_what_is_not_surely_right_is_refused(operator: str, options: dict[str, Any], said: str) -> None:
    constants = {"w": R(1, 4, 4, 2, 2)} if operator == "Conv" else {}
    made = onnx.helper.make_node(operator, ["x", *constants], ["y"], name="only", **options)
    model = models.parse("g (float[2,4,7,8] x) => (float[a,b,c,d] y) { y = Relu (x) }", constants, opset=19)
    model.graph.node[0].CopyFrom(made)
    with pytest.raises(UnsupportedOperator, match=f"node 'only': operator {operator} version .*{said}") as caught:
        onnxray.to_torch(model, verify=False)
    assert "\n" not in str(caught.value)


def test_every_converter_was_tried() -> None:
    """Runs last in this file: what is declared and no test above has compared is not known to be right."""
    if len(TRIED) < 10:
        pytest.skip("only with the whole file")
    declared = {(operator, version) for family in (convolution, pooling) for _, operator, version in family.CONVERTERS}
    assert declared - TRIED == set()
