"""The pictures of an audit: found in folders, named by the sha256 of their bytes, labelled by a file or by folders."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from onnxray.assess.audit.check import Picture
from onnxray.assess.jobs.unit import digest
from onnxray.errors import ImageError, InputError
from onnxray.images.files import SUFFIXES
from onnxray.images.true_labels import FOLDERS, true_labels


def read_pictures(places: Sequence[str], labels: str | None) -> tuple[Picture, ...]:
    """Every picture of files and folders, folders inside them too, in order of path; what begins with a dot is not.

    labels: a CSV of file,label, or ``folders``: each picture lies in a folder named by its class.
    Errors: ImageError where there are none or one cannot be read; InputError for labels that do not fit.
    """
    found = [pair for place in places for pair in _in(Path(place))]
    files = [path for path, _ in found]
    if labels == FOLDERS:
        loose = next((path for path, folder in found if not folder), None)
        if loose is not None:
            raise InputError(
                f"{loose} lies in no folder of a class; with --labels {FOLDERS} each picture lies in a folder named by "
                "its class, inside the one that is given"
            )
    stated = None if labels is None else true_labels([str(path) for path in files], labels)
    return tuple(
        Picture(path=path, sha256=_sha256(path), label=None if stated is None else stated[place], folder=folder)
        for place, (path, folder) in enumerate(found)
    )


def digest_of(pictures: Sequence[Picture]) -> str:
    """The sha256 of which pictures these are and how they are labelled, wherever they lie."""
    return digest(sorted(f"{one.sha256} {'' if one.label is None else one.label}" for one in pictures))


def drawn(pictures: Sequence[Picture], seed: int) -> list[Picture]:
    """The pictures in an order drawn by the seed and their bytes: the first n of it are a sample of all."""

    def place(picture: Picture) -> str:
        return hashlib.sha256(f"{seed} {picture.sha256}".encode()).hexdigest()

    return sorted(pictures, key=place)


def _in(place: Path) -> list[tuple[Path, str]]:
    """(picture, the folder inside ``place`` that it lies in, empty for none)."""
    if not place.is_dir():
        return [(place, "")]
    found: list[tuple[Path, str]] = []
    for root, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(root)
        own = inside.relative_to(place).as_posix()
        found += [
            (inside / name, "" if own == "." else own)
            for name in sorted(names) if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]  # fmt: skip
    if not found:
        raise ImageError(f"{place}: a folder without image files; looked for {' '.join(sorted(SUFFIXES))}")
    return found


def _sha256(path: Path) -> str:
    try:
        if not path.is_file() and path.exists():  # a pipe, which would be waited for
            raise ImageError(f"{path}: is no plain file; pictures were expected")
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from None
