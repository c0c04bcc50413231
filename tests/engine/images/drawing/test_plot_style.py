"""The palette, and plots as bytes: whatever a user has set, on white, without the version of who drew them."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageColor

from onnxray.images.drawing.plot_style import BLUE, SKY, YELLOW, legible, own_style, png_of, rgb


@pytest.mark.parametrize("colour", [BLUE, YELLOW, SKY])
def test_colours_as_pillow_reads_them(colour: str) -> None:
    assert rgb(colour) == ImageColor.getrgb(colour)


def test_a_figure_is_white_and_names_nobody() -> None:
    with mpl.rc_context({"savefig.facecolor": "red", "axes.facecolor": "green"}), own_style():
        figure = Figure(figsize=(1, 1), dpi=20)
        data, named = png_of(figure), png_of(figure, metadata=None)
    with Image.open(io.BytesIO(data)) as page, Image.open(io.BytesIO(named)) as other:
        assert (np.asarray(page)[..., :3] == 255).all()
        assert "Software" not in page.info
        assert "Software" in other.info


def test_letters_that_the_font_lacks_and_lengths() -> None:
    assert legible("a\u4e2d", 10) == "a\ufffd"
    assert len(legible("x" * 100, 12)) == 12
