"""What is known of an option beside what typer says of it: its name in a file, and where its value may be stated."""

from __future__ import annotations

from typing import Any, Final

import typer
from typer.core import TyperOption

PANELS: Final = ("Target", "Method", "Options", "Model", "Output", "Limits")
"""The groups of options in a command's help, in their order; Options: those of the command itself."""

SWITCHES_OF_TYPER: Final = {"help": False, "install_completion": False, "show_completion": False}
"""Switches that typer adds without a value, and then imports pydantic to read none: off is stated beforehand."""

_TYPED_ALONE: Final = frozenset({"out", "overwrite", "resume", "trust"})
"""Options that say where files are written, what is replaced, whose programs are run: a file may not."""


def longest_name(option: TyperOption) -> str:
    """The name that is no other option's: ``--profile-size`` of ``--size, --profile-size``."""
    return max(option.opts, key=len)


def statable_options(command: Any) -> dict[str, TyperOption]:
    """The options of a command that a file may state, by their names there: ``profile-size``."""
    options = [one for one in command.params if isinstance(one, TyperOption) and one.name not in _TYPED_ALONE]
    return {longest_name(one).lstrip("-"): one for one in options}


def is_shared(option: TyperOption) -> bool:
    """Whether an option is one of every command, which may stand outside of tables and has a variable of its own."""
    return option.envvar is not None


def is_isolated(context: typer.Context) -> bool:
    """Whether what stands beside the command line is left out."""
    return bool(context.find_root().params.get("isolated"))


def path_of(context: typer.Context) -> list[str]:
    """What was typed between ``onnxray`` and the arguments."""
    path: list[str] = []
    inner: Any = context
    while inner.parent is not None:
        path.insert(0, str(inner.info_name))
        inner = inner.parent
    return path
