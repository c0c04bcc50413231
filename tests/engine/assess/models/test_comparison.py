"""Models on the same pictures: predictions, maps and what is refused, each against the models asked alone."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.assess.models.item import ModelsItem
from onnxray.errors import InputError
from onnxray.images.files import save_png
from onnxray.images.profile.profile import Profile
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from onnxray.report.models_report import pictures
from onnxray.results.result import Result
from support import models
from support.models import parse, random


def model(seed: int = 0, profile: Profile = models.GREY, **options: Any) -> onnxray.Model:
    return onnxray.open(models.lenet(weights=models.lenet_weights(seed)), profile, **options)


@pytest.fixture(scope="module")
def both() -> tuple[onnxray.Model, onnxray.Model]:
    return model(), model(3)


def test_predictions_are_those_of_each_model(both: Any) -> None:
    images = models.pictures(5)
    result = onnxray.compare(both, images, "none", top=3)
    a, b = (one.predict_classes(images) for one in both)
    agree = a.classes == b.classes
    for row, item in enumerate(result.items):
        assert [said["class"] for said in item.said] == [a.classes[row], b.classes[row]]
        assert [entry["class"] for entry in item.said[1]["top"]] == np.argsort(-b.probabilities[row])[:3].tolist()
        assert item.compared is not None
        assert item.compared["agree"] == agree[row]
        change = b.probabilities[row] - a.probabilities[row]
        assert item.compared["largest_change"]["class"] == np.abs(change).argmax()
        assert abs(item.compared["largest_change"]["change"]) == pytest.approx(np.abs(change).max())
    (told,) = result.extra["models"]
    assert told["agreement"]["agree"] == agree.sum()
    assert told["agreement"]["share"] == agree.mean()


def test_maps_explain_the_first_models_class_in_both(both: Any) -> None:
    images = models.pictures(2)
    method = GradCAM(layer="conv2")
    result = onnxray.compare(both, images, method)
    classes = both[0].predict_classes(images).classes
    for row, item in enumerate(result.items):
        assert item.maps is not None
        target = f"class:{classes[row]}"
        heats = [method(one, images[row : row + 1], target).items[0].heat for one in both]
        for drawn, heat in zip(item.maps, heats):
            np.testing.assert_allclose(drawn.heat, heat, rtol=1e-5, atol=1e-7)
        ranks = [np.argsort(np.argsort(heat.ravel(), kind="stable")) for heat in heats]
        if all(len(np.unique(heat)) == heat.size for heat in heats):
            assert item.rank_correlation == pytest.approx(np.corrcoef(ranks)[0, 1])
        assert item.difference is not None
        assert np.abs(item.difference).max() <= 2
    stated = onnxray.compare(both, images, method, target=[1, 4])
    assert [one.target for item in stated.items for one in item.maps or ()] == ["logit of class 1"] * 2 + [
        "logit of class 4"
    ] * 2


def test_a_model_beside_itself(both: Any) -> None:
    result = onnxray.compare([both[0], both[0]], models.pictures(1))
    (told,) = result.extra["models"]
    assert told["parts_at"] is None
    assert all(layer["largest"] == 0 for layer in told["layers"])
    assert result.items[0].rank_correlation == pytest.approx(1)
    assert "model 2 is the same file as model 1, and is read the same way" in result.provenance.notes


def test_where_a_layer_was_changed_they_part() -> None:
    weights = models.lenet_weights()
    weights["w3"] = weights["w3"] + random(5, *weights["w3"].shape, scale=0.05)
    other = onnxray.open(models.lenet(weights=weights), models.GREY)
    (told,) = onnxray.compare([model(), other], models.pictures(3), "none").extra["models"]
    assert told["parts_at"] == "ip1"
    assert told["alignment"].startswith("4 layers with weights of 4 and 4 matched: 4 by name")


def test_each_sees_the_pictures_through_its_own_profile() -> None:
    other = Profile(name="other", layout="NCHW", channels="GREY", scale=1.0, mean=(0.0,), std=(255.0,), size=(14, 14))
    a, b = model(), model(profile=other)
    images = models.pictures(1)
    result = onnxray.compare([a, b], images, "none")
    assert any("which differs in scale, mean, std" in note for note in result.provenance.notes)
    said = result.items[0].said
    assert said[1]["probability"] == pytest.approx(b.predict_classes(images).probabilities.max())


def test_maps_of_another_size_are_brought_to_the_first_ones() -> None:
    text = models.LENET.replace("14,14", "20,20").format(batch="N")
    weights = models.lenet_weights() | {"w3": random(3, 20, 512, scale=0.1)}
    larger = Profile(
        name="larger", layout="NCHW", channels="GREY", scale=1 / 255, mean=(0.5,), std=(0.5,), size=(20, 20)
    )
    result = onnxray.compare([model(), onnxray.open(parse(text, weights), larger)], models.pictures(1))
    (item,) = result.items
    assert item.maps is not None
    assert [one.heat.shape for one in item.maps] == [(14, 14)] * 2
    assert -1 <= (item.rank_correlation or 0) <= 1


def test_three_models(both: Any) -> None:
    result = onnxray.compare([*both, both[0]], models.pictures(2), "none")
    assert [item.model for item in result.items] == [2, 2, 3, 3]
    assert [one["model"] for one in result.extra["models"]] == [2, 3]
    assert result.extra["models"][1]["agreement"]["share"] == 1


def test_other_classes_are_refused_for_predictions_alone() -> None:
    weights = models.lenet_weights() | {"w4": random(3, 20, 7), "b4": random(4, 7)}
    seven = parse(models.LENET.format(batch="N").replace("5] prob", "7] prob"), weights)
    result = onnxray.compare([model(), onnxray.open(seven, models.GREY)], models.pictures(1), "none")
    (told,) = result.extra["models"]
    assert told["refused"] == ["predictions are not compared: model 1 has 5 classes, model 2 7"]
    assert [layer["a"] for layer in told["layers"]][:3] == ["conv1", "relu1", "pool1"]
    assert result.items[0].compared is None


def test_other_names_of_classes_are_refused_for_predictions() -> None:
    a, b = model(labels=list("abcde")), model(labels=list("abxde"))
    (told,) = onnxray.compare([a, b], models.pictures(1), "none").extra["models"]
    assert "class 2 is 'c' for model 1 and 'x' for model 2" in told["refused"][0]


def test_networks_that_differ_are_compared_by_predictions_and_maps() -> None:
    other = parse(
        "o (float[N,1,14,14] x) => (float[N,5] prob) { c = Conv (x, w1) r = Relu (c) g = GlobalAveragePool (r) "
        "f = Flatten (g) z = Gemm <transB = 1> (f, w3) prob = Softmax (z) }",
        {"w1": random(0, 7, 1, 5, 5), "w3": random(2, 5, 7)},
    )
    result = onnxray.compare([model(), onnxray.open(other, models.GREY)], models.pictures(1), "gradient")
    (told,) = result.extra["models"]
    assert told["layers"] == []
    assert told["parts_at"] is None
    assert len(told["refused"]) == 1
    assert "1 of the 4 and 2 layers with weights match" in told["refused"][0]
    assert result.items[0].compared is not None
    assert result.items[0].rank_correlation is not None


def test_nothing_to_compare_is_one_line() -> None:
    other = parse(
        "o (float[N,1,14,14] x) => (float[N,3] prob) { c = Conv (x, w1) r = Relu (c) c2 = Conv (r, w2) "
        "g = GlobalAveragePool (c2) f = Flatten (g) z = Gemm <transB = 1> (f, w3) prob = Softmax (z) }",
        {"w1": random(0, 7, 1, 5, 5), "w2": random(4, 9, 7, 5, 5), "w3": random(2, 3, 9)},
    )
    with pytest.raises(InputError, match="nothing of the two models can be compared: values .*; predictions ") as error:
        onnxray.compare([model(), onnxray.open(other, models.GREY)], models.pictures(1))
    assert "\n" not in str(error.value)


def test_a_map_that_cannot_be_had_is_said(both: Any) -> None:
    result = onnxray.compare(both, models.pictures(1), "attention-rollout")
    assert result.items[0].maps is None
    assert (result.items[0].reason or "").startswith("no map of model 1: ")
    assert result.items[0].compared is not None


def test_regressions_and_embeddings_are_compared_by_their_numbers() -> None:
    text = "r (float[N,6] x) => (float[N,3] y) { h = Gemm (x, w) y = Gemm (h, v) }"
    makes = [{"w": random(0, 6, 8), "v": random(seed, 8, 3)} for seed in (1, 2)]
    a, b = (onnxray.open(parse(text, weights), output="y=embedding") for weights in makes)
    rows = random(9, 2, 6)
    result = onnxray.compare([a, b], rows, "none")
    values = [rows @ weights["w"] @ weights["v"] for weights in makes]
    for row, item in enumerate(result.items):
        assert item.compared is not None
        assert item.compared["largest"] == pytest.approx(np.abs(values[0][row] - values[1][row]).max(), rel=1e-4)
    assert result.extra["models"][0]["parts_at"] == "y"
    assert "no maps" in str(onnxray.compare([a, b], rows, "gradient").items[0].reason)


def test_wrong_arguments(both: Any) -> None:
    for models_, said in (
        ([], "0 model was given"),
        ([both[0]], "1 model was given"),
        ("lenet", "the model is 'lenet'"),
    ):
        with pytest.raises(InputError, match=said):
            onnxray.compare(models_, models.pictures(1))  # type: ignore[call-overload]
    with pytest.raises(InputError, match="there is no method 'grad-camm'"):
        onnxray.compare(both, models.pictures(1), "grad-camm")
    with pytest.raises(InputError, match="top"):
        onnxray.compare(both, models.pictures(1), "none", top=0)


def test_saved_loaded_and_drawn(both: Any, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for k, path in enumerate(paths):
        save_png(path, np.random.default_rng(k).integers(0, 256, (1, 14, 14)).astype(np.uint8))
    result = onnxray.compare(both, paths)
    drawn = pictures(result)
    assert sorted(drawn) == ["layers.png", "sheet.png"]
    result.save(tmp_path / "r", drawn)
    loaded = Result.load(tmp_path / "r", ModelsItem)
    assert loaded.to_dict()["items"][0]["a"] == result.to_dict()["items"][0]["a"]
    for one, other in zip(loaded.items, result.items):
        assert one.rank_correlation == other.rank_correlation
        for role, (_, picture) in other.pictures().items():
            assert np.array_equal(one.pictures()[role][1], picture)
    onnx.save(models.lenet(), tmp_path / "<script>.onnx")
    hostile = onnxray.compare([tmp_path / "<script>.onnx"] * 2, paths[0], "none")
    assert pictures(hostile)["sheet.png"].startswith(b"\x89PNG")
