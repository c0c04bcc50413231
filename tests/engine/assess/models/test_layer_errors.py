"""The numbers of two values, the worst over pictures, where models part, and how much is held at a time."""

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.assess.models import layer_errors as tested
from onnxray.assess.models.alignment import align
from onnxray.assess.models.layer_errors import errors, layer_errors, parting, worst
from support import models


def test_the_formulas() -> None:
    a, b = np.array([[3.0, 0.0], [0.0, 4.0]]), np.array([[3.0, 1.0], [0.0, 2.0]])
    found = errors(a, b)
    assert found == pytest.approx({
        "largest": 2.0, "mean": 3 / 4, "relative": np.sqrt(5) / 5, "cosine": (9 + 8) / (5 * np.sqrt(14)),
    })  # fmt: skip
    assert errors(a, a) == pytest.approx({"largest": 0, "mean": 0, "relative": 0, "cosine": 1})
    assert errors(0 * a, b)["relative"] is None
    assert errors(a, 0 * b)["cosine"] is None


def test_half_numbers_do_not_overflow() -> None:
    a = np.full(1000, 60000, np.float16)
    assert errors(a, -a) == pytest.approx({"largest": 120000, "mean": 120000, "relative": 2, "cosine": -1}, rel=1e-3)


def test_the_worst_over_pictures() -> None:
    one = {"largest": 1.0, "mean": 0.5, "relative": 0.1, "cosine": 0.9}
    other = {"largest": 3.0, "mean": 0.1, "relative": None, "cosine": 0.2}
    assert worst([one, other, None]) == {"largest": 3.0, "mean": pytest.approx(0.3), "relative": 0.1, "cosine": 0.2}
    assert worst([None]) == {"largest": None, "mean": None, "relative": None, "cosine": None}


@pytest.mark.parametrize(
    ("relative", "place"),
    [
        ([], None),
        ([0.0, 0.0], None),
        ([1e-7, 1e-6, 1e-5, 9e-4], None),
        ([1e-7, 2e-3], 1),
        ([1e-7, 1e-3], 1),
        ([0.02, 0.5], 0),
        ([1e-4, 9.9e-4, 5e-3, 9e-3], None),
        ([1e-4, 2e-4, 5e-3, 0.5], 2),
        ([None, 0.0, 0.3], 2),
        ([4e-4, 2e-4, 4.1e-3], 2),
    ],
)
def test_where_they_part(relative: list[Any], place: int | None) -> None:
    assert parting(relative) == place


@pytest.fixture(scope="module")
def pair() -> tuple[onnxray.Model, onnxray.Model]:
    weights = models.lenet_weights()
    weights["w2"] = weights["w2"] * np.float32(1.01)
    return onnxray.open(models.lenet(), models.GREY), onnxray.open(models.lenet(weights=weights), models.GREY)


def test_against_onnx_runtime(pair: Any) -> None:
    a, b = pair
    images = models.pictures(3)
    pairs = align(a, b).pairs
    tables = layer_errors(a, b, a.pixels(images), b.pixels(images), pairs)
    names = [one.a for one in pairs]
    values, others = (m.judge.outputs(m.feeds(images)) for m in (a, b))
    inner = [m.values(images, ["conv2"])["conv2"] for m in (a, b)]
    assert len(tables) == 3
    for row, table in enumerate(tables):
        by_name = dict(zip(names, table))
        assert by_name["conv1"] == {"largest": 0, "mean": 0, "relative": 0, "cosine": pytest.approx(1)}
        assert by_name["conv2"] is not None
        one, other = inner[0][row].astype(float), inner[1][row].astype(float)
        assert by_name["conv2"]["relative"] == pytest.approx(
            np.linalg.norm(one - other) / np.linalg.norm(one), rel=1e-4
        )
        expected = np.abs(values["prob"][row].astype(float) - others["prob"][row]).max()
        assert by_name["prob"] is not None
        assert by_name["prob"]["largest"] == pytest.approx(expected, abs=1e-7)


def test_what_is_held_is_bounded_and_changes_no_number(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = pair
    images = models.pictures(4)
    pairs = align(a, b).pairs
    whole = layer_errors(a, b, a.pixels(images), b.pixels(images), pairs)
    read: list[int] = []
    real = a.values

    def values(pixels: Any, names: Any) -> Any:
        read.append(sum(one.size for one in pairs if one.a in names) * len(pixels) * 8)
        return real(pixels, names)

    monkeypatch.setattr(tested, "HELD", 40_000)
    monkeypatch.setattr(a, "values", values)
    parts = layer_errors(a, b, a.pixels(images), b.pixels(images), pairs)
    assert len(read) > 2
    assert all(size <= 40_000 or size == max(one.size for one in pairs) * 4 * 8 for size in read)
    for one, other in zip(whole, parts):
        for table, again in zip(one, other):
            assert table == pytest.approx(again, abs=1e-6)
