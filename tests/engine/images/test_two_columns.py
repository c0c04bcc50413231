"""CSVs that stand beside pictures: what is read, what is refused, and that no more is read than is allowed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from onnxray.errors import InputError
from onnxray.images import two_columns as module
from onnxray.images.two_columns import two_columns


def rows(path: Path) -> list[tuple[str, str]]:
    return two_columns(path, what="labels", columns="file,label", headings={"file"}, otherwise=", or a word,")


def test_the_first_two_cells_of_every_row(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes('\ufefffile,label\r\n a.png , 3 ,more\r\n\r\n"b,c.png",x\r\n'.encode())
    assert rows(path) == [("a.png", "3"), ("b,c.png", "x")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "holds no rows; file,label was expected in each"), (b"file,label\n", "holds no rows"),
        (b"a.png\n", "row 1 is 'a.png'; file,label was expected"), (b"a.png, \n", "row 1 is"),
        (b"\xff,1\n", r"cannot be read \(.*\); a CSV of file,label, or a word, was expected"),
    ],
)  # fmt: skip
def test_what_is_refused(text: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(text)
    with pytest.raises(InputError, match=message):
        rows(path)


def test_what_never_ends_is_read_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("there is no /dev/zero here")
    monkeypatch.setattr(module, "_LARGEST", 1000)
    with pytest.raises(InputError, match="more than 1000 bytes"):
        rows(Path("/dev/zero"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_read_as_a_file_is(tmp_path: Path) -> None:
    """A shell's ``<(cut ...)``."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("a.png,1\n",))
    writer.start()
    assert rows(path) == [("a.png", "1")]
    writer.join()
