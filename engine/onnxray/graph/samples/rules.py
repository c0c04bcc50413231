"""What each operator does to the samples of a batch: where they lie in its output, True where it puts them together,
False where that is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Final

from onnxray.graph.facts import Node
from onnxray.graph.node_attributes import attribute, constant
from onnxray.graph.samples.places import Apart, Facts, Place

Rule = Callable[[Facts, Node, Apart, int], Place | bool]


def broadcast(facts: Facts, node: Node) -> Place | bool:
    """Aligned from the last axis on; nothing else may lie along the samples but what is the same for each."""
    ranks = [facts.rank(name) for name in node.inputs if name]
    if None in ranks:
        return False
    most = max(rank for rank in ranks if rank is not None)
    own = {_from_last(facts, name) for name in node.inputs if isinstance(facts.of(name), Apart)}
    if len(own) != 1:
        return len({axis for axis, _ in own}) > 1
    axis, rows = own.pop()
    for name in node.inputs:
        dims, place = facts.dims(name) or (), facts.of(name)
        along = dims[axis] if len(dims) >= -axis else 1
        if place == "count" or (place == "still" and along != 1):
            return False
        if place == "copies" and (axis != -most or len(dims) != most):
            return False
    return Apart(most + axis, rows)


def _from_last(facts: Facts, name: str) -> tuple[int, int]:
    place, rank = facts.of(name), facts.rank(name)
    assert isinstance(place, Apart)
    assert rank is not None
    return place.axis - rank, place.rows


def _reshaped(facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    """Samples stay whole where the lengths after the first hold a part of each: n r p = (n r p / q) q, q | r p."""
    if first.axis:
        return False
    wanted = facts.numbers(node, 1) if node.operator == "Reshape" else None
    if node.operator == "Reshape" and wanted is not None and wanted[:1] == [0]:
        return first
    dims = facts.dims(node.inputs[0]) or ()
    if node.operator == "Flatten":
        axis = int(attribute(node, "axis", 1))
        axis += rank if axis < 0 else 0
        rest: list[object] = [prod(d for d in dims[axis:] if isinstance(d, int))] if axis else []
        if axis == 1:
            return first
        if not axis:
            return False
    elif wanted is not None and all(length > 0 for length in wanted[1:]):
        rest = list(wanted[1:])
    else:
        out = facts.dims(node.outputs[0])
        if not out:
            return False
        rest = list(out[1:])
        if rest == list(dims[1:]) and all(isinstance(dim, int | str) for dim in rest):
            return first
    size = facts.sample(node.inputs[0], first)
    known = [length for length in rest if isinstance(length, int)]
    row = prod(known)
    if size is None or not row or len(known) != len(rest) or size % row:
        return False
    return Apart(0, size // row)


def _transposed(_facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    order = [int(k) for k in attribute(node, "perm", list(range(rank))[::-1])]
    return Apart(order.index(first.axis), first.rows)


def _axes(facts: Facts, node: Node, rank: int, position: int = 1) -> list[int] | None:
    """The axes that a node works along; None where they are computed."""
    stated = attribute(node, "axes", None)
    if stated is None:
        stated = facts.numbers(node, position)
        if stated is None and position < len(node.inputs) and node.inputs[position]:
            return None
    return [int(axis) % rank for axis in stated or ()]


def _reduced(facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    if node.operator in {"ArgMax", "ArgMin"}:
        axes: list[int] | None = [int(attribute(node, "axis", 0)) % rank]
    else:
        axes = _axes(facts, node, rank)
    if axes is None:
        return False
    if not axes:
        return first if attribute(node, "noop_with_empty_axes", 0) else True
    if first.axis in axes:
        return True
    return (
        first if attribute(node, "keepdims", 1) else Apart(first.axis - sum(a < first.axis for a in axes), first.rows)
    )


def _along_one(facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    """Softmax, normalisation, ranking: whether the samples' axis is among those worked along."""
    newer = facts.graph.opsets.get("ai.onnx", 13) >= 13
    classic = node.operator in {"Softmax", "LogSoftmax", "Hardmax"}
    axis = int(attribute(node, "axis", 1 if classic and not newer else -1)) % rank
    whole = (classic and not newer) or node.operator in {"LayerNormalization", "RMSNormalization"}
    return True if first.axis == axis or (whole and first.axis > axis) else first


def _cumulated(facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    axis = facts.numbers(node, 1)
    return False if not axis else True if axis[0] % rank == first.axis else first


def _joined(facts: Facts, node: Node, _first: Apart, rank: int) -> Place | bool:
    own = {facts.of(name) for name in node.inputs if facts.of(name) != "copies"}
    place = own.pop() if len(own) == 1 else None
    ranks = {facts.rank(name) for name in node.inputs}
    if not isinstance(place, Apart) or len(ranks) != 1 or None in ranks:
        return False
    rank = ranks.pop() or 1
    if place.axis and any(facts.of(name) == "copies" for name in node.inputs):
        return False
    return place if int(attribute(node, "axis", 1)) % rank != place.axis else False


def _squeezed(facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    wider = node.operator == "Unsqueeze"
    stated = attribute(node, "axes", None) or facts.numbers(node, 1)
    if not stated:
        return False
    axes = sorted(int(axis) % (rank + len(stated) if wider else rank) for axis in stated)
    axis = first.axis
    if not wider:
        return False if axis in axes else Apart(axis - sum(a < axis for a in axes), first.rows)
    for new in axes:
        axis += new <= axis
    return Apart(axis, first.rows)


def _sliced(facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    starts = attribute(node, "starts", None) or facts.numbers(node, 1)
    axes = _axes(facts, node, rank, 3)
    if axes is None or (not axes and starts is None):
        return False
    return first if first.axis not in (axes or range(len(starts or ()))) else False


def _split(_facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    return first if int(attribute(node, "axis", 0)) % rank != first.axis else False


def _gathered(facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    axis, picked = int(attribute(node, "axis", 0)) % rank, facts.rank(node.inputs[1])
    if axis == first.axis or picked is None or facts.of(node.inputs[1]) != "still":
        return False
    return Apart(first.axis + (picked - 1 if axis < first.axis else 0), first.rows)


def _looked_up(facts: Facts, node: Node, _first: Apart, _rank: int) -> Place | bool:
    """Gather: from what is the same for all by each sample's own numbers, or of each sample."""
    source, picked = facts.of(node.inputs[0]), facts.of(node.inputs[1])
    known = facts.rank(node.inputs[0])
    if isinstance(source, Apart) and known is not None:
        return _gathered(facts, node, source, known)
    if source == "still" and isinstance(picked, Apart) and known is not None:
        return Apart(picked.axis + int(attribute(node, "axis", 0)) % known, picked.rows)
    return False


def _padded(facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    pads = attribute(node, "pads", None) or facts.numbers(node, 1)
    if not pads or len(node.inputs) > 3 or len(pads) != 2 * rank:
        return False
    return first if not pads[first.axis] and not pads[rank + first.axis] else False


def _tiled(facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    repeats = facts.numbers(node, 1)
    return first if repeats and len(repeats) == rank and repeats[first.axis] == 1 else False


def _expanded(facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    wider = facts.rank(node.outputs[0])
    return Apart(first.axis + wider - rank, first.rows) if wider is not None and wider >= rank else False


def _resized(facts: Facts, node: Node, first: Apart, rank: int) -> Place | bool:
    scales = attribute(node, "scales", None)
    place = 1 if len(node.inputs) == 2 else 2
    name = node.inputs[place] if scales is None and len(node.inputs) > place else ""
    if name and (array := constant(facts.graph, name)) is not None and array.size:
        scales = array.reshape(-1).tolist()
    if scales:
        return first if len(scales) == rank and scales[first.axis] == 1 else False
    return first if first.axis == 0 and len(node.inputs) == 4 else False


def _normalised(facts: Facts, node: Node, first: Apart, _rank: int) -> Place | bool:
    others = [facts.of(name) for name in node.inputs[1:]]
    training = attribute(node, "training_mode", 0) or len([name for name in node.outputs if name]) > 1
    if first.axis or any(place != "still" for place in others):
        return False
    return True if training else first


def _multiplied(facts: Facts, node: Node, _first: Apart, _rank: int) -> Place | bool:
    """MatMul: (..., i, k) (..., k, j); the samples may be i, j, or lie before; along k they are summed."""
    places_, ranks = [], []
    extra = {"QLinearMatMul": (0, 3)}.get(node.operator, (0, 1))
    for position in extra:
        places_.append(facts.of(node.inputs[position]))
        ranks.append(facts.rank(node.inputs[position]))
    a, b = places_
    if any(rank is None or rank < 2 for rank in ranks) or any(p in {"count", "copies"} for p in places_):
        return False
    m, n = ranks[0] or 0, ranks[1] or 0
    most = max(m, n)
    if isinstance(a, Apart) and isinstance(b, Apart):
        if a.axis == m - 1 or b.axis == n - 2:
            return True
        same = a.axis - m == b.axis - n and a.rows == b.rows
        return Apart(most + a.axis - m, a.rows) if same else True
    own, size, summed = (a, m, m - 1) if isinstance(a, Apart) else (b, n, n - 2)
    assert isinstance(own, Apart)
    if own.axis == summed:
        return True
    other = facts.dims(node.inputs[extra[1] if isinstance(a, Apart) else 0]) or ()
    from_last = own.axis - size
    if from_last < -2 and len(other) >= -from_last and other[from_last] != 1:
        return False
    return Apart(most + from_last, own.rows)


def _gemm(facts: Facts, node: Node, _first: Apart, _rank: int) -> Place | bool:
    a, *others = [facts.of(name) for name in node.inputs]
    c: Place = "still"
    if node.operator == "QGemm":  # A, its scale and zero, B, its scale and zero, C, ...
        b = others.pop(2)
        if any(place != "still" for place in others):
            return False
    else:
        b, c = others[0], others[1] if len(others) > 1 else c
    if not isinstance(a, Apart) or a.axis > 1 or c not in ("still", a):
        return False
    if isinstance(b, Apart) or a.axis != (1 if attribute(node, "transA", 0) else 0):
        return True
    return Apart(0, a.rows) if b == "still" else False


_REDUCING = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
OWN_OPERANDS: Final = frozenset({"Concat", "Gather", "MatMul", "MatMulInteger", "QLinearMatMul", "Gemm", "QGemm"})
RULES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys((*(f"Reduce{name}" for name in _REDUCING), "ArgMax", "ArgMin"), _reduced),
    **dict.fromkeys(
        ("Softmax", "LogSoftmax", "Hardmax", "LayerNormalization", "RMSNormalization", "LpNormalization", "TopK"),
        _along_one,
    ),
    **dict.fromkeys(("Reshape", "Flatten"), _reshaped),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), _squeezed),
    **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul"), _multiplied),
    **dict.fromkeys(("Gemm", "QGemm"), _gemm),
    **dict.fromkeys(("Resize", "Upsample"), _resized),
    "Transpose": _transposed, "Concat": _joined, "Slice": _sliced, "Split": _split, "Gather": _looked_up,
    "Pad": _padded, "Tile": _tiled, "Expand": _expanded, "BatchNormalization": _normalised, "CumSum": _cumulated,
}  # fmt: skip
