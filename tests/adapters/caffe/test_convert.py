"""onnxray convert, and what it writes: the file, its profile, a mean image beside it, weights in a file of their own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.checker
import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import InputError, ModelFileError, OutputError
from onnxray.graph.file.written_model import write_model
from onnxray.images.profile.discovery import METADATA_KEY
from onnxray.images.profile.mean_image import MeanImage
from onnxray.model.converting import convert_model
from support import caffe_nets
from support.caffe_files import blob, inputs, layer, write

X = np.random.default_rng(0).standard_normal((3, 1, 8, 8)).astype(np.float32)


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["convert", *arguments])


def test_the_file_is_the_model(tmp_path: Path) -> None:
    source = write(tmp_path, *caffe_nets.small())
    made = convert_model(source, tmp_path / "net.onnx")
    assert made.files == (tmp_path / "net.onnx",)
    assert made.outputs == {"prob": (2, 4)}
    onnx.checker.check_model(str(tmp_path / "net.onnx"), full_check=True)
    direct = onnxray.open(source)
    names = [node.outputs[0] for node in direct.graph.nodes]
    for name, array in direct.judge.values({"data": X}, names).items():
        np.testing.assert_array_equal(made.model.judge.values({"data": X}, [name])[name], array)


def test_weights_lie_in_a_file_of_their_own_where_one_is_too_small(tmp_path: Path) -> None:
    weights = {"ip": [np.random.default_rng(0).standard_normal((4, 2000)).astype(np.float32), np.ones(4, np.float32)]}
    text = inputs(data=(1, 2000)) + layer("InnerProduct", "ip", ["data"], inner_product_param={"num_output": 4})
    graph = onnxray.open(write(tmp_path, text, weights)).graph
    whole, parts = tmp_path / "whole.onnx", tmp_path / "parts.onnx"
    assert write_model(graph.container, whole) == [whole]
    assert write_model(graph.container, parts, largest=10_000) == [parts, tmp_path / "parts.onnx.data"]
    assert parts.stat().st_size < 1000
    x = np.random.default_rng(1).standard_normal((2, 2000)).astype(np.float32)
    for path in (whole, parts):
        onnx.checker.check_model(str(path), full_check=True)
        tensors = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}
        np.testing.assert_array_equal(tensors["ip.0"], weights["ip"][0])
        np.testing.assert_allclose(
            onnxray.open(path).judge.outputs({"data": x})["ip"], x @ weights["ip"][0].T + 1, rtol=1e-4, atol=1e-4
        )
    assert list(tmp_path.glob("*.partial")) == []


def test_the_command_says_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, *caffe_nets.small())
    result = command("net.caffemodel", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["written"] == ["net.onnx"]
    assert document["inputs"] == {"data": ["N", 1, 8, 8]}
    assert document["outputs"] == {"prob": [2, 4]}
    assert document["sha256"] == onnxray.open("net.onnx").graph.sha256
    again = command("net.caffemodel")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "net.onnx is there already" in again.stderr
    over = command("net.caffemodel", "--overwrite")
    assert over.exit_code == 0
    assert "226 parameters" in over.stdout
    assert "prob [2, 4], of seeded inputs by ONNX Runtime" in over.stdout


def test_two_names_for_the_prototxt(tmp_path: Path) -> None:
    text, weights = caffe_nets.small()
    write(tmp_path, "nonsense", weights)
    (tmp_path / "deploy.txt.prototxt").write_text(text)
    model, out = str(tmp_path / "net.caffemodel"), str(tmp_path / "out.onnx")
    assert command(model, "-o", out).exit_code == 1
    assert command(model, "--prototxt", str(tmp_path / "deploy.txt.prototxt"), "-o", out).exit_code == 0


def colour(scale: float = 1.0, means: tuple[float, ...] = (), **transform: Any) -> tuple[str, dict[str, Any]]:
    options = {"scale": scale, "mean_value": list(means), **transform}
    text = layer("Input", "data", [], input_param={"shape": {"dim": [1, 3, 4, 4]}}, transform_param=options)
    text += layer(
        "Convolution", "conv", ["data"], convolution_param={"num_output": 1, "kernel_size": 1, "bias_term": False}
    )
    return text, {"conv": [np.float32([1, 10, 100]).reshape(1, 3, 1, 1)]}


def test_what_a_prototxt_says_of_preprocessing_goes_into_the_file(tmp_path: Path) -> None:
    """Caffe: (pixel - mean) * scale, blue first; here scale * pixel - scale * mean."""
    made = convert_model(write(tmp_path, *colour(0.5, (104, 117, 123))), tmp_path / "net.onnx")
    profile = made.model.profile
    assert profile is not None
    assert (profile.channels, profile.scale, profile.mean, profile.assumed) == ("BGR", 0.5, (52, 58.5, 61.5), False)
    assert profile.source == "ONNX metadata"
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    (found,) = made.model.values([pixels], ["conv"])["conv"]
    caffe = (pixels[..., ::-1].astype(np.float64) - (104, 117, 123)) * 0.5
    np.testing.assert_allclose(found[0], caffe @ (1, 10, 100), rtol=1e-5)


def test_a_mean_image_lies_beside_the_file(tmp_path: Path) -> None:
    mean = np.random.default_rng(3).uniform(90, 130, (1, 3, 6, 6)).astype(np.float32)
    (tmp_path / "mean.binaryproto").write_bytes(blob(mean, legacy=True))
    source = write(tmp_path, *colour(mean_file="/home/me/mean.binaryproto"))
    out = tmp_path / "net.onnx"
    result = command(source, "-o", str(out))
    assert "a mean of the file '/home/me/mean.binaryproto', which is not read unless it is given" in result.stderr
    assert METADATA_KEY not in onnxray.open(source).graph.metadata, "a mean of zero is not what it states"
    made = convert_model(source, out, mean=str(tmp_path / "mean.binaryproto"), overwrite=True)
    assert made.files == (out, tmp_path / "net.toml", tmp_path / "net.mean.npy")
    profile = onnxray.open(out).profile
    assert profile is not None
    assert isinstance(profile.mean, MeanImage)
    assert (profile.resize, profile.resized) == ("stretch", (6, 6))
    np.testing.assert_array_equal(profile.mean.array, mean[0, :, 1:5, 1:5])
    pixels = np.random.default_rng(4).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    (found,) = made.model.values([pixels], ["conv"])["conv"]
    caffe = pixels[..., ::-1].transpose(2, 0, 1) - mean[0, :, 1:5, 1:5].astype(np.float64)
    np.testing.assert_allclose(found[0], np.tensordot([1, 10, 100], caffe, 1), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("mean", "said"),
    [
        (np.zeros((1, 3, 2, 2)), "smaller than the input"), (np.zeros((1, 1, 6, 6)), "3 channels of finite numbers"),
        (np.full((1, 3, 6, 6), np.nan), "finite numbers"), (np.zeros((4,)), "channels, height and width were expected"),
    ],
)  # fmt: skip
def test_a_mean_that_does_not_fit(mean: Any, said: str, tmp_path: Path) -> None:
    (tmp_path / "mean.binaryproto").write_bytes(blob(mean))
    source = write(tmp_path, *colour())
    with pytest.raises(ModelFileError, match=said):
        convert_model(source, tmp_path / "net.onnx", mean=str(tmp_path / "mean.binaryproto"))
    (tmp_path / "mean.binaryproto").write_bytes(b"\xff" * 20)
    with pytest.raises(ModelFileError, match="is no binaryproto, or is damaged"):
        convert_model(source, tmp_path / "net.onnx", mean=str(tmp_path / "mean.binaryproto"))
    assert not (tmp_path / "net.onnx").exists()


def test_another_size(tmp_path: Path) -> None:
    source = write(tmp_path, *colour())
    result = command(source, "--size", "5x7", "-o", str(tmp_path / "net.onnx"))
    assert result.exit_code == 0, result.stderr
    assert [value.shape for value in onnxray.open(tmp_path / "net.onnx").graph.inputs] == [("N", 3, 5, 7)]
    small = write(tmp_path, *caffe_nets.small(), name="small")
    result = command(small, "--size", "9", "-o", str(tmp_path / "small.onnx"))
    assert result.exit_code == 1
    assert "its weight is 6x27 in the caffemodel; 6x48 was expected" in result.stderr
    for size in ("0", "axb", "1x2x3"):
        assert command(source, "--size", size, "-o", str(tmp_path / "other.onnx")).exit_code == 1


def test_what_cannot_be_written(tmp_path: Path) -> None:
    source = write(tmp_path, *caffe_nets.small())
    with pytest.raises(OutputError, match=r"ending in \.onnx"):
        convert_model(source, tmp_path / "net.txt")
    with pytest.raises(OutputError, match="cannot be written"):
        convert_model(source, tmp_path / "none" / "net.onnx")
    with pytest.raises(InputError, match=r"no converter reads such a file; those there are read \.caffemodel, "):
        convert_model(tmp_path / "net.onnx", tmp_path / "other.onnx")
    assert list(tmp_path.glob("*.onnx*")) == []
