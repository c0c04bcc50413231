"""Contact sheets: many small pictures with captions on a page, in the manner of the LOTS paper's figures.

A sheet is rows of cells; a cell is one picture, or a few side by side (an image and its perturbation), over a caption.
What all cells of a column are (a method and its layer) heads it once a page. Pillow alone draws it, and the same cells
give the same pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from onnxray.arrays import Image8
from onnxray.errors import InputError
from onnxray.images.drawing.page.layout import GUTTER, SMALL, bands, paginated, panel, placeholder, span
from onnxray.images.drawing.page.palette import WHITE, Palette
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.images.drawing.text import clean_text, page_font, pieces, shorten

__all__ = ["Bar", "Cell", "Row", "contact_sheet", "contact_sheet_pages", "page_font", "signed_to_grey"]

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# In pixels. A page holds a dozen photographs with their maps.
_NARROWEST_CELL, _NARROWEST_PAGE = 144, 560
_TALLEST_PAGE = 4400
_MARGIN, _PANEL_GAP, _LINE_GAP, _CAPTION_GAP = 36, 4, 22, 7
# A caption may take this many lines for each of its entries.
_CAPTION_LINES = 3
_BAR, _BAR_GAP, _UNIT = 9, 6, 15
_WARNING_PAD, _WARNING_EDGE, _HALO = 10, 5, 2


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
    where the caption is empty too. ``heading``: what it is; where that is the same in a whole column it stands above
    the column, else the caption begins with it. ``caption``: each entry starts a line, the first of all is set in bold.
    ``bar``: the picture's colour scale, drawn between the two. ``whole``: the picture keeps its size on the page, and
    has no frame.
    """

    image: Image8 | tuple[Image8, ...] | None
    caption: tuple[str, ...] = ()
    bar: Bar | None = None
    heading: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Cells next to each other under a heading; no heading where ``label`` is empty."""

    label: str
    cells: tuple[Cell, ...]


def contact_sheet(
    rows: Sequence[Row], *, title: str, subtitle: Sequence[str] = (), footer: Sequence[str] = (),
    palette: Palette = WHITE,
) -> Image.Image:  # fmt: skip
    """One page with all rows, RGB; InputError where they need more than one (see :func:`contact_sheet_pages`)."""
    pages = contact_sheet_pages(rows, title=title, subtitle=subtitle, footer=footer, palette=palette)
    if len(pages) > 1:
        raise InputError(f"the contact sheet takes {len(pages)} pages of {_TALLEST_PAGE} pixels; show fewer rows")
    return pages[0]


def contact_sheet_pages(
    rows: Sequence[Row], *, title: str, subtitle: Sequence[str] = (), footer: Sequence[str] = (),
    warnings: Sequence[str] = (), palette: Palette = WHITE,
) -> list[Image.Image]:  # fmt: skip
    """The rows on as many pages as they need, each at most about 4400 pixels high: RGB, RGBA without a background.

    warnings: what nobody may overlook, in a colour of its own under the subtitle.
    Columns are aligned through all rows; where a row is wider than about 2000 pixels it continues on the next line.
    Text that is too long is wrapped, then shortened in the middle. InputError for no cells, and for pictures that are
    not uint8 CHW with 1 or 3 channels.
    """
    pictures = (image for row in rows for cell in row.cells for image in _images(cell))
    empty = next((panel(image, palette).size for image in pictures), (SMALL, SMALL))
    held = [row for row in rows if row.cells]
    if not held:
        raise InputError("a contact sheet needs at least one cell")
    headings = _headings(held)
    grid = [
        (row.label, [_Drawn(cell, empty, palette, len(above)) for cell, above in zip(row.cells, headings)])
        for row in held
    ]
    widths = [max(cells[i].width for _, cells in grid if i < len(cells)) for i in range(len(headings))]
    lines_of = bands(widths)
    if len(lines_of) > 1 and any(headings):  # a row goes on below itself: each picture says what it is
        headings = [()] * len(headings)
        grid = [(row.label, [_Drawn(cell, empty, palette, 0) for cell in row.cells]) for row in held]
    width = max(_NARROWEST_PAGE, max(span(widths[a:b]) for a, b in lines_of))
    draw = _Pen(palette)
    head: list[_Block] = [draw.text(title, width, 22, palette.ink, lines=3, bold=True)]
    head += [draw.text(line, width, 14, palette.soft_ink, lines=6) for line in subtitle]
    head += [_Warning(draw, line, width) for line in warnings]
    head += [_Columns(draw, headings, widths)] if any(headings) else []
    foot: list[_Block] = [draw.text(line, width, 12, palette.soft_ink, lines=6) for line in footer]
    lines = [
        _Line(draw, label if start == 0 else "", cells[start:stop], widths[start:stop], width)
        for label, cells in grid
        for start, stop in lines_of
        if cells[start:stop]
    ]
    pages = list(paginated(lines, _TALLEST_PAGE - sum(t.height for t in (*head, *foot)) - 4 * _MARGIN))
    numbered = [f"page {i} of {len(pages)}" for i in range(1, len(pages) + 1)] if len(pages) > 1 else [""]
    return [_page(draw, page, head, foot, number, width) for page, number in zip(pages, numbered, strict=True)]


def _headings(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """What stands above each column: how the headings of all its cells begin, where there are several."""
    columns = [[row.cells[i].heading for row in rows if i < len(row.cells)] for i in range(_longest(rows))]
    return [
        tuple(one[0] for one in takewhile(lambda same: len(set(same)) == 1, zip(*cells))) if len(cells) > 1 else ()
        for cells in columns
    ]


def _longest(rows: Sequence[Row]) -> int:
    return max(len(row.cells) for row in rows)


class _Pen:
    """Writes text in the colours of a palette."""

    def __init__(self, palette: Palette) -> None:
        self.palette = palette

    def text(self, text: str, width: int, size: int, colour: str, lines: int, *, bold: bool = False) -> _Text:
        """Text of a block."""
        return _Text(clean_text(text), width, page_font(size, bold=bold), colour, lines, self.palette.halo)

    def new_page(self, width: int, height: int) -> Image.Image:
        """An empty page."""
        if self.palette.page is None:
            return Image.new("RGBA", (width, height), (255, 255, 255, 0))
        return Image.new("RGB", (width, height), self.palette.page)


class _Text:
    """Text broken into at most ``lines`` lines of ``width`` pixels; what does not fit is cut out of the middle."""

    def __init__(self, text: str, width: int, font: _Font, colour: str, lines: int, halo: str | None) -> None:
        self.font, self.colour, self.halo = font, colour, halo
        top, bottom = font.getbbox("Ålgjp|")[1::2]
        self.leading = math.ceil((bottom - top) * 1.18)

        def fits(candidate: str) -> bool:
            return font.getlength(candidate) <= width

        self.lines: list[str] = []
        words = text.split()
        while words and len(self.lines) < lines - 1:
            if not fits(words[0]):  # a name without a blank goes on in the next line
                words = [*pieces(words[0], fits), *words[1:]]
            count = 1
            while count < len(words) and fits(" ".join(words[: count + 1])):
                count += 1
            self.lines.append(shorten(" ".join(words[:count]), fits))
            words = words[count:]
        if words:
            self.lines.append(shorten(" ".join(words), fits))
        self.height = self.leading * len(self.lines)

    def draw(self, canvas: ImageDraw.ImageDraw, x: float, y: float, *, centred: bool = False) -> None:
        for i, line in enumerate(self.lines):
            left = x - self.font.getlength(line) / 2 if centred else x
            _write(canvas, (round(left), y + i * self.leading), line, self.font, self.colour, self.halo)


def _write(
    canvas: ImageDraw.ImageDraw, place: tuple[float, float], text: str, font: _Font, colour: str, halo: str | None
) -> None:
    if halo is None:
        canvas.text(place, text, font=font, fill=colour)
    else:
        canvas.text(place, text, font=font, fill=colour, stroke_width=_HALO, stroke_fill=halo)


class _Warning:
    """A line beside a thick edge, both in the colour of warnings."""

    def __init__(self, pen: _Pen, text: str, width: int) -> None:
        self.colour = pen.palette.warning
        self.text = pen.text(text, width - 2 * _WARNING_PAD - _WARNING_EDGE, 15, self.colour, lines=6, bold=True)
        self.height = self.text.height + 2 * _WARNING_PAD

    def draw(self, canvas: ImageDraw.ImageDraw, x: float, y: float) -> None:
        top = y + _WARNING_PAD - 2
        canvas.rectangle((x, top, x + _WARNING_EDGE - 1, top + self.text.height + 3), fill=self.colour)
        self.text.draw(canvas, x + _WARNING_EDGE + _WARNING_PAD, y + _WARNING_PAD)


class _Columns:
    """What stands above the columns of a page; what they are called is on one line."""

    def __init__(self, pen: _Pen, headings: Sequence[tuple[str, ...]], widths: Sequence[int]) -> None:
        palette = pen.palette
        self.widths = widths
        self.texts = [
            [
                pen.text(entry, width, 15 if i == 0 else 14, palette.soft_ink if i else palette.ink, 2, bold=i == 0)
                for i, entry in enumerate(heading)
            ]
            for heading, width in zip(headings, widths, strict=True)
        ]
        self.height = _LINE_GAP + max(sum(text.height for text in texts) for texts in self.texts)

    def draw(self, canvas: ImageDraw.ImageDraw, x: float, y: float) -> None:
        for texts, width in zip(self.texts, self.widths, strict=True):
            top = y + _LINE_GAP
            for text in texts:
                text.draw(canvas, x + width / 2, top, centred=True)
                top += text.height
            x += width + GUTTER


_Block = _Text | _Warning | _Columns


class _Drawn:
    """A cell's pictures at the size they are shown, and the width the cell asks for. above: entries of its heading that
    stand above its column."""

    def __init__(self, cell: Cell, empty: tuple[int, int], palette: Palette, above: int) -> None:
        self.palette = palette
        self.panels = [panel(image, palette, whole=cell.whole) for image in _images(cell)]
        if not self.panels and (cell.caption or cell.heading):
            self.panels = [placeholder(empty, palette)]
        self.panels_width = span([panel.width for panel in self.panels], _PANEL_GAP)
        self.panels_height = max((panel.height for panel in self.panels), default=0)
        self.width = max(self.panels_width, _NARROWEST_CELL)
        self.caption = (*cell.heading[above:], *cell.caption)
        self.bold = not above
        self.bar = cell.bar
        self.bar_height = 0 if cell.bar is None else _BAR_GAP + _BAR + 18 + (_UNIT if cell.bar.unit else 0)

    def draw_bar(self, page: Image.Image, canvas: ImageDraw.ImageDraw, left: int, top: int) -> None:
        """The colour scale, as wide as the pictures, its ends labelled under it."""
        if self.bar is None:
            return
        strip = Image.fromarray(np.ascontiguousarray(self.bar.colours.transpose(1, 2, 0)))
        width, font = max(self.panels_width, _NARROWEST_CELL), page_font(12)
        colour, halo = self.palette.soft_ink, self.palette.halo
        x = left + (self.panels_width - width) // 2
        page.paste(strip.resize((width, _BAR), Image.Resampling.BILINEAR), (x, top + _BAR_GAP))
        canvas.rectangle((x, top + _BAR_GAP, x + width - 1, top + _BAR_GAP + _BAR - 1), outline=self.palette.frame)
        below = top + _BAR_GAP + _BAR + 2
        _write(canvas, (x, below), self.bar.low, font, colour, halo)
        _write(canvas, (x + width - font.getlength(self.bar.high), below), self.bar.high, font, colour, halo)
        unit = clean_text(self.bar.unit)
        if unit:
            fitting = shorten(unit, lambda text: font.getlength(text) <= width)
            _write(canvas, (x + (width - font.getlength(fitting)) / 2, below + _UNIT), fitting, font, colour, halo)


class _Line:
    """The cells of a row, or of a part of it, with their captions wrapped to the columns' widths."""

    def __init__(self, pen: _Pen, label: str, cells: list[_Drawn], widths: list[int], page_width: int) -> None:
        self.cells, self.widths, self.page_width, self.rule = cells, widths, page_width, pen.palette.grid
        ink, soft = pen.palette.ink, pen.palette.soft_ink
        self.label = pen.text(label, page_width, 15, ink, lines=2, bold=True)
        self.captions = [
            [
                pen.text(
                    entry, width, 14, ink if i == 0 and cell.bold else soft, _CAPTION_LINES, bold=i == 0 and cell.bold
                )
                for i, entry in enumerate(cell.caption)
            ]
            for cell, width in zip(cells, widths, strict=False)
        ]
        self.heading_height = self.label.height + 20 if self.label.lines else 0
        self.pictures_height = max(cell.panels_height for cell in cells)
        captions = (sum(text.height for text in texts) for texts in self.captions)
        below = (cell.bar_height + height for cell, height in zip(cells, captions, strict=False))
        self.height = sum((self.heading_height, self.pictures_height, _CAPTION_GAP, max(below), _LINE_GAP))

    def draw(self, page: Image.Image, canvas: ImageDraw.ImageDraw, top: int) -> None:
        """From ``top`` on."""
        if self.label.lines:
            canvas.line([(_MARGIN, top), (_MARGIN + self.page_width - 1, top)], fill=self.rule)
            self.label.draw(canvas, _MARGIN, top + 7)
        bottom, left = top + self.heading_height + self.pictures_height, _MARGIN
        for cell, width, texts in zip(self.cells, self.widths, self.captions, strict=False):
            x = left + (width - cell.panels_width) // 2
            for picture in cell.panels:
                page.paste(picture, (x, bottom - picture.height))
                x += picture.width + _PANEL_GAP
            cell.draw_bar(page, canvas, left + (width - cell.panels_width) // 2, bottom)
            y = bottom + cell.bar_height + _CAPTION_GAP
            for text in texts:
                text.draw(canvas, left + width / 2, y, centred=True)
                y += text.height
            left += width + GUTTER


def _images(cell: Cell) -> tuple[Image8, ...]:
    if isinstance(cell.image, tuple):
        return cell.image
    return () if cell.image is None else (cell.image,)


def _page(
    pen: _Pen, lines: Sequence[_Line], head: Sequence[_Block], foot: Sequence[_Block], number: str, width: int
) -> Image.Image:
    if number:
        foot = [*foot, pen.text(number, width, 12, pen.palette.soft_ink, lines=1)]
    head_height = sum(block.height for block in head) + 18
    foot_height = sum(block.height for block in foot)
    height = _MARGIN + head_height + sum(line.height for line in lines) + foot_height + _MARGIN - _LINE_GAP // 2
    page = pen.new_page(width + 2 * _MARGIN, height)
    canvas = ImageDraw.Draw(page)
    y = _MARGIN - 8
    for block in head:
        block.draw(canvas, _MARGIN, y)
        y += block.height
    y = _MARGIN + head_height
    for line in lines:
        line.draw(page, canvas, y)
        y += line.height
    for block in foot:
        block.draw(canvas, _MARGIN, y)
        y += block.height
    return page
