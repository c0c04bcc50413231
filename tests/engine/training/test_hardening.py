"""harden: more robust by the judge, only weights change, a run that is killed goes on to the same file."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.errors import ImageError, InputError, NotAClassifier, OutputError
from onnxray.graph.differences.files import differences
from onnxray.results.keeping import Keeping
from onnxray.training import course, steps
from onnxray.training.hardening import Harden, parted
from support import models

DIGITS = list(onnxray_models.samples("lenet"))
LABELS = [path.stem[0] for path in DIGITS]
QUICK = {"epochs": 3, "eps": 25.0, "rate": 1e-3, "evaluate": 0, "batch": 16, "held_out": 0.3, "max_drop": 0.5}


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_text("file,label\n" + "".join(f"{p.absolute()},{label}\n" for p, label in zip(DIGITS, LABELS)))
    return path


def hardened(model: onnxray.Model, folder: Path, *, resume: bool = False, seed: int = 0, **options: Any) -> Any:
    method = Harden(**{**QUICK, "attacks": "fgsm", **options})
    return hardened_on(model, DIGITS, LABELS, folder, method, resume=resume, seed=seed)


def hardened_on(
    model: onnxray.Model, pictures: list[Path], labels: list[str], folder: Path, method: Harden, **options: Any
) -> Any:
    with Keeping.into(folder, "harden", resume=options.pop("resume", False)) as keep:
        result = method(model, pictures, labels, keep=keep, **options)
        keep.complete(result)
    return result


@pytest.fixture(scope="module")
def run(lenet: onnxray.Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    folder = tmp_path_factory.mktemp("harden") / "out"
    return hardened(lenet, folder, evaluate=3, evaluate_attacks="apgd"), folder


def test_it_is_more_robust_by_onnx_runtime_and_only_weights_differ(run: Any, lenet: onnxray.Model) -> None:
    result, folder = run
    first, best = result.items[0], max(result.items, key=lambda item: item.robust_accuracy)
    assert best.robust_accuracy > first.robust_accuracy + 0.1
    assert [item.epoch for item in result.items] == [0, 1, 2, 3]
    assert first.loss is None
    written = onnxray.open(folder / "lenet.onnx", lenet.profile)
    assert differences(lenet.graph, written.graph).only_weights
    found = result.extra["hardening"]
    assert found["written"] == ["lenet.onnx"]
    assert found["verified"]["agrees"]
    assert found["trained"]["numbers"] == 431_080
    assert found["trained"]["pictures"] + found["trained"]["held_out"] == 100
    assert found["after"]["curve"][-1]["robust_accuracy"] >= found["before"]["curve"][-1]["robust_accuracy"]
    again = onnxray.load(folder)
    assert [item.numbers() for item in again] == [item.numbers() for item in result]
    assert "epoch 3" in repr(result.items[3])


class Killed(BaseException):
    """As a process ends that is killed: nothing is caught."""


@pytest.mark.parametrize("when", ["in an epoch", "before its item is kept"])
def test_a_run_that_was_killed_goes_on_to_the_same_file(
    lenet: onnxray.Model, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    options = {"attacks": "fgsm,fast,lots", "steps": 2, "epochs": 2, "schedule": "one-cycle", "distort": 0.5}
    wanted = hardened(lenet, tmp_path / "whole", **options)
    with monkeypatch.context() as patched:
        counted: Iterator[int] = iter(range(1000))
        place = (steps.Steps, "step") if when == "in an epoch" else (course.Course, "_stand")
        old, limit = getattr(*place), 7 if when == "in an epoch" else 1

        def stopped(*given: Any) -> Any:
            done = old(*given)
            if next(counted) == limit:
                raise Killed
            return done

        patched.setattr(*place, stopped)
        with pytest.raises(Killed):
            hardened(lenet, tmp_path / "killed", **options)
    result = hardened(lenet, tmp_path / "killed", resume=True, **options)
    assert [item.numbers() for item in result] == [item.numbers() for item in wanted]
    files = [(tmp_path / name / "lenet.onnx").read_bytes() for name in ("whole", "killed")]
    assert files[0] == files[1]
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == ["lenet.onnx", "result.json"]


def test_a_loss_that_is_no_number_stops_it_and_the_best_until_then_is_kept(
    lenet: onnxray.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = iter(range(1000))
    old = course.adversarial

    def broken(*given: Any) -> Any:
        return old(*given) * (float("nan") if next(counted) >= 7 else 1.0)

    monkeypatch.setattr(course, "adversarial", broken)
    result = hardened(lenet, tmp_path / "out")
    assert [item.epoch for item in result.items] == [0, 1]
    assert any("ended in epoch 2: the loss is NaN" in note for note in result.provenance.notes)
    monkeypatch.undo()
    one = onnxray.open(tmp_path / "out" / "lenet.onnx", lenet.profile)
    assert not differences(lenet.graph, one.graph).nothing
    assert np.isfinite(one.graph.weight("ip2.weight")).all()


def test_a_clean_accuracy_that_falls_stops_it(lenet: onnxray.Model, tmp_path: Path) -> None:
    result = hardened(lenet, tmp_path / "out", rate=3.0, optimizer="sgd", max_drop=0.02, clip=1.0)
    assert len(result.items) < 4
    assert "clean accuracy fell" in result.items[-1].stopped
    assert not result.items[-1].best
    one = onnxray.open(tmp_path / "out" / "lenet.onnx", lenet.profile)
    assert len(result.items) > 2 or differences(lenet.graph, one.graph).nothing


@pytest.mark.parametrize("loss", ["trades", "virtual"])
def test_other_losses_train_too(lenet: onnxray.Model, tmp_path: Path, loss: str) -> None:
    more = {"unlabelled": tuple(map(str, DIGITS[:40])), "radius": 300.0} if loss == "virtual" else {"steps": 2}
    result = hardened(lenet, tmp_path / "out", loss=loss, epochs=2, **more)
    assert result.items[-1].loss is not None
    assert result.items[-1].robust_accuracy >= result.items[0].robust_accuracy
    if loss == "virtual":
        assert any("agree to a cosine of" in note for note in result.provenance.notes)
        assert result.extra["hardening"]["trained"]["unlabelled"] == 40


def test_the_best_is_by_what_is_stated_and_of_plain_fine_tuning_by_clean_accuracy(
    run: Any, lenet: onnxray.Model, tmp_path: Path
) -> None:
    quick = {"epochs": 2, "batch": 35}
    for name, items in (
        ("robust_accuracy", run[0].items),
        ("clean_accuracy", hardened(lenet, tmp_path / "plain", attacks="none", **quick).items),
        ("epoch", hardened(lenet, tmp_path / "last", best_by="last", **quick).items),
    ):
        best = -1.0
        for item in items:
            worth = getattr(item, name)
            assert item.best == (worth > best)
            best = max(best, worth)


def test_unlabelled_pictures_are_gone_through_once_an_epoch(lenet: onnxray.Model) -> None:
    ticks: list[tuple[int, int]] = []
    more = np.array(lenet.pixels(DIGITS).array)
    with pytest.MonkeyPatch.context() as patched:
        shown: list[np.ndarray] = []
        old = course.Virtual.loss

        def loss(self: Any, scores: Any, own: Any, x: Any) -> Any:
            shown.append(x.numpy())
            return old(self, scores, own, x)

        patched.setattr(course.Virtual, "loss", loss)
        Harden(**{**QUICK, "epochs": 1, "held_out": 0.5}, loss="virtual", unlabelled=tuple(map(str, DIGITS)))(
            lenet, DIGITS[:60], LABELS[:60], progress=lambda done, total, _: ticks.append((done, total))
        )
    assert (7, 7) in ticks  # 100 unlabelled pictures in batches of 16, beside 30 labelled ones
    rows = np.concatenate(shown)
    assert sorted(row.tobytes() for row in rows) == sorted(row.tobytes() for row in more)


BINARY = """
g (float[N,1,28,28] x) => (float[N,1] y) {
  a = Conv <strides = [4, 4]> (x, w) r = Relu (a) f = Flatten (r) z = Gemm (f, g, h) y = Sigmoid (z)
}"""


def test_a_classifier_of_one_sigmoid_is_hardened(tmp_path: Path) -> None:
    r = models.random
    weights = {"w": r(0, 4, 1, 5, 5, scale=0.002), "g": r(1, 144, 1, scale=0.1), "h": r(2, 1)}
    model = onnxray.open(models.parse(BINARY, weights), "raw")
    assert model.head.kind == "binary"
    pictures = [path for path in DIGITS if path.stem[0] in "01"]
    options = {**QUICK, "attacks": "pgd", "eps": 8.0, "epochs": 8, "rate": 1e-2, "max_drop": 1.0, "batch": 4}
    method = Harden(**options)
    result = hardened_on(model, pictures, [path.stem[0] for path in pictures], tmp_path / "out", method)
    assert max(item.robust_accuracy for item in result.items) > 0.8 > result.items[0].robust_accuracy
    written = onnxray.open(tmp_path / "out" / "model.onnx", model.profile)
    assert differences(model.graph, written.graph).only_weights
    assert (written.classify(pictures) == [int(path.stem[0]) for path in pictures]).mean() > 0.9


NORMALISED = """
g (float[N,1,28,28] x) => (float[N,10] y) {
  a = Conv <strides = [4, 4]> (x, w) n = BatchNormalization (a, s, b, m, v) r = Relu (n) f = Flatten (r)
  d = Dropout (f) y = Gemm (d, g, h)
}"""


def normalised() -> onnx.ModelProto:
    r = models.random
    weights = {
        "w": r(0, 4, 1, 5, 5, scale=0.01), "s": r(1, 4), "b": r(2, 4), "m": r(3, 4), "v": r(4, 4) ** 2 + 1,
        "g": r(5, 144, 10, scale=0.1), "h": r(6, 10),
    }  # fmt: skip
    return models.parse(NORMALISED, weights)


@pytest.mark.parametrize("bn", ["frozen", "recalibrate"])
def test_statistics_of_normalisation_are_kept_or_measured(tmp_path: Path, bn: str) -> None:
    model = onnxray.open(normalised(), "raw")
    options = {"attacks": "none", "bn": bn, "dropout": True, "freeze": "h", "epochs": 2, "rate": 1e-2, "max_drop": 1.0}
    result = hardened(model, tmp_path / "out", **options)
    written = onnxray.open(tmp_path / "out" / "model.onnx", model.profile)
    changed = {one.name for one in differences(model.graph, written.graph).tensors}
    if not any(item.best for item in result.items[1:]):
        pytest.skip("no epoch was better")
    assert changed == ({"w", "s", "b", "g"} | ({"m", "v"} if bn == "recalibrate" else set()))
    if bn == "recalibrate":
        kept = [model.pixels(DIGITS).array]
        a = written.values(kept[0], ["a"])["a"]
        assert abs(written.graph.weight("m") - a.mean((0, 2, 3))).max() < 0.2 * a.std()


def test_external_data_and_in_place(tmp_path: Path, lenet: onnxray.Model) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(onnx.load(lenet.graph.path), path, save_as_external_data=True, location="net.bin", size_threshold=0)
    model = onnxray.open(path, lenet.profile)
    result = hardened(model, tmp_path / "out", epochs=1)
    assert result.extra["hardening"]["written"] == ["net.onnx", "net.bin"]
    assert (tmp_path / "out" / "net.onnx").read_bytes() == path.read_bytes()
    assert (tmp_path / "out" / "net.bin").read_bytes() != (tmp_path / "net.bin").read_bytes()
    hardened(model, tmp_path / "second", epochs=1, in_place=True)
    assert (tmp_path / "out" / "net.bin").read_bytes() == (tmp_path / "net.bin").read_bytes()
    assert not (tmp_path / "second" / "net.onnx").exists()


def test_the_model_itself_is_not_written_over(lenet: onnxray.Model, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(onnx.load(lenet.graph.path), path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="is the model itself"):
        hardened(onnxray.open(path, lenet.profile), tmp_path, epochs=1)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize(
    ("each", "share", "least", "most"), [(10, 0.3, 3, 3), (5, 0.1, 0, 1), (1, 0.1, 0, 1), (33, 0.2, 6, 7)]
)
def test_of_each_class_the_same_share_is_held_out(each: int, share: float, least: int, most: int) -> None:
    classes = np.random.default_rng(0).permutation(np.append(np.repeat(np.arange(20), each), [-1, -1]))
    kept, held = parted(classes, share, np.random.default_rng(1))
    assert sorted([*kept, *held]) == np.flatnonzero(classes >= 0).tolist()
    assert len(held) == round(20 * each * share)
    counts = np.bincount(classes[held], minlength=20)
    assert counts.min() >= least
    assert counts.max() <= most


def test_an_empty_folder_is_one_line(lenet: onnxray.Model, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    result = CliRunner().invoke(app, ["harden", "lenet", str(tmp_path / "none"), "--labels", "folders"])
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1
    with pytest.raises(ImageError, match="a folder without image files"):
        Harden(**QUICK)(lenet, tmp_path / "none", LABELS)


def test_what_cannot_be_is_refused(lenet: onnxray.Model, tmp_path: Path) -> None:
    method = Harden(**{**QUICK, "attacks": "fgsm"})
    with pytest.raises(InputError, match="there is no class '12'"):
        method(lenet, DIGITS, ["12"] * 100)
    with pytest.raises(InputError, match="2 labels were given for 100 pictures"):
        method(lenet, DIGITS, ["1", "2"])
    with pytest.raises(InputError, match="was given no labels"):
        method(lenet, DIGITS)
    with pytest.raises(InputError, match="of fgsm, fast, pgd, hot-cold, lots, feature some were expected"):
        Harden(attacks="best")
    with pytest.raises(InputError, match="--loss virtual"):
        Harden(unlabelled="folder")
    with pytest.raises(InputError, match="there is no attack 'best'"):
        Harden(evaluate_attacks="best")
    with pytest.raises(InputError, match="nothing is left to train"):
        dataclasses.replace(method, freeze="*")(lenet, DIGITS, LABELS)
    with pytest.raises(InputError, match="6 pictures to train on"):
        method(lenet, DIGITS[:8], LABELS[:8])
    proto = models.parse("g (float[N,1,8,8] x) => (float[N,1,8,8] y) { y = Relu (x) }")
    with pytest.raises(NotAClassifier, match="fine_tune takes any loss"):
        method(onnxray.open(proto, "raw"), DIGITS, LABELS)


def test_outputs_that_are_not_trained_are_refused_by_what_they_are() -> None:
    method = Harden(**{**QUICK, "attacks": "fgsm"})
    rows = "g (float[1,1,28,28] x) => (float[10] y) { f = Flatten (x) z = MatMul (f, w) y = Reshape (z, s) }"
    alone = models.parse(rows, {"w": models.random(0, 784, 10), "s": np.array([10])})
    with pytest.raises(NotAClassifier, match=r"is of shape \[10\], without an axis of samples"):
        method(onnxray.open(alone, "raw"), DIGITS, LABELS)
    several = "g (float[N,1,28,28] x) => (float[N,10] y) { f = Flatten (x) z = MatMul (f, w) y = Sigmoid (z) }"
    with pytest.raises(NotAClassifier, match="one label of a picture does not say which other classes"):
        method(onnxray.open(models.parse(several, {"w": models.random(0, 784, 10)}), "raw"), DIGITS, LABELS)


def test_the_command(csv: Path, tmp_path: Path) -> None:
    folder = DIGITS[0].parent
    given = ["harden", "lenet", str(folder), "--labels", str(csv), "--attacks", "fgsm", "--eps", "60", "--rate", "1e-3"]
    given += ["--epochs", "1", "--evaluate", "0", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*given, "--json"])
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert [item["epoch"] for item in document["items"]] == [0, 1]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "curve.png",
        "index.html",
        "lenet.onnx",
        "result.json",
    ]
    assert CliRunner().invoke(app, ["diff", "lenet", str(tmp_path / "out" / "lenet.onnx")]).exit_code == 0
    assert CliRunner().invoke(app, [*given, "--resume"]).exit_code == 1


def test_a_dry_run_lists_and_trains_nothing(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(normalised(), path)
    given = ["harden", str(path), str(DIGITS[0].parent), "--profile", "raw", "--dry-run", "--freeze", "h"]
    shown = CliRunner().invoke(app, given)
    assert shown.exit_code == 0, shown.stderr
    assert "4 of 7 constants are trained, 1,548 numbers" in shown.stdout
    assert "keeps the file's statistics" in shown.stdout
    document = json.loads(CliRunner().invoke(app, [*given, "--json"]).stdout)
    assert {item["name"] for item in document["items"] if item["trained"]} == {"w", "s", "b", "g"}
    assert all(item["reason"] for item in document["items"] if not item["trained"])
    assert [one.name for one in tmp_path.iterdir()] == ["net.onnx"]
