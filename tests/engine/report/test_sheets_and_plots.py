"""Contact sheets and plots: every picture and word is there, nothing runs into anything else."""

import io
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxray.errors import InputError
from onnxray.images.drawing import contact_sheet as sheets
from onnxray.images.drawing.contact_sheet import Bar, Cell, Row, contact_sheet, contact_sheet_pages
from onnxray.images.drawing.heat_map import colour_bar
from onnxray.images.drawing.page.layout import GUTTER
from onnxray.images.drawing.signed_grey import signed_to_grey
from onnxray.images.drawing.text import clean_text, shorten
from onnxray.report.stability_plot import LayerSpread, stability_figure, stability_plot

INF = math.inf
NASTY = ("a\x00b\n\tc\u202e", "中文 😀 $x_1$ $\\frac{$", "/layer4" * 60 + "/Relu_output_0", "\ud800", "", "word " * 200)


def plain(colour: tuple[int, int, int], height: int = 28, width: int = 28) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8)[:, None, None], (3, height, width))


def box(page: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom (exclusive) of the pixels of a colour; a filled rectangle, or it fails."""
    rows, columns = np.nonzero((np.asarray(page) == colour).all(axis=2))
    found = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
    assert len(rows) == (found[2] - found[0]) * (found[3] - found[1])
    return found


def colours(count: int) -> list[tuple[int, int, int]]:
    return [(255, i + 1, 255 - i) for i in range(count)]


# --- text


def test_text_from_a_model_becomes_one_printable_line():
    assert clean_text("a\x00b\n\t c\u202e\ud800\u2028d") == r"a\x00b c\u202e\ud800\u2028d"
    assert clean_text("crème brûlée — 中") == "crème brûlée — 中"
    assert len(clean_text("x" * 10**6)) < 1100


def test_text_is_shortened_in_the_middle():
    def fits(text: str) -> bool:
        return len(text) <= 9

    assert shorten("123456789", fits) == "123456789"
    assert shorten("abcdefghijklmnop", fits) == "abcd…mnop"
    assert shorten("abcdefghijklmnop", lambda text: len(text) <= 8) == "abcd…nop"
    assert shorten("abcdefghijklmnop", lambda text: False) == "…"


def test_small_print_takes_a_line_more_for_each_word_that_needs_one_up_to_six():
    """What does not fit into six lines is cut out of the sixth."""
    pages = [contact_sheet([Row("", (Cell(plain((1, 2, 3))),))], title="t", footer=[" ".join(["w" * 50] * count)])
             for count in range(1, 9)]  # fmt: skip
    heights = [page.height for page in pages]
    line = heights[1] - heights[0]
    assert line > 8
    assert [high - low for low, high in pairwise(heights)] == [line] * 5 + [0, 0]


# --- perturbations as pictures


def test_perturbation_picture_is_mid_grey_where_nothing_changes():
    delta = np.array([[[-4.0, 0.0, 1.0, 2.0]]])
    picture, gain = signed_to_grey(delta)
    assert gain == 127 / 4
    assert picture.dtype == np.uint8
    assert picture.tolist() == [[[1, 128, 160, 192]]]
    assert signed_to_grey(delta, gain=100.0)[0].tolist() == [[[0, 128, 228, 255]]]


def test_perturbation_picture_of_nothing_and_of_next_to_nothing():
    for delta in (np.zeros((3, 2, 2)), np.full((3, 2, 2), 5e-324)):
        picture, gain = signed_to_grey(delta)
        assert gain == 1.0
        assert (picture == 128).all()
    for delta, gain in ((np.array([[[np.nan]]]), None), (np.ones((1, 1, 1)), 0.0), (np.ones((1, 1, 1)), INF)):
        with pytest.raises(InputError):
            signed_to_grey(delta, gain)


# --- contact sheets


def test_small_pictures_grow_by_a_whole_factor_pixel_by_pixel():
    picture = np.random.default_rng(0).integers(0, 250, (1, 28, 28)).astype(np.uint8)
    page = contact_sheet([Row("", (Cell(np.maximum(picture, 1)), Cell(plain((255, 0, 255)))))], title="t")
    left, top, right, bottom = box(page, (255, 0, 255))
    assert right - left == bottom - top == 28 * 6
    pixels = np.asarray(page)[top:bottom]
    blown_up = np.kron(np.maximum(picture[0], 1), np.ones((6, 6), np.uint8))
    frame, gutter = 2, GUTTER
    start = left - frame - gutter - 28 * 6
    assert np.array_equal(pixels[:, start : start + 168], np.repeat(blown_up[..., None], 3, axis=2))


def test_a_colour_scale_says_what_its_numbers_are_in():
    def page(unit: str) -> np.ndarray:
        bar = Bar(colour_bar(signed=False), "0", "0.00329", unit)
        return np.asarray(contact_sheet([Row("", (Cell(plain((255, 0, 255)), ("a",), bar),))], title="t").convert("L"))

    plain_page, said = page(""), page("logit per grey level")
    assert said.shape[0] == plain_page.shape[0] + sheets._UNIT
    assert (said < 200).sum() > (plain_page < 200).sum()
    hostile = page("\u202e" + "$x_1$" * 50)
    assert hostile.shape == said.shape


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((28, 28), (168, 168)),
        ((32, 16), (160, 80)),
        ((100, 100), (200, 200)),
        ((150, 150), (150, 150)),
        ((224, 224), (224, 224)),
        ((600, 400), (224, 149)),
        ((2, 2000), (1, 224)),
        ((1, 1), (160, 160)),
    ],
)
def test_pictures_are_shown_at_a_common_size(shape, shown):
    page = contact_sheet([Row("", (Cell(plain((255, 0, 255), *shape)),))], title="t")
    left, top, right, bottom = box(page, (255, 0, 255))
    assert (bottom - top, right - left) == shown


def test_large_pictures_are_smoothed_not_sampled():
    stripes = np.zeros((1, 448, 448), np.uint8)
    stripes[:, :, ::2] = 255
    page = np.asarray(contact_sheet([Row("", (Cell(stripes),))], title="").convert("L"))
    inside = page[page.shape[0] // 2, sheets._MARGIN + 20 : sheets._MARGIN + 200]
    assert np.abs(inside.astype(int) - 128).max() < 20


def test_columns_are_aligned_and_nothing_overlaps():
    a, b, c, d, e, f = colours(6)
    rows = [
        Row(
            "first " * 50, (Cell(plain(a), ("Origin: 4",)), Cell((plain(b), plain(c)), ("x" * 300, "0.95 | 283 | 59")))
        ),
        Row("second", (Cell(plain(d, 28, 56), ("y " * 300,)), Cell((plain(e), plain(f)), ("1", "2", "3")))),
    ]
    page = contact_sheet(rows, title="title " * 40, subtitle=("subtitle",) * 3, footer=("footer " * 100,))
    boxes = {colour: box(page, colour) for colour in (a, b, c, d, e, f)}
    assert boxes[b][0] == boxes[e][0]
    assert boxes[c][0] == boxes[f][0]
    assert boxes[a][0] + boxes[a][2] == boxes[d][0] + boxes[d][2]
    assert boxes[b][2] < boxes[c][0]
    assert boxes[a][3] == boxes[b][3] == boxes[c][3]
    # The gap between the columns is white beside the pictures and their captions.
    ink = (np.asarray(page) != 255).any(axis=2)
    gap = slice(boxes[b][0] - 1 - GUTTER, boxes[b][0] - 1)
    assert not ink[boxes[a][1] : boxes[a][3] + 45, gap].any()
    assert not ink[boxes[d][1] :, gap][: boxes[d][3] - boxes[d][1] + 40].any()
    # Captions end above the next row, and no text reaches the margins.
    between = ink[boxes[a][3] + 2 : boxes[d][1] - 2].any(axis=1)
    assert between.any()
    assert not ink[:, : sheets._MARGIN].any()
    assert not ink[:, page.width - sheets._MARGIN :].any()
    assert not ink[-sheets._MARGIN // 2 :].any()


@pytest.mark.parametrize("text", NASTY)
def test_captions_hold_any_text_within_their_cell(text):
    page = contact_sheet([Row(text, (Cell(plain((255, 0, 255)), (text, text)),))], title=text, footer=(text,))
    left, _, right, bottom = box(page, (255, 0, 255))
    under = (np.asarray(page)[bottom + 1 : bottom + 90] != 255).any(axis=2)
    assert not under[:, : left - 2].any()
    assert not under[:55, right + 2 :].any()


def test_a_caption_is_drawn_under_its_picture():
    def page(caption):
        return np.asarray(contact_sheet([Row("", (Cell(plain((255, 0, 255)), (caption,)),))], title="t"))

    one, other = page("CONV1: 9"), page("CONV1: 8")
    assert one.shape == other.shape
    rows, columns = np.nonzero((one != other).any(axis=2))
    left, _, right, bottom = box(Image.fromarray(one), (255, 0, 255))
    assert bottom < rows.min() < rows.max() < bottom + 40
    assert left < columns.min() < columns.max() < right


def test_letters_beyond_ascii_are_drawn_not_boxed():
    font = sheets.page_font(14)
    missing = bytes(font.getmask("\U000fffff"))
    for letter in "éüß…ηΔλ∞×→−±₂жя":
        assert bytes(font.getmask(letter)) != missing, letter


def test_a_cell_without_a_picture_keeps_its_place():
    a, b = colours(2)
    cells = (Cell(None), Cell(plain(a)), Cell(None, ("IP2", "not reached")), Cell(plain(b)))
    page = contact_sheet([Row("", cells)], title="t")
    first, last = box(page, a), box(page, b)
    ink = (np.asarray(page) != 255).any(axis=2)
    assert first[0] > sheets._MARGIN + GUTTER
    assert not ink[first[1] : first[3], : first[0] - 2].any()
    framed = ink[first[1] : first[3], first[2] + GUTTER : last[0] - GUTTER]
    assert framed.any(axis=1).all()


def test_wide_rows_continue_on_the_next_line_without_a_lonely_cell():
    many = colours(11)
    row = Row("", tuple(Cell(plain(colour), (str(i),)) for i, colour in enumerate(many)))
    page = contact_sheet([row], title="t")
    assert page.width <= 2000 + 2 * sheets._MARGIN
    boxes = [box(page, colour) for colour in many]
    tops = [found[1] for found in boxes]
    assert tops == sorted(tops)
    assert sorted(tops.count(top) for top in set(tops)) == [5, 6]
    assert boxes[6][0] == boxes[0][0]


def test_long_sheets_take_pages():
    a, *_, z = many = colours(60)
    rows = [Row(f"row {i}", (Cell(plain(colour)),)) for i, colour in enumerate(many)]
    pages = contact_sheet_pages(rows, title="t")
    assert len(pages) == 4
    assert all(page.height <= sheets._TALLEST_PAGE for page in pages)
    box(pages[0], a)
    box(pages[-1], z)
    with pytest.raises(InputError, match="4 pages"):
        contact_sheet(rows, title="t")


def test_the_same_cells_give_the_same_pixels():
    rows = [Row("r", (Cell(plain((255, 0, 255), 300, 200), ("a", "b")),))]
    first, second = (contact_sheet(rows, title="t", footer=("f",)) for _ in range(2))
    assert first.mode == "RGB"
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize(
    "image",
    [np.zeros((1, 4, 4)), np.zeros((4, 4), np.uint8), np.zeros((2, 4, 4), np.uint8), np.zeros((1, 0, 4), np.uint8)],
)
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(InputError, match="uint8 of shape"):
        contact_sheet([Row("", (Cell(image),))], title="t")


def test_a_sheet_of_nothing_is_refused():
    for rows in ([], [Row("empty", ())]):
        with pytest.raises(InputError, match="at least one cell"):
            contact_sheet(rows, title="t")


# --- stability plots


def spread(layer: str, l2: tuple[float, ...], share: float = 1.0) -> LayerSpread:
    similarity = tuple(-INF if math.isinf(v) else 1 - v / 10000 for v in l2)
    return LayerSpread(layer, l2, tuple(v / 5 for v in l2), similarity, share)


def rectangles(ax) -> list[tuple[float, float, float, bool]]:
    """(left, from, to, hatched) of the boxes of a panel."""
    from matplotlib.patches import Rectangle

    found = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_width() < 1]
    return [(p.get_x(), p.get_y(), p.get_y() + p.get_height(), bool(p.get_hatch())) for p in found]


def medians(ax) -> list[float]:
    return [float(lines.get_segments()[0][0][1]) for lines in ax.collections]


def test_plot_is_a_png_and_repeats():
    layers = [spread("conv1", (900.0, 800.0, INF, 700.0)), spread("ip1", (90.0, 80.0, 70.0, 60.0))]
    first = stability_plot(layers, title="t")
    picture = Image.open(io.BytesIO(first))
    assert picture.format == "PNG"
    assert picture.width > 800
    assert stability_plot(layers, title="t") == first
    assert stability_plot(layers, title="u") != first
    assert stability_plot(layers, title="t", unreached_label="never") != first


def test_boxes_are_the_quartiles():
    figure = stability_figure([spread("a", (10.0, 20.0, 30.0, 40.0, 50.0)), spread("b", (12.0,))], title="t")
    norm, largest, similarity = figure.axes
    assert [r[1:] for r in rectangles(norm)] == [(20.0, 40.0, False), (12.0, 12.0, False)]
    assert medians(norm) == [30.0, 12.0]
    assert medians(largest) == [6.0, 2.4]
    assert medians(similarity) == pytest.approx([0.997, 0.9988])
    assert norm.get_yscale() == "linear"
    assert "not reached" not in norm.get_title(loc="left")


def test_what_was_not_reached_runs_into_the_band():
    layers = [
        spread("some", (10.0, 20.0, INF, INF, INF), 0.4),
        spread("most", (10.0, 20.0, 30.0, 40.0, INF), 0.8),
        spread("none", (INF, INF), 0.0),
    ]
    norm, _, similarity = stability_figure(layers, title="t", unreached_label="never").axes
    edge, top = rectangles(norm)[0][2], norm.get_ylim()[1]
    assert edge > 40.0
    by_layer = {}
    for left, start, stop, hatched in rectangles(norm):
        by_layer.setdefault(round(left), []).append((start, stop, hatched))
    assert by_layer[0] == [(20.0, edge, False), (edge, pytest.approx(top), True)]
    assert by_layer[1] == [(20.0, 40.0, False)]
    assert by_layer[2] == [(edge, pytest.approx(top), True)]
    assert edge < medians(norm)[0] < top
    assert medians(norm)[1] == 30.0
    crosses = [line for line in norm.lines if line.get_marker() == "x"]
    assert [len(line.get_ydata()) for line in crosses] == [3, 1, 2]
    assert all((line.get_ydata() > edge).all() for line in crosses)
    assert any(text.get_text() == "never" for text in norm.texts)
    assert all(tick < edge for tick in norm.get_yticks())
    # PASS is worst at the bottom.
    assert similarity.get_ylim()[0] < medians(similarity)[0] < 0.996
    assert medians(similarity)[2] == medians(similarity)[0]


def test_nan_similarity_is_not_reached():
    with_nan = LayerSpread("a", (1.0, INF), (1.0, INF), (0.9, math.nan), 0.5)
    with_infinity = LayerSpread("a", (1.0, INF), (1.0, INF), (0.9, -INF), 0.5)
    assert stability_plot([with_nan], title="t") == stability_plot([with_infinity], title="t")


def test_norms_over_a_decade_are_logarithmic():
    def scales(low, high):
        return [ax.get_yscale() for ax in stability_figure([spread("a", (low, high))], title="t").axes]

    assert scales(10.0, 100.0) == ["linear", "linear", "linear"]
    assert scales(10.0, 101.0) == ["log", "log", "linear"]
    assert scales(0.0, 101.0) == ["linear", "linear", "linear"]


def test_the_share_reached_stands_under_the_layer():
    layers = [spread(str(i), (1.0,), share) for i, share in enumerate((0.0, 0.001, 0.5, 0.999, 1.0))]
    labels = [label.get_text() for label in stability_figure(layers, title="t").axes[-1].get_xticklabels()]
    assert labels == ["0\n0 %", "1\n<1 %", "2\n50 %", "3\n>99 %", "4\n100 %"]


def shown_names(names: list[str]) -> list[str]:
    """What stands under the layers, above their shares."""
    figure = stability_figure([spread(name, (1.0,)) for name in names], title="t")
    return [label.get_text().splitlines()[0] for label in figure.axes[-1].get_xticklabels()]


def test_long_names_stay_apart():
    names = [f"/layer{i}/layer{i}.1/relu_1/Relu_output_0" for i in range(4)]
    names += [f"/encoder/layers.{i}/attention/self/query/MatMul_output_0" for i in range(4)]
    shown = shown_names(names)
    assert len(set(shown)) == 8
    assert max(len(name) for name in shown) <= 64
    assert shown_names(["x" * 100, "y"]) == ["x" * 15 + "…" + "x" * 14, "y"]


def test_names_do_not_run_into_each_other():
    for names in (["conv1_1234"] * 16, ["a" * 60] * 30):
        figure = stability_figure([spread(name, (1.0, 2.0)) for name in names], title="t")
        figure.savefig(io.BytesIO(), format="png")
        labels = figure.axes[-1].get_xticklabels()
        turn = math.radians(labels[0].get_rotation())
        boxes = [label.get_window_extent() for label in labels]
        if turn == 0.0:
            assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
        else:
            line = labels[0].get_fontsize() * figure.dpi / 72
            step = (boxes[1].x1 - boxes[0].x1) * math.sin(turn)
            assert step > 2 * line
        assert min(found.y0 for found in boxes) >= 0


@pytest.mark.parametrize("text", NASTY)
def test_plots_hold_any_text(text):
    layers = [spread(text, (1.0, INF)), spread("conv1", (2.0, 3.0))]
    stability_plot(layers, title=text, unreached_label=text)


def test_plots_of_extremes():
    stability_plot([spread(f"c{i}", (1.0, 2.0)) for i in range(100)], title="many")
    stability_plot([spread("a", (INF, INF), 0.0)], title="never")
    stability_plot([LayerSpread("a", (0.0,), (0.0,), (1.0,), 1.0)], title="zero")
    tiny = LayerSpread("tiny pictures", (1.0, 2.0), (1.0, 2.0), (), 1.0)
    assert len(stability_figure([tiny], title="t").axes) == 2
    assert len(stability_figure([tiny, spread("a", (1.0,))], title="t").axes) == 3


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [LayerSpread("a", (), (1.0,), (1.0,), 1.0)],
        [LayerSpread("a", (math.nan,), (1.0,), (1.0,), 1.0)],
        [LayerSpread("a", (1.0,), (-INF,), (1.0,), 1.0)],
        [LayerSpread("a", (1.0,), (1.0,), (1.0,), 1.5)],
        [LayerSpread("a", (1.0, 1.0), (1.0, 1.0), (INF, -INF), 1.0)],
    ],
)
def test_plots_refuse_what_is_no_measurement(layers):
    with pytest.raises(InputError):
        stability_plot(layers, title="t")


def test_matplotlib_is_loaded_late_and_pyplot_never():
    engine = Path(sheets.__file__).parents[2]
    code = (
        "import sys, onnxray.images.distances, onnxray.images.drawing.contact_sheet as c, onnxray.report.stability_plot as p;"
        "c.page_font(14);"
        "assert not {'matplotlib', 'cv2', 'skimage', 'scipy'} & set(sys.modules);"
        "p.stability_plot([p.LayerSpread('a', (1.0,), (1.0,), (1.0,), 1.0)], title='t');"
        "assert 'matplotlib.figure' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(engine)!r}); {code}"], check=True)


# --- columns


def _texts(monkeypatch: pytest.MonkeyPatch, rows: list[Row]) -> list[str]:
    drawn: list[str] = []
    real = sheets._Text.draw

    def draw(self: sheets._Text, *place: float, **how: bool) -> None:
        drawn.extend(self.lines)
        real(self, *place, **how)

    monkeypatch.setattr(sheets._Text, "draw", draw)
    contact_sheet_pages(rows, title="t")
    return drawn


def test_what_a_column_is_stands_once_a_page_above_it(monkeypatch):
    rows = [
        Row(f"row {k}", (Cell(plain((9, 9, k)), (f"class {k}",), heading=("image",)),
                         Cell(plain((9, 8, k)), heading=("grad-cam", f"at conv{k % 2}"))))
        for k in range(40)
    ]  # fmt: skip
    drawn = _texts(monkeypatch, rows)
    pages = len(contact_sheet_pages(rows, title="t"))
    drawn = drawn[: len(drawn) // 2] if drawn.count("t") == 2 * pages else drawn
    assert drawn.count("image") == drawn.count("grad-cam") == drawn.count("t") > 1
    assert drawn.count("at conv0") == 20  # which differs from row to row stands under each
    assert [text for text in drawn if text.startswith("class ")] == [f"class {k}" for k in range(40)]


def test_the_names_of_columns_stand_on_one_line(monkeypatch):
    places, real = {}, sheets._Text.draw

    def draw(self, canvas, x, y, **how):
        places[" ".join(self.lines)] = y
        real(self, canvas, x, y, **how)

    monkeypatch.setattr(sheets._Text, "draw", draw)
    cells = Cell(plain((9, 9, 9)), heading=("image",)), Cell(plain((9, 8, 9)), heading=("cam", "80 ms", "at conv2"))
    contact_sheet([Row("", cells), Row("", cells)], title="t")
    assert places["image"] == places["cam"] < places["80 ms"] < places["at conv2"]


def test_one_row_alone_and_rows_that_go_on_below_say_it_under_each(monkeypatch):
    cell = Cell(plain((9, 9, 9), 220, 220), heading=("image",))
    assert _texts(monkeypatch, [Row("", (cell, cell))]).count("image") == 2
    wide = [Row(str(k), (cell,) * 10) for k in range(2)]
    assert _texts(monkeypatch, wide).count("image") == 20


def test_a_dozen_photographs_fit_a_page_of_sensible_height():
    photo = Cell(plain((9, 9, 9), 224, 224), ("class 285 Egyptian cat", "probability 0.7688"), heading=("image",))
    pages = contact_sheet_pages([Row(f"{k}.jpg", (photo,)) for k in range(24)], title="t", footer=("f",))
    assert len(pages) == 2
    assert all(page.height <= 4400 for page in pages)


def test_names_without_a_blank_go_on_in_the_next_line(monkeypatch):
    name = "/features/features.12/Relu_0"
    drawn = _texts(monkeypatch, [Row("", (Cell(plain((9, 9, 9)), (name,)),))])
    first, second = (text for text in drawn if text not in {"t", ""})
    assert first + second == name
    assert first.endswith(("/", "_", "."))
