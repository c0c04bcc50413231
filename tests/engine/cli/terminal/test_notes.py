"""What is said beside the answer: not with --quiet, more with --verbose, in colour on a terminal alone."""

import io
import logging
from pathlib import Path

import pytest
from typer.testing import CliRunner

import onnxray_models
from onnxray.cli.app import app
from onnxray.cli.parts.command_frame import progress_bar
from onnxray.cli.terminal.notes import note, tell_notes, told_as
from support import models

FOUR = next(str(path) for path in onnxray_models.samples("lenet") if path.stem == "4_0")


def test_quiet_says_nothing_but_errors(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(models.lenet().SerializeToString())
    guessed = ["classify", str(path), FOUR, "--channels", "GREY"]
    said = CliRunner().invoke(app, guessed).stderr
    assert said.startswith("assumed profile unit: a grey input")
    assert CliRunner().invoke(app, [*guessed, "-q"]).stderr == ""
    failed = CliRunner().invoke(app, ["classify", "lenet", "gone.png", "-q"])
    assert (failed.exit_code, len(failed.stderr.splitlines())) == (1, 1)
    with told_as(quiet=True, verbose=False), progress_bar() as tick:
        tick(1, 2, "work")


def test_verbose_says_what_is_opened_and_started() -> None:
    said = CliRunner().invoke(app, ["classify", "lenet", FOUR, "-v"]).stderr
    assert "lenet.onnx: 9 nodes, profile lenet" in said
    assert "a session of ONNX Runtime on the file: started in" in said
    assert CliRunner().invoke(app, ["classify", "lenet", FOUR]).stderr == ""
    assert logging.getLogger("onnxray").handlers == [], "nothing of it is left"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "no_colour", "shown"),
    [
        (Terminal(), "", "\x1b[33massumed\x1b[0m: \\x1b[2J"), (Terminal(), "1", "assumed: \\x1b[2J"),
        (io.StringIO(), "", "assumed: \\x1b[2J"),
    ],
)  # fmt: skip
def test_colour(stream: io.StringIO, no_colour: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("NO_COLOR", no_colour)
    note(("assumed", "yellow"), ": \x1b[2J")
    assert stream.getvalue().replace("\x1b[0m\x1b[0m", "\x1b[0m").rstrip("\n").removesuffix("\x1b[0m") == shown


def test_what_is_said_of_many_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    tell_notes([*(f"{k}.png: resized" for k in range(3)), "no name", "a.png: cut", "b.png: cut", "no name"])
    assert capsys.readouterr().err.splitlines() == [
        "0.png and 2 more: resized", "no name", "a.png: cut", "b.png: cut", "no name",
    ]  # fmt: skip
