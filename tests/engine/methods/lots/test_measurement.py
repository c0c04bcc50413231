"""What is read of an image that LOTS ended on: the verdict and one layer, each once, and whether it has arrived."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxray
from onnxray.images.profile.profile import Profile
from onnxray.methods.lots import lots
from onnxray.methods.lots.lots import LOTS
from support import models

LAYERS = ("conv1", "conv2", "ip1")
X = models.pictures(2)
GOALS: dict[str, tuple[dict[str, Any], Any]] = {
    "linf": ({"until": "linf", "linf": 20.0}, "magnify"),
    "other-class": ({"until": "other-class"}, "inhibit"),
    "distance": ({"until": "distance", "distance": 0.9}, X[1:]),
    "step and adjust": ({"until": "distance", "distance": 0.9, "steps": 3}, X[1:]),
}


class Asked:
    """What the judge is asked of one image alone, and how often that image is encoded."""

    def __init__(self, model: onnxray.Model, monkeypatch: pytest.MonkeyPatch, images: np.ndarray) -> None:
        self.values, self.outputs, self.encoded = list[tuple[str, ...]](), 0, 0
        fed = [models.GREY.encode(image[None].astype(np.float32)) for image in images]
        values, outputs, encode = model.judge.values, model.judge.outputs, Profile.encode

        def is_one(x: np.ndarray) -> bool:
            return any(np.array_equal(x, one) for one in fed)

        def seen_values(feeds: Any, names: Any, **options: Any) -> Any:
            if is_one(feeds["x"]):
                self.values.append(tuple(names))
            return values(feeds, names, **options)

        def seen_outputs(feeds: Any, names: Any = None, **options: Any) -> Any:
            self.outputs += is_one(feeds["x"])
            return outputs(feeds, names, **options)

        def seen_encode(profile: Profile, pixels: Any) -> Any:
            found = encode(profile, pixels)
            self.encoded += isinstance(found, np.ndarray) and is_one(found)
            return found

        monkeypatch.setattr(model.judge, "values", seen_values)
        monkeypatch.setattr(model.judge, "outputs", seen_outputs)
        monkeypatch.setattr(Profile, "encode", seen_encode)


@pytest.mark.parametrize("named", GOALS)
def test_a_finished_image_is_encoded_and_asked_once_and_at_its_own_layer_alone(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, goal = GOALS[named]
    model, method = onnxray.open(models.lenet(), models.GREY), LOTS(layer=LAYERS, **options)
    items = method(model, X[:1], goal).items
    assert len(items) == len(LAYERS)
    searched = 0 if named == "linf" else 1  # as a candidate, of its search or of its step, unless it stood among others
    asked = Asked(model, monkeypatch, np.stack([item.images["image"] for item in items]))
    method(model, X[:1], goal)
    judged = [names for names in asked.values if names != ("ip2",)]  # ip2: the scores before the softmax
    assert len(LAYERS) <= asked.encoded <= (1 + searched) * len(LAYERS)
    assert len(LAYERS) <= asked.outputs <= (1 + searched) * len(LAYERS)
    assert {len(names) for names in judged} == {1}
    for layer in LAYERS:
        assert 1 <= judged.count((layer,)) <= 1 + searched


@pytest.mark.parametrize("named", GOALS)
def test_no_session_is_opened_for_an_image_alone(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many stay open: a session a layer would be opened anew for each image."""
    options, goal = GOALS[named]
    model, method = onnxray.open(models.lenet(), models.GREY), LOTS(layer=LAYERS, **options)
    started = list[object]()
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **k: started.append(a) or real(*a, **k))
    real_measure = lots.measure

    def measure(*args: Any) -> Any:
        begun = len(started)
        item = real_measure(*args)
        opened.append(len(started) - begun)
        return item

    opened = list[int]()
    monkeypatch.setattr(lots, "measure", measure)
    method(model, np.repeat(X[:1], 3, axis=0), goal)
    assert len(opened) == 3 * len(LAYERS)
    assert sum(opened[1:]) == 0  # the first may open that of the scores before the softmax


@pytest.mark.parametrize("named", GOALS)
def test_what_is_said_of_it_is_what_onnx_runtime_gives_for_the_saved_picture(named: str) -> None:
    options, goal = GOALS[named]
    model = onnxray.open(models.lenet(), models.GREY)
    for item in LOTS(layer=LAYERS, **options)(model, X[:1], goal).items:
        image, origin = (item.images[role].astype(np.float32) for role in ("image", "origin"))
        names = ["prob", "ip2", item.layer]
        probability, logits, after = models.run(models.lenet(), {"x": models.GREY.encode(image[None])}, names)
        before = models.run(models.lenet(), {"x": models.GREY.encode(origin[None])}, names)
        assert item.class_ == probability[0].argmax()
        assert item.score == pytest.approx(logits[0, item.class_], rel=1e-4)
        aimed = 0.0
        if not isinstance(goal, str):
            target = np.rint(goal).astype(np.float32)
            aimed = models.run(models.lenet(), {"x": models.GREY.encode(target)}, names)[2]
        distances = [float(np.linalg.norm(values - aimed)) for values in (before[2], after)]
        assert (item.distance_before, item.distance_after) == pytest.approx(distances, rel=1e-4)
        reached = {
            "linf": True,  # moved so far, wherever that ends at black or white
            "other-class": item.class_ != before[0].argmax(),
        }.get(named, distances[1] <= 0.9 * distances[0])
        assert item.success == reached
