"""Where a training stands, on the disk: written beside and renamed, read again as numbers and nothing else."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onnxray.arrays import Array
from onnxray.errors import OutputError

_BEST = "best.npz"


def write_state(folder: Path, epoch: int, state: Mapping[str, Any]) -> None:
    """Everything that the next epoch depends on; that of the epoch before stays. Errors: OutputError."""
    held = io.BytesIO()
    torch.save(dict(state), held)  # of a full disk torch itself says where in its own source it noticed
    _write(_state(folder, epoch), lambda path: path.write_bytes(held.getbuffer()))
    _state(folder, epoch - 2).unlink(missing_ok=True)


def read_state(folder: Path, last: int) -> dict[str, Any] | None:
    """What was written by the epoch ``last``, or else the latest before it; None where nothing was.

    Errors: OutputError where it is damaged.
    """
    path = next((p for p in (_state(folder, k) for k in range(last, -1, -1)) if p.exists()), None)
    if path is None:
        return None
    try:
        return dict(torch.load(path, weights_only=True))
    except Exception as error:  # of torch.load, which raises whatever a damaged file leads to
        raise OutputError(f"{path} cannot be gone on with ({type(error).__name__}); begin anew: --overwrite") from None


def _state(folder: Path, epoch: int) -> Path:
    return folder / f"epoch-{epoch}.pt"


def write_best(folder: Path, arrays: Mapping[str, Array]) -> None:
    """The best constants so far, as the file holds them, by their place. Errors: OutputError."""

    def write(path: Path) -> None:
        bits = {
            f"{k}": np.ascontiguousarray(array).reshape(-1).view(np.uint8) for k, array in enumerate(arrays.values())
        }
        with path.open("wb") as stream:
            np.savez(stream, **bits)  # type: ignore[arg-type]

    _write(folder / _BEST, write)


def read_best(folder: Path, like: Mapping[str, Array]) -> dict[str, Array] | None:
    """The best so far, None where nothing was better than the file. like: constants of the same types and shapes."""
    path = folder / _BEST
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        return {
            name: stored[f"{k}"].view(array.dtype).reshape(array.shape) for k, (name, array) in enumerate(like.items())
        }


def _write(path: Path, write: Any) -> None:
    partial = path.with_name(f"{path.name}.partial")
    try:
        write(partial)
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)
