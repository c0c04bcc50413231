"""onnxray verify: is the torch twin, which gradients come from, the same network as the file?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.document import Work, print_json, write_document
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.shared_options import Opening, with_shared_options
from onnxray.errors.shown_text import shortened

if TYPE_CHECKING:
    from onnxray.engines.agreement.verification import Verification

_RULES = 4
LONGEST_CELL = 200


@limited
@with_shared_options
def verify(
    model: ModelArgument,
    images: Annotated[
        list[str] | None, typer.Argument(metavar="[IMAGE...]", help="Images to compare on; seeded ones if none.")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="Largest difference, relative to the largest number.")] = 1e-3,
    *,
    shared: Opening,
) -> None:
    """Compare the torch twin with ONNX Runtime at every value; name the first node at fault. Status 1 if one is.

    A value is let off by --tolerance of its largest number; one of float16 by ten of its roundings more; one computed
    from quantised values by what one step of quantisation makes of it, where its node alone is right.

    Examples: onnxray verify lenet; onnxray verify net.onnx photo.jpg --tolerance 1e-4
    """
    opened = shared.open(model)
    work = Work(opened, "verify", {"tolerance": tolerance}, kept=shared.keeps)
    verification = opened.verify(images or None, tolerance=tolerance)
    extra = verification.to_dict()
    rows = extra.pop("values")
    document = work.document(rows, extra)
    document = write_document(document, shared.out)
    if shared.json:
        print_json(document)
    else:
        _show(verification)
    if not verification.agrees:
        raise typer.Exit(1)


_COLOURS = {"agrees": "green", "empty": "yellow", "one step": "green", "inherited": "yellow"}


def _show(verification: Verification) -> None:
    """For people."""
    from rich.table import Table

    from onnxray.cli.parts.console import line, table_console
    from onnxray.engines.agreement.comparison import described

    console = table_console()
    table = Table(
        "value", "node", "operator", "largest difference", "relative", "steps", "by the node alone", "",
        title="twin against judge",
    )  # fmt: skip
    for row in verification.comparisons:
        names = [shortened(str(cell or ""), LONGEST_CELL) for cell in (row.name, row.node, row.operator)]
        steps = "" if row.steps is None else f"{row.steps:.3g}"
        own = "" if row.own is None else f"{row.own.relative:.2e}"
        colour = _COLOURS.get(row.verdict, "red")
        mark = line((row.verdict if row.verdict in _COLOURS else row.verdict.upper(), colour))
        table.add_row(*names, f"{row.absolute:.2e}", f"{row.relative:.2e}", steps, own, mark)
    console.print(table)
    colour = "green" if verification.agrees else "red"
    console.print(line(("OK" if verification.agrees else "FAILED", colour), f": {verification.reason}."))
    rules = Counter(row.rule for row in verification.comparisons)
    console.print(f"{len(verification.comparisons)} values compared on {verification.inputs} inputs. Let pass:")
    for rule, count in rules.most_common(_RULES):
        console.print(f"  {count} values: {rule}")
    if len(rules) > _RULES:
        console.print(
            f"  {sum(count for _, count in rules.most_common()[_RULES:])} values: by further rules, which --json states"
        )
    for output in verification.outputs:
        console.print(f"Output {output.name!r} of the file itself: {output.verdict}, {described(output)}.")
    if verification.arithmetic:
        console.print(f"{verification.arithmetic}.")
    console.print(f"Reading every inner value moves the judge's own outputs by {verification.outputs_moved:.2e}.")
    if verification.skipped:
        console.print(f"Not compared (no real or quantised numbers, or constant): {len(verification.skipped)} values.")
