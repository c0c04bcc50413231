"""Which class counts as right of each picture: a CSV of ``file,label``, or the folder that a picture lies in.

A row of a CSV is for the picture of that path, relative to the CSV's own folder or as it is; a name without a folder is
for the one picture of that name. A first row ``file,label`` is a heading. Labels are classes' numbers or names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.two_columns import two_columns

FOLDERS: Final = "folders"
_HEADINGS: Final = {"file", "path", "name", "filename", "image"}


def pictures_in_folders(images: Sequence[str]) -> list[str]:
    """The folders inside the folders, in order of name. Errors: InputError where one has none."""
    found: list[str] = []
    for image in images:
        folder = Path(image)
        inside = (
            sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")) if folder.is_dir() else []
        )
        if not inside:
            raise InputError(
                f"{image} has no folders inside it; --labels {FOLDERS} needs one for each class, named by it"
            )
        found += map(str, inside)
    return found


def true_labels(names: Sequence[str | None], stated: str) -> list[str]:
    """A label for each picture by its path. stated: ``folders``, or the path of a CSV.

    Errors: InputError, also where one has none.
    """
    found = known_labels(names, stated)
    missing = [Path(str(name)).name for name, label in zip(names, found) if label is None]
    if missing:
        listed = ", ".join(map(short, missing[:3]))
        raise InputError(
            f"{Path(stated)} has no label for {len(missing)} of {len(names)} pictures "
            f"({listed}{', ...' if missing[3:] else ''}); a row file,label for each was expected"
        )
    return [str(label) for label in found]


def known_labels(names: Sequence[str | None], stated: str) -> list[str | None]:
    """The same, and None for a picture that has no label. Errors: InputError."""
    if stated == FOLDERS:
        return [Path(str(name)).parent.name for name in names]
    path = Path(stated)
    rows = _rows(path)
    _refuse_two_labels(path, rows)
    by_path = {_resolved(path.parent / name): label for name, label in rows}
    by_path |= {_resolved(Path(name)): label for name, label in rows if _resolved(Path(name)) not in by_path}
    by_name = {Path(name).name: label for name, label in rows if Path(name).name == name}
    places = Counter(name for name, _ in {(Path(str(one)).name, _resolved(Path(str(one)))) for one in names})
    found = list[str | None]()
    for name in names:
        own = Path(str(name))
        label = by_path.get(_resolved(own))
        if label is None and own.name in by_name:
            if places[own.name] > 1:
                raise InputError(
                    f"{path}: {short(own.name)} is the name of {places[own.name]} pictures in different folders; state "
                    "each by its path"
                )
            label = by_name[own.name]
        found.append(label)
    return found


def _refuse_two_labels(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    """Errors: InputError where a file has a second label that is another."""
    first: dict[str, str] = {}
    for name, label in rows:
        if first.setdefault(name, label) != label:
            raise InputError(
                f"{path}: {short(name)} has the labels {short(first[name])} and {short(label)}; one row for each "
                "picture was expected"
            )


def _resolved(path: Path) -> str:
    return str(path.absolute())


def _rows(path: Path) -> list[tuple[str, str]]:
    """(file, label) of every row. Errors: InputError."""
    return two_columns(
        path, what="labels", columns="file,label", headings=_HEADINGS, otherwise=f", or the word {FOLDERS},"
    )
