"""Style, texture, caricature: the losses restated in numpy, their gradients by differences; what is reached; bad input."""

from pathlib import Path

import numpy as np
import pytest
import torch

import onnxray
from onnxray.errors import OnnxrayError
from onnxray.images.pixels import png_bytes
from onnxray.images.profile.profile import Profile
from onnxray.methods.synthesis.caricature import Caricature
from onnxray.methods.synthesis.style import StyleTransfer
from onnxray.methods.synthesis.texture import Texture
from onnxray.model.layers.grid import Grid, read_space
from onnxray.model.layers.scales import at_scale, scales
from onnxray.objectives.style import Content, Direction, Style, gram
from support import models

SIDE = 24
TEXT = """
net (float[N,3,24,24] x) => (float[N,3] z) {
  a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1)
  r1 = Relu (a)
  p1 = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (r1)
  b = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (p1, w2)
  r2 = Relu (b)
  p2 = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (r2)
  c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (p2, w3)
  r3 = Relu (c)
  g = GlobalAveragePool (r3)
  f = Flatten <axis = 1> (g)
  z = Gemm (f, u)
}
"""
PROFILE = Profile(
    name="p", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.5,) * 3, std=(0.25,) * 3, size=(SIDE, SIDE)
)


def net() -> onnxray.Model:
    weights = {
        "w1": models.random(0, 8, 3, 3, 3, scale=0.3), "w2": models.random(1, 12, 8, 3, 3, scale=0.2),
        "w3": models.random(2, 16, 12, 3, 3, scale=0.2), "u": models.random(3, 16, 3),
    }  # fmt: skip
    return onnxray.open(models.parse(TEXT, weights), PROFILE)


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, SIDE, SIDE)).astype(np.uint8)


def stripes() -> np.ndarray:
    return np.uint8(np.broadcast_to(127 + 120 * np.sin(np.arange(SIDE)), (3, SIDE, SIDE)))


@pytest.fixture
def striped(tmp_path: Path) -> str:
    path = tmp_path / "stripes.png"
    path.write_bytes(png_bytes(stripes()))
    return str(path)


def style_loss(values: np.ndarray, reference: np.ndarray) -> float:
    """Gatys: sum (G - A)^2 / (4 N^2 M^2) of two values (C, h, w)."""
    (f, a), (n, m) = (v.reshape(len(v), -1).astype(float) for v in (values, reference)), (len(values), values[0].size)
    return float(((f @ f.T - a @ a.T) ** 2).sum() / (4 * n**2 * m**2))


@pytest.mark.parametrize("rows", [2, 1])
def test_style_loss_is_gatys_on_either_layout(rows: int) -> None:
    maps, reference = models.random(0, 2, 5, 4, 6), models.random(1, 2, 5, 4, 6)
    layout = (0, 1, 2, 3) if rows == 2 else (0, 2, 3, 1)
    shape = tuple(maps.shape[k] for k in layout)
    grid = Grid("v", shape, rows, rows + 1, 4, 6)
    value, other = maps.transpose(layout), reference.transpose(layout)
    objective = Style(grid, np.asarray(gram(other, grid)))
    expected = [-style_loss(maps[k], reference[k]) for k in range(2)]
    assert objective.score({"v": value}, slice(0, 2)) == pytest.approx(expected, rel=1e-4)
    assert objective.score({"v": torch.from_numpy(value.copy())}, slice(0, 2)).numpy() == pytest.approx(
        expected, rel=1e-4
    )
    assert objective.rows(np.array([1])).score({"v": value[1:]}, slice(0, 1)) == pytest.approx(expected[1:], rel=1e-4)


def test_style_gradient_is_gatys_formula() -> None:
    """dE/dF = (F^T (G - A))^T / (N^2 M^2), here wherever F is, for no rectifier is counted in."""
    f, a = torch.from_numpy(models.random(0, 1, 5, 4, 6)).double().requires_grad_(), models.random(1, 1, 5, 4, 6)
    grid = Grid("v", (1, 5, 4, 6), 2, 3, 4, 6)
    objective = Style(grid, np.asarray(gram(a.astype(np.float64), grid)))
    (found,) = torch.autograd.grad(-objective.score({"v": f}, slice(0, 1)).sum(), f)
    flat, ref = f.detach().numpy().reshape(5, 24), a.reshape(5, 24).astype(float)
    expected = ((flat.T @ (flat @ flat.T - ref @ ref.T)).T / (5**2 * 24**2)).reshape(1, 5, 4, 6)
    assert np.allclose(found.numpy(), expected, rtol=1e-6)


def test_content_and_direction_are_their_formulas() -> None:
    f, p = models.random(0, 2, 5, 4, 6), models.random(1, 2, 5, 4, 6)
    half = -((f.astype(float) - p) ** 2).reshape(2, -1).sum(1) / 2
    assert Content("v", p).score({"v": f}, slice(0, 2)) == pytest.approx(half, rel=1e-5)
    inner = (f.astype(float) * p).reshape(2, -1).sum(1)
    direction = Direction("v", p.reshape(2, -1).astype(np.float64))
    assert direction.score({"v": f}, slice(0, 2)) == pytest.approx(inner, rel=1e-4)
    assert direction.score({"v": torch.from_numpy(f)}, slice(0, 2)).numpy() == pytest.approx(inner, rel=1e-4)


def test_default_layers_are_one_a_halving() -> None:
    space = read_space(net())
    assert [grid.value for grid in scales(space)] == ["r1", "r2", "r3"]
    assert at_scale(space, 1).value == "r2"
    assert at_scale(space, 9).value == "r3"


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_style_falls_and_is_measured_on_the_saved_picture(striped: str, optimizer: str) -> None:
    model = net()
    method = StyleTransfer(style=striped, layer=("r1", "r2"), content_layer="r2", steps=60, optimizer=optimizer)
    item = method(model, picture(0)[None]).items[0]
    numbers, image = item.numbers_, item.images["image"]
    for layer in ("r1", "r2"):
        values = model.values(np.stack([image, stripes()]), [layer])[layer]
        assert numbers["losses"][f"E {layer}"] == pytest.approx(style_loss(*values), rel=1e-4)
    kept = model.values(np.stack([image, picture(0)]), ["r2"])["r2"].astype(float)
    assert numbers["content loss"] == pytest.approx(((kept[0] - kept[1]) ** 2).sum() / 2, rel=1e-4)
    assert numbers["style loss left"] < 0.5
    assert item.trace["objective"][-1] > item.trace["objective"][0]


def test_weights_are_stated_in_units_of_the_references(striped: str) -> None:
    model = net()
    method = StyleTransfer(
        style=striped, layer=("r1", "r2"), content_layer="r2", steps=2, content_weight=3.0, style_weight=5.0
    )
    weights = method(model, picture(0)[None]).items[0].numbers_["weights"]
    a = model.values(stripes()[None], ["r1"])["r1"][0].reshape(8, -1).astype(float)
    size = ((a @ a.T) ** 2).sum() / (4 * 8**2 * (SIDE * SIDE) ** 2)
    p = model.values(picture(0)[None], ["r2"])["r2"].astype(float)
    assert weights["E r1"] == pytest.approx(5 / 2 / size, rel=1e-5)
    assert weights["L r2"] == pytest.approx(3 / ((p**2).sum() / 2), rel=1e-5)


def test_a_noise_start_depends_on_the_seed_alone(striped: str) -> None:
    method = StyleTransfer(style=striped, steps=6, start="noise", optimizer="adam")
    first, again, other = (method(net(), picture(0)[None], seed=s).items[0].images["image"] for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_texture_comes_near_the_moments_and_not_the_picture() -> None:
    method = Texture(layer=("r1", "r2"), steps=100, samples=2)
    items = method(net(), stripes()[None]).items
    noise = Texture(layer=("r1", "r2"), steps=2, optimizer="adam")(net(), stripes()[None]).items[0]
    for item in items:
        assert item.numbers_["relative error"] < 0.3 * noise.numbers_["relative error"]
    assert not np.array_equal(items[0].images["image"], items[1].images["image"])


def test_caricature_climbs_its_reference_from_the_picture_itself() -> None:
    model, x = net(), stripes()
    item = Caricature(layer="r2", steps=20, jitter=0, weight=1000.0)(model, x[None]).items[0]
    phi = np.maximum(model.values(x[None], ["r2"])["r2"].astype(float), 0).ravel()
    reference = phi / (phi @ phi)
    assert item.trace["objective"][0] == pytest.approx(1000, rel=1e-4)  # the weight, for <ref, phi0> is 1
    after = model.values(item.images["image"][None], ["r2"])["r2"].astype(float).ravel()
    assert reference @ after > 1.2
    centred = x.astype(float) - 127.5
    alpha = ((centred**2).sum(0) ** 3).mean() / 80.0**6
    across = np.diff(centred, axis=2, append=centred[:, :, -1:])
    down = np.diff(centred, axis=1, append=centred[:, -1:])
    assert item.trace["norm-6"][0] == pytest.approx(alpha, rel=1e-4)
    assert item.trace["total-variation-2"][0] == pytest.approx(
        (across**2 + down**2).sum() / SIDE**2 / (80 / 6.5) ** 2, rel=1e-4
    )


def test_caricatures_jitter_is_a_quarter_of_the_layers_stride() -> None:
    fixed = Caricature(layer="r3", steps=3, jitter=1)(net(), picture(0)[None], seed=2).items[0]
    found = Caricature(layer="r3", steps=3)(net(), picture(0)[None], seed=2).items[0]
    assert np.array_equal(fixed.images["image"], found.images["image"])


def test_ctrl_c_keeps_the_best_so_far(striped: str) -> None:
    def interrupt(done: int, total: int, what: str) -> None:
        assert what.startswith("objective ")
        if done == 3:
            raise KeyboardInterrupt

    for method in (StyleTransfer(style=striped, steps=50, optimizer="adam"), Caricature(layer="r2", steps=50)):
        result = method(net(), picture(0)[None], progress=interrupt, keep_partial=True)
        assert result.provenance.interrupted
        assert result.items[0].steps == 3


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (lambda p: StyleTransfer(), "no style was given"),
        (lambda p: StyleTransfer(style=p, layer="f"), "no rows and columns"),
        (lambda p: StyleTransfer(style=p, layer="nonsense"), "no value 'nonsense'"),
        (lambda p: StyleTransfer(style=p, content_weight=0, style_weight=0), "both 0"),
        (lambda p: StyleTransfer(style=p, start="middle"), "start is 'middle'"),
        (lambda p: StyleTransfer(style="missing.png"), "no such file"),
        (lambda p: StyleTransfer(style=str(Path(p).parent)), "holds 2 pictures"),
        (lambda p: Texture(layer="z"), "no rows and columns"),
        (lambda p: Texture(steps=0), "steps is 0"),
        (lambda p: Caricature(layer="r2", steps=0), "steps is 0"),
    ],
)
def test_bad_input_is_refused_in_one_line(method, said: str, striped: str) -> None:
    Path(striped).with_name("second.png").write_bytes(png_bytes(picture(1)))
    with pytest.raises(OnnxrayError) as caught:
        method(striped)(net(), picture(0)[None])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
