"""How a user names a value: exact names, aliases, unique short forms, globs, ``NAME:CHANNEL[,Y,X]``."""

from __future__ import annotations

import difflib
import fnmatch
import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from onnxray.errors import UnknownValue
from onnxray.errors.short_values import short
from onnxray.graph.facts import Graph

LONGEST_PATTERN: Final = 1000
"""Characters of a glob."""
LONGEST_LIKENED: Final = 200
"""Characters of a name that is nowhere; near misses of a longer one are not looked for."""
MOST_LIKENED: Final = 10_000
"""Names that are looked at for near misses, those of the likeliest length: each takes microseconds to compare."""

_POSITION = re.compile(r"\d{1,30}(,\d{1,30},\d{1,30})?")
_NUMBERED = re.compile(r"(_output_\d+|:\d+|__\d+)$")
_CLOSELY = 200
_CUTOFF = 0.5


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
            if len(text) > LONGEST_PATTERN:
                raise UnknownValue(f"a pattern of {len(text)} characters; at most {LONGEST_PATTERN} are taken")
            matches = [name for name in graph.values if fnmatch.fnmatchcase(name, text)]
            if not matches:
                raise UnknownValue(f"no value matches the pattern {short(text)}; {_hint(graph)}")
            names += matches
            continue
        selection = resolve(graph, text, aliases)
        if selection.channel is not None:
            raise UnknownValue(
                f"a whole value was expected, got the channel {short(text)}; name {short(selection.value)} alone"
            )
        names.append(selection.value)
    return tuple(dict.fromkeys(names))


def only_one(text: str, names: Sequence[str]) -> str:
    """The one value that a text stands for. Errors: UnknownValue where it stands for several."""
    if len(names) != 1:
        shown = ", ".join(map(short, names[:5])) + (", ..." if len(names) > 5 else "")
        raise UnknownValue(f"{short(text)} stands for {len(names)} values: {shown}; one was expected")
    return names[0]


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
    ends = [name for name in graph.values if _is_short_form(text, name)]
    for candidates in (named_after_node, ends):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            shown = ", ".join(map(short, candidates[:5])) + (", ..." if len(candidates) > 5 else "")
            raise UnknownValue(f"{short(text)} could be any of {len(candidates)} values: {shown}; give the whole name")
    return None


def _is_short_form(text: str, name: str) -> bool:
    """Whether ``text`` is the end of ``name`` from a separator on, exporters' ``_output_0`` and ``:0`` left out."""
    if text not in name:
        return False
    for whole in {name, _NUMBERED.sub("", name)}:
        if whole == text or (whole.endswith(text) and whole[-len(text) - 1] in "/.:"):
            return True
    return False


def _selection(graph: Graph, name: str, numbers: list[int]) -> Selection:
    shape = graph.values[name].shape
    if shape is not None and len(shape) < 2:
        raise UnknownValue(f"{short(name)} has the shape {list(shape)}, so it has no channels; name it alone")
    limits = shape[1:] if shape else ()
    for number, limit, what in zip(numbers, limits, ("channel", "row", "column")):
        if isinstance(limit, int) and number >= limit:
            raise UnknownValue(f"{short(name)} has {limit} {what}s, 0 to {limit - 1}; there is no {what} {number}")
    if len(numbers) == 3 and shape is not None and len(shape) != 4:
        raise UnknownValue(f"{short(name)} has the shape {list(shape)}; NAME:CHANNEL,Y,X needs one of four dimensions")
    position = (numbers[1], numbers[2]) if len(numbers) == 3 else None
    return Selection(name, numbers[0], position)


def _unknown(graph: Graph, text: str, aliases: Mapping[str, str]) -> UnknownValue:
    folded = {name.casefold(): name for name in (*reversed(list(graph.values)), *aliases)}
    near = [folded[key] for key in _nearest(text.casefold(), folded)]
    contained = [name for key, name in folded.items() if text and text.casefold() in key]
    nearest = list(dict.fromkeys(near + contained))[:3]
    shown = "nearest: " + ", ".join(map(short, nearest)) + "; " if nearest else ""
    return UnknownValue(f"the graph has no value {short(text)}; {shown}{_hint(graph)}")


def _nearest(text: str, names: Iterable[str]) -> list[str]:
    """The three names most alike, as difflib says: among so many that the time stays bounded whatever a file holds."""
    if not 0 < len(text) <= LONGEST_LIKENED:
        return []
    # No name of another length can be alike enough.
    alike = [name for name in names if 2 * min(len(name), len(text)) >= _CUTOFF * (len(name) + len(text))]
    alike = heapq.nsmallest(MOST_LIKENED, alike, key=lambda name: abs(len(name) - len(text)))
    matcher = difflib.SequenceMatcher()
    matcher.set_seq2(text)

    def bound(name: str) -> float:
        matcher.set_seq1(name)
        return matcher.quick_ratio()

    return difflib.get_close_matches(text, heapq.nlargest(_CLOSELY, alike, key=bound), n=3, cutoff=_CUTOFF)


def _hint(graph: Graph) -> str:
    return f"list them: onnxray inspect {graph.path or 'MODEL'} --values"
