"""Pictures of an audit that are none: left out and told, or refused before anything waits for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onnxray.assess.audit.checks.accuracy import Accuracy
from onnxray.assess.audit.report import Audit
from onnxray.errors import ImageError
from support.audits import at_least, audited, policy, result, use, write_model, write_pictures

COUNT = 40
STATED = policy(use(Accuracy(), level="block", limits=(at_least(0.5),)))


@pytest.fixture
def images(tmp_path: Path) -> str:
    return write_pictures(tmp_path / "images", COUNT)


def of(images: str, tmp_path: Path) -> Audit:
    return audited([write_model(tmp_path / "net.onnx")], images, STATED, tmp_path / "s", labels="folders")


def test_a_picture_that_cannot_be_read_is_left_out_and_told(images: str, tmp_path: Path) -> None:
    Path(images, "dark", "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    found = of(images, tmp_path)
    accuracy = result(found, "accuracy")
    assert (accuracy["images"], accuracy["unreadable"]) == (COUNT, 1)
    assert "1 of 41 pictures cannot be read and are left out" in accuracy["notes"]


def test_a_broken_picture_whose_name_is_two_lines_is_named_once(images: str, tmp_path: Path) -> None:
    Path(images, "dark", "a\nb.png").write_bytes(b"")
    found = of(images, tmp_path)
    (note,) = (one for one in result(found, "accuracy")["notes"] if "b.png" in one)
    assert (note.count("b.png"), "is an empty file" in note) == (1, True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_among_the_pictures_is_not_waited_for(images: str, tmp_path: Path) -> None:
    os.mkfifo(Path(images, "dark", "pipe.png"))
    with pytest.raises(ImageError, match="is no plain file"):
        of(images, tmp_path)
