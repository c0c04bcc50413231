"""Bytes read from where they are asked for; a file that ends before says where."""

import os
from pathlib import Path

import numpy as np
import pytest

from onnxray.errors import ModelFileError
from onnxray.graph.file.opened_file import fill, opened


def test_bytes_are_those_from_the_offset_on(tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(200)))
    target = np.zeros(50, np.uint8)
    opened(path, "it").read_into(target, 30)
    assert target.tolist() == list(range(30, 80))


def test_a_file_that_ends_too_soon_says_before_which_byte(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(bytes(10))
    with path.open("rb", buffering=0) as file:
        fill(file, bytearray(3), 7, "short")
        with pytest.raises(ValueError, match="^short ends before byte 12$"):
            fill(file, bytearray(5), 7, "short")


def test_what_changes_within_the_clocks_tick_is_a_change(tmp_path: Path) -> None:
    """Opening waits until a later change gets another time."""
    path = tmp_path / "changing"
    path.write_bytes(b"before")
    file = opened(path, "it")
    path.write_bytes(b"beyond")
    with pytest.raises(ModelFileError, match="it changed since it was opened"):
        file.sha256()


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    """Nor waited for: a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="it is no regular file"):
        opened(tmp_path / "pipe", "it")
