"""What a command without a method wrote of one image or one value: its part of the document, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onnxray.notebooks.displayed import one_line, short_number
from onnxray.results.item import Item

_SHOWN = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class PlainItem(Item):
    """``document``: plain values for JSON. ``images``: 8-bit pictures by role; ``arrays_``: numbers by role.

    stems: role -> file name without its ending.
    """

    document: Mapping[str, Any]
    stems: Mapping[str, str] = field(default_factory=dict, repr=False)
    images: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    arrays_: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        plain = [
            f"{name} {short_number(value)}" for name, value in self.document.items()
            if isinstance(value, str | int | float)
        ]  # fmt: skip
        return one_line(self, ", ".join(plain[:_SHOWN]))

    def numbers(self) -> dict[str, Any]:
        """The document's part, without its files."""
        return dict(self.document)

    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """The pictures."""
        return {role: (self.stems[role], image) for role, image in self.images.items()}

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """The arrays; of ``onnxray values`` each value's, which ``save`` writes as a file of its own."""
        return {role: (self.stems[role], array) for role, array in self.arrays_.items()}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        files = document.get("files", {})
        shown = {role for role, name in files.items() if Path(name).suffix == ".png"}
        archived = {role for role, name in files.items() if Path(name).suffix == ".npz"}
        return cls(
            document={name: value for name, value in document.items() if name != "files"},
            stems={
                role: f"{Path(name).stem}-{document.get('key', role)}" if role in archived else Path(name).stem
                for role, name in files.items()
            },
            images={role: picture for role, picture in pictures.items() if role in shown},
            arrays_={role: np.asarray(array) for role, array in pictures.items() if role not in shown},
        )
