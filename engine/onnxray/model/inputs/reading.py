"""What is given for a model that takes no single picture: files, text, arrays, by what each input is read as.

x.npy  x.npz  x.csv  x.json     arrays, columns and rows; an archive's names are those of inputs
x.wav  text  x.txt  a.png  clip/     for inputs of these kinds
NAME=FILE  NAME=16000  NAME=zeros    for the input NAME: a file, numbers in JSON, zeros of its shape
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from onnxray.arrays import Array
from onnxray.engines.casting import as_array, fed_arrays
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import has_no_batch
from onnxray.images.array_files import read_npy, read_npz
from onnxray.images.files import SUFFIXES
from onnxray.images.pixels import Pixels
from onnxray.model.inputs import waveforms
from onnxray.model.inputs.fitting import fitted
from onnxray.model.inputs.pictures import is_clip, read_clip, read_pictures
from onnxray.model.inputs.samples import Part, Parts, beside, joined, varied
from onnxray.model.inputs.stated import Input, Inputs
from onnxray.model.inputs.tables import Table, of_json, read_csv, read_json
from onnxray.model.inputs.tokens import encode

_TABLES: Final = frozenset({".csv", ".tsv"})
_KNOWN: Final = SUFFIXES | waveforms.SUFFIXES | _TABLES | {".npy", ".npz", ".json", ".txt"}


def read_samples(graph: Graph, inputs: Inputs, given: object) -> Pixels:
    """Samples of a model's inputs, one of them to be looked at and the others beside it (``Pixels.beside``).

    given: an array, a dict of arrays by input, files and texts as at the top of the file (one or a list of them), a
    dict of those by input.
    Errors: InputError with what was given, what the input takes, and how to make it; ImageError.
    """
    reader = _Reader(graph, inputs)
    if isinstance(given, Mapping) and not are_arrays(given):
        named = [reader.named(inputs.named(str(name)), value) for name, value in given.items()]
        return joined(inputs, Parts(named=named), alone=has_no_batch(graph))
    items = [given] if isinstance(given, str | os.PathLike) else given
    if isinstance(items, Sequence) and items and all(isinstance(item, str | os.PathLike) for item in items):
        return joined(inputs, reader.parts([os.fspath(item) for item in items]), alone=has_no_batch(graph))
    arrays = fed_arrays([one.value for one in inputs.each], given)
    arrays = {one.name: fitted(one, arrays[one.name], f"the array for {short(one.name)}") for one in inputs.each}
    if has_no_batch(graph):
        arrays = {name: array[None] for name, array in arrays.items()}
    return beside(inputs, arrays, varied(inputs, arrays))


def plain_feeds(graph: Graph, inputs: Inputs, given: object) -> dict[str, Array]:
    """What each input is fed, for samples that were read, arrays, or anything that ``read_samples`` takes."""
    values = [one.value for one in inputs.each]
    if isinstance(given, np.ndarray) or are_arrays(given):
        return fed_arrays(values, given)
    samples = given if isinstance(given, Pixels) else read_samples(graph, inputs, given)
    arrays = samples.arrays(values[0].name)
    if has_no_batch(graph):
        if len(samples) > 1:
            raise InputError(
                f"the file takes one sample without a batch axis, and {len(samples)} were to be fed at once"
            )
        arrays = {name: array[0] for name, array in arrays.items()}
    return fed_arrays(values, arrays)


def are_arrays(given: object) -> bool:
    """Whether arrays by input are given, and none of them as a file, text or list."""
    return isinstance(given, Mapping) and not any(
        isinstance(value, str | os.PathLike | list) for value in given.values()
    )


class _Reader:
    """Reads things given for one model's inputs."""

    def __init__(self, graph: Graph, inputs: Inputs) -> None:
        self._graph, self._inputs = graph, inputs

    def parts(self, items: Sequence[str]) -> Parts:
        """Files, texts and NAME=... as they stand on a command line."""
        whole: list[Part] = []
        named: list[Part] = []
        frames: list[str] = []
        clips = self._inputs.of_kind("video clip")
        for item in items:
            one = self._of_name(item)
            if one is not None:
                named.append(self.named(one, item[len(one.name) + 1 :]))
            elif clips and Path(item).suffix.lower() in SUFFIXES and not Path(item).is_dir():
                frames.append(item)
            else:
                whole.append(self._whole(item))
        if frames:
            array, notes = read_clip(self._graph, clips[0], frames)
            whole.append(Part(arrays={clips[0].name: array}, name=frames[0], notes=tuple(notes)))
        return Parts(whole=whole, named=named)

    def _of_name(self, item: str) -> Input | None:
        """The input that NAME=... names; the longest, for names may hold the sign."""
        named = [one for one in self._inputs.each if item.startswith(f"{one.name}=")]
        return max(named, key=lambda one: len(one.name), default=None)

    def named(self, one: Input, item: object) -> Part:
        """What is given for one input."""
        if not isinstance(item, str | os.PathLike):
            if one.kind in {"picture", "video clip"} and isinstance(item, list):
                return self._file(one, item, None)
            return Part(arrays={one.name: fitted(one, _array(one, item), f"what is given for {short(one.name)}")})
        text = os.fspath(item)
        if text == "zeros":
            sizes = tuple(size if isinstance(size, int) and size > 0 else 1 for size in one.value.shape or ())
            return Part(arrays={one.name: np.zeros(sizes, one.value.dtype or np.float32)})
        path = Path(text)
        if not _exists(path) and path.suffix.lower() not in _KNOWN:
            return self._literal(one, text)
        return self._file(one, path, text)

    def _literal(self, one: Input, text: str) -> Part:
        """Numbers in JSON, or text for what takes text."""
        if one.kind == "token ids" and not text.lstrip("[").strip()[:1].isdigit():
            return self._texts([text], None)
        if one.value.dtype == "object":
            return Part(arrays={one.name: self._filled(one, text)})
        label = f"{short(one.name)[1:-1]}={short(text)[1:-1]}"
        try:
            found = of_json(text, label)
        except InputError:
            raise InputError(f"{label}: no such file, and no number or list of them in JSON") from None
        array = found.columns(range(len(found.cells[0]))) if isinstance(found, Table) else next(iter(found.values()))
        shape = one.value.shape
        if shape is not None and array.ndim != len(shape) and array.size == 1:
            array = array.reshape((1,) * len(shape))
        return Part(arrays={one.name: fitted(one, array, label)})

    def _filled(self, one: Input, text: str) -> Array:
        sizes = tuple(size if isinstance(size, int) and size > 0 else 1 for size in one.value.shape or ())
        if int(np.prod(sizes)) != 1:
            raise InputError(f"one text was given, and the input {short(one.name)} takes {one.takes}; give a CSV file")
        return np.full(sizes, text, dtype=object)

    def _file(self, one: Input, path: Path | list[object], name: str | None) -> Part:
        """A file for one input."""
        if not isinstance(path, Path) or path.suffix.lower() in SUFFIXES or path.is_dir():
            return self._pictures(one, path, name)
        suffix = path.suffix.lower()
        if suffix in waveforms.SUFFIXES:
            rate = waveforms.rate_of(one, self._inputs.folder, dict(self._graph.metadata))
            array, notes = waveforms.read_sound(path, one, rate)
            return Part(arrays={one.name: fitted(one, array, str(path))}, name=name, notes=tuple(notes))
        if suffix == ".txt":
            return self._texts(_lines(path), name)
        if suffix == ".npz":
            arrays = read_npz(path)
            if len(arrays) != 1:
                raise InputError(
                    f"{path} holds {len(arrays)} arrays; one, or a .npy file, was expected for {short(one.name)}"
                )
            return Part(arrays={one.name: fitted(one, next(iter(arrays.values())), str(path))}, name=name)
        if suffix in _TABLES | {".json"}:
            table = read_csv(path) if suffix in _TABLES else read_json(path)
            return self._table(table, path, name, only=one)
        return Part(arrays={one.name: fitted(one, read_npy(path), str(path))}, name=name)

    def _pictures(self, one: Input, item: Path | list[object], name: str | None) -> Part:
        if one.kind == "video clip":
            array, notes = read_clip(self._graph, one, str(item) if isinstance(item, Path) else item)
            return Part(arrays={one.name: array}, name=name, notes=tuple(notes))
        if one.kind != "picture":
            raise InputError(
                f"{name}: a picture was given, and the input {short(one.name)} is read as {one.kind} ({one.grounds}): "
                f"{one.takes}; state --input {short(one.name)[1:-1]}=picture if it takes one"
            )
        array, profile, notes = read_pictures(self._graph, one, item)
        return Part(arrays={one.name: array}, name=name, notes=tuple(notes), profile=profile)

    def _whole(self, item: str) -> Part:
        """A file or text for no input by name: what it is for is told by its kind."""
        path = Path(item)
        suffix = path.suffix.lower()
        if not _exists(path) and suffix not in _KNOWN:
            if self._inputs.of_kind("token ids"):
                return self._texts([item], None)
            if len(texts := self._inputs.of_kind("string")) == 1:
                return Part(arrays={texts[0].name: self._filled(texts[0], item)})
            raise InputError(
                f"{short(item)}: no such file; a file for one of the inputs was expected: {self._inputs.names}"
            )
        if suffix == ".txt":
            return self._texts(_lines(path), item)
        if suffix == ".npz":
            return self._archive(path, item)
        if suffix in _TABLES:
            return self._table(read_csv(path, [one.name for one in self._inputs.each]), path, item)
        if suffix == ".json":
            return self._table(read_json(path), path, item)
        if suffix in waveforms.SUFFIXES:
            return self._file(self._only(path, "waveform", "sound"), path, item)
        if suffix in SUFFIXES or (path.is_dir() and is_clip(path)):
            clip = bool(path.is_dir() and self._inputs.of_kind("video clip"))
            return self._file(self._only(path, "video clip" if clip else "picture", "a picture"), path, item)
        return self._file(self._only(path, None, "an array"), path, item)

    def _only(self, path: Path, kind: str | None, what: str) -> Input:
        """The one input that a file is for. Errors: InputError where several could be meant, or none takes it."""
        of_kind = [one for one in self._inputs.each if one.kind == kind]
        among = of_kind or list(self._inputs.each)
        if len(among) == 1:
            return among[0]
        if of_kind:
            among_names = ", ".join(short(one.name) for one in among)
            raise InputError(f"{path}: {what} could be for {among_names}; say which, NAME={path.name}")
        raise InputError(
            f"{path}: the model has the inputs {self._inputs.names}; say which it is for, NAME={path.name}, or give "
            "all in one .npz by their names"
        )

    def _archive(self, path: Path, item: str) -> Part:
        arrays = read_npz(path)
        own = {one.name: one for one in self._inputs.each}
        if len(own) == 1 and len(arrays) == 1:
            arrays = dict(zip(own, arrays.values()))
        known = {
            name: fitted(own[name], array, f"{path}, {short(name)}") for name, array in arrays.items() if name in own
        }
        if not known:
            raise InputError(
                f"{path} holds {', '.join(map(short, list(arrays)[:10])) or 'nothing'}; arrays named as the inputs "
                f"were expected: {self._inputs.names}"
            )
        left = [short(name) for name in arrays if name not in own]
        notes = (f"{path.name}: {', '.join(left[:10])} left out, no inputs of the model",) if left else ()
        return Part(arrays=known, name=item, notes=notes)

    def _texts(self, texts: list[str], name: str | None) -> Part:
        tokens = encode(texts, self._inputs)
        arrays = {key: fitted(self._inputs.named(key), array, "the text") for key, array in tokens.arrays.items()}
        return Part(arrays=arrays, name=name, notes=(tokens.note,), words=tokens.words)

    def _table(self, table: Table | dict[str, Array], path: Path, name: str | None, only: Input | None = None) -> Part:
        """Columns for the inputs of their names; else all columns, by place, for the one input."""
        if isinstance(table, dict):
            if "" in table:
                return self._nested(table[""], path, name, only)
            arrays = {key: fitted(self._inputs.named(key), array, str(path)) for key, array in table.items()}
            return Part(arrays=arrays, name=name)
        width = len(table.cells[0])
        own = [one for one in self._inputs.each if one.name in table.names]
        if own and only is None:
            columns = {one.name: table.columns([table.names.index(one.name)]) for one in own}
            shaped = {
                one.name: fitted(
                    one,
                    columns[one.name][:, 0] if len(one.value.shape or (0, 0)) == 1 else columns[one.name],
                    str(path),
                )
                for one in own
            }
            return Part(arrays=shaped, name=name)
        one = only or self._only(path, "table row", "rows")
        stated: tuple[str, ...] = one.options.get("columns", ())
        missing = [column for column in stated if column not in table.names]
        if missing:
            raise InputError(
                f"{path} has no column {short(missing[0])}; its columns are {', '.join(table.names[:30]) or 'unnamed'}"
            )
        places = [table.names.index(column) for column in stated] or list(range(width))
        array = table.columns(places)
        shape = one.value.shape
        if shape is not None and len(shape) != 2 and len(places) == 1:
            array = array[:, 0]
        names = stated or table.names
        words = (tuple(names),) * len(array) if names and len(shape or ()) == 2 else ()
        return Part(arrays={one.name: fitted(one, array, str(path))}, name=name, words=words)

    def _nested(self, array: Array, path: Path, name: str | None, only: Input | None) -> Part:
        one = only or self._only(path, None, "an array")
        return Part(arrays={one.name: fitted(one, array, str(path))}, name=name)


def _array(one: Input, item: object) -> Array:
    return np.asarray(item) if one.value.dtype == "object" else as_array(item, f"input {one.name!r}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a text that no file can be named
        return False


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{path} is empty; a text a line was expected")
    return lines
