"""Batches of any size, in chunks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from onnxray.engines.chunks import chunk_size, in_chunks, sample_count
from onnxray.errors import InputError
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.reading import read_graph
from support import models


def graph(*shapes: str) -> Graph:
    inputs = ", ".join(f"float[{shape}] x{k}" for k, shape in enumerate(shapes))
    return read_graph(models.parse(f"g ({inputs}) => (float[N] y) {{ y = Relu (x0) }}"))


@pytest.mark.parametrize(
    ("shapes", "fixed"),
    [
        (("N,3",), None),
        (("2,3",), 2),
        (("1,3", "1,4"), 1),
        (("1,3", "2,4"), None),
        (("N,3", "1,4"), None),
        (("1,3", "N"), None),
    ],
)
def test_fixed_batch(shapes: tuple[str, ...], fixed: int | None) -> None:
    assert fixed_batch_of(graph(*shapes)) == fixed


def test_a_list_of_tensors_has_no_batch() -> None:
    text = "g (seq(float[3]) s, float[3] x) => (seq(float[3]) y) { y = SequenceInsert (s, x) }"
    assert fixed_batch_of(read_graph(models.parse(text))) is None


@pytest.mark.parametrize(("lengths", "fixed"), [((1, 6), 1), ((2, 6), 2), ((-1, 6), None), ((0, 6), None)])
def test_a_reshape_may_fix_the_batch(lengths: tuple[int, int], fixed: int | None) -> None:
    """[N, 2, 3] has as many elements as [1, 6] where N is 1 alone."""
    text = "g (float[N,2,3] x) => (float[M,6] y) { y = Reshape (x, s) }"
    assert fixed_batch_of(read_graph(models.parse(text, {"s": np.int64(lengths)}))) == fixed


@pytest.mark.parametrize(
    ("shape", "sample", "size"),
    [
        ("N,3", (3,), 256),
        ("N,3,224,224", (3, 224, 224), 13),
        ("N,3,2000,2000", (3, 2000, 2000), 1),
        ("7,3", (3,), 7),
        ("N,1000000", (1_000_000,), 2),
        ("N,666667", (666_667,), 2),
        ("N,2000001", (2_000_001,), 1),
        ("N,7812", (7812,), 256),
        ("N,7813", (7813,), 255),
    ],
)
def test_chunk_size_follows_the_sample(shape: str, sample: tuple[int, ...], size: int) -> None:
    assert chunk_size(graph(shape), {"x0": np.broadcast_to(np.float32(0), (500, *sample))}) == size


@pytest.mark.parametrize("fixed", ["N", "4"])
@pytest.mark.parametrize("total", [1, 3, 4, 5, 8, 11])
def test_chunks_are_joined_in_order_and_padding_is_cut_off(fixed: str, total: int) -> None:
    x = np.arange(total * 3.0).reshape(total, 3)
    fed: list[int] = []

    def run(part: Mapping[str, Any]) -> list[Any]:
        fed.append(len(part["x0"]))
        return [part["x0"] * 2, np.repeat(part["x0"], 2, 0)]

    found = in_chunks(graph(f"{fixed},3"), {"x0": x}, ("double", "rows"), 4, run)
    np.testing.assert_array_equal(found["double"], x * 2)
    np.testing.assert_array_equal(found["rows"], np.repeat(x, 2, 0))
    if fixed == "4":
        assert set(fed) == {4}
    else:
        assert fed == [4] * (total // 4) + [total % 4] * bool(total % 4)


def test_shapes_that_differ_between_chunks_are_refused() -> None:
    with pytest.raises(InputError, match="no batch axis"):
        in_chunks(
            graph("N,3"),
            {"x0": np.zeros((5, 3))},
            ("t",),
            4,
            lambda part: [np.zeros((len(part["x0"]), len(part["x0"])))],
        )


def test_nothing_to_feed() -> None:
    with pytest.raises(InputError, match="no samples"):
        in_chunks(graph("N,3"), {"x0": np.zeros((0, 3))}, ("y",), 4, lambda part: [part["x0"]])


def test_rows_that_are_the_same_for_any_number_of_samples_do_not_count() -> None:
    text = "g (float[N,T] x, float[2,N,4] state, int64 rate) => (float[N,T] y) { y = Identity (x) }"
    graph = read_graph(models.parse(text).SerializeToString())
    feeds = {"x": np.zeros((1, 5)), "state": np.zeros((2, 1, 4)), "rate": np.array(3)}
    assert sample_count(feeds, graph) == 1
    assert sample_count({**feeds, "x": np.zeros((7, 5))}, graph) == 7
    assert sample_count({"state": feeds["state"], "rate": feeds["rate"]}, graph) == 2
