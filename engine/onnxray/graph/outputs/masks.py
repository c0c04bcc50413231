"""Segmentation: a class at each place of the picture, as scores a class or as the class itself."""

from __future__ import annotations

from onnxray.graph.facts import Dim, Graph
from onnxray.graph.outputs.facts import OutputFacts, OutputKind, holds_floats, several, words
from onnxray.graph.outputs.origins import SIGMOIDS, SOFTMAXES, behind, channel_axis, moved_origin_of

_ENLARGING = frozenset({"Resize", "Upsample", "ConvTranspose", "DepthToSpace"})
_WORDS = frozenset({"mask", "masks", "seg", "segmentation", "semantic", "segm"})
_COARSEST = 8
"""How much smaller than the picture a map may be whose scores are one a place of it."""


def mask_of(graph: Graph, name: str, shape: tuple[Dim, ...] | None) -> OutputFacts | None:
    """What an output with rows and columns is: a mask, or a feature map; None of other outputs."""
    if shape is None or not any(value.shape is not None and len(value.shape) == 4 for value in graph.inputs):
        return None
    node = moved_origin_of(graph, name)
    operator = "" if node is None else node.operator
    if operator == "ArgMax" and len(shape) in (3, 4) and sum(map(several, shape[1:])) >= 2:
        return OutputFacts(name=name, kind="mask", grounds="the class of each place, by ArgMax")
    if len(shape) != 4 or not holds_floats(graph, name):
        return None
    axis = channel_axis(graph, name, 4)
    sides = [dim for k, dim in enumerate(shape) if k not in (0, axis)]
    if not all(map(several, sides)):
        return None
    channels = shape[axis]
    if operator in SOFTMAXES and several(channels):
        said = f"a {operator} over axis {axis} closes it, at each place"
        return OutputFacts(name=name, kind="mask", grounds=said, axis=axis)
    pictured = channels == _channels_of_picture(graph) and channels == 3
    if operator in SIGMOIDS and not pictured:
        said = f"a {operator} closes it, {_many(channels)} a place"
        return OutputFacts(name=name, kind="mask", grounds=said, axis=axis)
    kind, why, assumed = _bare(graph, name, channels, sides, pictured=pictured)
    return OutputFacts(name=name, kind=kind, grounds=why, assumed=assumed, axis=axis)


def _bare(graph: Graph, name: str, channels: Dim, sides: list[Dim], *, pictured: bool) -> tuple[OutputKind, str, bool]:
    if pictured:
        return "feature map", "as many channels as the picture has: a picture, or a map", True
    enlarged = behind(graph, name, lambda node: node.operator in _ENLARGING)
    if words(name) & _WORDS:
        return "mask", f"it is called {name!r}", True
    if (
        several(channels)
        and enlarged is not None
        and _is_dense(graph, sides)
        and channels != _channels_of_picture(graph)
    ):
        said = f"{_many(channels)} at each place of the picture, enlarged by {enlarged.operator}"
        return "mask", f"{said}; nothing closes them", True
    return "feature map", f"{_many(channels)} a place, not closed by anything", False


def _many(channels: Dim) -> str:
    return "one number" if channels == 1 else f"{channels or 'some'} numbers"


def _picture(graph: Graph) -> tuple[Dim, ...]:
    return next((v.shape for v in graph.inputs if v.shape is not None and len(v.shape) == 4), ())


def _channels_of_picture(graph: Graph) -> Dim:
    """The shortest known axis of the picture after the samples'."""
    known = [dim for dim in _picture(graph)[1:] if isinstance(dim, int)]
    return min((dim for dim in known if dim > 0), default=None)


def _is_dense(graph: Graph, sides: list[Dim]) -> bool:
    """Whether places are at most a few of the picture's apart; so is what nothing is known of."""
    known = sorted(dim for dim in _picture(graph)[1:] if isinstance(dim, int))[-2:]
    own = sorted(dim for dim in sides if isinstance(dim, int))
    return len(own) < 2 or len(known) < 2 or all(a * _COARSEST >= b for a, b in zip(own, known))
