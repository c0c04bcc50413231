"""Defaults beside the command line: ``ONNXRAY_<OPTION>`` variables, and a file in the working folder.

    # onnxray.toml, or the same under [tool.onnxray] of pyproject.toml
    profile = "torchvision"            # options that every command has
    [saliency.grad-cam]                # options of one command
    layer = "conv2"

A file is data, and may be a stranger's: only options are stated in it, and none that says where files are written,
what is replaced or whose programs are run; a file that it names lies in the working folder.
What is typed counts first, then a variable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperOption

from onnxray.cli.usage.options import is_shared, longest_name
from onnxray.cli.usage.refusals import WrongUsage
from onnxray.errors.near_misses import did_you_mean
from onnxray.errors.short_values import short
from onnxray.images.profile.side_text import MAX_TOML, parse_toml

FILE, PROJECT = "onnxray.toml", "pyproject.toml"


def stated_in_file(
    command: Sequence[str],
    options: Mapping[str, TyperOption],
    *,
    shared: Collection[str],
    commands: Collection[str],
    folder: Path,
) -> dict[str, Any]:
    """Parameter -> its value, of what the file in a folder states for a command; empty where there is none.

    options: those of the command that a file may state, by their names. shared: the names of those that may stand
    outside of tables. commands: what tables are there of.
    Errors: WrongUsage, one line, for what is no TOML, no option, or of the wrong type.
    """
    file, table = _table(folder)
    own: Mapping[str, Any] = table
    for name in command:
        inner = own.get(name, {})
        if not isinstance(inner, dict):
            raise WrongUsage(f"{file}: {name} is {short(inner)}; a table of the command's options was expected")
        own = inner
    for key, value in table.items():
        if isinstance(value, dict):
            _check_name(key, commands, f"{file}: there is no command")
        else:
            _check_name(key, shared, f"{file}: outside of tables there is no option")
    outer = {key: value for key, value in table.items() if not isinstance(value, dict)}
    stated = {
        **{key: value for key, value in outer.items() if key in options and is_shared(options[key])},
        **{key: value for key, value in own.items() if not isinstance(value, dict)},
    }
    for key in stated:
        _check_name(key, options, f"{file}: {' '.join(command)} has no option")
    return {options[key].name: _value(options[key], key, value, file, folder) for key, value in stated.items()}


def stated_elsewhere(context: typer.Context) -> dict[str, list[str]]:
    """Where it was stated -> options as they would have been typed, of those that were not."""
    file = FILE if Path(FILE).is_file() else PROJECT
    stated: dict[str, list[str]] = {}
    for one in context.command.params:
        source = context.get_parameter_source(str(one.name))
        if isinstance(one, TyperOption) and source is not None and source.name in {"ENVIRONMENT", "DEFAULT_MAP"}:
            where = file if source.name == "DEFAULT_MAP" else str(one.envvar)
            stated.setdefault(where, []).extend(_as_typed(one, context.params[str(one.name)]))
    return stated


def _as_typed(option: TyperOption, value: Any) -> list[str]:
    if option.is_flag:
        return [longest_name(option)] if value else list(option.secondary_opts)
    return [text for each in (value if option.multiple else [value]) for text in (longest_name(option), str(each))]


def _table(folder: Path) -> tuple[str, Mapping[str, Any]]:
    """The file's name and what it states."""
    for name in (FILE, PROJECT):
        path = folder / name
        if not path.is_file():
            continue
        try:
            with path.open("rb") as stream:
                data = stream.read(4 * MAX_TOML + 1)
            text = data.decode("utf-8-sig")
            if name == PROJECT and "onnxray" not in text:
                continue
            table = parse_toml(text)
        except (OSError, ValueError) as error:
            raise WrongUsage(f"{name}: cannot be read ({error}); mend it, or leave it out by --isolated") from None
        if name == FILE:
            return name, table
        tools = table.get("tool", {})
        own = tools.get("onnxray", {}) if isinstance(tools, dict) else {}
        if not isinstance(own, dict):
            raise WrongUsage(f"{name}: tool.onnxray is {short(own)}; a table was expected")
        return name, own
    return FILE, {}


def _check_name(key: str, known: Collection[str], absent: str) -> None:
    if key in known:
        return
    hint = did_you_mean(key, known) or f"there are: {', '.join(sorted(known))}"
    raise WrongUsage(f"{absent} {short(key)} that a file may state; {hint.rstrip()}")


def _value(option: TyperOption, key: str, value: Any, file: str, folder: Path) -> Any:
    """A value as the option takes it."""
    values = value if option.multiple and isinstance(value, list) else [value]
    kinds: dict[Any, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float)}
    kind = option.type_descriptor
    allowed = (str,) if kind.parameter_info.parser is not None else kinds.get(kind.annotation, (str,))
    wanted = {(bool,): "true or false", (int,): "a whole number", (int, float): "a number"}.get(allowed, "text")
    for one in values:
        if not isinstance(one, allowed) or (isinstance(one, bool) and bool not in allowed):
            raise WrongUsage(f"{file}: {key} is {short(one)}; {wanted} was expected")
        if isinstance(one, str):
            _check_place(one, f"{file}: {key}", folder)
    return values if option.multiple else value


def _check_place(text: str, place: str, folder: Path) -> None:
    """Refuse a file elsewhere, of which a stranger's file may not have us read."""
    inside = folder.resolve()
    for part in {text, text.partition(":")[2].partition("@")[0]}:
        try:
            path = (folder / part).resolve()
            outside = part and path.exists() and not path.is_relative_to(inside)
        except (OSError, ValueError, RuntimeError):
            continue
        if outside:
            raise WrongUsage(f"{place} is {short(text)}; a file that lies in the working folder was expected")
