"""A call from Python as a command: every method of every family names one that there is, and options are its own."""

import dataclasses
import json
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest

import onnxray
from onnxray.assess.maps.check import Check
from onnxray.assess.maps.comparison import Comparison
from onnxray.assess.models.comparison import ModelComparison
from onnxray.assess.models.similarity import LayerSimilarity
from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from onnxray.cli.app import function_at
from onnxray.methods.as_typed import Unstated, call_of, methods_typed, opening, plain_fields, target_text
from onnxray.methods.attack.base import Attack
from onnxray.methods.attack.physical.patch import Patch
from onnxray.methods.attack.universal.universal import Universal
from onnxray.methods.catalogue import family
from onnxray.methods.concepts.tcav import TCAV
from onnxray.methods.features.base import Features
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.method import Method
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.perturbation.rise import RISE
from onnxray.methods.synthesis.base import Synthesis
from onnxray.results.made_from import NO_FILES
from onnxray.training.generators.fooling import FoolWithGenerator
from onnxray.training.generators.inversion import TrainInverter
from onnxray.training.generators.rendering import RenderGenerator
from onnxray.training.generators.training import TrainGenerator
from onnxray.training.hardening import Harden
from support import models

METHODS = [
    *(one for base in (Attack, Saliency, Synthesis, Features) for one in family(base).values()),  # type: ignore[type-abstract]
    LOTS, TCAV, Comparison, LayerSimilarity, ModelComparison, RobustnessEvaluation, Universal, Patch,
    Harden, TrainGenerator, RenderGenerator, FoolWithGenerator, TrainInverter,
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_has_its_command(method: type[Method[Any]]) -> None:
    assert callable(function_at(object.__new__(method).command()))


def test_every_family_is_here() -> None:
    """What is no base of others and made by us has a command."""

    def leaves(of: type[Any]) -> set[type[Any]]:
        below = set().union(*(leaves(one) for one in of.__subclasses__()), set())
        return below or {of}

    ours = {one for one in leaves(Method) if one.__module__.startswith("onnxray.")}
    assert {one.__name__ for one in ours - {Check}} <= {one.__name__ for one in METHODS}


def test_options_as_the_command_has_them() -> None:
    model = onnxray.open("lenet", labels="mnist", picture={"size": (28, 28), "mean": (0.0,)}, strict=True)
    call = call_of(GradCAM(layer=("conv1", "conv2")), model, Path("a.png"), 3, seed=4, each=None)
    assert call.command == ("saliency", "grad-cam")
    assert call.options is not None
    stated = {name: value for name, value in call.options.items() if value is not None}
    expected = {
        "model": "lenet", "labels": "mnist", "device": "cpu", "strict": True, "approximate": False,
        "profile_size": "28x28", "profile_mean": "0.0", "images": ["a.png"], "target": "class:3", "score": "logit",
        "colormap": "auto", "layer": ["conv1", "conv2"], "seed": 4,
    }  # fmt: skip
    assert {**stated, **expected} == stated


def test_several_methods_and_what_is_set_of_them() -> None:
    found = methods_typed((Gradient(), GradCAM(layer=("conv1", "conv2")), RISE(masks=7)))
    assert found == {
        "methods": "gradient,grad-cam,rise", "settings": ["grad-cam.layer=conv1,conv2", "rise.masks=7"],
    }  # fmt: skip


@pytest.mark.parametrize("goal", [np.array([1]), [1, 2], True, 1.5, object()], ids=lambda goal: type(goal).__name__)
def test_targets_that_no_command_states(goal: object) -> None:
    with pytest.raises(Unstated, match="the target, given as"):
        target_text(goal)


def test_models_that_no_command_opens() -> None:
    with pytest.raises(Unstated, match="from no file"):
        opening(onnxray.open(models.lenet(), models.GREY))
    with pytest.raises(Unstated, match="the profile, given as"):
        opening(onnxray.open("lenet", onnxray.open("lenet").profile))
    with pytest.raises(Unstated, match="the labels, given as"):
        opening(onnxray.open("lenet", labels=list("0123456789")))


def test_a_method_of_another_is_none_of_ours() -> None:
    class Mine(Gradient):  # type: ignore[misc]
        """A method of a user's own."""

    with pytest.raises(Unstated, match="--method-file"):
        plain_fields(Mine())


def test_results_say_it(tmp_path: Path) -> None:
    result = Gradient()(onnxray.open("lenet"), np.zeros((1, 28, 28), np.uint8))
    assert "the images, given as" in result.provenance.made_from["reason"]
    assert "command" not in result.provenance.made_from
    result.save(tmp_path / "r")
    assert "reason" in json.loads((tmp_path / "r" / "result.json").read_bytes())["made_from"]


def words_alone(kind: Any) -> bool:
    """Whether an option is one of stated words, or a number, or nothing."""
    if get_origin(kind) is Literal:
        return True
    parts = get_args(kind) if get_origin(kind) in {Union, UnionType} else ()
    return any(map(words_alone, parts)) and all(
        words_alone(one) or one in {NoneType, int, float, bool} for one in parts
    )


def test_what_is_one_of_stated_words_names_no_file() -> None:
    """A folder that is called `margin`, the results' own perhaps, is nothing that `--score margin` was made from."""
    kinds: dict[str, list[Any]] = {}
    for method in METHODS:
        hints = get_type_hints(method)
        for field in dataclasses.fields(method):
            kinds.setdefault(field.name, []).append(hints[field.name])
    words = {name for name, all_of in kinds.items() if all(map(words_alone, all_of))}
    assert len(words) > 30
    assert words <= NO_FILES
