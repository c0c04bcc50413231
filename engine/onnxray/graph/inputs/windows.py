"""Which axes of an input windows slide over: convolutions and pooling, followed from the input through the graph."""

from __future__ import annotations

from dataclasses import dataclass

from onnxray.graph.facts import Dim, Graph, Node, Value
from onnxray.graph.node_attributes import DAMAGED, attribute, constant
from onnxray.graph.operator_kinds import BROADCASTING, ELEMENTWISE, NORMALISING, UNCHANGING

_WEIGHTS = {"Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "QLinearConv": 3, "FusedConv": 1, "NhwcConv": 1}
_POOLS = frozenset({"AveragePool", "LpPool", "MaxPool", "QLinearAveragePool", "NhwcMaxPool"})
_WHOLE = frozenset({"GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "QLinearGlobalAveragePool"})
_LAST = frozenset({"NhwcConv", "NhwcMaxPool"})
"""Windowed operators of channels last."""
_RESIZING = frozenset({"Concat", "Pad", "Resize", "Slice", "Upsample"})
_KEEPING = ELEMENTWISE | BROADCASTING | NORMALISING | UNCHANGING | _RESIZING | {"CastLike"}
"""Operators that leave every axis where it is (some change its length)."""

Axes = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """What slides over an input: the operator, the input's axes that it slides over, and the one it takes as channels.

    Only axes that are longer than the window are among them (a free axis is), so a window is one that has places.
    sides: the window's sizes on these axes; None where the file does not tell.
    """

    operator: str
    axes: tuple[int, ...]
    channels: int | None
    sides: tuple[int | None, ...]


def windows_over(graph: Graph, value: Value) -> tuple[Window, ...]:
    """The windows that slide over an input's axes, in graph order; none where it has no shape or meets none.

    An axis is followed through nodes that leave axes in place, through Transpose, Unsqueeze and Squeeze, and through
    windows; where axes are merged, or a node has no rule, the way ends.
    """
    if value.shape is None:
        return ()
    reached: dict[str, Axes] = {value.name: tuple(range(len(value.shape)))}
    found: list[Window] = []
    for node in graph.nodes:
        source = next((name for name in node.inputs if name in reached), None)
        if source is None:
            continue
        axes = reached[source]
        try:
            window = _window(graph, node, axes, value.shape) if _is_windowed(node) else None
            passed = _passed(graph, node, axes) if window is None else _behind_window(node, axes)
        except DAMAGED:  # such a node tells nothing
            continue
        if window is not None and window.axes:
            found.append(window)
        if passed is not None:
            reached.update((name, passed) for name in node.outputs if name)
    return tuple(found)


def _is_windowed(node: Node) -> bool:
    return node.operator in _WEIGHTS or node.operator in _POOLS | _WHOLE


def _channel(node: Node, axes: Axes) -> int:
    return len(axes) - 1 if node.operator in _LAST or attribute(node, "channels_last", 0) else 1


def _behind_window(node: Node, axes: Axes) -> Axes:
    return tuple(None if place == _channel(node, axes) else axis for place, axis in enumerate(axes))


def _window(graph: Graph, node: Node, axes: Axes, shape: tuple[Dim, ...]) -> Window:
    """The window of one node; its axes are empty where it slides over none of the input's."""
    channel = _channel(node, axes)
    places = [place for place in range(1, len(axes)) if place != channel]
    kernel = _kernel(graph, node, len(places))
    slid: list[tuple[int, int | None]] = []
    for place, side in zip(places, kernel):
        axis = axes[place]
        if axis is None or side == 1:
            continue
        length = shape[axis]
        known = length if isinstance(length, int) and length > 0 else None
        if known is None or known > (side or 1):
            slid.append((axis, side))
    return Window(
        operator=node.operator,
        axes=tuple(axis for axis, _ in slid),
        channels=axes[channel] if channel < len(axes) else None,
        sides=tuple(side for _, side in slid),
    )


def _kernel(graph: Graph, node: Node, count: int) -> tuple[int | None, ...]:
    """The window's sizes; None each where they are those of the whole (global pooling) or not known."""
    stated = attribute(node, "kernel_shape", None)
    if stated is None and node.operator in _WEIGHTS:
        name = node.inputs[_WEIGHTS[node.operator]]
        weight = graph.initializers.get(name)
        dims = None if weight is None else tuple(weight.dims)
        if dims is None and name in graph.values:
            known = graph.values[name].shape
            dims = None if known is None else tuple(size if isinstance(size, int) else 0 for size in known)
        stated = None if dims is None else [size or None for size in dims[2:]]
    sides = [None if side is None else int(side) for side in stated or ()]
    return (*sides, *[None] * count)[:count]


def _passed(graph: Graph, node: Node, axes: Axes) -> Axes | None:
    """The axes behind a node that leaves them in place or moves them; None where nothing is known of them."""
    if node.operator in _KEEPING:
        return axes
    if node.operator == "Transpose":
        order = attribute(node, "perm", None) or range(len(axes))[::-1]
        return tuple(axes[int(place)] for place in order)
    if node.operator in {"Unsqueeze", "Squeeze"}:
        return _squeezed(graph, node, axes)
    return None


def _squeezed(graph: Graph, node: Node, axes: Axes) -> Axes | None:
    stated = attribute(node, "axes", None)
    if stated is None and len(node.inputs) > 1:
        held = constant(graph, node.inputs[1], most=8)
        stated = None if held is None else held.reshape(-1)
    if stated is None:
        return None
    if node.operator == "Squeeze":
        gone = {int(axis) % len(axes) for axis in stated}
        return tuple(axis for place, axis in enumerate(axes) if place not in gone)
    rank = len(axes) + len(stated)
    new, old = {int(axis) % rank for axis in stated}, iter(axes)
    return tuple(None if place in new else next(old, None) for place in range(rank))
