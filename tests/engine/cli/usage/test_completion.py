"""Completion: what the shells are given, and where it is written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from onnxray.cli.app import app
from support.children import child


@pytest.mark.parametrize(
    ("shell", "file", "start"),
    [
        ("bash", ".local/share/onnxray/completion.bash", ".bashrc"),
        ("zsh", ".local/share/onnxray/completion.zsh", ".zshrc"),
        ("fish", ".config/fish/completions/onnxray.fish", None),
    ],
)
def test_installed_once(
    shell: str, file: str, start: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    shown = CliRunner().invoke(app, ["--show-completion"])
    assert "_ONNXRAY_COMPLETE" in shown.stdout
    for _ in range(2):
        result = CliRunner().invoke(app, ["--install-completion"])
        assert result.exit_code == 0, result.stderr
        assert str(tmp_path / file) in result.stdout
    assert (tmp_path / file).read_text() == shown.stdout.removesuffix("\n")
    if start is not None:
        assert (tmp_path / start).read_text().count(str(tmp_path / file)) == 1


def test_a_shell_that_is_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    result = CliRunner().invoke(app, ["--install-completion"])
    assert result.exit_code == 2
    assert "SHELL names tcsh; bash, zsh, fish was expected" in result.stderr


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("onnxray cl", {"classify"}),
        ("onnxray saliency grad-", {"grad-cam", "grad-cam++"}),
        ("onnxray classify --to", {"--top"}),
        ("onnxray lots --se", {"--seed", "--self", "--search"}),
        ("onnxray values --engine ", {"judge", "twin"}),
    ],
)
def test_offered(typed: str, offered: set[str]) -> None:
    words = typed.split(" ")
    variables = {"_ONNXRAY_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    code = "import os, sys; sys.argv = ['onnxray']; from onnxray.cli import main; main()"
    os.environ.update(variables)
    try:
        out, error = child("-c", code).communicate(timeout=60)
    finally:
        for name in variables:
            del os.environ[name]
    assert {line.partition(",")[2] for line in out.splitlines()} == offered, error


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="bash")
def test_bash_reads_what_it_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHELL", "/bin/bash")
    script = tmp_path / "completion.bash"
    script.write_text(CliRunner().invoke(app, ["--show-completion"]).stdout)
    said = subprocess.run(
        ["/bin/bash", "-c", f"source {script}; complete -p onnxray"], capture_output=True, text=True, check=True
    )
    assert "_onnxray_completion" in said.stdout
    assert sys.executable not in script.read_text()
