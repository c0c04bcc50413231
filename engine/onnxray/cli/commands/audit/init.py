"""onnxray audit init: a commented policy, from a first run or from the default one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxray.cli.parts.limits import limited
from onnxray.cli.terminal.notes import note
from onnxray.errors import OutputError


@limited
def init(
    audit: Annotated[
        Path | None,
        typer.Argument(
            metavar="[AUDIT]", help="A first audit: its folder or audit.json. Left out: the default policy."
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="FILE", help="Where the policy is written.", rich_help_panel="Output"),
    ] = Path("policy.toml"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file of that name.", rich_help_panel="Output")
    ] = False,
) -> None:
    """Write a commented policy whose limits are what a first audit reached, to be read and set.

    Examples: onnxray audit init; onnxray audit init onnxray-out/20261130-120000-audit -o policy.toml
    """
    from onnxray.assess.audit.baseline import read_audit
    from onnxray.assess.audit.default_policy import default_text
    from onnxray.report.audit.suggested import suggested_policy

    text = default_text() if audit is None else suggested_policy(read_audit(audit))
    try:
        with out.open("w" if overwrite else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise OutputError(f"{out} is there already; give another -o, or replace it by --overwrite") from None
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror or error}") from None
    note(f"written to {out}")
