"""Completion: what a shell is given, where it is written, and what is offered then."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.children import child

BASH = shutil.which("bash")
PROGRAM = "import sys; sys.argv[0] = 'onnxray'; from onnxray.cli import main; main()"


def typed(line: str, home: Path) -> subprocess.CompletedProcess[str]:
    """What a bash with this home says to a line, in which $1 is Python and $2 the program."""
    return subprocess.run(
        [str(BASH), "-c", f"{line}; true", "bash", sys.executable, PROGRAM], capture_output=True, text=True, check=True,
        env={**os.environ, "HOME": str(home)}, timeout=120,
    )  # fmt: skip


@pytest.mark.skipif(BASH is None, reason="bash")
def test_bash_is_given_what_it_reads(tmp_path: Path) -> None:
    """Typed in a bash, whose files it is written to, once; and a new bash knows the program then."""
    shown = typed('"$1" -c "$2" --show-completion', tmp_path).stdout
    assert "_ONNXRAY_COMPLETE=complete_bash" in shown
    for _ in range(2):
        assert "bash completion installed in" in typed('"$1" -c "$2" --install-completion', tmp_path).stdout
    (script,) = (tmp_path / ".bash_completions").iterdir()
    assert script.read_text().strip() == shown.strip()
    assert (tmp_path / ".bashrc").read_text().count(str(script)) == 1
    assert "_onnxray_completion" in typed('source "$HOME/.bashrc"; complete -p onnxray', tmp_path).stdout


@pytest.mark.skipif(BASH is None, reason="bash")
@pytest.mark.parametrize("kind", ["no folder", "no text"])
def test_a_home_that_it_cannot_be_written_to_is_one_line(kind: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    if kind == "no folder":
        home.write_text("")
    else:
        home.mkdir()
        (home / ".bashrc").write_bytes(b"\xff\xfe")
    done = typed('"$1" -c "$2" --install-completion || echo status $?', home)
    assert done.stdout == "status 2\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith("onnxray: completion cannot be installed: ")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("onnxray cl", {"classify"}),
        ("onnxray saliency grad-", {"grad-cam", "grad-cam++"}),
        ("onnxray classify --to", {"--top"}),
        ("onnxray lots --se", {"--seed", "--self", "--search"}),
        ("onnxray values --engine ", {"judge", "twin"}),
    ],
)
def test_offered(words: str, offered: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    for name, value in {**variables, "_ONNXRAY_COMPLETE": "complete_bash"}.items():
        monkeypatch.setenv(name, value)
    out, error = child("-c", PROGRAM).communicate(timeout=60)
    assert set(out.splitlines()) == offered, error
