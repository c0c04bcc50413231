"""The picture of maps of codes: a panel a layer, thumbnails where there is room for them, points elsewhere.

matplotlib is imported when a plot is drawn, and used through its objects: no pyplot, no window, no global state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.images.drawing.page.palette import WHITE, Palette, palette_of
from onnxray.images.drawing.plot_style import legible, own_style, png_of, rgb, title_lines
from onnxray.images.drawing.text import NO_MARKUP
from onnxray.methods.features.tsne_item import TsneItem
from onnxray.report.features.map_page import map_page
from onnxray.report.features.map_parts import CATEGORIES, in_square, quality_words, unpacked
from onnxray.report.pages import model_name
from onnxray.results.result import Result

_MOST, _SIDE, _MARGIN, _DOT, _RIM = 6, 1000, 40, 3, 2
_LARGEST, _FILLED = 64, 0.3
"""Pixels of a thumbnail's side at most, and the share of the map that all would fill."""
_LISTED, _NAME = 20, 24


def pictures(result: Result[TsneItem]) -> dict[str, bytes]:
    """File name -> bytes: ``maps.png``, and ``map.html`` to look into."""
    if not result.items:
        return {}
    title = result.provenance.title or f"t-SNE of {model_name(result.provenance)}"
    palette = palette_of(result.provenance.background)
    return {
        "maps.png": maps_plot(result.items[:_MOST], result.extra.get("points", {}), title=title, palette=palette),
        "map.html": map_page(result.items, result.extra.get("points", {}), title=title),
    }  # fmt: skip


@own_style()
def maps_plot(
    items: Sequence[TsneItem], known: Mapping[str, Any], *, title: str, palette: Palette = WHITE
) -> bytes:  # fmt: skip
    """Up to three panels side by side; frames in the colours of labels, else of predictions."""
    from matplotlib.figure import Figure

    across = min(len(items), 3)
    down = -(-len(items) // across)
    figure = Figure(figsize=(5.4 * across + 1.8, 5.9 * down + 0.9), dpi=120)
    figure.set_layout_engine("constrained", h_pad=0.1)
    panels = figure.subplots(down, across, squeeze=False).reshape(-1)
    classes, words, by = _classes(known, items[0].pictures_seen)
    for panel, item in zip(panels, items):
        panel.imshow(_drawn(item, classes, palette), interpolation="none")
        panel.set_title(_said(item), loc="left", fontsize=8.5, color=palette.ink, **NO_MARKUP)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.spines[:].set_color(palette.grid)
    for panel in panels[len(items) :]:
        panel.set_axis_off()
    _legend(figure, words, by, palette)
    ink, said = palette.ink, f"{title}: {items[0].pictures_seen} pictures"
    figure.suptitle(
        title_lines(said, 46 * across), x=0.012, ha="left", fontsize=12, weight="bold", color=ink, **NO_MARKUP
    )
    return png_of(figure, palette=palette)


def _said(item: TsneItem) -> str:
    head = f"{legible(item.layer, 48)}: {item.numbers_each} numbers, perplexity {item.perplexity:g}"
    first, *rest = [*quality_words(item)[:2], ""] if item.trustworthiness is not None else ["", ""]
    lines = [head, ", ".join(one for one in (first, *rest) if one)]
    lines += [title_lines(one, 66) for one in quality_words(item) if one.startswith("the majority")]
    return "\n".join(line for line in lines if line)


def _classes(known: Mapping[str, Any], count: int) -> tuple[NDArray[np.int64], list[str], str]:
    """The class of each picture, -1 for none, the classes in order, and what they are told by."""
    by = "label" if known.get("label") else "prediction"
    words = known.get(by) or [None] * count
    named = sorted({word for word in words if word is not None})
    numbers = {word: number for number, word in enumerate(named)}
    return np.array([numbers.get(word, -1) for word in words], np.int64), named, by


def _legend(figure: Any, words: Sequence[str], by: str, palette: Palette) -> None:
    if not words:
        return
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker="s", linestyle="", color=CATEGORIES[place % len(CATEGORIES)], label="x")
        for place in range(min(len(words), _LISTED))
    ]
    names = [legible(word, _NAME) for word in words[:_LISTED]]
    title = by if len(words) <= _LISTED else f"{by}: {_LISTED} of {len(words)}"
    drawn = figure.legend(
        marks, ["-"] * len(marks), loc="outside right upper", fontsize=8, frameon=False, labelcolor=palette.ink,
        title=title, title_fontsize=8.5,
    )  # fmt: skip
    drawn.get_title().set_color(palette.ink)
    for text, name in zip(drawn.get_texts(), names):
        text.set(text=name, **NO_MARKUP)


def _drawn(item: TsneItem, classes: NDArray[np.int64], palette: Palette) -> NDArray[np.uint8]:
    """The map as a picture: points of all, and thumbnails that do not lie over one that is drawn."""
    page = np.full((_SIDE, _SIDE, 4), (*rgb(palette.page or "#ffffff"), 255 if palette.page else 0), np.uint8)
    colours = [rgb(one) for one in CATEGORIES]
    thumbnails = unpacked(item)
    high, wide = thumbnails.shape[2:]
    scale = max(1, round(min(_LARGEST, _SIDE * (_FILLED / len(thumbnails)) ** 0.5) / max(high, wide)))
    high, wide = scale * high, scale * wide
    places = in_square(item.numbers_["positions"]) * (_SIDE - 2 * _MARGIN) + _MARGIN
    rows, columns = (places[:, k].round().astype(int) for k in (1, 0))
    taken = np.zeros((_SIDE, _SIDE), bool)
    for place in range(len(places)):
        y, x = rows[place] - high // 2, columns[place] - wide // 2
        y, x = (min(max(at, _RIM), _SIDE - size - _RIM) for at, size in ((y, high), (x, wide)))
        colour = colours[classes[place] % len(colours)] if classes[place] >= 0 else rgb(palette.soft_ink)
        around = (slice(y - _RIM, y + high + _RIM), slice(x - _RIM, x + wide + _RIM))
        if taken[around].any():
            a, b = rows[place], columns[place]
            dot = (slice(a - _DOT, a + _DOT), slice(b - _DOT, b + _DOT))
            page[dot][~taken[dot]] = (*colour, 255)
            continue
        taken[around] = True
        page[around] = (*colour, 255)
        shown = thumbnails[place].repeat(scale, 1).repeat(scale, 2).transpose(1, 2, 0)
        page[y : y + high, x : x + wide, :3] = shown
    return page
