"""Values that no sample reaches: the same for any number of them, a copy for each, or what follows from how many."""

import numpy as np
import pytest

import onnxray
from onnxray.graph.samples.mixing import places
from support import models
from support.sample_places import COPIES, COUNTED, Case

R = models.random
ROW = {"rest": [3, 5], "row": R(0, 1, 3, 5)}
SAMPLES_LAST = "t = Transpose (x)  s = Shape (t)  "  # 3, 2, N

STILL = {
    "another length": Case("s = Shape (x)  y = Gather (s, one)", "still"),
    "another length from the end": Case("s = Shape (x)  y = Gather (s, last)", "still"),
    "other lengths": Case("s = Shape (x)  y = Gather (s, one_two)", "still"),
    "a slice of one length": Case("s = Shape (x)  y = Slice (s, one, two)", "still"),
    "what follows from another length": Case("s = Shape (x)  m = Gather (s, one)  y = Mul (m, two)", "still"),
    "another length, the samples last": Case(SAMPLES_LAST + "y = Gather (s, zero)", "still", "N,2,3"),
}
COUNT = {
    "the shape": Case("y = Shape (x)", "count"),
    "the size": Case("y = Size (x)", "count"),
    "their number": Case("s = Shape (x)  y = Gather (s, zero)", "count"),
    "their number among others": Case("s = Shape (x)  y = Gather (s, zero_two)", "count"),
    "their number, the samples last": Case(SAMPLES_LAST + "y = Gather (s, last)", "count", "N,2,3"),
    "a part of the shape": Case("s = Shape <start = 1> (x)  y = Gather (s, one)", "count"),
    "a slice of their number": Case("s = Shape (x)  y = Slice (s, zero, one)", "count"),
    "a slice from the end": Case("s = Shape (x)  y = Slice (s, last, c)", "count", weights={"c": [9]}),
    "a slice, the samples last": Case(SAMPLES_LAST + "y = Slice (s, one, c)", "count", "N,2,3", {"c": [3]}),
    "a shape's own shape": Case("s = Shape (x)  c = Neg (s)  y = Gather (c, one)", "count"),
    "expanded elsewhere": Case(
        COUNTED + "ts = Concat <axis = 0> (rest, n)  y = Expand (row, ts)", "count", weights={"rest": [2], "row": R(0, 2, 1)}),
    "expanded in front and elsewhere": Case(
        COUNTED + "ts = Concat <axis = 0> (n, rest, n)  y = Expand (row, ts)", "count", weights={"rest": [2], "row": R(0, 1, 2, 1)}),
    "expanded by their number twice": Case(
        COUNTED + "ts = Concat <axis = 0> (n, n)  y = Expand (row, ts)", "count", weights={"row": R(0, 1, 1)}),
    "copies behind another axis, from the end": Case(COPIES + "y = Unsqueeze (k, u)", "count", weights={**ROW, "u": [-4]}),
    "copies, wider where it is computed": Case(
        COPIES + "i = Shape (row)  a = Gather (i, zero)  y = Unsqueeze (k, a)", "count", weights=ROW),
    "one after the other, counted": Case(
        COUNTED + "m = Squeeze (n)  r = Range (first, m, step)  y = Unsqueeze (r, one)", "count",
        weights={"first": 0, "step": 1}),
    "their number, expanded": Case(COUNTED + "f = Cast <to = 1> (n)  y = Expand (f, n)", "count"),
    "copies of their number": Case(COPIES + "f = Cast <to = 1> (n)  y = Mul (k, f)", "count", weights=ROW),
    "copies behind another axis": Case(COPIES + "y = Unsqueeze (k, zero)", "count", weights=ROW),
    "copies behind another axis, by a shape": Case(
        COPIES + "y = Reshape (k, u)", "count", weights={**ROW, "u": [1, -1, 3, 5]}),
    "copies cut up": Case(COPIES + "y = Reshape (k, u)", "count", weights={**ROW, "u": [-1, 5]}),
    "copies after copies": Case(COPIES + "m = Neg (k)  y = Concat <axis = 0> (k, m)", "count", weights=ROW),
    "copies after copies, from the end": Case(COPIES + "y = Concat <axis = -3> (k, k)", "count", weights=ROW),
    "copies summed": Case(COPIES + "y = ReduceSum (k, zero)", "count", weights=ROW),
}  # fmt: skip
SAME = {
    "expanded": Case(COPIES + "y = Identity (k)", "copies", weights=ROW),
    "filled": Case(COUNTED + "ts = Concat <axis = 0> (n, rest)  y = ConstantOfShape (ts)", "copies", weights=ROW),
    "computed with": Case(COPIES + "y = Mul (k, c)", "copies", weights={**ROW, "c": R(0, 5)}),
    "computed together": Case(COPIES + "m = Neg (k)  y = Add (k, m)", "copies", weights=ROW),
    "expanded again": Case(COPIES + "y = Expand (k, u)", "copies", weights={**ROW, "u": [1, 3, 5]}),
    "wider behind": Case(COPIES + "y = Unsqueeze (k, u)", "copies", weights={**ROW, "u": [1, 4]}),
    "of another shape": Case(COPIES + "y = Reshape (k, u)", "copies", weights={**ROW, "u": [-1, 15]}),
    "beside copies": Case(COPIES + "y = Concat <axis = 1> (k, k)", "copies", weights=ROW),
    "beside copies at the end": Case(COPIES + "y = Concat <axis = -1> (k, k)", "copies", weights=ROW),
}


def of(case: Case, count: int) -> np.ndarray:
    """y for so many samples."""
    return case.values(tuple(range(count)))[0]


@pytest.mark.parametrize("kind", STILL)
def test_what_is_the_same_for_any_number_of_samples(kind: str) -> None:
    case = STILL[kind]
    assert case.place() == "still"
    np.testing.assert_array_equal(of(case, 3), of(case, 4))


@pytest.mark.parametrize("kind", SAME)
def test_what_is_the_same_for_each_sample(kind: str) -> None:
    case = SAME[kind]
    assert case.place() == "copies"
    np.testing.assert_array_equal(of(case, 4), np.repeat(of(case, 1), 4, axis=0))


@pytest.mark.parametrize("kind", COUNT)
def test_what_follows_from_how_many_there_are(kind: str) -> None:
    assert COUNT[kind].place() == "count"


def test_an_input_without_axes_is_the_same_for_all() -> None:
    graph = onnxray.open(
        models.parse("g (float[N,2] x, float z) => (float[N,2] y) { a = Neg (z)  y = Mul (x, a) }")
    ).graph
    assert {name: places(graph)[name] for name in ("z", "a")} == {"z": "still", "a": "still"}
