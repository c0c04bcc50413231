"""How models show themselves: what the file is, how it is read, and what was assumed. Nothing is run for it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from onnxray.display.parts import Html, facts, folded, heading, table, warning, whole
from onnxray.engines.agreement.comparison import Comparison
from onnxray.engines.agreement.verification import Verification
from onnxray.engines.chunks import Batch
from onnxray.graph.facts import Graph, Value
from onnxray.images.profile.profile import Profile
from onnxray.model.inputs.stated import shown_shape
from onnxray.model.model import Model

_ROWS, _MORE, _LABELS = 10, 50, 5


def model(value: Model) -> str:
    """A model: the file, what goes in, what it is answered with, and its profile."""
    labels = value.answering.labels
    shown = (
        None if labels is None else f"{len(labels)}: {', '.join(labels[:_LABELS])}{', ...' * (len(labels) > _LABELS)}"
    )
    read = {
        "answers with": f"{value.head.name}: {value.head.said()}", "labels": shown, "device": value.device,
        **{f"also called {alias}": name for alias, name in value.aliases.items()},
    }  # fmt: skip
    inputs = {f"input {one.name}": f"{one.kind} ({one.grounds})" for one in value.inputs.each[:_ROWS]}
    profile = [] if value.profile is None else _profile(value.profile)
    return whole(heading(f"Model {repr(value.graph)[7:-1]}"), facts({**inputs, **read}), *profile, *_graph(value.graph))


def graph(value: Graph) -> str:
    """A graph: the file, its values and nodes."""
    return whole(heading(repr(value)[1:-1]), *_graph(value))


def profile(value: Profile) -> str:
    """A profile, and why it is so where nobody stated it."""
    return whole(heading(repr(value)[1:-1]), *_profile(value))


def verification(value: Verification) -> str:
    """The verdict, the outputs, and, folded, every value."""
    said = [] if value.agrees else [warning(value.reason)]
    shown = value.comparisons[:_MORE]
    every = table(*_compared(shown), left_out=len(value.comparisons) - len(shown))
    return whole(
        heading(repr(value)[1:-1]), *said, table(*_compared(value.outputs[:_ROWS])),
        folded(f"{len(value.comparisons)} values", every),
        facts({"inputs": value.inputs, "tolerance": value.tolerance, "arithmetic": value.arithmetic}),
    )  # fmt: skip


def batch(value: Batch) -> str:
    """How samples go through the twin."""
    own = "free" if value.file is None else value.file
    return whole(facts({"batch of the file": own, "torch twin": value.twin, "because": value.reason}))


def _graph(value: Graph) -> list[Html]:
    kinds = Counter(node.operator for node in value.nodes).most_common(_MORE)
    listed = list(value.values.values())
    file = {
        "file": value.path, "sha256": value.sha256, "producer": value.producer, "nodes": len(value.nodes),
        "parameters": f"{value.parameters:,}", "opsets": ", ".join(f"{d} {v}" for d, v in value.opsets.items()),
    }  # fmt: skip
    ends = [*_rows("input", value.inputs[:_ROWS]), *_rows("output", value.outputs[:_ROWS])]
    return [
        table(["", "name", "shape", "type"], ends, left_out=len(value.inputs) + len(value.outputs) - len(ends)),
        folded("file", facts(file)),
        folded(f"{len(value.nodes)} nodes", table(["operator", "nodes"], kinds)),
        folded(
            f"{len(listed)} values",
            table(
                ["value", "shape", "type", "operator"],
                [(one.name, shown_shape(one.shape), one.dtype, one.operator) for one in listed[:_MORE]],
                left_out=len(listed) - _MORE,
            ),
        ),
        *([folded("metadata", facts(dict(list(value.metadata.items())[:_MORE])))] if value.metadata else []),
    ]


def _rows(kind: str, values: tuple[Value, ...]) -> list[tuple[str, ...]]:
    return [(kind, one.name, shown_shape(one.shape), one.dtype) for one in values]


def _profile(value: Profile) -> list[Html]:
    assumed = [warning(f"ASSUMED profile {value.name!r}: {'; '.join(value.reasons)}")] if value.assumed else []
    plain: dict[str, Any] = {name: _text(one) for name, one in value.to_dict().items()}
    return [*assumed, folded(repr(value)[1:-1], facts(plain))]


def _text(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _compared(rows: tuple[Comparison, ...]) -> tuple[list[str], list[list[Any]]]:
    columns = ["value", "shape", "largest difference", "relative", "verdict"]
    return columns, [[row.name, shown_shape(row.shape), row.absolute, row.relative, row.verdict] for row in rows]
