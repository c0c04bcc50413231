"""Foreign text in every field of a model that holds text, found by the format's own description of itself.

A field that a later onnx adds is among them by itself.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from onnx import ModelProto

from support.payloads import MARK, SINKS, payloads

Random = np.random.Generator

_NUMBERS = frozenset({"onnx.TensorProto.raw_data"})
"""Bytes that are no text."""
WAYS = ("here", "everywhere", "all")
"""One text alone; the same text wherever it stands, as a renaming does; every text of that field, renamed alike."""


def _is_text(field: FieldDescriptor) -> bool:
    return field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES} and field.full_name not in _NUMBERS


@dataclass(frozen=True)
class Place:
    """A text field of the messages that lie in one field of another kind of message; of the model, in none."""

    parent: Descriptor | None
    within: str
    field: FieldDescriptor

    def __str__(self) -> str:
        above = "" if self.parent is None else f"{self.parent.name}.{self.within}."
        return f"{above}{self.field.name}"


def _kinds() -> tuple[list[tuple[Descriptor | None, str, Descriptor]], dict[str, tuple[Descriptor, str]]]:
    """Every way from a kind of message to one within it, and by which of them each kind is reached first."""
    ways: list[tuple[Descriptor | None, str, Descriptor]] = [(None, "", ModelProto.DESCRIPTOR)]
    first: dict[str, tuple[Descriptor, str]] = {}
    reached, done = {ModelProto.DESCRIPTOR.full_name}, set[str]()
    for _, _, kind in ways:  # grows while it is walked
        if kind.full_name in reached:
            reached.remove(kind.full_name)
            done.add(kind.full_name)
            for field in kind.fields:
                if field.message_type is not None:
                    inner = field.message_type.full_name
                    ways.append((kind, field.name, field.message_type))
                    if inner not in reached | done:
                        first[inner] = kind, field.name
                        reached.add(inner)
    return ways, first


_WAYS_IN, _FIRST = _kinds()
TEXT_PLACES = tuple(Place(above, name, f) for above, name, kind in _WAYS_IN for f in kind.fields if _is_text(f))
"""Every place of a text."""


def messages(message: Message) -> Iterator[Message]:
    """It, and every message in it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if _is_many(value) else (value,):
                yield from messages(inner)


def planted(model: ModelProto, parent: Descriptor | None, within: str, random: Random) -> Message:
    """Some message in a field of a kind of message, put there if there is none."""
    if parent is None:
        return model
    holders = [message for message in messages(model) if message.DESCRIPTOR.full_name == parent.full_name]
    found = [inner for holder in holders for inner in _inner(holder, within)]
    if found:
        return found[int(random.integers(len(found)))]
    holder = holders[0] if holders else planted(model, *_FIRST[parent.full_name], random)
    value = getattr(holder, within)
    made: Message = value.add() if _is_many(value) else value
    made.SetInParent()
    return made


def _inner(holder: Message, within: str) -> list[Message]:
    value = getattr(holder, within)
    return list(value) if _is_many(value) else [value] if holder.HasField(within) else []


def put(model: ModelProto, place: Place, text: str, way: str, random: Random) -> None:
    """Put a text into a place."""
    chosen = planted(model, place.parent, place.within, random)
    field = place.field
    there = _texts(chosen, field)
    if way == "here" or not any(there):
        at = int(random.integers(len(there))) if there else 0
        _set(chosen, field, [*there[:at], text, *there[at + 1 :]])
        return
    if way == "everywhere":
        renamed = {next(filter(None, there)): text}
    else:
        alike = (message for message in messages(model) if message.DESCRIPTOR.full_name == chosen.DESCRIPTOR.full_name)
        old = dict.fromkeys(one for message in alike for one in _texts(message, field) if one)
        renamed = {one: f"{text}{number or ''}" for number, one in enumerate(old)}
    rename(model, renamed)


def rename(model: ModelProto, renamed: Mapping[str, str]) -> None:
    """Replace whole texts wherever they stand."""
    for message in messages(model):
        for field, _ in message.ListFields():
            if _is_text(field):
                there = _texts(message, field)
                if any(text in renamed for text in there):
                    _set(message, field, [renamed.get(text, text) for text in there])


def _texts(message: Message, field: FieldDescriptor) -> list[str]:
    value = getattr(message, field.name)
    values = list(value) if _is_many(value) else [value]
    return [one.decode("utf-8", "surrogateescape") if isinstance(one, bytes) else one for one in values]


def _set(message: Message, field: FieldDescriptor, texts: list[str]) -> None:
    is_bytes, value = field.type == FieldDescriptor.TYPE_BYTES, getattr(message, field.name)
    values: list[Any] = [text.encode("utf-8", "surrogateescape") if is_bytes else text for text in texts]
    if _is_many(value):
        del value[:]
        value.extend(values)
    else:
        setattr(message, field.name, values[0])


def _is_many(value: Any) -> bool:
    return hasattr(value, "extend")


def _damage(model: ModelProto, random: Random, folder: Path, *, sink: str) -> None:
    texts = payloads(folder.parent / MARK)[sink]
    place = TEXT_PLACES[int(random.integers(len(TEXT_PLACES)))]
    way = WAYS[int(random.integers(len(WAYS)))]
    put(model, place, texts[int(random.integers(len(texts)))], way, random)


def _mutator(sink: str) -> Callable[..., None]:
    made = partial(_damage, sink=sink)
    made.__name__ = f"text_for_{sink}"  # type: ignore[attr-defined]
    return made


TEXTS: list[Callable[..., None]] = [_mutator(sink) for sink in SINKS]
"""One for each thing that text can become: any field, any way."""
