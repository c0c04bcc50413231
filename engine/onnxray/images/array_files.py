"""Arrays from .npy and .npz files, of numbers or of text, and archives of them; never a pickle."""

from __future__ import annotations

import hashlib
import mmap
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import InputError

_LONGEST_KEY = 200
_PART = 2**24


def read_npy(path: Path) -> Array:
    """The array of a .npy file. Errors: InputError."""
    found = _load(path)
    if not isinstance(found, np.ndarray):
        raise InputError(f"{path} is an archive of arrays, named .npy; name it .npz")
    return found


def read_npz(path: Path) -> dict[str, Array]:
    """The arrays of a .npz file by name, as ``onnxray values`` or numpy.savez write it. Errors: InputError."""
    found = _load(path)
    if isinstance(found, np.ndarray):
        raise InputError(f"{path} holds one array, named .npz; name it .npy")
    return found


def _load(path: Path) -> Array | dict[str, Array]:
    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            with loaded:
                return {unquote(name): np.asarray(loaded[name]) for name in loaded.files}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged archive makes zipfile, zlib and numpy raise nearly anything
        raise InputError(f"{path} is no .npy or .npz file of numbers or text: {error}") from None


def archive_key(name: str) -> str:
    """A value's name in an archive: it leads into no folder, and is no longer than a file system takes."""
    quoted = quote(name, safe=" :;,()[]{}=+-_@")
    if len(quoted) <= _LONGEST_KEY:
        return quoted
    return f"{quoted[: _LONGEST_KEY // 2]}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def write_npz(stream: IO[bytes], arrays: Iterable[tuple[str, Array]]) -> None:
    """What np.savez writes, for keys that it takes for its own options as well; text as text, never as a pickle.

    Arrays may be larger than memory, if they lie in files.
    """
    with zipfile.ZipFile(stream, "w") as archive:
        for key, array in arrays:
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                plain = np.asanyarray(array.astype(np.str_) if array.dtype == object else array)
                if mapping_of(plain) is None or not plain.flags.c_contiguous:
                    np.lib.format.write_array(member, plain, allow_pickle=False)
                else:
                    _write_mapped(member, plain)


def _write_mapped(member: IO[bytes], array: Array) -> None:
    """The same bytes, part by part, each given back to the system once it is written."""
    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(member, header)
    rows = max(1, _PART // max(array[:1].nbytes, 1))
    for start in range(0, len(array), rows):
        member.write(array[start : start + rows].tobytes())
        let_go(array)


def mapping_of(array: Array) -> mmap.mmap | None:
    """The mapped file that an array lies in, if it does."""
    held: object = array
    while isinstance(held, np.ndarray) and held.base is not None:
        held = held.base
    return held if isinstance(held, mmap.mmap) else None


def let_go(array: Array) -> None:
    """Give back the memory of what was read of an array that lies in a file; it is read again when it is asked for."""
    mapped = mapping_of(array)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
