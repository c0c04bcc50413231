"""One finding of a method: its numbers and its pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Self, TypeVar, final

from numpy.typing import NDArray

from onnxray.images.drawing.page.palette import Palette
from onnxray.notebooks.displayed import Displayed


class Item(Displayed, ABC):
    """One finding of a method: its numbers and its pictures."""

    @abstractmethod
    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON; a number that could not be had is None, with a ``reason`` beside it."""

    @abstractmethod
    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """Role -> (file stem, 8-bit CHW picture or 16-bit grey one). Equal stems are one file, written once."""

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """Role -> (file stem, numbers), saved as .npy; none by default."""
        return {}

    def measured_again(self) -> dict[str, Any]:
        """What of the numbers its files alone tell, by name: other files than were written tell otherwise."""
        return {}

    def drawn_in(self, _palette: Palette, /) -> Self:
        """The item with its figures in other colours; itself where it has none."""
        return self

    @final
    def files(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """Pictures and arrays."""
        return {**self.pictures(), **self.arrays()}

    @classmethod
    @abstractmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of the document and its pictures (and arrays), by role."""


def of_files(document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """``stems``, ``images`` and ``arrays_`` by role: what an item has of its files, whose arrays are .npy files."""
    names = {role: PurePath(name) for role, name in document["files"].items()}
    numbers = {role for role, name in names.items() if name.suffix == ".npy"}
    return {
        "stems": {role: name.stem for role, name in names.items()},
        "images": {role: picture for role, picture in pictures.items() if role not in numbers},
        "arrays_": {role: array for role, array in pictures.items() if role in numbers},
    }


ItemT = TypeVar("ItemT", bound=Item)
