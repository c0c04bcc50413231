"""Archives of arrays (.npz) whose keys are names of values, written piece by piece."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from typing import IO, Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

_LONGEST = 200


def archive_key(name: str) -> str:
    """A value's name in an archive: it leads into no folder, and is no longer than a file system takes."""
    quoted = quote(name, safe=" :;,()[]{}=+-_@")
    if len(quoted) <= _LONGEST:
        return quoted
    return f"{quoted[: _LONGEST // 2]}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def write_npz(stream: IO[bytes], arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """What np.savez writes, for keys that it takes for its own options as well; text as text, never as a pickle.

    Arrays may be larger than memory, if they lie in files.
    """
    with zipfile.ZipFile(stream, "w") as archive:
        for key, array in arrays:
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                plain = array.astype(np.str_) if array.dtype == object else array
                np.lib.format.write_array(member, np.asanyarray(plain), allow_pickle=False)
