"""Groups of commands that are imported when they are asked for: help, wrong usage and --version do without them."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast, final

import click

from onnxray.cli.usage.help_pages import write_examples, write_text
from onnxray.cli.usage.parameters import command_from
from onnxray.errors import OnnxrayError

Command = Callable[..., None]
OWN_METHOD: Final = "--method-file="
"""What a user's own method is called among the commands, before FILE.py:CLASS: as it is typed."""


@final
class Listed(click.Command):
    """A command in the list of its group: its line there, and what imports the command itself.

    load: gives the function that is the command, or the group of that name. panel: its heading in the list.
    """

    def __init__(
        self, name: str, line: str, load: Callable[[], Command | click.Group], panel: str = "Commands"
    ) -> None:
        super().__init__(name, help=line)
        self.load = load
        self.panel = panel

    def command(self) -> click.Command:
        """What is run by click."""
        loaded = self.load()
        return loaded if isinstance(loaded, click.Group) else command_from(str(self.name), loaded)


def listed(table: Mapping[str, tuple[str, str]], panel: str = "Commands") -> dict[str, Listed]:
    """The commands of a table: name -> (``module:function``, its line in the list)."""
    return {
        name: Listed(name, line, functools.partial(_imported, place), panel) for name, (place, line) in table.items()
    }


@final
class Family(Mapping[str, Listed]):
    """One command a method of a family. They are listed by what their files say; one is imported when it is run.

    folder: the family's, below ``onnxray.methods``. base: its class, as ``module:class``. command_of: makes a method's
    command, as ``module:function``. line: what the list says of a method, of its name and its summary. without: methods
    whose command stands elsewhere.
    """

    def __init__(
        self,
        folder: str,
        base: str,
        command_of: str,
        *,
        line: Callable[[str, str], str] = lambda _, summary: summary,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self._folder, self._base, self._command_of, self._line, self._without = folder, base, command_of, line, without

    def __getitem__(self, name: str) -> Listed:
        from onnxray.methods.outlines import outline

        if name.startswith(OWN_METHOD):
            return Listed(name, "", functools.partial(self._own_command, name.removeprefix(OWN_METHOD)))
        own = None if name in self._without else outline(self._folder, name)
        if own is None:
            raise KeyError(name)
        return Listed(name, self._line(name, own.summary), functools.partial(self._command, name), "Methods")

    def __iter__(self) -> Iterator[str]:
        from onnxray.methods.outlines import outlines

        return (name for name in outlines(self._folder) if name not in self._without)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _command(self, name: str) -> Command:
        from onnxray.methods.catalogue import member

        command: Command = _imported(self._command_of)(member(_imported(self._base), name))
        return command

    def _own_command(self, stated: str) -> Command:
        from onnxray.methods.own_methods import load_method

        command: Command = _imported(self._command_of)(load_method(stated, _imported(self._base)))
        return command

    def with_option(self, name: str) -> list[str]:
        """The methods that have an option of this name."""
        from onnxray.methods.outlines import methods_with

        return methods_with(self._folder, name)


@final
class Joined(Mapping[str, Listed]):
    """Commands of several kinds in one list, in their order."""

    def __init__(self, *parts: Mapping[str, Listed]) -> None:
        self.parts = parts

    def __getitem__(self, name: str) -> Listed:
        # The methods of a family come last: whether there is one of this name takes an import.
        for part in sorted(self.parts, key=lambda part: isinstance(part, Family)):
            if (found := part.get(name)) is not None:
                return found
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for part in self.parts for name in part)

    def __len__(self) -> int:
        return sum(map(len, self.parts))


class LazyGroup(click.Group):
    """A group of :class:`Listed` commands; the one that is run takes the place of its line."""

    def __init__(self, *, listing: Mapping[str, Listed], **options: Any) -> None:
        own = [_own_method_option()] if _families(listing) else []
        super().__init__(**{**options, "params": [*options.get("params", ()), *own]})
        self.listing = listing
        self.commands = cast(Any, listing)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the list."""
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find a command and import it; Ctrl-C on the way is one line and status 130, as in the command itself."""
        stated = ctx.params.get("method_file")
        try:
            if stated is not None:
                own = OWN_METHOD + stated
                return own, self.commands[own].command(), args  # type: ignore[attr-defined]
            name, found, rest = super().resolve_command(ctx, args)
            return name, found.command() if isinstance(found, Listed) else found, rest
        except OnnxrayError as error:
            raise click.UsageError(str(error), ctx) from None
        except KeyboardInterrupt:
            print("onnxray: interrupted", file=sys.stderr)
            raise click.exceptions.Exit(130) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an option that it has not, and others of the list have, is said to be theirs."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            others = methods_with_option(self.listing, error.option_name)
            if not others or error.ctx is None or error.ctx.parent is not ctx:
                raise
            of = f"{', '.join(others)}, not of {error.ctx.info_name}"
            raise click.UsageError(f"{error.option_name} is an option of {of}", error.ctx) from None

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What the commands are for; examples come last."""
        write_text(self.help or "", formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with its whole line, under its heading."""
        lines = list(self.listing.values())
        for panel in dict.fromkeys(line.panel for line in lines):
            with formatter.section(panel):
                own = ((str(line.name), (line.help or "").split("\n\n")[0]) for line in lines if line.panel == panel)
                formatter.write_dl(own)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, a line each."""
        write_examples(self.help or "", formatter)


def methods_with_option(listing: Mapping[str, Listed], option: str) -> list[str]:
    """The methods in a list that have an option, as it is typed."""
    name = option.lstrip("-").replace("-", "_")
    return [method for one in _families(listing) for method in one.with_option(name)]


def _families(listing: Mapping[str, Listed]) -> list[Family]:
    parts = listing.parts if isinstance(listing, Joined) else (listing,)
    return [part for part in parts if isinstance(part, Family)]


def _own_method_option() -> click.Option:
    return click.Option(
        ["--method-file"], metavar="FILE.py:CLASS",
        help="A method of your own in place of METHOD: your file is run. Followed by the model and the images.",
    )  # fmt: skip


def _imported(place: str) -> Any:
    """What ``module:name`` names; places are literals of ours, never text from outside."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
