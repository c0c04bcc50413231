"""Who reads what we print is nobody's trouble: a full disk is one line, a reader that went away is none, and a stream
that was closed is no place for a file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from onnxray.cli.terminal.standard_streams import standard_streams
from support.paths import ROOT

FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="shells and /dev/full")


def shell(line: str, folder: Path) -> tuple[int, bytes, bytes]:
    """A line of bash in which ``onnxray`` is ours; the status of its first command."""
    path = os.pathsep.join(str(ROOT / part) for part in ("engine", "adapters", "models"))
    script = f'onnxray() {{ "{sys.executable}" -m onnxray "$@"; }}\n{line}\nexit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, check=False, cwd=folder, env={**os.environ, "PYTHONPATH": path}
    )
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    return done.returncode, done.stdout, done.stderr


SAID = b"onnxray: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("onnxray inspect lenet --json -o r > /dev/full", (1, b"", b"written to r\n" + SAID)),
        ("onnxray inspect lenet --timeout 99 > /dev/full", (1, b"", SAID)),
        ("onnxray --version >&-", (0, b"", b"")),
        ("onnxray inspect lenet -o r >&- 2>&- <&-", (0, b"", b"")),
        ("onnxray inspect missing 2> /dev/full", (1, b"", b"")),
        ("onnxray --help | (exec <&-; sleep 0.1)", (0, b"", b"")),
    ],
)
def test_streams_that_take_nothing(line: str, expected: tuple[int, bytes, bytes], tmp_path: Path) -> None:
    assert shell(line, tmp_path) == expected
    assert (tmp_path / "r" / "result.json").exists() is ("-o r" in line)


@pytest.mark.slow
def test_the_status_is_the_commands_own_though_nobody_reads(tmp_path: Path) -> None:
    status, _, error = shell("onnxray verify lenet --tolerance=-1 | (exec <&-)", tmp_path)
    assert (status, error) == (1, b"")


def test_the_first_line_is_enough(tmp_path: Path) -> None:
    status, out, error = shell("onnxray inspect lenet --values | head -1", tmp_path)
    assert (status, error) == (0, b"")
    assert out.startswith(b"file ")


def test_an_encoding_that_is_not_unicode(tmp_path: Path) -> None:
    """Names outside of it become escapes, in a document those of JSON."""
    for option in ("", "--json"):
        line = f"cp {ROOT}/models/onnxray_models/lenet/lenet.onnx 字é.onnx; PYTHONIOENCODING=ascii onnxray inspect 字é.onnx {option}"
        status, out, _ = shell(line, tmp_path)
        assert status == 0
        assert b"\\u5b57" in out
        assert out.isascii()


def test_the_streams_are_put_back() -> None:
    before = sys.stdout, sys.stderr
    with standard_streams():
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before
