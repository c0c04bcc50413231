"""Detectors: which outputs are boxes, their scores, their classes and how many there are.

By shapes: (.., M, 4) beside (.., M, K) or (.., M), rows (n, 6) or (n, 7), one value of 4 + K or 5 + K numbers a place,
maps of the same rows and columns. By what stands behind: non-maximum suppression, a concatenation of a box with scores
that a sigmoid closes. Names are additional grounds.
"""

from __future__ import annotations

from onnxray.graph.facts import Dim, Graph, Node
from onnxray.graph.node_attributes import attribute
from onnxray.graph.outputs.facts import (
    Column,
    OutputFacts,
    OutputKind,
    dims_of,
    dtype_of,
    equal,
    holds_floats,
    several,
    width_of,
    words,
)
from onnxray.graph.outputs.origins import SIGMOIDS, behind, closing_node, moved_origin_of
from onnxray.graph.outputs.rows_alone import SUPPRESSION, first_axis_alone

_WORDS_OF_CLASSES = frozenset({"class", "classes", "label", "labels", "category", "categories", "cls", "ids"})
_WORDS_OF_SCORES = frozenset({"score", "scores", "conf", "confidence", "confidences", "prob", "probs", "logits"})
_WORDS_OF_BOXES = frozenset({"box", "boxes", "bbox", "bboxes", "rois", "dets", "detections", "detection"})
MOST_OUTPUTS = 64
"""Outputs that are looked at: each takes a walk through the graph, and a hostile file may have a million of both."""
_LEAST_PLACES = 16
_FARTHEST = 12
_LEAST_MAPS = 2


def boxes_of(graph: Graph) -> dict[str, OutputFacts]:
    """The outputs of a detector, by name; nothing of other networks."""
    dims = {output.name: dims_of(graph, output.name) for output in graph.outputs[:MOST_OUTPUTS]}
    for found in (_suppressed(graph, dims), _pairs(graph, dims), _in_one(graph, dims), _maps(graph, dims)):
        if any(one.kind == "boxes" for one in found.values()):
            return found
    return {}


Dims = dict[str, "tuple[Dim, ...] | None"]


def _suppressed(graph: Graph, dims: Dims) -> dict[str, OutputFacts]:
    """Of a graph that suppresses what is not the largest: each output that it chooses rows for."""
    found: dict[str, OutputFacts] = {}
    for name, shape in dims.items():
        node = behind(graph, name, lambda node: node.operator.startswith(SUPPRESSION))
        if node is None or shape is None:
            continue
        alone = first_axis_alone(graph, shape)
        kind, why, columns = _kind_of_rows(graph, name, shape, alone=alone)
        if kind is not None:
            grounds = f"{why}, chosen by {node.operator}"
            found[name] = OutputFacts(name=name, kind=kind, grounds=grounds, rows_alone=alone, columns=columns)
    return found


def _kind_of_rows(
    graph: Graph, name: str, shape: tuple[Dim, ...], *, alone: bool
) -> tuple[OutputKind | None, str, tuple[tuple[Column, int], ...]]:
    whole = not holds_floats(graph, name)
    row = shape[1:] if alone else shape[2:]
    said = words(name)
    if row == (4,) and not whole:
        return "boxes", "four numbers a row", ()
    if len(row) == 1 and row[0] in (5, 6, 7) and not whole:
        columns = _columns(graph, name, row[0]) or _USUAL[row[0]]
        return "boxes", f"{row[0]} numbers a row: {', '.join(column for column, _ in columns)}", columns
    if row == () or row == (1,):
        if whole and width_of(shape if alone else shape[:2]) == 1 and not (said & _WORDS_OF_CLASSES):
            return ("box classes", "a whole number a row", ()) if alone else ("box count", "how many a sample", ())
        if whole or _comes_from_whole(graph, name) or (said & _WORDS_OF_CLASSES and not said & _WORDS_OF_SCORES):
            return "box classes", "a class a row", ()
        if not alone and len(shape) < 2:
            return "box count", "how many a sample", ()
        return "box scores", "a score a row", ()
    if len(row) == 1 and not whole:
        return "box scores", "a score a class and row", ()
    return None, "", ()


_USUAL: dict[int, tuple[tuple[Column, int], ...]] = {
    5: (("box", 4), ("score", 1)),
    6: (("box", 4), ("score", 1), ("class", 1)),
    7: (("sample", 1), ("box", 4), ("class", 1), ("score", 1)),
}


def _columns(graph: Graph, name: str, width: int) -> tuple[tuple[Column, int], ...] | None:
    """What the columns of rows are, by the concatenation that makes them: four numbers are the box, whole ones a class,
    before the box of seven the sample.
    """
    joined = behind(graph, name, lambda node: node.operator == "Concat" and _joins(graph, node, width))
    if joined is None:
        return None
    columns: list[tuple[Column, int]] = []
    for place, part in enumerate(joined.inputs):
        if _width(graph, part) == 4:
            columns.append(("box", 4))
        elif _comes_from_whole(graph, part):
            columns.append(("sample" if width == 7 and place == 0 else "class", 1))
        else:
            columns.append(("score", 1))
    kinds = [column for column, _ in columns]
    return tuple(columns) if sorted(kinds) == sorted(column for column, _ in _USUAL[width]) else None


def _joins(graph: Graph, node: Node, width: int) -> bool:
    last = [_width(graph, part) for part in node.inputs]
    return last.count(4) == 1 and len(last) - 1 + 4 == width and set(last) <= {1, 4, None}


def _width(graph: Graph, name: str) -> Dim:
    """How many numbers a row of a value has; of rows that were gathered, those of what they were gathered from."""
    for _ in range(_FARTHEST):
        dims, node = dims_of(graph, name), graph.producer_of.get(name)
        if dims:
            return dims[-1]
        if node is None or node.operator != "Gather" or attribute(node, "axis", 0):
            return None
        name = node.inputs[0]
    return None


def _comes_from_whole(graph: Graph, name: str) -> bool:
    """Whether real numbers are whole ones that were cast, moved and shifted by constants."""
    for _ in range(_FARTHEST):
        node = graph.producer_of.get(name)
        if node is None or not node.inputs:
            return False
        moving = [one for one in node.inputs if one in graph.depends_on_input]
        if not moving:
            return False
        if node.operator == "Cast":
            return dtype_of(graph, moving[0]).startswith(("int", "uint"))
        if node.operator in {"ArgMax", "NonMaxSuppression"}:
            return True
        name = moving[0]
    return False


def _pairs(graph: Graph, dims: Dims) -> dict[str, OutputFacts]:
    """(.., M, 4) beside (.., M, K) or (.., M)."""
    for name, shape in dims.items():
        if shape is None or len(shape) not in (3, 4) or shape[-1] != 4 or not several(shape[1]):
            continue
        if not holds_floats(graph, name):
            continue
        beside = {
            other: its
            for other, its in dims.items()
            if other != name and its is not None and _same_places(shape, its) and (len(its) == 3 or len(shape) == 4)
        }
        beside |= {
            other: its
            for other, its in dims.items()
            if other != name and its is not None and len(shape) == 3 and len(its) == 2 and equal(its[1], shape[1])
            and several(its[1])
        }  # fmt: skip
        beside = {other: its for other, its in beside.items() if its[-1] != 4 or _is_scores(graph, other)}
        if beside:
            return _paired(graph, name, beside)
    return {}


def _same_places(shape: tuple[Dim, ...], its: tuple[Dim, ...]) -> bool:
    return len(its) == len(shape) and all(equal(a, b) for a, b in zip(shape[1:-1], its[1:-1]))


def _paired(graph: Graph, name: str, beside: dict[str, tuple[Dim, ...]]) -> dict[str, OutputFacts]:
    first, shape = next(iter(beside)), dims_of(graph, name)
    closed = any(_is_scores(graph, other) for other in beside)
    assumed = not (closed or words(name) & _WORDS_OF_BOXES)
    found = {
        name: OutputFacts(
            name=name, kind="boxes", grounds=f"four numbers a place, beside {first!r} of as many places",
            assumed=assumed, axis=None if shape is None else len(shape) - 1,
        )
    }  # fmt: skip
    scored = False
    for other, its in sorted(beside.items(), key=lambda pair: not _is_scores(graph, pair[0])):
        whole = not holds_floats(graph, other)
        if whole or (len(its) == 2 and words(other) & _WORDS_OF_CLASSES and not words(other) & _WORDS_OF_SCORES):
            kind: OutputKind = "box classes"
        else:
            kind = "feature map" if scored else "box scores"
            scored = True
        said = f"as many places as the boxes {name!r}"
        axis = len(its) - 1 if len(its) >= 3 else None
        found[other] = OutputFacts(name=other, kind=kind, grounds=said, assumed=assumed, axis=axis)
    return found


def _is_scores(graph: Graph, name: str) -> bool:
    """Whether a softmax or sigmoid closes an output, or all that is joined to it; or its name says so."""
    return closing_node(graph, name) is not None or bool(words(name) & _WORDS_OF_SCORES)


def _in_one(graph: Graph, dims: Dims) -> dict[str, OutputFacts]:
    """One value of 4 + K or 5 + K numbers a place (YOLO): a box that is joined to what a sigmoid closes; or the largest
    rows of such, six numbers each.
    """
    for name, shape in dims.items():
        if shape is None or len(shape) != 3 or not holds_floats(graph, name):
            continue
        if shape[2] == 6 and several(shape[1]) and behind(graph, name, lambda node: node.operator == "TopK"):
            columns = _columns(graph, name, 6) or _USUAL[6]
            said = f"6 numbers a row ({', '.join(column for column, _ in columns)}), the largest by TopK"
            return {name: OutputFacts(name=name, kind="boxes", grounds=said, axis=2, columns=columns)}
        found = _joined(graph, name, shape)
        if found is not None:
            return {name: found}
    return {}


def _joined(graph: Graph, name: str, shape: tuple[Dim, ...]) -> OutputFacts | None:
    """A value whose rows are a box and scores, joined along the axis of the numbers."""
    axis = next((k for k in (2, 1) if _may_hold_rows(shape[k], shape[3 - k])), None)
    if axis is None:
        return None
    joined = behind(graph, name, lambda node: node.operator == "Concat" and _box_and_scores(graph, node))
    width = shape[axis]
    if joined is None or not isinstance(width, int):
        return None
    columns = _columns_of_parts(graph, joined, width)
    said = f"{width} numbers a place: {', '.join(f'{column} ({count})' for column, count in columns)}, joined by Concat"
    return OutputFacts(name=name, kind="boxes", grounds=said, assumed=True, axis=axis, columns=columns)


def _columns_of_parts(graph: Graph, joined: Node, width: int) -> tuple[tuple[Column, int], ...]:
    """Box, whether there is anything (objectness), scores, and what no sigmoid closes after them.

    YOLOv5 joins halves of the box that come from the very sigmoid that its scores do, the first of which is the
    objectness; YOLOX joins it as a part of its own before the scores.
    """
    lengths = [_length(graph, part, joined) for part in joined.inputs]
    first = 2 if lengths[0] == 2 else 1
    closed = [_sigmoid_of(graph, part) for part in joined.inputs][first:]
    after = sum(1 for one in closed[1:] if not one)
    scored = width - 4 - sum(length for length in lengths[len(lengths) - after :] if isinstance(length, int))
    apart = first == 2 or (lengths[first] == 1 and len(closed) > 1 and closed[1])
    columns: list[tuple[Column, int]] = [("box", 4)]
    columns += [("objectness", 1), ("scores", scored - 1)] if apart else [("scores", scored)]
    return tuple(column for column in [*columns, ("other", width - 4 - scored)] if column[1] > 0)


def _may_hold_rows(width: Dim, places: Dim) -> bool:
    return isinstance(width, int) and width >= 5 and (not isinstance(places, int) or places >= _LEAST_PLACES)


def _length(graph: Graph, part: str, joined: Node) -> Dim:
    dims = dims_of(graph, part)
    if not dims:
        return None
    axis = attribute(joined, "axis", 0)
    return dims[axis] if -len(dims) <= axis < len(dims) else None


def _box_and_scores(graph: Graph, node: Node) -> bool:
    """Whether a box of four numbers (or its halves) is joined to what a sigmoid gives."""
    lengths = [_length(graph, part, node) for part in node.inputs]
    first = 1 if lengths[:1] == [4] else 2 if lengths[:2] == [2, 2] else len(lengths)
    return first < len(lengths) and _sigmoid_of(graph, node.inputs[first])


def _sigmoid_of(graph: Graph, name: str) -> bool:
    node = moved_origin_of(graph, name)
    if node is not None and node.operator in {"Slice", "Split"} and node.inputs:
        node = moved_origin_of(graph, node.inputs[0])
    return node is not None and node.operator in SIGMOIDS


def _maps(graph: Graph, dims: Dims) -> dict[str, OutputFacts]:
    """Maps of the same rows and columns: one that a sigmoid closes, and what nothing closes beside it (CenterFace)."""
    four = {name: shape for name, shape in dims.items() if shape is not None and len(shape) == 4}
    heat = [name for name in four if closing_node(graph, name) is not None]
    if len(heat) != 1 or len(four) < _LEAST_MAPS or (_word(graph, heat[0]) not in SIGMOIDS and four[heat[0]][1] != 2):
        return {}
    places = four[heat[0]][2:]
    beside = [name for name, shape in four.items() if name != heat[0] and shape[2:] == places]
    boxes = [name for name in beside if four[name][1] in (2, 4)]
    if not boxes:
        return {}
    said = f"numbers a place beside the scores {heat[0]!r}"
    found = {
        name: OutputFacts(
            name=name, kind="boxes" if name in boxes else "feature map", grounds=said, assumed=True, axis=1
        )
        for name in beside
    }
    grounds = f"a map that a {_word(graph, heat[0])} closes, beside {boxes[0]!r} of its rows and columns"
    return {heat[0]: OutputFacts(name=heat[0], kind="box scores", grounds=grounds, axis=1)} | found


def _word(graph: Graph, name: str) -> str:
    """The operator that closes an output, for a sentence."""
    node = closing_node(graph, name)
    return "node" if node is None else node.operator
