"""Which layers of a network class activation maps can be made at, and which of them is taken where none is named.

A layer is a candidate where everything that the target learns of the picture's places passes through it. The default is
the last candidate before the pooling. Where a class token alone is read in the end, the last block hands its other
tokens on to nobody; what counts then is the last value whose tokens are still looked at, before keys and values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onnxray.errors import InputError
from onnxray.graph.axis_factors import spatial
from onnxray.graph.depths import waists
from onnxray.graph.dequantised import whole_numbers_of
from onnxray.graph.facts import Node
from onnxray.graph.operator_kinds import LAYER_OPERANDS, LINEAR, MOVING, POOLING
from onnxray.model.layers.grid import Grid, Space

_SELECTING = frozenset({"Gather", "Slice", "Split"})
# What only moves, thins out or projects the places of the value before it, which is the one to look at.
_HANDING_ON = POOLING | LINEAR | MOVING | {"Cast"}


@dataclass(frozen=True)
class Layers:
    """Candidates in graph order, and the default's name; None where the network has none."""

    candidates: tuple[Grid, ...]
    default: str | None


def find_layers(space: Space, names: Iterable[str]) -> Layers:
    """The candidates for a target that reads the values ``names``."""
    wanted = tuple(names)
    needed = space.model.graph.needed_for(wanted)
    last_read = {name: at for name, at in last_reads(space, needed, wanted).items() if name in space.reached}
    inputs = {value.name for value in space.model.graph.inputs}
    alone = waists(needed, last_read, inputs & last_read.keys())
    # A node that pools a branch away leaves another's value alone, through which not everything has passed.
    passed = [name for node, name in alone if name in node.outputs]
    usable = _computed(needed) & last_read.keys() - set(wanted)
    grids = space.grids(name for name in passed if name in usable)
    if not grids:  # branches to the very end: the last that anyone looks at
        grids = space.grids(name for node in needed for name in node.outputs if name in usable)
    last = next(reversed(grids), None)
    default = None if last is None else _source(space, last, inputs)
    if default is not None and default not in grids:
        grids = space.grids([*grids, default])
    # Of whole numbers, what they stand for is looked at.
    real = {whole: node.outputs[0] for whole, node in space.model.graph.dequantised.items()}
    grids = space.grids(real.get(name, name) for name in grids)
    default = None if default is None else real.get(default, default)
    order = {name: place for place, name in enumerate(space.model.graph.values)}
    return Layers(tuple(sorted(grids.values(), key=lambda grid: order[grid.value])), default)


def choose_layers(space: Space, names: Iterable[str], given: Sequence[str]) -> tuple[Grid, ...]:
    """The layers that a user names, or the default. Errors: InputError, UnknownValue."""
    wanted = tuple(names)
    if not given:
        found = find_layers(space, wanted)
        if found.default is None:
            raise InputError(
                f"no value before {', '.join(map(repr, wanted))} is a grid over the picture, as far as the graph "
                "tells; this method needs one"
            )
        return (space.grid(found.default),)
    chosen = space.model.select_values(given)
    graph = space.model.graph
    before = {name for node in graph.needed_for(wanted) for name in node.reads}
    for name in chosen:
        held = whole_numbers_of(graph, name) or name
        if held not in space.reached:
            raise InputError(
                f"the layer {name!r} does not depend on the input {space.input!r}, on which its map would be drawn; "
                "name an input that it depends on (wrt)"
            )
        if held not in before:
            raise InputError(
                f"the layer {name!r} does not stand before {', '.join(map(repr, wanted))}, which the target reads; "
                "name one that does: onnxray saliency layers MODEL"
            )
    return tuple(space.grid(name) for name in chosen)


def _computed(needed: Sequence[Node]) -> set[str]:
    """The values that some layer with weights has made; others are the picture itself, cut or padded."""
    found: set[str] = set()
    for node in needed:
        if node.operator in LAYER_OPERANDS or any(name in found for name in node.reads):
            found.update(filter(None, node.outputs))
    return found


def last_reads(space: Space, needed: Sequence[Node], wanted: Sequence[str]) -> dict[str, int]:
    """Value -> the last node that looks at its places; only those that some node does, on the way to ``wanted``.

    needed: the nodes that those are computed by, in graph order.
    """
    moving = space.model.graph.depends_on_input
    last: dict[str, int] = {name: space.model.graph.end for name in wanted if _holds_places(space, name)}
    for node in reversed(needed):
        for name in node.reads:
            if name in moving and name not in last and _holds_places(space, name) and _looks(space, node, name, last):
                last[name] = node.index
    return last


def _holds_places(space: Space, name: str) -> bool:
    """Whether a value holds places of the picture; one that cannot be told of counts as if."""
    if name not in space.axes:
        return len(space.shapes.get(name, (1, 1))) > 1
    return any(spatial(axis) for axis in space.axes[name])


def _looks(space: Space, node: Node, name: str, last: dict[str, int]) -> bool:
    """Whether a node passes something on of what a value holds at the picture's places."""
    if node.operator in {"Shape", "Size"}:
        return False
    outputs = [output for output in node.outputs if output]
    if node.operator in _SELECTING and all(output in space.axes for output in outputs):
        return any(output in last for output in outputs)
    if _contracts(space, node, name) or any(output not in space.axes for output in outputs):
        return True
    kept = [output for output in outputs if _holds_places(space, output)]
    return any(output in last for output in kept) or not kept


def _contracts(space: Space, node: Node, name: str) -> bool:
    """Whether a node sums over the places of one of its inputs."""
    axes = space.axes.get(name)
    if axes is None or node.operator not in {"MatMul", "Attention"}:
        return False
    if node.operator == "Attention":
        return name in node.inputs[1:3]
    return (name == node.inputs[0] and bool(spatial(axes[-1]))) or (
        name == node.inputs[1] and len(axes) > 1 and bool(spatial(axes[-2]))
    )


def _source(space: Space, name: str, inputs: set[str]) -> str:
    """The value before operators that only hand its places on."""
    graph = space.model.graph
    while True:
        node = graph.producer_of.get(name)
        moving = [read for read in node.inputs if read in graph.depends_on_input] if node is not None else []
        if node is None or len(moving) != 1 or moving[0] in inputs or not space.grids(moving):
            return name
        if node.operator not in _HANDING_ON and not (node.operator == "Add" and _projected(space, moving[0])):
            return name
        name = moving[0]


def _projected(space: Space, name: str) -> bool:
    """Whether a value comes out of a linear layer, so that a constant added to it is the layer's bias."""
    node = space.model.graph.producer_of.get(name)
    return node is not None and node.operator in LINEAR
