"""What no synthesis can be done with is said in one line by every method of the family; a run that diverges is ended."""

from dataclasses import replace

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError, NotDifferentiable, OnnxrayError, RuntimeRefusal, UnknownValue, ZeroGradient
from onnxray.images.pixels import png_bytes
from onnxray.methods.synthesis.caricature import Caricature
from onnxray.methods.synthesis.deepdream import DeepDream
from onnxray.methods.synthesis.invert import Invert
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.methods.synthesis.style import StyleTransfer
from onnxray.methods.synthesis.texture import Texture
from support import models

TEXT = """
g (float[N,1,H,W] x) => (float[N,5] z) {
  conv = Conv (x, w)  relu = Relu (conv)  flat = Flatten (relu)  m = MatMul (flat, v)  step = Sign (conv)
  k = Exp (b)  z = Add (m, k)
}"""
WEIGHTS = {"w": models.random(0, 6, 1, 3, 3), "v": models.random(1, 864, 5), "b": models.random(2, 1, 5)}
METHODS = ("invert", "maximize", "deepdream", "caricature", "style", "texture")


def net(side: int = 14) -> onnxray.Model:
    return onnxray.open(models.parse(TEXT, WEIGHTS), replace(models.GREY, size=(side, side)))


def picture(side: int = 14) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1, 1, side, side)).astype(np.uint8)


@pytest.fixture
def run(tmp_path):
    """method, what it is after, its model -> its result."""
    style = tmp_path / "style.png"
    style.write_bytes(png_bytes(picture()[0]))

    def started(name: str, after: str, model: onnxray.Model, images: np.ndarray | None = None, steps: int = 2):
        if name == "maximize":
            return Maximize(steps=steps)(model, None, after if ":" in after else f"{after}:1")
        method = {
            "invert": lambda: Invert(layer=after, steps=steps),
            "deepdream": lambda: DeepDream(layer=after, steps=steps, octaves=1),
            "caricature": lambda: Caricature(layer=after, steps=steps),
            "style": lambda: StyleTransfer(layer=after, content_layer="conv", steps=steps, style=str(style)),
            "texture": lambda: Texture(layer=after, steps=steps),
        }[name]()
        return method(model, picture() if images is None else images)

    return started


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("after", "kinds"),
    [
        ("k", (NotDifferentiable, InputError)),  # does not depend on the input; for style, has no rows and columns
        ("step", (ZeroGradient, NotDifferentiable)),
        ("conv:99", (UnknownValue,)),
        ("nothere", (UnknownValue,)),
    ],
)
def test_a_layer_that_nothing_can_be_done_with(run, method: str, after: str, kinds: tuple) -> None:
    with pytest.raises(kinds) as caught:
        run(method, after, net())
    assert "\n" not in str(caught.value)
    assert after.split(":")[-1] in str(caught.value)


def test_no_loss_of_a_style_is_left_out_without_a_word(tmp_path) -> None:
    """The other's gradient would hide that a step function has none."""
    style = tmp_path / "style.png"
    style.write_bytes(png_bytes(picture()[0]))
    for layer, content in (("conv", "step"), (("conv", "step"), "conv")):
        with pytest.raises(ZeroGradient, match="step' gives no direction"):
            StyleTransfer(layer=layer, content_layer=content, steps=2, style=str(style))(net(), picture() // 2)


@pytest.mark.parametrize("method", METHODS)
def test_a_size_that_the_network_refuses(run, method: str) -> None:
    with pytest.raises(RuntimeRefusal) as caught:
        run(
            method, "z" if method in {"maximize", "invert", "deepdream", "caricature"} else "conv", net(20), picture(20)
        )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [0, -1, 1.5, True, float("nan")])
def test_no_steps_are_taken(run, method: str, steps: float) -> None:
    with pytest.raises(InputError, match="steps is"):
        run(method, "conv", net(), steps=steps)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_pictures_that_hold_no_finite_numbers(run, method: str) -> None:
    if method == "maximize":
        with pytest.raises(InputError, match="begins from none"):
            Maximize(steps=1)(net(), picture(), "conv:1")
        return
    with pytest.raises(OnnxrayError) as caught:
        run(method, "conv", net(), np.full((1, 1, 14, 14), np.nan, np.float32))
    assert "\n" not in str(caught.value)


def test_a_schedule_that_diverges_ends_with_its_phase_and_keeps_the_best() -> None:
    text = (
        "g (float[N,1,14,14] x) => (float[N,2] z) { f = Flatten (x)  l = MatMul (f, w)  e = Exp (l)  z = Mul (e, e) }"
    )
    weight = np.abs(models.random(0, 196, 2)) * 0.004
    model = onnxray.open(models.parse(text, {"w": weight}), replace(models.GREY, scale=1.0, mean=(127.5,), std=(1.0,)))
    (item,) = Maximize(preset="centre-bias", score="logit", rate=40.0, weight=0, steps=60)(model, None, "z:1").items
    assert item.reason is not None
    assert "diverged at step" in item.reason
    assert 0 < item.steps < 60
    assert item.trace["total"][-1] == max(item.trace["total"])
    assert np.isfinite(item.trace["total"]).all()
    assert np.isfinite(item.numbers_["activation"])
