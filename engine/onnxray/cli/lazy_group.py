"""Groups of commands that are imported when they are asked for: help, wrong usage and --version do without them."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast, final

import typer
from typer.core import TyperCommand, TyperGroup

from onnxray.cli.usage.help_pages import write_examples, write_text
from onnxray.cli.usage.options import SWITCHES_OF_TYPER, is_isolated
from onnxray.cli.usage.parameters import TextOption, command_from, text_option
from onnxray.cli.usage.refusals import WrongUsage
from onnxray.errors import OnnxrayError
from onnxray.errors.near_misses import did_you_mean

Command = Callable[..., None]
OWN_METHOD: Final = "--method-file="
"""What a user's own method is called among the commands, before FILE.py:CLASS: as it is typed."""


@final
class Listed(TyperCommand):
    """A command in the list of its group: its line there, and what imports the command itself.

    load: gives the function that is the command, or the group of that name. panel: its heading in the list.
    """

    def __init__(self, name: str, line: str, load: Callable[[], Command | TyperGroup], panel: str = "Commands") -> None:
        super().__init__(name, help=line, rich_help_panel=panel)
        self.load = load

    def command(self, *, isolated: bool = False) -> TyperCommand | TyperGroup:
        """What is run by typer. isolated: its options are not read from variables."""
        loaded = self.load()
        return loaded if isinstance(loaded, TyperGroup) else command_from(str(self.name), loaded, isolated=isolated)


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

        return [method for method in methods_with(self._folder, name) if method not in self._without]


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


class LazyGroup(TyperGroup):
    """A group of :class:`Listed` commands; the one that is run takes the place of its line."""

    def __init__(self, *, listing: Mapping[str, Listed], **options: Any) -> None:
        own = [_own_method_option()] if _families(listing) else []
        super().__init__(**{**options, "params": [*(options.get("params") or ()), *own], "rich_markup_mode": None})
        self.listing = listing
        self.commands = cast(Any, listing)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read the options of the group itself."""
        return super().make_context(info_name, args, parent, default_map=SWITCHES_OF_TYPER, **extra)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options of the group itself; without a word its help is shown, with the status of wrong usage."""
        if not args and not ctx.resilient_parsing:
            print(ctx.get_help(), file=sys.stderr)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command and import it."""
        isolated = is_isolated(ctx)
        stated = ctx.params.get("method_file")
        try:
            if stated is not None:
                own = OWN_METHOD + stated
                return own, self.listing[own].command(isolated=isolated), args
            name, found, rest = super().resolve_command(ctx, args)
            return name, found.command(isolated=isolated) if isinstance(found, Listed) else found, rest
        except OnnxrayError as error:
            raise WrongUsage(str(error), ctx) from None

    def invoke(self, ctx: Any) -> Any:
        """Run a command; an option that it has not, and others of the list have, is said to be theirs."""
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:
            option, of = getattr(error, "option_name", None), getattr(error, "ctx", None)
            if (
                option is None
                or of is None
                or of.parent is not ctx
                or any(option in one.opts for one in of.command.params)
            ):
                raise
            others = methods_with_option(self.listing, option)
            if not others:
                raise
            raise WrongUsage(f"{option} is an option of {', '.join(others)}, not of {of.info_name}", of) from None

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """What the commands are for; examples come last."""
        write_text(self.help or "", formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Every command with its whole line, under its heading."""
        lines = list(self.listing.values())
        for panel in dict.fromkeys(str(line.rich_help_panel) for line in lines):
            with formatter.section(panel):
                own = [line for line in lines if line.rich_help_panel == panel]
                formatter.write_dl([(str(line.name), (line.help or "").split("\n\n")[0]) for line in own])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The examples, a line each."""
        write_examples(self.help or "", formatter)


@final
class GroupWithDefault(LazyGroup):
    """A group of which one command is run where none of the others is named: ``audit net.onnx`` is ``audit run``."""

    def __init__(self, *, default: str, **options: Any) -> None:
        super().__init__(**options)
        self.default = default

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default's name before what begins with no command's, nor with what was meant as one."""
        word = args[0] if args else ""
        named = word in self.listing or (bool(did_you_mean(word, self.listing)) and not Path(word).exists())
        return super().parse_args(ctx, args if named or ctx.resilient_parsing else [self.default, *args])


def methods_with_option(listing: Mapping[str, Listed], option: str) -> list[str]:
    """The methods in a list that have an option, as it is typed."""
    name = option.lstrip("-").replace("-", "_")
    return [method for one in _families(listing) for method in one.with_option(name)]


def _families(listing: Mapping[str, Listed]) -> list[Family]:
    parts = listing.parts if isinstance(listing, Joined) else (listing,)
    return [part for part in parts if isinstance(part, Family)]


def _own_method_option() -> TextOption:
    return text_option(
        "--method-file", metavar="FILE.py:CLASS",
        help="A method of your own in place of METHOD: your file is run. Followed by the model and the images.",
    )  # fmt: skip


def _imported(place: str) -> Any:
    """What ``module:name`` names; places are literals of ours, never text from outside."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
