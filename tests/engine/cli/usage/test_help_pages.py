"""The page of --help: options in groups, examples as they are typed, nothing cut off."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.core import TyperCommand, TyperOption
from typer.testing import CliRunner

from onnxray.cli.app import app
from onnxray.cli.lazy_group import LazyGroup
from onnxray.cli.usage.options import PANELS, longest_name


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    yield path, group
    for name, listed in group.commands.items():
        command = listed.command()
        if isinstance(command, LazyGroup):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))
UNNAMED = {("audit", "run"): ("audit",)}
"""What is typed for a command that is its group's default."""
WITHOUT_A_MODEL = {("audit", name) for name in ("init", "explain", "compare")} | {("diff",)}


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: "-".join(path) or "onnxray")
def test_every_page_has_its_groups_and_examples(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    for width in ("50", "80", "200"):
        page = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": width}).stdout
        lines = page.splitlines()
        assert not [kind for kind in ("<int", "<str", "list[", "<float", "<path", "x>=") if kind in page]
        assert not {"\x1b", "\u2026", "\u2502"} & set(page)
        examples = lines[lines.index("Examples:") + 1 :]
        assert examples
        typed = " ".join(["  onnxray", *UNNAMED.get(path, path)])
        assert all(line.startswith(typed if not isinstance(command, LazyGroup) else "  onnxray ") for line in examples)
        words = " ".join(page.split())
        for one in command.params:
            if isinstance(one, TyperOption):
                assert longest_name(one) in words
                usual = {"--class-names": "--labels"}.get(longest_name(one), longest_name(one))
                variable = f"ONNXRAY_{usual[2:].replace('-', '_').upper()}"
                assert one.envvar in {None, variable}, "it is the option's own name, as docs/command-line.md says"
                assert one.envvar is None or variable in words
                assert " ".join((one.help or "").split())[:20] in words.replace("- ", "-")
        if not isinstance(command, LazyGroup):
            heads = [line[:-1] for line in lines if line.endswith(":") and not line.startswith(" ")]
            panels = {one.rich_help_panel or "Options" for one in command.params if isinstance(one, TyperOption)}
            assert heads == [
                *(["Arguments"] if "Arguments" in heads else []),
                *(p for p in PANELS if p in panels),
                "Environment",
                "Examples",
            ]
            assert {"Model", "Output", "Limits"} - panels <= ({"Model"} if path in WITHOUT_A_MODEL else set())


def test_a_list_says_all_of_each_line() -> None:
    page = " ".join(CliRunner().invoke(app, ["saliency", "--help"], env={"COLUMNS": "80"}).stdout.split())
    for line in COMMANDS["saliency",].commands.values():  # type: ignore[attr-defined]
        assert " ".join((line.help or "").split("\n\n")[0].split()) in page


def test_examples_are_ones_that_can_be_typed() -> None:
    """Their options and commands are there: each is read as it stands, but for being run."""
    for path, command in COMMANDS.items():
        lines = CliRunner().invoke(app, [*path, "--help"]).stdout.splitlines()
        for example in lines[lines.index("Examples:") + 1 :]:
            words = example.split()[1:]
            if words[-1] == "--help" or isinstance(command, LazyGroup):
                continue
            own = UNNAMED.get(path, path)
            assert tuple(words[: len(own)]) == own
            command.make_context(path[-1], words[len(own) :], resilient_parsing=False)
