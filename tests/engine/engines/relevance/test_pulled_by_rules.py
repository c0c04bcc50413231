"""One sample through a cut with rules: which rows count, what is refused, and inputs beside each other."""

import numpy as np
import pytest
import torch

import onnxray
from onnxray.engines.relevance.pulled_by_rules import pulled_by_rules
from onnxray.errors import NotDifferentiable
from onnxray.importer.imported_module import ImportedModule
from onnxray.importer.relevance.assignment import assign
from onnxray.importer.relevance.reference_walk import reference_cut
from onnxray.importer.relevance.relevance_walk import relevance_cut
from onnxray.importer.relevance.rules import Epsilon
from onnxray.importer.walk import Importer
from support import models
from support.trusted import trusted

TWO = "net (float[{n},3] x, float[{n},3] y) => (float[{n},2] z) {{ s = Add (x, y)\n z = Gemm (s, w, b) }}"
WEIGHTS = {"w": models.random(1, 3, 2), "b": models.random(2, 2)}
FEEDS = {"x": models.random(3, 1, 3), "y": models.random(4, 1, 3)}


def opened(batch: object) -> onnxray.Model:
    model = onnxray.open(models.parse(TWO.format(n=batch), WEIGHTS))
    trusted(model)
    return model


def relevance(importer: Importer) -> ImportedModule:
    return relevance_cut(importer, ("z",), assign(importer, ("z",), lambda layer, first: Epsilon(0.0)))


def whole(values: dict[str, torch.Tensor], place: slice) -> dict[str, torch.Tensor]:
    return {"z": values["z"]}


@pytest.mark.parametrize("batch", ["N", 3])
def test_two_inputs_get_their_parts_and_biases_theirs(batch: object) -> None:
    given = pulled_by_rules(opened(batch).twin, FEEDS, ("z",), whole, relevance)
    z = (FEEDS["x"] + FEEDS["y"]) @ WEIGHTS["w"] + WEIGHTS["b"]
    for name, x in FEEDS.items():  # before the first layer a sum of two inputs is shared out in proportion
        np.testing.assert_allclose(given.found[name], x * WEIGHTS["w"].sum(1), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(given.differences[name], x)
    assert given.begun == pytest.approx(float(z.sum()), rel=1e-5)
    assert given.kept == pytest.approx(float(WEIGHTS["b"].sum()), rel=1e-4)


@pytest.mark.parametrize("batch", ["N", 3])
def test_differences_are_from_the_reference(batch: object) -> None:
    reference = {"x": models.random(5, 1, 3), "y": models.random(6, 1, 3)}
    ones = pulled_by_rules(
        opened(batch).twin, FEEDS, ("z",), lambda values, place: {"z": torch.ones_like(values["z"])},
        lambda importer: reference_cut(importer, ("z",)), reference,
    )  # fmt: skip
    for name in FEEDS:
        np.testing.assert_allclose(ones.differences[name], FEEDS[name] - reference[name], rtol=1e-6)
        np.testing.assert_allclose(ones.found[name][0], WEIGHTS["w"].sum(1), rtol=1e-6)


def test_whole_numbers_have_no_relevance() -> None:
    text = "net (int64[N,3] x) => (float[N,3,2] z) { z = Gather (w, x) }"
    model = onnxray.open(models.parse(text, {"w": models.random(1, 4, 2)}))
    trusted(model)
    with pytest.raises(NotDifferentiable, match="whole numbers; relevance exists for real numbers alone"):
        pulled_by_rules(model.twin, {"x": np.array([[1, 2, 3]])}, ("z",), whole, relevance)
