"""Which places of its input each place of an operator's output reads, along one axis.

A window (kernel k, stride s, dilation d, padding p before) reads     i = o s - p + j d,           j = 0 ... k - 1
a transposed one is read by                                            i = (o + p - j d) / s,       where that is whole
a resizing by the factor r reads around                                x = (o + 1/2) / r - 1/2      (half_pixel)
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]

NOTHING: Final = -1
"""What stands in a table of places where nothing of the input is read: padding."""


@dataclass(frozen=True, slots=True, eq=False)
class Reads:
    """table: (outputs, most reads), the places that each output reads, -1 for none. step, low, high: output o reads no
    more than [o step + low, o step + high] of an input that goes on at both ends; None where it reads all there is.
    """

    table: Places
    step: Fraction | None
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Window:
    """A convolution's or a pooling's way along one axis; pad: before the first place."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    pad: int = 0

    def reads(self, length: int, outputs: int) -> Reads:
        """Of an input of ``length`` places."""
        starts = np.arange(outputs)[:, None] * self.stride - self.pad
        table = starts + np.arange(self.kernel)[None] * self.dilation
        return Reads(
            _within(table, length), Fraction(self.stride), Fraction(-self.pad),
            Fraction(self.dilation * (self.kernel - 1) - self.pad),
        )  # fmt: skip

    def transposed(self, length: int, outputs: int) -> Reads:
        """Of the same window turned round: each input is written to its places, each output reads what wrote to it."""
        reach = np.arange(outputs)[:, None] + self.pad - np.arange(self.kernel)[None] * self.dilation
        table = np.where(reach % self.stride == 0, reach // self.stride, NOTHING)
        return Reads(
            _within(table, length), Fraction(1, self.stride),
            Fraction(self.pad - self.dilation * (self.kernel - 1), self.stride), Fraction(self.pad, self.stride),
        )  # fmt: skip

    def with_auto_pad(
        self, mode: str, length: int, outputs: int, *, transposed: bool = False, extra: int = 0
    ) -> Window:
        """The same with the padding that SAME_UPPER and SAME_LOWER mean; extra: a transposed one's output padding."""
        if mode not in {"SAME_UPPER", "SAME_LOWER"}:
            return self
        covered = self.dilation * (self.kernel - 1) + 1
        if transposed:
            total = max(self.stride * (length - 1) + extra + covered - outputs, 0)
        else:
            total = max((outputs - 1) * self.stride + covered - length, 0)
        before = total // 2 if mode == "SAME_UPPER" else total - total // 2
        return Window(self.kernel, self.stride, self.dilation, before)


def same(length: int) -> Reads:
    """Each place reads its own."""
    return Reads(np.arange(length)[:, None], Fraction(1))


def everything(length: int, outputs: int) -> Reads:
    """Each place reads all."""
    return Reads(np.broadcast_to(np.arange(length), (outputs, length)), None)


def moved(places: Places, step: int = 1) -> Reads:
    """Output o reads the one place ``places[o]``: what was cut or padded. step: from one to the next."""
    inside = np.flatnonzero(places != NOTHING)
    first = Fraction(int(places[inside[0]]) - int(inside[0]) * step) if len(inside) else Fraction(0)
    return Reads(places[:, None], Fraction(step), first, first)


def blocks(length: int, outputs: int) -> Reads:
    """Whole blocks become a place each, or a place whole blocks."""
    if outputs < length:
        return Window(length // outputs, length // outputs).reads(length, outputs)
    factor = outputs // length
    return Reads(np.arange(outputs)[:, None] // factor, Fraction(1, factor), Fraction(1 - factor, factor), Fraction(0))


def padded(length: int, before: int, after: int, mode: str) -> Reads:
    """An axis with more places around it, or fewer; mode: as ONNX's Pad has it."""
    places = np.arange(max(0, -before), length - max(0, -after))
    more = (max(0, before), max(0, after))
    if mode == "constant":
        return moved(np.pad(places, more, constant_values=NOTHING))
    return Reads(
        np.pad(places, more, mode=mode)[:, None],  # type: ignore[call-overload]
        Fraction(1), Fraction(-before), Fraction(-before),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Resizing:
    """How Resize finds its places. mode: nearest, linear or cubic; where, rounding: as the attributes have it."""

    mode: str
    where: str
    rounding: str
    antialias: bool = False

    def reads(self, length: int, outputs: int, scale: float) -> Reads:
        """Of an input of ``length`` places, at so many outputs an input."""
        o = np.arange(outputs, dtype=np.float64)
        if self.where == "asymmetric":
            x, offset = o / scale, 0.0
        elif self.where == "align_corners":
            x, offset = o * ((length - 1) / max(outputs - 1, 1)), 0.0
        elif self.where == "pytorch_half_pixel" and outputs <= 1:
            x, offset = np.zeros(outputs), 0.0
        else:
            x, offset = (o + 0.5) / scale - 0.5, 0.5 / scale - 0.5
        wide = 1 / min(scale, 1.0) if self.antialias else 1.0
        if self.mode == "nearest":
            table, beside = self._nearest(x)[:, None], (-1.0, 1.0)
        else:
            reach = (2.0 if self.mode == "cubic" else 1.0) * wide
            first, last = np.floor(x - reach).astype(int) + 1, np.ceil(x + reach).astype(int) - 1
            if self.mode == "cubic" and not self.antialias:  # which is zero at whole distances but 0
                alone = x == np.rint(x)
                first, last = np.where(alone, x, first).astype(int), np.where(alone, x, last).astype(int)
            count = max(int((last - first).max(initial=0)) + 1, 1)
            table = first[:, None] + np.arange(count)[None]
            table = np.where(table <= np.maximum(last, first)[:, None], table, first[:, None])
            beside = (-reach, reach)
        step = Fraction(scale).limit_denominator(1000)
        low, high = (Fraction(offset + by).limit_denominator(1000) for by in beside)
        return Reads(np.clip(table, 0, length - 1), 1 / step, low, high)

    def _nearest(self, x: NDArray[np.float64]) -> Places:
        if self.rounding == "floor":
            rounded = np.floor(x)
        elif self.rounding == "ceil":
            rounded = np.ceil(x)
        else:  # halves go up, or down
            rounded = np.floor(x + 0.5) if self.rounding == "round_prefer_ceil" else np.ceil(x - 0.5)
        return np.asarray(rounded, np.int64)


def _within(table: Places, length: int) -> Places:
    return np.where((table >= 0) & (table < length), table, NOTHING)
