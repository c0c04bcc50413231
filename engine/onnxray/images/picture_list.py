"""Pictures of folders that are read when they are asked for, a few at a time, so that any number of them fits.

    listed = PictureList.of(["photos/"], model.profile)
    listed.read(0, 16)          those of them that can be read, as pixels, and what is wrong with the others

What cannot be read is left out where it comes from a folder, and refused where it was named, or with ``strict``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxray.errors import ImageError
from onnxray.images.folders import in_folders
from onnxray.images.pixels import read_images
from onnxray.images.profile.profile import Profile
from onnxray.images.samples import Pixels

_MOST_TOLD = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Read:
    """What was read of some places. places: of those that could be; left_out: what is wrong with the others."""

    places: NDArray[np.int64]
    pixels: Pixels | None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class PictureList(Sequence[Pixels]):
    """Picture files, or ``held``: pixels that are in memory already. from_folder: of each file whether it was found in
    a folder, and not named. strict: whatever cannot be read is refused.
    """

    files: tuple[str, ...]
    from_folder: tuple[bool, ...]
    profile: Profile
    strict: bool = False
    held: Pixels | None = None
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, images: object, profile: Profile, *, strict: bool = False) -> Self:
        """The files that paths name, and those in folders in order of name; arrays and pictures in memory are read.

        Errors: ImageError where there is nothing, or a folder without pictures.
        """
        single = isinstance(images, str | os.PathLike | Image.Image) or not isinstance(images, Sequence)
        items: Sequence[object] = [images] if single else images  # type: ignore[assignment]
        plain = all(isinstance(one, str | os.PathLike) and not str(one).lower().endswith(".npy") for one in items)
        if isinstance(images, Pixels) or not plain:
            held = images if isinstance(images, Pixels) else read_images(images, profile, strict=strict)
            return cls((), (), profile, strict, held, held.notes)
        found = [(str(path), folder is not None) for path, folder in in_folders(items)]
        if not found:
            raise ImageError("no images given; expected paths, PIL images or arrays")
        return cls(tuple(path for path, _ in found), tuple(inside for _, inside in found), profile, strict)

    def __len__(self) -> int:
        return len(self.files) if self.held is None else len(self.held)

    @property
    def names(self) -> tuple[str | None, ...]:
        """The path of each, None of what came from memory."""
        return self.files if self.held is None else self.held.names

    def __getitem__(self, place: Any) -> Any:
        """One picture, or some. Errors: ImageError."""
        if isinstance(place, slice):
            return [self[k] for k in range(*place.indices(len(self)))]
        if self.held is not None:
            return self.held.rows(slice(place, place + 1))
        return read_images(Path(self.files[place]), self.profile)

    def rows(self, places: NDArray[np.int64]) -> Pixels:
        """These of them, all of which can be read. Errors: ImageError."""
        found = [self[int(place)] for place in places]
        return Pixels(np.concatenate([one.array for one in found]), tuple(one.names[0] for one in found))

    def read(self, start: int, stop: int) -> Read:
        """The places from ``start`` to before ``stop``. Errors: ImageError for one that is not left out."""
        stop = min(stop, len(self))
        if self.held is not None:
            return Read(places=np.arange(start, stop), pixels=self.held.rows(slice(start, stop)))
        found: list[Pixels] = []
        places, wrong = list[int](), list[str]()
        for place in range(start, stop):
            try:
                found.append(self[place])
                places.append(place)
            except ImageError as error:
                if self.strict or not self.from_folder[place]:
                    raise
                wrong.append(str(error))
        pixels = None
        if found:
            pixels = Pixels(np.concatenate([one.array for one in found]), tuple(one.names[0] for one in found))
        return Read(places=np.array(places, np.int64), pixels=pixels, left_out=tuple(wrong))

    def sha256(self, place: int) -> str:
        """Of a file's bytes; of the pixels where there is no file."""
        if self.held is not None:
            return hashlib.sha256(np.ascontiguousarray(self.held.array[place]).tobytes()).hexdigest()
        with Path(self.files[place]).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def left_out_notes(left_out: Sequence[str], whole: int) -> Iterator[str]:
    """What is said of pictures that could not be read. Errors: ImageError where none of them could."""
    if not left_out:
        return
    if len(left_out) == whole:
        others = f"; nor can {whole - 1} others" if whole > 1 else ""
        raise ImageError(f"{left_out[0]}{others}")
    yield f"{len(left_out)} of {whole} pictures cannot be read and are left out (--strict refuses them):"
    yield from (f"left out: {error}" for error in left_out[:_MOST_TOLD])
    if len(left_out) > _MOST_TOLD:
        yield f"and {len(left_out) - _MOST_TOLD} more"
