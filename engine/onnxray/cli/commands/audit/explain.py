"""onnxray audit explain: what a check measures, its options and where it comes from."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import typer

from onnxray.cli.parts.arguments import JsonOption
from onnxray.cli.parts.document import print_json
from onnxray.cli.parts.limits import limited

if TYPE_CHECKING:
    from onnxray.assess.audit.check import Check

_RECORD: Final = 'level = "record"'
_WIDE: Final = 36
"""Characters before the comment of an option."""


@limited
def explain(
    check: Annotated[str | None, typer.Argument(metavar="[CHECK]", help="A check by its name; left out, all.")] = None,
    json: JsonOption = False,
) -> None:
    """Say what a check of the audit measures, by which formula, and which options it has.

    Examples: onnxray audit explain; onnxray audit explain accuracy
    """
    from onnxray.assess.audit.catalogue import check_class, checks
    from onnxray.report.audit.suggested import toml_value

    if check is None:
        listed = [_told(one) for one in checks().values()]
        if json:
            print_json({"schema": 1, "checks": listed})
            return
        from rich.table import Table

        from onnxray.cli.parts.console import table_console

        table = Table("check", "what is measured")
        for one in listed:
            table.add_row(one["name"], one["title"])
        table_console().print(table)
        return
    found = check_class(check)
    told = _told(found)
    if json:
        print_json({"schema": 1, **told})
        return
    print(f"{told['name']}, version {told['version']}: {told['title']}\n")
    print(told["text"])
    print(f"\n{told['judged']} In a policy, with its options as they are where none is stated:\n")
    print(f'    [[check]]\n    use = "{told["name"]}"')
    print(f"    {_RECORD:<{_WIDE}} # or a limit in its place: min, max, max_drop, max_drop_relative")
    for option in told["options"]:
        limits = "" if option["range"] is None else f" ({option['range']})"
        value = toml_value(option["default"])
        said = f'# {option["name"]} = "..."' if value is None else f"{option['name']} = {value}"
        print(f"    {said:<{_WIDE}} # {option['help']}{limits}")


def _told(check: type[Check]) -> dict[str, Any]:
    from onnxray.methods.option_checks import described

    hints = get_type_hints(check, include_extras=True)
    options = []
    for field in dataclasses.fields(check):  # type: ignore[arg-type]
        kind, text, limits = described(hints[field.name])
        default = None if field.default is dataclasses.MISSING else field.default
        words = ", ".join(map(str, get_args(kind))) if get_origin(kind) is Literal else None
        told = words if limits is None else str(limits)
        options.append({"name": field.name, "default": default, "help": text, "range": told})
    what = "it fails by findings of its own, and by" if check.judges else "it fails by"
    where = {0: "once a model, without pictures", -1: "once a model, on all pictures"}.get(
        check.chunk, "on each picture"
    )
    needs = "; it needs labels" if check.needs_labels else ""
    return {
        "name": check.name, "version": check.version, "title": check.title,
        "text": inspect.cleandoc(sys.modules[check.__module__].__doc__ or check.__doc__ or ""),
        "judged": f"Measured {where}{needs}; {what} the limits of a policy.", "options": options,
    }  # fmt: skip
