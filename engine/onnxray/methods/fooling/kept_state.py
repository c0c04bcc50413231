"""The state of an evolution beside its run, so that one that was killed goes on in the middle: ``evolution.npz``.

    told                 JSON: what is plain, the generator's state among it
    genomes, ...         arrays, a row a class

It is written whole and renamed into place, as often as takes a hundredth of the time. What cannot be read is as good as
none, for the run begins anew then and comes to the same.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_FILE: Final = "evolution.npz"
UNREADABLE: Final = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, OverflowError, zipfile.BadZipFile,
)  # fmt: skip
"""What reading may raise of a file that is none."""


def keep_state(folder: Path, told: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write it in place of the one before."""
    part = folder / f"{_FILE}.part"
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, told=np.frombuffer(json.dumps(told).encode(), np.uint8), **arrays)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / _FILE)


def kept_state(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What was kept last. Errors: UNREADABLE."""
    with (folder / _FILE).open("rb") as file, np.load(file, allow_pickle=False) as parts:
        arrays = {name: parts[name] for name in parts.files}
    told = json.loads(arrays.pop("told").tobytes())
    if not isinstance(told, dict):
        raise TypeError(type(told))
    return told, arrays
