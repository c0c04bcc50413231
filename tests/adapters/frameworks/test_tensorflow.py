"""SavedModel folders through `onnxray convert`; where TensorFlow is not installed, that is what is said."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import ModelFileError
from onnxray.model.converting import convert_model

THERE = all(importlib.util.find_spec(name) for name in ("tensorflow", "tf2onnx"))
pytestmark = pytest.mark.filterwarnings("ignore")


def folder(where: Path) -> Path:
    (where / "saved").mkdir()
    (where / "saved" / "saved_model.pb").write_bytes(b"\x08\x01")
    return where / "saved"


@pytest.mark.skipif(THERE, reason="TensorFlow is installed")
def test_without_tensorflow_the_extra_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["convert", str(folder(tmp_path)), "-o", str(tmp_path / "net.onnx")])
    assert result.exit_code == 1
    assert "a SavedModel needs tensorflow, which is not there: pip install 'onnxray[tensorflow]'" in result.stderr
    assert not (tmp_path / "net.onnx").exists()


def test_it_is_not_opened_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"of another framework; make an ONNX file of it: onnxray convert"):
        onnxray.open(folder(tmp_path))


@pytest.mark.skipif(not THERE, reason="TensorFlow and tf2onnx are not installed")
def test_the_file_gives_tensorflows_numbers(tmp_path: Path) -> None:
    import tensorflow as tf

    class Net(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(np.random.default_rng(0).standard_normal((3, 3, 3, 4)).astype(np.float32))

        def __call__(self, picture: object) -> object:
            return {
                "answer": tf.nn.softmax(
                    tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(picture, self.weight, 1, "SAME")), [1, 2])
                )
            }

    net = Net()
    call = tf.function(net, input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32, name="picture")])
    tf.saved_model.save(net, str(tmp_path / "saved"), signatures=call)
    with pytest.raises(ModelFileError, match=r"a program for TensorFlow.* State --trust"):
        convert_model(tmp_path / "saved", tmp_path / "net.onnx")
    made = convert_model(tmp_path / "saved", tmp_path / "net.onnx", trust=True)
    assert made.proof is not None
    assert made.proof.largest < 1e-5
    x = np.random.default_rng(1).random((2, 8, 8, 3), np.float32)
    found = made.model.judge.outputs({"picture": x})["answer"]
    np.testing.assert_allclose(found, net(x)["answer"].numpy(), atol=1e-6)
