"""What items of the feature space share: plain values, and pictures with the names of their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from numpy.typing import NDArray

from onnxray.results.item import Item, of_files


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnItem(Item):
    """plain: the fields that stand in result.json as they are. stems, images: by role."""

    plain: ClassVar[tuple[str, ...]]

    stems: Mapping[str, str] = field(repr=False)
    images: Mapping[str, NDArray[Any]] = field(repr=False)

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: getattr(self, name) for name in self.plain}

    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """All of them."""
        return {role: (self.stems[role], image) for role, image in self.images.items()}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        files = of_files({"files": document.get("files", {})}, pictures)
        return cls(**{name: document[name] for name in cls.plain}, stems=files["stems"], images=files["images"])


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredItem(DrawnItem):
    """numbers_: arrays by role, in files of their own."""

    numbers_: Mapping[str, NDArray[Any]] = field(repr=False)

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """All of them."""
        return {role: (self.stems[role], array) for role, array in self.numbers_.items()}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        files = of_files({"files": document.get("files", {})}, pictures)
        plain = {name: document[name] for name in cls.plain}
        return cls(**plain, stems=files["stems"], images=files["images"], numbers_=files["arrays_"])
