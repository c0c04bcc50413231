"""Twin against judge: the first check, what it remembers, and finding the node that is at fault."""

import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import onnxray
from onnxray.engines.agreement.comparison import (
    TOLERANCE,
    compare,
    compared,
    difference,
    number,
    of_all,
    short_floats,
)
from onnxray.engines.agreement.outputs_check import check_outputs
from onnxray.engines.check_memory import cache_folder
from onnxray.engines.seeded_inputs import seeded_inputs, seeded_pixels
from onnxray.engines.twin import Twin
from onnxray.errors import MismatchError, UnsupportedOperator
from onnxray.graph.reading import read_graph
from onnxray.images.profile.profile import Profile
from onnxray.model import model as model_module
from support import models
from support.paths import ROOT

R = models.random
X = models.pictures(2)
Write = Callable[..., Path]


def gradient(model: onnxray.Model) -> np.ndarray:
    return np.asarray(model.pullback(X, {"ip2": R(0, 5)}))


def broken_pool(monkeypatch: pytest.MonkeyPatch, factor: float = 1.01) -> None:
    real = nn.AvgPool2d.forward
    monkeypatch.setattr(nn.AvgPool2d, "forward", lambda self, x: real(self, x) * factor)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A note for every time that the judge is asked."""
    notes: list[str] = []
    real = model_module.Judge.outputs
    monkeypatch.setattr(
        model_module.Judge, "outputs", lambda *args, **kw: (notes.append("asked"), real(*args, **kw))[1]
    )
    return notes


# compare


@pytest.mark.parametrize(
    "kind", ["plain", "infinite", "some NaN", "a sample of NaN", "NaN", "empty", "other shape", "whole"]
)
def test_the_difference_of_all_samples_is_told_from_parts_of_them(kind: str) -> None:
    graph = read_graph(models.lenet())
    judge, twin = R(0, 5, 700, 900), R(0, 5, 700, 900) + R(1, 5, 700, 900, scale=1e-3)
    if kind == "infinite":
        judge[1, 2, 3] = twin[1, 2, 3] = np.inf
    elif kind == "some NaN":
        judge[4, 2, 3] = np.nan
    elif kind == "a sample of NaN":
        judge[2] = twin[2] = np.nan
    elif kind == "NaN":
        judge[:] = np.nan
    elif kind == "empty":
        judge, twin = judge[:, :0], twin[:, :0]
    elif kind == "other shape":
        twin = twin[:, :-1]
    elif kind == "whole":
        judge, twin = (np.rint(50 * array).astype(np.int16) for array in (judge, twin))
    whole = compare(graph, "conv1", judge, twin)
    parts = [difference(graph, "conv1", judge[k : k + 2], twin[k : k + 2]) for k in (0, 2, 4)]
    found = compared(graph, "conv1", of_all(graph, "conv1", parts))
    assert repr(found) == repr(whole)  # NaN among the numbers
    if kind in {"plain", "whole"}:
        assert found.absolute == np.abs(twin.astype(float) - judge.astype(float)).max() > 0


def test_the_same_is_told_of_arrays_in_any_order_of_memory() -> None:
    graph = read_graph(models.lenet())
    judge, twin = R(0, 3, 4, 5), R(1, 3, 4, 5)
    turned = np.asfortranarray(judge), twin.transpose(2, 0, 1).copy().transpose(1, 2, 0)
    assert difference(graph, "conv1", *turned) == difference(graph, "conv1", judge, twin)
    assert compare(graph, "ip1", np.float32(2.0)[()].reshape(()), np.float32(2.5).reshape(())).absolute == 0.5


def test_compare_states_its_formula() -> None:
    graph = read_graph(models.lenet())
    judge = np.float32([1, -4, 2])
    within, beyond = judge + np.float32([0, 0.9 * 4 * TOLERANCE, 0]), judge + np.float32([0, 0, 1.1 * 4 * TOLERANCE])
    found = compare(graph, "conv1", judge, within)
    assert (found.name, found.node, found.operator, found.shape) == ("conv1", "first", "Conv", (3,))
    assert found.absolute == pytest.approx(0.9 * 4 * TOLERANCE, rel=1e-3)
    assert found.relative == pytest.approx(0.9 * TOLERANCE, rel=1e-3)
    assert found.agrees
    assert not compare(graph, "conv1", judge, beyond).agrees
    assert compare(graph, "conv1", judge, beyond, tolerance=0.01).agrees


@pytest.mark.parametrize(
    ("judge", "twin", "agrees"),
    [
        ([0.0, 0.0], [0.0, 5e-7], True),
        ([0.0, 0.0], [0.0, 1e-3], False),
        ([np.inf, 1], [np.inf, 1], True),
        ([np.inf, 1], [-np.inf, 1], False),
        ([np.inf, 1], [3e38, 1], False),
        ([1, np.nan], [1, np.nan], True),
        ([1, np.nan], [1, 1], False),
        ([1, 1], [1, np.nan], False),
        ([1, 1], [1, np.inf], False),
        ([np.nan, np.nan], [np.nan, np.nan], False),
        ([np.nan, np.nan], [1, 1], False),
        ([], [], True),
    ],
)
def test_compare_of_odd_numbers(judge: list[float], twin: list[float], agrees: bool) -> None:
    assert compare(read_graph(models.lenet()), "ip2", np.float32(judge), np.float32(twin)).agrees is agrees


def test_compare_of_other_shapes() -> None:
    found = compare(read_graph(models.lenet()), "ip2", np.zeros((2, 5)), np.zeros((5, 2)))
    assert not found.agrees
    assert number(found.absolute) is None


# The first check


def test_a_wrong_converter_gives_no_gradient_now_nor_next_time(
    lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    with monkeypatch.context() as patch:
        broken_pool(patch, 1.5)
        model = onnxray.open(lenet, models.GREY)
        for opened in (model, model, onnxray.open(lenet, models.GREY)):
            with pytest.raises(
                MismatchError, match=r"disagree on value 'prob'.*no gradient.*onnxray verify MODEL"
            ) as caught:
                gradient(opened)
            assert "\n" not in str(caught.value)
        assert not list(cache.rglob("*.json"))
        assert model.predict(X).classes.shape == (2,)  # the judge needs no twin
    assert np.isfinite(gradient(onnxray.open(lenet, models.GREY))).all()


def saturated() -> onnx.ModelProto:
    """Logits in the thousands: every probability is 0 or 1."""
    weights = models.lenet_weights()
    return models.lenet(weights=weights | {"w4": weights["w4"] * 1e5})


def test_the_twin_is_built_while_the_judge_starts_where_the_weights_are_small(
    lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, order = read_graph(lenet), []

    def judge(names: Sequence[str]) -> dict[str, np.ndarray]:
        assert started.wait(60)
        order.append("judge")
        return {name: np.full((1, 5), 0.2, np.float32) for name in names}

    def twin(names: Sequence[str]) -> dict[str, np.ndarray]:
        order.append("twin")
        return {name: np.full((1, 5), 0.2, np.float32) for name in names}

    def prepare(names: Sequence[str]) -> None:
        order.append(f"prepare {names}")
        started.set()

    started = threading.Event()
    check_outputs(graph, judge, twin, prepare=prepare)
    assert order == ["prepare ['prob']", "judge", "twin"]
    monkeypatch.setattr("onnxray.engines.agreement.outputs_check._SMALL", 10)
    order.clear()
    check_outputs(graph, judge, twin, prepare=prepare)
    assert order == ["judge", "twin"]


def test_what_the_twin_refuses_while_it_is_built_is_told() -> None:
    model = models.parse("g (string[N] x) => (float[N] y) { s = Identity (x) n = StringNormalizer (s) y = Cast <to = 1> (n) }")  # fmt: skip
    with pytest.raises(UnsupportedOperator, match="StringNormalizer"):
        check_outputs(
            read_graph(model),
            lambda names: dict.fromkeys(names, np.zeros(1, np.float32)),
            lambda names: dict.fromkeys(names, np.zeros(1, np.float32)),
            prepare=lambda names: Twin(read_graph(model), lambda x: x).prepare(names),
        )


def test_what_was_opened_for_the_check_does_not_stay_open() -> None:
    """The logits are read for it, by a session of their own."""

    def opened() -> int:
        gc.collect()
        return sum(type(one) is onnxruntime.InferenceSession for one in gc.get_objects())

    before, model = opened(), onnxray.open(saturated(), models.GREY)
    model.predict(X)
    assert gradient(model).any()
    assert opened() == before + 1


def test_a_saturated_softmax_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = onnxray.open(saturated(), models.GREY)
    assert set(np.unique(opened.predict(X).probabilities)) == {0, 1}
    with monkeypatch.context() as patch:
        broken_pool(patch)
        with pytest.raises(MismatchError, match="'ip2'"):
            gradient(opened)
        with pytest.raises(MismatchError, match="'ip2'"):
            onnxray.to_torch(saturated())
    assert gradient(onnxray.open(saturated(), models.GREY)).any()


@pytest.mark.parametrize("hidden", [0.0, np.nan])
def test_the_logits_are_read_where_a_probability_says_nothing(lenet: onnx.ModelProto, hidden: float) -> None:
    asked = list[str]()

    def gives(value: float) -> Callable[[Sequence[str]], dict[str, np.ndarray]]:
        def give(names: Sequence[str]) -> dict[str, np.ndarray]:
            asked.extend(names)
            return {name: np.float32([[hidden if name == "prob" else value, 0.2]]) for name in names}

        return give

    with pytest.raises(MismatchError, match="'ip2'"):
        check_outputs(read_graph(lenet), gives(1.0), gives(2.0))
    assert asked == ["prob", "ip2", "prob", "ip2"]


def test_nothing_is_not_a_zero() -> None:
    """What the twin gives for an optional that is empty, or a sequence of nothing."""
    graph = read_graph(models.parse("g (float[N,2] x) => (float[N,2] y) { y = Neg (x) }"))
    zero, nothing = {"y": [np.zeros(1, np.float32)]}, ({"y": None}, {"y": []})
    for side in nothing:
        for judge, twin in ((zero, side), (side, zero)):
            with pytest.raises(MismatchError, match="'y'"):
                check_outputs(graph, lambda names, judge=judge: judge, lambda names, twin=twin: twin)  # type: ignore[misc]
    check_outputs(graph, lambda names: nothing[0], lambda names: nothing[1])


def test_small_probabilities_are_compared_by_their_logarithms(monkeypatch: pytest.MonkeyPatch) -> None:
    """p is near 1e-9 where the twin says half of it: nothing in p, much in log p."""
    weights = models.lenet_weights() | {"b4": np.float32([20, 0, 0, 0, 0])}
    opened = onnxray.open(models.lenet(weights=weights), models.GREY)
    real = nn.Softmax.forward

    def wrong(self: nn.Softmax, x: torch.Tensor) -> torch.Tensor:
        return real(self, x) * torch.tensor([1, 0.5, 1, 1, 1])

    monkeypatch.setattr(nn.Softmax, "forward", wrong)
    with pytest.raises(MismatchError, match="'prob'"):
        gradient(opened)


def test_a_graph_that_gives_labels_alone_is_checked_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        models.LENET.format(batch="N")
        .replace("float[N,5] prob", "int64[N,1] top")
        .replace("prob = Softmax <axis = 1> (ip2)", "top = ArgMax <axis = 1> (ip2)")
    )
    model = models.parse(text, models.lenet_weights())
    assert gradient(onnxray.open(model, models.GREY)).any()
    monkeypatch.setenv("ONNXRAY_CACHE", os.environ["ONNXRAY_CACHE"] + "2")
    broken_pool(monkeypatch)
    with pytest.raises(MismatchError, match="'ip2'"):
        gradient(onnxray.open(model, models.GREY))


def test_the_check_is_made_once_and_remembered(
    lenet: onnx.ModelProto, write: Write, judged: list[str], cache: Path
) -> None:
    path = write(lenet)
    opened = onnxray.open(path, models.GREY)
    gradient(opened)
    assert len(judged) == 1
    gradient(opened)
    gradient(onnxray.open(path, models.GREY))
    gradient(onnxray.open(write(lenet, "copy.onnx"), models.GREY))  # the same bytes elsewhere
    assert len(judged) == 1
    (note,) = (cache / "verified").glob("*.json")
    said = json.loads(note.read_text())
    assert said["key"]["files"] == {"sha256": opened.graph.sha256}
    assert 0 <= said["found"]["worst_relative"] < TOLERANCE
    assert said["key"]["onnxray"] == onnxray.__version__


def test_another_process_remembers(lenet: onnx.ModelProto, write: Write) -> None:
    path = write(lenet)
    gradient(onnxray.open(path, models.GREY))
    code = f"""
import sys; sys.path[:0] = ['engine', 'tests']
import onnxray
from onnxray.engines.judge import Judge
from support import models
def refuse(*args, **kwargs): raise SystemExit('the judge was asked')
Judge._run = refuse
print(onnxray.open({str(path)!r}, models.GREY).pullback(models.pictures(2), {{'ip2': models.random(0, 5)}}).shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.strip() == "(2, 1, 14, 14)", done.stderr


def other_weights() -> onnx.ModelProto:
    return models.lenet(weights=models.lenet_weights(1))


def test_what_differs_is_checked_again(
    lenet: onnx.ModelProto, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gradient(onnxray.open(lenet, models.GREY))
    other = Profile(name="grey", layout="NCHW", channels="GREY", scale=1 / 255, mean=(0.25,), std=(0.5,), size=(14, 14))
    gradient(onnxray.open(lenet, other))
    assert len(judged) == 2
    gradient(onnxray.open(other_weights(), models.GREY))
    assert len(judged) == 3
    versions = onnxray.Model.versions
    for key in ("device", "torch", "onnxruntime", "onnxray"):
        with monkeypatch.context() as patch:
            patch.setattr(onnxray.Model, "versions", lambda self, key=key: versions(self) | {key: "another"})
            gradient(onnxray.open(lenet, models.GREY))
    assert len(judged) == 7
    gradient(onnxray.open(lenet, models.GREY))
    assert len(judged) == 7


def test_external_data_that_changed_is_checked_again(lenet: onnx.ModelProto, tmp_path: Path, judged: list[str]) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(lenet, path, save_as_external_data=True, location="m.data", size_threshold=100)
    gradient(onnxray.open(path, models.GREY))
    gradient(onnxray.open(path, models.GREY))
    assert len(judged) == 1
    data = tmp_path / "m.data"
    kept, found = data.read_bytes(), data.stat()
    data.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    os.utime(data, ns=(found.st_atime_ns, found.st_mtime_ns))  # of the same length and age
    gradient(onnxray.open(path, models.GREY))
    assert len(judged) == 2
    data.write_bytes(kept)
    gradient(onnxray.open(path, models.GREY))
    assert len(judged) == 2


def test_a_cache_that_cannot_be_written_costs_time_alone(
    lenet: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ONNXRAY_CACHE", str(tmp_path / "file"))
    assert gradient(onnxray.open(lenet, models.GREY)).any()


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ONNXRAY_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ONNXRAY_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/onnxray")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "onnxray"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "onnxray"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert cache_folder() == Path("/local/onnxray")
    monkeypatch.delenv("LOCALAPPDATA")
    assert cache_folder() == Path.home() / "AppData" / "Local" / "onnxray"


# verify


def test_verify_compares_every_real_value(lenet: onnx.ModelProto) -> None:
    found = onnxray.open(lenet, models.GREY).verify()
    assert found.agrees
    assert found.first_divergence is None
    assert [c.name for c in found.comparisons] == list(models.LENET_VALUES[1:])
    assert all(c.absolute <= TOLERANCE * 10 and c.shape[0] == 2 for c in found.comparisons)
    assert found.outputs_moved < 1e-5
    assert "seeded" in found.inputs
    told = found.to_dict()
    first = json.loads(json.dumps(told, allow_nan=False))["values"][0]
    assert set(first) == {
        "name", "node", "operator", "shape", "absolute", "relative", "allowed", "rule", "verdict", "agrees", "steps",
        "own_absolute", "own_relative",
    }  # fmt: skip
    assert (first["name"], first["node"], first["operator"], first["shape"]) == (
        "conv1",
        "first",
        "Conv",
        [2, 4, 12, 12],
    )


def test_verify_names_the_first_value_that_diverges(lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_pool(monkeypatch)
    found = onnxray.open(lenet, models.GREY).verify()
    first = found.first_divergence
    assert not found.agrees
    assert first is not None
    assert (first.name, first.node, first.operator) == ("pool2", "AveragePool_5", "AveragePool")
    assert first.relative == pytest.approx(0.01, rel=0.1)
    assert [c.agrees for c in found.comparisons][:5] == [True] * 5
    assert onnxray.open(lenet, models.GREY).verify(tolerance=0.5).agrees


def test_verify_on_given_images(lenet: onnx.ModelProto) -> None:
    found = onnxray.open(lenet, models.GREY).verify(models.pictures(3))
    assert found.inputs == "given"
    assert found.comparisons[0].shape[0] == 3


def test_verify_skips_what_holds_no_real_numbers() -> None:
    model = models.parse(
        "g (float[N,4] x) => (float[N,4] y) { top = ArgMax <axis = 1> (x) c = Constant <value_float = 2.0> () "
        "d = Neg (c) m = Mul (x, d) f = Cast <to = 1> (top) y = Add (m, f) }"
    )
    found = onnxray.open(model).verify()
    assert set(found.skipped) == {"top", "d"}
    assert [c.name for c in found.comparisons] == ["m", "f", "y"]


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_verify_of_files_that_fix_their_batch(batch: int) -> None:
    assert onnxray.open(models.lenet(batch), models.GREY).verify().agrees


def test_seeded_inputs_follow_the_graph() -> None:
    model = models.parse(
        "g (float[N,3] a, float b, int64[2,T] c, bool[1] d, float16[N] e, float[] f) => (float[N,3] y) { y = Add (a, b) }"
    )
    found = seeded_inputs(read_graph(model))
    shapes: dict[str, Any] = {name: (array.shape, str(array.dtype)) for name, array in found.items()}
    assert shapes == {
        "a": ((2, 3), "float32"), "b": ((), "float32"), "c": ((2, 2), "int64"), "d": ((1,), "bool"),
        "e": ((2,), "float16"), "f": ((2,), "float32"),
    }  # fmt: skip
    assert set(np.unique(found["c"])) <= {0, 1}
    np.testing.assert_array_equal(found["a"], seeded_inputs(read_graph(model))["a"])


@pytest.mark.parametrize("shape", [(1, 14, 14), (3, 20, 30), (3, 1, 1)])
def test_seeded_pixels_are_pictures(shape: tuple[int, int, int]) -> None:
    found = seeded_pixels(shape)
    assert found.shape == (2, *shape)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 255
    np.testing.assert_array_equal(found, np.rint(found))


def test_verify_leaves_out_what_nobody_reads() -> None:
    """Masks of Dropout and statistics of BatchNormalization are declared by old exporters, and mean nothing."""
    statistics = {"s": R(1, 4), "b": R(2, 4), "m": R(3, 4), "v": np.abs(R(4, 4)) + 1}
    model = models.parse(
        """g (float[N,4,6,6] x) => (float[N,4,5,5] y) {
          d, mask = Dropout (x)
          n = BatchNormalization (d, s, b, m, v)
          y, where = MaxPool <kernel_shape = [2, 2]> (n)
        }""",
        statistics,
        opset=9,
    )
    found = onnxray.open(model).verify()
    assert found.agrees
    assert [c.name for c in found.comparisons] == ["d", "n", "y"]


def test_halves_are_let_differ_by_ten_of_their_roundings() -> None:
    graph, judge = read_graph(models.lenet()), np.float32([1, -4, 2])
    halves = judge.astype(np.float16)
    limit = TOLERANCE + 10 * 2**-10
    assert compare(graph, "ip2", halves, judge * np.float32(1 + 0.9 * limit)).agrees
    assert not compare(graph, "ip2", halves, judge * np.float32(1 + 1.1 * limit)).agrees
    assert not compare(graph, "ip2", judge, judge * np.float32(1 + 0.9 * limit)).agrees
    assert compare(graph, "ip2", judge, judge * np.float32(1 + 0.9 * limit), short="float16").agrees
    assert compare(graph, "ip2", judge, judge * 1.07, short="bfloat16").agrees


def test_what_comes_from_short_floats() -> None:
    """Exporters leave inputs and outputs in float32 around a network of float16."""
    model = models.parse(
        """g (float[N,2] x, float16[2] w) => (float[N,2] y, float[N,2] z) {
          h = Cast <to = 10> (x)
          p = Mul (h, w)
          y = Cast <to = 1> (p)
          z = Neg (x)
        }"""
    )
    assert dict(short_floats(read_graph(model))) == {"w": "float16", "h": "float16", "p": "float16", "y": "float16"}


# A mismatch and its cause


def test_a_mismatch_tells_of_the_judges_own_optimisations(
    lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = model_module.Judge.plain_outputs
    with monkeypatch.context() as patch:
        broken_pool(patch, 1.5)
        with pytest.raises(MismatchError) as caught:
            gradient(onnxray.open(lenet, models.GREY))
        assert "optimisations" not in str(caught.value)  # they do not move this file
        patch.setattr(
            model_module.Judge,
            "plain_outputs",
            lambda *args: {n: v / 2 for n, v in real(*args).items()},
        )
        with pytest.raises(MismatchError, match=r"own optimisations move it by 1 relative; without them the twin is"):
            gradient(onnxray.open(lenet, models.GREY))


def test_verify_compares_with_the_files_own_outputs(lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge whose optimisations move the output, while the copy that gives every value agrees with the twin."""
    real = model_module.Judge.outputs

    def moved(self: model_module.Judge, feeds: Any, names: Any = None, *, once: bool = False) -> dict[str, Any]:
        return {name: value * 1.25 for name, value in real(self, feeds, names, once=once).items()}

    monkeypatch.setattr(model_module.Judge, "outputs", moved)
    found = onnxray.open(lenet, models.GREY).verify()
    assert all(row.agrees for row in found.comparisons)
    assert found.fault is None
    assert not found.agrees
    (output,) = found.outputs
    assert (output.name, output.verdict) == ("prob", "differs")
    assert "optimisations move it by 0.25 relative; without them the twin agrees" in found.reason
