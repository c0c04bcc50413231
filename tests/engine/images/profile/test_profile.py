"""The profile: its formula restated, its inverse, its gradient and everything it refuses."""

import dataclasses
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from onnxray.errors import InputError, ProfileError
from onnxray.images.profile.families import FAMILIES
from onnxray.images.profile.mean_image import MeanImage
from onnxray.images.profile.profile import Profile
from support.graph_facts import graph_facts
from support.profiles import PLAIN


def graph(shape: tuple[int | str | None, ...] | None) -> Any:
    value = SimpleNamespace(name="x", shape=shape, dtype="float32")
    return graph_facts(path=None, inputs=(value,), producer="", metadata={}, logits="ip2", features="ip1")


def pixels(channels: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(3).uniform(0, 255, (2, channels, 4, 5)).astype(dtype)


def caffe(x: np.ndarray) -> np.ndarray:
    return x[:, [2, 1, 0]] - np.array([104, 117, 123]).reshape(3, 1, 1)


def vgg_face(x: np.ndarray) -> np.ndarray:
    return x[:, [2, 1, 0]] - np.array([93.5940, 104.7624, 129.1863]).reshape(3, 1, 1)


def torchvision(x: np.ndarray) -> np.ndarray:
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return (x / 255 - mean.reshape(3, 1, 1)) / std.reshape(3, 1, 1)


COLOUR: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "caffe-imagenet": caffe,
    "vgg-face": vgg_face,
    "torchvision": torchvision,
    "timm-half": lambda x: (x / 255 - 0.5) / 0.5,
    "tensorflow": lambda x: x / 127.5 - 1,
    "unit": lambda x: x / 255,
    "raw": lambda x: x,
}


def test_every_family_is_restated_here() -> None:
    assert set(FAMILIES) == {*COLOUR, "lenet"}


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("name", COLOUR)
def test_family_is_its_formula_for_numpy_and_torch(name: str, layout: str) -> None:
    profile = FAMILIES[name].complete(graph(("N", 3, 4, 5) if layout == "NCHW" else ("N", 4, 5, 3)), source="test")
    assert (profile.layout, profile.size) == (layout, (4, 5))
    x = pixels(3)
    expected = COLOUR[name](x.astype(np.float64))
    if layout == "NHWC":
        expected = expected.transpose(0, 2, 3, 1)
    encoded = profile.encode(x)
    assert encoded.dtype == np.float32
    assert encoded.flags.c_contiguous
    np.testing.assert_allclose(encoded, expected, rtol=1e-5, atol=3e-6)
    assert np.array_equal(profile.encode(torch.from_numpy(x)).numpy(), encoded)


def test_lenet_is_grey_over_256() -> None:
    profile = FAMILIES["lenet"].complete(graph(("N", 1, "h", "w")), source="test")
    assert (profile.channels, profile.size, profile.resize) == ("GREY", (28, 28), "stretch")
    x = pixels(1)
    assert np.array_equal(profile.encode(x), x / 256)


def test_subtraction_alone_is_exact() -> None:
    profile = FAMILIES["caffe-imagenet"].complete(graph((1, 3, 4, 5)), source="test")
    x = pixels(3)
    assert np.array_equal(profile.encode(x), x[:, ::-1] - np.float32([104, 117, 123]).reshape(3, 1, 1))


def test_raw_returns_the_pixels_themselves() -> None:
    profile = Profile(**PLAIN)
    x, t = pixels(3), torch.from_numpy(pixels(3))
    assert profile.encode(x) is x
    assert profile.encode(t) is t


def test_families_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        FAMILIES["unit"] = FAMILIES["raw"]  # type: ignore[index]


def test_colour_family_on_a_grey_model_averages_and_says_so() -> None:
    profile = FAMILIES["torchvision"].complete(graph(("N", 1, 32, 32)), source="option torchvision")
    assert profile.channels == "GREY"
    assert profile.mean == (pytest.approx((0.485 + 0.456 + 0.406) / 3),)
    assert profile.std == (pytest.approx((0.229 + 0.224 + 0.225) / 3),)
    assert any("averaged" in reason for reason in profile.reasons)
    plain = FAMILIES["unit"].complete(graph(("N", 1, 32, 32)), source="option unit")
    assert (plain.channels, plain.mean, plain.std) == ("GREY", (0.0,), (1.0,))
    assert not any("averaged" in reason for reason in plain.reasons)


def test_family_takes_logits_and_features_from_the_graph() -> None:
    profile = FAMILIES["unit"].complete(graph(("N", 3, 32, 32)), source="option unit")
    assert (profile.logits, profile.features) == ("ip2", "ip1")


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", ["RGB", "BGR", "GREY"])
def test_decode_inverts_encode(channels: str, layout: str, dtype: type) -> None:
    count = 1 if channels == "GREY" else 3
    mean, std = (7.0, 2.0, -3.0)[:count], (3.0, 0.5, 9.0)[:count]
    profile = Profile(**PLAIN | {"channels": channels, "layout": layout, "mean": mean, "std": std, "scale": 0.3})
    x = pixels(count, dtype)
    back = profile.decode(profile.encode(x))
    assert back.dtype == dtype
    np.testing.assert_allclose(back, x, atol=1e-10 if dtype is np.float64 else 2e-4)
    whole = np.rint(x)
    assert np.array_equal(np.rint(profile.decode(profile.encode(whole))), whole)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_gradient_is_scale_over_std_in_the_order_of_the_pixels(layout: str) -> None:
    std = (2.0, 3.0, 5.0)
    profile = Profile(**PLAIN | {"channels": "BGR", "layout": layout, "scale": 0.25, "mean": (1, 2, 3), "std": std})
    x = torch.from_numpy(pixels(3, np.float64)).requires_grad_()
    encoded = profile.encode(x)
    cotangent = torch.from_numpy(np.random.default_rng(5).normal(size=tuple(encoded.shape)))
    (gradient,) = torch.autograd.grad(encoded, x, cotangent)
    by_channel = cotangent if layout == "NCHW" else cotangent.permute(0, 3, 1, 2)
    expected = torch.stack([0.25 / std[2 - c] * by_channel[:, 2 - c] for c in range(3)], dim=1)
    assert gradient.dtype == torch.float64
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=0)
    assert torch.autograd.gradcheck(profile.encode, (x,))


def test_mean_image_is_subtracted_pixel_by_pixel() -> None:
    mean = np.random.default_rng(1).uniform(0, 200, (3, 4, 5))
    profile = Profile(**PLAIN | {"channels": "BGR", "mean": MeanImage(mean), "std": (1, 2, 4)})
    x = pixels(3)
    expected = (x.astype(np.float64)[:, ::-1] - mean) / np.array([1, 2, 4]).reshape(3, 1, 1)
    np.testing.assert_allclose(profile.encode(x), expected, atol=1e-4)
    assert np.array_equal(profile.encode(torch.from_numpy(x)).numpy(), profile.encode(x))
    np.testing.assert_allclose(profile.decode(profile.encode(x)), x, atol=1e-4)
    np.testing.assert_allclose(profile.mean_colour, mean.mean((1, 2))[::-1])
    with pytest.raises(InputError, match=r"\(6, 7\); the mean image of the profile asks for \(4, 5\)"):
        profile.encode(np.zeros((1, 3, 6, 7), np.float32))


def test_mean_image_is_a_value() -> None:
    array = np.ones((3, 4, 5))
    one, same, other = MeanImage(array), MeanImage(array, "elsewhere.npy"), MeanImage(array * 2)
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != array.tobytes()
    array[:] = 9
    assert one.array.max() == 1
    with pytest.raises(ValueError, match="read-only"):
        one.array[:] = 9
    assert Profile(**PLAIN | {"mean": one}) == Profile(**PLAIN | {"mean": same})


@pytest.mark.parametrize("array", [np.ones((4, 5)), np.full((3, 4, 5), np.nan)])
def test_mean_image_refuses(array: np.ndarray) -> None:
    with pytest.raises(ProfileError, match="finite numbers of shape"):
        MeanImage(array)


def test_mean_colour_is_what_encodes_to_zero() -> None:
    profile = FAMILIES["torchvision"].complete(graph((1, 3, 4, 5)), source="test")
    colour = np.array(profile.mean_colour).reshape(1, 3, 1, 1)
    np.testing.assert_allclose(profile.encode(colour), 0, atol=1e-12)
    assert FAMILIES["caffe-imagenet"].complete(graph((1, 3, 4, 5)), source="test").mean_colour == (123.0, 117.0, 104.0)
    assert Profile(**PLAIN | {"mean": (-20.0, 300.0, 5.0)}).mean_colour == (0.0, 255.0, 5.0)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((1, 3, 4, 5), np.uint8),
        np.zeros((3, 4, 5), np.float32),
        np.zeros((1, 1, 4, 5), np.float32),
        torch.zeros((1, 3, 4, 5), dtype=torch.int64),
        torch.zeros((1, 4, 4, 5)),
    ],
)
def test_encode_refuses_what_is_no_pixels(bad: Any) -> None:
    with pytest.raises(InputError, match=r"expected floats of shape \(N, 3, height, width\)"):
        Profile(**PLAIN).encode(bad)


def test_decode_refuses_another_layout() -> None:
    with pytest.raises(InputError, match="expected floats in the layout NHWC with 3 channels"):
        Profile(**PLAIN | {"layout": "NHWC"}).decode(np.zeros((1, 3, 4, 5), np.float32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "CHWN"}, "layout is 'CHWN'; expected one of NCHW, NHWC"),
        ({"channels": "RGBA"}, "channels is 'RGBA'; expected one of RGB, BGR, GREY"),
        ({"resize": "squash"}, "resize is 'squash'; expected one of stretch, crop, pad"),
        ({"interpolation": 2}, "interpolation is 2; expected one of nearest"),
        ({"scale": 0}, "scale is 0.0; expected a number other than 0"),
        ({"scale": float("nan")}, "scale is nan; expected a finite number"),
        ({"scale": 10**400}, "expected a finite number"),
        ({"scale": "1"}, "scale is '1'; expected a number"),
        ({"scale": True}, "scale is True; expected a number"),
        ({"mean": (1.0,)}, "mean is (1.0,); expected a list of 3 numbers"),
        ({"mean": 1.0}, "mean is 1.0; expected a list of 3 numbers"),
        ({"mean": (1, "a", 2)}, "mean is 'a'; expected a number"),
        ({"mean": (1, float("inf"), 2)}, "mean is inf; expected a finite number"),
        ({"mean": MeanImage(np.ones((3, 5, 4)))}, "mean is an image of shape (3, 5, 4); expected (3, 4, 5)"),
        ({"std": (1.0, 0.0, 1.0)}, "std is [1.0, 0.0, 1.0]; expected no zero among them"),
        ({"std": (1.0, 5e-324, 1.0)}, "std is [1.0, 5e-324, 1.0]; expected no zero among them"),
        ({"crop_fraction": 5e-324}, "crop_fraction is 5e-324; expected a number from 0.01 to 1"),
        ({"std": (1.0, 1.0)}, "std is (1.0, 1.0); expected a list of 3 numbers"),
        ({"size": (0, 5)}, "size is (0, 5); expected [height, width], two whole numbers from 1"),
        ({"size": (4.0, 5)}, "size is (4.0, 5); expected [height, width]"),
        ({"size": 4}, "size is 4; expected [height, width]"),
        ({"size": (4, 5, 6)}, "size is (4, 5, 6); expected [height, width]"),
        ({"size": (4, 10**6)}, "two whole numbers from 1 to 16384"),
        ({"crop_fraction": 0}, "crop_fraction is 0.0; expected a number from 0.01 to 1"),
        ({"crop_fraction": 1.5}, "crop_fraction is 1.5; expected a number from 0.01 to 1"),
        ({"range": (0, 1)}, "range is (0, 1); expected [0, 255]"),
        ({"labels": ()}, "labels is (); expected a list of class names"),
        ({"labels": "cat"}, "labels is 'cat'; expected a list of class names"),
        ({"labels": ("cat", 3)}, "labels is 3; expected text"),
        ({"labels": ("\ud800",)}, "expected text that can be written as UTF-8"),
        ({"logits": 3}, "logits is 3; expected text"),
        ({"features": ""}, "features is ''; expected text"),
        ({"name": ""}, "name is ''; expected text"),
    ],
)
def test_profile_refuses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(message)) as caught:
        Profile(**PLAIN | change)
    assert "(given)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_profile_is_a_hashable_frozen_value() -> None:
    profile = Profile(**PLAIN | {"mean": [1, 2, 3], "size": [4, 5], "labels": ["a"]})
    assert profile == Profile(**PLAIN | {"mean": (1.0, 2.0, 3.0), "labels": ("a",)})
    assert len({profile, dataclasses.replace(profile)}) == 1
    assert (profile.shape, profile.channel_count) == ((3, 4, 5), 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        profile.scale = 2  # type: ignore[misc]


def test_to_dict_is_plain() -> None:
    profile = Profile(**PLAIN | {"labels": ("a", "b"), "assumed": True, "reasons": ["because"]})
    told = profile.to_dict()
    assert set(told) == {field.name for field in dataclasses.fields(Profile)} - {"head", "labels_assumed"}
    assert told["labels"] == 2
    assert (told["mean"], told["size"], told["range"]) == ([0.0, 0.0, 0.0], [4, 5], [0.0, 255.0])
    assert (told["assumed"], told["reasons"], told["source"]) == (True, ["because"], "given")
    image = MeanImage(np.ones((3, 4, 5)), "mean.npy")
    told = Profile(**PLAIN | {"mean": image}).to_dict()
    assert told["mean"] == {"path": "mean.npy", "sha256": image.sha256, "shape": [3, 4, 5]}
