"""Contact sheets: many small pictures with captions on a white page, in the manner of the LOTS paper's figures.

A sheet is rows of cells; a cell is one picture, or a few side by side (an image and its perturbation), over a caption.
Pillow alone draws it, and the same cells give the same pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from onnxray.arrays import Image8
from onnxray.errors import InputError
from onnxray.images.drawing.plot_style import INK, SOFT_INK, VERMILION
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.images.drawing.text import clean_text, shorten

__all__ = ["Bar", "Cell", "Row", "contact_sheet", "contact_sheet_pages", "page_font", "signed_to_grey"]

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Small pictures grow by a whole factor until a side has _SMALL pixels, large ones shrink to _LARGE. In pixels.
_SMALL, _LARGE = 160, 224
_NARROWEST_CELL, _NARROWEST_PAGE = 144, 560
_WIDEST_LINE, _TALLEST_PAGE = 2000, 12000
_MARGIN, _GUTTER, _PANEL_GAP, _LINE_GAP, _CAPTION_GAP = 36, 24, 4, 22, 7
_RULE, _FRAME, _EMPTY = "#dcdcdc", "#b8b8b8", "#f4f4f4"
# A caption may take this many lines for each of its entries.
_CAPTION_LINES = 2
_BAR, _BAR_GAP, _UNIT = 9, 6, 15


@dataclass(frozen=True, slots=True)
class Bar:
    """A colour scale from left to right: uint8 RGB of (3, 1, length), the numbers at its ends, and what they are in."""

    colours: Image8
    low: str
    high: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A picture, or a few side by side, over a caption.

    ``image``: uint8, CHW, 1 or 3 channels; a tuple of them is drawn side by side; None draws an empty frame, or nothing
    where the caption is empty too. ``caption``: the first entry is set in bold, each entry starts a line. ``bar``: the
    picture's colour scale, drawn between the two.
    """

    image: Image8 | tuple[Image8, ...] | None
    caption: tuple[str, ...] = ()
    bar: Bar | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Cells next to each other under a heading; no heading where ``label`` is empty."""

    label: str
    cells: tuple[Cell, ...]


def contact_sheet(
    rows: Sequence[Row], *, title: str, subtitle: Sequence[str] = (), footer: Sequence[str] = ()
) -> Image.Image:
    """One page with all rows, RGB; InputError where they need more than one (see :func:`contact_sheet_pages`)."""
    pages = contact_sheet_pages(rows, title=title, subtitle=subtitle, footer=footer)
    if len(pages) > 1:
        raise InputError(f"the contact sheet takes {len(pages)} pages of {_TALLEST_PAGE} pixels; show fewer rows")
    return pages[0]


def contact_sheet_pages(
    rows: Sequence[Row], *, title: str, subtitle: Sequence[str] = (), footer: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> list[Image.Image]:  # fmt: skip
    """The rows on as many pages as they need, RGB, each at most about 12000 pixels high.

    warnings: what nobody may overlook, in vermilion under the subtitle.
    Columns are aligned through all rows; where a row is wider than about 2000 pixels it continues on the next line.
    Text that is too long is wrapped, then shortened in the middle. InputError for no cells, and for pictures that are
    not uint8 CHW with 1 or 3 channels.
    """
    pictures = (image for row in rows for cell in row.cells for image in _images(cell))
    empty = next((_panel(image).size for image in pictures), (_SMALL, _SMALL))
    grid = [(row.label, [_Drawn(cell, empty) for cell in row.cells]) for row in rows if row.cells]
    if not grid:
        raise InputError("a contact sheet needs at least one cell")
    widths = [max(cells[i].width for _, cells in grid if i < len(cells)) for i in range(max(len(c) for _, c in grid))]
    bands = _bands(widths)
    width = max(_NARROWEST_PAGE, max(_span(widths[a:b]) for a, b in bands))
    head = [_Text(clean_text(title), width, page_font(22, bold=True), INK, lines=3)]
    head += [_Text(clean_text(line), width, page_font(14), SOFT_INK, lines=6) for line in subtitle]
    head += [_Text(clean_text(line), width, page_font(14, bold=True), VERMILION, lines=6) for line in warnings]
    foot = [_Text(clean_text(line), width, page_font(12), SOFT_INK, lines=6) for line in footer]
    lines = [
        _Line(label if start == 0 else "", cells[start:stop], widths[start:stop], width)
        for label, cells in grid
        for start, stop in bands
        if cells[start:stop]
    ]
    pages = list(_paginate(lines, _TALLEST_PAGE - sum(t.height for t in (*head, *foot)) - 4 * _MARGIN))
    numbered = [f"page {i} of {len(pages)}" for i in range(1, len(pages) + 1)] if len(pages) > 1 else [""]
    return [_page(page, head, foot, number, width) for page, number in zip(pages, numbered, strict=True)]


@lru_cache(maxsize=16)
def page_font(size: int, *, bold: bool = False) -> _Font:
    """The font of all pictures with text, in pixels."""
    # Pillow's own font has little beyond ASCII; matplotlib, which we depend on, ships one with accents, Greek, Cyrillic
    # and arithmetic. Its files are found without importing it; some distributions leave them out.
    package = find_spec("matplotlib")
    if package is not None and package.origin is not None:
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        path = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / name
        if path.is_file():
            return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    return ImageFont.load_default(size=size)


class _Text:
    """Text broken into at most ``lines`` lines of ``width`` pixels; what does not fit is cut out of the middle."""

    def __init__(self, text: str, width: int, font: _Font, colour: str, lines: int) -> None:
        self.font, self.colour = font, colour
        top, bottom = font.getbbox("Ålgjp|")[1::2]
        self.leading = math.ceil((bottom - top) * 1.18)

        def fits(candidate: str) -> bool:
            return font.getlength(candidate) <= width

        self.lines: list[str] = []
        words = text.split()
        while words and len(self.lines) < lines - 1:
            count = 1
            while count < len(words) and fits(" ".join(words[: count + 1])):
                count += 1
            self.lines.append(shorten(" ".join(words[:count]), fits))
            words = words[count:]
        if words:
            self.lines.append(shorten(" ".join(words), fits))
        self.height = self.leading * len(self.lines)

    def draw(self, canvas: ImageDraw.ImageDraw, x: float, y: float, *, centred: bool) -> None:
        for i, line in enumerate(self.lines):
            left = x - self.font.getlength(line) / 2 if centred else x
            canvas.text((round(left), y + i * self.leading), line, font=self.font, fill=self.colour)


class _Drawn:
    """A cell's pictures at the size they are shown, and the width the cell asks for."""

    def __init__(self, cell: Cell, empty: tuple[int, int]) -> None:
        self.panels = [_panel(image) for image in _images(cell)]
        if not self.panels and cell.caption:
            self.panels = [_placeholder(empty)]
        self.panels_width = _span([panel.width for panel in self.panels], _PANEL_GAP)
        self.panels_height = max((panel.height for panel in self.panels), default=0)
        self.width = max(self.panels_width, _NARROWEST_CELL)
        self.caption = tuple(clean_text(entry) for entry in cell.caption)
        self.bar = cell.bar

    def draw_bar(self, page: Image.Image, canvas: ImageDraw.ImageDraw, left: int, top: int) -> None:
        """The colour scale, as wide as the pictures, its ends labelled under it."""
        if self.bar is None:
            return
        strip = Image.fromarray(np.ascontiguousarray(self.bar.colours.transpose(1, 2, 0)))
        width, font = max(self.panels_width, _NARROWEST_CELL), page_font(12)
        x = left + (self.panels_width - width) // 2
        page.paste(strip.resize((width, _BAR), Image.Resampling.BILINEAR), (x, top + _BAR_GAP))
        canvas.rectangle((x, top + _BAR_GAP, x + width - 1, top + _BAR_GAP + _BAR - 1), outline=_FRAME)
        below = top + _BAR_GAP + _BAR + 2
        canvas.text((x, below), self.bar.low, font=font, fill=SOFT_INK)
        canvas.text((x + width - font.getlength(self.bar.high), below), self.bar.high, font=font, fill=SOFT_INK)
        unit = clean_text(self.bar.unit)
        canvas.text((x + (width - font.getlength(unit)) / 2, below + _UNIT), unit, font=font, fill=SOFT_INK)


class _Line:
    """Cells next to each other, laid out in columns of given widths, with the heading over them."""

    def __init__(self, label: str, cells: list[_Drawn], widths: list[int], page_width: int) -> None:
        self.cells, self.widths, self.page_width = cells, widths, page_width
        self.label = _Text(clean_text(label), page_width, page_font(15, bold=True), INK, lines=2)
        self.captions = [
            [
                _Text(entry, width, page_font(14, bold=i == 0), INK if i == 0 else SOFT_INK, lines=_CAPTION_LINES)
                for i, entry in enumerate(cell.caption)
            ]
            for cell, width in zip(cells, widths, strict=False)
        ]
        self.heading_height = self.label.height + 20 if self.label.lines else 0
        self.pictures_height = max(cell.panels_height for cell in cells)
        captions_height = max(sum(text.height for text in texts) for texts in self.captions)
        self.bars_height = _BAR_GAP + _BAR + 18 if any(cell.bar for cell in cells) else 0
        self.bars_height += _UNIT if any(cell.bar and cell.bar.unit for cell in cells) else 0
        self.height = sum(
            (self.heading_height, self.pictures_height, self.bars_height, _CAPTION_GAP, captions_height, _LINE_GAP)
        )

    def draw(self, page: Image.Image, canvas: ImageDraw.ImageDraw, top: int) -> None:
        if self.label.lines:
            canvas.line([(_MARGIN, top), (_MARGIN + self.page_width - 1, top)], fill=_RULE)
            self.label.draw(canvas, _MARGIN, top + 7, centred=False)
        bottom, left = top + self.heading_height + self.pictures_height, _MARGIN
        for cell, width, texts in zip(self.cells, self.widths, self.captions, strict=False):
            x = left + (width - cell.panels_width) // 2
            for panel in cell.panels:
                page.paste(panel, (x, bottom - panel.height))
                x += panel.width + _PANEL_GAP
            cell.draw_bar(page, canvas, left + (width - cell.panels_width) // 2, bottom)
            y = bottom + self.bars_height + _CAPTION_GAP
            for text in texts:
                text.draw(canvas, left + width / 2, y, centred=True)
                y += text.height
            left += width + _GUTTER


def _panel(image: Image8) -> Image.Image:
    """A picture at the size it is shown: crisp where it grows, smooth where it shrinks, in a thin frame."""
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[0] not in (1, 3) or array.size == 0:
        raise InputError(f"a picture is uint8 of shape (1 or 3, height, width), not {array.dtype} of {array.shape}")
    picture = Image.fromarray(np.ascontiguousarray(array.transpose(1, 2, 0)).squeeze(2 if len(array) == 1 else ()))
    longest = max(picture.size)
    factor = math.ceil(_SMALL / longest)
    if factor > 1 and factor * longest <= _LARGE:
        picture = picture.resize((factor * picture.width, factor * picture.height), Image.Resampling.NEAREST)
    elif longest > _LARGE:
        size = (max(1, round(picture.width * _LARGE / longest)), max(1, round(picture.height * _LARGE / longest)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    framed = Image.new("RGB", (picture.width + 2, picture.height + 2), _FRAME)
    framed.paste(picture, (1, 1))
    return framed


def _images(cell: Cell) -> tuple[Image8, ...]:
    if isinstance(cell.image, tuple):
        return cell.image
    return () if cell.image is None else (cell.image,)


def _placeholder(size: tuple[int, int]) -> Image.Image:
    """An empty frame as large as the other pictures."""
    box = Image.new("RGB", size, _EMPTY)
    draw, middle = ImageDraw.Draw(box), size[1] // 2
    draw.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=_FRAME)
    draw.line([(size[0] // 2 - 9, middle), (size[0] // 2 + 9, middle)], fill=_FRAME, width=2)
    return box


def _span(widths: Sequence[int], gap: int = _GUTTER) -> int:
    return sum(widths) + gap * max(0, len(widths) - 1)


def _bands(widths: Sequence[int]) -> list[tuple[int, int]]:
    """The columns, as ranges that fit on a line; the same for all rows, so that columns stay columns.

    As few lines as can be, then as even as can be: no single cell is left for the last one.
    """
    needed = len(_broken(widths, _WIDEST_LINE))
    narrow, wide = 0, _WIDEST_LINE
    while wide - narrow > 1:
        tried = (narrow + wide) // 2
        narrow, wide = (narrow, tried) if len(_broken(widths, tried)) <= needed else (tried, wide)
    return _broken(widths, wide)


def _broken(widths: Sequence[int], limit: int) -> list[tuple[int, int]]:
    bands, start = [], 0
    for i in range(1, len(widths)):
        if _span(widths[start : i + 1]) > limit:
            bands.append((start, i))
            start = i
    return [*bands, (start, len(widths))]


def _paginate(lines: Sequence[_Line], room: int) -> Iterator[list[_Line]]:
    page: list[_Line] = []
    for line in lines:
        if page and sum(other.height for other in page) + line.height > room:
            yield page
            page = []
        page.append(line)
    yield page


def _page(lines: Sequence[_Line], head: Sequence[_Text], foot: Sequence[_Text], number: str, width: int) -> Image.Image:
    if number:
        foot = [*foot, _Text(number, width, page_font(12), SOFT_INK, lines=1)]
    head_height = sum(text.height for text in head) + 18
    foot_height = sum(text.height for text in foot)
    height = _MARGIN + head_height + sum(line.height for line in lines) + foot_height + _MARGIN - _LINE_GAP // 2
    page = Image.new("RGB", (width + 2 * _MARGIN, height), "white")
    canvas = ImageDraw.Draw(page)
    y = _MARGIN - 8
    for text in head:
        text.draw(canvas, _MARGIN, y, centred=False)
        y += text.height
    y = _MARGIN + head_height
    for line in lines:
        line.draw(page, canvas, y)
        y += line.height
    for text in foot:
        text.draw(canvas, _MARGIN, y, centred=False)
        y += text.height
    return page
