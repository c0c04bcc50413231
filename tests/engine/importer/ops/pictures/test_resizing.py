"""Resize, Upsample, GridSample, Pad and the region pools against ONNX Runtime where the node tests do not reach."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

import onnxray
from onnxray.errors import UnsupportedOperator
from support.models import Array, node, random, run

FLOATS = np.float32


def agrees(model: Any, feeds: dict[str, Array], tolerance: float = 2e-5) -> None:
    wanted = run(model, feeds)[0]
    given = onnxray.to_torch(model, verify=False)(*(torch.from_numpy(feed) for feed in feeds.values()))
    assert given.shape == wanted.shape
    np.testing.assert_allclose(given.numpy(), wanted, rtol=tolerance, atol=tolerance)


def resize(x: Array, wanted: Sequence[float], *, sizes: bool, opset: int = 19, **attributes: Any) -> Any:
    constant = np.array(wanted, np.int64 if sizes else FLOATS)
    order = ["x", "", "", "s"] if sizes else ["x", "", "s"]
    return node("Resize", {"x": x}, opset=opset, constants={"s": constant}, order=order, **attributes)


OPTIONS: dict[str, tuple[dict[str, int], ...]] = {
    "nearest": ({},),
    "linear": ({}, {"antialias": 1}, {"antialias": 1, "exclude_outside": 1}),
    "cubic": ({}, {"antialias": 1}, {"exclude_outside": 1}),
}
WHERE = ("half_pixel", "pytorch_half_pixel", "asymmetric", "half_pixel_symmetric", "align_corners")


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_to_sizes_equals_the_judge(mode: str, where: str) -> None:
    x = random(0, 1, 2, 7, 9)
    for size in ((11, 14), (3, 4), (14, 18), (5, 20)):
        for extra in OPTIONS[mode]:
            if extra and where != "half_pixel":
                continue
            options = {"mode": mode, "coordinate_transformation_mode": where, **extra}
            agrees(resize(x, (1, 2, *size), sizes=True, **options), {"x": x})


@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("where", WHERE[:4])
def test_nearest_rounds_as_the_judge_does_to_the_last_bit(where: str, rounding: str) -> None:
    options = {"mode": "nearest", "coordinate_transformation_mode": where, "nearest_mode": rounding}
    if where == "half_pixel_symmetric" and rounding in {"floor", "ceil"}:
        x = np.arange(13, dtype=FLOATS).reshape(1, 1, 13, 1)
        with pytest.raises(UnsupportedOperator, match="hang on"):
            onnxray.to_torch(resize(x, (1, 1, 15, 1), sizes=True, **options), verify=False)
        return
    for length, size in ((7, 16), (16, 7), (10, 14), (13, 15), (11, 25), (12, 28), (8, 6)):
        x = np.arange(length, dtype=FLOATS).reshape(1, 1, length, 1)
        agrees(resize(x, (1, 1, size, 1), sizes=True, **options), {"x": x}, 0)


@pytest.mark.parametrize("where", ["half_pixel", "asymmetric", "half_pixel_symmetric"])
def test_scales_that_cut_a_fraction_off_keep_their_own_value(where: str) -> None:
    x = random(1, 1, 2, 7, 9)
    for mode in ("linear", "cubic"):
        options = {"mode": mode, "coordinate_transformation_mode": where}
        agrees(resize(x, (1, 1, 2.3, 0.6), sizes=False, **options), {"x": x})


def test_computed_scales_and_sizes_equal_constant_ones() -> None:
    x, sizes, scales = random(2, 1, 2, 5, 6), np.array([1, 2, 9, 4]), np.array([1, 1, 2, 0.5], FLOATS)
    by_sizes = node("Resize", {"x": x, "s": sizes}, opset=13, order=["x", "", "", "s"], mode="linear")
    agrees(by_sizes, {"x": x, "s": sizes})
    by_scales = node("Resize", {"x": x, "s": scales}, opset=13, order=["x", "", "s"], mode="cubic")
    agrees(by_scales, {"x": x, "s": scales})


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [(1, 1, 2, 3), (1, 1, 1.5, 2.4), (1, 1, 4, 4)])
def test_upsample_and_the_first_resize(mode: str, scales: tuple[float, ...]) -> None:
    x, constant = random(3, 1, 2, 4, 5), {"s": np.array(scales, FLOATS)}
    agrees(node("Resize", {"x": x}, opset=10, constants=constant, mode=mode), {"x": x})
    agrees(node("Upsample", {"x": x}, opset=9, constants=constant, mode=mode), {"x": x})
    agrees(node("Upsample", {"x": x}, opset=7, scales=[float(s) for s in scales], mode=mode), {"x": x})


def test_the_first_resize_shrinks_upwards() -> None:
    x = random(4, 1, 1, 9, 8)
    agrees(node("Resize", {"x": x}, opset=10, constants={"s": np.array([1, 1, 0.6, 0.4], FLOATS)}), {"x": x})


def test_what_the_judge_and_the_standard_disagree_on_is_refused_by_name() -> None:
    x = random(5, 1, 1, 2, 4)
    model = resize(x, (1, 1, 0.6, 0.6), sizes=False, mode="linear", coordinate_transformation_mode="align_corners")
    with pytest.raises(UnsupportedOperator, match="operator Resize version 19 is not supported: with align_corners"):
        onnxray.to_torch(model, verify=False)(torch.from_numpy(x))


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("where", ["asymmetric", "half_pixel", "tf_crop_and_resize"])
def test_gradients_of_resize_reach_input_and_region(mode: str, where: str) -> None:
    x, roi = random(6, 1, 1, 5, 6).astype(np.float64), np.array([0, 0, 0.13, 0.27, 1, 1, 0.85, 0.72])
    model = node(
        "Resize", {"x": x, "r": roi}, opset=19, constants={"s": np.array([1, 1, 4, 9])}, order=["x", "r", "", "s"],
        mode=mode, coordinate_transformation_mode=where,
    )  # fmt: skip
    twin, region = onnxray.to_torch(model, verify=False), torch.from_numpy(roi).reshape(2, 4)

    def cropped(picture: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = twin(picture, torch.cat((region[:, :2], places), 1).reshape(-1))
        return result

    places = region[:, 2:].clone().requires_grad_(where == "tf_crop_and_resize")
    assert torch.autograd.gradcheck(cropped, (torch.from_numpy(x).requires_grad_(), places))


@pytest.mark.parametrize("border", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [0, 1])
def test_grid_sample_beyond_the_borders(border: str, align: int) -> None:
    grid = np.random.default_rng(7).uniform(-2.3, 2.3, (2, 3, 4, 2)).astype(FLOATS)
    grid[0] = np.round(grid[0] * 4) / 4  # exact halves
    feeds = {"x": random(7, 2, 2, 4, 5), "g": grid}
    for opset, mode in ((16, "bilinear"), (20, "nearest"), (16, "bicubic"), (20, "cubic")):
        options = {"mode": mode, "padding_mode": border, "align_corners": align}
        agrees(node("GridSample", feeds, opset=opset, **options), feeds)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_gradients_of_grid_sample_in_volumes_and_rows(mode: str) -> None:
    rng = np.random.default_rng(8)
    for sizes in ((5,), (3, 4, 2)):
        places = rng.uniform(-1.2, 1.2, (1, *(1 for _ in sizes[1:]), 3, len(sizes)))
        feeds = {"x": rng.standard_normal((1, 2, *sizes)), "g": places}
        twin = onnxray.to_torch(node("GridSample", feeds, opset=20, mode=mode), verify=False)
        assert torch.autograd.gradcheck(twin, tuple(torch.from_numpy(a).requires_grad_() for a in feeds.values()))


def test_cubic_volumes_are_separable() -> None:
    """At places between the elements of one axis alone, a volume's sample is a picture's."""
    rng = np.random.default_rng(9)
    x = rng.standard_normal((1, 1, 4, 5))
    flat = rng.uniform(-1.3, 1.3, (1, 3, 3, 2))
    volume = np.repeat(x[:, :, None], 3, 2)
    grid = np.concatenate((flat, np.zeros((1, 3, 3, 1))), -1)[:, None]
    options = {"opset": 20, "mode": "cubic", "padding_mode": "reflection", "align_corners": 1}
    one = onnxray.to_torch(node("GridSample", {"x": x, "g": flat}, **options), verify=False)
    other = onnxray.to_torch(node("GridSample", {"x": volume, "g": grid}, **options), verify=False)
    flat_result = one(torch.from_numpy(x), torch.from_numpy(flat))
    torch.testing.assert_close(other(torch.from_numpy(volume), torch.from_numpy(grid))[:, :, 0], flat_result)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_pad_adds_and_removes(mode: str) -> None:
    x = random(10, 2, 3, 5, 4)
    for pads in ((0, 0, 1, 2, 0, 0, 2, 1), (0, -1, 2, 0, 1, 0, 0, -1), (1, 0, -1, 2, 0, 1, 2, -1)):
        constants = {"p": np.array(pads), "v": np.array(1.5, FLOATS)}
        agrees(node("Pad", {"x": x}, opset=19, constants=constants, mode=mode), {"x": x})
        if mode != "wrap":
            agrees(node("Pad", {"x": x}, opset=2, pads=list(pads), mode=mode), {"x": x})
    axes = {"v": np.array(1.5, FLOATS), "a": np.array([-1, 1])}
    feeds = {"x": x, "p": np.array([1, 2, 0, 1])}
    agrees(node("Pad", feeds, opset=19, constants=axes, mode=mode), feeds)


def test_a_computed_fill_value_has_its_gradient() -> None:
    feeds = {"x": random(11, 2, 3).astype(np.float64), "p": np.array([1, 0, 0, 2]), "v": np.array(0.5)}
    twin = onnxray.to_torch(node("Pad", feeds, opset=13), verify=False)
    x, pads, fill = (torch.from_numpy(value) for value in feeds.values())
    assert torch.autograd.gradcheck(lambda a, b: twin(a, pads, b), (x.requires_grad_(), fill.requires_grad_()))


REGIONS = np.array([[-1, 0, 3.2, 4.1], [1.3, 2.2, 8.5, 6.4], [2, 2, 2.3, 2.2], [5, -3, 7, 20]], FLOATS)
SAMPLES = np.array([0, 1, 1, 0])


@pytest.mark.parametrize("opset", [10, 16])
@pytest.mark.parametrize("ratio", [0, 2])
def test_roi_align_of_all_versions(opset: int, ratio: int) -> None:
    feeds = {"x": random(12, 2, 3, 7, 9), "r": REGIONS, "b": SAMPLES}
    for mode in ("avg", "max"):
        options = {"output_height": 2, "output_width": 3, "sampling_ratio": ratio, "spatial_scale": 0.5, "mode": mode}
        agrees(node("RoiAlign", feeds, opset=opset, **options), feeds)


def test_gradients_of_roi_align() -> None:
    feeds = {"x": random(13, 2, 1, 7, 9).astype(np.float64), "r": REGIONS[1:2].astype(np.float64), "b": SAMPLES[1:2]}
    model = node("RoiAlign", feeds, opset=16, output_height=2, output_width=2, sampling_ratio=2)
    x, regions, samples = (torch.from_numpy(value) for value in feeds.values())
    twin = onnxray.to_torch(model, verify=False)
    assert torch.autograd.gradcheck(lambda a, b: twin(a, b, samples), (x.requires_grad_(), regions.requires_grad_()))


def test_max_roi_pool() -> None:
    feeds = {"x": random(14, 2, 3, 7, 9), "r": np.concatenate((SAMPLES[:, None].astype(FLOATS), REGIONS), 1)}
    agrees(node("MaxRoiPool", feeds, opset=12, pooled_shape=[2, 3], spatial_scale=0.5), feeds)


def test_asymmetric_col2im() -> None:
    x = random(15, 2, 12, 36)
    constants = {"i": np.array([5, 6]), "b": np.array([2, 3])}
    agrees(node("Col2Im", {"x": x}, opset=18, constants=constants, pads=[1, 0, 1, 2]), {"x": x})
