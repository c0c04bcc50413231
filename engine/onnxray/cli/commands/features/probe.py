"""onnxray features probe: how well labels of one's own can be told from layers, and the best probe as a file."""

from __future__ import annotations

from typing import Any

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.feature_options import FoldersArgument, TrueLabelsOption, run_features
from onnxray.cli.parts.finishing import Ending, number_cell
from onnxray.cli.parts.method_command import method_command
from onnxray.cli.parts.method_options import plain_options
from onnxray.cli.parts.shared_options import Shared
from onnxray.errors import OnnxrayError
from onnxray.methods.features.probe import Probe, best, checked_against, probe_file
from onnxray.methods.features.probe_item import ProbeItem
from onnxray.model.model import Model
from onnxray.results.result import Result

_FILE = "probe.onnx"


@method_command(Probe)
def probe(
    model: ModelArgument, images: FoldersArgument, true_labels: TrueLabelsOption = None, *, shared: Shared,
    **options: Any,
) -> None:  # fmt: skip
    """How well labels of your own can be told from layers (linear and k-nearest probes), the best as a file.

    probe.onnx, in the run folder, is the model up to the best layer with the linear probe as its end; onnxray classify
    opens it.

    Examples: onnxray features probe net.onnx classes/ --labels folders;
    onnxray features probe net.onnx photos/ --labels labels.csv --layer features --folds 10
    """
    from onnxray.report.features.probe_report import pictures

    opened = shared.open(model)
    written = _WrittenProbe(opened)
    run_features(
        Probe(true_labels=true_labels, **plain_options(options)), opened, images, shared=shared,
        ending=Ending(
            sheets=lambda result: {**pictures(result), **written.files(result)}, table=_print,
            extra=written.told,
        ),
    )  # fmt: skip


class _WrittenProbe:
    """The best probe of a run as a file, checked by ONNX Runtime; made once."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._made: tuple[dict[str, bytes], dict[str, Any]] | None = None

    def files(self, result: Result[ProbeItem]) -> dict[str, bytes]:
        """``probe.onnx``, where it could be made."""
        return self._of(result)[0]

    def told(self, result: Result[ProbeItem]) -> dict[str, Any]:
        """``probe_file``: its name, of which layer, how far it is off the probe; ``file`` null with a reason."""
        return {"probe_file": self._of(result)[1]}

    def _of(self, result: Result[ProbeItem]) -> tuple[dict[str, bytes], dict[str, Any]]:
        if self._made is None:
            chosen, seen = best(result.items), result.extra["seen"]
            if chosen is None or not seen:
                return {}, {"file": None, "reason": "no probe is finished"}
            try:
                data = probe_file(self._model, chosen)
                told = checked_against(self._model, chosen, data, seen)
            except OnnxrayError as error:
                self._made = {}, {"file": None, "layer": chosen.layer, "reason": str(error)}
            else:
                self._made = {_FILE: data}, {"file": _FILE, "layer": chosen.layer, **told}
        return self._made


def _print(result: Result[ProbeItem]) -> None:
    from rich.table import Table

    from onnxray.cli.parts.console import table_console
    from onnxray.errors.shown_text import shortened, terminal
    from onnxray.methods.attack.rates import rate_text

    console = table_console()
    nearest = f"{result.items[0].k} nearest" if result.items else "nearest"
    table = Table("layer", "numbers", "C", "validation loss", "linear", nearest, "most frequent class")
    for item in result.items:
        table.add_row(
            shortened(item.layer, 50), str(item.numbers_each), f"{item.strength:g}",
            number_cell(None if item.validation is None else item.validation["loss"]), rate_text(item.linear),
            rate_text(item.nearest), f"{item.chance:.0%}",
        )  # fmt: skip
    console.print(table)
    told = result.extra["probe_file"]
    if told["file"] is None:
        console.print(f"no file with the probe: {terminal(told['reason'])}")
    elif result.folder is not None:
        console.print(f"the probe of {terminal(told['layer'])} as a model: {result.folder / told['file']}")
