"""onnxray demo: LOTS at work on the bundled LeNet, the LOTS paper's figures 1 and 3 in one run."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onnxray.cli.parts.command_frame import progress_bar
from onnxray.cli.parts.document import Work, command_line, print_json, run_folder, with_page
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.shared_options import Opening, with_shared_options

if TYPE_CHECKING:
    from onnxray.methods.lots.item import LotsItem
    from onnxray.methods.lots.summary import LayerSummary
    from onnxray.results.result import Result

_LAYERS = ("conv1", "conv2", "ip1", "ip2")
_ORIGIN, _TARGET = "4", "9"


@limited
@with_shared_options
def demo(*, shared: Opening) -> None:
    """Run LOTS on the bundled LeNet and its 100 digits: x-, x+, a 4 turned into a 9, and how stable each layer is.

    Example: onnxray demo -o demo
    """
    import onnxray_models
    from onnxray.methods.lots.lots import LOTS
    from onnxray.methods.lots.summary import summarize
    from onnxray.objectives.goals import TargetImages
    from onnxray.report.lots_report import pages, plot, rows
    from onnxray.results.saved_files import with_files, write_folder

    model = shared.open("lenet")
    work = Work(model, "demo", {"layer": list(_LAYERS)})
    digits = onnxray_models.samples("lenet")
    fours, nines = ([d for d in digits if d.name.startswith(f"{digit}_")] for digit in (_ORIGIN, _TARGET))
    with progress_bar() as tick:
        inhibited = LOTS(layer=_LAYERS)(model, list(digits), "inhibit", progress=tick)
        magnified = LOTS(layer=_LAYERS, linf=128.0)(model, fours[:1], "magnify", progress=tick)
        every = TargetImages(images=nines, pairing="all")
        targeted = LOTS(layer=_LAYERS)(model, fours, every, progress=tick)
    layers = summarize(inhibited.items)
    shown = [
        *_of(inhibited, fours[0].name),
        *magnified.items,
        *_of(targeted, fours[0].name, nines[0].name),
    ]
    shares = {layer.layer: layer.share_reached for layer in summarize(targeted.items)}
    folder = run_folder(shared.out, "demo")
    runs = {"inhibit": inhibited, "magnify": magnified, "targeted": targeted}
    runs = {name: _save(run, folder / name) for name, run in runs.items()}
    facts = {
        "stability": [layer.to_dict() for layer in layers],
        "pairs_reaching_target": shares,
        "runs": {name: run.to_dict() for name, run in runs.items()},
    }
    sheets = pages(rows(shown), title="LOTS on the bundled LeNet", provenance=inhibited.provenance)
    document = work.document([], facts)
    files = with_page(document, folder, {**sheets, "stability.png": plot(inhibited, layers)})
    document = with_files(document, files)
    write_folder(folder, document, files)
    if shared.json:
        print_json(document)
        return
    from onnxray.cli.parts.console import line, table_console
    from onnxray.cli.parts.tables import perturbed_table, stability_table

    console = table_console()
    console.print(perturbed_table(shown))
    reached = ", ".join(f"{layer} {share:.0%}" for layer, share in shares.items())
    console.print(
        f"of all {len(fours)} x {len(nines)} pairs of a {_ORIGIN} and a {_TARGET}, classified {_TARGET}: {reached}"
    )
    console.print()
    question = f" The smallest inhibition that changes the class, {len(digits)} digits:"
    console.print(line(("How stable is each layer?", "bold"), question))
    console.print(stability_table(layers))
    console.print(_pattern(layers))
    pictures = f"pictures: {folder / 'sheet.png'} and {folder / 'stability.png'}"
    console.print(f"{pictures}   page: {folder / 'index.html'}   numbers: {folder / 'result.json'}")


def _of(result: Result[LotsItem], origin: str, target: str | None = None) -> list[LotsItem]:
    """The items of one origin, and of one target where there is one."""
    return [
        item
        for item in result.items
        if str(item.origin.path).endswith(origin)
        and (target is None or (item.target is not None and str(item.target.path).endswith(target)))
    ]


def _save(result: Result[LotsItem], folder: Path) -> Result[LotsItem]:
    stamped = dataclasses.replace(result.provenance, command=tuple(command_line()))
    return dataclasses.replace(result, provenance=stamped).save(folder)


def _pattern(layers: Sequence[LayerSummary]) -> str:
    """The paper's pattern, measured: the median L2 that inhibition needs falls with depth."""
    medians = [layer.l2[1] for layer in layers]
    reference = medians[-2]
    ratios = " : ".join(f"{median / reference:.2f}" for median in medians)
    falls = all(a > b for a, b in itertools.pairwise(medians))
    return (
        f"median L2, {' : '.join(layer.layer for layer in layers)} = {ratios}; "
        f"{'it falls with depth, as in the paper' if falls else 'it does NOT fall with depth here'}"
    )
