"""What each input takes is told from the file, with grounds: every kind, and what only looks like one."""

from typing import Any

import numpy as np
import pytest

from onnxray.graph.inputs.kinds import InputFacts, input_kinds
from onnxray.graph.reading import read_graph
from onnxray.images.profile.discovery import discover
from support.models import parse, random


def kinds(text: str, weights: dict[str, Any] | None = None) -> dict[str, InputFacts]:
    graph = read_graph(parse(text, weights).SerializeToString())
    return {facts.name: facts for facts in graph.once(input_kinds)}


def convolved(
    shape: str, *, perm: str = "", kernel: tuple[int, int] = (3, 3), channels: int = 3, name: str = "x"
) -> InputFacts:
    """The facts of an input behind which a convolution stands."""
    nodes = f"t = Transpose <perm = [{perm}]> ({name})" if perm else f"t = Identity ({name})"
    text = f"g (float[{shape}] {name}) => (float[a,b,c,d] y) {{ {nodes} y = Conv (t, w) }}"
    return kinds(text, {"w": random(0, 2, channels, *kernel)})[name]


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ("N,3,32,48", {}),
        ("N,48,32,3", {"perm": "0,3,1,2"}),
        ("N,1,28,28", {"channels": 1}),
        ("N,1,H,W", {"channels": 1}),
        ("N,4,16,16", {"channels": 4}),
        ("1,3,H,W", {}),
        ("N,1,32,100", {"channels": 1, "name": "image"}),
    ],
)
def test_windows_over_rows_and_columns_make_a_picture(shape: str, options: dict[str, Any]) -> None:
    facts = convolved(shape, **options)
    assert facts.kind == "picture"
    assert "a Conv slides over rows and columns" in facts.grounds


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ("N,76,32,1", {"channels": 1, "perm": "0,3,1,2"}),  # a spectrogram, as a wake word's embedding takes it
        ("1,1,80,T", {"channels": 1}),
        ("N,1,64,64", {"channels": 1, "name": "mel_spectrogram"}),
        ("N,1,frames,bins", {"channels": 1}),
        ("N,3,1,5", {"kernel": (1, 3)}),
        ("N,3,2,40", {"kernel": (2, 3)}),  # the window has one row of places
        ("N,16,32,32", {"channels": 16}),
    ],
)
def test_what_only_has_the_axes_of_a_picture_is_an_array(shape: str, options: dict[str, Any]) -> None:
    facts = convolved(shape, **options)
    assert facts.kind == "array", facts
    assert facts.grounds


def test_windows_of_one_axis_after_the_other_are_over_both() -> None:
    text = "g (float[N,3,16,24] x) => (float[a,b,c,d] y) { t = Conv (x, v) y = Conv (t, w) }"
    weights = {"v": random(0, 4, 3, 3, 1), "w": random(1, 2, 4, 1, 3)}
    assert kinds(text, weights)["x"].kind == "picture"
    assert (
        kinds(text.replace("(t, w)", "(t, v2)"), {"v": weights["v"], "v2": random(0, 2, 4, 3, 1)})["x"].kind == "array"
    )


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ("N,3,8,8", "picture"),
        ("N,1,28,28", "picture"),
        ("1,1,1,5", "array"),
        ("N,3,7,7", "array"),
        ("N,3,4,10", "array"),
    ],
)
def test_without_windows_equal_sides_of_some_length_are_needed(shape: str, kind: str) -> None:
    text = f"g (float[{shape}] x) => (float[N,K] y) {{ y = Flatten (x) }}"
    assert kinds(text)["x"].kind == kind


def test_without_grounds_there_is_no_profile_and_a_stated_one_is_taken() -> None:
    graph = read_graph(parse("g (float[1,1,1,5] x) => (float[N,K] y) { y = Flatten (x) }").SerializeToString())
    assert discover(graph) is None
    stated = discover(graph, "unit")
    assert stated is not None
    assert not stated.assumed


@pytest.mark.parametrize("cast", ["", "c = Cast <to = 7> ({name})"])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_whole_numbers_that_index_a_table_are_token_ids(cast: str, dtype: str) -> None:
    read = "c" if cast else "input_ids"
    text = (
        f"g ({dtype}[N,T] input_ids, {dtype}[N,T] attention_mask) => (float[N,T,D] y) "
        f"{{ {cast.format(name='input_ids')} e = Gather (table, {read}) "
        "m = Cast <to = 1> (attention_mask) axis = Constant <value_ints = [-1]> () u = Unsqueeze (m, axis) y = Mul (e, u) }"
    )
    found = kinds(text, {"table": random(0, 50, 8)})
    assert [facts.kind for facts in found.values()] == ["token ids", "token ids"]
    assert found["input_ids"].gathered == "e"
    assert found["attention_mask"].gathered is None
    assert "'table'" in found["input_ids"].grounds


ONE_HOT = (
    "depth = Constant <value_int = 9> () on = Constant <value_floats = [0.0, 1.0]> () y = OneHot (bytes, depth, on)"
)
EQUAL = "u = Unsqueeze (bytes, last) e = Expand (u, wide) q = Equal (e, all) y = Cast <to = 1> (q)"


@pytest.mark.parametrize("nodes", [ONE_HOT, EQUAL])
def test_one_hot_ids_are_token_ids_explained_at_their_code(nodes: str) -> None:
    constants = {"last": np.array([2]), "wide": np.array([1, 1, 9]), "all": np.arange(9, dtype=np.int32)}
    text = f"g (int32[N,20] bytes) => (float[N,20,9] y) {{ {nodes} }}"
    found = kinds(text, constants if nodes == EQUAL else None)["bytes"]
    assert (found.kind, found.gathered) == ("token ids", "y")


def test_whole_numbers_that_index_nothing_are_a_table_row() -> None:
    assert kinds("g (int64[N,5] x) => (float[N,5] y) { y = Cast <to = 1> (x) }")["x"].kind == "table row"


@pytest.mark.parametrize(
    ("inputs", "nodes", "weights"),
    [
        ("float[N,1,T] signal", "y = Conv (signal, w)", {"w": random(0, 2, 1, 400)}),
        ("float[1,1,16000] x", "y = Conv (x, w)", {"w": random(0, 2, 1, 3)}),
        ("float[N,T] audio", "y = Relu (audio)", {}),
        ("float[N,43844,1] x", "y = Relu (x)", {}),
        ("float[N,T] input, int64 sr", "y = Relu (input)", {}),
    ],
)
def test_one_long_axis_is_a_waveform(inputs: str, nodes: str, weights: dict[str, Any]) -> None:
    found = next(iter(kinds(f"g ({inputs}) => (float y) {{ {nodes} }}", weights).values()))
    assert found.kind == "waveform", found


@pytest.mark.parametrize("longer", ["l = Concat <axis = 0> (x, c)", "l = Concat <axis = -1> (c, x)", "l = Pad (x, p)"])
@pytest.mark.parametrize("shape", ["T", "1,T"])
def test_a_signal_that_is_made_longer_is_a_signal(shape: str, longer: str) -> None:
    """Silence before or after it: a window slides over the same axis as without."""
    if shape == "1,T":
        longer = longer.replace("axis = 0", "axis = 1")
    rank = shape.count(",") + 1
    text = f"g (float[{shape}] x) => (float[a,b,d] y) {{ {longer} u = Unsqueeze (l, front) y = Conv (u, w) }}"
    constants = {
        "c": np.zeros((1,) * (rank - 1) + (64,), np.float32),
        "p": np.array([0] * (2 * rank - 1) + [64]),
        "front": np.arange(3 - rank),
        "w": random(0, 2, 1, 400),
    }
    used = {name: array for name, array in constants.items() if f" {name})" in text or f"({name}," in text}
    found = kinds(text, used)["x"]
    assert (found.kind, found.grounds) == ("waveform", f"one signal along axis {rank - 1}, a Conv slides over it")


def test_a_short_series_is_an_array() -> None:
    found = kinds("g (float[N,1,100] x) => (float[a,b,c] y) { y = Conv (x, w) }", {"w": random(0, 2, 1, 5)})["x"]
    assert (found.kind, found.grounds) == ("array", "a Conv slides over axis 2, no picture")


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        ("float[N,4] x", "table row"), ("float[N] x", "table row"), ("string[N,2] x", "string"), ("float x", "array"),
        ("float[N,K] x", "array"), ("float[N,3,8,32,32] x", "video clip"), ("float[N,8,3,32,32] x", "video clip"),
        ("float[N,8,32,32,3] x", "video clip"), ("float[N,5,6,7,8] x", "array"), ("float[2,N,128] x", "array"),
    ],
)  # fmt: skip
def test_the_other_kinds(inputs: str, kind: str) -> None:
    dtype = inputs.split("[")[0].split(" ")[0]
    found = kinds(f"g ({inputs}) => ({dtype} y) {{ y = Identity (x) }}")["x"]
    assert found.kind == kind
    assert found.grounds
