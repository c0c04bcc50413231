"""What a user states of the outputs: which is answered with, what it is, and from where on the second of two wins.

Class names are stated here for a model without a profile of pictures, whose own ``labels`` are theirs otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_args

from onnxray.errors import InputError, UnknownValue
from onnxray.errors.short_values import short
from onnxray.graph.facts import Graph
from onnxray.graph.outputs.facts import CLASS_KINDS, OutputFacts, OutputKind, dims_of, dtype_of, width_of
from onnxray.graph.outputs.label_checks import label_fault
from onnxray.graph.outputs.origins import SIGMOIDS, SOFTMAXES, origin_of
from onnxray.graph.outputs.output_kinds import answered_output, output_named

KINDS: Final[tuple[str, ...]] = get_args(OutputKind)
_SOFTMAX_IS: Final = frozenset({"classes", "probabilities"})
_OF_ANY_TYPE: Final = frozenset({"labels", "unknown", "mask", "box classes"})
_SIGMOID_IS: Final = frozenset({"binary", "multi-label", "probabilities"})


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedOutput:
    """The output that is answered with, by its name; its kind; and the probability above which the second of two
    classes wins, or a box is listed; a name for each class. What is None is left to the file, names to the profile.

    Errors: InputError for an unknown kind, a threshold that is not between 0 and 1, or names that are no texts.
    """

    output: str | None = None
    kind: OutputKind | None = None
    threshold: float | None = None
    labels: tuple[str, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.output is not None and (not isinstance(self.output, str) or not self.output):
            raise InputError(f"the output is {short(self.output)}; the name of one of the file's outputs was expected")
        if self.kind is not None and self.kind not in KINDS:
            raise InputError(f"the kind of an output is {short(self.kind)}; expected one of {', '.join(KINDS)}")
        if self.labels is not None:
            if (fault := label_fault(self.labels)) is not None:
                raise InputError(f"the labels of an output: {short(fault[0])}; {fault[1]} expected")
            object.__setattr__(self, "labels", tuple(self.labels))
        number = self.threshold
        if number is None:
            return
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < 1:
            raise InputError(f"the threshold is {short(number)}; a number between 0 and 1 was expected")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; labels, where there are any, as their count."""
        counted = {} if self.labels is None else {"labels": len(self.labels)}
        return {"output": self.output, "kind": self.kind, "threshold": self.threshold, **counted}


def read_stated(graph: Graph, text: str) -> StatedOutput:
    """NAME, or NAME=KIND. Errors: UnknownValue, InputError."""
    if output_named(graph, text) is not None:
        return StatedOutput(output=text)
    name, equals, kind = text.rpartition("=")
    if not equals:
        return StatedOutput(output=_known(graph, text).name)
    known = next((one for one in get_args(OutputKind) if one == kind.strip()), None)
    if known is None:
        raise InputError(f"the kind of an output is {short(kind)}; expected one of {', '.join(KINDS)}")
    return StatedOutput(output=_known(graph, name).name, kind=known)


def answered_with(graph: Graph, stated: StatedOutput | None = None, labels: int | None = None) -> OutputFacts:
    """The output that is answered with, and what it is: as a user states it, else as the file shows it.

    labels: how many class names there are; as many numbers are taken for classes where the file leaves a doubt.
    Errors: UnknownValue for an output that is not there; InputError for a kind that the file contradicts.
    """
    if stated is None or (stated.output is None and stated.kind is None):
        return _with_labels(graph, answered_output(graph), labels)
    found = answered_output(graph) if stated.output is None else _known(graph, stated.output)
    if stated.kind is None:
        return _with_labels(graph, found, labels)
    _check(graph, found, stated.kind)
    axis, time = found.axis, found.time
    rank = len(dims_of(graph, found.name) or ())
    if axis is None and stated.kind in {"mask", "sequence"}:
        axis = 2 if stated.kind == "sequence" else (1 if rank == 4 else None)
    if time is None and stated.kind == "sequence":
        time = 1
    return replace(found, kind=stated.kind, grounds="as is stated", assumed=False, axis=axis, time=time, stated=True)


def _known(graph: Graph, name: str) -> OutputFacts:
    found = output_named(graph, name)
    if found is None:
        names = ", ".join(short(output.name) for output in graph.outputs[:10])
        raise UnknownValue(f"the file has no output {short(name)}; its outputs are {names}")
    return found


def _with_labels(graph: Graph, found: OutputFacts, labels: int | None) -> OutputFacts:
    """The same, of as many numbers as there are labels: they are classes, if nothing says otherwise."""
    doubt = found.assumed or found.kind == "unknown"
    rows: frozenset[OutputKind] = frozenset({"logits", "unknown", "embedding", "regression"})
    if not doubt or found.kind not in rows or not labels or labels < 2:
        return found
    if width_of(dims_of(graph, found.name)) != labels:
        return found
    return replace(
        found, kind="logits", grounds=f"{labels} numbers, one a label, and nothing closes them", assumed=False
    )


def _check(graph: Graph, found: OutputFacts, kind: OutputKind) -> None:
    """Refuse what the file contradicts. Errors: InputError."""
    why = _contradiction(graph, found, kind)
    if why is not None:
        raise InputError(
            f"output {found.name!r} is stated as {kind}, and the file contradicts that: {why}; it looks like "
            f"{found.kind} ({found.grounds})"
        )


def _contradiction(graph: Graph, found: OutputFacts, kind: OutputKind) -> str | None:
    shape = dims_of(graph, found.name)
    node = origin_of(graph, found.name)
    operator = "" if node is None else node.operator
    width: object = width_of(shape)
    wide: Literal["row"] | None = "row" if width not in (1, None, "no row") else None
    if kind in CLASS_KINDS:
        if width == "no row":
            return f"its shape is {list(shape or ())}, not one row a sample"
        if kind == "binary" and wide:
            return f"it gives {width} numbers a sample, not one"
        if kind != "binary" and width == 1 and kind != "multi-label":
            return "it gives one number a sample"
        if operator in SOFTMAXES and kind not in _SOFTMAX_IS:
            return f"a {operator} closes it"
        if operator in SIGMOIDS and kind not in _SIGMOID_IS:
            return f"a {operator} closes it"
    dtype = dtype_of(graph, found.name)
    if dtype in {"object", "bool"} and kind not in _OF_ANY_TYPE:
        return f"it holds {dtype}"
    rank = None if shape is None else len(shape)
    least = {"mask": (3, 4), "sequence": (3,), "boxes": (2, 3, 4), "feature map": (3, 4, 5)}.get(kind)
    if least is not None and rank is not None and rank not in least:
        return f"it has {rank} axes"
    return None
