"""Attacks and evaluations of files as they ship: quantised, float16, channels last, a fixed batch, grey, more outputs.

What an attack says of its picture, ONNX Runtime says of the saved one, asked directly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from onnxray.images.profile.profile import Profile
from onnxray.methods.attack.decision.noise import Noise
from onnxray.methods.attack.gradient.fgsm import FGSM
from onnxray.methods.attack.gradient.pgd import PGD
from support import models, quantised

SIDE = 6
TEXT = "g ({kind}[{batch},{shape}] x) => ({kind}[{batch},4] y{more}) {{ f = Flatten (x) h = MatMul (f, w) r = Tanh (h) y = MatMul (r, v) }}"


def plain(**changed: Any) -> onnx.ModelProto:
    stated = {
        "kind": "float",
        "batch": "N",
        "shape": f"3,{SIDE},{SIDE}",
        "more": "",
        "numbers": 3 * SIDE * SIDE,
        **changed,
    }
    kind = np.float16 if stated["kind"] == "float16" else np.float32
    weights = {"w": models.random(0, stated.pop("numbers"), 16, scale=0.4), "v": models.random(1, 16, 4)}
    return models.parse(TEXT.format(**stated), {name: array.astype(kind) for name, array in weights.items()})


def profile(channels: Any = "RGB", layout: Any = "NCHW", side: int = SIDE) -> Profile:
    count = 1 if channels == "GREY" else 3
    return Profile(
        name="unit", layout=layout, channels=channels, scale=1 / 255, mean=(0.5,) * count, std=(0.5,) * count,
        size=(side, side),
    )  # fmt: skip


FILES: dict[str, tuple[onnx.ModelProto, Profile]] = {
    "QDQ": (quantised.twin_network(), models.GREY),
    "QOperator": (quantised.whole_network(), models.GREY),
    "float16": (plain(kind="float16"), profile()),
    "channels last": (plain(shape=f"{SIDE},{SIDE},3"), profile(layout="NHWC")),
    "batch of one": (plain(batch="1"), profile()),
    "batch of two": (plain(batch="2"), profile()),
    "grey": (plain(shape=f"1,{SIDE},{SIDE}", numbers=SIDE * SIDE), profile("GREY")),
    "two outputs": (plain(more=", float[N,16] r"), profile()),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_what_is_said_of_a_saved_picture_is_the_runtimes_word(name: str) -> None:
    proto, own = FILES[name]
    output = "y=logits" if name in {"QDQ", "QOperator"} or "outputs" in name else None
    model = onnxray.open(proto.SerializeToString(), own, output=output)
    images = np.random.default_rng(3).integers(40, 216, (3, *own.shape)).astype(np.float32)
    session, batch = models.session(proto), proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1
    kind = np.float16 if name == "float16" else np.float32

    def classes(pixels: Any) -> int:
        fed = np.repeat(own.encode(pixels[None].astype(np.float32)), batch, axis=0).astype(kind)
        return int(session.run(["y"], {"x": fed})[0][0].argmax())

    for method in (PGD(eps=60.0, steps=12, loss="margin"), Noise(eps=90.0, draws=20)):
        for item, image in zip(method(model, images).items, images):
            assert item.origin.class_ == classes(image)
            assert item.judged.class_ == classes(item.images["image"])
            assert item.success == (item.judged.class_ != item.origin.class_)
            assert item.linf <= method.eps
    result = RobustnessEvaluation(eps="20,60", attacks="fmn,pgd", trust_images=0)(model, images)
    assert any(item.smallest is not None for item in result.items)
    for item in result.items:
        if item.smallest is not None:
            saved = item.images["image"].astype(float)
            assert classes(item.images["image"]) != item.true
            assert np.abs(saved - item.images["origin"]).max() == item.smallest


def test_rounded_probabilities_are_attacked_by_their_logits() -> None:
    """Quantised to 1/16 most are zero, and so is the own class's once it is left: cross-entropy is that of the logits."""
    text = TEXT.format(kind="float", batch="N", shape=f"3,{SIDE},{SIDE}", more="").replace("[N,4] y)", "[N,4] p)")
    text = text.replace(
        " }", " s = Softmax (y) q = QuantizeLinear (s, step, none) p = DequantizeLinear (q, step, none) }"
    )
    weights = {
        "w": models.random(0, 108, 16, scale=0.4), "v": models.random(1, 16, 4, scale=3.0), "step": np.float32(1 / 16),
        "none": np.uint8(0),
    }  # fmt: skip
    rounded = onnxray.open(models.parse(text, weights).SerializeToString(), profile())
    images = np.random.default_rng(3).integers(40, 216, (3, 3, SIDE, SIDE)).astype(np.float32)
    assert (rounded.predict_classes(images).probabilities == 0).any()
    plain_weights = {name: weights[name] for name in ("w", "v")}
    smooth = onnxray.open(
        models.parse(TEXT.format(kind="float", batch="N", shape=f"3,{SIDE},{SIDE}", more=""), plain_weights)
        .SerializeToString(), profile(), output="y=logits",
    )  # fmt: skip
    for ours, other in zip(*(FGSM(eps=20.0)(model, images).items for model in (rounded, smooth))):
        np.testing.assert_array_equal(ours.images["image"], other.images["image"])
    found = PGD(eps=80.0, steps=20)(rounded, images).items
    assert any(item.success for item in found)
