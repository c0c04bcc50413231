"""What is said of an output: its kind in the field's word, on which grounds, and what goes with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from onnxray.graph.facts import Dim, Graph
from onnxray.graph.operator_kinds import RESHAPING, UNCHANGING

OutputKind = Literal[
    "classes", "binary", "multi-label", "logits", "probabilities", "regression", "embedding", "boxes", "box scores",
    "box classes", "box count", "mask", "sequence", "feature map", "labels", "unknown",
]  # fmt: skip
"""classes: a softmax closes them; binary: one sigmoid, two classes; multi-label: a sigmoid a class; logits: nothing
closes them, and a softmax is assumed; probabilities: of what no softmax closes."""

CLASS_KINDS: Final[frozenset[OutputKind]] = frozenset({"classes", "binary", "multi-label", "logits", "probabilities"})
"""The kinds whose numbers are one score a class of a sample."""
BOX_KINDS: Final[frozenset[OutputKind]] = frozenset({"boxes", "box scores", "box classes", "box count"})

Column = Literal["box", "score", "class", "sample", "objectness", "scores", "other"]


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputFacts:
    """One output: ``grounds`` is a short sentence naming what decided; ``assumed``: the file leaves a doubt.

    axis: where the classes of a mask or a sequence stand, or the numbers of a box; None where that is no question.
    time: the axis of a sequence's steps. rows_alone: its first axis are rows of all there is, not the samples.
    columns: what the numbers of a box's row are, of boxes that hold more than the box: name and how many. stated: the
    kind is a user's word.
    """

    name: str
    kind: OutputKind
    grounds: str
    assumed: bool = False
    axis: int | None = None
    time: int | None = None
    rows_alone: bool = False
    columns: tuple[tuple[Column, int], ...] = ()
    stated: bool = False

    def said(self) -> str:
        """The kind with its grounds, in one line."""
        return f"{self.kind}{', assumed' if self.assumed else ''} ({self.grounds})"


def dims_of(graph: Graph, name: str) -> tuple[Dim, ...] | None:
    """The lengths of a value, as far as the file tells; a length below 1 is none."""
    value = graph.values.get(name)
    if value is None or value.shape is None:
        return None
    return tuple(None if isinstance(dim, int) and dim < 1 else dim for dim in value.shape)


def dtype_of(graph: Graph, name: str) -> str:
    """The element type of a value; "" where it is not known, and of an output that is a weight."""
    value = graph.values.get(name)
    return "" if value is None else value.dtype


def holds_floats(graph: Graph, name: str) -> bool:
    """Whether a value is known to hold real numbers."""
    value = graph.values.get(name)
    return value is not None and value.is_float


def several(dim: Dim) -> bool:
    """Whether an axis may be longer than 1."""
    return dim != 1


def width_of(dims: tuple[Dim, ...] | None) -> Dim | Literal["no row"]:
    """K of (N, K), (N, K, 1, 1), (N, 1, 1, K), or 1 of (N,); None where it is not known; "no row" of other shapes."""
    if dims is None:
        return None
    if not dims:
        return "no row"
    wide = [dim for dim in dims[1:] if several(dim)]
    if len(wide) > 1 or (wide and len(dims) > 2 and not isinstance(wide[0], int)):
        return "no row"
    return wide[0] if wide else 1


def words(name: str) -> frozenset[str]:
    """The words that a name is made of, in small letters."""
    parted = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return frozenset(re.findall(r"[a-z]+", parted.lower()))


def equal(one: Dim, other: Dim) -> bool:
    """Whether two lengths may be the same."""
    return one == other or not isinstance(one, int) or not isinstance(other, int)


def reads_first(graph: Graph, name: str) -> str:
    """The value that one comes from through reshapes and what does nothing."""
    node = graph.producer_of.get(name)
    while node is not None and node.inputs and node.operator in RESHAPING | UNCHANGING:
        name = node.inputs[0]
        node = graph.producer_of.get(name)
    return name
