"""Where in the depth of a network a value stands, and which values everything passes through."""

from onnxray.graph.depths import depths, waists
from onnxray.graph.reading import read_graph
from support import models, quantised

BRANCHES = """g (float[N,4] x) => (float[N,4] y) {
  a = Relu (x)
  b = Neg (a)
  c = Add (a, b)
  d = Abs (c)
  y = Add (d, x)
}"""


def test_depths_of_a_qoperator_file_are_values_of_real_numbers() -> None:
    graph = read_graph(quantised.network())
    assert depths(graph, "z", 3) == ("r1", "r2", "z")


def test_what_everything_passes_through_depends_on_which_reads_count() -> None:
    graph = read_graph(models.parse(BRANCHES))
    last = {"a": 2, "b": 2, "c": 3, "d": 4, "y": 5}
    assert [(node.outputs[0], name) for node, name in waists(graph.nodes, last)] == [
        ("a", "a"), ("c", "c"), ("d", "d"), ("y", "y"),
    ]  # fmt: skip
    assert [name for _, name in waists(graph.nodes, last | {"x": 4}, ["x"])] == ["y"]
    assert [name for _, name in waists(graph.nodes, {"a": 2, "b": -1, "c": 3}, [])] == ["a", "a", "c"]
