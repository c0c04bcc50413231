"""The pictures of a folder: which files they are, and those that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar, final

from onnxray.errors import ImageError
from onnxray.images.files import SUFFIXES

Read = TypeVar("Read")


def in_folders(items: Sequence[object]) -> Iterator[tuple[object, Path | None]]:
    """Yield (item, the folder that it was found in): folders opened, in order of name, and every path as a Path.

    Errors: ImageError for what is no path, and for a folder without image files.
    """
    for item in items:
        if not isinstance(item, str | os.PathLike):
            yield item, None
            continue
        name = os.fspath(item)
        if not isinstance(name, str) or not name or "\0" in name:
            raise ImageError(f"the path {name!r}; expected the path of an image or a folder")
        path = Path(name)
        try:
            inside = sorted(path.iterdir()) if path.is_dir() else None
        except OSError as error:
            raise ImageError(f"{path}: cannot be read ({error})") from error
        if inside is None:
            yield path, None
            continue
        pictures = [p for p in inside if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()]
        if not pictures:
            below = folders_below(path)
            more = f"; {below} not looked into: give it by name" if below else ""
            raise ImageError(f"{path}: a folder without image files; looked for {' '.join(sorted(SUFFIXES))}{more}")
        yield from ((picture, path) for picture in pictures)


def folders_below(folder: Path) -> str:
    """The folders inside a folder, which are not looked into, in words; empty where there are none."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        return ""
    listed = ", ".join([*names[:3], *(["..."] if len(names) > 3 else [])])
    return f"{len(names)} folder{'s' if len(names) > 1 else ''} inside it ({listed})"


@final
class LeftOut:
    """What could not be read of folders' pictures, and was left out; with ``strict`` it is refused."""

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._errors: list[str] = []
        self._folders: dict[Path, None] = {}

    @property
    def count(self) -> int:
        """How many pictures were left out."""
        return len(self._errors)

    def unless_broken(self, folder: Path | None, reading: Iterable[Read]) -> list[Read]:
        """What is read of one item; nothing where it is a broken picture of a folder. Errors: ImageError."""
        if folder is not None:
            self._folders[folder] = None
        try:
            return list(reading)
        except ImageError as error:
            if folder is None or self._strict:
                raise
            self._errors.append(str(error))
            return []

    def refuse_if_all(self, read: int) -> None:
        """Refuse folders of which nothing could be read. Errors: ImageError."""
        if self._errors and not read:
            others = f"; nor can {self.count - 1} others of the folder" if self.count > 1 else ""
            raise ImageError(f"{self._errors[0]}{others}")

    def notes(self, read: int) -> list[str]:
        """How many were left out and each of them, and the folders that were not looked into."""
        said: list[str] = []
        if self._errors:
            whole = read + self.count
            said.append(f"{self.count} of {whole} pictures cannot be read and are left out (--strict refuses them):")
            said += [f"left out: {error}" for error in self._errors]
        for folder in self._folders:
            below = folders_below(folder)
            said += [f"{folder}: {below} not looked into"] if below else []
        return said
