"""Where rows and columns of the picture go in a graph: every axis of a value, as factors of the axes it came from.

A picture's axes are N, C, H, W. A reshape splits and merges axes, a transposition moves them; so an axis is a list of
factors, each a part of one letter: H of 28 rows split into windows of 7 is H(stride 7, size 4), H(stride 1, size 7).
Convolutions and pooling make rows and columns of their own resolution. A value whose axes cannot be told has no entry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Factor:
    """A part of an axis: ``size`` steps of ``stride`` along a letter of ``full`` steps in all.

    Letter T: a sequence of tokens, ``content`` in row-major order, ``before`` and ``after`` other tokens around it.
    """

    letter: Literal["N", "C", "H", "W", "T"]
    size: int
    stride: int = 1
    full: int = 0
    content: tuple[Factor, ...] = ()
    before: int = 0
    after: int = 0

    @property
    def outermost(self) -> bool:
        """Whether it runs over the whole picture, in steps of its stride."""
        return self.stride * self.size == self.full


Axis = tuple[Factor, ...]
Axes = tuple[Axis, ...]


def picture(shape: Shape, layout: str) -> Axes:
    """The axes of a picture itself, of layout NCHW or NHWC."""
    return tuple(fresh(letter, size) for letter, size in zip(layout, shape))


def spatial(axis: Axis) -> Axis:
    """What of an axis are rows, columns or tokens of the picture."""
    return tuple(factor for factor in axis if factor.letter in {"H", "W", "T"})


def fresh(letter: str, size: int) -> Axis:
    """An axis that is one letter as a whole; of one step, nothing but a sample's."""
    if size == 1 and letter != "N":
        return ()
    return (Factor(letter, size, 1, size),)  # type: ignore[arg-type]


def length(axis: Axis) -> int:
    """How many steps an axis has."""
    return math.prod(factor.size for factor in axis)


def merged(factors: list[Factor]) -> Axis:
    """Neighbours that continue each other, as one."""
    result: list[Factor] = []
    for factor in factors:
        last = result[-1] if result else None
        if (
            last is not None and last.letter == factor.letter != "T" and last.full == factor.full
            and last.stride == factor.stride * factor.size
        ):  # fmt: skip
            result[-1] = Factor(factor.letter, last.size * factor.size, factor.stride, factor.full)
        else:
            result.append(factor)
    return tuple(result)


def tokens_of(content: Axis, before: int, after: int) -> Factor:
    """Tokens of the picture among others."""
    return Factor("T", length(content) + before + after, content=content, before=before, after=after)


def cut(axis: Axis, start: int, count: int) -> Axis | None:
    """A run of an axis: of channels, or of tokens that leaves those of the picture together, or none of them."""
    if count == length(axis):
        return axis
    if not spatial(axis):
        return fresh("C", count)
    if len(axis) != 1 or axis[0].letter != "T":
        return None
    tokens, own = axis[0], length(axis[0].content)
    stop = start + count
    if start <= tokens.before and stop >= tokens.before + own:
        before, after = tokens.before - start, stop - tokens.before - own
        return tokens.content if not before and not after else (tokens_of(tokens.content, before, after),)
    if stop <= tokens.before or start >= tokens.before + own:
        return fresh("C", count)
    return None
