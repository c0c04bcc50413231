"""Generators: the drawn file, the training by a frozen model, what is shown and what it fools, by ONNX Runtime."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.errors import InputError
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


def test_added_pictures_are_clipped_and_rounded() -> None:
    x, v = np.float32([[0, 100, 250]]), np.float32([-1, 0.24, 1])
    assert added(x, v, 10).tolist() == [[0, 102, 255]]
    assert pictures_of(np.float32([-1, 0, 1])).tolist() == [0, 128, 255]


class Killed(BaseException):
    """As a process ends that is killed."""


def test_a_training_that_was_killed_goes_on_to_the_same_file(
    lenet: onnxray.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"steps": 6, "batch": 4, "classes": "0-3"}
    monkeypatch.setattr(course, "_ROUND", 2)
    whole = trained(lenet, tmp_path / "whole", **options)
    old = course.GeneratorCourse._loss
    counted = iter(range(100))

    def stopped(own: Any, random: Any) -> Any:
        if next(counted) == 3:
            raise Killed
        return old(own, random)

    with monkeypatch.context() as patched:
        patched.setattr(course.GeneratorCourse, "_loss", stopped)
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
