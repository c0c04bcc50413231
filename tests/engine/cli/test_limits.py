"""``--timeout`` and ``--memory``: work without end stops, wherever it is; work that ends is the same with them as without."""

import contextlib
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import onnxray_models
from onnxray.cli.app import app
from onnxray.cli.parts.limits import Limits, in_child, limited, registered
from onnxray.cli.parts.memory_limit import read_size
from support import models
from support.children import child, interrupted

FOUR = next(str(path) for path in onnxray_models.samples("lenet") if path.stem == "4_0")
FOURS = [str(path) for path in onnxray_models.samples("lenet") if path.stem.startswith("4_")]
Write = Callable[..., Path]

BODY = "<body = b (int64 i, bool c, float[1,{n}] s) => (bool d, float[1,{n}] t) {{ d = Identity (c) t = Neg (s) }}>"
COUNTS = "n = Constant <value = int64 {9000000000000000000}> () k = Constant <value = bool {1}> ()"


def endless(folded: bool) -> bytes:
    """A Loop of 9e18 rounds over the input; or over a constant, which ONNX Runtime folds when its session starts."""
    start = "z = Constant <value = float[1,3] {1, 2, 3}> ()" if folded else "z = Identity (x)"
    text = f"g (float[1,3] x) => (float[1,3] y) {{ {COUNTS} {start} q = Loop {BODY.format(n=3)} (n, k, z) y = Add (x, q) }}"
    return models.parse(text).SerializeToString()


def endless_classifier() -> bytes:
    text = (
        f"g (float[1,1,8,8] x) => (float[1,64] y) {{ {COUNTS} f = Flatten (x) y = Loop {BODY.format(n=64)} (n, k, f) }}"
    )
    return models.parse(text).SerializeToString()


def run(*arguments: object) -> tuple[int, str, list[str]]:
    process = child("-m", "onnxray", *arguments)
    out, error = process.communicate(timeout=120)
    lines = [line for line in error.splitlines() if line and not line.startswith("assumed profile")]
    return process.returncode, out, lines


@pytest.mark.parametrize("folded", [False, True])
def test_verify_of_a_loop_without_end_stops(folded: bool, write: Write) -> None:
    status, out, lines = run("verify", write(endless(folded)), "--timeout", 3, "--json")
    assert len(lines) == 1
    assert lines[0].startswith("onnxray: the work was not done within 3 s and was stopped")
    error = {"kind": "TimeLimitReached", "message": lines[0].removeprefix("onnxray: ")}
    assert (status, json.loads(out)) == (1, {"schema": 1, "error": error, "status": 1})


def test_classify_of_a_loop_without_end_stops(write: Write) -> None:
    status, out, lines = run("classify", write(endless_classifier()), FOUR, "--profile", "unit", "--timeout", 3)
    assert (status, out) == (1, "")
    assert ["not done within 3 s" in line for line in lines] == [True]


def test_inspect_runs_no_loop(write: Write) -> None:
    status, out, _ = run("inspect", write(endless(True)), "--timeout", 60, "--json")
    assert status == 0
    assert json.loads(out)["nodes"] == 5


def test_what_ends_in_time_is_the_same() -> None:
    documents = []
    for extra in ([], ["--timeout", "100", "--memory", "20GB"]):
        status, out, lines = run("classify", "lenet", FOUR, "--json", *extra)
        assert (status, lines) == (0, [])
        documents.append({k: v for k, v in json.loads(out).items() if k not in {"command", "seconds", "date"}})
    assert documents[0] == documents[1]
    assert documents[0]["items"][0]["label"] == "4"


def test_the_commands_own_errors_and_statuses_pass_through(tmp_path: Path) -> None:
    status, out, lines = run("inspect", tmp_path / "missing.onnx", "--timeout", 100)
    assert (status, out, len(lines)) == (1, "", 1)
    assert "no such file" in lines[0]
    status, out, lines = run("verify", "lenet", "--tolerance", -1, "--timeout", 100, "--json")
    assert (status, lines) == (1, [])
    assert json.loads(out)["agrees"] is False


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, listed in group.commands.items():
        command = listed.command()
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS, ids="-".join)
def test_every_command_takes_them_and_is_found_by_its_child(path: tuple[str, ...]) -> None:
    parameters = {parameter.name: parameter.opts for parameter in COMMANDS[path].params}
    assert parameters["timeout"] == ["--timeout"]
    assert parameters["memory"] == ["--memory"]
    found = [name for name in inspect.signature(registered(path)).parameters if name != "context"]
    assert found == [parameter.name for parameter in COMMANDS[path].params]
    assert inspect.getdoc(registered(path)) == COMMANDS[path].help
    assert registered(path).__code__ is limited(print).__code__, "a command is made by `limited`"


@pytest.mark.parametrize("wrong", [("--timeout", "0"), ("--memory", "0"), ("--memory", "4XB"), ("--memory", "-1GB")])
def test_limits_that_are_none(wrong: tuple[str, str]) -> None:
    assert CliRunner().invoke(app, ["classify", "lenet", FOUR, *wrong]).exit_code == 2


def test_amounts_of_memory() -> None:
    expected = {"4GB": 4 * 10**9, "1.5 GiB": 3 * 2**29, "500mb": 5 * 10**8, "2k": 2000, "4096": 4096, "1TB": 10**12}
    assert {text: read_size(text) for text in expected} == expected


GROWING = """g (float[1,1,28,28] x) => (float[1,16] y) {
  f = Flatten (x) s = Constant <value = int64[2] {1000000, 784}> () e = Expand (f, s) y = ReduceMean <axes = [0]> (e)
}"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory")
@pytest.mark.parametrize("size", ["20MB", "2GB"])
def test_work_that_needs_more_memory_ends_in_one_line(size: str, write: Write) -> None:
    """20 MB do for no library; 2 GB for all, and not for 3 GB in one value."""
    path = write(models.parse(GROWING, opset=13).SerializeToString())
    status, out, lines = run("classify", path, FOUR, "--profile", "unit", "--memory", size)
    assert (status, out) == (1, "")
    assert len(lines) == 1, lines
    assert "needs more" in lines[0]
    assert "address space" in lines[0]


class Aborts:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return os.abort, ()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("limits", [Limits(timeout=60), Limits(memory=2**34)])
def test_a_crash_in_a_native_library_is_one_line(limits: Limits, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        in_child(("inspect",), limits, model=Aborts())
    assert ended.value.exit_code == 1
    said = capfd.readouterr().err.splitlines()
    assert f"ended the process with signal {int(signal.SIGABRT)} on this model" in said[-1]
    assert ("--memory" in said[-1]) is (limits.memory is not None)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_child_does_not_outlive_its_parent(write: Write) -> None:
    process = child("-m", "onnxray", "verify", write(endless(True)), "--timeout", 3)
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until = time.monotonic() + 60
    while len(children := listed.read_text().split()) < 2 and time.monotonic() < until:  # one is multiprocessing's own
        time.sleep(0.05)
    process.kill()
    process.communicate(timeout=60)
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_stops_the_child_too(write: Write) -> None:
    process = child("-m", "onnxray", "verify", write(endless_classifier()), "--timeout", 100)
    out, error = interrupted(process)
    assert (process.returncode, out) == (130, "")
    assert error.splitlines()[-1] == "onnxray: interrupted"
    assert "Traceback" not in error


@pytest.mark.skipif(sys.platform == "win32", reason="terminals and signals")
def test_the_progress_bar_and_ctrl_c_reach_through(tmp_path: Path) -> None:
    """The bar is drawn on the terminal; what was finished when it is interrupted is written, and said as interrupted."""
    shown, terminal = os.openpty()
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "onnxray", "saliency", "rise", "lenet", *FOURS, "--masks", "6000", "--memory", "30GB",
             "-o", str(tmp_path / "run"), "--json"],
            stdout=out, stderr=terminal, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's `&` has it ignored, and children
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm", "COLUMNS": "80"},
        )  # fmt: skip
    os.close(terminal)
    bar = b""
    while not re.search(rf"[2-9]\d\d\d/{len(FOURS)}000".encode(), bar):  # thousandths of images
        bar += os.read(shown, 1000)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # Linux's word for the end of a terminal
        while more := os.read(shown, 1000):
            bar += more
    os.close(shown)
    assert process.wait(120) == 130, bar
    document = json.loads((tmp_path / "out").read_bytes())
    assert document["interrupted"] is True
    assert 1 <= len(document["items"]) < len(FOURS)
    assert document == json.loads((tmp_path / "run" / "result.json").read_bytes())
    assert b"Traceback" not in bar
