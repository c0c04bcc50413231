"""Whether a graph scales its pictures itself: what its first nodes make of the input, channel by channel.

    y = factor * x + shift, so that x = -shift / factor becomes zero

The nodes are followed from the input on for as long as they multiply, add, move channels or move pixels. Where zero
lies and how large a step is tell what x must have been: grey levels, 0 to 1, or, where neither is clear, nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import OnnxrayError
from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import DAMAGED, attribute, constant

_MOST: Final = 2**20
"""Numbers of a constant that is read here: those of a mean image of 512x512."""
_LONGEST: Final = 64
"""Nodes that are followed."""
_WIDEST: Final = 64
"""Channels that are followed: those of a picture, joined a few times over."""
_CAFFE_MEANS: Final = (103.939, 116.779, 123.68)
_PIXELS_ONLY: Final = frozenset(
    {
        "Cast",
        "CastLike",
        "Clip",
        "DequantizeLinear",
        "Dropout",
        "Identity",
        "Pad",
        "QuantizeLinear",
        "Resize",
        "Upsample",
    }
)
"""Operators after which a channel still is what it was; quantising and going back cancel out."""


@dataclass(frozen=True, slots=True)
class InputScaling:
    """What the graph's first nodes ask for. pixels: "raw" is 0..255, "unit" 0..1. blue_first: whether BGR is asked for.

    why: the nodes and numbers that say so.
    """

    pixels: Literal["raw", "unit"]
    blue_first: bool
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class _Scaled:
    """A value that is factor * input + shift; one of each for every channel, whose place in the input is ``source``.

    axis: where the channels lie, of ``rank`` axes; None where they all lie apart, each in a value of its own.
    """

    factor: NDArray[np.float64]
    shift: NDArray[np.float64]
    source: NDArray[np.int64]
    axis: int | None
    rank: int
    steps: tuple[str, ...] = ()

    def picked(self, places: NDArray[Any] | Sequence[int], axis: int | None) -> _Scaled:
        """These of its channels."""
        index = np.asarray(places)
        return replace(self, factor=self.factor[index], shift=self.shift[index], source=self.source[index], axis=axis)


def input_scaling(graph: Graph, channel_axis: int, channels: int) -> InputScaling | None:
    """Return what the first nodes say of the one input of a graph, which is (N, C, H, W) or (N, H, W, C).

    None where they do not scale, or where it is not clear what they scale.
    """
    name = graph.inputs[0].name
    start = _Scaled(np.ones(channels), np.zeros(channels), np.arange(channels), channel_axis, 4)
    known = {name: start}
    followed = 0
    last = start
    for node in graph.nodes:
        if not any(value in known for value in node.reads):
            continue
        results = _results(graph, node, known) if followed < _LONGEST and not node.captures else None
        if results is None:
            # The network begins: what it reads is what the input was scaled to.
            read = [known[value] for value in node.reads if value in known]
            return _judged(max(read, key=lambda value: len(value.steps)))
        known.update(results)
        followed += 1
        last = next(iter(results.values()), last)
    return _judged(last)


def _judged(value: _Scaled) -> InputScaling | None:
    if not value.steps or len(set(value.source.tolist())) != len(value.source):
        return None
    factor, shift = value.factor[np.argsort(value.source)], value.shift[np.argsort(value.source)]
    if not (np.isfinite(factor).all() and np.isfinite(shift).all() and (factor > 0).all()):
        return None
    zero = -shift / factor
    why = f"the graph scales its input itself ({', '.join(value.steps[:4])}{', ...' if len(value.steps) > 4 else ''})"
    small = (factor > 1 / 300) & (factor < 1 / 100) & (np.abs(zero) < 1)
    centred = (zero > 16) & (zero < 240) & (factor < 4)
    if (small | centred).all():
        near = len(zero) == 3 and np.allclose(zero, _CAFFE_MEANS, atol=3)
        order = "; its means are those of blue, green and red" if near else ""
        return InputScaling("raw", near, f"{why}, zero at {_listed(zero)} of 255{order}")
    if ((factor >= 1.6) & (zero > 0.2) & (zero < 0.8)).all() or (
        (factor > 200) & (factor < 300) & (zero >= 0) & (zero < 0.8)
    ).all():
        return InputScaling("unit", False, f"{why}, zero at {_listed(zero)} of 1")
    return None


def _listed(numbers: NDArray[np.float64]) -> str:
    return ", ".join(f"{number + 0.0:.3g}" for number in (numbers[:1] if np.ptp(numbers) < 1e-6 else numbers))


def _results(graph: Graph, node: Node, known: dict[str, _Scaled]) -> dict[str, _Scaled] | None:
    """The node's outputs where they are the input, scaled; None where the network begins."""
    rule = _RULES.get(node.operator) if node.domain in ("", "ai.onnx") else None
    if node.operator in _PIXELS_ONLY:
        rule = _same
    if rule is None or not node.inputs:
        return None
    try:
        with np.errstate(all="ignore"):  # a constant may be anything; what is not finite tells nothing
            return rule(graph, node, known)
    except (OnnxrayError, *DAMAGED):  # which the importer will name
        return None


def _same(_graph: Graph, node: Node, known: dict[str, _Scaled]) -> dict[str, _Scaled] | None:
    value = known.get(node.inputs[0])
    return None if value is None else {node.outputs[0]: value}


def _fixed(graph: Graph, name: str, depth: int = 0) -> NDArray[np.float64] | None:
    """A constant, also one that Cast, Reshape and the like hand on."""
    held = constant(graph, name, most=_MOST)
    if held is not None:
        return np.asarray(held, np.float64) if held.dtype.kind in "fiu" else None
    node = graph.producer_of.get(name)
    if node is None or depth > 8 or node.operator not in {"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze"}:
        return None
    inner = _fixed(graph, node.inputs[0], depth + 1)
    if inner is None or node.operator in {"Cast", "Identity"}:
        return inner
    stated = graph.values[name].shape
    sizes = [size for size in stated or () if isinstance(size, int)]
    return inner.reshape(sizes) if stated is not None and len(sizes) == len(stated) else None


def _by_channel(array: NDArray[np.float64], value: _Scaled) -> NDArray[np.float64] | None:
    """A constant's numbers for the channels of a value that it is combined with; the mean over rows and columns."""
    if array.size == 1:
        return np.full(len(value.factor), float(array.reshape(-1)[0]))
    if value.axis is None or array.ndim > value.rank:
        return None
    array = array.reshape((1,) * (value.rank - array.ndim) + array.shape)
    averaged = array.mean(axis=tuple(axis for axis in range(value.rank) if axis != value.axis))
    return np.broadcast_to(averaged, value.factor.shape) if len(averaged) in (1, len(value.factor)) else None


def _arithmetic(graph: Graph, node: Node, known: dict[str, _Scaled]) -> dict[str, _Scaled] | None:
    first, second = (known.get(name) for name in node.inputs)
    value = first or second
    other = _fixed(graph, node.inputs[1 if first else 0])
    if value is None or other is None or (first and second):
        return None
    numbers = _by_channel(other, value)
    if numbers is None:
        return None
    factor, shift = value.factor, value.shift
    if node.operator == "Mul":
        factor, shift = factor * numbers, shift * numbers
    elif node.operator == "Add":
        shift = shift + numbers
    elif node.operator == "Sub":
        factor, shift = (factor, shift - numbers) if first else (-factor, numbers - shift)
    elif first and numbers.all():
        factor, shift = factor / numbers, shift / numbers
    else:
        return None
    said = f"{node.operator} {_listed(numbers)}"
    return {node.outputs[0]: replace(value, factor=factor, shift=shift, steps=(*value.steps, said))}


def _normalisation(graph: Graph, node: Node, known: dict[str, _Scaled]) -> dict[str, _Scaled] | None:
    value = known.get(node.inputs[0])
    fixed = [_fixed(graph, name) for name in node.inputs[1:5]]
    if value is None or value.axis != 1 or len(fixed) != 4:
        return None
    numbers = [None if array is None else _by_channel(array.reshape(1, -1, 1, 1), value) for array in fixed]
    if any(array is None for array in numbers):
        return None
    gamma, beta, mean, variance = (np.asarray(array) for array in numbers)
    if (variance < 0).any():
        return None
    step = gamma / np.sqrt(variance + float(attribute(node, "epsilon", 1e-5)))
    said = f"BatchNormalization, mean {_listed(mean)}"
    return {
        node.outputs[0]: replace(
            value,
            factor=value.factor * step,
            shift=value.shift * step + beta - mean * step,
            steps=(*value.steps, said),
        )
    }


def _attributes(_graph: Graph, node: Node, known: dict[str, _Scaled]) -> dict[str, _Scaled] | None:
    """ImageScaler: scale * x + bias; Affine: alpha * x + beta."""
    value = known.get(node.inputs[0])
    if value is None or value.axis != 1:
        return None
    scaler = node.operator == "ImageScaler"
    step = float(attribute(node, "scale" if scaler else "alpha", 1.0))
    more = np.reshape(attribute(node, "bias" if scaler else "beta", 0.0), -1).astype(np.float64)
    numbers = np.broadcast_to(more, value.factor.shape)
    said = f"{node.operator} {step:.3g}"
    return {
        node.outputs[0]: replace(
            value, factor=value.factor * step, shift=value.shift * step + numbers, steps=(*value.steps, said)
        )
    }


def _transposed(_graph: Graph, node: Node, known: dict[str, _Scaled]) -> dict[str, _Scaled] | None:
    value = known.get(node.inputs[0])
    order = attribute(node, "perm", None)
    if value is None:
        return None
    order = list(reversed(range(value.rank))) if order is None else list(order)
    return {node.outputs[0]: replace(value, axis=None if value.axis is None else order.index(value.axis))}


def _axis(value: _Scaled, axis: float) -> int:
    return int(axis) + value.rank if axis < 0 else int(axis)


def _gathered(graph: Graph, node: Node, known: dict[str, _Scaled]) -> dict[str, _Scaled] | None:
    value, places = known.get(node.inputs[0]), _fixed(graph, node.inputs[1])
    if value is None or places is None or places.size > _WIDEST:
        return None
    if _axis(value, attribute(node, "axis", 0)) != value.axis:
        return None
    index = places.astype(np.int64)
    if index.ndim == 0:
        return {node.outputs[0]: replace(value.picked(index.reshape(1), None), rank=value.rank - 1)}
    return {node.outputs[0]: value.picked(index, value.axis)} if index.ndim == 1 else None


def _sliced(graph: Graph, node: Node, known: dict[str, _Scaled]) -> dict[str, _Scaled] | None:
    value = known.get(node.inputs[0])
    if value is None:
        return None
    keys = ("starts", "ends", "axes", "steps")
    if len(node.inputs) > 1:
        stated = dict(zip(keys, (_fixed(graph, name) if name else None for name in node.inputs[1:])))
    else:
        stated = {key: attribute(node, key, None) for key in keys}
    starts, ends, axes, steps = (stated.get(key) for key in keys)
    if starts is None or ends is None:
        return None
    along = range(len(starts)) if axes is None else axes
    for place, axis in enumerate(along):
        if _axis(value, float(axis)) == value.axis:
            step = 1 if steps is None else int(steps[place])
            begin, end = (max(min(int(one[place]), 2**31), -(2**31)) for one in (starts, ends))
            value = value.picked(
                np.arange(len(value.factor))[slice(begin, end if end > -(2**31) else None, step)], value.axis
            )
    return {node.outputs[0]: value} if len(value.factor) else None


def _split(_graph: Graph, node: Node, known: dict[str, _Scaled]) -> dict[str, _Scaled] | None:
    value = known.get(node.inputs[0])
    count = len(node.outputs)
    if value is None or _axis(value, attribute(node, "axis", 0)) != value.axis or count != len(value.factor):
        return None
    return {name: value.picked([place], value.axis) for place, name in enumerate(node.outputs)}


def _joined(_graph: Graph, node: Node, known: dict[str, _Scaled]) -> dict[str, _Scaled] | None:
    """Channels that were apart, together again."""
    values = [known.get(name) for name in node.inputs[: _WIDEST + 1]]
    parts = [value for value in values if value is not None]
    axis = _axis(parts[0], attribute(node, "axis", 0)) if parts else None
    if len(parts) != len(values) or any(value.axis not in (None, axis) for value in parts):
        return None
    if sum(len(value.factor) for value in parts) > _WIDEST:
        return None
    longest = max((value.steps for value in parts), key=len)
    together = zip(*((value.factor, value.shift, value.source) for value in parts))
    factor, shift, source = (np.concatenate(each) for each in together)
    return {node.outputs[0]: _Scaled(factor, shift, source, axis, parts[0].rank, longest)}


def _unsqueezed(_graph: Graph, node: Node, known: dict[str, _Scaled]) -> dict[str, _Scaled] | None:
    """A channel that was taken out gets an axis again; which one, the joining says."""
    value = known.get(node.inputs[0])
    return None if value is None or value.axis is not None else {node.outputs[0]: replace(value, rank=value.rank + 1)}


_Rule = Callable[[Graph, Node, dict[str, _Scaled]], dict[str, _Scaled] | None]
_RULES: Final[dict[str, _Rule]] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _arithmetic),
    **dict.fromkeys(("ImageScaler", "Affine"), _attributes),
    "BatchNormalization": _normalisation,
    "Transpose": _transposed,
    "Gather": _gathered,
    "Slice": _sliced,
    "Split": _split,
    "Concat": _joined,
    "Unsqueeze": _unsqueezed,
}
