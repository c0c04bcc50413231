"""What the files of a run are called, by every method and command: origin's name, place, layer, method, role.

    cat-0-conv4-grad-cam-overlay.png    4_0-0-conv1-lots-image.png    4_0-0-to-9_1-2-conv1-lots-image.png

A *stem* is such a name before it is made fit for a file system: its parts, joined so that different parts never make
equal stems. Equal stems are one file. place: where the origin stands among those that were given.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePath

from onnxray.results.item import Item

_LONGEST = 160
"""Characters of a name before its ending, and before what keeps it apart from others: below 200 bytes with them."""
_SHORTEST_PART = 12
# What a run writes beside its items' files, and what Windows keeps for its devices.
_RESERVED = re.compile(
    r"(sheet|zoom|part)(-\d+)?|trace|curves?|weights|stability|layers|concepts|values|features|units|invariance|maps|probe|index"
    r"|similarity|result|items|print|con|prn|aux|nul|(com|lpt)[0-9]",
    re.IGNORECASE,
)


def stem_of(path: str | None, place: int, *parts: str | int | None) -> str:
    """The stem of what is made of the origin that stands at ``place``; ``image`` where it has no file.

    parts: layer, method, what else tells it from others; None leaves one out.
    """
    return stem_named(PurePath(path).stem if path else "image", place, *parts)


def stem_named(name: str, place: int, *parts: str | int | None) -> str:
    """As ``stem_of``, of what is made of no file: of a class, of a layer's weights."""
    return extended(_escaped(name), place, *parts)


def extended(stem: str, *parts: str | int | None) -> str:
    """A stem with further parts behind it."""
    return "/".join([stem, *(_escaped(str(part)) for part in parts if part is not None)])


def place_of(stem: str) -> int:
    """The place that ends a stem of an origin and its place alone; as well of one that was read off a file's name."""
    return int(re.split("[/-]", stem)[-1])


def plain_name(stem: str) -> str:
    """A stem as a file's name without its ending: ASCII letters, digits, "-" and "_", of parts that stay apart.

    What is too long is cut in the middle of its longest parts, which are names: never the place, never the role.
    """
    found = (_ascii(part) for part in re.findall(r"(?:[^\\/]|\\.)+", stem, re.DOTALL))
    parts = [part for part in found if part] or ["picture"]
    while (excess := len("-".join(parts)) - _LONGEST) > 0:
        longest = max(range(len(parts)), key=lambda k: len(parts[k]))
        room = max(len(parts[longest]) - excess, _SHORTEST_PART)
        if room >= len(parts[longest]):  # so many parts that none is long
            return _cut("-".join(parts), _LONGEST)
        parts[longest] = _cut(parts[longest], room)
    return "-".join(parts)


class FileNames:
    """Names for the files of items that come one after the other. of: stem -> file name."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}
        self._taken: set[str] = set()

    def take(self, stem: str, name: str) -> None:
        """A name that a stem has already."""
        self.of[stem] = name
        self._taken.add(PurePath(name).stem.lower())

    def add(self, item: Item) -> None:
        """Name the files of one more item; equal stems are one file, names that differ in case alone stay apart."""
        numbers = {stem for stem, _ in item.arrays().values()}
        for stem, _ in item.files().values():
            if stem in self.of:
                continue
            plain = plain_name(stem)
            plain = f"{plain}-file" if _RESERVED.fullmatch(plain) else plain
            name, count = plain, 2
            while name.lower() in self._taken:
                name, count = f"{plain}-{count}", count + 1
            self.take(stem, f"{name}.npy" if stem in numbers else f"{name}.png")


def file_names(items: Sequence[Item]) -> dict[str, str]:
    """Stem -> file name (.png, or .npy for numbers): fit for every file system, unique."""
    names = FileNames()
    for item in items:
        names.add(item)
    return names.of


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace("/", "\\/")


def _ascii(part: str) -> str:
    """Letters without their accents; what is no letter of ASCII is "-"."""
    letters = "".join(letter for letter in unicodedata.normalize("NFKD", part) if not unicodedata.combining(letter))
    return re.sub(r"[^A-Za-z0-9_-]+", "-", letters).strip("-")


def _cut(text: str, room: int) -> str:
    """The two ends of a text that is too long."""
    return text if len(text) <= room else f"{text[: (room - 2) // 2]}--{text[len(text) - (room - 1) // 2 :]}"
