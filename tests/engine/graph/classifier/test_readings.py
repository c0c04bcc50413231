"""The axes that a softmax runs over: by its operator set, and refused where samples stand on them."""

import numpy as np
import pytest
import torch

from onnxray.errors import InputError
from onnxray.graph.classifier.readings import Reading, steps
from onnxray.graph.outputs.origins import softmax_axis
from onnxray.graph.reading import read_graph
from support import models


@pytest.mark.parametrize(
    ("node", "opset", "expected"),
    [
        ("Softmax (x)", 13, (-1, False)),
        ("Softmax (x)", 17, (-1, False)),
        ("Softmax (x)", 12, (1, True)),
        ("Softmax <axis = 2> (x)", 12, (2, True)),
        ("LogSoftmax <axis = 1> (x)", 13, (1, False)),
    ],
)
def test_the_axis_of_a_softmax_by_its_operator_set(node: str, opset: int, expected: tuple[int, bool]) -> None:
    graph = read_graph(models.parse(f"g (float[N,2,3] x) => (float[N,2,3] y) {{ y = {node} }}", opset=opset))
    axis, flat = softmax_axis(graph, graph.nodes[0])
    assert (axis, flat) == expected
    z = models.random(0, 4, 2, 3)
    reading = Reading(value="x", axis=axis, flat=flat)
    (found,) = models.run(
        models.parse(f"g (float[N,2,3] x) => (float[N,2,3] y) {{ y = Softmax <axis = {axis}> (x) }}", opset=opset),
        {"x": z},
    )
    np.testing.assert_allclose(reading.probabilities(z, np), found, rtol=1e-5)


@pytest.mark.parametrize(
    ("axis", "flat", "shape", "expected"),
    [
        (1, False, (2, 3, 4), (1,)),
        (-1, False, (2, 3, 4), (2,)),
        (1, True, (2, 3, 4), (1, 2)),
        (None, False, (2, 3, 4), (1, 2)),
        (0, True, (1, 3, 4), (1, 2)),
        (0, False, (1,), ()),
        (0, False, (1, 3), None),
        (0, False, (2, 3), None),
        (0, True, (2, 3), None),
        (-2, True, (2, 3), None),
    ],
)
def test_samples_never_share_a_softmax(
    axis: int | None, flat: bool, shape: tuple[int, ...], expected: tuple[int, ...] | None
) -> None:
    """One sample alone may fill all of it, where the classes of all axes exclude each other."""
    reading, z = Reading(value="z", axis=axis, flat=flat), np.zeros(shape, np.float32)
    if expected is None:
        with pytest.raises(InputError, match="the softmax of 'z' runs over its axis 0, the samples"):
            reading.axes(z)
    else:
        assert reading.axes(z) == expected


def test_probabilities_by_their_formulas() -> None:
    z = models.random(1, 2, 3, scale=3)
    powers = np.exp(z.astype(np.float64))
    expected = {
        "softmax": powers / powers.sum(1, keepdims=True),
        "sigmoid": 1 / (1 + 1 / powers),
        "logarithm": powers,
        "probability": z,
    }
    for form, probabilities in expected.items():
        reading = Reading(value="z", form=form)  # type: ignore[arg-type]
        np.testing.assert_allclose(reading.probabilities(z, np), probabilities, rtol=1e-5)
        np.testing.assert_allclose(reading.probabilities(torch.from_numpy(z), torch), probabilities, rtol=1e-5)
        if form != "probability":
            np.testing.assert_allclose(reading.logarithms(z, np), np.log(probabilities), rtol=1e-5, atol=1e-6)
        order = np.argsort(reading.ranking(z), axis=1)
        np.testing.assert_array_equal(order, np.argsort(probabilities, axis=1))


def test_the_step_of_whole_numbers_is_found_through_what_moves_them() -> None:
    text = """g (float[N,4] x) => (uint8[N,2,2] y) { q = QuantizeLinear (x, s, k)  r = Reshape (q, to)  y = Transpose (r)
      p = QuantizeLinear (x, s)  u = QuantizeLinear (x, more, few) }"""
    weights = {
        "s": np.float32(0.5), "k": np.uint8(7), "to": np.int64([0, 2, 2]), "more": np.float32([1, 2, 3, 4]), "few": np.uint8([1, 2, 3, 4]),
    }  # fmt: skip
    graph = read_graph(models.parse(text, weights))
    assert {name: steps(graph, name) for name in ("q", "y", "p", "u", "x")} == {
        "q": (0.5, 7.0), "y": (0.5, 7.0), "p": (0.5, 0.0), "u": None, "x": None,
    }  # fmt: skip
    assert Reading(value="y", scale=0.5, zero=7.0).real(np.float32([7, 9])).tolist() == [0.0, 1.0]
    for form in ("softmax", "sigmoid"):
        reading = Reading(value="y", form=form, unknown=True)  # type: ignore[arg-type]
        if form == "softmax":
            with pytest.raises(InputError, match="'y' holds whole numbers of unknown step"):
                reading.probabilities(np.zeros((1, 2)), np)
        else:
            assert reading.probabilities(np.zeros((1, 2)), np).tolist() == [[0.5, 0.5]]
