"""``--timeout``: work without end stops, wherever it is; work that ends is the same with it as without."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import onnxray_models
from onnxray.cli.app import app
from support import models
from support.children import child, interrupted

FOUR = next(str(path) for path in onnxray_models.samples("lenet") if path.stem == "4_0")
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
        f"g (float[1,1,4,4] x) => (float[1,16] y) {{ {COUNTS} f = Flatten (x) y = Loop {BODY.format(n=16)} (n, k, f) }}"
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
    assert (status, out) == (1, "")
    assert len(lines) == 1
    assert lines[0].startswith("onnxray: the work was not done within 3 s and was stopped")


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
    for extra in ([], ["--timeout", "100"]):
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


@pytest.mark.parametrize("command", ["inspect", "verify", "classify"])
def test_the_commands_that_take_it(command: str) -> None:
    help_text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"}).stdout
    assert "--timeout" in help_text
    assert CliRunner().invoke(app, [command, "lenet", FOUR, "--timeout", "0"]).exit_code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_crash_in_a_native_library_is_one_line() -> None:
    code = (
        "from onnxray.cli.timeout import _in_child\nfrom onnxray.errors import RuntimeRefusal\n"
        "if __name__ == '__main__':\n    try:\n        _in_child('os', 'abort', {}, 60)\n"
        "    except RuntimeRefusal as error:\n        print(error)"
    )
    out, error = child("-c", code).communicate(timeout=120)
    assert f"ended the process with signal {int(signal.SIGABRT)} on this model" in out, error
    assert len(out.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_child_ends_by_itself_where_nobody_stops_it() -> None:
    process = child("-c", "from onnxray.cli.timeout import _work; _work('signal', 'pause', {}, 1.0)")
    process.communicate(timeout=120)
    assert process.returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_stops_the_child_too(write: Write) -> None:
    process = child("-m", "onnxray", "verify", write(endless_classifier()), "--timeout", 100)
    out, error = interrupted(process)
    assert (process.returncode, out) == (130, "")
    assert error.splitlines()[-1] == "onnxray: interrupted"
    assert "Traceback" not in error
