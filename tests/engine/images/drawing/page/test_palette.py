"""Every background that can be asked for has text and lines that are read on it."""

from __future__ import annotations

import itertools

import pytest
from PIL import ImageColor

from onnxray.errors import InputError
from onnxray.images.drawing.page.palette import DARK, TRANSPARENT, WHITE, contrast, palette_of

_COLOURS = [f"#{r}{g}{b}" for r, g, b in itertools.product(("00", "55", "80", "c8", "ff"), repeat=3)]


def test_contrast_is_that_of_the_recommendation() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#ffffff", "#ffffff") == 1.0
    # 0.05 / (L + 0.05) with L of #777777 by its formula
    level = ((0x77 / 255 + 0.055) / 1.055) ** 2.4
    assert contrast("#777777", "#000000") == contrast("#000000", "#777777") == pytest.approx((level + 0.05) / 0.05)


@pytest.mark.parametrize("page", ["white", "dark", *_COLOURS])
def test_text_and_lines_are_legible(page: str) -> None:
    palette = palette_of(page)
    assert palette.page is not None
    for text in (palette.ink, palette.soft_ink, palette.warning):
        assert contrast(text, palette.page) >= 4.5
    if page != "white":  # there the lines are the published ones
        for line in palette.lines:
            assert contrast(line, palette.page) >= 3.0
    if page in {"white", "dark"}:
        assert len(set(palette.lines)) == 7
    for colour in (palette.page, palette.grid, palette.frame, palette.empty, *palette.lines):
        ImageColor.getrgb(colour)


def test_without_a_background_text_has_a_halo_that_it_is_read_on() -> None:
    assert palette_of("transparent") is TRANSPARENT
    assert (TRANSPARENT.page, WHITE.halo, DARK.halo) == (None, None, None)
    assert TRANSPARENT.halo is not None
    for text in (TRANSPARENT.ink, TRANSPARENT.soft_ink, TRANSPARENT.warning):
        assert contrast(text, TRANSPARENT.halo) >= 4.5


def test_names_of_backgrounds() -> None:
    assert palette_of(None) is palette_of("white") is WHITE
    assert palette_of("dark") is DARK
    assert palette_of("#FFEEDD").page == "#ffeedd"


@pytest.mark.parametrize("text", ["", "black", "#fff", "ffffff", "#gggggg", "#ffffff00", "WHITE", "#ffffff\n"])
def test_what_is_no_background(text: str) -> None:
    with pytest.raises(InputError, match="expected white, dark, transparent, or a colour as #rrggbb"):
        palette_of(text)
