"""What makes two runs the same run: the sha256 of what goes in, and where two of them differ, in words."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from onnxray.errors.short_values import short


def digest(*values: object) -> str:
    """The sha256 of images, goals and options, whatever they are made of.

    Text that names a file (also as ``like:FILE`` and ``FILE.npy@NAME``) counts with the file's contents: a picture that
    was exchanged under its name is another.
    """
    found = hashlib.sha256()
    for value in values:
        _feed(found, value)
    return found.hexdigest()


def first_difference(before: object, now: object, name: str = "") -> str | None:
    """Where two plain values differ first, as ``options.layer: 'ip1' there, 'ip2' here``; None where nowhere."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*now, *before]):
            place = f"{name}.{key}" if name else str(key)
            if key not in before or key not in now:
                return f"{place} is stated {'here' if key in now else 'there'} alone"
            found = first_difference(before[key], now[key], place)
            if found is not None:
                return found
        return None
    if before == now:
        return None
    if name.endswith("sha256"):
        return f"{name.removesuffix('.sha256').removesuffix('sha256')} differs in its contents"
    return f"{name}: {short(before)} there, {short(now)} here"


def _feed(found: hashlib._Hash, value: object) -> None:
    found.update(f"{type(value).__name__}:".encode())
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        found.update(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
        if isinstance(text, str):
            _feed_file(found, text)
    elif isinstance(value, bytes):
        found.update(value)
    elif isinstance(value, np.ndarray):
        found.update(f"{value.dtype}{value.shape}".encode())
        if value.dtype.kind == "O":  # text, whose bytes would be places in memory
            _feed(found, value.reshape(-1).tolist())
        else:
            found.update(np.ascontiguousarray(value).tobytes())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            found.update(field.name.encode())
            _feed(found, getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            _feed(found, key)
            _feed(found, entry)
    elif isinstance(value, Sequence):
        for entry in value:
            _feed(found, entry)
    elif hasattr(value, "tobytes") and hasattr(value, "size"):  # a picture in memory
        found.update(f"{value.size}".encode())
        found.update(value.tobytes())
    elif value is None or isinstance(value, bool | int | float | complex):
        found.update(repr(value).encode())
    found.update(b";")


def _feed_file(found: hashlib._Hash, text: str) -> None:
    for name in dict.fromkeys((text, text.partition("@")[0], text.partition(":")[2])):
        try:
            if name and Path(name).is_file():
                with Path(name).open("rb") as stream:
                    found.update(hashlib.file_digest(stream, "sha256").digest())
                return
        except (OSError, ValueError):
            continue
