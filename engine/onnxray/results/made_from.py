"""What a result was made from, so that it can be made again: the command and its options, and files by their contents.

    "made_from": {
        "command": ["saliency", "grad-cam"],               what is typed behind ``onnxray``
        "options": {"model": "net.onnx", "images": ["photo.jpg"], "layer": null, "seed": 0, ...},
        "reason": "...",                                   in place of the two, where no command states the call
        "folder": "/home/me/work",                         where paths that are no absolute ones begin
        "files": [{"path": "net.onnx", "absolute": ..., "sha256": ..., "external": {LOCATION: SHA256}},
                  {"path": "photo.jpg", "absolute": ..., "sha256": ...},
                  {"path": "photos", "absolute": ..., "pictures": {NAME: SHA256}}],
        "labels": {"count": 1000, "sha256": ..., "names": [...]}
    }

``names`` are left out where they are more than two thousand. Nothing of it is a command to whoever reads it:
``cli/rerun`` hands known options to the parser that reads what is typed.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from onnxray.errors.shown_text import json_text
from onnxray.images.files import SUFFIXES
from onnxray.model.model import Model

MOST_NAMES: Final = 2000
"""Class names in a document; of more their number and sha256 stand there."""
_CHOICES: Final = frozenset({
    "answers", "at", "augment", "average", "baseline", "best_by", "biases", "bn", "by", "channels", "colormap",
    "composite", "curve_start", "dense_rule", "distance", "distribution", "encoding", "feed", "first_rule", "form",
    "generator_colours", "heads", "library", "loss", "measure", "metric", "norm", "normalise", "optimizer", "part",
    "parts", "picture", "pool", "preset", "quadrature", "rescale", "rule", "schedule", "score", "search", "shape",
    "superpixels", "unit",
})  # fmt: skip
NO_FILES: Final = _CHOICES | {"layer", "value", "wrt", "title", "background", "device", "methods", "settings"}
"""Options whose text names no file, whatever lies in the working folder: one word of several, among others."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A command and its options by their parameters' names; or why no command states it."""

    command: tuple[str, ...] = ()
    options: Mapping[str, Any] | None = None
    reason: str | None = None


def made_from(call: Call, model: Model) -> dict[str, Any]:
    """The part of the document that says it; options that are None are left out."""
    options = {name: _plain(value) for name, value in (call.options or {}).items() if value is not None}
    stated = {"reason": call.reason} if call.reason else {"command": list(call.command), "options": options}
    files = [_model_entry(str(options.get("model") or model.graph.path), model)] if model.graph.path else []
    files += named_files({**options, "command": call.command})
    return {**stated, "folder": str(Path.cwd()), "files": files, **_labels(model)}


def named_files(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The files and the folders of pictures that options name, each once, with what is in them; not the model.

    A folder counts where pictures may be taken from one; a target is the name of a class, but for LOTS.
    """
    found: dict[str, dict[str, Any]] = {}
    of_lots = "lots" in options.get("command", ())
    for name, value in options.items():
        if name == "model" or name in NO_FILES:
            continue
        for text in texts_of(value):
            part = file_in(text)
            if part is None or part in found:
                continue
            if name != "target" or of_lots or Path(part).is_file():
                found[part] = {"path": part, "absolute": os.path.abspath(part), **contents_of(Path(part))}  # noqa: PTH100
    return list(found.values())


def file_in(text: str) -> str | None:
    """The part of a text that names a file or folder: all of it, or as in ``like:FILE@VALUE`` and ``NAME=FILE``."""
    return next((part for part in parts_of(text) if exists(Path(part))), None)


def parts_of(text: str) -> Iterator[str]:
    """What of a text may name a file: ``FILE``, ``FILE@VALUE``, ``NAME=FILE``, ``like:FILE``, ``FILE.py:CLASS``."""
    for part in (text, text.partition("=")[2], text.partition(":")[2]):
        ends = (part, part.rpartition("@")[0], part.rpartition(":")[0])
        yield from (each for each in dict.fromkeys(ends) if each and "\0" not in each)


def exists(path: Path) -> bool:
    """Whether a path is one of a plain file or a folder: no pipe and no device, which never end."""
    try:
        return path.is_file() or path.is_dir()
    except (OSError, ValueError):
        return False


def contents_of(path: Path) -> dict[str, Any]:
    """The sha256 of a file; or of the pictures in a folder by their names, else of those in the folders inside it."""
    if path.is_file():
        return {"sha256": digest_of(path)}
    inside = _pictures(path)
    if not inside:
        folders = sorted(one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))
        inside = [picture for folder in folders for picture in _pictures(folder)]
    return {"pictures": {one.relative_to(path).as_posix(): digest_of(one) for one in inside}}


def _pictures(folder: Path) -> list[Path]:
    inside = sorted(one for one in folder.iterdir() if one.suffix.lower() in SUFFIXES and not one.name.startswith("."))
    return [one for one in inside if one.is_file()]


def digest_of(path: Path) -> str | None:
    """The sha256 of a file's bytes, read piece by piece; None where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


def digest_of_names(names: Sequence[str]) -> str:
    """The sha256 of class names in their order."""
    return hashlib.sha256(json_text(list(names), ascii=True).encode()).hexdigest()


def _model_entry(path: str, model: Model) -> dict[str, Any]:
    """The model's file and those that hold its weights, as they were when it was opened.

    Of a model that was made of other files ``absolute`` is what makes it again: two of them, joined by a plus.
    """
    identity = model.graph.identity
    external = {name.removeprefix("external:"): sha for name, sha in identity.items() if name != "sha256"}
    absolute = model.graph.container.again or os.path.abspath(str(model.graph.path))  # noqa: PTH100
    return {
        "path": path, "absolute": absolute, "sha256": identity["sha256"], **({"external": external} if external else {})
    }  # fmt: skip


def _labels(model: Model) -> dict[str, Any]:
    """The class names by content."""
    names = model.answering.labels
    if names is None:
        return {}
    told = {"count": len(names), "sha256": digest_of_names(names)}
    return {"labels": {**told, **({"names": list(names)} if len(names) <= MOST_NAMES else {})}}


def _plain(value: Any) -> Any:
    """Options as JSON has them; numbers that are not finite as they are typed."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def texts_of(value: Any) -> Iterable[str]:
    """The texts and paths of an option's value."""
    if isinstance(value, str | os.PathLike):
        yield os.fspath(value)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts_of(one)
