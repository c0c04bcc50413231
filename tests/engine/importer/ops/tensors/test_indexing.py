"""Gather, Slice, Split and their kin against ONNX Runtime: computed parameters, old versions, gradients."""

from typing import Any

import numpy as np
import pytest
import torch

import onnxray
from onnxray.errors import InputError, UnsupportedOperator
from support.models import Array, node, random, run


def agrees(model: Any, feeds: dict[str, Array]) -> None:
    wanted = run(model, feeds)
    given = onnxray.to_torch(model, verify=False)(*(torch.from_numpy(feed) for feed in feeds.values()))
    given = [given] if isinstance(given, torch.Tensor) else given
    for one, other in zip(given, wanted, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-5, atol=1e-6)


SLICES = [((-9, 9), (9, -9), (0, 2), (2, -2)), ((4, -1), (-9, 0), (1, -1), (-1, -2)), ((1, 0), (3, 5), (2, 0), (1, 1))]


@pytest.mark.parametrize(("starts", "ends", "axes", "steps"), SLICES)
def test_slice_with_constant_and_computed_bounds(starts: Any, ends: Any, axes: Any, steps: Any) -> None:
    x = random(0, 4, 5, 6)
    bounds = {name: np.array(value) for name, value in zip("seap", (starts, ends, axes, steps))}
    agrees(node("Slice", {"x": x}, opset=13, constants=bounds), {"x": x})
    agrees(node("Slice", {"x": x, **bounds}, opset=11), {"x": x, **bounds})
    half = {"s": bounds["s"], "e": bounds["e"]}
    rest = {"a": bounds["a"], "p": bounds["p"]}
    agrees(node("Slice", {"x": x, **half}, opset=10, constants=rest), {"x": x, **half})


def test_slice_by_attributes() -> None:
    x = random(1, 4, 5)
    agrees(node("Slice", {"x": x}, opset=9, axes=[1, 0], starts=[-3, 1], ends=[1000, -1]), {"x": x})


@pytest.mark.parametrize("opset", [1, 11, 13])
def test_gather_by_a_number_a_list_and_a_table(opset: int) -> None:
    x = random(2, 3, 4, 5)
    low = 0 if opset < 11 else -3
    for indices in (np.array(2), np.array(low), np.array([0, 2, low]), np.array([[0, 1], [2, low]])):
        for axis in (0, 1, -1):
            agrees(node("Gather", {"x": x}, opset=opset, constants={"i": indices}, axis=axis), {"x": x})
            agrees(node("Gather", {"x": x, "i": indices}, opset=opset, axis=axis), {"x": x, "i": indices})
        agrees(node("Gather", {"x": x[0, 0], "i": indices}, opset=opset), {"x": x[0, 0], "i": indices})


def test_unsigned_elements_are_moved_bit_for_bit() -> None:
    x = np.array([[0, 2**63 + 5], [2**64 - 1, 7]], np.uint64)
    indices = np.array([[1, 0]])
    agrees(node("GatherElements", {"x": x}, opset=13, constants={"i": indices}), {"x": x})
    agrees(node("ScatterElements", {"x": x, "i": indices, "u": x[:1]}, opset=13), {"x": x, "i": indices, "u": x[:1]})
    twin = onnxray.to_torch(node("Trilu", {"x": x}, opset=14), verify=False)
    assert twin(torch.from_numpy(x)).tolist() == np.triu(x).tolist()


def test_what_torch_does_not_compare_is_refused() -> None:
    x = np.array([[1, 2]], np.uint64)
    feeds = {"x": x, "i": np.array([[0, 0]]), "u": x}
    with pytest.raises(UnsupportedOperator, match=r"operator ScatterElements version 18 is not supported: .*uint64"):
        onnxray.to_torch(node("ScatterElements", feeds, opset=18, reduction="max"), verify=False)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_scatter_and_its_gradients(reduction: str) -> None:
    indices = np.array([[0], [-1]] if reduction == "none" else [[1], [-2]])
    feeds = {"x": random(3, 3, 4), "i": indices, "u": random(4, 2, 4)}
    whole = {"x": feeds["x"], "i": np.broadcast_to(indices, (2, 4)).copy(), "u": feeds["u"]}
    for operator, values in (("ScatterND", feeds), ("ScatterElements", whole)):
        agrees(node(operator, values, opset=18, reduction=reduction), values)
        doubles = {name: v.astype(np.float64) if name != "i" else v for name, v in values.items()}
        twin = onnxray.to_torch(node(operator, doubles, opset=18, reduction=reduction), verify=False)
        x, index, updates = (torch.from_numpy(value) for value in doubles.values())
        inputs = x.requires_grad_(), updates.requires_grad_()
        assert torch.autograd.gradcheck(lambda a, b, twin=twin, index=index: twin(a, index, b), inputs)


def test_an_index_outside_is_an_error_and_not_another_element() -> None:
    feeds = {"x": random(5, 3, 4), "i": np.array([[0, 5]]), "u": random(6, 1)}
    with pytest.raises(InputError, match="outside of axis 1"):
        onnxray.to_torch(node("ScatterND", feeds, opset=18, reduction="add"), verify=False)(
            *(torch.from_numpy(value) for value in feeds.values())
        )


def test_one_hot_of_all_versions() -> None:
    indices, values = np.array([[0, -1, 2], [5, -4, 1]]), np.array([-1, 2], np.float32)
    for opset in (9, 11):
        for axis in (-1, 0, 1):
            constants = {"d": np.array([3]), "v": values}
            agrees(node("OneHot", {"i": indices}, opset=opset, constants=constants, axis=axis), {"i": indices})
            feeds = {"i": indices, "d": np.array([3]), "v": values}
            agrees(node("OneHot", feeds, opset=opset, axis=axis), feeds)


def test_split_of_all_versions() -> None:
    x = random(7, 7, 6)
    agrees(node("Split", {"x": x}, opset=18, outputs=3, num_outputs=3), {"x": x})
    agrees(node("Split", {"x": x}, opset=13, outputs=3, axis=-1), {"x": x})
    agrees(node("Split", {"x": x}, opset=2, outputs=2, split=[3, 4]), {"x": x})
    lengths = np.array([5, 0, 2])
    agrees(node("Split", {"x": x}, opset=13, outputs=3, constants={"s": lengths}), {"x": x})
    agrees(node("Split", {"x": x, "s": lengths}, opset=13, outputs=3), {"x": x, "s": lengths})


def test_an_axis_that_does_not_part_equally_is_an_error() -> None:
    made = node("Split", {"x": random(8, 6, 2)}, opset=13, outputs=4, dynamic=True)
    with pytest.raises(InputError, match="length 6 into 4 equal parts"):
        onnxray.to_torch(made, verify=False)(torch.zeros(6, 2))


def test_axes_and_shapes_that_the_graph_computes() -> None:
    x, axes = random(9, 1, 3, 1, 2), np.array([0, -2])
    agrees(node("Squeeze", {"x": x, "a": axes}, opset=13), {"x": x, "a": axes})
    agrees(node("Unsqueeze", {"x": x, "a": axes}, opset=13), {"x": x, "a": axes})
    shape = np.array([2, 1, 3, 4, 1])
    agrees(node("Expand", {"x": x, "s": shape}, opset=13), {"x": x, "s": shape})
    repeats = np.array([2, 1, 3, 1])
    agrees(node("Tile", {"x": x, "r": repeats}, opset=13), {"x": x, "r": repeats})
    with pytest.raises(InputError, match="axis 1, which has length 3"):
        onnxray.to_torch(node("Squeeze", {"x": x, "a": axes}, opset=13, dynamic=True), verify=False)(
            torch.from_numpy(x), torch.tensor([1])
        )


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_and_space_undo_each_other(mode: str) -> None:
    x = random(10, 2, 8, 2, 3)
    agrees(node("DepthToSpace", {"x": x}, opset=13, blocksize=2, mode=mode), {"x": x})
    there = onnxray.to_torch(node("DepthToSpace", {"x": x}, opset=28, blocksize=2, mode=mode), verify=False)
    spread = there(torch.from_numpy(x))
    back = onnxray.to_torch(node("SpaceToDepth", {"x": spread.numpy()}, opset=28, blocksize=2, mode=mode), verify=False)
    assert torch.equal(back(spread), torch.from_numpy(x))


def test_non_max_suppression_breaks_ties_as_the_judge_does() -> None:
    rng = np.random.default_rng(11)
    boxes, scores = rng.uniform(0, 1, (2, 20, 4)), np.round(rng.uniform(0, 1, (2, 3, 20)), 1)
    feeds = {"b": boxes.astype(np.float32), "s": scores.astype(np.float32)}
    for centred in (0, 1):
        for most, overlap, least in ((4, 0.2, 0.3), (20, 0.5, 0.0), (0, 0.5, 0.5)):
            limits = {"m": np.array([most]), "o": np.array([overlap], np.float32), "l": np.array([least], np.float32)}
            made = node("NonMaxSuppression", feeds, opset=11, constants=limits, center_point_box=centred)
            agrees(made, feeds)
