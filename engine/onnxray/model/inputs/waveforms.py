"""Sound files as samples in time, by the package ``soundfile``. Nothing is resampled: another rate is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.model.inputs.stated import Input

SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg", ".aiff", ".aif"})
_INSTALL = "sound files need the package soundfile: pip install onnxray[sound]"
_MOST: Final = 100_000_000


def read_sound(path: Path, one: Input, wanted: int | None) -> tuple[Array, list[str]]:
    """(1, ...) as the input takes it: real numbers in [-1, 1], or 16-bit ones; and what was done to them.

    wanted: the rate that the model takes, where it is known. Channels are averaged. Where the file fixes the length,
    what is longer is cut off at the end and what is shorter is followed by silence.
    Errors: InputError; for another rate than the wanted one too.
    """
    try:
        import soundfile
    except ImportError:
        raise InputError(_INSTALL) from None
    try:
        with soundfile.SoundFile(str(path)) as sound:
            rate, channels, frames = int(sound.samplerate), int(sound.channels), int(sound.frames)
            if frames * channels > _MOST:
                raise InputError(f"{path}: {frames} samples of {channels} channels; at most {_MOST} are taken")
            read: Any = sound.read(dtype="int16" if one.value.dtype == "int16" else "float32", always_2d=True)
    except InputError:
        raise
    except Exception as error:  # soundfile's own errors, and those of the file
        raise InputError(f"{path}: cannot be read as sound ({error})") from None
    if wanted is not None and rate != wanted:
        raise InputError(
            f"{path} has {rate} samples a second, and the model takes {wanted}; convert it first, for example "
            f"ffmpeg -i {path.name} -ar {wanted} {path.stem}-{wanted}.wav"
        )
    notes = [] if wanted is not None else [f"{path.name}: {rate} samples a second; the file does not tell the model's"]
    samples = read[:, 0]
    if channels > 1:
        samples = read.mean(1).astype(read.dtype)
        notes.append(f"{path.name}: {channels} channels averaged")
    return _laid_out(samples, one, path, notes), notes


def _laid_out(samples: Array, one: Input, path: Path, notes: list[str]) -> Array:
    """The samples along the input's long axis, at its length."""
    shape = one.value.shape
    if shape is None:
        return samples[None]
    sizes = list(shape) if len(shape) == 1 else list(shape[1:])
    axis = next((place for place, size in enumerate(sizes) if size != 1), len(sizes) - 1)
    length = sizes[axis]
    if isinstance(length, int) and 0 < length != len(samples):
        if len(samples) > length:
            notes.append(f"{path.name}: the first {length} of {len(samples)} samples, as many as the model takes")
        else:
            notes.append(f"{path.name}: {len(samples)} samples, followed by silence up to {length}")
        samples = np.pad(samples[:length], (0, max(0, length - len(samples))))
    if len(shape) == 1:
        return samples
    return samples.reshape(1, *(len(samples) if place == axis else 1 for place in range(len(sizes))))


def rate_of(one: Input, folder: Path | None, metadata: dict[str, str]) -> int | None:
    """The rate that an input takes: stated, in the model's metadata, or in a preprocessor_config.json beside it."""
    stated: Any = one.options.get("rate")
    for key in ("sample_rate", "sampling_rate", "samplerate"):
        stated = stated or metadata.get(key)
    if stated is None and folder is not None:
        try:
            table = json.loads((folder / "preprocessor_config.json").read_text("utf-8")[:1_000_000])
            stated = table.get("sampling_rate") if isinstance(table, dict) else None
        except (OSError, ValueError, RecursionError):
            stated = None
    try:
        rate = None if stated is None else int(stated)
    except (TypeError, ValueError):
        raise InputError(f"the model states the rate {short(stated)}; samples a second were expected") from None
    return rate if rate is None or 0 < rate <= 1_000_000 else None
