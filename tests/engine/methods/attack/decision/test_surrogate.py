"""A surrogate of the bundled LeNet, and of a file without gradients: what it has learned, and what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import onnxray
from onnxray.errors import InputError
from onnxray.images.eight_bits import to_uint8
from onnxray.methods.attack.base import generators_of
from onnxray.methods.attack.decision.surrogate import Surrogate, altered
from onnxray.methods.attack.decision.surrogate_training import profile_of, trained
from onnxray.methods.run import silent
from support import models
from support.paths import ROOT

SAMPLES = ROOT / "models" / "onnxray_models" / "lenet" / "samples"
DIGITS = [str(SAMPLES / f"{digit}_0.png") for digit in range(10)]


@pytest.fixture(scope="module")
def lenet() -> Any:
    return onnxray.open("lenet")


@pytest.fixture(scope="module")
def result(lenet: Any) -> Any:
    method = Surrogate(train=str(SAMPLES), copies=8, epochs=10, of="mifgsm", setting="eps=120")
    return method(lenet, DIGITS)


def test_it_learns_the_models_answers_and_fools_it(lenet: Any, result: Any) -> None:
    said = lenet.predict_classes(np.stack([item.images["image"] for item in result.items])).classes
    for digit, item in enumerate(result.items):
        assert item.success == (said[digit] != item.origin.class_)
        assert item.linf <= 120
    assert sum(item.success for item in result.items) >= 4
    told = result.items[0].numbers_
    assert told["training_pictures"] == 80
    assert told["held_out"] == 20
    assert told["training_passes"] == 80 * 9 + 20
    assert told["agreement"] >= 0.7


def test_agreement_is_that_on_what_was_held_out(lenet: Any, result: Any) -> None:
    """The training done again: the same draws, the same network, asked about the fifth that was not shown to it."""
    given = to_uint8(lenet.pixels([str(SAMPLES)]).array)
    (random,) = generators_of(given[None], 0)
    order = random.permutation(len(given))
    held, kept = given[order[:20]], given[order[20:]]
    images = np.concatenate([kept, *(altered(kept, random) for _ in range(8))])
    answers = lenet.predict_classes(images).probabilities
    proto = trained(images, answers, width=32, epochs=10, random=random, progress=silent)
    surrogate = onnxray.open(proto, profile_of((1, 28, 28)))
    same = surrogate.predict(held).classes == lenet.predict(held).classes
    assert result.items[0].numbers_["agreement"] == pytest.approx(same.mean())


def test_altered_copies_are_moved_pictures() -> None:
    """Without contrast and noise to speak of: each is the picture, moved by a tenth at most, its edge repeated."""
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 20, 30)).astype(np.uint8)
    found = altered(images, np.random.default_rng(1))
    assert found.shape == images.shape
    for own, copy in zip(images, found):
        best = 0.0
        padded = np.pad(own, ((0, 0), (2, 2), (3, 3)), mode="edge")
        for top in range(5):
            for left in range(7):
                window = padded[:, top : top + 20, left : left + 30]
                best = max(best, float(np.corrcoef(window.ravel(), copy.ravel())[0, 1]))
        assert best > 0.95


def test_labels_are_learned_too_and_images_of_colour(tmp_path: Path) -> None:
    """A file whose gradient is zero throughout: its answers are those of a step function."""
    text = """
    g (float[N,3,16,16] x) => (float[N,3] y) {
      m = GlobalAveragePool (x)
      f = Flatten (m)
      h = MatMul (f, w)
      y = Round (h)
    }"""
    weights = {"w": (40 * np.eye(3)).astype(np.float32)}
    model = onnxray.open(models.parse(text, weights), profile_of((3, 16, 16)), output="y=logits")
    random = np.random.default_rng(3)
    images = random.integers(60, 196, (40, 3, 1, 1)) + random.integers(-20, 20, (40, 3, 16, 16))
    for k, image in enumerate(images.astype(np.uint8)):
        Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(tmp_path / f"{k}.png")
    method = Surrogate(train=str(tmp_path), answers="labels", copies=4, epochs=30, width=8, setting="eps=60")
    items = method(model, images[:6].astype(np.float32)).items
    assert items[0].numbers_["agreement"] >= 0.6
    assert sum(item.success for item in items) >= 3


def brightest(tmp_path: Path) -> tuple[Any, Any]:
    """A file that names the brightest colour of a picture and says no more, and pictures of it."""
    text = """
    g (float[N,3,16,16] x) => (int64[N] label) {
      m = GlobalAveragePool (x)
      f = Flatten (m)
      label = ArgMax <axis = 1, keepdims = 0> (f)
    }"""
    random = np.random.default_rng(3)
    images = random.integers(60, 196, (40, 3, 1, 1)) + random.integers(-20, 20, (40, 3, 16, 16))
    for k, image in enumerate(images.astype(np.uint8)):
        Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(tmp_path / f"{k}.png")
    return onnxray.open(models.parse(text), profile_of((3, 16, 16))), images.astype(np.float32)


def test_a_file_that_gives_labels_alone_is_learned(tmp_path: Path) -> None:
    """The label is the brightest of three colours: the judge's word decides, and the figure is that of the held out."""
    model, images = brightest(tmp_path)
    assert model.head.kind == "labels"
    method = Surrogate(train=str(tmp_path), copies=4, epochs=30, width=8, setting="eps=60")
    items = method(model, images[:6]).items
    assert items[0].numbers_["agreement"] >= 0.6
    assert sum(item.success for item in items) >= 3
    for item, image in zip(items, images):
        most = int(item.images["image"].mean((1, 2)).argmax())
        assert item.success == (most != int(image.mean((1, 2)).argmax()))
        assert item.judged.label == str(most)
    two = [int(image.mean((1, 2)).argmax()) for image in images[:2]]
    wanted = [str((one + 1) % 3) for one in two]
    towards = method(model, images[:2], wanted).items
    assert [item.goal for item in towards] == wanted


def test_labels_that_were_never_met_are_refused(tmp_path: Path) -> None:
    model, images = brightest(tmp_path)
    with pytest.raises(InputError, match="the surrogate has not met the label '7'; it knows '0', '1', '2'"):
        Surrogate(train=str(tmp_path), copies=0, epochs=1, width=1)(model, images[:1], "7")
    red = [path for path in sorted(tmp_path.glob("*.png")) if np.asarray(Image.open(path)).mean((0, 1)).argmax() == 0]
    with pytest.raises(InputError, match=r"all \d+ pictures to learn from .* have the label '0'"):
        Surrogate(train=tuple(map(str, red)), copies=0, epochs=1, width=1)(model, images[:1])


def test_what_it_cannot_learn_is_refused(lenet: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="state them: --train FOLDER"):
        Surrogate()
    with pytest.raises(InputError, match="surrogate was asked to repeat itself"):
        Surrogate(train="x", of="surrogate")
    with pytest.raises(InputError, match="9 pictures to learn from were given"):
        Surrogate(train=tuple(DIGITS[:9]))(lenet, DIGITS[0])
    with pytest.raises(InputError, match=r"surrogate learns classes of pictures, and 'ip2:3 > 5' is asked"):
        Surrogate(train=str(SAMPLES))(lenet, DIGITS[0], "ip2:3 > 5")
    with pytest.raises(InputError, match="copies is -1"):
        Surrogate(train="x", copies=-1)
