"""LOTS on trained networks from outside the repository; skipped where they are not beside the checkout."""

from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut

import onnxray
import onnxray_models
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.lots.summary import summarize
from onnxray.objectives.goals import TargetImages, TargetValues

ZOO = Path(__file__).parents[3] / "shared" / "zoo"
pytestmark = pytest.mark.skipif(not ZOO.is_dir(), reason="the models are not beside this checkout")

LAYERS = ("conv1", "conv2", "ip1", "ip2")
SAMPLES = onnxray_models.samples("lenet") if ZOO.is_dir() else ()


def test_inhibition_on_the_genuine_caffe_lenet_costs_less_with_depth() -> None:
    model = onnxray.open(ZOO / "lenet-bvlc-caffe" / "lenet_bvlc.onnx", "lenet")
    digits = [path for path in SAMPLES if path.stem[-1] in "0123"]
    layers = summarize(LOTS(layer=LAYERS)(model, digits, "inhibit").items)
    medians = [layer.l2[1] for layer in layers]
    assert [layer.layer for layer in layers] == list(LAYERS)
    assert medians == sorted(medians, reverse=True)
    assert np.isfinite(medians).all()
    ratios = np.array(medians) / medians[2]
    assert np.allclose(ratios, [1.8, 1.3, 1.0, 0.75], rtol=0.2)  # measured elsewhere, on other digits


def test_a_four_becomes_a_nine_at_every_layer_of_the_genuine_lenet() -> None:
    model = onnxray.open(ZOO / "lenet-bvlc-caffe" / "lenet_bvlc.onnx", "lenet")
    fours, nines = ([path for path in SAMPLES if path.stem in {f"{d}_0", f"{d}_1"}] for d in (4, 9))
    items = LOTS(layer=LAYERS)(model, fours, TargetImages(images=nines, pairing="all")).items
    reached = {layer.layer: layer.share_reached for layer in summarize(items)}
    assert reached["conv1"] == reached["ip1"] == reached["ip2"] == 1
    assert all(item.class_ == 9 for item in items if item.success)


def test_step_and_adjust_turns_a_cat_into_a_dog_at_three_depths_of_squeezenet() -> None:
    path = ZOO / "squeezenet-v1.1-onnx" / "squeezenet_v1.1_fp32_from_fp16.onnx"
    model = onnxray.open(path, "caffe-imagenet")
    photos = ZOO / "data-photos"
    layers = ("fire6/concat_1", "fire9/concat_2", "logits")
    items = LOTS(layer=layers, steps=300)(model, photos / "cat.jpg", photos / "dog.jpg").items
    assert [(item.origin.class_, item.class_, item.success) for item in items] == [(285, 207, True)] * 3
    scores = [item.similarity.score for item in items if item.similarity]
    assert scores == sorted(scores)
    assert scores[-1] > 0.99


def test_a_stolen_template_is_enough_for_mobilefacenet(tmp_path: Path) -> None:
    profile = tmp_path / "face.toml"
    profile.write_text(
        'name = "mobilefacenet"\nlayout = "NCHW"\nchannels = "RGB"\nscale = 1.0\nmean = [127.5, 127.5, 127.5]\n'
        "std = [128.0, 128.0, 128.0]\nsize = [112, 112]\n"
    )
    model = onnxray.open(ZOO / "mobilefacenet-vface-onnx" / "mobilefacenet.onnx", profile)
    reference = np.load(ZOO / "oracle" / "mobilefacenet-vface-onnx__mobilefacenet.npz")
    template = reference["out:embedding"][3]
    method = LOTS(layer="embedding", steps=300, metric="cosine", distance=0.1, relative=False)
    (item,) = method(model, astronaut()[50:162, 167:279], TargetValues(values=template)).items
    assert item.success
    embedding = model.values(item.images["image"][None], ["embedding"])["embedding"][0]
    cosine = embedding @ template / np.linalg.norm(embedding) / np.linalg.norm(template)
    assert cosine > 0.9
    assert item.similarity is not None
    assert item.similarity.score > 0.94
