"""What the page shows while options are chosen: the method's own pictures, and the judge's word on them."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import onnxray
from onnxray.cli.parts.shared_options import Opening
from onnxray.errors import InputError
from onnxray.methods.attack.base import Attack
from onnxray.methods.catalogue import family, methods
from onnxray.notebooks.glimpses import looking_on
from onnxray.web.work import trying
from onnxray.web.work.along import along
from onnxray.web.work.bench import Bench
from onnxray.web.work.trying import tried
from support.auditing import digits

FOUR, NINE = (str(digits(10)[k].path) for k in (4, 9))
LOTS: dict[str, Any] = {"path": ["lots"], "pictures": [FOUR], "targets": [NINE], "options": {"layer": "relu1"}}
FGSM: dict[str, Any] = {"path": ["attack", "fgsm"], "pictures": [FOUR], "options": {"eps": "90"}}


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(["lenet"], Opening())


def picture(data: Any) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(data)))


def waited_for() -> bool:
    return False


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_lots_is_where_the_method_itself_goes(bench: Bench, metric: str) -> None:
    stated = {**LOTS, "options": {"layer": "relu1", "metric": metric}}
    found = tried(bench, stale=waited_for, scale=200, **stated)
    method = onnxray.methods.LOTS(layer="relu1", metric=metric, until="linf", linf=200.0)
    (item,) = method(onnxray.open("lenet"), [FOUR], target=[NINE])
    assert (picture(found["png"]) == item.images["image"][0]).all()
    assert found["classes"][0]["class"] == item.class_
    assert (found["linf"], found["l2"]) == (item.linf, pytest.approx(item.l2))
    assert tried(bench, stale=waited_for, scale=0, **stated)["linf"] == 0


def test_the_gradient_of_lots_is_taken_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = bench.desk().model, []
    pullback = type(model).pullback
    monkeypatch.setattr(type(model), "pullback", lambda *given, **named: asked.append(1) or pullback(*given, **named))
    for scale in (3, 7, 120.5):
        tried(bench, stale=waited_for, scale=scale, **{**LOTS, "options": {"layer": "conv2"}})
    assert len(asked) == 1
    tried(bench, stale=waited_for, scale=3, **{**LOTS, "options": {"layer": "conv1"}})
    assert len(asked) == 2


def test_an_attack_is_run_as_it_stands(bench: Bench) -> None:
    found = tried(bench, stale=waited_for, **FGSM)
    (item,) = onnxray.methods.FGSM(eps=90.0)(onnxray.open("lenet"), [FOUR])
    assert (picture(found["png"]) == item.images["image"][0]).all()
    assert (found["success"], found["goal"]) == (item.success, item.goal)
    assert found["classes"][0]["class"] == item.judged.class_


def test_what_nobody_waits_for_any_more_is_given_up(bench: Bench) -> None:
    asked: list[int] = []

    def overtaken() -> bool:
        asked.append(1)
        return len(asked) > 2

    long = {**FGSM, "path": ["attack", "pgd"], "options": {"steps": "100000"}}
    assert tried(bench, stale=overtaken, **long)["reason"] == "another one is tried by now"


def test_what_takes_long_is_left_to_a_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "LONGEST", 0.0)
    found = tried(bench, stale=waited_for, **{**FGSM, "path": ["attack", "pgd"]})
    assert found["png"] is None
    assert "run it" in found["reason"]


def test_what_cannot_be_tried_is_said(bench: Bench) -> None:
    assert "choose one as the target" in tried(bench, stale=waited_for, scale=1, **{**LOTS, "targets": []})["reason"]
    assert "no class" in tried(bench, stale=waited_for, **{**FGSM, "target": "no class"})["reason"]
    for stated, said in (
        ({**LOTS, "scale": -1}, "the scale is -1"), (LOTS, "the scale is None"), ({**FGSM, "pictures": []}, "one picture"),
        ({"path": ["saliency", "gradient"], "pictures": [FOUR]}, "gradient is not tried at once"),
        ({**FGSM, "options": {"out": "/tmp"}}, "no option 'out'"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            tried(bench, stale=waited_for, **stated)


@pytest.mark.parametrize("options", [{"metric": "cosine"}, {"steps": 4, "step_size": 30.0}])
def test_the_slider_of_a_run_passes_through_its_own_picture(
    bench: Bench, tmp_path: Path, options: dict[str, Any]
) -> None:
    result = onnxray.methods.LOTS(layer="relu1", **options)(onnxray.open("lenet"), [FOUR], target=[NINE])
    result.save(tmp_path / "run")
    own = along(bench, folder=str(tmp_path / "run"), item=0, scale=0)["own"]
    found = along(bench, folder=str(tmp_path / "run"), item=0, scale=own)
    assert (picture(found["png"]) == result[0].images["image"][0]).all()


def looked_at(work: Callable[[], object]) -> list[np.ndarray[Any, Any]]:
    seen: list[np.ndarray[Any, Any]] = []
    with looking_on(lambda make: seen.append(np.asarray(make()))):
        work()
    return seen


NEED_MORE = {"apply", "linear", "surrogate", "transfer", "feature-adversary"}
"""Attacks that need files, and one of linear files."""


@pytest.mark.parametrize("name", sorted({*family(Attack), "lots", "patch"} - NEED_MORE))  # type: ignore[type-abstract]
def test_whatever_changes_pictures_shows_them_on_their_way(name: str) -> None:
    method = {one.name: one for one in methods().values()}[name]
    named = {field.name for field in dataclasses.fields(method)}
    few: dict[str, Any] = {
        option: 2 for option in ("steps", "restarts", "samples", "trials", "searches") if option in named
    }
    if name == "bisection":
        few["setting"] = ("steps=3",)
    model, four = onnxray.open("lenet"), onnxray.open("lenet").pixels([FOUR]).array
    if name == "lots":
        seen = looked_at(lambda: method(layer="relu1", steps=3)(model, [FOUR], target=[NINE]))
    else:
        seen = looked_at(lambda: method(**few)(model, [FOUR, NINE] if name == "patch" else [FOUR]))
    assert seen
    assert {one.dtype for one in seen} == {np.dtype(np.uint8)}
    assert {one.shape[1:] for one in seen} == {(1, 28, 28)}
    assert any((one[0] != four[0]).any() for one in seen)


def test_evolved_pictures_are_shown_too() -> None:
    method = methods()["fooling_evolution"]
    seen = looked_at(lambda: method(generations=2, population=4)(onnxray.open("lenet")))
    assert [one.shape for one in seen] == [(10, 1, 28, 28)] * 3
