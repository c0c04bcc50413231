"""Sheets and plots on light, on dark and on nothing: what is drawn is read on what it is drawn on."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import onnxray_models
from onnxray.cli.app import app
from onnxray.images.drawing.contact_sheet import Bar, Cell, Row, contact_sheet
from onnxray.images.drawing.heat_map import colour_bar
from onnxray.images.drawing.page.palette import DARK, WHITE, Palette, contrast, palette_of
from onnxray.images.drawing.plot_style import title_lines
from onnxray.report.stability_plot import LayerSpread, stability_plot

FOUR, NINE = (str(path) for path in onnxray_models.samples("lenet") if path.stem in {"4_0", "9_0"})
CELL = Cell(
    np.full((1, 28, 28), 128, np.uint8), ("class 4", "probability 0.9"), Bar(colour_bar(signed=False), "0", "1", "u"),
    heading=("image",),
)  # fmt: skip


def sheet(palette: Palette) -> Image.Image:
    return contact_sheet([Row("row", (CELL,))], title="title", palette=palette)


def darkest_and_lightest(page: Image.Image) -> tuple[str, str]:
    pixels = np.asarray(page.convert("RGB")).reshape(-1, 3)
    order = pixels.astype(int) @ np.array([299, 587, 114])
    low, high = (bytes(pixels[k].tolist()).hex() for k in (int(order.argmin()), int(order.argmax())))
    return f"#{low}", f"#{high}"


@pytest.mark.parametrize("background", ["white", "dark", "#003355", "#ffd9a0"])
def test_a_sheet_is_drawn_on_its_background(background: str) -> None:
    palette = palette_of(background)
    assert palette.page is not None
    page = sheet(palette)
    assert page.mode == "RGB"
    corner = page.getpixel((3, 3))
    assert isinstance(corner, tuple)
    assert f"#{bytes(corner).hex()}" == palette.page
    words = np.asarray(page)[: 36 + 20]  # the title alone
    drawn = {f"#{bytes(colour).hex()}" for colour in words.reshape(-1, 3).tolist()}
    assert palette.ink in drawn
    assert max(contrast(colour, palette.page) for colour in drawn) >= 4.5


def test_a_sheet_on_white_has_no_alpha_and_one_on_nothing_is_read_on_light_and_dark() -> None:
    page = sheet(palette_of("transparent"))
    assert page.mode == "RGBA"
    assert page.getpixel((3, 3)) == (255, 255, 255, 0)
    assert sheet(WHITE).size == page.size == sheet(DARK).size
    for below in (WHITE, DARK):
        assert below.page is not None
        under = Image.new("RGBA", page.size, below.page)
        under.alpha_composite(page)
        title = under.crop((0, 0, page.width, 56))
        low, high = darkest_and_lightest(title)
        assert contrast(low, high) >= 4.5


@pytest.mark.parametrize("background", ["white", "dark", "transparent", "#003355"])
def test_a_plot_is_drawn_on_its_background(background: str) -> None:
    palette = palette_of(background)
    spread = LayerSpread("ip1", (1.0, 2.0), (3.0, 4.0), (), 1.0)
    with Image.open(io.BytesIO(stability_plot([spread], title="t", palette=palette))) as plot:
        corner = plot.convert("RGBA").getpixel((1, plot.height // 2))
    assert isinstance(corner, tuple)
    assert corner[3] == (0 if palette.page is None else 255)
    if palette.page is not None:
        assert f"#{bytes(corner[:3]).hex()}" == palette.page


def test_white_is_as_it_was() -> None:
    spread = LayerSpread("ip1", (1.0, 2.0), (3.0, 4.0), (), 1.0)
    assert stability_plot([spread], title="t") == stability_plot([spread], title="t", palette=palette_of("white"))


def test_titles_of_plots_wrap_and_keep_their_ends() -> None:
    name = "a" * 30 + "/" + "b" * 30 + "_last.onnx"
    lines = title_lines(f"Perturbation needed at each layer (inhibit), {name}", 40).split("\n")
    assert 1 < len(lines) <= 3
    assert all(len(line) <= 40 for line in lines)
    assert lines[-1].endswith("_last.onnx")
    assert title_lines("short", 40) == "short"
    assert len(title_lines("word " * 200, 40, 2).split("\n")) == 2
    assert title_lines("", 40) == ""


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_every_family_takes_the_option_and_says_it(tmp_path: Path) -> None:
    commands = {
        "saliency": ["saliency", "gradient", "lenet", FOUR], "check": ["saliency", "check", "gradient", "lenet", FOUR],
        "lots": ["lots", "lenet", FOUR, "--self", "inhibit", "--layer", "ip2", "--summary"],
        "invert": ["invert", "lenet", FOUR, "--layer", "ip2", "--steps", "2"],
        "maximize": ["visualize", "maximize", "lenet", "--target", "4", "--steps", "2"],
        "attack": ["attack", "fgsm", "lenet", FOUR, "--eps", "8"],
    }  # fmt: skip
    for name, command in commands.items():
        told = run(*command, "--background", "dark", "-o", str(tmp_path / name))
        assert told.exit_code == 0, told.output
        document = json.loads((tmp_path / name / "result.json").read_text())
        assert document["background"] == "dark"
        pictures = [file for file in document["files"] if file.endswith(".png")]
        assert pictures
        for picture in pictures:
            with Image.open(tmp_path / name / picture) as drawn:
                corner = drawn.convert("RGB").getpixel((2, drawn.height - 3))
            assert isinstance(corner, tuple)
            assert f"#{bytes(corner).hex()}" == DARK.page, (name, picture)


def test_a_background_that_is_none_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    told = run("saliency", "gradient", "lenet", FOUR, "--background", "blue", "-o", str(tmp_path / "run"))
    assert told.exit_code == 1
    assert "the background is 'blue'; expected white, dark, transparent" in " ".join(told.output.split())
    assert not (tmp_path / "run").exists()


def test_figures_of_rows_follow_it_and_a_run_on_another_is_not_gone_on_with(tmp_path: Path) -> None:
    from support import models

    text = "rows (float[N,6] x) => (float[N,2] z) { z = MatMul (x, w) }"
    (tmp_path / "rows.onnx").write_bytes(models.parse(text, {"w": models.random(0, 6, 2)}).SerializeToString())
    np.save(tmp_path / "row.npy", np.ones((1, 6), np.float32))
    common = ["saliency", "gradient", str(tmp_path / "rows.onnx"), str(tmp_path / "row.npy"), "--target", "z[0]"]
    told = run(*common, "--background", "dark", "-o", str(tmp_path / "run"))
    assert told.exit_code == 0, told.output
    (item,) = json.loads((tmp_path / "run" / "result.json").read_text())["items"]
    with Image.open(tmp_path / "run" / item["files"]["map"]) as drawn:
        corner = drawn.convert("RGB").getpixel((1, 1))
    assert isinstance(corner, tuple)
    assert f"#{bytes(corner).hex()}" == DARK.page
