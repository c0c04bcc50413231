"""Groups of commands that are imported when they are asked for: help, wrong usage and --version do without them."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast, final

import typer
from typer.core import TyperCommand, TyperGroup

Command = Callable[..., None]


@final
class Listed(TyperCommand):
    """A command in the list of its group: its line there, and what imports the command itself.

    load: gives the function that is the command, or the group of that name.
    """

    def __init__(self, name: str, line: str, load: Callable[[], Command | TyperGroup]) -> None:
        super().__init__(name, help=line)
        self.load = load

    def command(self) -> Any:
        """What is run by typer."""
        loaded = self.load()
        if isinstance(loaded, TyperGroup):
            return loaded
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(self.name)(loaded)
        return typer.main.get_command(alone)


def listed(table: Mapping[str, tuple[str, str]]) -> dict[str, Listed]:
    """The commands of a table: name -> (``module:function``, its line in the list)."""
    return {name: Listed(name, line, functools.partial(_imported, place)) for name, (place, line) in table.items()}


@final
class Family(Mapping[str, Listed]):
    """One command a method of a family. Listing them imports the family; one of them its own file alone.

    base: the family's, as ``module:class``. command_of: makes a method's command, as ``module:function``. without:
    methods whose command stands elsewhere.
    """

    def __init__(self, base: str, command_of: str, without: frozenset[str] = frozenset()) -> None:
        self._base, self._command_of, self._without = base, command_of, without

    def __getitem__(self, name: str) -> Listed:
        from onnxray.methods.catalogue import member

        method = None if name in self._without else member(_imported(self._base), name)
        if method is None:
            raise KeyError(name)
        command = _imported(self._command_of)(method)
        return Listed(name, inspect.getdoc(command) or "", lambda: command)

    def __iter__(self) -> Iterator[str]:
        from onnxray.methods.catalogue import family

        return (name for name in family(_imported(self._base)) if name not in self._without)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@final
class Joined(Mapping[str, Listed]):
    """Commands of several kinds in one list, in their order."""

    def __init__(self, *parts: Mapping[str, Listed]) -> None:
        self._parts = parts

    def __getitem__(self, name: str) -> Listed:
        # The methods of a family come last: whether there is one of this name takes an import.
        for part in sorted(self._parts, key=lambda part: isinstance(part, Family)):
            if (found := part.get(name)) is not None:
                return found
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for part in self._parts for name in part)

    def __len__(self) -> int:
        return sum(map(len, self._parts))


class LazyGroup(TyperGroup):
    """A group of :class:`Listed` commands; the one that is run takes the place of its line."""

    def __init__(self, *, listing: Mapping[str, Listed], **options: Any) -> None:
        super().__init__(**options)
        self.commands = cast(Any, listing)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command and import it; Ctrl-C on the way is one line and status 130, as in the command itself."""
        try:
            name, found, rest = super().resolve_command(ctx, args)
            return name, found.command() if isinstance(found, Listed) else found, rest
        except KeyboardInterrupt:
            print("onnxray: interrupted", file=sys.stderr)
            raise typer.Exit(130) from None


def _imported(place: str) -> Any:
    """What ``module:name`` names; places are literals of ours, never text from outside."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
