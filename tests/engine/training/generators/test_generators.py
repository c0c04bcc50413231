"""Generators: the drawn file, the training by a frozen model, what is shown and what it fools, by ONNX Runtime."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.errors import InputError
from onnxray.methods.run import Run
from onnxray.results.finished_items import Tape
from onnxray.results.keeping import Keeping
from onnxray.training.generators import course
from onnxray.training.generators.drawn import drawn_generator, levels
from onnxray.training.generators.fooling import FoolWithGenerator, added
from onnxray.training.generators.rendering import RenderGenerator
from onnxray.training.generators.shown import Generator, pictures_of, read_numbers
from onnxray.training.generators.training import TrainGenerator
from support import models

SMALL = {"batch": 16, "width": 4, "rate": 3e-3}


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 8, 8), (3, 30, 45), (3, 224, 224)])
@pytest.mark.parametrize("feed", ["every", "once"])
def test_a_drawn_generator_gives_pictures_of_the_size(shape: tuple[int, int, int], feed: Any) -> None:
    proto = drawn_generator(shape, 5, width=1, maps=2, noise=3, feed=feed, random=np.random.default_rng(0))
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    feeds = {"class": np.array([0, 4]), "noise": np.zeros((2, 3), np.float32)}
    (picture,) = session.run(None, feeds)
    assert picture.shape == (2, *shape)
    assert np.abs(picture).max() <= 1 + 1e-6  # ONNX Runtime's Tanh
    assert not np.array_equal(picture[0], picture[1])
    fed = [node for node in proto.graph.node if node.op_type == "Concat" and node.output[0].endswith("_fed")]
    assert len(fed) == (len(levels(*shape[1:])) if feed == "every" else 0)
    assert levels(*shape[1:])[0][0] <= 8


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


def trained(model: onnxray.Model, folder: Path, *, resume: bool = False, **options: Any) -> Any:
    with Keeping.into(folder, "generator-train", resume=resume) as keep:
        result = TrainGenerator(**{**SMALL, **options})(model, keep=keep)
        keep.complete(result)
    return result


@pytest.fixture(scope="module")
def shown(lenet: onnxray.Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    folder = tmp_path_factory.mktemp("generator") / "out"
    return trained(lenet, folder, steps=200, noise=4), folder


def test_every_class_is_reached_on_the_saved_picture(shown: tuple[Any, Path], lenet: onnxray.Model) -> None:
    result, folder = shown
    assert [item.number for item in result] == list(range(10))
    assert all(item.strongest == item.number for item in result)
    assert min(item.probability for item in result) > 0.9
    assert result.extra["losses"][-1]["loss"] < 0.5 * result.extra["losses"][0]["loss"]
    loaded = onnxray.load(folder)
    assert [item.numbers() for item in loaded] == [item.numbers() for item in result]
    files = sorted(folder.glob("?-?.png"))
    assert len(files) == 10
    again = lenet.predict(files)
    assert again.classes.tolist() == list(range(10))
    np.testing.assert_allclose(again.probabilities.max(1), [item.probability for item in result], rtol=1e-4)
    card = json.loads(onnxray.open(folder / "generator.onnx").graph.metadata["onnxray_generator"])
    assert card["sha256"] == lenet.graph.sha256
    assert card["numbers"] == list(range(10))


def test_noise_gives_many_pictures_of_a_class(shown: tuple[Any, Path], lenet: onnxray.Model) -> None:
    file = str(shown[1] / "generator.onnx")
    result = RenderGenerator(generator=file, numbers="3,8", samples=3)(lenet)
    assert [(item.number, item.sample) for item in result] == [(3, 0), (3, 1), (3, 2), (8, 0), (8, 1), (8, 2)]
    assert len({item.image.tobytes() for item in result}) == 6
    assert "reached" in repr(result[0]) or "it is" in repr(result[0])


def test_what_is_fooled_is_what_the_judge_says_of_the_sum(shown: tuple[Any, Path], lenet: onnxray.Model) -> None:
    file, digits = str(shown[1] / "generator.onnx"), list(onnxray_models.samples("lenet"))[:20]
    result = FoolWithGenerator(generator=file, coefficients="1,120", numbers="0-2")(lenet, digits, seed=1)
    opened = Generator.opened(file)
    assert opened.noise == 4
    x = lenet.pixels(digits).array
    before = lenet.classify(x)
    for item in result:
        v = item.images["perturbation"].astype(np.float32) / 127.5 - 1
        for rate in item.rates:
            now = lenet.classify(np.clip(np.rint(x + rate["coefficient"] * v), 0, 255).astype(np.float32))
            assert abs(int((now != before).sum()) - rate["fooled"]) <= 1  # V was rounded to be saved
            assert rate["pictures"] == 20
            assert rate["others"] == int((before != item.number).sum())
    curve = result.extra["fooling"]["curve"]
    assert [row["coefficient"] for row in curve] == [1, 120]
    assert curve[1]["generator"] == sum(item.rates[1]["fooled"] for item in result) / 60
    assert curve[1]["generator"] > curve[0]["generator"]
    assert curve[0]["universal"] is None
    v = opened.perturbations(opened.places([0, 1, 2]), np.random.default_rng(0))
    assert v.shape == (3, 1, 28, 28)
    assert all(0 < item.rms < 1 for item in result)
    # Random signs of the same L2 change less than those of the same maximum.
    assert 0 <= curve[1]["random_of_the_same_l2"] < curve[1]["random"]


def test_signs_are_all_at_the_limit(shown: tuple[Any, Path], lenet: onnxray.Model) -> None:
    file, digits = str(shown[1] / "generator.onnx"), list(onnxray_models.samples("lenet"))[:10]
    result = FoolWithGenerator(generator=file, coefficients="100", numbers="3", form="signs")(lenet, digits)
    (item,) = result
    assert item.rms == 1
    assert set(np.unique(item.images["perturbation"])) <= {0, 255}
    v = item.images["perturbation"].astype(np.float32) / 127.5 - 1
    x = lenet.pixels(digits).array
    now = lenet.classify(np.clip(np.rint(x + 100 * v), 0, 255).astype(np.float32))
    assert item.rates[0]["fooled"] == int((now != lenet.classify(x)).sum())
    (row,) = result.extra["fooling"]["curve"]
    assert row["random_of_the_same_l2"] is None  # it is the same as of the same maximum
    assert row["random"] is not None


def test_added_pictures_are_clipped_and_rounded() -> None:
    x, v = np.float32([[0, 100, 250]]), np.float32([-1, 0.24, 1])
    assert added(x, v, 10).tolist() == [[0, 102, 255]]
    assert pictures_of(np.float32([-1, 0, 1])).tolist() == [0, 128, 255]


def varied(result: Any) -> float:
    """The mean absolute difference of neighbours, in grey levels."""
    images = np.stack([item.image for item in result]).astype(np.float64)
    return float(np.abs(np.diff(images, axis=2)).mean() + np.abs(np.diff(images, axis=3)).mean())


def test_a_prior_smoothes_what_is_shown(lenet: onnxray.Model, tmp_path: Path) -> None:
    options = {"steps": 60, "classes": "0,2,4", "until": 0.0}
    plain = trained(lenet, tmp_path / "plain", **options)
    smooth = trained(lenet, tmp_path / "smooth", **options, variation=2.0, augment="similarity")
    assert varied(smooth) < 0.5 * varied(plain)
    assert all(item.strongest == item.number for item in smooth)
    # What is told, and what ends a training, is the cross-entropy alone.
    told = smooth.extra["losses"]
    assert [one["steps"] for one in told] == [10, 20, 30, 40, 50, 60]
    assert told[-1]["loss"] < 0.1 < told[0]["loss"]


def test_the_loss_of_a_step_is_the_formula(lenet: onnxray.Model, tmp_path: Path) -> None:
    method = TrainGenerator(**SMALL, classes="4,7", variation=3.0, decay=2.0)
    with Keeping.into(tmp_path / "out", "generator-train") as keep:
        run = Run(np.random.default_rng(0), lambda *_: None, [], tape=Tape(keep))
        work = course.GeneratorCourse(method, lenet, "ip2", (4, 7), "{}", tmp_path, run)
        entropy, loss = work._losses(torch.Generator().manual_seed(5))
        places = torch.randint(2, (16,), generator=torch.Generator().manual_seed(5))
        v = work.network.values({"class": places}, ["picture"])["picture"].detach()
    scores = lenet.values((127.5 * (v + 1)).numpy(), ["ip2"])["ip2"].astype(np.float64)
    classes = np.array([4, 7])[places.numpy()]
    expected = np.log(np.exp(scores).sum(1)) - scores[np.arange(16), classes]
    assert float(entropy.detach()) == pytest.approx(expected.mean(), rel=1e-4)
    x = np.pad(v.numpy().astype(np.float64), ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")
    down, across = x[..., 1:, :-1] - x[..., :-1, :-1], x[..., :-1, 1:] - x[..., :-1, :-1]
    variation = np.sqrt(down**2 + across**2 + 1e-6).sum(1).mean()
    from_black = np.square(v.numpy() + 1.0).mean()  # LeNet's mean colour is black
    assert float((loss - entropy).detach()) == pytest.approx(3 * variation + 2 * from_black, rel=1e-3)


class Killed(BaseException):
    """As a process ends that is killed."""


def test_a_training_that_was_killed_goes_on_to_the_same_file(
    lenet: onnxray.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"steps": 6, "batch": 4, "classes": "0-3"}
    monkeypatch.setattr(course, "_ROUND", 2)
    whole = trained(lenet, tmp_path / "whole", **options)
    old = course.GeneratorCourse._losses
    counted = iter(range(100))

    def stopped(own: Any, random: Any) -> Any:
        if next(counted) == 3:
            raise Killed
        return old(own, random)

    with monkeypatch.context() as patched:
        patched.setattr(course.GeneratorCourse, "_losses", stopped)
        with pytest.raises(Killed):
            trained(lenet, tmp_path / "killed", **options)
    again = trained(lenet, tmp_path / "killed", resume=True, **options)
    assert [item.numbers() for item in again] == [item.numbers() for item in whole]
    files = [(tmp_path / name / "generator.onnx").read_bytes() for name in ("whole", "killed")]
    assert files[0] == files[1]


def test_channels_of_a_layer(lenet: onnxray.Model, tmp_path: Path) -> None:
    result = trained(lenet, tmp_path / "out", channels="conv2:0-3", steps=100)
    assert [item.label for item in result] == ["conv2:0", "conv2:1", "conv2:2", "conv2:3"]
    assert sum(item.strongest == item.number for item in result) >= 3
    image = np.stack([item.image for item in result]).astype(np.float32)
    means = lenet.values(image, ["conv2"])["conv2"].mean((2, 3))
    assert means.argmax(1).tolist() == [item.strongest for item in result]


def test_what_cannot_be_is_refused(lenet: onnxray.Model, shown: tuple[Any, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="classes and channels are both given"):
        TrainGenerator(classes="0-3", channels="conv2")
    with pytest.raises(InputError, match="classes is '0-10'; numbers from 0 to 9"):
        TrainGenerator(classes="0-10")(lenet)
    with pytest.raises(InputError, match="no generator was given"):
        RenderGenerator()
    with pytest.raises(InputError, match="is no generator that onnxray trained"):
        RenderGenerator(generator=str(lenet.graph.path))(lenet)
    file = str(shown[1] / "generator.onnx")
    with pytest.raises(InputError, match="does not show 12"):
        Generator.opened(file).places([12])
    other = onnxray.open(models.parse("g (float[N,1,8,8] x) => (float[N,64] y) { y = Flatten (x) }"), "raw")
    with pytest.raises(InputError, match="the generator gives pictures of"):
        RenderGenerator(generator=file)(other)
    onnx.save(
        drawn_generator((1, 28, 28), 2, width=1, maps=1, noise=0, feed="once", random=np.random.default_rng(0)),
        tmp_path / "g.onnx",
    )
    with pytest.raises(InputError, match="is no generator that onnxray trained"):
        Generator.opened(str(tmp_path / "g.onnx"))
    assert read_numbers("0-2,5", "x", 9) == (0, 1, 2, 5)
    for wrong in ("", "a", "3-1", "1,1", "0-99999999999"):
        with pytest.raises(InputError):
            read_numbers(wrong, "x", 9)


def test_the_commands(shown: tuple[Any, Path], tmp_path: Path) -> None:
    file, digits = str(shown[1] / "generator.onnx"), str(onnxray_models.samples("lenet")[0].parent)
    made = CliRunner().invoke(
        app,
        [
            "generator",
            "train",
            "lenet",
            "--classes",
            "0,1",
            "--steps",
            "3",
            "--width",
            "2",
            "-o",
            str(tmp_path / "t"),
            "--json",
        ],
    )
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["generator"]["file"] == "generator.onnx"
    assert (tmp_path / "t" / "curve.png").exists()
    shown_ = CliRunner().invoke(app, ["generator", "render", "lenet", "--generator", file, "-o", str(tmp_path / "r")])
    assert shown_.exit_code == 0, shown_.stderr
    assert (tmp_path / "r" / "sheet.png").exists()
    fooled = CliRunner().invoke(
        app,
        ["generator", "fool", "lenet", digits, "--generator", file, "--coefficients", "5", "-o", str(tmp_path / "f")],
    )
    assert fooled.exit_code == 0, fooled.stderr
    assert (tmp_path / "f" / "curve.png").exists()


@pytest.mark.parametrize("card", ["[" * 100_000, '{"numbers": [1e999], "layer": null}', "null", '{"numbers": 3}', ""])
def test_a_hostile_card_is_one_line(card: str, tmp_path: Path) -> None:
    model = drawn_generator((1, 8, 8), 2, width=1, maps=1, noise=0, feed="once", random=np.random.default_rng(0))
    model.metadata_props.add(key="onnxray_generator", value=card)
    onnx.save(model, tmp_path / "g.onnx")
    with pytest.raises(InputError, match="is no generator that onnxray trained"):
        Generator.opened(str(tmp_path / "g.onnx"))
