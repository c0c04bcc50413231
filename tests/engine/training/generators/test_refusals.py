"""Generators and inverters that are none, or of something else: one line each, before anything is computed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxray
import onnxray_models
from onnxray.errors import InputError, OutputError, UnknownValue
from onnxray.methods.synthesis.invert import Invert
from onnxray.results.keeping import Keeping
from onnxray.training import checkpoints
from onnxray.training.generators import course
from onnxray.training.generators.drawn import drawn_generator, drawn_inverter
from onnxray.training.generators.fooling import FoolWithGenerator
from onnxray.training.generators.inversion import TrainInverter
from onnxray.training.generators.rendering import RenderGenerator
from onnxray.training.generators.training import TrainGenerator

DIGITS = list(onnxray_models.samples("lenet"))
NONE = "is no generator that onnxray trained"


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


def drawn(**card: Any) -> onnx.ModelProto:
    """A generator for LeNet that was never trained."""
    proto = drawn_generator((1, 28, 28), 10, width=1, maps=1, noise=0, feed="once", random=np.random.default_rng(0))
    known = {"numbers": list(range(10)), "layer": None, "sha256": "another"}
    proto.metadata_props.add(key="onnxray_generator", value=json.dumps({**known, **card}))
    return proto


def renamed(old: str, new: str) -> onnx.ModelProto:
    proto = drawn()
    for node in proto.graph.node:
        for names in (node.input, node.output):
            for k, name in enumerate(names):
                names[k] = new if name == old else name
    for value in (*proto.graph.input, *proto.graph.output):
        value.name = new if value.name == old else value.name
    return proto


def with_bias(proto: onnx.ModelProto, bias: float) -> onnx.ModelProto:
    """It adds as much to its picture before the Tanh."""
    for held in proto.graph.initializer:
        if held.name == "last.bias":
            held.CopyFrom(numpy_helper.from_array(np.full(1, bias, np.float32), "last.bias"))
    return proto


def with_relu(proto: onnx.ModelProto) -> onnx.ModelProto:
    for node in proto.graph.node:
        node.op_type = "Relu" if node.op_type == "Tanh" else node.op_type
    return with_bias(proto, 9)


@pytest.mark.parametrize(
    ("proto", "said"),
    [
        (lambda: drawn(numbers=[]), NONE),
        (lambda: drawn(numbers=[-1, 2]), NONE),
        (lambda: drawn(numbers=[3, 3]), NONE),
        (lambda: drawn(numbers=[0.5, 1.7]), NONE),
        (lambda: drawn(numbers=[True, False]), NONE),
        (lambda: drawn(numbers="0123"), NONE),
        (lambda: drawn(layer=3), NONE),
        (lambda: renamed("class", "klass"), r"it takes \['klass'\] and gives \['picture'\]"),
        (lambda: renamed("picture", "out"), r"gives \['out'\]"),
        (lambda: drawn(numbers=[5, 500]), "the generator shows 500, and the model has 10 classes"),
        (lambda: drawn(layer="conv2", numbers=[49, 50]), "shows 50, and the model has 50 channels at 'conv2'"),
        (lambda: drawn(layer="data"), "holds no channels to choose among"),
        (lambda: drawn(layer="conv*"), r"'conv\*' stands for 2 values: 'conv1', 'conv2'; one was expected"),
        (lambda: with_bias(drawn(), np.nan), "numbers that are none from -1 to 1"),
        (lambda: with_relu(drawn()), "numbers that are none from -1 to 1"),
    ],
)
def test_a_generator_that_does_not_fit(
    proto: Callable[[], onnx.ModelProto], said: str, lenet: onnxray.Model, tmp_path: Path
) -> None:
    file = str(tmp_path / "g.onnx")
    onnx.save(proto(), file)
    for call in (
        lambda: RenderGenerator(generator=file)(lenet),
        lambda: FoolWithGenerator(generator=file, coefficients="5")(lenet, DIGITS[:2]),
    ):
        with pytest.raises((InputError, UnknownValue), match=said):
            call()


def test_a_layer_that_is_not_there(lenet: onnxray.Model, tmp_path: Path) -> None:
    file = str(tmp_path / "g.onnx")
    onnx.save(drawn(layer="nosuch\x1b[31m"), file)
    for method in (RenderGenerator(generator=file), FoolWithGenerator(generator=file)):
        with pytest.raises(UnknownValue, match=r"nosuch\\x1b\[31m"):
            method(lenet, DIGITS[:1])


def test_a_generator_of_another_file_is_said_to_be_one(lenet: onnxray.Model, tmp_path: Path) -> None:
    for sha, notes in (("another", 1), (lenet.graph.sha256, 0)):
        file = str(tmp_path / "g.onnx")
        onnx.save(drawn(sha256=sha), file)
        for method in (RenderGenerator(generator=file, numbers="3"), FoolWithGenerator(generator=file, numbers="3")):
            result = method(lenet, DIGITS[:1] if isinstance(method, FoolWithGenerator) else None)
            said = [note for note in result.provenance.notes if "was trained on another file" in note]
            assert len(said) == notes


@pytest.mark.parametrize("text", ["0", "-1", "abc", "", "256", "1-", "-", "1.5", "1-35,7", "nan", "1-99999999999"])
def test_coefficients_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="numbers from 1 to 255 were expected"):
        FoolWithGenerator(generator="g.onnx", coefficients=text)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((1, 28, 28), np.float32), "whose largest number is 0"),
        (np.full((1, 28, 28), np.nan, np.float32), "whose largest number is nan"),
        (np.ones((1, 28, 28), np.int64), "in real numbers"),
        (np.ones((3, 28, 28), np.float32), r"a perturbation of \[1, 28, 28\]"),
    ],
)
def test_a_universal_perturbation_is_read_before_anything_is_fooled(
    array: Any, said: str, lenet: onnxray.Model, tmp_path: Path
) -> None:
    onnx.save(drawn(), tmp_path / "g.onnx")
    np.save(tmp_path / "u.npy", array)
    method = FoolWithGenerator(generator=str(tmp_path / "g.onnx"), universal=str(tmp_path / "u.npy"))
    with Keeping.into(tmp_path / "out", "generator-fool") as keep, pytest.raises(InputError, match=said):
        method(lenet, DIGITS[:1], keep=keep)
    assert not (tmp_path / "out").exists()


def test_layers_to_show(lenet: onnxray.Model) -> None:
    with pytest.raises(UnknownValue, match=r"'conv\*' stands for 2 values"):
        TrainGenerator(channels="conv*")(lenet)
    with pytest.raises(InputError, match="holds no channels to choose among"):
        TrainGenerator(channels="data")(lenet)
    with pytest.raises(InputError, match="channels is '50'; numbers from 0 to 49"):
        TrainGenerator(channels="conv2:50")(lenet)
    assert TrainGenerator(channels="conv2").shown(lenet) == ("conv2", "conv2", tuple(range(50)))
    assert TrainGenerator(channels="conv2:3").shown(lenet) == ("conv2", "conv2", (3,))
    assert TrainGenerator(channels="prob").shown(lenet) == ("prob", "prob", tuple(range(10)))
    with pytest.raises(UnknownValue, match=r"'ip\*' stands for"):
        TrainInverter(layer="ip*")(lenet, DIGITS[:10])


def inverter(code: tuple[int, ...] = (500,), shape: tuple[int, int, int] = (1, 28, 28), **card: Any) -> onnx.ModelProto:
    proto = drawn_inverter(code, shape, width=1, random=np.random.default_rng(0))
    known = {"layer": "ip1", "sha256": onnxray.open("lenet").graph.sha256}
    proto.metadata_props.add(key="onnxray_inverter", value=json.dumps({**known, **card}))
    return proto


@pytest.mark.parametrize(
    ("proto", "layer", "said"),
    [
        (inverter, ("ip1", "ip2"), r"was trained for 'ip1', not for \['ip1', 'ip2'\]; name that layer alone"),
        (inverter, None, "name that layer alone: --layer 'ip1'"),
        (lambda: inverter(sha256="0" * 64), "ip1", "was trained for another file"),
        (lambda: inverter(code=(3,)), "ip1", r"takes 'code \[3\]'"),
        (lambda: inverter(shape=(1, 8, 8)), "ip1", r"picture \[1, 28, 28\] of each were expected"),
        (lambda: drawn(), "ip1", "is no inverter that onnxray trained"),
    ],
)
def test_an_inverter_that_does_not_fit_is_refused_before_a_step(
    proto: Callable[[], onnx.ModelProto], layer: Any, said: str, lenet: onnxray.Model, tmp_path: Path
) -> None:
    onnx.save(proto(), tmp_path / "f.onnx")
    told: list[str] = []
    method = Invert(layer=layer, steps=1, learned=str(tmp_path / "f.onnx"))
    with pytest.raises(InputError, match=said):
        method(lenet, DIGITS[:1], progress=lambda _done, _whole, what: told.append(what))
    assert not told


def test_an_inverter_that_gives_no_numbers(lenet: onnxray.Model, tmp_path: Path) -> None:
    onnx.save(with_bias(inverter(), np.nan), tmp_path / "f.onnx")
    with pytest.raises(InputError, match="numbers that are not finite"):
        Invert(layer="ip1", steps=1, learned=str(tmp_path / "f.onnx"))(lenet, DIGITS[:1])


class Killed(BaseException):
    """As a process ends that is killed."""


def test_a_training_whose_state_was_lost_is_not_begun_in_its_middle(
    lenet: onnxray.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, "_ROUND", 1)
    method = TrainGenerator(steps=3, batch=2, width=1, classes="0,1")
    old = course.GeneratorCourse.round

    def stopped(own: Any, number: int, run: Any) -> None:
        if number == 2:
            raise Killed
        old(own, number, run)

    with monkeypatch.context() as patched:
        patched.setattr(course.GeneratorCourse, "round", stopped)
        with pytest.raises(Killed), Keeping.into(tmp_path / "out", "generator-train") as keep:
            method(lenet, keep=keep)
    states = sorted((tmp_path / "out").rglob("epoch-*.pt"))
    assert states
    with (
        pytest.raises(OutputError, match="method.options.steps: 3 there, 4 here"),
        Keeping.into(tmp_path / "out", "generator-train", resume=True) as keep,
    ):
        TrainGenerator(steps=4, batch=2, width=1, classes="0,1")(lenet, keep=keep)
    for state in states:
        state.unlink()
    with (
        pytest.raises(OutputError, match="holds no state of the training after 2 steps"),
        Keeping.into(tmp_path / "out", "generator-train", resume=True) as keep,
    ):
        method(lenet, keep=keep)


def test_what_is_finished_stays_when_a_later_round_fails(
    lenet: onnxray.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, "_ROUND", 1)
    method = TrainGenerator(steps=3, batch=2, width=1, classes="0,1")
    old, begun = course.write_state, []

    def full(folder: Path, number: int, state: Any) -> None:
        begun.append(number)
        if number == 2 and begun.count(2) == 1:
            raise OutputError("the disk is full")
        old(folder, number, state)

    monkeypatch.setattr(course, "write_state", full)
    with (
        pytest.raises(OutputError, match="the disk is full"),
        Keeping.into(tmp_path / "out", "generator-train") as keep,
    ):
        method(lenet, keep=keep)
    with Keeping.into(tmp_path / "out", "generator-train", resume=True) as keep:
        again = method(lenet, keep=keep)
        keep.complete(again)
    assert begun == [0, 1, 2, 2]
    whole = method(lenet)
    assert [item.numbers() for item in again] == [item.numbers() for item in whole]


def test_a_full_disk_is_said_as_one(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"epoch-0\.pt cannot be written: File too large"):
            checkpoints.write_state(tmp_path, 0, {"standing": "x" * 10_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())
