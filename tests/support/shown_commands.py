"""Commands as documents show them: looked up, run in-process, and their output against the lines that are shown."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer
from typer.testing import CliRunner

from onnxray.cli.app import app
from support.paths import ROOT

OPTION = re.compile(r"(?<![\w\"'=\[-])(--?[a-z][\w-]*)")
PLACE = re.compile(r"\bpython ((?:models|benchmarks)/\w+\.py)")
BORDERS = str.maketrans("", "", "┏┳┓┡╇┩┃│└┴┘━─")
EXTRA = re.compile(r"\[(\w+)\]")
OFF = 0.02
"""How far a number of a processor of another kind may be from the one that is shown, relative to it."""


def words_of(command: str) -> list[str]:
    """What the shell makes of it, its comment left out."""
    return shlex.split(command, comments=True)


def look_up(command: str) -> None:
    """Each command, option, script and target that it names exists. Prose three spaces after a command is left out.

    Errors: AssertionError.
    """
    for part in re.split(r"   +|;| \| ", command.strip()):
        name = part.split(" ", 1)[0]
        if name == "make":
            targets = [word for word in part.split()[1:] if "=" not in word]
            rules = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert all(re.search(rf"^{target}:", rules, re.M) for target in targets), f"no such target: {part}"
        elif name in ("pip", "uv", ".venv/bin/pip"):
            ours = EXTRA.findall(part) if "onnxray" in part or '"' in part else []
            listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
            assert all(f"\n{extra} = [" in listed for extra in ours), f"no such extra: {part}"
        elif script := PLACE.search(part):
            assert (ROOT / script[1]).is_file(), f"no such script: {part}"
        elif name == "onnxray":
            _look_up_words(part.partition(" # ")[0])


def _look_up_words(command: str) -> None:
    found: Any = typer.main.get_command(app)
    known = set(_options(found)) | {"--help", "--version", "--install-completion", "--show-completion"}
    for word in command.split()[1:]:
        if not hasattr(found, "listing"):
            break
        if word.startswith("-") or "/" in word or ".py:" in word:
            continue
        if re.fullmatch(r"[A-Z.;]+|\[.*", word):
            return
        listed = found.get_command(typer.Context(found), word)
        if listed is None and hasattr(found, "default"):
            listed = found.get_command(typer.Context(found), found.default)
        assert listed is not None, f"there is no command {word!r}: {command}"
        found = listed.command()
        known |= set(_options(found))
    if not hasattr(found, "listing"):
        wrong = [option for option in OPTION.findall(command) if option not in known]
        assert not wrong, f"no such option: {', '.join(wrong)}: {command}"


def _options(command: Any) -> Iterator[str]:
    for one in command.params:
        yield from (*one.opts, *one.secondary_opts)


def run(command: str, shown: list[str]) -> None:
    """Run an onnxray command in the working folder; what is shown of its output appears in it, in order.

    Errors: AssertionError.
    """
    result = CliRunner().invoke(app, words_of(command)[1:])
    assert result.exit_code == 0, f"{command}\n{result.output}\n{result.exception!r}"
    compare(result.output, shown, command)


def compare(output: str, shown: list[str], what: str) -> None:
    """The lines shown appear in order; ``...`` stands for anything, and numbers may be off by a fiftieth."""
    lines = [_plain(line) for line in output.splitlines()]
    at = 0
    for line in map(_plain, shown):
        if line in ("", "..."):
            continue
        while at < len(lines) and not _alike(line, lines[at]):
            at += 1
        assert at < len(lines), f"{what}\nprints no such line (or not in this place): {line!r}\n{output}"
        at += 1


def _plain(line: str) -> str:
    return " ".join(line.translate(BORDERS).split())


def _alike(shown: str, printed: str) -> bool:
    if "..." in shown:
        return re.fullmatch(".*".join(map(re.escape, shown.split("..."))), printed) is not None
    ours, theirs = shown.split(), printed.split()
    return len(ours) == len(theirs) and all(map(_alike_words, ours, theirs))


def _alike_words(shown: str, printed: str) -> bool:
    try:
        ours, theirs = float(shown.strip("(),;%")), float(printed.strip("(),;%"))
    except ValueError:
        return shown == printed
    return abs(ours - theirs) <= OFF * abs(ours) + (0 if "." not in shown else 1e-3)
