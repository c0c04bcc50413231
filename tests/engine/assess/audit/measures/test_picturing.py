"""Sheets that checks draw of pictures when rows are summed up."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import onnxray
from onnxray.assess.audit.check import Check, Picture
from onnxray.assess.audit.checks.accuracy import Accuracy
from onnxray.assess.audit.checks.corruptions import Corruptions
from onnxray.assess.audit.checks.near_duplicates import NearDuplicates
from onnxray.assess.audit.checks.robustness import Robustness
from onnxray.assess.audit.measures.picturing import kept, seen, sheet, unpacked
from onnxray.images.drawing.contact_sheet import Cell
from support.auditing import digits, picture, saved


def drawn(check: Check, pictures: list[Picture]) -> dict[str, tuple[int, int]]:
    """File name -> size of the pictures of a check, which are the same again."""
    rows = check.measure(onnxray.open("lenet"), pictures, 0)
    told = check.summarise(rows, pictures, 0.95).pictures
    assert told == check.summarise(rows, pictures, 0.95).pictures
    return {name: Image.open(io.BytesIO(data)).size for name, data in told}


def test_a_picture_is_kept_exactly_and_seen_small(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (3, 5, 4)).astype(np.uint8)
    assert (unpacked(kept(array)) == array).all()
    assert (unpacked(kept(array[:1])) == array[:1]).all()
    (one,) = saved(tmp_path / "a", [array])
    assert (seen(one) == array).all()
    stretched, grey = seen(one, size=(10, 8)), seen(one, grey=True)
    assert stretched is not None
    assert stretched.shape == (3, 10, 8)
    assert grey is not None
    assert grey.shape == (1, 5, 4)
    (large,) = saved(tmp_path / "b", [np.zeros((1, 900, 450))])
    small = seen(large)
    assert small is not None
    assert small.shape == (3, 448, 224)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    assert seen(picture(broken)) is None
    assert sheet("none", []) is None
    assert sheet("hostile \x1b[2J", [Cell(array, ("\u202e" * 500,))]) is not None


def test_checks_show_what_they_found() -> None:
    one, two = digits(2)
    assert drawn(Accuracy(), [one, two]) == {}
    assert set(drawn(Accuracy(), [replace(one, label=7), two])) == {"mistakes.png"}
    assert set(drawn(Corruptions(kinds="jpeg", severities="5"), [one, two])) == {"examples.png"}
    assert set(drawn(NearDuplicates(rms=255.0, angle=0.0), [one, replace(two, folder="b")])) == {"pixels.png"}
    chosen = replace(one, sha256="0" * 64)
    check = Robustness(eps=96.0, attacks="fgsm", trust_every=1000)
    rows = check.measure(onnxray.open("lenet"), [chosen], 0)
    assert rows[0]["smallest"] is not None
    assert {name for name, _ in check.summarise(rows, [chosen], 0.95).pictures} == {"flipped.png"}
