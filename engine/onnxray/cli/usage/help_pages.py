"""The page that --help shows: usage, what the command does, its options in groups, examples.

Written by click's own formatter, without rich: a page is there in a fraction of the time, and nothing in it is cut off.
"""

from __future__ import annotations

import inspect

import click

from onnxray.cli.usage.options import OptionInPanel, StatedArgument
from onnxray.cli.usage.statements import PANELS

_EXAMPLES = ("Example: ", "Examples: ")


class CommandWithPage(click.Command):
    """A command and its page."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What it does; its examples come last."""
        write_text(self.help or "", formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Arguments, and options in their groups."""
        parameters = self.get_params(ctx)
        arguments = [(one.make_metavar(ctx), one.explanation) for one in parameters if isinstance(one, StatedArgument)]
        _write_list("Arguments", arguments, formatter)
        panels: dict[str, list[tuple[str, str]]] = {panel: [] for panel in PANELS}
        for one in parameters:
            record = None if isinstance(one, StatedArgument) else one.get_help_record(ctx)
            if record is not None:
                panels[one.panel if isinstance(one, OptionInPanel) else "Output"].append(record)
        for panel, records in panels.items():
            _write_list(panel, records, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, a line each."""
        write_examples(self.help or "", formatter)


def write_text(text: str, formatter: click.HelpFormatter) -> None:
    """The paragraphs of a docstring that are no examples."""
    said = [part for part in inspect.cleandoc(text).split("\n\n") if not part.startswith(_EXAMPLES)]
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text("\n\n".join(said))


def write_examples(text: str, formatter: click.HelpFormatter) -> None:
    """The paragraph of a docstring that states examples, separated by semicolons: each as it is typed."""
    for part in inspect.cleandoc(text).split("\n\n"):
        if part.startswith(_EXAMPLES):
            with formatter.section("Examples"):
                for example in " ".join(part.split()).partition(": ")[2].split("; "):
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


def _write_list(title: str, records: list[tuple[str, str]], formatter: click.HelpFormatter) -> None:
    if records:
        with formatter.section(title):
            formatter.write_dl(records)
