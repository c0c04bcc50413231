"""The mean of maps over views of the picture: each view made by hand, each map scaled."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.methods.saliency.activation.eigen_cam import EigenCAM
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from onnxray.methods.saliency.activation.layer_cam import LayerCAM
from onnxray.methods.saliency.activation.views import VIEWS, scaled
from onnxray.methods.saliency.perturbation.ablation_cam import AblationCAM
from support import models
from support.trusted import trusted

PROFILE = replace(models.GREY, size=(14, 14), scale=1 / 255, mean=(0.25,), std=(0.5,))
X = models.pictures(2, seed=3)


def minmax(heat: Any) -> Any:
    heat = heat.astype(np.float64)
    return (heat - heat.min()) / (heat.max() - heat.min()) if np.ptp(heat) else heat * 0


@pytest.mark.parametrize("method", [GradCAM, LayerCAM, EigenCAM, AblationCAM])
def test_the_mean_over_six_views(method: Any) -> None:
    """An input of zero is the grey level 0.25 * 255; what the factor multiplies is the distance from there."""
    model = onnxray.open(models.lenet(), PROFILE)
    trusted(model)
    zero = 0.25 * 255
    items = method(layer=("relu1", "relu2"), augment=True)(model, X, 2).items
    assert [item.layer for item in items] == ["relu1", "relu2"] * 2
    for item, image in zip(items, np.repeat(X, 2, 0)):
        views = []
        for flip in (False, True):
            for factor in (0.9, 1, 1.1):
                seen = (zero + factor * (image - zero)).astype(np.float32)
                seen = seen[..., ::-1] if flip else seen
                values = model.feeds(onnxray.images.pixels.Pixels.of(seen[None]))["x"]
                plain = ((image / 255 - 0.25) / 0.5) * factor
                np.testing.assert_allclose(values[0], plain[..., ::-1] if flip else plain, atol=1e-5)
                heat = minmax(_map_of(method, model, seen, item.layer))
                views.append(heat[..., ::-1] if flip else heat)
        np.testing.assert_allclose(item.heat, np.mean(views, 0), atol=1e-4)
        assert item.numbers_["views"] == 6


def _map_of(method: Any, model: onnxray.Model, seen: Any, layer: Any) -> Any:
    """Beyond 255 as well, which no picture that is read may be."""
    pixels = onnxray.images.pixels.Pixels.of(seen[None])
    return method(layer=layer)(model, pixels, 2).items[0].heat


def test_of_an_array_with_channels_last_columns_are_turned() -> None:
    head = "t = Transpose <perm = [0, 3, 1, 2]> (x) c = Conv <pads = [1, 1, 1, 1]> (t, w) r = Relu (c) p = GlobalAveragePool (r) y = Flatten (p)"
    proto = models.parse(f"g (float[N,9,7,4] x) => (float[N,4] y) {{ {head} }}", {"w": models.random(0, 4, 4, 3, 3)})
    model, x = onnxray.open(proto.SerializeToString()), np.abs(models.random(1, 1, 9, 7, 4))
    found = GradCAM(layer="r", augment=True)(model, x, 1).items[0].heat
    views = []
    for view in VIEWS:
        seen = (x * np.float32(view.factor))[:, :, :: -1 if view.flipped else 1]
        layer = models.run(proto, {"x": np.ascontiguousarray(seen)}, ["r"])[0][0, 1]
        views.append(minmax(layer[:, :: -1 if view.flipped else 1]))
    np.testing.assert_allclose(found, np.mean(views, 0), atol=1e-4)


def test_progress_never_goes_back() -> None:
    seen: list[float] = []
    model = onnxray.open(models.lenet(), models.GREY)
    method = AblationCAM(layer=("relu1", "relu2"), augment=True)
    method(model, X, 1, progress=lambda done, total, _: seen.append(done / total))
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) > 24


def test_a_flat_map_is_scaled_to_zero() -> None:
    assert not scaled(np.full((3, 4), 7.0)).any()
    np.testing.assert_array_equal(scaled(np.array([[1.0, 3.0]])), [[0, 1]])
