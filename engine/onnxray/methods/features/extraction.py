"""Named values of any number of pictures in one file, with the pictures' names, sha256, labels and predictions.

Of a value with rows and columns ``pool`` may keep the mean or the largest number of each channel alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.array_files import archive_key, let_go, write_npz
from onnxray.images.picture_list import PictureList
from onnxray.methods.features.parts.pooling import Pool, pool_of
from onnxray.methods.features.parts.said import CLASS, PROBABILITY, class_names, said_of
from onnxray.methods.features.parts.walk import Block, Question, Tick, Walked, walk
from onnxray.model.model import Model

Array = NDArray[Any]

FILES: Final[Mapping[str, str]] = {"npz": "features.npz", "parquet": "features.parquet"}
_VALUE, _PICTURE = "value ", "picture:"
_ROWS = 1024


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """What is extracted. layers: whole names of values. predictions: what the file says of each picture, too."""

    layers: tuple[str, ...]
    pool: Pool = "none"
    predictions: bool = True

    def walk(self, model: Model, pictures: PictureList, folder: Path, tick: Tick) -> Walked:
        """Every picture's values, in files of a folder. Errors: those of ``walk``."""
        pooled = {name: pool_of(model, name, self.pool) for name in self.layers}

        def keep(block: Block) -> Mapping[str, Array]:
            kept: dict[str, Array] = {"sha256": np.array([one.encode("ascii") for one in block.sha256], "S64")}
            if self.predictions:
                kept |= said_of(model, block)
            for name, value in block.values.items():
                kept[_VALUE + name] = pooled[name](value)
            return kept

        return walk(model, pictures, Question(layers=self.layers, keep=keep, hashed=True), folder, tick)


@dataclass(frozen=True, kw_only=True, eq=False)
class Extracted:
    """What was extracted: values by name, in files that are mapped, and what is known of each picture."""

    values: Mapping[str, Array]
    pictures: Mapping[str, Array]

    @classmethod
    def of(cls, model: Model, pictures: PictureList, found: Walked, labels: list[str | None] | None) -> Extracted:
        """From a walk. labels: a label or None for each picture that was read."""
        read = found.arrays
        known: dict[str, Array] = {
            "path": np.array([str(pictures.names[place] or "") for place in found.places], np.str_),
            "sha256": np.asarray(read["sha256"]).astype("U64"),
        }
        if labels is not None:
            known["label"] = np.array([label or "" for label in labels], np.str_)
        names = class_names(model, read)
        if names is not None:
            known |= {
                CLASS: np.asarray(read[CLASS]), "class_name": np.array(names, np.str_),
                PROBABILITY: np.asarray(read[PROBABILITY]),
            }  # fmt: skip
        values = {key.removeprefix(_VALUE): array for key, array in read.items() if key.startswith(_VALUE)}
        return cls(values=values, pictures=known)

    def keys(self) -> dict[str, str]:
        """Value -> its key in an archive; those of pictures begin with ``picture:``."""
        found = {name: archive_key(name) for name in self.values}
        return {name: key.replace(_PICTURE, "picture%3A", 1) for name, key in found.items()}

    def write(self, path: Path) -> None:
        """Write ``.npz`` or ``.parquet``, by the path's ending, no more than a part of it being in memory.

        Errors: OSError; InputError where pyarrow is not there.
        """
        if path.suffix == ".parquet":
            self._write_parquet(path)
            return
        keys = self.keys()
        with path.open("wb") as stream:
            write_npz(stream, self._archived(keys))

    def _archived(self, keys: Mapping[str, str]) -> Iterator[tuple[str, Array]]:
        yield from ((f"{_PICTURE}{name}", array) for name, array in self.pictures.items())
        yield from ((keys[name], array) for name, array in self.values.items())

    def _write_parquet(self, path: Path) -> None:
        arrow, parquet = pyarrow()
        keys, count = self.keys(), len(self.pictures["path"])
        writer: Any = None
        try:
            for start in range(0, count, _ROWS):
                rows = slice(start, start + _ROWS)
                columns = {name: column(arrow, array[rows].tolist()) for name, array in self.pictures.items()}
                for name, array in self.values.items():
                    part = np.asarray(array[rows])
                    numbers = arrow.array(np.ascontiguousarray(part).reshape(-1))
                    width = int(np.prod(part.shape[1:], dtype=np.int64))
                    columns[keys[name]] = arrow.FixedSizeListArray.from_arrays(numbers, width)
                table = arrow.table(columns)
                writer = writer or parquet.ParquetWriter(str(path), table.schema, use_dictionary=list(self.pictures))
                writer.write_table(table)
                for array in self.values.values():
                    let_go(array)
        finally:
            if writer is not None:
                writer.close()


def column(arrow: Any, values: Sequence[Any]) -> Any:
    """Values as a column; of text what is no Unicode, in paths whose bytes are none, as its escape."""
    plain = (one.encode("utf-8", "backslashreplace").decode() if isinstance(one, str) else one for one in values)
    return arrow.array(list(plain))


def pyarrow() -> tuple[Any, Any]:
    """The library for Parquet. Errors: InputError where it is not installed."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise InputError(
            "Parquet is written by pyarrow, which is not installed: pip install 'onnxray[parquet]'; or take npz"
        ) from None
    return arrow, parquet
