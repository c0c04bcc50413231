"""The judge: what it gives is what a plain ONNX Runtime session gives."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from onnxray.engines.judge import Judge, providers_for
from onnxray.errors import DeviceError, InputError, RuntimeRefusal
from onnxray.graph.reading import read_graph
from support import models

Write = Callable[..., Path]
X = models.random(0, 3, 1, 14, 14)


def sessions(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every session that is started from now on."""
    started: list[object] = []
    real = onnxruntime.InferenceSession

    def start(source: object, *args: object, **kwargs: object) -> onnxruntime.InferenceSession:
        # An open handle of a file is named by /proc: what it leads to tells which file it is.
        started.append(os.path.realpath(source) if isinstance(source, str) else source)
        return real(source, *args, **kwargs)

    monkeypatch.setattr(onnxruntime, "InferenceSession", start)
    return started


def test_outputs_equal_a_plain_session(lenet: onnx.ModelProto, write: Write) -> None:
    expected = models.run(lenet, {"x": X})
    for source in (lenet, write(lenet)):
        found = Judge(read_graph(source)).outputs({"x": X})
        assert list(found) == ["prob"]
        np.testing.assert_array_equal(found["prob"], expected[0])


def test_a_cut_gives_what_promoting_by_hand_gives(lenet: onnx.ModelProto) -> None:
    names = ["conv1", "relu1", "pool1", "conv2", "pool2", "flat", "ip1", "ip2"]
    judge = Judge(read_graph(lenet))
    together = judge.values({"x": X}, names)
    for name, expected in zip(names, models.run(lenet, {"x": X}, names)):
        np.testing.assert_allclose(together[name], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(judge.values({"x": X}, [name])[name], expected, rtol=1e-5, atol=1e-6)
    assert list(together) == names


def test_verdicts_come_from_the_file_itself_and_start_no_cut(
    lenet: onnx.ModelProto, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = sessions(monkeypatch)
    path = write(lenet)
    judge = Judge(read_graph(path))
    assert not started
    judge.outputs({"x": X})
    judge.values({"x": X}, ["prob"])
    judge.values({"x": X}, ["x"])
    assert started == [str(path)]
    judge.values({"x": X}, ["prob", "conv1"])
    judge.values({"x": X}, ["prob", "conv1"])
    assert len(started) == 2


def test_what_was_read_together_is_read_alone_by_the_same_session(
    lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = sessions(monkeypatch)
    judge, names = Judge(read_graph(lenet)), ["conv1", "relu2", "ip1", "x"]
    together = judge.values({"x": X}, names)
    assert len(started) == 1
    for name in names:
        alone = judge.values({"x": X}, [name], among=names)
        assert list(alone) == [name]
        np.testing.assert_array_equal(alone[name], together[name])
    assert len(started) == 1
    np.testing.assert_array_equal(
        judge.values({"x": X}, ["prob"], among=["prob"])["prob"], judge.outputs({"x": X})["prob"]
    )


def test_few_sessions_stay_open(lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    started = sessions(monkeypatch)
    judge = Judge(read_graph(lenet))
    names = ["conv1", "relu1", "pool1", "conv2", "relu2"]
    judge.outputs({"x": X})
    for name in names:
        judge.values({"x": X}, [name])
    assert len(started) == 6
    assert len(judge._cuts) + len(judge._files) <= 4
    judge.values({"x": X}, ["relu2"])
    assert len(started) == 6
    judge.values({"x": X}, ["conv1"])  # the one that was not used for longest was closed
    assert len(started) == 7


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 600])
def test_batches_larger_than_a_chunk(lenet: onnx.ModelProto, count: int) -> None:
    x = models.random(1, count, 1, 14, 14)
    judge = Judge(read_graph(lenet))
    found = judge.values({"x": x}, ["pool2", "ip2"])
    expected = models.run(lenet, {"x": x}, ["pool2", "ip2"])
    for name, array in zip(("pool2", "ip2"), expected):
        assert found[name].shape == array.shape
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-5)
    assert judge.outputs({"x": x})["prob"].shape == (count, 5)


@pytest.mark.parametrize("fixed", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_files_that_fix_their_batch(fixed: int, count: int) -> None:
    free, bound = Judge(read_graph(models.lenet())), Judge(read_graph(models.lenet(fixed)))
    x = models.random(2, count, 1, 14, 14)
    for name in ("prob", "conv1", "flat", "ip2", "x"):
        expected, found = free.values({"x": x}, [name])[name], bound.values({"x": x}, [name])[name]
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_several_rows_a_sample_are_cut_off_right() -> None:
    """Patches in the batch axis: a padded chunk loses all rows of the copies."""
    text = "g (float[4,6] x) => (float[12,2] y) { s = Constant <value = int64[2] {12, 2}> () y = Reshape (x, s) }"
    x = models.random(0, 6, 6)
    found = Judge(read_graph(models.parse(text, opset=13))).outputs({"x": x})["y"]
    np.testing.assert_array_equal(found, x.reshape(18, 2))


def test_values_that_need_no_node() -> None:
    model = models.parse(
        """g (float[N,3] x, float[N,3] z) => (float[N,3] x, float[3] w, float[2] c, float[N,3] y) {
          c = Constant <value = float[2] {1, 2}> ()
          y = Mul (x, w)
        }""",
        {"w": models.random(0, 3)},
    )
    judge = Judge(read_graph(model))
    x = models.random(1, 2, 3)
    found = judge.outputs({"x": x, "z": x})
    assert list(found) == ["x", "w", "c", "y"]
    np.testing.assert_array_equal(found["x"], x)
    np.testing.assert_array_equal(found["w"], models.random(0, 3))
    np.testing.assert_array_equal(found["c"], [1, 2])
    inner = judge.values({"x": x, "z": x}, ["c", "z", "w"])
    np.testing.assert_array_equal(inner["c"], [1, 2])
    np.testing.assert_array_equal(inner["z"], x)
    np.testing.assert_array_equal(inner["w"], models.random(0, 3))


@pytest.mark.parametrize("fixed", ["N", "2"])
def test_constants_are_given_once_in_a_batch_of_many_chunks(fixed: str) -> None:
    model = models.parse(
        f"g (float[{fixed},3] x) => (float[{fixed},3] y) {{ c = Constant <value = float[3] {{1, 2, 3}}> () d = Neg (c) y = Mul (x, d) }}"
    )
    found = Judge(read_graph(model)).values({"x": models.random(0, 601, 3)}, ["c", "d", "y"])
    assert found["c"].shape == found["d"].shape == (3,)
    assert found["y"].shape == (601, 3)


@pytest.mark.parametrize(
    ("node", "count"),
    [
        ("y = ReduceSum <keepdims = 0> (x)", 300),  # a scalar
        ("y = Transpose <perm = [1, 0]> (x)", 300),  # the batch in the second axis, chunks of different size
        ("y = Transpose <perm = [1, 0]> (x)", 512),  # and of the same size, which would join silently
        ("axes = Constant <value = int64[1] {0}> () y = ReduceSum <keepdims = 0> (x, axes)", 512),
    ],
)
def test_what_has_no_batch_axis_is_given_at_once(node: str, count: int) -> None:
    model = models.parse(f"g (float[N,512] x) => (float[M] y) {{ {node} }}", opset=13)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    judge = Judge(read_graph(model))
    x = models.random(0, count, 512)
    np.testing.assert_array_equal(judge.outputs({"x": x})["y"], models.run(model, {"x": x})[0])


def test_several_inputs_without_a_common_batch_are_fed_as_they_are() -> None:
    model = models.parse(
        "g (float[N,3] x, float[3] scale, float s) => (float[N,3] y) { a = Mul (x, scale) y = Mul (a, s) }"
    )
    x, scale, s = models.random(0, 500, 3), models.random(1, 3), np.array(2, np.float32)
    found = Judge(read_graph(model)).outputs({"x": x, "scale": scale, "s": s})["y"]
    np.testing.assert_allclose(found, x * scale * 2, rtol=1e-6)


def test_a_missing_input_is_named() -> None:
    model = models.parse("g (float[N,3] x, float[N,3] mask) => (float[N,3] y) { y = Mul (x, mask) }")
    with pytest.raises(InputError, match="also reads the input 'mask'"):
        Judge(read_graph(model)).outputs({"x": models.random(0, 1, 3)})


def test_inputs_that_a_cut_does_not_need_may_be_there_or_not() -> None:
    model = models.parse("g (float[N,3] x, float[N,3] mask) => (float[N,3] y) { r = Relu (x) y = Mul (r, mask) }")
    judge = Judge(read_graph(model))
    x = models.random(0, 2, 3)
    np.testing.assert_array_equal(judge.values({"x": x}, ["r"])["r"], np.maximum(x, 0))
    np.testing.assert_array_equal(judge.values({"x": x, "mask": x}, ["r"])["r"], np.maximum(x, 0))


def test_weights_listed_as_inputs_need_no_array() -> None:
    model = models.parse(
        "g (float[N,3] x, float[3] w) => (float[N,3] y) { t = Mul (x, w) y = Relu (t) }",
        {"w": models.random(0, 3)},
        opset=8,
        ir=3,
    )
    judge = Judge(read_graph(model))
    x = models.random(1, 2, 3)
    np.testing.assert_array_equal(judge.values({"x": x}, ["t"])["t"], x * models.random(0, 3))
    assert judge.outputs({"x": x})["y"].shape == (2, 3)


@pytest.mark.parametrize(
    "x", [np.zeros((1, 1, 14, 14)), np.zeros((1, 2, 14, 14), np.float32), np.zeros((1, 14), np.float32)]
)
def test_refused_inputs_are_one_line(lenet: onnx.ModelProto, x: np.ndarray) -> None:
    with pytest.raises(RuntimeRefusal, match="refuses the input") as caught:
        Judge(read_graph(lenet)).outputs({"x": x})
    assert "\n" not in str(caught.value)


def test_a_refusal_is_its_first_line_of_400_characters(lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object, **__: object) -> None:
        raise RuntimeError("\n" + "a" * 401 + "\nmore")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refusing)
    with pytest.raises(RuntimeRefusal, match="^ONNX Runtime refuses the model: a{400}$"):
        Judge(read_graph(lenet)).outputs({"x": models.pictures(1)})


def test_nothing_is_printed(lenet: onnx.ModelProto, write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    judge = Judge(read_graph(write(lenet)))
    judge.values({"x": X}, ["prob", "conv1"])
    broken = models.lenet(weights=models.lenet_weights() | {"w3": models.random(0, 20, 7)})
    with pytest.raises(RuntimeRefusal, match="refuses the model"):
        Judge(read_graph(broken)).outputs({"x": X})
    with pytest.raises(RuntimeRefusal):
        Judge(read_graph(lenet)).outputs({"x": X[:, :, :5]})
    assert capfd.readouterr() == ("", "")


def test_devices() -> None:
    assert providers_for("cpu") == ("CPUExecutionProvider",)
    with pytest.raises(DeviceError, match="unknown device 'gpu'; use 'cpu' or 'cuda'"):
        providers_for("gpu")


def test_cuda_without_its_provider(lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match="no CUDA provider; install onnxruntime-gpu"):
        Judge(read_graph(lenet), "cuda").outputs({"x": X})


def test_cuda_on_a_machine_without(lenet: onnx.ModelProto, capfd: pytest.CaptureFixture[str]) -> None:
    judge = Judge(read_graph(lenet), "cuda")
    if torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    with pytest.raises(DeviceError, match="'cuda'") as caught:
        judge.outputs({"x": X})
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().out == ""


def test_a_silent_fall_back_is_an_error(lenet: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime drops a provider whose libraries are missing and goes on with the CPU."""
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda source, options, providers, **_: real(source, options, providers=["CPUExecutionProvider"]),
    )
    with pytest.raises(
        DeviceError, match="could not start CUDAExecutionProvider and fell back to CPUExecutionProvider"
    ):
        Judge(read_graph(lenet), "cuda").outputs({"x": X})


def test_promoted_outputs_give_the_outputs_alone(lenet: onnx.ModelProto) -> None:
    found = Judge(read_graph(lenet)).promoted_outputs({"x": X}, ["conv1", "prob"])
    assert list(found) == ["prob"]
    np.testing.assert_allclose(found["prob"], models.run(lenet, {"x": X})[0], rtol=1e-5)


def test_providers(lenet: onnx.ModelProto) -> None:
    assert Judge(read_graph(lenet)).providers == ("CPUExecutionProvider",)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="which cores a process may use is not to be had here")
def test_no_more_threads_than_cores_that_the_process_may_use(write: Write) -> None:
    """In a process of its own: the cores are the whole process'."""
    program = (
        "import os, onnxray, onnxruntime, numpy as np\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "judge = onnxray.open('lenet').judge\n"
        "judge.outputs({judge.graph.inputs[0].name: np.zeros((1, 1, 28, 28), np.float32)})\n"
        "print(len(os.listdir('/proc/self/task')) - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 0
