"""The page that --help shows: usage, what the command does, its options in groups, examples.

Written by typer's own formatter, without rich: a page is there in a fraction of the time, and nothing in it is cut off.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperOption

from onnxray.cli.usage.options import PANELS

_EXAMPLES = ("Example: ", "Examples: ")
_KIND = re.compile(r"<(?:list\[)?(str|int|float|path)\]?(?: range)?>")
_WORDS = {"str": "TEXT", "int": "N", "float": "NUMBER", "path": "FILE"}
"""What is typed, in place of Python's name for it."""


class CommandWithPage(TyperCommand):
    """A command and its page."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What the usage line has after the command: arguments as they are called."""
        arguments = [one.display_name_raw for one in self.get_params(ctx) if isinstance(one, TyperArgument)]
        return [str(self.options_metavar), *arguments]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """What it does; its examples come last."""
        write_text(self.help or "", formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, and options in their groups."""
        parameters = self.get_params(ctx)
        arguments = [(one.display_name_raw, one.help or "") for one in parameters if isinstance(one, TyperArgument)]
        _write_list("Arguments", arguments, formatter)
        panels: dict[str, list[tuple[str, str]]] = {panel: [] for panel in PANELS}
        for one in parameters:
            record = None if isinstance(one, TyperArgument) else one.get_help_record(ctx)
            if record is not None:
                record = _in_words(record)
                panel = "Output" if one is self.get_help_option(ctx) else getattr(one, "rich_help_panel", None)
                panels[panel or "Options"].append(record)
        for panel, records in panels.items():
            _write_list(panel, records, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Where options may be stated, too, and the examples, a line each."""
        stated = [str(one.envvar) for one in self.get_params(ctx) if isinstance(one, TyperOption) and one.envvar]
        if stated:
            with formatter.section("Environment"):
                formatter.write_text(f"{', '.join(stated)} state these options too, and so does onnxray.toml.")
        write_examples(self.help or "", formatter)


def _in_words(record: tuple[str, str]) -> tuple[str, str]:
    """An option's names and what is said of it, without Python's names of kinds and ranges."""
    names, said = record
    names = _KIND.sub(lambda found: _WORDS[found[1]], names)
    return names, said.replace("x>=", "from ")


def write_text(text: str, formatter: Any) -> None:
    """The paragraphs of a docstring that are no examples."""
    said = [part for part in inspect.cleandoc(text).split("\n\n") if not part.startswith(_EXAMPLES)]
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text("\n\n".join(said))


def write_examples(text: str, formatter: Any) -> None:
    """The paragraph of a docstring that states examples, separated by semicolons: each as it is typed."""
    for part in inspect.cleandoc(text).split("\n\n"):
        if part.startswith(_EXAMPLES):
            with formatter.section("Examples"):
                for example in " ".join(part.split()).partition(": ")[2].split("; "):
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


def _write_list(title: str, records: list[tuple[str, str]], formatter: Any) -> None:
    if records:
        with formatter.section(title):
            formatter.write_dl(records)
