"""What a Constant node holds, in each of the forms that the standard knows."""

import numpy as np
import pytest

from onnxray.graph.facts import Graph
from onnxray.graph.node_attributes import constant
from onnxray.graph.reading import read_graph
from support import models

TEXT = """g (float[N,4] x) => (float[N,4] y) {
  tensor = Constant <value = int8[2] {1, 2}> ()
  one = Constant <value_int = 7> ()
  several = Constant <value_ints = [1, 2, 3]> ()
  real = Constant <value_float = 0.1> ()
  reals = Constant <value_floats = [0.1, 0.2]> ()
  words = Constant <value_strings = ["a", "b"]> ()
  y = Relu (x)
}"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tensor", np.int8([1, 2])),
        ("one", np.int64(7)),
        ("several", np.int64([1, 2, 3])),
        ("real", np.float32(0.1)),
        ("reals", np.float32([0.1, 0.2])),
        ("w", np.float32([5, 6, 7])),
        ("words", None),
        ("y", None),
    ],
)
def test_a_constant(name: str, expected: np.ndarray | None) -> None:
    found = constant(read_graph(models.parse(TEXT, {"w": np.float32([5, 6, 7])})), name)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_the_number_that_a_shape_is_filled_with_is_no_constant() -> None:
    """ConstantOfShape has an attribute of the same name as Constant: one number of as many as it makes."""
    text = "g (float[N,4] x) => (float[N,4] y) { s = Shape (x)  f = ConstantOfShape <value = float[1] {2.5}> (s)  y = Add (x, f) }"
    graph = read_graph(models.parse(text))
    assert constant(graph, "f") is None
    assert graph.parameters == 0


def test_what_holds_more_numbers_than_asked_for_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = read_graph(models.parse(TEXT, {"w": np.float32([5, 6, 7])}))
    for name, size in (("tensor", 2), ("several", 3), ("reals", 2), ("w", 3)):
        assert constant(graph, name, most=size) is not None
    monkeypatch.setattr(Graph, "weight", lambda *_: pytest.fail("a large weight was read"))
    for name, size in (("tensor", 2), ("several", 3), ("reals", 2), ("w", 3)):
        assert constant(graph, name, most=size - 1) is None
