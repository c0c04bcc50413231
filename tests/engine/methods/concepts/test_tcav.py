"""TCAV on a network that knows stripes: class 0 goes by those that stand, class 1 against them, class 2 by neither."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import ZeroGradient
from onnxray.images.files import save_png
from onnxray.methods.concepts.concept_vectors import concept_vector
from onnxray.methods.concepts.item import ConceptItem
from onnxray.methods.concepts.tcav import TCAV, welch
from onnxray.results.result import Result
from support import models
from support.trusted import trusted

STANDING = np.tile(np.float32([1, -1, 1, -1]), (4, 1)) / 8
TEXT = """
s (float[N,1,14,14] x) => (float[N,3] z) {
  c = Conv <kernel_shape = [4, 4]> (x, k, low)
  r = Relu (c)
  p = GlobalAveragePool (r)
  f = Flatten (p)
  t = Tanh (f)
  z = MatMul (t, w)
}"""
WEIGHTS = {
    "k": np.stack([STANDING, STANDING.T])[:, None], "low": np.float32([-0.2, -0.2]),
    "w": np.float32([[0.5, -0.5, 0], [0, 0, 0.5]]),
}  # fmt: skip


@pytest.fixture
def model() -> onnxray.Model:
    opened = onnxray.open(models.parse(TEXT, WEIGHTS), models.GREY)
    trusted(opened)
    return opened


def folder(path: Path, kind: str, count: int = 14, seed: int = 0) -> str:
    """Pictures of stripes or of noise."""
    path.mkdir()
    random = np.random.default_rng(seed)
    for k in range(count):
        picture = random.uniform(60, 190, (14, 14))
        stripes = np.where(np.arange(14) % 2, 50, -50) * random.choice([-1, 1])
        picture += {"standing": stripes[None], "lying": stripes[:, None], "noise": 0}[kind]
        save_png(path / f"{k}.png", np.clip(picture, 0, 255).astype(np.uint8)[None])
    return str(path)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    found = {name: folder(tmp_path / name, name, seed=k) for k, name in enumerate(("standing", "lying"))}
    return {**found, **{name: folder(tmp_path / name, "noise", seed=7 + k) for k, name in enumerate("abc")}}


X = models.pictures(6, seed=3)


def test_the_concept_that_a_class_goes_by(model: onnxray.Model, folders: dict[str, str]) -> None:
    method = TCAV(concept=(folders["standing"], folders["lying"]), random=(folders["a"], folders["b"]), layer="r")
    found = {item.concept: item for item in method(model, X, 0).items}
    assert list(found) == ["standing", "lying"]
    assert found["standing"].score == 1
    assert found["standing"].accuracy > 0.9
    assert found["standing"].significant
    assert found["standing"].p_value is not None
    assert found["standing"].p_value < 0.025
    assert (found["standing"].images, found["standing"].pictures_) == (6, 14)
    against = TCAV(concept=folders["standing"], random=(folders["a"], folders["b"]), layer="r")(model, X, 1).items[0]
    assert against.score == 0


def test_the_score_is_the_share_of_positive_derivatives(model: onnxray.Model, folders: dict[str, str]) -> None:
    """dz_0/dr is (1 - t_0^2) w / places at the first channel; the vectors are those of the trials, drawn again here."""
    item = TCAV(concept=folders["lying"], random=folders["a"], layer="r", trials=3)(model, X, 0, seed=4).items[0]
    values = {name: model.values(folders[name], ["r"])["r"].reshape(14, -1) for name in ("lying", "a")}
    t = model.values(X, ["t"])["t"][:, 0].astype(np.float64)
    slopes = np.concatenate([(1 - t**2)[:, None] * 0.5 / 121 * np.ones(121), np.zeros((6, 121))], 1)
    random = np.random.default_rng(4)
    for trial in range(3):
        own = [values[name][random.choice(14, 14, replace=False)] for name in ("lying", "a")]
        vector = concept_vector(*own, random)
        order = random.permutation(14)
        halves = [values["a"][order[:7]], values["a"][order[7:]]]
        chance = concept_vector(*(half[random.choice(7, 7, replace=False)] for half in halves), random)
        np.testing.assert_allclose(item.sensitivities[trial], slopes @ vector.direction, atol=1e-6)
        assert item.scores[trial] == (slopes @ vector.direction > 0).mean()
        assert item.random_scores[trial] == (slopes @ chance.direction > 0).mean()
    assert item.score == pytest.approx(item.scores.mean())
    assert item.spread == pytest.approx(item.scores.std(ddof=1))


def test_a_vector_at_chance_is_refused_as_meaningless(model: onnxray.Model, folders: dict[str, str]) -> None:
    result = TCAV(concept=folders["c"], random=(folders["a"], folders["b"]), layer="r")(model, X, 0)
    (item,) = result.items
    assert item.accuracy <= 0.6
    assert not item.significant
    assert item.reason is not None
    assert "50% being chance: the score means nothing here" in item.reason
    assert any(item.reason in note for note in result.provenance.notes)


def test_welchs_test() -> None:
    """t = (m - n) / sqrt(s^2 / k + u^2 / l), with Welch's degrees of freedom, against the distribution by integration."""
    one, other = np.array([0.9, 0.8, 1.0, 0.7]), np.array([0.5, 0.4, 0.6, 0.7, 0.2])
    a, b = one.var(ddof=1) / 4, other.var(ddof=1) / 5
    t = (one.mean() - other.mean()) / np.sqrt(a + b)
    freedom = (a + b) ** 2 / (a**2 / 3 + b**2 / 4)
    x = np.linspace(-400, 400, 4_000_001)
    density = (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    assert welch(one, other) == pytest.approx(density[np.abs(x) > abs(t)].sum() / density.sum(), rel=1e-3)
    assert welch(np.ones(3), np.ones(3)) is None


def test_what_does_not_change_with_the_layer(model: onnxray.Model, folders: dict[str, str]) -> None:
    flat = onnxray.open(models.parse(TEXT, {**WEIGHTS, "w": np.zeros((2, 3), np.float32)}), models.GREY)
    with pytest.raises(ZeroGradient, match="does not change with 'r'"):
        TCAV(concept=folders["standing"], random=folders["a"], layer="r")(flat, X, 0)


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "no concept was given; give a folder of pictures: --concept FOLDER"),
    ({"concept": "standing"}, "no random was given"),
    ({"concept": "few", "random": "a"}, "few' holds 3 pictures; at least 6 were expected"),
    ({"concept": ("standing", "standing"), "random": "a"}, "is given twice; give each once"),
    ({"concept": "empty", "random": "a"}, "empty"),
    ({"concept": "gone", "random": "a"}, "gone"),
    ({"concept": "standing", "random": "a", "trials": 1}, "trials is 1"),
    ({"concept": "standing", "random": "a", "layer": "nowhere"}, "nowhere"),
    ({"concept": "standing", "random": "a", "layer": "w"}, "w"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_input(
    options: dict[str, Any], message: str, model: onnxray.Model, folders: dict[str, str], tmp_path: Path
) -> None:
    folder(tmp_path / "few", "noise", 3)
    (tmp_path / "empty").mkdir()

    def placed(one: Any) -> Any:
        return tuple(map(placed, one)) if isinstance(one, tuple) else str(tmp_path / one)

    stated = {name: placed(one) if name in {"concept", "random"} else one for name, one in options.items()}
    with pytest.raises(onnxray.errors.OnnxrayError) as found:
        TCAV(**stated)(model, X, 0)
    assert message in str(found.value)
    assert "\n" not in str(found.value)


def test_the_command_line(folders: dict[str, str], tmp_path: Path) -> None:
    """LeNet and its default layer; what is saved comes back."""
    for name, path in folders.items():
        assert Path(path).is_dir(), name
    command = ["tcav", "lenet", folders["c"], "--target", "4", "--concept", folders["standing"], "--random"]
    command += [folders["a"], "--random", folders["b"], "--trials", "4", "-o", str(tmp_path / "run")]
    done = CliRunner().invoke(app, [*command, "--json"])
    assert done.exit_code == 0, done.output
    (item,) = json.loads(done.stdout)["items"]
    assert item["target"] == "logit of class 4"
    assert item["images"] == 14
    assert (tmp_path / "run" / "concepts.png").exists()
    back = Result.load(tmp_path / "run", ConceptItem).items[0]
    assert back.numbers() == {name: item[name] for name in back.numbers()}
    assert back.sensitivities.shape == (4, 14)
    again = CliRunner().invoke(app, [*command[:-1], str(tmp_path / "other")])
    assert again.exit_code == 0, again.output
    assert "standing" in again.stdout
