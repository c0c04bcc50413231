"""Pictures that are read when they are asked for: the same pixels as all at once, and each broken one told."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxray.errors import ImageError
from onnxray.images.files import save_png
from onnxray.images.picture_list import PictureList, left_out_notes
from onnxray.images.pixels import read_images
from onnxray.results.run_identity import digest
from support import models


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k, picture in enumerate(models.pictures(5).astype(np.uint8)):
        save_png(tmp_path / f"{k}.png", picture)
    (tmp_path / "2.png").write_bytes(b"nothing")
    return tmp_path


def test_they_are_those_that_are_read_at_once(folder: Path) -> None:
    listed = PictureList.of([str(folder)], models.GREY)
    whole = read_images(str(folder), models.GREY)
    found = [listed.read(start, start + 2) for start in range(0, 5, 2)]
    pixels = np.concatenate([one.pixels.array for one in found if one.pixels is not None])
    np.testing.assert_array_equal(pixels, whole.array)
    assert [place for one in found for place in one.places] == [0, 1, 3, 4]
    assert [len(one.left_out) for one in found] == [0, 1, 0]
    assert len(listed) == 5
    np.testing.assert_array_equal(listed.rows(np.array([4, 0])).array, whole.array[[3, 0]])
    with pytest.raises(ImageError, match=r"2\.png"):
        listed[2]


def test_another_picture_under_the_same_name_is_another_list(folder: Path) -> None:
    before = digest(PictureList.of(str(folder), models.GREY))
    assert digest(PictureList.of(str(folder), models.GREY)) == before
    save_png(folder / "4.png", models.pictures(1, 9)[0].astype(np.uint8))
    assert digest(PictureList.of(str(folder), models.GREY)) != before


def test_pictures_in_memory_are_a_list_too() -> None:
    array = models.pictures(3).astype(np.uint8)
    for given in (array, [Image.fromarray(one[0]) for one in array], read_images(array, models.GREY)):
        listed = PictureList.of(given, models.GREY)
        assert listed.names == (None,) * 3
        read = listed.read(1, 9)
        assert read.pixels is not None
        np.testing.assert_array_equal(read.pixels.array, array[1:])
        assert len(listed.sha256(0)) == 64


def test_what_is_left_out_is_told_and_nothing_but_it_is_refused() -> None:
    assert list(left_out_notes((), 4)) == []
    said = list(left_out_notes(tuple(f"{k}.png: broken" for k in range(25)), 40))
    assert said[0].startswith("25 of 40 pictures cannot be read")
    assert (len(said), said[-1]) == (22, "and 5 more")
    with pytest.raises(ImageError, match=r"a\.png: broken; nor can 1 others"):
        list(left_out_notes(("a.png: broken", "b.png: broken"), 2))
    with pytest.raises(ImageError, match="no images"):
        PictureList.of([], models.GREY)
