"""Completion in the user's shell: click's own script, shown, or written to a file that the shell's start reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_ONNXRAY_COMPLETE"


def completion_options() -> list[click.Option]:
    """``--install-completion`` and ``--show-completion`` of the program."""
    return [
        _option(
            "--install-completion", "Have your shell ($SHELL: bash, zsh, fish) complete commands and options.", _install
        ),
        _option("--show-completion", "Print what --install-completion writes.", _show),
    ]


def _option(name: str, help: str, answer: Callable[[click.Command], str]) -> click.Option:
    def called(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            print(answer(ctx.command))
            ctx.exit()

    return click.Option([name], is_flag=True, is_eager=True, expose_value=False, callback=called, help=help)


def _shell() -> str:
    shell = Path(os.environ.get("SHELL", "")).stem
    if shell not in SHELLS:
        raise click.UsageError(f"the variable SHELL names {shell or 'no shell'}; {', '.join(SHELLS)} was expected")
    return shell


def _show(program: click.Command) -> str:
    from click.shell_completion import get_completion_class

    kind = get_completion_class(_shell())
    assert kind is not None
    return kind(program, {}, "onnxray", _VARIABLE).source()


def _install(program: click.Command) -> str:
    """Write the script, and one line where the shell starts, once. Gives what to say."""
    shell, script = _shell(), _show(program)
    if shell == "fish":  # it reads whatever lies there
        file = _base("XDG_CONFIG_HOME", ".config") / "fish" / "completions" / "onnxray.fish"
        start = None
    else:
        file = _base("XDG_DATA_HOME", ".local/share") / "onnxray" / f"completion.{shell}"
        start = Path.home() / f".{shell}rc"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(script, encoding="utf-8")
        line = f'source "{file}"'
        if start is not None and line not in (start.read_text(encoding="utf-8") if start.is_file() else ""):
            with start.open("a", encoding="utf-8") as stream:
                stream.write(f"\n{line}\n")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"completion cannot be installed: {error}; see --show-completion") from None
    read = "" if start is None else f", which {start} reads"
    return f"written to {file}{read}; it works in the next shell"


def _base(variable: str, otherwise: str) -> Path:
    stated = os.environ.get(variable, "")
    return Path(stated) if Path(stated).is_absolute() else Path.home() / otherwise
