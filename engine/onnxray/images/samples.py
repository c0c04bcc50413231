"""Images as every method sees them, and samples of models whose input is no image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import ImageError
from onnxray.notebooks.displayed import one_line

if TYPE_CHECKING:
    from onnxray.images.profile.profile import Profile


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Images as every method sees them.

    array: read-only float32 of shape (N, channels, height, width), RGB or grey, in [0, 255]. names: the path of each,
    None where it came as an array or a picture in memory. notes: what was done to them, each beginning with the image.
    left_out: how many pictures of folders could not be read.
    plain: they are no images but samples of whatever shape and type the model takes, one a row. Of those alone: input,
    which of the model's inputs they are for (None: its only one); beside: what its other inputs are fed, samples
    along an axis of each (``axes``), or the same for all where it has none; kind: what the input is read as; words:
    what the places of each sample are called; profiles: how the pictures enter that were given for inputs.
    """

    array: NDArray[np.float32]
    names: tuple[str | None, ...]
    notes: tuple[str, ...] = ()
    plain: bool = False
    left_out: int = 0
    input: str | None = None
    beside: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    axes: Mapping[str, int] = field(default_factory=dict)
    words: tuple[tuple[str, ...], ...] = ()
    kind: str = "array"
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        image = self.array.dtype == np.float32 and self.array.ndim == 4
        if not (image or self.plain) or len(self.names) != len(self.array):
            raise ImageError(
                f"pixels of shape {self.array.shape} and type {self.array.dtype} with {len(self.names)} names; "
                "expected float32 of shape (N, channels, height, width) and a name each"
            )
        view = self.array.view()  # the caller's own array stays as writable as it was
        view.flags.writeable = False
        object.__setattr__(self, "array", view)

    @classmethod
    def of(cls, array: NDArray[Any], *, plain: bool = False) -> Pixels:
        """Images that came from no file, (N, channels, height, width) at the model's size; numbers as float32.

        plain: samples as the model takes them, of their own type. Errors: ImageError.
        """
        return cls(array if plain else np.asarray(array, np.float32), (None,) * len(array), plain=plain)

    @classmethod
    def blank(cls, profile: Profile, count: int = 1) -> Pixels:
        """Middle grey at the profile's size: what is fed where only shapes are asked for."""
        return cls.of(np.full((count, *profile.shape), 127.5, np.float32))

    def __len__(self) -> int:
        return len(self.array)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.array.shape[1:]))
        return one_line(self, f"{len(self)} of {shape} {self.array.dtype}{f', {self.kind}' if self.plain else ''}")

    def facts(self) -> dict[str, Any]:
        """Its fields by name."""
        return {
            "array": self.array, "names": self.names, "notes": self.notes, "plain": self.plain,
            "left_out": self.left_out, "input": self.input,
            "beside": self.beside, "axes": self.axes, "words": self.words, "kind": self.kind,
            "profiles": self.profiles,
        }  # fmt: skip

    def changed(self, **changes: Any) -> Pixels:
        """The same but for these fields; of a subclass the pixels alone."""
        return Pixels(**{**self.facts(), **changes})

    def rows(self, index: NDArray[np.int64] | slice) -> Pixels:
        """These of them, repetitions allowed, without the notes."""
        places = np.arange(len(self))[index]
        return self.changed(
            array=self.array[index],
            names=tuple(self.names[k] for k in places),
            notes=(),
            left_out=0,
            beside={name: self.of_rows(name, a, index) for name, a in self.beside.items()},
            words=tuple(self.words[k] for k in places) if self.words else (),
        )

    def of_rows(self, name: str, array: NDArray[Any], index: NDArray[np.int64] | slice) -> NDArray[Any]:
        """What an input is fed for some of the samples."""
        axis = self.axes.get(name, None if name in self.beside else 0)
        if axis is None:
            return array
        return np.asarray(np.take(array, np.arange(len(self))[index], axis))

    def replaced(self, array: NDArray[Any]) -> Pixels:
        """The same images with other pixels (noise, an occluder), one for each; clipped to nothing."""
        return self.changed(array=np.asarray(array, self.array.dtype), notes=(), left_out=0)

    def of_kind(self, kind: str) -> Pixels:
        """The same samples, read as another kind."""
        return self.changed(kind=kind)

    def looking_at(self, name: str) -> Pixels:
        """The same samples, another input's array in the foreground. Errors: ImageError where there is none of it."""
        if name == self.input or not self.beside:
            return self
        if self.axes.get(name) != 0 or self.input is None:
            raise ImageError(f"the rows of the input {name!r} are no samples; name an input whose first axis they are")
        others = {**self.beside, self.input: self.array}
        array = others.pop(name)
        axes = {**self.axes, self.input: 0}
        return self.changed(array=array, input=name, beside=others, axes=axes, words=(), kind="array")

    def arrays(self, only: str) -> dict[str, NDArray[Any]]:
        """Of plain samples: what each input is fed. only: the name of the input where there is one alone."""
        return {self.input or only: self.array, **self.beside}
