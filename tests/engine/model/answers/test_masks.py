"""The class at each place is the file's own, and shares are parts of the places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import ProfileError
from onnxray.images.profile.profile import Profile
from support import models

PROFILE = Profile(name="unit", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0,) * 3, std=(1,) * 3, size=(8, 8))
X = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8), dtype=np.uint8)
WEIGHTS = {"k": models.random(0, 4, 3, 1, 1), "k1": models.random(1, 1, 3, 1, 1)}
ENDS = {
    "softmax": ("c = Conv (x, k) y = Softmax <axis = 1> (c)", "float[N,4,8,8] y"),
    "channels last": ("c = Conv (x, k) t = Transpose <perm = [0, 2, 3, 1]> (c) y = Softmax (t)", "float[N,8,8,4] y"),
    "classes": ("c = Conv (x, k) y = ArgMax <axis = 1, keepdims = 0> (c)", "int64[N,8,8] y"),
    "classes, an axis kept": ("c = Conv (x, k) y = ArgMax <axis = 1> (c)", "int64[N,1,8,8] y"),
    "bare": (
        "c = Conv (x, k) s = Constant <value_floats = [1.0, 1.0, 1.0, 1.0]> () y = Resize (c, , s)", "float[N,4,8,8] y",
    ),
}  # fmt: skip


def segmenter(name: str) -> onnx.ModelProto:
    nodes, outputs = ENDS[name]
    return models.parse(f"g (float[N,3,8,8] x) => ({outputs}) {{ {nodes} }}", {"k": WEIGHTS["k"]})


@pytest.mark.parametrize("name", ENDS)
def test_the_class_that_wins_at_each_place(name: str) -> None:
    proto = segmenter(name)
    (scores,) = models.run(proto, {"x": (X / 255).astype(np.float32)}, ["c"])
    labels = ("sky", "road", "car", "tree")
    found = onnxray.open(proto, replace(PROFILE, labels=labels)).predict(X)
    np.testing.assert_array_equal(found.classes, scores.argmax(1))
    for k in range(2):
        shares = [(scores[k].argmax(0) == c).mean() for c in range(4)]
        np.testing.assert_allclose(found.shares[k], shares)
        best = int(np.argmax(shares))
        assert found.describe(k).startswith(f"{labels[best]} {shares[best]:.1%}")
        assert found.numbers(k)["size"] == [8, 8]
    assert onnxray.open(proto, PROFILE).verdict(X) is None


@pytest.mark.parametrize("closed", [True, False])
def test_one_number_a_place(closed: bool) -> None:
    nodes = "mask = Conv (x, k1)" if not closed else "c = Conv (x, k1) mask = Sigmoid (c)"
    proto = models.parse(f"g (float[N,3,8,8] x) => (float[N,1,8,8] mask) {{ {nodes} }}", {"k1": WEIGHTS["k1"]})
    found = onnxray.open(proto, PROFILE).predict(X)
    (given,) = models.run(proto, {"x": (X / 255).astype(np.float32)})
    inside = given[:, 0] > (0.5 if closed else 0)
    np.testing.assert_array_equal(found.classes, inside)
    np.testing.assert_allclose(found.shares[:, 1], inside.reshape(2, -1).mean(1))


def test_sigmoids_each_by_itself() -> None:
    text = "g (float[N,3,8,8] x) => (float[N,4,8,8] y) { c = Conv (x, k) y = Sigmoid (c) }"
    proto = models.parse(text, {"k": WEIGHTS["k"]})
    found = onnxray.open(proto, PROFILE).predict(X)
    (given,) = models.run(proto, {"x": (X / 255).astype(np.float32)})
    np.testing.assert_allclose(found.shares, (given > 0.5).reshape(2, 4, -1).mean(2))
    np.testing.assert_array_equal(found.classes, np.where(given.max(1) > 0.5, given.argmax(1), -1))


def test_labels_that_are_not_one_a_class_are_refused() -> None:
    with pytest.raises(ProfileError, match="3 labels are stated and output 'y' gives 4 classes"):
        onnxray.open(segmenter("softmax"), replace(PROFILE, labels=("a", "b", "c"))).predict(X)
