"""What a model is fed for images: encoded once, handed on, and never that of other pixels or of another model."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.assess.maps.check import Check
from onnxray.assess.maps.comparison import Comparison
from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import MeanImage, Profile
from onnxray.methods import GradCAM, Gradient, Invert, Maximize, Occlusion, StyleTransfer, Texture
from onnxray.methods.catalogue import family
from onnxray.methods.method import Method
from onnxray.methods.saliency.base import Saliency
from onnxray.model import encoding
from support import models

X = models.pictures(3)
COLOUR = Profile(name="p", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4),
                 size=(6, 5), resize="stretch")  # fmt: skip
PROFILES = {
    "as it is": replace(COLOUR, scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3),
    "normalised": COLOUR,
    "BGR": replace(COLOUR, channels="BGR"),
    "NHWC": replace(COLOUR, layout="NHWC"),
    "mean image": replace(COLOUR, mean=MeanImage(models.random(0, 3, 6, 5))),
}
KINDS = {"float": "float", "float16": "float16", "uint8": "uint8"}


def opened(profile: Profile, kind: str = "float") -> onnxray.Model:
    shape = "N,3,6,5" if profile.layout == "NCHW" else "N,6,5,3"
    cast = "c = Cast <to = 1> (x)"
    return onnxray.open(
        models.parse(f"g ({kind}[{shape}] x) => (float[{shape}] y) {{ {cast} y = Relu (c) }}", opset=19), profile
    )


def lenet() -> onnxray.Model:
    return onnxray.open(models.lenet(), models.GREY)


class Encodings:
    """How often each image that is watched was encoded for the judge, whatever it stood among."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, images: np.ndarray) -> None:
        self.images, self.count = images, Counter[int]()
        encode = Profile.encode

        def watched(profile: Profile, pixels: Any) -> Any:
            if isinstance(pixels, np.ndarray):
                for place, image in enumerate(self.images):
                    self.count[place] += sum(np.array_equal(one, image) for one in pixels)
            return encode(profile, pixels)

        monkeypatch.setattr(Profile, "encode", watched)


# --- the value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("named", PROFILES)
def test_an_encoding_is_what_the_pixels_are_fed_as_and_so_are_its_rows(named: str, kind: str) -> None:
    profile = PROFILES[named]
    if kind == "uint8":
        profile = replace(profile, scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)
    model = opened(profile, KINDS[kind])
    array = np.random.default_rng(0).uniform(0, 255, (5, 3, 6, 5)).astype(np.float32)
    encoded = model.encoded(array)
    for part, index in ((encoded, np.arange(5)), (encoded.rows(slice(1, 4)), np.arange(1, 4)),
                        (encoded.rows(np.array([3, 0, 3])), np.array([3, 0, 3]))):  # fmt: skip
        np.testing.assert_array_equal(part.array, array[index])
        fed, expected = model.feeds(part)["x"], model.feeds(array[index])["x"]
        assert fed.dtype == expected.dtype
        np.testing.assert_array_equal(fed, expected)
        np.testing.assert_array_equal(model.values(part, ["y"])["y"], model.values(array[index], ["y"])["y"])


def test_samples_that_are_no_images_too() -> None:
    model = onnxray.open(models.parse("g (float16[N,4] x) => (float16[N,4] y) { y = Relu (x) }"))
    x = models.random(0, 3, 4)
    encoded = model.encoded(x)
    assert encoded.plain
    np.testing.assert_array_equal(model.feeds(encoded.rows(np.array([2])))["x"], x[2:].astype(np.float16))


def test_it_is_never_that_of_other_pixels() -> None:
    model, array = opened(COLOUR), np.full((2, 3, 6, 5), 100, np.float32)
    pixels = Pixels.of(array)
    encoded, expected = model.encoded(pixels), model.feeds(array)["x"]
    array[:] = 7  # whoever gave the array may change it
    np.testing.assert_array_equal(encoded.array, np.full_like(array, 100))
    np.testing.assert_array_equal(model.feeds(encoded)["x"], expected)
    with pytest.raises(ValueError, match="read-only"):
        model.feeds(encoded)["x"][0] = 0
    np.testing.assert_array_equal(model.feeds(encoded.replaced(array))["x"], model.feeds(array)["x"])
    with pytest.raises(ValueError, match="of_them"):
        replace(encoded, array=array)


def test_another_model_encodes_anew() -> None:
    array = np.random.default_rng(0).uniform(0, 255, (2, 3, 6, 5)).astype(np.float32)
    encoded = opened(COLOUR).encoded(array)
    for other in (opened(PROFILES["BGR"]), opened(COLOUR, "float16")):
        fed = other.feeds(encoded)["x"]
        np.testing.assert_array_equal(fed, other.feeds(array)["x"])
        assert other.encoded(encoded).encoder == other.encoder
        np.testing.assert_array_equal(other.feeds(other.encoded(encoded))["x"], fed)
    again = opened(COLOUR)
    assert again.encoded(encoded) is encoded


def test_what_cannot_be_fed_cannot_be_encoded() -> None:
    with pytest.raises(InputError, match="200000.* float16 takes 0 and sizes from"):
        opened(replace(PROFILES["as it is"], scale=1000.0), "float16").encoded(np.full((1, 3, 6, 5), 200, np.float32))


# --- one encoding an image


def test_all_that_is_asked_of_encoded_images_takes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    model = lenet()
    seen = Encodings(monkeypatch, X)
    images = model.encoded(X)
    model.predict(images, scores=True)
    model.verdict(images)
    model.classify(images)
    model.values(images, ["conv1"])
    model.values(images.rows(slice(1, 2)), ["ip1", "relu2"])
    assert seen.count == {0: 1, 1: 1, 2: 1}


OPTIONS = {"rise": {"masks": 20}}
ATTENDING = {"attention-rollout"}
SAMPLED = {"lime", "kernel-shap"}
"""Those that feed the whole image as one of their samples, too."""


@pytest.mark.parametrize("name", sorted(set(family(Saliency)) - ATTENDING - {"cam"}))  # type: ignore[type-abstract]
@pytest.mark.parametrize("target", [None, "ip1:3"])
def test_a_map_encodes_its_image_once(name: str, target: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    model = lenet()
    method = family(Saliency)[name](**OPTIONS.get(name, {}))  # type: ignore[type-abstract]
    method(model, X[:1], target)  # the check of the twin is over
    seen = Encodings(monkeypatch, X[:1])
    method(model, X[:1], target)
    assert seen.count == {0: 2 if name in SAMPLED else 1}


OTHERS: dict[str, tuple[Method[Any], Any]] = {
    "compare": (Comparison(methods=(Gradient(), GradCAM(), Occlusion())), None),
    "check": (Check(method=GradCAM(), noise_copies=0, weights="none"), None),
}


@pytest.mark.parametrize("name", OTHERS)
def test_so_do_comparisons_and_checks_of_maps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method, goal = OTHERS[name]
    method = replace(method, curve_steps=0)  # type: ignore[type-var]
    model = lenet()
    method(model, X[:2], goal)
    seen = Encodings(monkeypatch, X[:2])
    method(model, X[:2], goal)
    assert seen.count == {0: 1, 1: 1}


SYNTHESES: dict[str, tuple[Method[Any], Any]] = {
    "maximize": (Maximize(steps=2), ("ip2:0", "ip2:1")),
    "invert": (Invert(layer="ip1", steps=2, samples=2), None),
    "texture": (Texture(layer="relu1", steps=2), None),
    "style": (StyleTransfer(layer="relu1", content_layer="relu1", steps=2), None),
}


@pytest.mark.parametrize("name", SYNTHESES)
def test_a_picture_that_was_made_is_encoded_once(name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    method, goal = SYNTHESES[name]
    if name == "style":
        from onnxray.images.pixels import save_png

        save_png(tmp_path / "style.png", X[2].astype(np.uint8))
        method = replace(method, style=str(tmp_path / "style.png"))  # type: ignore[type-var]
    model, images = lenet(), None if name == "maximize" else X[1:2]
    made = [item.images["image"] for item in method(model, images, goal).items]
    seen = Encodings(monkeypatch, np.stack(made).astype(np.float32))
    method(model, images, goal)
    assert seen.count == dict.fromkeys(range(len(made)), 1)


def test_images_of_a_verification_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, reads = lenet(), list[object]()
    read = encoding.read_images
    monkeypatch.setattr(encoding, "read_images", lambda *args, **more: reads.append(args) or read(*args, **more))
    assert model.verify(X[:2]).agrees
    assert len(reads) == 1


def test_the_warning_of_arrays_in_0_to_1_points_at_whoever_gave_them() -> None:
    with pytest.warns(UserWarning, match=r"image 0: values in \[0, 1\]") as caught:
        lenet().pixels(X / 255)
    assert [warning.filename for warning in caught] == [__file__]
