"""A value of a wrong type is refused at the door in one line of ours, whatever the argument; no bare TypeError."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray import goals
from onnxray.errors import InputError
from onnxray.images.files import save_png
from onnxray.images.profile.toml_form import read_profile
from onnxray.methods.catalogue import family
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.method import Method
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.item import MapItem
from onnxray.results.result import Result
from support import models
from support.wrong_types import WRONG, leaks

X = models.pictures(2).round()
ROWS = np.ones((2, 4), np.float32)
NEGATED = "g (float[N,4] x) => (float[N,4] y) { y = Neg (x) }"
ADDED = "g (float[N,4] x, float[N,4] z) => (float[N,4] y) { y = Add (x, z) }"
METHODS = family(Method)  # type: ignore[type-abstract]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some wrong values are good names of files


@pytest.fixture(scope="module")
def opened() -> dict[str, onnxray.Model]:
    return {
        "prob": onnxray.open(models.lenet(), models.GREY),
        "plain": onnxray.open(models.parse(NEGATED)),
        "two": onnxray.open(models.parse(ADDED)),
    }


def made(kind: type[Method[Any]], picture: Path, /, **options: Any) -> Method[Any]:
    """A method with few steps, and whatever it cannot do without."""
    known = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    few = {"steps": 2, "octaves": 1, "masks": 32, "samples": 3, "style": str(picture), "layer": "conv1"}
    own = {name: value for name, value in few.items() if name in known}
    if "layer" in known and known["layer"].default is not dataclasses.MISSING:
        own.pop("layer")
    return kind(**{**own, **options})


@pytest.mark.filterwarnings("ignore")
def test_the_model(opened: dict[str, onnxray.Model]) -> None:
    def calls() -> Iterator[tuple[str, Callable[[], object]]]:
        for wrong in WRONG:
            yield "open source", lambda w=wrong: onnxray.open(w)
            yield "open profile", lambda w=wrong: onnxray.open(models.lenet(), w)
            yield "open device", lambda w=wrong: onnxray.open(models.lenet(), models.GREY, device=w).predict(X)
            yield "open strict", lambda w=wrong: onnxray.open(models.lenet(), models.GREY, strict=w)
            for kind, model in opened.items():
                good: Any = {"prob": X, "plain": ROWS, "two": {"x": ROWS, "z": ROWS}}[kind]
                name = "prob" if kind == "prob" else "y"
                for verb in ("predict", "classify", "pixels", "feeds", "variables"):
                    yield f"{kind}.{verb}", lambda w=wrong, m=model, v=verb: getattr(m, v)(w)
                    yield f"{kind}.{verb} of a dict", lambda w=wrong, m=model, v=verb: getattr(m, v)({"x": w, "z": w})
                for engine in ("judge", "twin"):
                    yield f"{kind}.values", lambda w=wrong, m=model, n=name, e=engine: m.values(w, [n], engine=e)
                yield f"{kind} names", lambda w=wrong, m=model, g=good: m.values(g, w)
                yield f"{kind} name", lambda w=wrong, m=model, g=good: m.values(g, [w])
                yield f"{kind} engine", lambda w=wrong, m=model, g=good, n=name: m.values(g, [n], engine=w)
                yield f"{kind}.pullback", lambda w=wrong, m=model, n=name: m.pullback(w, {n: lambda v, _: v})
                yield f"{kind} cotangents", lambda w=wrong, m=model, g=good: m.pullback(g, w)
                yield f"{kind} cotangent", lambda w=wrong, m=model, g=good, n=name: m.pullback(g, {n: w})
                yield f"{kind} given", lambda w=wrong, m=model, g=good, n=name: m.pullback(g, {n: lambda *_: w})
                if type(wrong).__hash__ is not None:
                    yield f"{kind} key", lambda w=wrong, m=model, g=good: m.pullback(g, {w: 1.0})
            model = opened["prob"]
            yield "through", lambda w=wrong, m=model: m.predict(X, through=w)
            yield "values through", lambda w=wrong, m=model: m.values(X, ["conv1"], through=w)
            yield "open approximate", lambda w=wrong: onnxray.open(models.lenet(), models.GREY, approximate=w)
            yield "verify tolerance", lambda w=wrong, m=opened["plain"]: m.verify(ROWS, tolerance=w)
            yield "verify images", lambda w=wrong, m=opened["plain"]: m.verify(w)
            for verb in ("select", "select_values", "label"):
                yield verb, lambda w=wrong, m=model, v=verb: getattr(m, v)(w)
            yield "select_values of a list", lambda w=wrong, m=model: m.select_values([w])
            for option in ("trainable", "verify", "fused"):
                yield f"to_torch {option}", lambda w=wrong, o=option: onnxray.to_torch(opened["plain"], **{o: w})
            yield "to_torch model", lambda w=wrong: onnxray.to_torch(w)

    assert leaks(calls()) == []


@pytest.mark.filterwarnings("ignore")
def test_profiles_and_goals(opened: dict[str, onnxray.Model]) -> None:
    known = {field.name: getattr(models.GREY, field.name) for field in dataclasses.fields(onnxray.Profile)}
    model, lots = opened["prob"], LOTS(layer="conv1")

    def calls() -> Iterator[tuple[str, Callable[[], object]]]:
        for wrong in WRONG:
            for name in known:
                yield f"Profile {name}", lambda w=wrong, n=name: onnxray.Profile(**{**known, n: w})
            for verb in ("encode", "decode"):
                yield f"Profile.{verb}", lambda w=wrong, v=verb: getattr(models.GREY, v)(w)
            yield "read_profile", lambda w=wrong: read_profile(w)
            yield "TargetImages", lambda w=wrong: lots(model, X, goals.TargetImages(images=w))
            yield "pairing", lambda w=wrong: goals.TargetImages(images=X, pairing=w)
            yield "TargetValues", lambda w=wrong: lots(model, X, goals.TargetValues(values=w))
            yield "TargetValues of a dict", lambda w=wrong: lots(model, X, goals.TargetValues(values={"conv1": w}))
            yield "Own", lambda w=wrong: goals.Own(mode=w)
            yield "as_goal", lambda w=wrong: goals.as_goal(w)
            yield "read_values", lambda w=wrong: goals.read_values(w)

    assert leaks(calls()) == []


@pytest.mark.filterwarnings("ignore")
def test_results(opened: dict[str, onnxray.Model], tmp_path: Path) -> None:
    result = Gradient()(opened["prob"], X, 0).save(tmp_path / "known")

    def calls() -> Iterator[tuple[str, Callable[[], object]]]:
        for number, wrong in enumerate(WRONG):
            yield "save", lambda w=wrong: result.save(w)
            yield "sheets", lambda w=wrong, n=number: result.save(tmp_path / str(n), w)
            yield "load", lambda w=wrong: Result.load(w, MapItem)
            yield "load type", lambda w=wrong: Result.load(tmp_path / "known", w)

    assert leaks(calls()) == []


@pytest.mark.parametrize("name", METHODS)
def test_options_of_methods(name: str, tmp_path: Path) -> None:
    kind = METHODS[name]
    options = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    calls = (
        (f"{name}({option})", lambda w=wrong, o=option: made(kind, tmp_path, **{o: w}))
        for wrong in WRONG
        for option in options
    )
    assert leaks(calls) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [n if n in {"gradient", "rise", "lots", "filters"} else pytest.param(n, marks=pytest.mark.slow) for n in METHODS],
)
def test_what_methods_are_called_with(name: str, opened: dict[str, onnxray.Model], tmp_path: Path) -> None:
    style = tmp_path / "style.png"
    save_png(style, X[0].astype(np.uint8))
    method, model = made(METHODS[name], style), opened["prob"]
    goal: Any = {"lots": "inhibit", "maximize": "class:0"}.get(name)
    images = None if name in {"maximize", "filters"} else X

    def calls() -> Iterator[tuple[str, Callable[[], object]]]:
        for wrong in WRONG:
            yield "model", lambda w=wrong: method(w, images, goal)
            yield "images", lambda w=wrong: method(model, w, goal)
            yield "goal", lambda w=wrong: method(model, images, w)
            yield "samples", lambda w=wrong: method(opened["plain"], w)
            yield "seed", lambda w=wrong: method(model, images, goal, seed=w)
            yield "progress", lambda w=wrong: method(model, images, goal, progress=w)
            yield "keep", lambda w=wrong: method(model, images, goal, keep=w)
            yield "each", lambda w=wrong: method(model, images, goal, each=w)
            yield "keep_partial", lambda w=wrong: method(model, images, goal, keep_partial=w)

    assert leaks(calls()) == []


def test_what_was_expected_is_said() -> None:
    with pytest.raises(InputError, match="steps is 'x'; a whole number was expected"):
        LOTS(layer="conv1", steps="x")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="layer is 3; text or a tuple of text or None was expected"):
        LOTS(layer=3)  # type: ignore[arg-type]
    with pytest.raises(
        InputError, match="until is 'x'; expected one of auto, target-class, .* or a comparison such as"
    ):
        LOTS(layer="conv1", until="x")  # type: ignore[arg-type]
