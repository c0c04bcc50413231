"""Keras' files through `onnxray convert`: layers keep their names, and each is compared."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from onnxray.cli.app import app
from onnxray.errors import InputError, ModelFileError
from onnxray.model.converting import convert_model

pytest.importorskip("onnxscript")
pytest.importorskip("h5py")
pytestmark = pytest.mark.filterwarnings("ignore")

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
if keras.backend.backend() != "torch":
    pytest.skip("Keras runs on another backend here", allow_module_level=True)


def network(size: Any = 12, channels: int = 1, name: str = "small") -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((size, size, channels), name="picture"), layers.Conv2D(4, 3, activation="relu", name="seen"),
            layers.MaxPooling2D(name="pooled"), layers.Dropout(0.5, name="dropped"),
            layers.GlobalAveragePooling2D(name="code"), layers.Dense(3, activation="softmax", name="answer"),
        ],
        name=name,
    )  # fmt: skip


def saved(net: Any, folder: Path, name: str = "net.keras") -> str:
    net.save(folder / name)
    return str(folder / name)


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_layers_keep_their_names_and_numbers(name: str, tmp_path: Path) -> None:
    net = network()
    made = convert_model(saved(net, tmp_path, name), tmp_path / "net.onnx", trust=True)
    assert made.proof is not None
    assert {"seen", "pooled", "code", "answer"} <= made.proof.differences.keys()
    assert [value.name for value in made.model.graph.inputs] == ["picture"]
    assert [value.name for value in made.model.graph.outputs] == ["answer"]
    x = np.random.default_rng(0).random((5, 12, 12, 1), np.float32)
    np.testing.assert_allclose(
        made.model.judge.outputs({"picture": x})["answer"], keras.ops.convert_to_numpy(net(x)), atol=1e-6
    )


def test_two_inputs_and_two_outputs(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    first, second = keras.Input((4,), name="a"), keras.Input((6,), name="b")
    joined = keras.layers.Concatenate(name="both")([first, second])
    net = keras.Model(
        [first, second], [keras.layers.Dense(2, name="p")(joined), keras.layers.Dense(1, name="q")(joined)]
    )
    made = convert_model(saved(net, tmp_path), tmp_path / "net.onnx", trust=True)
    x, y = np.ones((3, 4), np.float32), np.full((3, 6), 2, np.float32)
    found = made.model.judge.outputs({"a": x, "b": y})
    for name, expected in zip("pq", net([x, y])):
        np.testing.assert_allclose(found[name], keras.ops.convert_to_numpy(expected), atol=1e-6)


def test_preprocessing_of_networks_that_are_known_by_name(tmp_path: Path) -> None:
    made = convert_model(saved(network(16, 3, "vgg16"), tmp_path), tmp_path / "net.onnx", trust=True)
    profile = made.model.profile
    assert profile is not None
    assert not profile.assumed
    assert (profile.channels, profile.layout, profile.mean) == ("BGR", "NHWC", (103.939, 116.779, 123.68))
    assert any("keras.applications' 'vgg16'" in note for note in made.notes)
    other = convert_model(saved(network(16, 3, "mine"), tmp_path), tmp_path / "other.onnx", trust=True)
    assert other.model.profile is not None
    assert other.model.profile.assumed


def test_a_converted_network_is_classified_and_explained(tmp_path: Path) -> None:
    picture, out = tmp_path / "x.png", str(tmp_path / "net.onnx")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12), np.uint8)).save(picture)
    result = CliRunner().invoke(app, ["convert", saved(network(), tmp_path), "--trust", "-o", out])
    assert result.exit_code == 0, result.stderr
    result = CliRunner().invoke(app, ["classify", out, str(picture), "--json"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["items"][0]["class"] in range(3)
    result = CliRunner().invoke(
        app, ["saliency", "grad-cam", out, str(picture), "--layer", "seen", "-o", str(tmp_path / "maps")]
    )
    assert result.exit_code == 0, result.stderr


def test_what_is_refused(tmp_path: Path) -> None:
    source = saved(network(), tmp_path)
    with pytest.raises(ModelFileError, match=r"can hold programs .* State --trust"):
        convert_model(source, tmp_path / "net.onnx")
    free = saved(network(None), tmp_path, "free.keras")
    with pytest.raises(InputError, match=r"state --shape"):
        convert_model(free, tmp_path / "net.onnx", trust=True)
    made = convert_model(free, tmp_path / "net.onnx", trust=True, shapes=("1x14x14x1",))
    assert made.proof is not None
    whole = Path(source).read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"PK\x03\x04" + bytes(100)):
        Path(source).write_bytes(damaged)
        with pytest.raises(ModelFileError, match=r"cannot be read by Keras") as caught:
            convert_model(source, tmp_path / "other.onnx", trust=True)
        assert "\n" not in str(caught.value)
