"""An evaluation against a classifier whose smallest perturbations are known, and what must not be asked of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from onnxray.cli.commands.attack.evaluate import _print as show
from onnxray.errors import InputError, NotAClassifier
from onnxray.images.files import read_png, save_png
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile
from onnxray.images.true_labels import pictures_in_folders, true_labels
from support import models
from support.paths import ROOT

PROFILE = Profile(name="unit", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0,) * 3, std=(1,) * 3, size=(4, 4))
WEIGHTS = models.random(0, 48, 2)
X = np.random.default_rng(0).integers(60, 196, (6, 3, 4, 4)).astype(np.float32)
LINEAR = "g (float[N,3,4,4] x) => (float[N,2] y) { f = Flatten (x) y = MatMul (f, w) }"
SAMPLES = ROOT / "models" / "onnxray_models" / "lenet" / "samples"


def linear() -> Any:
    return onnxray.open(models.parse(LINEAR, {"w": WEIGHTS}).SerializeToString(), PROFILE, output="y=logits")


def distances(images: Any) -> Any:
    """|z_0 - z_1| / ||w_0 - w_1||, in grey levels: how far the plane lies."""
    slope = (WEIGHTS[:, 0] - WEIGHTS[:, 1]).astype(np.float64) / 255
    return np.abs(images.reshape(len(images), -1) @ slope) / np.linalg.norm(slope)


def test_the_smallest_norm_of_a_linear_classifier() -> None:
    result = RobustnessEvaluation(norm="l2", eps="8,64", trust_images=2)(linear(), X)
    for item, distance in zip(result.items, distances(X)):
        assert item.correct
        assert item.smallest is not None
        assert distance <= item.smallest <= 1.02 * distance + 2.5  # whole grey levels in 48 numbers
    found = result.extra["robustness"]
    for row in found["curve"]:
        assert row["robust_accuracy"] == np.mean([item.smallest > row["eps"] for item in result.items])


def test_the_fewest_numbers_that_flip_a_linear_classifier(capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers are changed one after the other, those that move the margin most first, as far as they go."""
    result = RobustnessEvaluation(norm="l0", eps="1,30", trust_images=2)(linear(), X)
    slope = (WEIGHTS[:, 0] - WEIGHTS[:, 1]).astype(np.float64) / 255
    for item, image in zip(result.items, X.reshape(len(X), -1)):
        margin = float(image @ slope)
        moves = np.maximum(-np.sign(margin) * slope * (255 - image), np.sign(margin) * slope * image)
        least = int((np.cumsum(-np.sort(-moves)) < abs(margin)).sum()) + 1
        assert item.smallest is not None
        assert least <= item.smallest <= 2 * least + 1
    show(result)
    said = capsys.readouterr().out
    assert "robust accuracy (l0, numbers changed)" in said
    assert "grey levels" not in said


def test_a_bisection_goes_on_below_what_is_reached() -> None:
    """What it finds is smaller than what the first attack found, or nothing; and it has no curve of its own."""
    model = onnxray.open("lenet")
    images = [SAMPLES / f"{k}_0.png" for k in (1, 4, 6, 9)]
    result = RobustnessEvaluation(eps="8", attacks="fmn,bisection", trust_images=0)(model, images)
    improved = 0
    for item in result.items:
        before, after = item.norms["fmn"], item.norms["bisection"]
        assert before is not None
        assert item.smallest == (before if after is None else after)
        assert after is None or after < before
        improved += after is not None
        free = onnxray.methods.Bisection()(model, [item.origin.path]).items[0]
        assert sum(item.queries["bisection"].values()) < sum(free.queries.values())
    found = result.extra["robustness"]
    assert found["attacks"]["bisection"]["optimality"] is None
    assert found["attacks"]["bisection"]["best_of"] == improved
    assert set(found["curve"][0]["attacks"]) == {"fmn"}


def test_what_is_made_on_one_file_is_judged_on_the_others(tmp_path: Path) -> None:
    """Linear files: MI-FGSM goes along the sign of w_0 - w_1, and flips the file itself where that reaches the plane."""
    slopes = {"own.onnx": WEIGHTS, "turned.onnx": WEIGHTS[:, ::-1].copy(), "other.onnx": models.random(5, 48, 2)}
    for name, weights in slopes.items():
        (tmp_path / name).write_bytes(models.parse(LINEAR, {"w": weights}).SerializeToString())
    model = onnxray.open(tmp_path / "own.onnx", PROFILE, output="y=logits")
    evaluation = RobustnessEvaluation(
        eps="4,40",
        attacks="fgsm",
        trust_images=0,
        transfer=[str(tmp_path / "other.onnx"), str(tmp_path / "turned.onnx")],
    )
    cells = evaluation(model, X).extra["robustness"]["transfer"]
    assert len(cells) == 2 * 3 * 3
    scores = {name: X.reshape(6, -1) / 255 @ w for name, w in slopes.items()}
    own = scores["own.onnx"].argmax(1)
    for cell in cells:
        made, judge = slopes[cell["made_on"]], scores[cell["judged_by"]]
        rows = (scores[cell["made_on"]].argmax(1) == own) & (judge.argmax(1) == own)
        assert cell["images"] == rows.sum()
        if not rows.any():
            assert cell["flipped"] is None
            continue
        sign = np.sign(made[:, 1] - made[:, 0]) * np.where(own == 0, 1, -1)[:, None]
        moved = np.clip(X.reshape(6, -1) + cell["eps"] * sign, 0, 255) / 255 @ slopes[cell["judged_by"]]
        assert cell["flipped"] == pytest.approx((moved.argmax(1) != own)[rows].mean())
        low, high = cell["interval"]
        assert 0 <= low <= cell["flipped"] + 1e-9 <= high + 2e-9
    with pytest.raises(InputError, match="two of the files are named 'own.onnx'"):
        RobustnessEvaluation(attacks="fgsm", eps="4", trust_images=0, transfer=str(tmp_path / "own.onnx"))(model, X)


def test_labels_decide_what_counts_as_right() -> None:
    model = linear()
    own = model.predict(X).classes
    labels = [int(c) for c in own]
    labels[2] = 1 - labels[2]
    result = RobustnessEvaluation(norm="l2", eps="64", attacks="ddn", trust_images=0)(model, X, labels)
    assert [item.correct for item in result.items] == [True, True, False, True, True, True]
    assert result.items[2].norms == {}
    assert result.items[2].smallest is None
    assert result.extra["robustness"]["misclassified"] == 1
    assert not any("own answers" in note for note in result.provenance.notes)
    assert any(
        "own answers" in note
        for note in RobustnessEvaluation(eps="1", attacks="fgsm", trust_images=0)(model, X[:1]).provenance.notes
    )


def test_every_number_can_be_read_from_the_saved_pictures(tmp_path: Path) -> None:
    model = onnxray.open("lenet")
    images = [SAMPLES / f"{name}.png" for name in ("4_0", "9_0")]
    result = RobustnessEvaluation(norm="l2", eps="300", attacks="ddn,pgd", trust_images=0)(model, images)
    result.save(tmp_path / "run")
    document = json.loads((tmp_path / "run" / "result.json").read_text())
    for entry in document["items"]:
        image, origin = (read_png(tmp_path / "run" / entry["files"][role]) for role in ("image", "origin"))
        assert entry["smallest"] == pytest.approx(np.linalg.norm(image.astype(float) - origin))
        said = model.predict(Pixels.of(image[None]))
        assert said.classes[0] == entry["after"]["class"] != entry["true"]
        assert entry["smallest"] == min(norm for norm in entry["norms"].values() if norm is not None)
    assert document["robustness"]["curve"][1]["eps"] == 300


def test_a_file_of_labels_and_folders_of_classes(tmp_path: Path) -> None:
    for place, (folder, name) in enumerate((("cat", "a"), ("cat", "b"), ("dog", "a"))):
        (tmp_path / folder).mkdir(exist_ok=True)
        save_png(tmp_path / folder / f"{name}.png", X[place].astype(np.uint8))
    names = [str(tmp_path / folder / f"{name}.png") for folder, name in (("cat", "a"), ("cat", "b"), ("dog", "a"))]
    assert pictures_in_folders([str(tmp_path)]) == [str(tmp_path / "cat"), str(tmp_path / "dog")]
    assert true_labels(names, "folders") == ["cat", "cat", "dog"]
    table = tmp_path / "labels.csv"
    table.write_text('file,label\ncat/a.png,0\n"cat/b.png",1\ndog/a.png,"tabby, cat"\n')
    assert true_labels(names, str(table)) == ["0", "1", "tabby, cat"]
    table.write_text("b.png,7\n")
    assert true_labels(names[1:2], str(table)) == ["7"]
    with pytest.raises(InputError, match=r"no label for 2 of 3 pictures \('a.png', 'a.png'\)"):
        true_labels(names, str(table))
    for text in ("", "a.png\n", "a.png,\n"):
        table.write_text(text)
        with pytest.raises(InputError, match="file,label was expected") as error:
            true_labels(names, str(table))
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="has no folders inside it"):
        pictures_in_folders([str(tmp_path / "cat")])
    with pytest.raises(InputError, match="cannot be read"):
        true_labels(names, str(tmp_path / "none.csv"))


def test_a_label_that_is_no_picture_s_for_sure_is_refused(tmp_path: Path) -> None:
    for folder in ("cat", "dog"):
        (tmp_path / folder).mkdir()
        save_png(tmp_path / folder / "a.png", X[0].astype(np.uint8))
    names = [str(tmp_path / folder / "a.png") for folder in ("cat", "dog")]
    table = tmp_path / "labels.csv"
    table.write_text("a.png,0\n")
    with pytest.raises(InputError, match=r"'a\.png' is the name of 2 pictures in different folders"):
        true_labels(names, str(table))
    assert true_labels([names[0], names[0]], str(table)) == ["0", "0"]
    table.write_text("cat/a.png,0\ndog/a.png,1\ncat/a.png,2\n")
    with pytest.raises(InputError, match=r"'cat/a\.png' has the labels '0' and '2'"):
        true_labels(names, str(table))
    table.write_text("cat/a.png,0\ndog/a.png,1\ncat/a.png,0\n")
    assert true_labels(names, str(table)) == ["0", "1"]


@pytest.mark.parametrize("eps", ["0", "256", "1,1", "8,4", "", "a", "nan", "-1", "1,inf"])
def test_budgets_that_are_none_are_refused(eps: str) -> None:
    with pytest.raises(InputError, match="eps is .* smallest first"):
        RobustnessEvaluation(eps=eps)


def test_what_cannot_be_evaluated_is_one_line() -> None:
    with pytest.raises(InputError, match="there is no attack 'pgdd'; did you mean"):
        RobustnessEvaluation(attacks="pgdd")
    with pytest.raises(InputError, match="the attack 'pgd' is named 2 times; name each once"):
        RobustnessEvaluation(attacks="pgd, fgsm,pgd")
    with pytest.raises(InputError, match="transfer goes by MI-FGSM"):
        RobustnessEvaluation(norm="l0", attacks="sigma-zero", transfer="other.onnx")
    with pytest.raises(InputError, match="keeps l2 small, and the evaluation is of linf"):
        RobustnessEvaluation(attacks="ddn")
    with pytest.raises(InputError, match="feature-adversary has an aim of its own"):
        RobustnessEvaluation(attacks="feature-adversary")
    with pytest.raises(InputError, match="norm is 'l0'"):
        RobustnessEvaluation(norm="l0", attacks="noise")
    with pytest.raises(InputError, match=r"eps is 1e-05; a number from 0\.001"):
        RobustnessEvaluation(eps="0.00001,1")
    with pytest.raises(InputError, match="reach is inf; a number from 1 to"):
        RobustnessEvaluation(reach=float("inf"))
    with pytest.raises(InputError, match="2 labels were given for 6 images"):
        RobustnessEvaluation()(linear(), X, [0, 1])
    with pytest.raises(InputError, match="there is no class '5'"):
        RobustnessEvaluation()(linear(), X, [5] * 6)
    regressor = onnxray.open(models.parse(LINEAR, {"w": WEIGHTS}).SerializeToString(), PROFILE, output="y=embedding")
    with pytest.raises(NotAClassifier, match="robust accuracy needs classes"):
        RobustnessEvaluation()(regressor, X)


def test_a_file_whose_values_have_other_names_is_asked_by_its_own(tmp_path: Path) -> None:
    """The evaluated file's logits are named in its profile, which says nothing of another file's values."""
    text = models.LENET.format(batch="N")
    (tmp_path / "own.onnx").write_bytes(models.lenet().SerializeToString())
    other = models.parse(text.replace("ip2", "scores"), models.lenet_weights())
    (tmp_path / "other.onnx").write_bytes(other.SerializeToString())
    images = models.pictures(2)
    made = RobustnessEvaluation(attacks="fgsm", eps="4", trust_images=0, transfer=str(tmp_path / "other.onnx"))
    cells = made(onnxray.open(tmp_path / "own.onnx"), images).extra["robustness"]["transfer"]
    assert {(cell["made_on"], cell["judged_by"]) for cell in cells} == {
        (a, b) for a in ("own.onnx", "other.onnx") for b in ("own.onnx", "other.onnx")
    }
    assert len({cell["flipped"] for cell in cells}) == 1
