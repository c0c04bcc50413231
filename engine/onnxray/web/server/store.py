"""Pictures by ids that tell nothing: files that the page may be shown, and bytes that were made for it."""

from __future__ import annotations

import itertools
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from onnxray.errors.shown_text import terminal
from onnxray.images.files import SUFFIXES
from onnxray.web.server.bodies import Refused

_MOST_BYTES: Final = 192 * 2**20
_MOST_PICTURES: Final = 500
_KINDS: Final = {
    b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"BM": ".bmp", b"II*\0": ".tif", b"MM\0*": ".tif",
    b"RIFF": ".webp", b"\x93NUMPY": ".npy",
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A file that was named on the command line or dropped on the page. dropped: written by the page."""

    key: str
    path: Path
    label: str
    dropped: bool = False

    def to_dict(self) -> dict[str, Any]:
        """For the page, which is told no path."""
        return {"key": self.key, "label": self.label, "dropped": self.dropped}


@final
class Pictures:
    """The pictures of the page. Errors: Refused with 404 for an id that is none's."""

    def __init__(self, named: Iterable[str]) -> None:
        self._all: dict[str, Picture] = {}
        for path in _files(named):
            self.add(path, path.name)

    def __iter__(self) -> Iterator[Picture]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def add(self, path: Path, label: str, *, dropped: bool = False) -> Picture:
        """Take a file among them. Errors: Refused with 429 where there are too many."""
        if len(self._all) >= _MOST_PICTURES:
            raise Refused(429, f"there are {_MOST_PICTURES} pictures already")
        picture = Picture(secrets.token_urlsafe(9), path, terminal(label, 120), dropped)
        self._all[picture.key] = picture
        return picture

    def at(self, key: object) -> Picture:
        """The picture of an id."""
        found = self._all.get(key) if isinstance(key, str) else None
        if found is None:
            raise Refused(404, "there is no such picture")
        return found


def suffix_of(head: bytes) -> str:
    """The suffix of a picture by its first bytes. Errors: Refused with 415 for what is no picture and no array."""
    for begin, suffix in _KINDS.items():
        if head.startswith(begin):
            return suffix
    if head[4:8] == b"ftyp":
        return ".avif"
    raise Refused(415, "this is no picture of a known kind, and no .npy file")


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
    """Files as they are named, and those of folders in order of name."""
    for text in named:
        path = Path(text)
        if path.is_dir():
            inner = (one for one in sorted(path.iterdir()) if one.suffix.lower() in SUFFIXES | {".npy"})
            yield from (one for one in list(inner)[:_MOST_PICTURES] if one.is_file())
        else:
            yield path


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
