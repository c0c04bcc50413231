"""What of a graph is drawn: groups by names and by repetition, the way from the input, and what hostile names do."""

from __future__ import annotations

import onnx
import pytest

import onnxray
from onnxray.web.work.graph_view import GraphView
from onnxray.web.work.groups import Group, grouped


def chain(names: list[tuple[str, str]]) -> onnxray.Model:
    """A model of elementwise operators one after the other, by (operator, node's name)."""
    lines = [f'["{name}"] v{k + 1} = {operator}(v{k})' for k, (operator, name) in enumerate(names)]
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (float[1, 4] v0) => (float[1, 4] v{len(names)}) {{ {" ".join(lines)} }}"""
    return onnxray.open(onnx.parser.parse_model(text))


LAYERS = [
    (operator, f"/layer{n}/block{b}/{operator}") for n in (1, 2) for b in (0, 1) for operator in ("Relu", "Neg", "Abs")
]


def test_groups_are_the_prefixes_of_names() -> None:
    root = grouped(chain(LAYERS).graph)
    assert [one.key for one in root.groups] == ["layer1", "layer2"]
    inner = root.groups[0].groups
    assert [one.key for one in inner] == ["layer1/block0", "layer1/block1"]
    assert inner[1].like == "block0", "the same operators as the group beside it"
    assert [node.operator for node in inner[0].nodes] == ["Relu", "Neg", "Abs"]


def test_a_group_of_one_is_none() -> None:
    root = grouped(chain([("Relu", "/a/b/c/Relu"), ("Neg", "/a/d/Neg")]).graph)
    assert [type(one).__name__ for one in root.members] == ["Group"]
    assert [type(one).__name__ for one in root.groups[0].members] == ["Node", "Node"]


def test_without_prefixes_groups_are_blocks_that_repeat() -> None:
    operators = ["Exp", *["Relu", "Neg", "Abs"] * 9, "Tanh"]
    root = grouped(chain([(operator, "") for operator in operators]).graph)
    blocks = root.groups
    assert len(blocks) == 9
    assert all([node.operator for node in block.nodes] == ["Relu", "Neg", "Abs"] for block in blocks)
    assert "block 1 of 9" in blocks[0].label
    assert blocks[8].like == blocks[0].label


def test_opened_groups_show_what_is_in_them_and_edges_follow() -> None:
    view = GraphView(chain(LAYERS).graph)
    closed = view.drawn([])
    assert [part["key"] for part in closed["parts"]] == ["i0", "glayer1", "glayer2", "o0"]
    assert sorted(edge[:2] for edge in closed["edges"]) == [[0, 1], [1, 2], [2, 3]]
    opened = view.drawn(["layer1"])
    keys = [part["key"] for part in opened["parts"]]
    assert keys == ["i0", "glayer1/block0", "glayer1/block1", "glayer2", "o0"]
    assert view.drawn(["layer1"]) is opened, "each view is laid out once"
    everything = view.drawn(view.every_group())
    assert sum(part["kind"] == "node" for part in everything["parts"]) == len(LAYERS)


def test_the_way_is_what_the_value_is_computed_by() -> None:
    view = GraphView(onnxray.open("lenet").graph)
    assert view.shown_as(view.way_to("conv2"), [""]) == ["n0", "n1", "n2"]
    assert view.way_to("no such value") == frozenset()


def test_a_closed_group_stands_for_its_nodes_on_the_way() -> None:
    view = GraphView(chain(LAYERS).graph)
    assert view.shown_as(view.way_to("v4"), [""]) == ["glayer1"]
    assert view.shown_as(view.way_to("v4"), ["", "layer1", "layer1/block1"]) == ["glayer1/block0", "n3"]
    assert view.groups_around(3) == ("layer1", "layer1/block1")


@pytest.mark.parametrize(
    "name", ["/" * 500, "a/" * 500 + "x", "../../etc/passwd", "<script>alert(1)</script>/x", "//0.0/x", "/\u202e/x"]
)
def test_hostile_names_are_text(name: str) -> None:
    view = GraphView(chain([("Relu", name), ("Neg", name), ("Abs", name + "y")]).graph)
    drawn = view.drawn(view.every_group())
    assert sum(part["kind"] == "node" for part in drawn["parts"]) == 3
    assert all(len(part["title"]) <= 121 for part in drawn["parts"])


def test_many_groups_are_not_all_opened_at_first() -> None:
    many = [(operator, f"/layer{n}/{operator}") for n in range(60) for operator in ("Relu", "Neg", "Abs")]
    view = GraphView(chain(many).graph)
    assert len(view.drawn()["parts"]) <= 72
    assert isinstance(view.root, Group)
