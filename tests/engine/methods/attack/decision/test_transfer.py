"""Transfer: what another file gave, judged on this one; the same file gives the attack itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError, OnnxrayError
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.toml_form import toml_of
from onnxray.methods.attack.decision.transfer import Transfer
from onnxray.methods.attack.gradient.pgd import PGD
from onnxray.methods.attack.minimum_norm.ddn import DDN
from support import models
from support.trees import forest

UNIT = Profile(name="unit", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0,) * 3, std=(1,) * 3, size=(8, 8))
X = np.random.default_rng(0).integers(40, 215, (3, 3, 8, 8)).astype(np.float32)
TEXT = (
    "g (float[N,3,8,8] x) => (float[N,{width}] y) {{ f = Flatten (x) h = MatMul (f, w) r = Relu (h) y = Gemm (r, v) }}"
)


def network(seed: int, width: int = 5) -> bytes:
    weights = {"w": models.random(seed, 192, 16), "v": models.random(seed + 1, 16, width)}
    return bytes(models.parse(TEXT.format(width=width), weights).SerializeToString())


@pytest.fixture
def other(tmp_path: Path) -> tuple[str, str]:
    """Path and profile of a second network that agrees with the first in little more than its shapes."""
    (tmp_path / "other.onnx").write_bytes(network(7))
    (tmp_path / "unit.toml").write_text(toml_of(UNIT))
    return str(tmp_path / "other.onnx"), str(tmp_path / "unit.toml")


def images(items: Any) -> Any:
    return np.stack([item.images["image"] for item in items])


def test_from_the_file_itself_it_is_the_attack_itself(other: tuple[str, str]) -> None:
    path, profile = other
    model = onnxray.open(path, UNIT)
    for name, direct in (("pgd", PGD(eps=6.0, steps=8)), ("ddn", DDN(steps=20))):
        setting = ("eps=6", "steps=8") if name == "pgd" else ("steps=20",)
        found = Transfer(from_=path, from_profile=profile, of=name, setting=setting)(model, X)
        expected = direct(model, X)
        assert np.array_equal(images(found.items), images(expected.items))
        assert [item.success for item in found.items] == [item.success for item in expected.items]
        for item, own in zip(found.items, expected.items):
            assert item.numbers_["other_passes"] >= own.queries["forward"] + own.queries["backward"]
            assert item.queries["forward"] == item.queries["backward"] == 0


def test_perturbations_are_the_other_files_and_the_verdict_is_this_ones(other: tuple[str, str]) -> None:
    path, profile = other
    this = onnxray.open(network(0), UNIT)
    goal = [int(k) for k in (this.predict(X).classes + 2) % 5]
    theirs = onnxray.open(path, UNIT)
    possible = theirs.predict(X).classes != goal
    found = Transfer(from_=path, from_profile=profile, setting=("eps=20", "steps=10"))(this, X, goal).items
    direct = PGD(eps=20.0, steps=10)(theirs, X[possible], [g for g, p in zip(goal, possible) if p]).items
    assert np.array_equal(images(found)[possible], images(direct))
    said, at_home = this.predict(images(found).astype(np.float32)), theirs.predict(images(found).astype(np.float32))
    for k, item in enumerate(found):
        assert item.success == (said.classes[k] == goal[k])
        assert item.numbers_["other_success"] == (at_home.classes[k] == goal[k])
        assert item.norm == "linf"
        assert item.eps == 20


def test_rows_of_a_table_are_handed_over(tmp_path: Path) -> None:
    """From a linear model to trees, which have no gradient of their own."""
    linear = models.parse("g (float[N,6] x) => (float[N,3] y) { y = MatMul (x, w) }", {"w": models.random(3, 6, 3)})
    (tmp_path / "linear.onnx").write_bytes(linear.SerializeToString())
    rows = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    found = Transfer(from_=str(tmp_path / "linear.onnx"), setting="eps=90")(onnxray.open(forest()), rows).items
    own = forest_classes(rows)
    theirs = onnxray.open(tmp_path / "linear.onnx").predict(rows).classes
    for item, direct, row, agreed in zip(
        found, PGD(eps=90.0)(onnxray.open(tmp_path / "linear.onnx"), rows).items, rows, own == theirs
    ):
        assert item.moved["x"]["kind"] == "table row"
        image = item.arrays_["image x"]
        if agreed:
            assert np.array_equal(image, direct.arrays_["image x"])
        assert item.success == (forest_classes(image[None])[0] != forest_classes(row[None])[0])
    assert (own == theirs).any()


def forest_classes(rows: Any) -> Any:
    return onnxray.open(forest()).predict(rows).classes


def test_what_cannot_be_handed_over_is_refused(other: tuple[str, str], tmp_path: Path) -> None:
    path, profile = other
    with pytest.raises(InputError, match=r"state it: --from other.onnx"):
        Transfer()
    with pytest.raises(InputError, match="repeat itself"):
        Transfer(from_=path, of="transfer")
    with pytest.raises(InputError, match="feature-adversary has an aim of its own"):
        Transfer(from_=path, of="feature-adversary", setting="layer=h")
    with pytest.raises(InputError, match="there is no method 'pgdd'; did you mean 'pgd'"):
        Transfer(from_=path, of="pgdd")
    with pytest.raises(InputError, match="pgd has no option 'step'"):
        Transfer(from_=path, setting="step=3")
    with pytest.raises(OnnxrayError, match="nowhere"):
        Transfer(from_=str(tmp_path / "nowhere.onnx"))(onnxray.open(network(0), UNIT), X)
    with pytest.raises(InputError, match="5 classes, and class 6 of this file is asked for"):
        Transfer(from_=path, from_profile=profile)(onnxray.open(network(0, 7), UNIT), X, 6)
    with pytest.raises(OnnxrayError, match=r"1 x 28 x 28|28"):
        Transfer(from_="lenet")(onnxray.open(network(0), UNIT), X)
    rows = np.zeros((1, 6), np.float32)
    (tmp_path / "trees.onnx").write_bytes(forest())
    with pytest.raises(InputError, match="labels alone"):
        Transfer(from_=str(tmp_path / "trees.onnx"), of="square")(onnxray.open(forest(alone=True)), rows)
