"""``attack fooling-gradient`` and ``attack fooling-evolution`` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.methods.fooling.fooling_evolution import _Evolution


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_gradients_leave_a_picture_of_each_class(tmp_path: Path) -> None:
    result = run(
        "attack", "fooling-gradient", "lenet", "--target", "class:3", "--target", 8, "--rate", 4, "--json", "-o",
        tmp_path / "run",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    items = json.loads(result.stdout)["items"]
    assert [item["target"] for item in items] == ["3", "8"]
    assert all(item["success"] and item["class"] == int(item["target"]) for item in items)
    assert {"sheet.png", "trace.png", "index.html"} <= {path.name for path in (tmp_path / "run").iterdir()}


def test_evolution_goes_on_where_it_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the middle of the second run: the first is kept, and all comes as if nothing had happened."""
    typed = ("attack", "fooling-evolution", "lenet", "--generations", 3, "--population", 20, "--runs", 2)
    assert run(*typed, "-o", tmp_path / "whole").exit_code == 0
    tried, calls = _Evolution._tried, list[int]()

    def stopped(self: Any, genomes: Any, generation: int) -> None:
        calls.append(generation)
        if calls == [0, 1, 2, 3, 0, 1]:
            raise KeyboardInterrupt
        tried(self, genomes, generation)

    monkeypatch.setattr(_Evolution, "_tried", stopped)
    assert run(*typed, "-o", tmp_path / "left").exit_code == 130
    monkeypatch.undo()
    assert len(onnxray.load(tmp_path / "left").items) == 20
    result = run(*typed, "-o", tmp_path / "left", "--resume")
    assert result.exit_code == 0, result.output
    whole, left = (onnxray.load(tmp_path / name) for name in ("whole", "left"))
    assert [item.numbers() for item in left.items] == [item.numbers() for item in whole.items]
    assert left.extra == whole.extra
    assert (tmp_path / "left" / "curve.png").read_bytes() == (tmp_path / "whole" / "curve.png").read_bytes()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("fooling-evolution", "lenet", "--target", "eleven"), "there is no class 'eleven'"),
        (("fooling-evolution", "lenet", "--confidence", 0), "confidence"),
        (("fooling-gradient", "lenet", "photo.jpg"), "photo.jpg"),
        (("fooling-gradient", "lenet", "--start", "white"), "white"),
    ],
)
def test_what_cannot_be_done_is_one_line(more: tuple[object, ...], said: str, tmp_path: Path) -> None:
    result = run("attack", *more, "-o", tmp_path / "run")
    assert result.exit_code in {1, 2}
    assert said in result.stderr
    assert not (tmp_path / "run" / "result.json").exists()
