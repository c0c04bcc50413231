"""Learned inversion: better than the mean picture on held-out ones, and beside the optimised pre-image."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

import onnxray
import onnxray_models
from onnxray.errors import InputError
from onnxray.methods.synthesis.invert import Invert
from onnxray.results.keeping import Keeping
from onnxray.training.generators.course import drawn_network
from onnxray.training.generators.drawn import drawn_inverter
from onnxray.training.generators.inversion import TrainInverter
from support import models

DIGITS = list(onnxray_models.samples("lenet"))


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


@pytest.fixture(scope="module")
def run(lenet: onnxray.Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    folder = tmp_path_factory.mktemp("inverter") / "out"
    with Keeping.into(folder, "inverter-train") as keep:
        method = TrainInverter(layer="pool2", steps=300, batch=32, width=4, rate=2e-3, held_out="0.2")
        result = method(lenet, DIGITS, keep=keep)
        keep.complete(result)
    return result, folder


def test_held_out_pictures_come_back_nearer_than_the_mean_picture(run: tuple[Any, Path], lenet: onnxray.Model) -> None:
    result, folder = run
    assert len(result) == 20
    assert result.extra["normalised_image_error"] < 0.8 * result.extra["of_the_mean_picture"]
    assert result.extra["normalised_image_error"] == pytest.approx(np.mean([item.image_error for item in result]))
    item = result[0]
    files = json.loads((folder / "result.json").read_text())["items"][0]["files"]
    saved = [np.asarray(Image.open(folder / files[role])) for role in ("original", "image")]
    codes = [lenet.values(one[None, None].astype(np.float32), ["pool2"])["pool2"].ravel() for one in saved]
    off = np.linalg.norm(codes[1] - codes[0]) / np.linalg.norm(codes[0])
    assert item.code_error == pytest.approx(float(off), rel=1e-3)
    assert "pool2" in repr(item)
    again = onnxray.load(folder)
    assert [one.numbers() for one in again] == [one.numbers() for one in result]
    assert again.sheet().width > 1000
    held = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(folder / "inverter.onnx").graph.initializer}
    codes = lenet.values([path for path in DIGITS if path.name not in {Path(i.path).name for i in result}], ["pool2"])
    assert held["size"] == pytest.approx(np.sqrt(np.square(codes["pool2"].astype(np.float64)).mean()), rel=1e-3)


def test_invert_puts_it_beside_the_pre_image(run: tuple[Any, Path], lenet: onnxray.Model) -> None:
    file = str(run[1] / "inverter.onnx")
    (item,) = Invert(layer="pool2", steps=3, learned=file)(lenet, DIGITS[:1])
    assert item.images["learned"].shape == (1, 28, 28)
    assert item.numbers_["learned_error"] < item.numbers_["error"]  # after three steps
    assert item.numbers_["learned_l2"] > 0


def test_what_cannot_be_is_refused(run: tuple[Any, Path], lenet: onnxray.Model) -> None:
    file = str(run[1] / "inverter.onnx")
    with pytest.raises(InputError, match="was trained for 'pool2'"):
        Invert(layer="ip1", steps=1, learned=file)(lenet, DIGITS[:1])
    with pytest.raises(InputError, match="is no inverter that onnxray trained"):
        Invert(layer="ip1", steps=1, learned=str(lenet.graph.path))(lenet, DIGITS[:1])
    with pytest.raises(InputError, match="3 pictures were given to learn from"):
        TrainInverter()(lenet, DIGITS[:3])


@pytest.mark.parametrize(
    ("code", "shape"),
    [((20, 24, 24), (1, 28, 28)), ((8, 27, 27), (3, 50, 50)), ((4, 55, 55), (3, 64, 64)), ((3, 40, 40), (3, 40, 40))],
)
def test_a_large_map_is_inverted_where_it_lies(code: tuple[int, ...], shape: tuple[int, int, int]) -> None:
    proto = drawn_inverter(code, shape, width=2, random=np.random.default_rng(0))
    onnx.checker.check_model(proto, full_check=True)
    assert not [node for node in proto.graph.node if node.op_type == "Gemm"]
    opened, network = drawn_network(proto, "card", "{}")
    x = np.random.default_rng(1).standard_normal((2, *code)).astype(np.float32)
    (judged,) = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"code": x})
    assert judged.shape == (2, *shape)
    # The network in training computes what ONNX Runtime does, Resize included.
    made = network.values({"code": torch.from_numpy(x)}, ["picture"])["picture"].detach().numpy()
    np.testing.assert_allclose(made, judged, atol=2e-5)
    changed = x.copy()
    changed[:, :, : code[1] // 4] += 1
    off = np.abs(opened.judge.outputs({"code": changed}, ["picture"])["picture"] - judged).max((0, 1, 3))
    assert off[: shape[1] // 8].max() > 0
    assert off[-shape[1] // 4 :].max() == 0  # far below nothing has changed


def test_held_out_pictures_are_never_learnt_from(lenet: onnxray.Model, tmp_path: Path) -> None:
    small = {"layer": "ip1", "steps": 2, "batch": 4, "width": 1}
    with pytest.raises(InputError, match="is held out, and an inverter is made of the same picture"):
        TrainInverter(**small, held_out=str(DIGITS[3]))(lenet, DIGITS[:12])
    with pytest.raises(InputError, match="held_out is '1.5'; a folder, or a share"):
        TrainInverter(**small, held_out="1.5")(lenet, DIGITS[:12])
    result = TrainInverter(**small, held_out=(str(DIGITS[20]), str(DIGITS[21])))(lenet, DIGITS[:12])
    assert sorted(Path(item.path).name for item in result) == sorted(path.name for path in DIGITS[20:22])
    assert result.extra["pictures"] == {"learnt": 12, "held_out": 2}
    again = TrainInverter(**small, held_out=(str(DIGITS[21]), str(DIGITS[20])))(lenet, DIGITS[11::-1])
    assert [item.numbers() for item in again] == [item.numbers() for item in result]
    (alone,) = TrainInverter(**small, held_out=str(DIGITS[20]))(lenet, DIGITS[:12])
    x = lenet.pixels(DIGITS[:12]).array.astype(np.float64)
    y = lenet.pixels(DIGITS[20:21]).array.astype(np.float64)
    spread = np.linalg.norm((x - y).reshape(12, -1), axis=1).mean()
    off = np.linalg.norm(alone.images["image"].astype(np.float64) - y[0])
    assert alone.image_error == pytest.approx(off / spread)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("[" * 100_000, "is no inverter that onnxray trained"),
        ('{"layer": "' + "x" * 9999 + '", "sha256": ""}', "was trained"),
    ],
)
def test_a_hostile_card_is_one_short_line(card: str, said: str, lenet: onnxray.Model, tmp_path: Path) -> None:
    model = models.lenet()
    model.metadata_props.add(key="onnxray_inverter", value=card)
    onnx.save(model, tmp_path / "f.onnx")
    with pytest.raises(InputError, match=said) as caught:
        Invert(layer="ip1", steps=1, learned=str(tmp_path / "f.onnx"))(lenet, DIGITS[:1])
    assert len(str(caught.value)) < 600
