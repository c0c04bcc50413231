"""Files by ids that tell nothing: what the page may be shown and runs are made of, and bytes that were made for it."""

from __future__ import annotations

import itertools
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, final

from onnxray.errors.shown_text import terminal
from onnxray.images.files import SUFFIXES
from onnxray.web.server.bodies import Refused

Kind = Literal["picture", "array", "model", "folder"]

PICTURE: Final = "picture"
ARRAY: Final = "array"
MODEL: Final = "model"
_MOST_BYTES: Final = 192 * 2**20
_MOST_FILES: Final = 1000
_MOST_NAMED: Final = 500
_KINDS: Final = {
    b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"BM": ".bmp", b"II*\0": ".tif", b"MM\0*": ".tif",
    b"RIFF": ".webp", b"\x93NUMPY": ".npy",
}  # fmt: skip


@dataclass(frozen=True)
class File:
    """What was named on the command line, dropped on the page or given by a run; a folder too.

    dropped: written by the page, so that the zip of a run that is made of it holds it too. made: by a run, for methods
    that take such an array, and no sample of what the model takes.
    """

    key: str
    path: Path
    label: str
    kind: Kind
    dropped: bool = False
    made: bool = False

    def to_dict(self) -> dict[str, Any]:
        """For the page, which is told no path."""
        return {"key": self.key, "label": self.label, "kind": self.kind, "dropped": self.dropped, "made": self.made}


@final
class Files:
    """The files of the page. Errors: Refused with 404 for an id that is none's.

    named: pictures and folders of them, which are files of their own and together. models: of the command line.
    """

    def __init__(self, named: Iterable[str], models: Iterable[str] = ()) -> None:
        self._all: dict[str, File] = {}
        for model in models:
            self.add(Path(model), Path(model).name, "model")
        for path in _files(named):
            self.add(path, path.name or str(path), "folder" if path.is_dir() else kind_of(path))

    def __iter__(self) -> Iterator[File]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def add(self, path: Path, label: str, kind: Kind, *, dropped: bool = False, made: bool = False) -> File:
        """Take a file among them. Errors: Refused with 429 where there are too many."""
        if len(self._all) >= _MOST_FILES:
            raise Refused(429, f"there are {_MOST_FILES} files already")
        file = File(secrets.token_urlsafe(9), path, terminal(label, 120), kind, dropped, made)
        self._all[file.key] = file
        return file

    def at(self, key: object, *kinds: Kind) -> File:
        """The file of an id, of one of these kinds where they are stated. Errors: Refused with 400 for another."""
        found = self._all.get(key) if isinstance(key, str) else None
        if found is None:
            raise Refused(404, "there is no such file")
        if kinds and found.kind not in kinds:
            raise Refused(400, f"this is a {found.kind}; {' or '.join(kinds)} was expected")
        return found


def kind_of(path: Path) -> Kind:
    """What a file is, by how its name ends."""
    suffix = path.suffix.lower()
    return ARRAY if suffix == ".npy" else MODEL if suffix == ".onnx" else PICTURE


def suffix_of(head: bytes, label: str = "") -> str:
    """The suffix of a file by its first bytes, of a model by its name. Errors: Refused with 415 for what is neither."""
    for begin, suffix in _KINDS.items():
        if head.startswith(begin):
            return suffix
    if head[4:8] == b"ftyp":
        return ".avif"
    if label.lower().endswith(".onnx"):
        return ".onnx"
    raise Refused(415, "this is no picture of a known kind, no .npy file and no .onnx file")


def taken(place: Path, folder: Path, suffix: str) -> Path:
    """A file moved to the next free name of a folder, whoever else writes there: none that lies there is replaced."""
    for number in itertools.count(1):
        named = folder / f"dropped-{number}{suffix}"
        try:
            named.touch(exist_ok=False)
        except FileExistsError:
            continue
        return place.replace(named)
    raise AssertionError


def _files(named: Iterable[str]) -> Iterator[Path]:
    """Files as they are named, folders, and those of folders in order of name."""
    for text in named:
        path = Path(text)
        yield path
        if path.is_dir():
            inner = (one for one in sorted(path.iterdir()) if one.suffix.lower() in SUFFIXES | {".npy"})
            yield from (one for one in list(inner)[:_MOST_NAMED] if one.is_file())


@final
class Blobs:
    """PNGs that were made for the page, the latest so many bytes of them."""

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self._all: OrderedDict[str, bytes] = OrderedDict()
        self._most, self._bytes = most, 0

    def put(self, data: bytes) -> str:
        """Hold bytes; the id that they are fetched by. The oldest go where there are too many."""
        key = secrets.token_urlsafe(12)
        self._all[key] = data
        self._bytes += len(data)
        while self._bytes > self._most and len(self._all) > 1:
            _, gone = self._all.popitem(last=False)
            self._bytes -= len(gone)
        return key

    def get(self, key: str) -> bytes:
        """Bytes by their id. Errors: Refused with 404."""
        data = self._all.get(key)
        if data is None:
            raise Refused(404, "there is no such picture any more")
        return data

    def drop(self, key: str | None) -> None:
        """Let go of bytes that another picture takes the place of."""
        gone = self._all.pop(key or "", None)
        self._bytes -= len(gone or b"")

    def shown(self, answer: dict[str, Any]) -> dict[str, Any]:
        """An answer with ids in place of bytes."""
        return {name: self.put(value) if isinstance(value, bytes) else value for name, value in answer.items()}
