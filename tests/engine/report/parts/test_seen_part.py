"""What the model saw of a file is shown where its profile was guessed, and only there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxray.images.drawing.plot_style import SKY, rgb
from onnxray.report.parts.seen_part import seen_cells, seen_warnings
from support import models


def profile(**fields: Any) -> dict[str, Any]:
    return replace(models.GREY, assumed=True, **fields).to_dict()


def picture(place: Path, width: int, height: int) -> str:
    path = place / f"{width}x{height}.png"
    Image.new("RGB", (width, height), (200, 100, 50)).save(path)
    return str(path)


def test_a_crop_is_outlined_where_it_lies(tmp_path: Path) -> None:
    path = picture(tmp_path, 200, 100)
    stated = profile(resize="crop", crop_fraction=1.0)
    cells = seen_cells([path, None, path], stated)
    (cell,) = cells.values()
    assert cell.heading == ("the file",)
    assert cell.caption == ("50% of it was seen",)
    shown = np.asarray(cell.image)
    assert shown.shape == (3, 100, 200)
    outline = (shown == np.array(rgb(SKY))[:, None, None]).all(0)
    columns = np.flatnonzero(outline.any(0))
    assert (columns.min(), columns.max()) == (50, 149)
    assert shown[:, 50, 100].tolist() == [200, 100, 50]
    assert shown[:, 50, 10].max() < 100  # what was not seen is dimmed
    (warning,) = seen_warnings(cells, stated)
    assert "did not see all of the file" in warning


def test_a_side_that_was_stretched_is_said(tmp_path: Path) -> None:
    (cell,) = seen_cells([picture(tmp_path, 200, 100)], profile(resize="stretch")).values()
    assert cell.caption == ("all of it was seen", "a side stretched 2.00 times")


@pytest.mark.parametrize("fields", [{"resize": "pad"}, {"assumed": False}])
def test_nothing_is_said_where_all_was_seen_or_nothing_was_guessed(fields: dict[str, Any], tmp_path: Path) -> None:
    stated = {**profile(resize=fields.get("resize", "crop")), **fields}
    assert seen_cells([picture(tmp_path, 200, 100)], stated) == {}
    assert seen_warnings({}, stated) == []


def test_files_that_are_gone_or_no_pictures_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    paths = [str(tmp_path / "gone.png"), str(tmp_path / "broken.png"), str(tmp_path / "a.npy"), None]
    assert seen_cells(paths, profile(resize="stretch")) == {}
    assert seen_cells(paths, None) == {}
