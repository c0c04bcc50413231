"""What a feature attack aims at: a target's representation, from an image or alone, or the origin's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.errors.type_checks import as_path


@dataclass(frozen=True, kw_only=True)
class TargetImages:
    """Representations of images. pairing ``zip``: one target for all origins, or one each; ``all``: every pair."""

    images: object
    pairing: Literal["zip", "all"] = "zip"

    def __post_init__(self) -> None:
        _check("pairing", self.pairing, ("zip", "all"))


@dataclass(frozen=True, kw_only=True)
class TargetValues:
    """Representations alone, such as a stolen template: an array for the one layer attacked, or a dict by layer."""

    values: NDArray[Any] | Mapping[str, NDArray[Any]]
    source: str | None = None


@dataclass(frozen=True, kw_only=True)
class Own:
    """The origin's own representation, faded (``inhibit``) or made stronger (``magnify``)."""

    mode: Literal["inhibit", "magnify"]

    def __post_init__(self) -> None:
        _check("mode", self.mode, ("inhibit", "magnify"))


@dataclass(frozen=True, kw_only=True)
class HotColdTargets:
    """A target for each origin: the origin itself, made of this class (number or label) by hot/cold."""

    class_: int | str

    def __post_init__(self) -> None:
        if isinstance(self.class_, bool) or not isinstance(self.class_, int | str):
            raise InputError(f"the class that hot/cold makes targets of is {short(self.class_)}; a number or a label")


Goal = TargetImages | TargetValues | Own


def as_goal(goal: object) -> Goal | HotColdTargets:
    """Read a goal as users give it: ``"inhibit"``, ``"magnify"``, a goal, or target images (paths, PIL, arrays).

    Errors: InputError.
    """
    if isinstance(goal, TargetImages | TargetValues | Own | HotColdTargets):
        return goal
    if goal is None:
        raise InputError("no goal was given; give target images, TargetValues(values=...), 'inhibit' or 'magnify'")
    if isinstance(goal, str) and goal == "inhibit":
        return Own(mode="inhibit")
    if isinstance(goal, str) and goal == "magnify":
        return Own(mode="magnify")
    if isinstance(goal, Mapping):
        return TargetValues(values=goal)
    return TargetImages(images=goal)


def read_values(path: str | os.PathLike[str]) -> TargetValues:
    """Read representations from a .npy file, or from an .npz file with one array a layer; pickles are refused."""
    file = as_path("the file of values", path)
    try:
        with file.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return TargetValues(values=loaded, source=str(file))
            with loaded:
                # `onnxray values` escapes what a file in an archive must not be called; value names hold slashes.
                return TargetValues(values={unquote(name): loaded[name] for name in loaded.files}, source=str(file))
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; a .npy file with the target's representation was expected") from None
    except Exception as error:  # a damaged archive makes zipfile, zlib and numpy raise nearly anything
        raise InputError(f"{file} is no .npy or .npz file of numbers: {error}") from None


def _check(name: str, value: object, known: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{name} is {short(value)}; {' or '.join(map(repr, known))} was expected")
