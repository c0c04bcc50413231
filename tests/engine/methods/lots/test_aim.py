"""Aims without a class: until a box, a distance or a number is where it should be, by ONNX Runtime on the 8-bit picture."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.images.profile.profile import Profile
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.lots.lots import LOTS
from onnxray.results.result import Result
from support import kinds_of_input, models
from support.detectors import detector

PROFILE = Profile(name="unit", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0,) * 3, std=(1,) * 3, size=(8, 8))
X = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8), dtype=np.uint8)
VECTOR = (
    "g (float[N,3,8,8] x) => (float[N,{width}] y) {{ f = Flatten (x) h = MatMul (f, w) r = Relu (h) y = Gemm (r, v) }}"
)


def network(width: int, output: str) -> Any:
    text = VECTOR.format(width=width)
    weights = {"w": models.random(0, 192, 16), "v": models.random(1, 16, width)}
    return onnxray.open(models.parse(text, weights).SerializeToString(), PROFILE, output=output)


def check_aim(item: LotsItem, image: Any, number: Callable[[Any], float], met: Callable[[float], bool]) -> None:
    """The numbers before and after are those of the pictures, and success is what the second says."""
    assert item.aim is not None
    assert item.aim["before"] == pytest.approx(number(image), rel=1e-4, abs=1e-6)
    assert item.aim["after"] == pytest.approx(number(item.images["image"]), rel=1e-4, abs=1e-6)
    assert item.success == met(number(item.images["image"]))
    assert not met(number(image))
    assert item.numbers()["aim"] == item.aim


@pytest.mark.parametrize("steps", [1, 100])
@pytest.mark.parametrize("kind", ["sigmoids beside boxes", "yolo, places first with objectness", "yolo, numbers first"])
def test_inhibiting_a_detector_goes_on_until_its_best_box_is_not_listed(kind: str, steps: int) -> None:
    model = onnxray.open(detector(kind), PROFILE)
    image = X[:1]
    best = model.predict(image).samples[0]
    layer = "c0"
    items = LOTS(layer=layer, steps=steps)(model, image, "inhibit").items
    (item,) = items
    assert item.until == "boxes[0].score < 0.5"

    def score(picture: Any) -> float:
        """The same row and class of the file's own table, whatever it holds."""
        answer = onnxray.open(detector(kind), PROFILE, output=_lowest()).predict(picture.reshape(1, 3, 8, 8)).samples[0]
        place = int(np.flatnonzero(answer.rows == best.rows[0])[0])
        return float(answer.scores[place])

    check_aim(item, image[0], score, lambda number: number < 0.5)
    assert item.class_ is None


def _lowest() -> Any:
    from onnxray.graph.outputs.stated import StatedOutput

    return StatedOutput(threshold=1e-9)


@pytest.mark.parametrize("text", ["distance > 0.5", "cosine < 0.9", "distance(h) >= 2"])
def test_an_embedding_goes_until_it_is_far_from_what_it_was(text: str) -> None:
    model = network(6, "y=embedding")
    name = "h" if "(h)" in text else "y"
    items = LOTS(layer="h", until=text)(model, X, "inhibit").items
    for image, item in zip(X, items, strict=True):
        own = model.values(image[None], [name])[name][0].astype(np.float64)

        def number(picture: Any, own: Any = own) -> float:
            now = model.values(picture[None], [name])[name][0].astype(np.float64)
            if text.startswith("distance"):
                return float(np.linalg.norm(now - own))
            return float(now @ own / np.linalg.norm(now) / np.linalg.norm(own))

        assert item.until == text
        assert item.aim is not None
        assert item.aim["of"] == (
            f"distance of {name} from its own" if "distance" in text else "cosine of y with its own"
        )
        limit = float(text.split()[-1])
        check_aim(item, image, number, lambda n, limit=limit: n < limit if "<" in text else n >= limit)
    assert any(item.success for item in items)


@pytest.mark.parametrize(("goal", "sign"), [("inhibit", "<"), ("magnify", ">")])
def test_a_regressors_number_goes_to_where_it_should_be(goal: str, sign: str) -> None:
    model = network(1, "y=regression")
    y = model.values(X[:1], ["y"])["y"][0, 0]
    limit = float(y * (0.9 if (sign == "<") == (y > 0) else 1.1))
    item = LOTS(layer="y", until=f"output {sign} {limit}", steps=200, step_size=0.25)(model, X[:1], goal).items[0]
    towards = (goal == "magnify") == (y > 0)  # magnifying takes the number away from zero
    if towards == (sign == ">"):
        assert item.success
    check_aim(
        item, X[0], lambda picture: float(model.values(picture[None], ["y"])["y"][0, 0]),
        lambda number: number < limit if sign == "<" else number > limit,
    )  # fmt: skip


def test_arrays_have_such_aims_too() -> None:
    model = onnxray.open(kinds_of_input.table().SerializeToString())
    x = models.random(3, 1, 5)
    item = LOTS(layer="h", until="distance(z) > 0.3")(model, x, "inhibit").items[0]
    now, own = (model.values(given, ["z"])["z"][0] for given in (item.arrays()["image x"][1][None], x))
    assert item.aim is not None
    assert item.aim["after"] == pytest.approx(float(np.linalg.norm(now - own)), rel=1e-4)
    assert item.success == (item.aim["after"] > 0.3)


def test_the_default_of_others_stays_and_is_kept(tmp_path: Any) -> None:
    classifier = onnxray.open(models.lenet(), models.GREY)
    assert LOTS(layer="ip2")(classifier, models.pictures(1), "inhibit").items[0].until == "other-class"
    model = network(6, "y=embedding")
    assert LOTS(layer="h")(model, X[:1], "inhibit").items[0].until == "linf"
    result = LOTS(layer="h", until="distance > 0.5")(model, X[:1], "inhibit")
    result.save(tmp_path / "run")
    again = Result.load(tmp_path / "run", LotsItem)
    assert [item.numbers() for item in again.items] == [item.numbers() for item in result.items]


def test_what_cannot_be_an_aim_is_one_line() -> None:
    model = network(6, "y=embedding")
    with pytest.raises(InputError, match=r"until is 'other_class'; expected one of auto, .*or a comparison such as"):
        LOTS(layer="h", until="other_class")
    with pytest.raises(InputError, match=r"origin 0: distance of y from its own is 0, so 'distance < 5' holds already"):
        LOTS(layer="h", until="distance < 5")(model, X[:1], "inhibit")
    with pytest.raises(InputError, match="it has no scores of boxes"):
        LOTS(layer="h", until="boxes[0].score < 0.5")(model, X[:1], "inhibit")
