"""How a command states its arguments and options: beside the types of its function's parameters.

def classify(
    model: Annotated[str, argument("MODEL", "An .onnx file.")],
    top: Annotated[int, option(help="How many classes to list.", least=1)] = 5,
) -> None: ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from onnxray.cli.usage.options import Statable

PANELS = ("Target", "Method", "Options", "Model", "Output", "Limits")
"""The groups of options in a command's help, in their order; Options: those of the command itself."""


@dataclass(frozen=True)
class Argument:
    """What is given by its place. metavar: how the usage line calls it."""

    metavar: str
    help: str


@dataclass(frozen=True, kw_only=True)
class Option:
    """What is given by name.

    names: ``--top``, or ``--x/--no-x`` for a switch; the parameter's own where left out. metavar: what stands for the
    value in help. panel: its group there. least: the least number that is taken. parser: reads the value from text.
    statable: where else its value may be stated: nowhere (``typed``), in the working folder's ``file``, or
    ``anywhere``: there for all commands, and by a variable of the environment.
    """

    names: tuple[str, ...]
    help: str
    metavar: str | None
    panel: str
    least: float | None
    parser: Callable[[str], Any] | None
    statable: Statable


def argument(metavar: str, help: str) -> Argument:
    """State an argument."""
    return Argument(metavar, help)


def option(
    *names: str,
    help: str,
    metavar: str | None = None,
    panel: str = "Options",
    least: float | None = None,
    parser: Callable[[str], Any] | None = None,
    statable: Statable = "file",
) -> Option:
    """State an option; see :class:`Option`."""
    assert panel in PANELS, panel
    return Option(names=names, help=help, metavar=metavar, panel=panel, least=least, parser=parser, statable=statable)
