"""Class activation maps: each formula restated, on a network written by hand in torch."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.errors import InputError, MismatchError, OnnxrayError, ZeroGradient
from onnxray.images.profile.toml_form import toml_of
from onnxray.methods.saliency.activation.cam import CAM
from onnxray.methods.saliency.activation.eigen_cam import EigenCAM
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from onnxray.methods.saliency.activation.grad_cam_plus_plus import GradCAMPlusPlus
from onnxray.methods.saliency.activation.guided_grad_cam import GuidedGradCAM
from onnxray.methods.saliency.activation.hires_cam import HiResCAM
from onnxray.methods.saliency.activation.layer_cam import LayerCAM
from onnxray.methods.saliency.activation.score_cam import ScoreCAM
from onnxray.methods.saliency.activation.xgrad_cam import XGradCAM
from onnxray.methods.saliency.gradient.guided_backpropagation import GuidedBackpropagation
from onnxray.methods.saliency.item import MapItem
from onnxray.objectives.class_score import ClassScore
from support import kinds_of_input, models
from support.trusted import trusted

Array = NDArray[Any]

SIZE = (14, 20)
PROFILE = replace(models.GREY, size=SIZE)
TEXT = """
net (float[{batch},1,14,20] x) => (float[{batch},5] z) {{
  c = Conv <kernel_shape = [3, 3]> (x, w1, b1)
  a = Relu (c)
  d = Conv <kernel_shape = [3, 3], strides = [2, 2]> (a, w2, b2)
  f = Relu (d)
  p = GlobalAveragePool (f)
  flat = Flatten <axis = 1> (p)
  z = Gemm <transB = 1, alpha = 0.5> (flat, w3, b3)
}}
"""
WEIGHTS = {
    "w1": models.random(1, 6, 1, 3, 3, scale=0.4), "b1": models.random(2, 6, scale=0.2),
    "w2": models.random(3, 8, 6, 3, 3, scale=0.2), "b2": models.random(4, 8, scale=0.2),
    "w3": models.random(5, 5, 8), "b3": models.random(6, 5),
}  # fmt: skip
CLASSES = (3, 1)
FORMULAS: dict[Any, Callable[[Array, Array], Array]] = {
    GradCAM: lambda a, g: np.einsum("kij,k->ij", a, g.mean((1, 2))),
    HiResCAM: lambda a, g: np.einsum("kij,kij->ij", a, g),
    LayerCAM: lambda a, g: np.einsum("kij,kij->ij", a, np.clip(g, 0, None)),
    XGradCAM: lambda a, g: np.einsum("kij,k->ij", a, np.einsum("kij,kij->k", a, g) / (a.sum((1, 2)) + 1e-7)),
    GradCAMPlusPlus: lambda a, g: np.einsum(
        "kij,k->ij", a,
        np.array([
            sum(s * s / (2 * s * s + s**3 * part.sum() + 1e-6) * max(s, 0) for s in slope.ravel() if s)
            for part, slope in zip(a, g)
        ]),
    ),
}  # fmt: skip


def opened(weights: dict[str, Array] = WEIGHTS, batch: Any = "N", text: str = TEXT) -> onnxray.Model:
    model = onnxray.open(models.parse(text.format(batch=batch), weights), PROFILE)
    trusted(model)
    return model


def pictures(count: int = 2) -> Array:
    return np.random.default_rng(1).uniform(0, 255, (count, 1, *SIZE)).astype(np.float32)


def by_hand(layer: str) -> tuple[Array, Array]:
    """A and dS/dA of every picture."""
    w = {name: torch.from_numpy(array).double() for name, array in WEIGHTS.items()}
    v = {
        "a": functional.relu(
            functional.conv2d((torch.from_numpy(pictures()).double() / 255 - 0.5) / 0.5, w["w1"], w["b1"])
        )
    }
    v["a"].requires_grad_()
    v["f"] = functional.relu(functional.conv2d(v["a"], w["w2"], w["b2"], stride=2))
    scores = 0.5 * v["f"].mean((2, 3)) @ w["w3"].T + w["b3"]
    slope = torch.autograd.grad(scores[range(2), CLASSES].sum(), v[layer])[0]
    return v[layer].detach().numpy(), slope.numpy()


def upsampled(attribution: Array) -> Array:
    return functional.interpolate(
        torch.from_numpy(np.maximum(attribution, 0))[None, None], SIZE, mode="bilinear", align_corners=False
    )[0, 0].numpy()


def items(method: Any, model: onnxray.Model | None = None) -> list[MapItem]:
    model = model or opened()
    return [method(model, x[None], int(c)).items[0] for x, c in zip(pictures(), CLASSES)]


def close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("batch", ["N", 1, 2])
@pytest.mark.parametrize("layer", ["a", "f"])
@pytest.mark.parametrize("method", FORMULAS)
def test_formulas(method: Any, layer: str, batch: Any) -> None:
    values, slopes = by_hand(layer)
    for item, a, g in zip(items(method(layer=layer), opened(batch=batch)), values, slopes):
        close(item.attribution, FORMULAS[method](a, g))
        close(item.heat, upsampled(item.attribution.astype(np.float64)))
        assert item.layer == layer


@pytest.mark.parametrize("method", [*FORMULAS, EigenCAM, ScoreCAM, GuidedGradCAM])
def test_a_batch_gives_what_its_images_give_and_several_layers_a_map_each(method: Any) -> None:
    model = opened()
    found = method(layer=("a", "f"))(model, pictures(3), 2)
    assert [item.layer for item in found.items] == ["a", "f"] * 3
    for row, x in enumerate(pictures(3)):
        for place, layer in enumerate(("a", "f")):
            alone = method(layer=layer)(model, x[None], 2).items[0]
            close(found.items[2 * row + place].heat, alone.heat)


def test_the_default_layer_is_noted() -> None:
    found = GradCAM()(opened(), pictures(), 2)
    assert found.items[0].layer == "f"
    assert any(note.startswith("layer 'f' (5 x 8, channels on axis 1) was chosen") for note in found.provenance.notes)


def test_maps_say_what_their_numbers_are_in() -> None:
    """A derivative times what it is taken by has the score's unit: twice the score, twice the map."""
    model = onnxray.open("lenet")
    four = onnxray_models.samples("lenet")[:1]
    for method in (GradCAM(), HiResCAM(), LayerCAM(), XGradCAM()):
        (item,) = method(model, four).items
        assert item.unit == "logit"
        (twice,) = method(model, four, 2 * ClassScore("ip2", int(item.target[-1]))).items
        assert np.allclose(twice.heat, 2 * item.heat, rtol=1e-4)
    assert EigenCAM()(model, four).items[0].unit == "value of the layer"
    assert GradCAMPlusPlus()(model, four).items[0].unit == ""
    assert GradCAM(augment=True)(model, four).items[0].unit == "mean share of the largest"


def test_a_layer_of_few_rows_is_noted_for_its_map_says_little() -> None:
    text = TEXT.replace("p = Glo", "n = MaxPool <kernel_shape = [2, 1], strides = [2, 1]> (f)  p = Glo").replace(
        "(f)\n  flat", "(n)\n  flat"
    )
    model = opened(text=text)
    notes = GradCAM(layer=("f", "n"))(model, pictures(), 2).provenance.notes
    assert [note.split(";")[0] for note in notes if "places" in note] == ["layer 'n' has 2 x 8 places"]


@pytest.mark.parametrize("kind", ["gemm", "matmul", "conv", "maps"])
def test_cam_and_what_it_adds_up_to(kind: str) -> None:
    """M = sum_k w_ck F_k; its mean and the bias are the logit; Grad-CAM there is M over the number of places."""
    heads = {
        "gemm": TEXT,
        "matmul": TEXT.replace("z = Gemm <transB = 1, alpha = 0.5> (flat, w3, b3)", "m = MatMul (flat, wt)\n  z = Add (b3, m)"),
        "conv": TEXT.replace("flat = Flatten <axis = 1> (p)", "q = Conv (p, w4, b3)").replace(
            "z = Gemm <transB = 1, alpha = 0.5> (flat, w3, b3)", "z = Flatten <axis = 1> (q)"
        ),
        "maps": TEXT.replace("p = Glob", "g = Conv (f, w4, b3)\n  p = Glob").replace("AveragePool (f)", "AveragePool (g)").replace(
            "flat = Flatten <axis = 1> (p)", ""
        ).replace("z = Gemm <transB = 1, alpha = 0.5> (flat, w3, b3)", "z = Flatten <axis = 1> (p)"),
    }  # fmt: skip
    half = (0.5 * WEIGHTS["w3"]).astype(np.float32)
    model = opened(WEIGHTS | {"wt": half.T.copy(), "w4": half[:, :, None, None]}, text=heads[kind])
    features = by_hand("f")[0]
    for item, f, number in zip(items(CAM(), model), features, CLASSES):
        own = np.einsum("k,kij->ij", half[number], f) + (WEIGHTS["b3"][number] if kind == "maps" else 0)
        close(item.attribution, own)
        assert item.signed
        assert item.attribution.mean() + item.numbers_["bias"] == pytest.approx(item.target_score, rel=1e-4)
    if kind == "gemm":
        for item, kin in zip(items(CAM(), model), items(GradCAM(layer="f"), model)):
            close(item.attribution / item.attribution.size, kin.attribution)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace("GlobalAveragePool (f)", "GlobalMaxPool (f)"), r"node 'GlobalMaxPool_\d' \(GlobalMaxPool\)"),
        (TEXT.replace("flat = Flatten <axis = 1> (p)", "r = Relu (p)\n  flat = Flatten <axis = 1> (r)"), r"\(Relu\)"),
    ],
)
def test_cam_refuses_other_heads_by_name(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CAM()(opened(text=text), pictures(), 2)


def test_cam_divides_logits_alone() -> None:
    with pytest.raises(InputError, match="margin of class 2"):
        CAM(score="margin")(opened(), pictures(), 2)


def test_cam_gives_no_map_where_the_head_is_not_what_it_was_taken_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxray.methods.saliency.activation import cam

    right = cam.find_head
    monkeypatch.setattr(cam, "find_head", lambda *a: replace(right(*a), weights=np.ones((5, 8))))
    with pytest.raises(MismatchError, match="the head is not what it was taken for"):
        CAM()(opened(), pictures(), 2)


def test_eigen_cam_is_the_first_principal_component() -> None:
    for item, a in zip(items(EigenCAM(layer="a")), by_hand("a")[0]):
        places = a.reshape(6, -1).T
        centred = places - places.mean(0)
        covariance = centred.T @ centred
        direction = np.linalg.eigh(covariance)[1][:, -1]
        expected = (centred @ direction).reshape(item.attribution.shape)
        close(item.attribution, expected * np.sign(expected.flat[np.abs(expected).argmax()]))


@pytest.mark.parametrize("method", [GradCAM, HiResCAM, LayerCAM])
def test_eigen_smooth_is_the_first_principal_component_of_what_is_summed(method: Any) -> None:
    """By the covariance of the channels; the sign is that of the sum."""
    values, slopes = by_hand("f")
    weights = {GradCAM: slopes.mean((2, 3), keepdims=True), HiResCAM: slopes, LayerCAM: np.maximum(slopes, 0)}[method]
    for item, weighed in zip(items(method(layer="f", eigen_smooth=True)), weights * values):
        places = weighed.reshape(len(weighed), -1)
        places = places - places.mean(1, keepdims=True)
        component = np.linalg.eigh(places @ places.T)[1][:, -1] @ places
        component *= np.sign(component @ places.sum(0))
        close(item.attribution, component.reshape(weighed.shape[1:]))
        close(item.heat, upsampled(item.attribution.astype(np.float64)))


def test_score_cam_scores_every_channel_s_mask() -> None:
    model = opened()
    for item, x, number, a in zip(items(ScoreCAM(layer="f"), model), pictures(), CLASSES, by_hand("f")[0]):
        masks = functional.interpolate(torch.from_numpy(a)[None], SIZE, mode="bilinear", align_corners=True)[0].numpy()
        scores = []
        for mask in masks:
            m = (mask - mask.min()) / (mask.max() - mask.min() + 1e-8)
            seen = (m * x + (1 - m) * 127.5).astype(np.float32)
            scores.append(model.predict(seen[None], scores=True).scores[0, number])
        weights = np.exp(scores - np.max(scores))
        close(item.attribution, np.einsum("k,kij->ij", weights / weights.sum(), a))


def test_guided_grad_cam_is_the_product_of_its_parts() -> None:
    from onnxray.methods.saliency.gradient.guided_backpropagation import GuidedBackpropagation

    parts = zip(items(GuidedGradCAM(layer="f")), items(GradCAM(layer="f")), items(GuidedBackpropagation()))
    for item, coarse, fine in parts:
        close(item.attribution, coarse.heat * fine.attribution)


def test_a_map_that_is_negative_everywhere_is_zero_and_says_so() -> None:
    model = opened(WEIGHTS | {"w3": -np.abs(WEIGHTS["w3"])})
    for method in (GradCAM, HiResCAM, LayerCAM, GuidedGradCAM):
        item = method()(model, pictures(1), 2).items[0]
        assert not item.heat.any()
        assert item.reason is not None
        assert item.reason.startswith("no positive evidence")


def test_a_zero_gradient_names_the_layer() -> None:
    silent = WEIGHTS["w3"].copy()
    silent[2] = 0
    with pytest.raises(ZeroGradient, match="does not change with 'f'"):
        GradCAM()(opened(WEIGHTS | {"w3": silent}), pictures(), 2)


@pytest.mark.parametrize(
    ("options", "target", "message"),
    [
        ({"layer": "flat"}, 2, "'flat' has the shape .* no rows and columns"),
        ({"layer": "nothing"}, 2, "no value 'nothing'"),
        ({"layer": "f"}, "c:1", "the layer 'f' does not stand before 'c'"),
        ({}, "c:1", "no value before 'c' is a grid"),
    ],
)
def test_layers_that_cannot_be(options: dict[str, Any], target: Any, message: str) -> None:
    for method in (GradCAM, EigenCAM, ScoreCAM):
        with pytest.raises(OnnxrayError, match=message):
            method(**options)(opened(), pictures(), target)


def test_layers_are_listed_on_the_command_line(tmp_path: Any) -> None:
    import json

    path = tmp_path / "lenet.onnx"
    path.write_bytes(models.lenet().SerializeToString())
    (tmp_path / "lenet.toml").write_text(toml_of(models.GREY), encoding="utf-8")
    run = CliRunner().invoke(app, ["saliency", "layers", str(path), "--json"])
    assert run.exit_code == 0, run.output
    listed = json.loads(run.stdout)["items"]
    assert [item["name"] for item in listed if item["default"]] == ["relu2"]
    assert listed[0] == {
        "name": "conv1", "shape": [1, 4, 12, 12], "rows": 12, "columns": 12, "channels": 4, "other_tokens": 0,
        "default": False,
    }  # fmt: skip
    table = CliRunner().invoke(app, ["saliency", "layers", str(path)])
    assert "default" in table.stdout
    assert "12 x 12" in table.stdout


TOWERS = """
g (float[N,3,16,16] left, float[N,1,{side},{side}] right, float[N,2] size) => (float[N,4] y) {{
  a = Conv <pads = [1, 1, 1, 1]> (left, w)  ra = Relu (a)  pa = GlobalAveragePool (ra)  fa = Flatten (pa)
  b = Conv <pads = [1, 1, 1, 1]> (right, u)  rb = Relu (b)  pb = GlobalAveragePool (rb)  fb = Flatten (pb)
  f = Concat <axis = 1> (fa, fb, size)  y = Gemm (f, v)
}}
"""


@pytest.mark.parametrize("side", [16, 8])
def test_of_several_inputs_the_map_is_drawn_on_the_picture_that_its_layer_sees(side: int) -> None:
    """Grad-CAM: L = sum_k mean(dS/dA_k) A_k = sum_k v_ck / (h w) A_k at the layer before the pooling."""
    weights = {"w": models.random(0, 5, 3, 3, 3), "u": models.random(1, 6, 1, 3, 3), "v": models.random(2, 13, 4)}
    model = onnxray.open(models.parse(TOWERS.format(side=side), weights).SerializeToString())
    feeds = {
        "left": models.random(3, 2, 3, 16, 16), "right": models.random(4, 2, 1, side, side),
        "size": models.random(5, 2, 2),
    }  # fmt: skip
    features = model.values(feeds, ["ra", "rb"])
    expected = {
        "left": np.einsum("nkij,k->nij", features["ra"], weights["v"][:5, 1] / 256),
        "right": np.einsum("nkij,k->nij", features["rb"], weights["v"][5:11, 1] / side**2),
    }
    for options, shown in [({}, ("left", "right")), ({"layer": "ra"}, ("left",)), ({"wrt": "right"}, ("right",))]:
        items = GradCAM(**options)(model, feeds, 1).items
        assert [item.wrt for item in items] == [name for name in shown for _ in range(2)]
        for k, item in enumerate(items):
            assert item.layer == {"left": "ra", "right": "rb"}[item.wrt]
            np.testing.assert_allclose(item.attribution, expected[item.wrt][k % 2], rtol=1e-4, atol=1e-6)
            assert item.heat.shape == feeds[item.wrt].shape[2:]
            np.testing.assert_allclose(item.heat, np.maximum(item.attribution, 0), rtol=1e-5)
    with pytest.raises(InputError, match="the layer 'ra' does not depend on the input 'right', on which its map"):
        GradCAM(layer="ra", wrt="right")(model, feeds, 1)
    with pytest.raises(InputError, match=r"right behind the input 'size' tells|no rows and columns"):
        GradCAM(wrt="size")(model, feeds, 1)
    with pytest.raises(InputError, match="no input of left, right, size holds a picture that the layer sees"):
        GradCAM(layer=("ra", "rb"))(model, feeds, 1)


def test_a_picture_and_its_depth_that_are_joined_share_the_map() -> None:
    model = onnxray.open(kinds_of_input.two().SerializeToString())
    feeds = {"rgb": models.random(1, 2, 3, 16, 16), "depth": models.random(2, 2, 1, 16, 16)}
    items = GradCAM()(model, feeds, 1).items
    assert [item.wrt for item in items] == ["rgb", "rgb", "depth", "depth"]
    r, v = model.values(feeds, ["r"])["r"], kinds_of_input.two().graph.initializer
    weights = {one.name: onnx.numpy_helper.to_array(one) for one in v}["v"]
    for k, item in enumerate(items):
        np.testing.assert_allclose(
            item.attribution, np.tensordot(weights[:, 1] / 256, r[k % 2], 1), rtol=1e-4, atol=1e-6
        )


def test_cam_and_guided_grad_cam_of_several_inputs() -> None:
    """CAM where a picture and its depth are joined before the pooling; guided backpropagation at the input looked at."""
    two = kinds_of_input.two()
    two.graph.node[2].op_type = "Relu"
    model = onnxray.open(two.SerializeToString())
    feeds = {"rgb": models.random(1, 2, 3, 16, 16), "depth": models.random(2, 2, 1, 16, 16)}
    weights = {one.name: onnx.numpy_helper.to_array(one) for one in two.graph.initializer}
    r = model.values(feeds, ["r"])["r"]
    items = CAM()(model, feeds, 1).items
    assert [item.wrt for item in items] == ["rgb", "rgb", "depth", "depth"]
    for k, item in enumerate(items):
        np.testing.assert_allclose(item.heat, np.tensordot(weights["v"][:, 1], r[k % 2], 1), rtol=1e-4, atol=1e-5)
    coarse = [item.heat for item in GradCAM(wrt="depth")(model, feeds, 1).items]
    fine = [item.attribution for item in GuidedBackpropagation(wrt="depth")(model, feeds, 1).items]
    for item, heat, slopes in zip(GuidedGradCAM(wrt="depth")(model, feeds, 1).items, coarse, fine, strict=True):
        np.testing.assert_allclose(item.attribution, heat * slopes, rtol=1e-4, atol=1e-8)
    towers = models.parse(TOWERS.format(side=16), {
        "w": models.random(0, 5, 3, 3, 3), "u": models.random(1, 6, 1, 3, 3), "v": models.random(2, 13, 4),
    })  # fmt: skip
    given = {
        "left": models.random(3, 1, 3, 16, 16),
        "right": models.random(4, 1, 1, 16, 16),
        "size": models.random(5, 1, 2),
    }
    with pytest.raises(InputError, match="CAM needs a network that ends in the mean of feature maps"):
        CAM(wrt="right")(onnxray.open(towers.SerializeToString()), given, 1)


@pytest.mark.parametrize("method", [GradCAM, GuidedGradCAM, CAM])
def test_channels_last_of_one_of_several_inputs(method: Any) -> None:
    text = """
    g (float[N,9,11,2] image, float[N,5] extra) => (float[N,5] z) {
      first = Transpose <perm = [0, 3, 1, 2]> (image)  a = Conv (first, w)  r = Relu (a)  p = GlobalAveragePool (r)
      f = Flatten (p)  s = MatMul (f, v)  z = Add (s, extra)
    }
    """
    weights = {"w": models.random(1, 6, 2, 2, 2), "v": models.random(3, 6, 5)}
    model = onnxray.open(models.parse(text, weights).SerializeToString())
    feeds = {"image": models.random(4, 1, 9, 11, 2), "extra": models.random(5, 1, 5)}
    if method is CAM:
        with pytest.raises(InputError, match="CAM needs a network"):
            CAM()(model, feeds, 2)
        return
    (item,) = method()(model, feeds, 2).items
    assert item.wrt == "image"
    features = model.values(feeds, ["r"])["r"][0]
    expected = np.tensordot(weights["v"][:, 2] / 80, features, 1)
    if method is GradCAM:
        np.testing.assert_allclose(item.attribution, expected, rtol=1e-4, atol=1e-6)
        assert item.heat.shape == (9, 11)
    else:
        assert item.attribution.shape == (9, 11, 2)
        heat = GradCAM()(model, feeds, 2).items[0].heat
        slopes = GuidedBackpropagation(wrt="image")(model, feeds, 2).items[0].attribution
        np.testing.assert_allclose(item.attribution, heat[..., None] * slopes, rtol=1e-4, atol=1e-8)
