"""PPGN: every step restated in numpy on a linear generator, encoder and classifier; what it needs; what is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import onnxray
from onnxray.errors import InputError, OnnxrayError
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.toml_form import toml_of
from onnxray.methods.synthesis.maximize import Maximize
from support import models

SIDE, LARGER, CODE, CLASSES, MEAN = 8, 10, 5, 4, 100.0
PIXELS = SIDE * SIDE
PROFILE = Profile(name="raw", layout="NCHW", channels="GREY", scale=1, mean=(MEAN,), std=(1,), size=(SIDE, SIDE))
W = models.random(1, PIXELS, CLASSES, scale=0.02)
E = models.random(2, PIXELS, CODE, scale=0.02)
G, BIAS = models.random(3, CODE, LARGER**2, scale=0.1), models.random(4, LARGER**2, scale=0.1)
CLASSIFIER = f"""
c (float[N,1,{SIDE},{SIDE}] x) => (float[N,{CLASSES}] p, float[N,{CODE}] code) {{
  flat = Flatten (x)  z = MatMul (flat, w)  p = Softmax <axis = 1> (z)  code = MatMul (flat, e)
}}"""


def classifier() -> onnxray.Model:
    return onnxray.open(models.parse(CLASSIFIER, {"w": W, "e": E}), PROFILE)


def saved(path: Path, model: onnx.ModelProto, profile: Profile | None = None) -> str:
    onnx.save(model, path)
    if profile is not None:
        path.with_suffix(".toml").write_text(toml_of(profile))
    return str(path)


@pytest.fixture
def generator(tmp_path: Path) -> str:
    text = f"""
    g (float[N,{CODE}] h) => (float[N,1,{LARGER},{LARGER}] y) {{ a = MatMul (h, w)  b = Add (a, c)  y = Reshape (b, s) }}"""
    model = models.parse(text, {"w": G, "c": BIAS})
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1, 1, LARGER, LARGER], np.int64), "s"))
    return saved(tmp_path / "g.onnx", model)


def encoder_at(path: Path, size: int = SIDE, codes: int = CODE) -> str:
    text = f"e (float[N,1,{size},{size}] x) => (float[N,{codes}] h) {{ flat = Flatten (x)  h = MatMul (flat, w) }}"
    weight = E if (size, codes) == (SIDE, CODE) else models.random(5, size * size, codes)
    profile = Profile(name="raw", layout="NCHW", channels="GREY", scale=1, mean=(MEAN,), std=(1,), size=(size, size))
    return saved(path, models.parse(text, {"w": weight}), profile)


def middle(code: np.ndarray) -> np.ndarray:
    """The generator's image in grey levels, at the classifier's size."""
    made = (code @ G.astype(np.float64) + BIAS).reshape(-1, LARGER, LARGER)[:, 1:-1, 1:-1]
    return 127.5 * (made.reshape(-1, PIXELS) + 1)


def restated(seed: int, classes: list[int], steps: int, rate: float, e1: float, e3: float) -> list[np.ndarray]:
    """Every image that PPGN goes through, each (N, PIXELS), and the last."""
    random = torch.Generator().manual_seed(int(np.random.default_rng(seed).integers(2**63)))
    h = torch.randn((len(classes), CODE), generator=random).clamp(0, 30).double().numpy()
    slope = 127.5 * G.reshape(CODE, LARGER, LARGER)[:, 1:-1, 1:-1].reshape(CODE, -1).astype(np.float64)  # dx/dh
    images = [middle(h)]
    for _ in range(steps):
        x = images[-1] - MEAN
        z = x @ W.astype(np.float64)
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        gradient = (np.eye(CLASSES)[classes] - p) @ W.T.astype(np.float64) @ slope.T
        noise = torch.randn(h.shape, generator=random).double().numpy()
        d = e1 * (x @ E.astype(np.float64) - h) + gradient + e3 * noise
        h = np.clip(h + rate * d / np.abs(d).mean(1, keepdims=True), 0, 30)
        images.append(middle(h))
    return images


@pytest.mark.parametrize(("weight", "noise"), [(1.0, 1e-17), (1e5, 0.5)])
def test_every_step_is_the_papers(generator: str, tmp_path: Path, weight: float, noise: float) -> None:
    steps, classes = 5, [2, 0, 3]
    options = {"rate": 0.02, "weight": weight, "code_noise": noise, "every": 1}
    method = Maximize(
        preset="ppgn", generator=generator, encoder=encoder_at(tmp_path / "e.onnx"), steps=steps, **options
    )
    result = method(classifier(), None, tuple(f"class:{c}" for c in classes), seed=5)
    images = restated(5, classes, steps, 0.02, 1e-5 * weight, noise)
    assert all(image.min() > 0 and image.max() < 255 for image in images)  # what is compared is not clipped
    for row, item in enumerate(result.items):
        for step in range(1, steps + 1):
            found = item.snapshots[step][0].astype(float).ravel()
            np.testing.assert_allclose(found, images[step][row], atol=0.51)
        scores = [(image[row] - MEAN) @ W.astype(np.float64) for image in images[:-1]]
        logs = [z[classes[row]] - np.log(np.exp(z - z.max()).sum()) - z.max() for z in scores]
        np.testing.assert_allclose(item.trace["objective"], logs, rtol=1e-4, atol=1e-5)


def test_the_published_constants_are_the_defaults(generator: str, tmp_path: Path) -> None:
    file = encoder_at(tmp_path / "e.onnx")
    method = Maximize(preset="ppgn", generator=generator, encoder=file, steps=3, every=1)
    item = method(classifier(), None, "class:1", seed=2).items[0]
    for step, image in enumerate(restated(2, [1], 3, 1.0, 1e-5, 1e-17)[1:], 1):
        np.testing.assert_allclose(item.snapshots[step][0].ravel(), np.rint(np.clip(image[0], 0, 255)), atol=1)


def test_the_model_itself_reads_codes_at_a_layer(generator: str, tmp_path: Path) -> None:
    options = {"preset": "ppgn", "generator": generator, "steps": 4, "rate": 0.02, "weight": 1e5}
    own = Maximize(encoder_layer="code", **options)(classifier(), None, "class:1").items[0]
    apart = Maximize(encoder=encoder_at(tmp_path / "e.onnx"), **options)(classifier(), None, "class:1").items[0]
    without = Maximize(encoder_layer="code", **{**options, "weight": 0})(classifier(), None, "class:1").items[0]
    assert own.images["image"].tobytes() == apart.images["image"].tobytes()
    assert own.images["image"].tobytes() != without.images["image"].tobytes()


def test_an_encoder_whose_profile_is_guessed_is_said(generator: str, tmp_path: Path) -> None:
    file = encoder_at(tmp_path / "e.onnx")
    Path(file).with_suffix(".toml").unlink()
    notes = Maximize(preset="ppgn", generator=generator, encoder=file, steps=1)(
        classifier(), None, "1"
    ).provenance.notes
    assert any("the encoder's profile" in note and "--encoder-profile" in note for note in notes)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "give --encoder FILE or --encoder-layer NAME"),
        ({"encoder_layer": "z"}, r"gives \[1, 4\] at 'z' for an image; \[5\], the generator's code"),
        ({"encoder_layer": "nothere"}, "no value 'nothere'"),
        ({"encoder": "large.onnx"}, r"takes images of \[1, 9, 9\]; \[1, 8, 8\]"),
        ({"encoder": "wide.onnx"}, r"gives \[1, 6\]"),
        ({"encoder": "absent.onnx"}, "absent.onnx"),
        ({"generator": None, "encoder_layer": "code"}, "belong together"),
        ({"preset": "dgn-am", "encoder_layer": "code"}, "belongs to the preset ppgn"),
    ],
)
def test_what_it_cannot_do_without_is_asked_for_in_one_line(
    generator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    encoder_at(tmp_path / "large.onnx", size=9)
    encoder_at(tmp_path / "wide.onnx", codes=6)
    given = {"preset": "ppgn", "generator": generator, "steps": 1, **options}
    with pytest.raises(OnnxrayError, match=said) as caught:
        Maximize(**given)(classifier(), None, "1")
    assert "\n" not in str(caught.value)


def test_limits_that_leave_no_room_are_refused() -> None:
    with pytest.raises(InputError, match="code_least is 40"):
        Maximize(preset="ppgn", code_least=40.0)
