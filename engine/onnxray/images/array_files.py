"""Arrays from .npy and .npz files, of numbers or of text; never a pickle."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import InputError


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
