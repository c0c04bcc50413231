"""Images as a model takes them: pixels that methods see, arrays that the judge and the twin are fed."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array, Arrays
from onnxray.engines.casting import cast, fed_arrays
from onnxray.errors import ImageError, InputError
from onnxray.graph.facts import Value
from onnxray.images.pixels import Pixels, read_images
from onnxray.images.profile.profile import Profile


@dataclass(frozen=True, slots=True)
class Encoder:
    """How images enter a model: what its input takes, and the profile in front of it; None where it is no image."""

    inputs: tuple[Value, ...]
    profile: Profile | None

    def pixels(self, images: object) -> Pixels:
        """See ``Model.pixels``."""
        if isinstance(images, Pixels):
            if self.profile is not None:
                _check_own(self.profile, images)
            return images
        if self.profile is not None:
            return read_images(images, self.profile)
        arrays = fed_arrays(self.inputs, images)
        if len(arrays) != 1 or not (array := next(iter(arrays.values()))).ndim or not len(array):
            raise InputError("the model's input is no image; give arrays as the model takes them")
        return Pixels.of(array, plain=True)

    def read(self, images: object) -> object:
        """Images read, so that they can be asked several things; arrays for an input that is no image as they are."""
        return images if self.profile is None else self.pixels(images)

    def both(self, images: object) -> tuple[Arrays, Arrays]:
        """What the judge and what the twin is fed."""
        images = self.read(images)
        return self.feeds(images), self.variables(images)

    def feeds(self, images: object) -> Arrays:
        """What the judge is fed: encoded pixels, or arrays as they are."""
        if isinstance(images, Encoded) and images.encoder == self:
            return images.feeds
        if self.profile is None:
            return fed_arrays(self.inputs, images.array if isinstance(images, Pixels) else images)
        return self.fed(self.pixels(images).array)

    def variables(self, images: object) -> Arrays:
        """What is differentiated with respect to: pixels, or arrays as they are."""
        if self.profile is None:
            return fed_arrays(self.inputs, images.array if isinstance(images, Pixels) else images)
        return {self.inputs[0].name: self.pixels(images).array}

    def encoded(self, images: object) -> Encoded:
        """See ``Model.encoded``."""
        pixels = self.pixels(images)
        if isinstance(pixels, Encoded) and pixels.encoder == self:
            return pixels
        # Of its own, for whoever gave the array may change it, and pixels and encoding must stay one.
        own = Pixels(pixels.array.copy(), pixels.names, pixels.notes, plain=pixels.plain)
        return Encoded(own.array, own.names, own.notes, plain=own.plain, encoder=self, of_them=self.feeds(own))

    def fed(self, array: Array) -> Arrays:
        """The judge's feeds for pixels (N, channels, height, width) in [0, 255], of any size that the file takes."""
        assert self.profile is not None
        value = self.inputs[0]
        numbers = self.profile.encode(array)
        if value.dtype and not value.is_float:
            numbers = np.rint(numbers)
        return {value.name: cast(numbers, value, computed=True) if value.dtype != "bfloat16" else numbers}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Encoded(Pixels):
    """Pixels with what a model is fed for them, so that all that is asked of them takes one encoding.

    A value of its own that is handed on: other pixels, and other models, are encoded anew. feeds: read-only.
    """

    encoder: Encoder
    of_them: InitVar[Arrays]  # without a default, so that dataclasses.replace cannot pair other pixels with it
    feeds: Arrays = field(init=False)

    def __post_init__(self, of_them: Arrays) -> None:
        Pixels.__post_init__(self)
        views = {name: array.view() for name, array in of_them.items()}
        for view in views.values():
            view.flags.writeable = False
        object.__setattr__(self, "feeds", MappingProxyType(views))

    def rows(self, index: NDArray[np.int64] | slice) -> Encoded:
        """These of them with their part of the encoding, repetitions allowed, without the notes."""
        part = Pixels.rows(self, index)
        feeds = {name: array[index] for name, array in self.feeds.items()}
        return Encoded(part.array, part.names, plain=part.plain, encoder=self.encoder, of_them=feeds)


def _check_own(profile: Profile, pixels: Pixels) -> None:
    """Refuse pixels that were read for a model of another size or number of colours. Errors: ImageError."""
    if not pixels.plain and pixels.array.shape[1:] != profile.shape:
        raise ImageError(
            f"pixels of shape {list(pixels.array.shape[1:])} were read for another model; this one takes "
            f"{list(profile.shape)}: read the images by it, model.pixels(images)"
        )
