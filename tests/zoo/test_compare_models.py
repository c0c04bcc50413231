"""Real files beside each other: fp32, int8 and float16 of one network, and another network of the same classes."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxray

ZOO = Path(os.environ.get("ONNXRAY_ZOO") or Path(__file__).parents[3] / "shared" / "zoo")
NETS = ZOO / "squeezenet-v1.1-onnx"
pytestmark = pytest.mark.skipif(not NETS.is_dir(), reason="the models are not beside this checkout")
PHOTOS = [ZOO / "data-photos" / name for name in ("bvlc_cat.jpg", "bvlc_fish-bike.jpg")]


def squeezenet(name: str) -> onnxray.Model:
    return onnxray.open(NETS / f"{name}.onnx", "caffe-imagenet")


@pytest.fixture(scope="module")
def result() -> Any:
    names = (
        "squeezenet_v1.1_fp32_from_fp16",
        "squeezenet_v1.1_qdq_int8",
        "squeezenet_v1.1_qop_uint8",
        "SqueezeNet_fp16",
    )
    return onnxray.compare([squeezenet(name) for name in names], PHOTOS)


def test_all_layers_match_by_name(result: Any) -> None:
    for told in result.extra["models"]:
        assert told["alignment"].startswith("26 layers with weights of 26 and 26 matched: 26 by name"), told["path"]
        assert told["refused"] == []


def test_float16_does_not_part_and_maps_agree(result: Any) -> None:
    half = result.extra["models"][2]
    assert max(layer["relative"] for layer in half["layers"]) < 5e-3
    assert half["agreement"]["share"] == 1
    assert half["agreement"]["largest_change"] < 1e-3
    assert half["rank_correlation"]["mean"] > 0.999


def test_whole_numbers_part_at_the_first_layer_and_maps_stay(result: Any) -> None:
    for told in result.extra["models"][:2]:
        assert told["parts_at"] == told["layers"][0]["a"]
        assert told["rank_correlation"]["mean"] > 0.9


def test_an_activation_taken_in_is_compared_behind_it(result: Any) -> None:
    """The relu of the float file and what the whole numbers stand for, by plain ONNX Runtime."""
    first = result.extra["models"][1]["layers"][0]
    assert (first["a"], first["b"]) == ("conv1_2", "conv1_1_quantized_dequantized")
    model = squeezenet("squeezenet_v1.1_fp32_from_fp16")
    values = model.values(PHOTOS[:1], ["conv1_2"])["conv1_2"]
    assert values.min() == 0
    assert first["cosine"] > 0.99


def test_predictions_are_the_sessions_own(result: Any) -> None:
    for number, name in ((2, "squeezenet_v1.1_qdq_int8"), (4, "SqueezeNet_fp16")):
        model = squeezenet(name)
        session = onnxruntime.InferenceSession(NETS / f"{name}.onnx")
        for photo, item in zip(PHOTOS, [item for item in result.items if item.model == number]):
            (output,) = session.run(None, dict(model.feeds([photo])))
            assert item.said[1]["class"] == int(np.asarray(output).reshape(-1).argmax())
