"""Values of any number of pictures, in memory that does not grow with them, and gone on with where a run was stopped.

Pictures are read and values computed block by block, the next block being read while one is computed. What a block
gives (the values, or what is made of them) is appended to plain files in a folder, and a line of ``walked.jsonl`` says
so:

    {"block": k, "places": [...], "left_out": [...], "sums": {key: CRC-32 of what was appended}, ...}

A line counts where what it says was appended is there. So numbers do not depend on where a run was stopped; the size of
a block is by the file and the size of its input alone.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.engines.chunks import chunk_size
from onnxray.errors import InputError
from onnxray.graph.fixed_batch import has_no_batch
from onnxray.images.picture_list import PictureList, Read
from onnxray.images.samples import Pixels
from onnxray.model.model import Model

Array = NDArray[Any]
Tick = Callable[[int, int], None]
"""(pictures done, pictures in all)."""

_LINES: Final = "walked.jsonl"


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Some pictures with their values. sha256: of each picture's file."""

    pixels: Pixels
    values: Mapping[str, Array]
    sha256: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of every picture. layers: values that are read. keep: what is kept of a block, by any key, a row a
    picture. hashed: whether files are hashed.
    """

    layers: tuple[str, ...]
    keep: Callable[[Block], Mapping[str, Array]]
    hashed: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Walked:
    """What came of the pictures that could be read. places: which of the list they are; arrays: key -> a row each, in
    files that are mapped; left_out: what is wrong with the others.
    """

    places: NDArray[np.int64]
    arrays: Mapping[str, Array]
    left_out: tuple[str, ...]


def walk(model: Model, pictures: PictureList, question: Question, folder: Path, tick: Tick) -> Walked:
    """Ask a question of every picture. folder: where it is written, or was by an earlier run.

    Errors: ImageError for a picture that is not left out; InputError where a value has no row for each; those of the
    judge.
    """
    lines, done = _Lines(folder), 0
    read, wrong = list[int](), list[str]()
    size = block_size(model)
    for found in lines.sound(size):
        read += found["places"]
        wrong += found["left_out"]
        done = min((found["block"] + 1) * size, len(pictures))
    tick(done, len(pictures))
    if done < len(pictures):
        values = values_of(model, question.layers)
        for number, given in _ahead(pictures, done // size, size):
            if given.pixels is not None:
                hashes = tuple(map(pictures.sha256, given.places.tolist())) if question.hashed else ()
                block = Block(pixels=given.pixels, values=values(given.pixels), sha256=hashes)
                lines.append(number, size, given, question.keep(block))
            else:
                lines.append(number, size, given, {})
            read += given.places.tolist()
            wrong += given.left_out
            tick(min((number + 1) * size, len(pictures)), len(pictures))
    return Walked(places=np.array(read, np.int64), arrays=lines.arrays(len(read)), left_out=tuple(wrong))


def block_size(model: Model) -> int:
    """How many pictures are read and computed at once."""
    assert model.profile is not None
    return chunk_size(model.graph, model.feeds(Pixels.blank(model.profile)), together=True)


def values_of(model: Model, layers: Sequence[str]) -> Callable[[Pixels], Mapping[str, Array]]:
    """What gives values of pictures, all at once: by one session whose weights are packed, for it is asked often.

    Errors: InputError where a value has no row for each picture; those of the judge.
    """
    if not layers:
        return lambda _: {}
    outputs = {output.name for output in model.graph.outputs}
    inner = tuple(name for name in layers if name not in outputs and name not in {v.name for v in model.graph.inputs})
    segment = model.judge.segment(inner) if inner else None

    def values(pixels: Pixels) -> Mapping[str, Array]:
        feeds = model.feeds(pixels)
        found = {} if segment is None else dict(segment(feeds))
        others = [name for name in layers if name not in found]
        if others:
            found |= model.judge.values(feeds, others)
        for name in layers:
            _check_rows(model, name, found[name], len(pixels))
        return found

    return values


def _check_rows(model: Model, name: str, value: Array, count: int) -> None:
    if has_no_batch(model.graph) or not isinstance(value, np.ndarray) or not value.ndim or len(value) != count:
        raise InputError(
            f"{name!r} has no row for each picture: of {count} pictures its shape is {list(np.shape(value))}; name a "
            "value that is computed from the picture"
        )
    if value.dtype.kind not in "fiub":
        raise InputError(f"{name!r} holds {value.dtype}; numbers were expected: name another layer")


def _ahead(pictures: PictureList, first: int, size: int) -> Iterator[tuple[int, Read]]:
    """The blocks from ``first`` on, each read while the one before is worked on."""
    count = -(-len(pictures) // size)
    with ThreadPoolExecutor(1, "onnxray-reading") as reader:

        def ask(number: int) -> Future[Read]:
            return reader.submit(pictures.read, number * size, (number + 1) * size)

        coming = ask(first)
        for number in range(first, count):
            given = coming.result()
            if number + 1 < count:
                coming = ask(number + 1)
            yield number, given


class _Lines:
    """The files of a walk: one a key, of rows one behind the other, and what says how far they count."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kinds: dict[str, tuple[str, list[int]]] = {}
        self._rows = 0

    def sound(self, size: int) -> list[dict[str, Any]]:
        """The lines that count, of blocks of a size; what stands behind them is cut off."""
        found: list[dict[str, Any]] = []
        try:
            texts = (self._folder / _LINES).read_bytes().splitlines(keepends=True)
        except OSError:
            texts = []
        length = 0
        for text in texts:
            line = _line(text)
            if line is None or line["block"] != len(found) or line["size"] != size or not self._holds(line):
                break
            found.append(line)
            length += len(text)
        with (self._folder / _LINES).open("ab") as stream:
            stream.truncate(length)
        for place, key in enumerate(self._kinds):
            with self._path(place).open("r+b") as stream:
                stream.truncate(self._rows * self._bytes(key))
        return found

    def append(self, number: int, size: int, given: Read, arrays: Mapping[str, Array]) -> None:
        """A block is done. Errors: InputError where its rows are of another shape than those before."""
        sums = {}
        kinds = {key: (array.dtype.str, list(array.shape[1:])) for key, array in arrays.items()}
        if not self._kinds:
            self._kinds = kinds
        elif arrays and kinds != self._kinds:
            raise InputError("the values of pictures have several shapes, so that they cannot stand side by side")
        for place, (key, array) in enumerate(arrays.items()):
            data = np.ascontiguousarray(array).tobytes()
            sums[key] = zlib.crc32(data)
            with self._path(place).open("ab") as stream:
                stream.write(data)
        self._rows += len(given.places)
        line = {
            "block": number, "size": size, "places": given.places.tolist(), "left_out": list(given.left_out),
            "sums": sums, "kinds": kinds,
        }  # fmt: skip
        with (self._folder / _LINES).open("ab") as stream:
            stream.write(json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n")

    def arrays(self, count: int) -> dict[str, Array]:
        """Every key's rows, mapped."""
        found: dict[str, Array] = {}
        for place, (key, (kind, shape)) in enumerate(self._kinds.items()):
            whole = (count, *shape)
            if 0 in whole:
                found[key] = np.zeros(whole, np.dtype(kind))
            else:
                found[key] = np.memmap(self._path(place), np.dtype(kind), "r", shape=whole)
        return found

    def _holds(self, line: Mapping[str, Any]) -> bool:
        """Whether the rows that a line tells of lie in the files as they were written."""
        kinds = {key: (str(kind), list(shape)) for key, (kind, shape) in line["kinds"].items()}
        if not kinds:
            return not line["places"]
        if self._kinds and kinds != self._kinds:
            return False
        before, self._kinds = self._kinds, kinds
        for place, key in enumerate(kinds):
            length = self._bytes(key)
            try:
                with self._path(place).open("rb") as stream:
                    stream.seek(self._rows * length)
                    data = stream.read(len(line["places"]) * length)
            except OSError:
                data = b""
            if len(data) != len(line["places"]) * length or zlib.crc32(data) != line["sums"][key]:
                self._kinds = before
                return False
        self._rows += len(line["places"])
        return True

    def _bytes(self, key: str) -> int:
        kind, shape = self._kinds[key]
        return int(np.dtype(kind).itemsize * np.prod(shape, dtype=np.int64))

    def _path(self, place: int) -> Path:
        return self._folder / f"rows-{place}.bin"


def _line(text: bytes) -> dict[str, Any] | None:
    """A line as it was written; None for a torn or strange one."""
    try:
        line = json.loads(text)
        good = (
            text.endswith(b"\n") and isinstance(line["block"], int) and isinstance(line["size"], int)
            and all(isinstance(place, int) for place in line["places"]) and isinstance(line["left_out"], list)
            and all(np.dtype(kind).kind in "fiubS" for kind, _ in line["kinds"].values())
            and all(isinstance(side, int) and side >= 0 for _, shape in line["kinds"].values() for side in shape)
            and line["kinds"].keys() == line["sums"].keys()
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return line if good else None
