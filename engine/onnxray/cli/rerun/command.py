"""A result's command read anew: its known options, as text, through the parser that reads what is typed.

Nothing of a document is run: an option that the command does not have is refused, and so is a method of the user's own,
until its file is stated again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, MappingProxyType
from typing import Any, Final

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from onnxray.cli.parts.limits import registered
from onnxray.cli.rerun.old_result import OldResult
from onnxray.cli.usage.options import longest_name
from onnxray.cli.usage.parameters import command_from
from onnxray.errors import InputError, OutputError
from onnxray.errors.short_values import short
from onnxray.results.made_from import digest_of

OWN_METHOD: Final = "--method-file="
_OF_THE_RUN: Final = frozenset({
    "out", "overwrite", "resume", "json", "timeout", "memory", "quiet", "verbose", "context", "help",
})  # fmt: skip
"""What a document does not decide: where a result goes, how it is told, what the work may take."""
_NEVER: Final = frozenset({"rerun", "convert"})
"""Commands whose results are no runs: one of a rerun, and a file that is written."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """What is called. path: as it is typed. values: by their parameters' names, without those of the run itself."""

    path: tuple[str, ...]
    function: Callable[..., None]
    values: Mapping[str, Any]
    typed: tuple[str, ...]
    """How it would be typed."""


def read_command(old: OldResult, instead: Mapping[str, str], *, method_file: str | None, changed: bool) -> Command:
    """Read the command of a result. instead: path as it was stated -> the one that is used.

    Errors: OutputError where the document states what this onnxray does not know; InputError for an own method.
    """
    path = tuple(_own_method(old, word, method_file, changed) for word in old.command)
    if method_file is not None and path == old.command and not any(word.startswith(OWN_METHOD) for word in path):
        raise InputError(f"--method-file is {short(method_file)}, and {old.file} is of no method of its user's own")
    return read_options(path, _function(old, path), old.options, said=f"{old.file}: ", instead=instead)


def read_options(
    path: tuple[str, ...],
    function: Callable[..., None],
    options: Mapping[str, Any],
    *,
    said: str = "",
    instead: Mapping[str, str] = MappingProxyType({}),
) -> Command:
    """Read options of a command by their parameters' names, as if they had been typed. said: begins every error.

    Errors: OutputError where the command does not take them.
    """
    caught: dict[str, Any] = {}

    @functools.wraps(function)
    def catch(**values: Any) -> None:
        caught.update(values)

    command = command_from(path[-1], catch, isolated=True)
    arguments = list(_arguments(path, options, command, instead, said))
    try:
        command.invoke(command.make_context(path[-1], list(arguments)))
    except typer.TyperException as error:
        raise OutputError(f"{said}its command is none of this onnxray: {error.format_message()}") from None
    values = {name: value for name, value in caught.items() if name not in _OF_THE_RUN}
    return Command(path=path, function=function, values=values, typed=("onnxray", *path, *arguments))


def _own_method(old: OldResult, word: str, method_file: str | None, changed: bool) -> str:
    if not word.startswith(OWN_METHOD):
        return word
    stated = word.removeprefix(OWN_METHOD)
    if method_file is None:
        raise InputError(
            f"{old.file} is of a method of its user's own, {stated}, whose file is run only where it is stated again: "
            "--method-file FILE.py:CLASS"
        )
    before = next((entry.get("sha256") for entry in old.files if str(entry["path"]) in word), None)
    if not changed and digest_of(Path(method_file.rpartition(":")[0])) != before:
        raise InputError(f"{method_file} is not the file that {old.file} was made with; --changed takes it as it is")
    return OWN_METHOD + method_file


def _function(old: OldResult, path: Sequence[str]) -> Callable[..., None]:
    try:
        found = registered(tuple(path))
    except (KeyError, AttributeError, TypeError):
        found = None
    if not isinstance(found, FunctionType) or path[0] in _NEVER:
        raise OutputError(f"{old.file}: its command is {short(' '.join(path))}, which this onnxray does not have")
    return found


def _arguments(
    path: Sequence[str], options: Mapping[str, Any], command: TyperCommand, instead: Mapping[str, str], said: str
) -> Iterator[str]:
    """Options and arguments as they would be typed. Errors: OutputError for what the command does not have."""
    known = {str(one.name): one for one in command.params if one.name not in _OF_THE_RUN}
    behind: list[str] = []
    for name in options:
        if name not in known:
            raise OutputError(f"{said}{' '.join(path)} has no option {short(name)} in this onnxray")
    for name, one in known.items():
        value = options.get(name)
        if value is None:
            continue
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str | int | float) for each in values):
            raise OutputError(f"{said}its option {name} is {short(value)}; text or numbers were expected")
        texts = [_placed(str(each), instead) for each in values]
        if isinstance(one, TyperArgument):
            behind += texts
        elif isinstance(one, TyperOption) and one.is_flag:
            yield from [longest_name(one)] if value is True else one.secondary_opts[:1]
        else:
            yield from (text for each in texts for text in (longest_name(one), each))  # type: ignore[arg-type]
    if behind:
        yield from ("--", *behind)


def _placed(text: str, instead: Mapping[str, str]) -> str:
    """A text with the path that is used in place of the one that was stated."""
    for path, used in instead.items():
        if text == path or text.endswith((f"={path}", f":{path}")) or f"{path}@" in text:
            return text.replace(path, used, 1)
    return text
