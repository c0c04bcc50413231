"""How much it takes, layer by layer, to move a network: the layer stability assessment as one picture.

matplotlib is imported when a plot is drawn, and used through its objects: no pyplot, no window, no global state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onnxray.errors import InputError
from onnxray.images.drawing.page.palette import WHITE, Palette
from onnxray.images.drawing.plot_style import legible, own_style, png_of, title_lines
from onnxray.images.drawing.text import NO_MARKUP
from onnxray.methods.lots.summary import quantile_with_infinities

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LayerSpread", "stability_figure", "stability_plot"]

# Letters of a layer's name: the first length at which no two layers look the same.
_NAME_LENGTHS = (30, 44, 64)
_LONGEST_LABEL = 24
# With longer names than this, or more layers, names are turned, or they would run into each other.
_LONGEST_LEVEL, _MOST_LEVEL = 10, 16
_DOTS_PER_INCH, _WIDEST = 144, 80.0
# Where the points and the box of a layer lie beside its tick, and how wide they are, in layers.
_POINTS, _POINTS_SPREAD, _BOX, _BOX_WIDTH = -0.2, 0.16, 0.12, 0.3
# The share of a panel's height that what was not reached takes.
_BAND_SHARE = 0.13


@dataclass(frozen=True, slots=True)
class LayerSpread:
    """What was measured at one layer, one number an image; images that were not reached included.

    ``l2``, ``linf``: of the perturbation, in the units that the plot names, ``inf`` where the aim was not reached.
    ``similarity``: PASS, ``-inf`` or NaN where it was not reached; empty where PASS is not defined (images below 11
    pixels, arrays).
    ``share_reached`` lies in [0, 1].
    """

    layer: str
    l2: tuple[float, ...]
    linf: tuple[float, ...]
    similarity: tuple[float, ...]
    share_reached: float


@dataclass(frozen=True, slots=True)
class _Panel:
    """One measure over all layers: ``worst`` is the infinity that stands for what was not reached."""

    name: str
    colour: str
    values: tuple[tuple[float, ...], ...]
    worst: float
    may_be_logarithmic: bool = False


@own_style()
def stability_plot(
    layers: Sequence[LayerSpread], *, title: str, unreached_label: str = "not reached", units: str = "grey levels",
    palette: Palette = WHITE,
) -> bytes:  # fmt: skip
    """The bytes of a PNG of ``stability_figure``. Errors: InputError."""
    figure = stability_figure(layers, title=title, unreached_label=unreached_label, units=units, palette=palette)
    return png_of(figure, palette=palette)


@own_style()
def stability_figure(
    layers: Sequence[LayerSpread], *, title: str, unreached_label: str = "not reached", units: str = "grey levels",
    palette: Palette = WHITE,
) -> Figure:  # fmt: skip
    """Draw L2, Linf and PASS over the layers, in the order given, as a figure of matplotlib.

    A box spans the quartiles, the line in it is the median, a point is an image (see
    :func:`onnxray.methods.lots.summary.quantile_with_infinities`: what was not reached counts as infinity). Where a
    quartile is infinite the box is hatched and runs into the band of ``unreached_label``, where a cross is an image.
    Under each layer stands the share that was reached. A norm that spans more than a factor of ten is drawn
    logarithmic.

    InputError for no layers, a layer without L2 or Linf, norms that are negative or NaN, and shares outside [0, 1].
    """
    from matplotlib.figure import Figure

    _check(layers)
    unreached = legible(unreached_label, _LONGEST_LABEL)
    panels = [
        _Panel(
            f"L2  ({units})", palette.blue, tuple(spread.l2 for spread in layers), math.inf, may_be_logarithmic=True
        ),
        _Panel(
            f"L∞  ({units})",
            palette.vermilion,
            tuple(spread.linf for spread in layers),
            math.inf,
            may_be_logarithmic=True,
        ),
    ]
    # NaN says the same as -inf: not reached.
    similarity = tuple(tuple(-math.inf if math.isnan(v) else v for v in spread.similarity) for spread in layers)
    if any(similarity):
        panels.append(_Panel("PASS", palette.green, similarity, -math.inf))

    names = _names([spread.layer for spread in layers])
    longest = max(len(name) for name in names)
    turned = longest > _LONGEST_LEVEL or len(names) > _MOST_LEVEL
    room = 0.46 if len(names) > _MOST_LEVEL else 0.75 if turned else 0.95
    width = min(_WIDEST, max(7.0, 1.4 + room * len(names)))  # in inches, as matplotlib has it
    height = 0.9 + 2.15 * len(panels) + (0.5 + 0.06 * longest if turned else 0.4)
    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH)
    figure.set_layout_engine("constrained", hspace=0.0, h_pad=0.06)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for panel, ax in zip(panels, axes, strict=True):
        _draw(ax, panel, unreached, palette)
    labels = [f"{name}\n{_percent(spread.share_reached)}" for name, spread in zip(names, layers, strict=True)]
    beside = 0.6 + max(0.0, 4.0 - len(names)) / 2  # so that few layers do not become wide ones
    axes[-1].set_xlim(-beside, len(names) - 1 + beside)
    turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if turned else {}
    axes[-1].set_xticks(range(len(names)), labels, fontsize=9, color=palette.ink, **NO_MARKUP, **turn)
    figure.suptitle(
        title_lines(title, int(8 * width)),
        x=0.012,
        ha="left",
        fontsize=12,
        weight="bold",
        color=palette.ink,
        **NO_MARKUP,
    )
    missed = any(math.isinf(v) for panel in panels for values in panel.values for v in values)
    cross = f"   ×: {unreached}, counts as infinite" if missed else ""
    key = f"box: quartiles   line: median   dot: one image{cross}   %: share reached"
    axes[0].set_title(key, loc="left", fontsize=8, color=palette.soft_ink, **NO_MARKUP)
    figure.align_ylabels(axes)
    return figure


def _check(layers: Sequence[LayerSpread]) -> None:
    if not layers:
        raise InputError("a stability plot needs at least one layer")
    for spread in layers:
        if not spread.l2 or not spread.linf or not all(v >= 0.0 for v in (*spread.l2, *spread.linf)):
            raise InputError(
                f"layer {spread.layer!r} needs L2 and Linf, at least one number each, none negative or NaN"
            )
        if not 0.0 <= spread.share_reached <= 1.0:
            raise InputError(f"layer {spread.layer!r} was reached by a share of {spread.share_reached}, not in [0, 1]")


def _draw(ax: Any, panel: _Panel, unreached_label: str, palette: Palette) -> None:
    from matplotlib.patches import Rectangle

    finite = [v for values in panel.values for v in values if math.isfinite(v)]
    scale = _Scale(finite, panel)
    ax.set_yscale("log" if scale.logarithmic else "linear")
    ax.set_ylim(scale.bottom, scale.top)
    ax.set_yticks(
        scale.ticks(), [f"{tick:g}" for tick in scale.ticks()], fontsize=8, color=palette.soft_ink, **NO_MARKUP
    )
    ax.set_yticks([], minor=True)
    ax.set_ylabel(panel.name, fontsize=9, color=palette.ink, **NO_MARKUP)
    ax.grid(axis="y", color=palette.grid, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(palette.soft_ink)
    if scale.has_band:
        ax.axhspan(*scale.band, color=palette.empty, linewidth=0, zorder=0.5)
        middle = scale.clip(panel.worst)
        ax.text(
            1.004, middle, unreached_label, transform=ax.get_yaxis_transform(), fontsize=8, color=palette.soft_ink,
            va="center", ha="left", rotation=0, **NO_MARKUP,
        )  # fmt: skip
    for x, values in enumerate(panel.values):
        if not values:
            continue
        low, median, high = (quantile_with_infinities(values, q) for q in (0.25, 0.5, 0.75))
        left = x + _BOX - _BOX_WIDTH / 2
        for start, stop, hatched in scale.pieces(low, high):
            box = Rectangle((left, start), _BOX_WIDTH, stop - start, edgecolor=panel.colour, linewidth=1.0, zorder=2)
            box.set_facecolor("none" if hatched else f"{panel.colour}55")
            if hatched:
                box.set_hatch("//////")
            ax.add_patch(box)
        ax.hlines(scale.clip(median), left, left + _BOX_WIDTH, color=panel.colour, linewidth=2.6, zorder=3)
        reached = [v for v in values if math.isfinite(v)]
        missed = [scale.clip(v) for v in values if math.isinf(v)]
        style = {"color": panel.colour, "linestyle": "none", "alpha": 0.45, "zorder": 2}
        ax.plot(list(_spread(x, len(reached))), reached, marker="o", markersize=3.2, markeredgewidth=0, **style)
        ax.plot(list(_spread(x, len(missed))), missed, marker="x", markersize=4.2, markeredgewidth=1.0, **style)


class _Scale:
    """The vertical axis of a panel: where finite values lie, and the band at its worst end for those that are not."""

    def __init__(self, finite: list[float], panel: _Panel) -> None:
        self.upwards = panel.worst > 0
        self.has_band = any(math.isinf(v) for values in panel.values for v in values)
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
        self.empty = not finite
        self.logarithmic = panel.may_be_logarithmic and low > 0.0 and high > 10.0 * low
        low, high = self._forth(low), self._forth(high)
        padding = 0.06 * (high - low) or 0.06 * abs(high) or 0.06
        low, high = low - padding, high + padding
        band = (high - low) * _BAND_SHARE / (1.0 - _BAND_SHARE) if self.has_band else 0.0
        self.bottom = self._back(low if self.upwards else low - band)
        self.top = self._back(high + band if self.upwards else high)
        self.low, self.high = self._back(low), self._back(high)
        edge, end = (high, high + band) if self.upwards else (low, low - band)
        self.band = (self._back(edge), self._back(end))
        self.middle = self._back((edge + end) / 2)

    def _forth(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value

    def _back(self, value: float) -> float:
        return 10.0**value if self.logarithmic else value

    def clip(self, value: float) -> float:
        """The place of a value; what is not finite lies in the middle of the band."""
        return value if math.isfinite(value) else self.middle

    def pieces(self, low: float, high: float) -> Iterator[tuple[float, float, bool]]:
        """A box from quartile to quartile, as (from, to, hatched): the part in the band is hatched."""
        edge, end = self.band
        finite = [v for v in (low, high) if math.isfinite(v)]
        if len(finite) == 2:
            yield low, high, False
        elif finite:
            yield (finite[0], edge, False)
        if len(finite) < 2:
            yield edge, end, True

    def ticks(self) -> list[float]:
        from matplotlib.ticker import LogLocator, MaxNLocator

        if self.empty:
            return []
        locator = LogLocator(subs=(1.0, 2.0, 5.0)) if self.logarithmic else MaxNLocator(nbins=5, steps=[1, 2, 5, 10])
        return [float(tick) for tick in locator.tick_values(self.low, self.high) if self.low <= tick <= self.high]


def _spread(x: int, count: int) -> Iterator[float]:
    """Places beside a layer's tick, so that points do not hide each other: the golden ratio's sequence is even."""
    for i in range(count):
        yield x + _POINTS + _POINTS_SPREAD * ((0.5 + i * 0.6180339887) % 1.0 - 0.5)


def _percent(share: float) -> str:
    if 0.0 < share < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= share < 1.0 else f"{100.0 * share:.0f} %"


def _names(layers: Sequence[str]) -> list[str]:
    names: list[str] = []
    for longest in _NAME_LENGTHS:
        names = [legible(layer, longest) for layer in layers]
        if len(set(names)) == len(set(layers)):
            break
    return names
