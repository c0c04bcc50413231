"""A command for typer out of a function whose parameters state its arguments and options."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from onnxray.cli.usage.defaults import stated_in_file
from onnxray.cli.usage.help_pages import CommandWithPage
from onnxray.cli.usage.options import SWITCHES_OF_TYPER, is_isolated, is_shared, path_of, statable_options

SHARED_BY_SOME: Final = frozenset({
    "seed", "profile", "labels", "output", "input", "device", "strict", "approximate",
    *(f"profile-{field}" for field in ("size", "resize", "channels", "mean", "std", "scale")),
})  # fmt: skip
"""Options that most commands share, which a command without them passes over in the file."""


@final
class FunctionCommand(CommandWithPage):
    """A command that is a function; its options have defaults in the working folder's file, too."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read what was typed. Errors: typer.TyperException, for the file's mistakes too."""
        stated: dict[str, Any] = {}
        if parent is not None and not parent.resilient_parsing and not is_isolated(parent):
            program: Any = parent.find_root().command
            stated = self._file_defaults([*path_of(parent), str(info_name)], list(program.commands))
        return super().make_context(info_name, args, parent, default_map={**stated, **SWITCHES_OF_TYPER}, **extra)

    def _file_defaults(self, path: list[str], commands: list[str]) -> dict[str, Any]:
        options = statable_options(self)
        shared = {name for name, one in options.items() if is_shared(one)}
        return stated_in_file(path, options, shared=shared | SHARED_BY_SOME, commands=commands, folder=Path())


def command_from(name: str, function: Callable[..., None], *, isolated: bool = False) -> TyperCommand:
    """The command that calls ``function`` with what was typed. isolated: its options are not read from variables."""
    program = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    program.command(name, cls=FunctionCommand)(function)
    command = typer.main.get_command(program)
    assert isinstance(command, TyperCommand)
    for one in command.params:
        assert isinstance(one, TyperOption | TyperArgument)
        one.get_runtime_param = AsTyped(one).reader  # type: ignore[method-assign]
        one.show_envvar = False  # the page has them all in one place
        if isolated and isinstance(one, TyperOption):
            one.envvar = None
    return command


@final
@dataclass(frozen=True)
class AsTyped:
    """Reads a parameter: text stays as it was typed and a default what it is. All else typer reads, and imports
    pydantic for that, which takes as long as numpy.
    """

    parameter: TyperOption | TyperArgument

    def reader(self) -> Any:
        """In place of what typer makes at the first value, whatever it is."""
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the command gets it. Errors: typer.BadParameter."""
        kind = self.parameter.type_descriptor.annotation
        several = self.parameter.multiple or self.parameter.nargs == -1
        if several and value is None:
            return ()
        if several and kind == list[str] and isinstance(value, list | tuple) and _all_text(value):
            return list(value)
        if not several and (value is None or value is self.parameter.default or (kind is str and _all_text([value]))):
            return value
        return TyperOption.get_runtime_param(self.parameter).coerce(value, param=param, ctx=ctx)


def _all_text(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


@final
class TextOption(TyperOption):
    """An option whose value stays the text that was typed; typer itself would import pydantic to leave it so."""

    def process_value(self, ctx: Any, value: Any) -> Any:  # noqa: ARG002
        """The value as it is."""
        return value


def text_option(name: str, *, metavar: str, help: str) -> TextOption:
    """An option of a group that takes text, None where it is left out."""
    (plain,) = command_from("", _takes_text).params
    assert isinstance(plain, TyperOption)
    return TextOption(param_decls=[name], type_descriptor=plain.type_descriptor, metavar=metavar, help=help)


def _takes_text(text: str | None = None) -> None:
    """What typer reads the type of such an option from."""
