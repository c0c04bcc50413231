"""How a user names a value: exact names, aliases, unique short forms, globs, ``NAME:CHANNEL[,Y,X]``."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass

from onnxray.errors import UnknownValue
from onnxray.graph import Graph

_POSITION = re.compile(r"\d+(,\d+,\d+)?")


@dataclass(frozen=True, slots=True)
class Selection:
    """A value, or one channel of it, or one neuron of it."""

    value: str
    channel: int | None = None
    position: tuple[int, int] | None = None


def resolve(graph: Graph, text: str, aliases: Mapping[str, str]) -> Selection:
    """Resolve a name to a value, or to a channel or neuron of it; ``value:TEXT`` settles what could be a class.

    Errors: UnknownValue with the nearest names, or with all candidates of an ambiguous short form.
    """
    text = text.removeprefix("value:") if text not in graph.values else text
    name = _find(graph, text, aliases)
    if name is not None:
        return Selection(name)
    head, colon, tail = text.rpartition(":")
    if colon and _POSITION.fullmatch(tail):
        name = _find(graph, head, aliases)
        if name is not None:
            return _selection(graph, name, [int(number) for number in tail.split(",")])
        raise _unknown(graph, head, aliases)
    raise _unknown(graph, text, aliases)


def resolve_values(graph: Graph, texts: tuple[str, ...], aliases: Mapping[str, str]) -> tuple[str, ...]:
    """Resolve names and globs to whole values, in the order given, each once; a glob gives graph order."""
    names: list[str] = []
    for text in texts:
        if text not in graph.values and any(sign in text for sign in "*?[") and _find(graph, text, aliases) is None:
            matches = [name for name in graph.values if fnmatch.fnmatchcase(name, text)]
            if not matches:
                raise UnknownValue(f"no value matches the pattern {text!r}; {_hint(graph)}")
            names += matches
            continue
        selection = resolve(graph, text, aliases)
        if selection.channel is not None:
            raise UnknownValue(f"a whole value was expected, got the channel {text!r}; name {selection.value!r} alone")
        names.append(selection.value)
    return tuple(dict.fromkeys(names))


def _find(graph: Graph, text: str, aliases: Mapping[str, str]) -> str | None:
    if text in graph.values:
        return text
    if text in aliases:
        return aliases[text]
    if not text:
        return None
    named_after_node = [
        next(filter(None, node.outputs)) for node in graph.nodes if node.name == text and any(node.outputs)
    ]
    short = [name for name in graph.values if _is_short_form(text, name)]
    for candidates in (named_after_node, short):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            shown = ", ".join(map(repr, candidates[:5])) + (", ..." if len(candidates) > 5 else "")
            raise UnknownValue(f"{text!r} could be any of {len(candidates)} values: {shown}; give the whole name")
    return None


def _is_short_form(text: str, name: str) -> bool:
    """Whether ``text`` is the end of ``name`` from a separator on, exporters' ``_output_0`` and ``:0`` left out."""
    for whole in {name, re.sub(r"(_output_\d+|:\d+|__\d+)$", "", name)}:
        if whole == text or (whole.endswith(text) and whole[-len(text) - 1] in "/.:"):
            return True
    return False


def _selection(graph: Graph, name: str, numbers: list[int]) -> Selection:
    shape = graph.values[name].shape
    if shape is not None and len(shape) < 2:
        raise UnknownValue(f"{name!r} has the shape {list(shape)}, so it has no channels; name it alone")
    limits = shape[1:] if shape else ()
    for number, limit, what in zip(numbers, limits, ("channel", "row", "column")):
        if isinstance(limit, int) and number >= limit:
            raise UnknownValue(f"{name!r} has {limit} {what}s, 0 to {limit - 1}; there is no {what} {number}")
    if len(numbers) == 3 and shape is not None and len(shape) != 4:
        raise UnknownValue(f"{name!r} has the shape {list(shape)}; NAME:CHANNEL,Y,X needs one of four dimensions")
    position = (numbers[1], numbers[2]) if len(numbers) == 3 else None
    return Selection(name, numbers[0], position)


def _unknown(graph: Graph, text: str, aliases: Mapping[str, str]) -> UnknownValue:
    folded = {name.casefold(): name for name in (*reversed(list(graph.values)), *aliases)}
    near = [folded[key] for key in difflib.get_close_matches(text.casefold(), folded, n=3, cutoff=0.5)]
    contained = [name for key, name in folded.items() if text and text.casefold() in key]
    nearest = list(dict.fromkeys(near + contained))[:3]
    shown = "nearest: " + ", ".join(map(repr, nearest)) + "; " if nearest else ""
    return UnknownValue(f"the graph has no value {text!r}; {shown}{_hint(graph)}")


def _hint(graph: Graph) -> str:
    return f"list them: onnxray inspect {graph.path or 'MODEL'} --values"
