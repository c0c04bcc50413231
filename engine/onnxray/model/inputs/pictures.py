"""Pictures and video clips for one of several inputs, each encoded as the file takes it: (scale x - mean) / std.

How pixels enter such an input is stated in its table, else guessed as for a model of one picture, which is noted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import InputError, ProfileError
from onnxray.errors.short_values import short
from onnxray.graph.facts import Graph
from onnxray.images.files import SUFFIXES
from onnxray.images.pixels import read_images
from onnxray.images.profile.families import ImageInput, guess_family
from onnxray.images.profile.profile import Profile
from onnxray.model.inputs.stated import Input


def read_pictures(graph: Graph, one: Input, item: object) -> tuple[Array, Profile, list[str]]:
    """Pictures as an input takes them, how, and what was done to them. Errors: ImageError, ProfileError."""
    profile, said = _profile(graph, one, one.value.shape)
    pixels = read_images([item] if isinstance(item, str | Path) else item, profile)
    return _typed(profile.encode(pixels.array), one), profile, [*said, *pixels.notes]


def read_clip(graph: Graph, one: Input, item: object) -> tuple[Array, list[str]]:
    """One clip, from a folder of frames in order of name, or a list of them. Errors: InputError, ImageError."""
    shape = one.value.shape
    if shape is None:
        raise InputError(f"the file does not state the shape of {short(one.name)}; give the clip as an array")
    place = next((axis for axis in (1, 2, 4) if shape[axis] in (1, 3)), 1)
    time = 1 if place in (2, 4) else 2
    frame = tuple(size for axis, size in enumerate(shape) if axis != time)
    profile, said = _profile(graph, one, frame)
    pixels = read_images(item, profile)
    wanted = shape[time]
    if isinstance(wanted, int) and 0 < wanted != len(pixels):
        raise InputError(
            f"{len(pixels)} frames were given, and the input {short(one.name)} takes {wanted}: {one.takes}; choose them"
        )
    frames = profile.encode(pixels.array)  # (T, C, H, W) or (T, H, W, C)
    clip = frames if time == 1 else np.moveaxis(frames, 0, 1)
    return _typed(clip[None], one), [*said, *pixels.notes]


def is_clip(path: Path) -> bool:
    """Whether a path is a folder of frames."""
    return path.is_dir() and any(inside.suffix.lower() in SUFFIXES for inside in path.iterdir())


def _typed(numbers: Array, one: Input) -> Array:
    return np.asarray(np.rint(numbers) if not one.value.is_float else numbers, one.value.dtype)


def _profile(graph: Graph, one: Input, shape: tuple[Any, ...] | None) -> tuple[Profile, list[str]]:
    """How pixels enter an input whose picture has this shape, (N, C, H, W) or (N, H, W, C)."""
    if shape is None:
        raise InputError(f"the file does not state the shape of {short(one.name)}; give pictures as an array")
    sizes = [size if isinstance(size, int) and size > 0 else None for size in shape]
    first = sizes[1] in (1, 3)
    channels, height, width = (sizes[1], *sizes[2:]) if first else (sizes[3], *sizes[1:3])
    if channels not in (1, 3):
        raise InputError(
            f"the input {short(one.name)} has {channels} channels, and pictures have 1 or 3; give it as an array"
        )
    seen = ImageInput(
        name=one.name, dtype=one.value.dtype, layout="NCHW" if first else "NHWC", channels=channels, height=height,
        width=width, reasons=(),
    )  # fmt: skip
    family, why = guess_family(graph, seen)
    grey = channels == 1
    mean, std = family.mean, family.std
    if grey and len(mean) > 1:
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    known: Mapping[str, Any] = one.options
    try:
        profile = Profile(
            name=family.name, layout=seen.layout or "NCHW", channels="GREY" if grey else family.channels,
            scale=family.scale, mean=mean, std=std, size=(height or family.size[0], width or family.size[1]),
            resize=family.resize, interpolation=family.interpolation, crop_fraction=family.crop_fraction,
            source=f"input {one.name[:100]}",
        )  # fmt: skip
        profile = dataclasses.replace(profile, **known)
    except TypeError as error:
        raise ProfileError(f"the input {short(one.name)}: {error}") from None
    stated = {"scale", "mean", "std"} <= known.keys()
    said = [] if stated else [f"{one.name}: assumed profile {family.name} ({why}); state scale, mean and std of it"]
    return profile, said
