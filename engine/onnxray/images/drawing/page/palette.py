"""The colours of sheets and plots on white, on dark, on no background at all, and on any colour.

Contrast of two colours as WCAG 2.2 has it, (L1 + 0.05) / (L2 + 0.05), L: relative luminance, the lighter one's first.
Text has 4.5 at least, lines and points 3, in the palettes of ``palette_of``; on white the lines are those of Okabe and
Ito, as they are published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Final

from onnxray.errors import InputError

_TEXT, _LINES = 4.5, 3.0


@dataclass(frozen=True, kw_only=True)
class Palette:
    """What a page is drawn in, as ``#rrggbb``.

    page: the background, None: there is none, and text has a ``halo``, so that it is read on light and dark. grid: thin
    lines that part things; frame: around pictures; empty: what stands for a picture that there is none of. warning:
    what nobody may overlook. The rest: of lines and points, apart for every kind of colour vision.
    """

    page: str | None
    ink: str
    soft_ink: str
    warning: str
    grid: str
    frame: str
    empty: str
    blue: str
    vermilion: str
    green: str
    orange: str
    purple: str
    sky: str
    halo: str | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """The colours of lines that stand in one plot, in their order."""
        return self.blue, self.vermilion, self.green, self.orange, self.purple, self.sky, self.ink


WHITE: Final = Palette(
    page="#ffffff", ink="#1a1a1a", soft_ink="#5c5c5c", warning="#b34700", grid="#e4e4e4", frame="#b8b8b8",
    empty="#f4f4f4", blue="#0072b2", vermilion="#d55e00", green="#009e73", orange="#e69f00", purple="#cc79a7",
    sky="#56b4e9",
)  # fmt: skip
DARK: Final = Palette(
    page="#16181d", ink="#f2f2f2", soft_ink="#b4b8bf", warning="#ff9d5c", grid="#363a42", frame="#5a5e66",
    empty="#22252b", blue="#5aa9e6", vermilion="#f0804a", green="#33c79b", orange="#e69f00", purple="#d997b9",
    sky="#a6d8f7",
)  # fmt: skip
TRANSPARENT: Final = replace(WHITE, page=None, soft_ink="#333333", halo="#ffffff")
_NAMED: Final[Mapping[str, Palette]] = MappingProxyType({"white": WHITE, "dark": DARK, "transparent": TRANSPARENT})


def palette_of(background: str | None) -> Palette:
    """The palette on a background: ``white`` (None), ``dark``, ``transparent`` or ``#rrggbb``. Errors: InputError."""
    if background is None or background in _NAMED:
        return _NAMED[background or "white"]
    if not re.fullmatch("#[0-9a-fA-F]{6}", background):
        raise InputError(
            f"the background is {background!r}; expected white, dark, transparent, or a colour as #rrggbb (in quotes: "
            "a shell takes # for the start of a comment)"
        )
    page = background.lower()
    towards = max("#000000", "#ffffff", key=lambda end: contrast(end, page))
    base = WHITE if towards == "#000000" else DARK
    least = {field.name: _LINES for field in fields(Palette)} | dict.fromkeys(("ink", "soft_ink", "warning"), _TEXT)
    kept = ("page", "halo", "grid", "frame", "empty")
    changed = {
        name: _legible(getattr(base, name), page, towards, number) for name, number in least.items() if name not in kept
    }
    return replace(base, page=page, empty=_between(page, towards, 0.06), grid=_between(page, towards, 0.2), **changed)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21."""
    darker, lighter = sorted(map(_luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    linear = [(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for v in (p / 255 for p in _parts(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _parts(colour: str) -> bytes:
    return bytes.fromhex(colour.removeprefix("#"))


def _legible(colour: str, page: str, towards: str, least: float) -> str:
    """The colour, moved towards black or white until its contrast with the page is large enough, or at its end."""
    shades = (_between(colour, towards, step / 20) for step in range(21))
    return next((shade for shade in shades if contrast(shade, page) >= least), towards)


def _between(one: str, other: str, share: float) -> str:
    return "#" + bytes(round(a + (b - a) * share) for a, b in zip(_parts(one), _parts(other))).hex()
