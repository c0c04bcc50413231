"""The chunks that a batch is fed in, each kept as it is done: for commands that ask an engine once, of many images."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from onnxray.results.run_identity import digest

if TYPE_CHECKING:
    from onnxray.arrays import Array, Arrays
    from onnxray.engines.chunks import Feed
    from onnxray.results.journal import Entry
    from onnxray.results.keeping import Keeping

T = TypeVar("T")


class Chunks:
    """Remembers what came of each chunk, in files where there is a ``keep``; what was done before is not done again.

    done: how many samples are done.
    """

    def __init__(self, total: int, keep: Keeping | None = None, earlier: tuple[Entry, ...] = ()) -> None:
        self._total, self._keep = total, keep
        self._files = {entry.entry["fed"]: entry.entry["files"]["arrays"] for entry in earlier}
        self._found: dict[str, list[Array]] = {}
        self.done = 0

    @property
    def names(self) -> list[str]:
        """The files."""
        return list(self._files.values())

    def through(self, feed: Feed) -> Feed:
        """What feeds a chunk, with a memory."""

        def again(part: Arrays) -> list[Array]:
            count = max((len(array) for array in part.values() if array.ndim), default=0)
            if count >= self._total and not self.done:  # one chunk is all
                return feed(part)
            key = digest(dict(part))
            found = self._recall(key)
            if found is None:
                found = feed(part)
                self._remember(key, found)
            self.done = min(self.done + count, self._total)
            return found

        return again

    def _recall(self, key: str) -> list[Array] | None:
        if key in self._found or self._keep is None or key not in self._files:
            return self._found.get(key)
        with np.load(self._keep.path / self._files[key], allow_pickle=False) as loaded:
            return [np.asarray(loaded[name]) for name in loaded.files]

    def _remember(self, key: str, found: list[Array]) -> None:
        if self._keep is None:
            self._found[key] = found
            return
        if any(array.dtype.kind not in "biufc" for array in found):  # text, which only a pickle would hold
            return
        number, stream = len(self._files), io.BytesIO()
        np.savez(stream, *found)
        name, unit = f"part-{number}.npz", (number,)
        entry: dict[str, Any] = {"part": number, "fed": key, "files": {"arrays": name}}
        self._keep.add_entry(unit, entry, {name: stream.getvalue()})
        self._keep.end(unit)
        self._files[key] = name
