"""Images and samples as a model takes them: what methods see, what judge and twin are fed, and seeded ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array, Arrays
from onnxray.engines.casting import cast
from onnxray.engines.seeded_inputs import accepted_inputs, seeded_pixels
from onnxray.errors import ImageError
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of, has_no_batch
from onnxray.images.pixels import Pixels, read_images
from onnxray.images.profile.profile import Profile
from onnxray.model.inputs.reading import plain_feeds, read_samples
from onnxray.model.inputs.stated import Inputs


@dataclass(frozen=True, slots=True)
class Encoder:
    """How images enter a model: its graph, and the profile in front of it; None where its input is no image.

    strict: refuse broken pictures of folders, which are left out otherwise.
    """

    graph: Graph = field(compare=False, repr=False)
    inputs: Inputs
    profile: Profile | None
    strict: bool = False

    def pixels(self, images: object) -> Pixels:
        """See ``Model.pixels``."""
        if isinstance(images, Pixels):
            if self.profile is not None:
                _check_own(self.profile, images)
            return images
        if self.profile is not None:
            return read_images(images, self.profile, strict=self.strict)
        return read_samples(self.graph, self.inputs, images)

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
            return plain_feeds(self.graph, self.inputs, images)
        return self.fed(self.pixels(images).array)

    def variables(self, images: object) -> Arrays:
        """What is differentiated with respect to: pixels, or arrays as they are."""
        if self.profile is None:
            return plain_feeds(self.graph, self.inputs, images)
        return {self.graph.inputs[0].name: self.pixels(images).array}

    def encoded(self, images: object) -> Encoded:
        """See ``Model.encoded``."""
        pixels = self.pixels(images)
        if isinstance(pixels, Encoded) and pixels.encoder == self:
            return pixels
        # Of its own, for whoever gave the array may change it, and pixels and encoding must stay one.
        beside = {name: array.copy() for name, array in pixels.beside.items()}
        own = pixels.changed(array=pixels.array.copy(), beside=beside)
        return Encoded(**own.facts(), encoder=self, of_them=self.feeds(own))

    def fed(self, array: Array) -> Arrays:
        """The judge's feeds for pixels (N, channels, height, width) in [0, 255], of any size that the file takes."""
        assert self.profile is not None
        value = self.graph.inputs[0]
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
        if has_no_batch(self.encoder.graph):
            feeds = self.encoder.feeds(part)
        else:
            feeds = {name: self.of_rows(name, array, index) for name, array in self.feeds.items()}
        return Encoded(**part.facts(), encoder=self.encoder, of_them=feeds)


def _check_own(profile: Profile, pixels: Pixels) -> None:
    """Refuse pixels that were read for a model of another size or number of colours. Errors: ImageError."""
    if not pixels.plain and pixels.array.shape[1:] != profile.shape:
        raise ImageError(
            f"pixels of shape {list(pixels.array.shape[1:])} were read for another model; this one takes "
            f"{list(profile.shape)}: read the images by it, model.pixels(images)"
        )


def seeded(graph: Graph, profile: Profile | None, run: Callable[[Arrays], Mapping[str, Array]]) -> Array | Arrays:
    """What a model is checked on: two pictures, more where the file fixes a larger batch; else arrays that run takes.

    Errors: RuntimeRefusal where it takes none.
    """
    if profile is None:
        return accepted_inputs(graph, run)
    pixels = seeded_pixels(profile.shape)
    own = fixed_batch_of(graph) or 1
    return np.resize(pixels, (own, *pixels.shape[1:])) if own > len(pixels) else pixels
