"""The files of a run: their bytes, and a folder of them written whole or not at all."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import ImageError, OutputError
from onnxray.errors.shown_text import json_text
from onnxray.images.files import png_bytes, read_png
from onnxray.results.earlier_run import DOCUMENT, files_of_earlier_run
from onnxray.results.item import Item
from onnxray.results.journal import JOURNAL
from onnxray.results.run_folder import RunFolder, told

PAGE: Final = "index.html"
"""What shows a run's items in a browser, which ``report/page/`` makes."""


def item_entry(item: Item, names: Mapping[str, str]) -> dict[str, Any]:
    """The item's part of the document. names: stem -> file name."""
    return {**_stated(item.numbers()), "files": {role: names[stem] for role, (stem, _) in item.files().items()}}


def npy_bytes(array: NDArray[Any]) -> bytes:
    """Numbers as a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def write_folder(
    folder: str | os.PathLike[str],
    document: Mapping[str, Any],
    files: Mapping[str, bytes],
    pictures: Mapping[str, NDArray[Any]] | None = None,
    page: Callable[[Path], Mapping[str, bytes]] | None = None,
) -> None:
    """Write a run folder: result.json, ``files``, and ``pictures`` as PNGs that are read back; everything or nothing.

    page: made of these, of the folder that they lie in. The files of a run that was there go. Errors: OutputError.
    """
    held = RunFolder.claim(folder)
    done = False
    try:
        with told(held.path):
            earlier = files_of_earlier_run(held.path)
            partial = held.staging / "new"
            partial.mkdir()
            for name, picture in (pictures or {}).items():
                write_checked(partial / name, picture)
            for name, data in files.items():
                (partial / name).write_bytes(data)
            for name, data in ({} if page is None else page(partial)).items():
                (partial / name).write_bytes(data)
            (partial / DOCUMENT).write_bytes(document_bytes(document))
            _move(partial, held.path, earlier)
            done = True
            (held.path / JOURNAL).unlink(missing_ok=True)  # of a run that was killed, and is replaced now
    finally:
        held.close(kept=done)


def with_files(document: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """A document, or a part of it, that names the files which lie in the folder beside those of its items."""
    plain = {key: value for key, value in document.items() if key != "files"}
    last = {"items": plain.pop("items")} if "items" in plain else {}
    return {**plain, **({"files": sorted(names)} if names else {}), **last}


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """The document as it stands in result.json. Errors: ValueError where a number is not finite."""
    return json_text(plain_values(document)).encode()


def write_checked(path: Path, picture: NDArray[Any]) -> bytes:
    """Write a PNG and read it back: a claim is made on what was saved, bit for bit. Gives its bytes."""
    data = png_bytes(picture)
    path.write_bytes(data)
    try:
        same = np.array_equal(read_png(path, deep=True), picture)
    except ImageError:
        same = False
    if not same:
        raise OutputError(f"{path.name} does not read back as it was judged; is the disk sound?")
    return data


def _move(partial: Path, target: Path, earlier: Collection[str]) -> None:
    """Put a whole run in its folder, file by file, in place of an earlier one's files, or not at all.

    The document that was there goes first and the new one comes last: what is cut short has none, rather than a wrong
    one.
    """
    names = sorted((file.name for file in partial.iterdir()), key=lambda name: (name == DOCUMENT, name))
    aside = partial / "replaced"
    aside.mkdir()
    undo: list[tuple[Path, Path]] = []

    def move(source: Path, place: Path) -> None:
        source.replace(place)
        undo.append((place, source))

    try:
        for name in (*reversed(names), *sorted({*earlier} - {*names})):
            if (target / name).is_file():
                move(target / name, aside / name)
        for name in names:
            move(partial / name, target / name)
    except BaseException:
        for place, source in reversed(undo):
            place.replace(source)
        raise


def _stated(numbers: dict[str, Any]) -> dict[str, Any]:
    """Numbers that are not finite become None, with the reason beside them."""
    lost = [name for name, value in numbers.items() if isinstance(value, float) and not math.isfinite(value)]
    if not lost:
        return numbers
    reasons = [numbers.get("reason"), f"not finite: {', '.join(lost)}"]
    return numbers | dict.fromkeys(lost) | {"reason": "; ".join(reason for reason in reasons if reason)}


def plain_values(value: Any) -> Any:
    """What JSON reads back as it was written: lists for tuples, text for paths and for the keys of objects."""
    if isinstance(value, Mapping):
        return {str(key): plain_values(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(entry) for entry in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, os.PathLike) else value
