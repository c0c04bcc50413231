"""A run on Caffe's two files is made again from both, wherever the process is by then; a changed one is named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from onnxray.cli.app import app
from support import caffe_nets
from support.caffe_files import write


@pytest.mark.parametrize("stated", ["net.prototxt+net.caffemodel", "net.caffemodel"])
def test_a_run_is_made_again_from_both_files(stated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, *caffe_nets.small())
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)).save("digit.png")
    first = CliRunner().invoke(app, ["classify", stated, "digit.png", "-o", "first"])
    assert first.exit_code == 0, first.stderr
    again = CliRunner().invoke(app, ["rerun", "first", "-o", "again"])
    assert again.exit_code == 0, again.stdout + again.stderr
    assert "the same: 1 item " in again.stdout
    (tmp_path / "away").mkdir()
    (tmp_path / "net.caffemodel").rename(tmp_path / "away" / "net.caffemodel")
    gone = CliRunner().invoke(app, ["rerun", "first", "-o", "gone"])
    assert gone.exit_code == 1
    assert "net.caffemodel" in gone.stderr
