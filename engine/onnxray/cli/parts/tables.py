"""Tables that several commands print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from onnxray.cli.parts.console import line, table_console
from onnxray.cli.parts.finishing import number_cell
from onnxray.cli.terminal.shown_names import shown_names

if TYPE_CHECKING:
    from onnxray.assess.maps.item import CheckedItem
    from onnxray.methods.lots.item import LotsItem
    from onnxray.methods.lots.summary import LayerSummary
    from onnxray.methods.shots import Shown
    from onnxray.methods.synthesis.item import SynthesisItem
    from onnxray.results.result import Result
    from onnxray.training.generators.item import GeneratedItem

MOST_ROWS = 60
"""Items in a table; the document has all."""
_FIGURES = ("insertion", "deletion", "pointed_at", "noise_mean", "noise_max", "noise_correlation", "seconds")


def perturbed_table(items: Sequence[LotsItem]) -> Table:
    """One line for each image that LOTS perturbed."""
    aims = ["aim"] if any(item.aim for item in items) else []
    table = Table("origin", "target", "layer", "class", "reached", "PASS", "L2", "Linf", "scale", "distance", *aims)
    origins = shown_names([item.origin.path for item in items])
    targets = shown_names([None if item.target is None else item.target.path for item in items])
    for item, origin, target in zip(items, origins, targets):
        origin = _seen(origin, item.origin)
        goal = "" if item.target is None else _seen(target, item.target)
        score = "-" if item.similarity is None else f"{item.similarity.score:.4f}"
        scale = f"{item.steps} x {item.scale:g}" if item.search == "step-and-adjust" else f"{item.scale:g}"
        table.add_row(
            origin, goal or item.target_source or item.mode, item.layer, item.label or "-",
            "yes" if item.success else Text("no", "red"), score,
            *(number_cell(x) if item.moved else f"{x:.0f}" for x in (item.l2, item.linf)), scale,
            f"{item.distance_before:.4g} -> {item.distance_after:.4g}",
            *(f"{item.aim['of']}: {item.aim['before']:.4g} -> {item.aim['after']:.4g}" for _ in aims if item.aim),
        )  # fmt: skip
    return table


def _seen(name: str, shown: Shown) -> str:
    """A picture's name with its class, if it has any."""
    return name if shown.label is None else f"{name} ({shown.label})"


def stability_table(layers: Sequence[LayerSummary], *, norms: str = ".0f") -> Table:
    """One line for each layer: medians and quartiles, the unreached counted as infinity. norms: how they are shown."""
    table = Table("layer", "images", "reached", "L2 (quartiles)", "Linf (quartiles)", "PASS (quartiles)")
    for layer in layers:
        table.add_row(
            layer.layer, str(layer.count), f"{layer.share_reached:.0%}",
            *(_quartiles(q, d) for q, d in ((layer.l2, norms), (layer.linf, norms), (layer.similarity, ".4f"))),
        )  # fmt: skip
    return table


def _quartiles(numbers: tuple[float, float, float] | None, written: str) -> Text:
    if numbers is None:
        return Text("-")
    low, middle, high = ("not reached" if abs(n) == float("inf") else f"{n:{written}}" for n in numbers)
    return line((middle, "bold"), f" ({low} to {high})")


def print_synthesis(result: Result[SynthesisItem]) -> None:
    """Print one line for each image that was climbed to; a column that no image fills is left out."""
    numbers = (name for item in result.items for name, value in item.numbers_.items() if not isinstance(value, dict))
    extra = list(dict.fromkeys(numbers))[:4]
    shown = result.items[:MOST_ROWS]
    rows = [
        {
            "from": name, "layer": item.layer or "-", "target": item.target,
            "steps": str(item.steps or "-"), "class": item.label or "-",
            "probability": "-" if item.probability is None else f"{item.probability:.4f}",
            **{name: number_cell(item.numbers_.get(name)) for name in extra},
        }
        for item, name in zip(shown, shown_names([item.path for item in shown], "-"))
    ]  # fmt: skip
    columns = [name for name in rows[0] if any(row[name] != "-" for row in rows)]
    table = Table(*columns)
    for row in rows:
        table.add_row(*(row[name] for name in columns))
    table_console().print(table)


def print_figures(result: Result[CheckedItem]) -> None:
    """Print the figures of every map, and their means and medians."""
    console = table_console()
    console.print(_maps_table(result.items))
    for table in _summary_tables(result.extra["summary"]):
        console.print(table)


def _maps_table(items: Sequence[CheckedItem]) -> Table:
    from onnxray.assess.maps.summary import figure

    columns = [name for name in _FIGURES if any(figure(item, name) is not None for item in items)]
    table = Table("image", "method", "layer", "target", *columns)
    shown = items[:MOST_ROWS]
    for item, image in zip(shown, shown_names([item.map.path for item in shown], "-")):
        numbers = (figure(item, name) for name in columns)
        table.add_row(
            image, item.map.method, item.map.layer or "-", item.map.target,
            *("-" if number is None else f"{number:.3f}" for number in numbers),
        )  # fmt: skip
    return table


def _summary_tables(summary: Sequence[Mapping[str, Any]]) -> list[Table]:
    columns = [name for name in _FIGURES if any(name in entry for entry in summary)]
    table = Table("method", "layer", "images", *columns, title="mean (median)")
    for entry in summary:
        spreads = [entry.get(name) for name in columns]
        table.add_row(
            entry["method"], entry["layer"] or "-", str(entry["images"]),
            *("-" if spread is None else f"{spread['mean']:.3f} ({spread['median']:.3f})" for spread in spreads),
        )  # fmt: skip
    tables = [table]
    for entry in summary:
        if "weights" in entry:
            layers = Table("weights drawn anew", "rank correlation, mean (median)", title=entry["layer"] or "")
            for spread in entry["weights"]:
                shown = f"{spread['mean']:.3f} ({spread['median']:.3f})" if spread["count"] else "-"
                layers.add_row(spread["layer"], shown)
            tables.append(layers)
    return tables


def print_rates(
    what: str, of: str, rates: Mapping[str, Mapping[str, Any] | None], classes: Sequence[Mapping[str, Any]]
) -> None:
    """Print how often what was made of some pictures succeeds on them and on others, and what they are called now."""
    from onnxray.methods.attack.rates import rate_text

    table = Table("pictures", of, "random beside it", title=what)
    for name, words in (("held_out", "held out"), ("fitted", "made of")):
        rate, random = rates.get(name), rates.get(f"random_{name}")
        if rate is not None and random is not None:
            table.add_row(words, rate_text(rate), rate_text(random))
    console = table_console()
    console.print(table)
    said = ", ".join(f"{one['label']} ({one.get('pictures', one.get('trials'))})" for one in classes[:5])
    console.print(f"by ONNX Runtime on saved 8-bit pictures{f'; called now: {said}' if said else ''}")


def print_generated(result: Result[GeneratedItem]) -> None:
    """What a generator shows, and what it is taken for."""
    table = Table("asked for", "probability", "it is")
    for item in result.items:
        said = "" if item.strongest == item.number else item.strongest_label
        table.add_row(item.label, f"{item.probability:.4f}", said)
    table_console().print(table)
