"""onnxray inspect: what is in a model file, and how it is going to be read."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnxray.cli.parts.arguments import ModelArgument
from onnxray.cli.parts.document import Work, print_json, write_document
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.shared_options import Opening, with_shared_options
from onnxray.errors.shown_text import shortened

if TYPE_CHECKING:
    from rich.table import Table

    from onnxray.graph.facts import Value
    from onnxray.graph.outputs.facts import OutputFacts
    from onnxray.images.profile.profile import Profile
    from onnxray.model.inputs.stated import Input
    from onnxray.model.model import Model


MOST_ROWS = 20_000
"""Values in the table, which takes a millisecond for each; the document has all."""
LONGEST_CELL = 200


@limited
@with_shared_options
def inspect(
    model: ModelArgument,
    values: Annotated[
        bool, typer.Option("--values", help="List every value, not the layers with weights alone.")
    ] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="Run the model to tell how more samples than its own batch go.")
    ] = False,
    *,
    shared: Opening,
) -> None:
    """Show a model's inputs, outputs, layers and values, opsets, producer, batch, and the profile in force.

    Tells what each input is read as, with the grounds; --input NAME=KIND states another kind.

    The model is not run. With --batch it is, to tell how more samples than the file's own batch go through the twin:
    free (the file leaves its batch free), rewrite (rewritten for any batch), vmap (by torch.vmap), or loop (one batch
    of the file's own after the other), and whether samples depend on those fed with them. This is tried once, by torch
    against ONNX Runtime, and remembered; other commands try it when they first need it.

    Examples: onnxray inspect lenet --values; onnxray inspect net.onnx --batch
    """
    from onnxray.graph.weight_layers import weight_layers

    opened = shared.open(model, silent=not shared.json)
    work = Work(opened, "inspect", {}, kept=shared.keeps)
    graph = opened.graph
    layers = weight_layers(graph)
    weighted = frozenset(layers)
    facts = {
        "inputs": [_row(value, weighted) for value in graph.inputs],
        "outputs": [_row(value, weighted) | _kind(opened, value.name) for value in graph.outputs],
        "head": {"output": opened.head.name, "kind": opened.head.kind, "grounds": opened.head.grounds},
        "read_as": opened.inputs.to_dict(),
        "batch": asdict(opened.batch() if batch else opened.known_batch()), "mixing": opened.mixing.note(tried=batch),
        "aliases": dict(opened.aliases), "layers": list(layers),
        "parameters": graph.parameters, "nodes": len(graph.nodes), "ir_version": graph.proto.ir_version,
        "metadata": dict(graph.metadata),
    }  # fmt: skip
    document = work.document([_row(value, weighted) for value in graph.values.values()], facts)
    document = write_document(document, shared.out)
    if shared.json:
        print_json(document)
        return
    from rich.table import Table

    from onnxray.cli.parts.console import line, table_console

    console = table_console()
    for name, entry in _summary(opened, document).items():
        console.print(line((f"{name:<11}", "bold"), entry))
    console.print(_outputs_table(opened))
    shown = [v for v in graph.values.values() if values or v.name in weighted]
    names = {name: alias for alias, name in opened.aliases.items()}
    table = Table("value", "shape", "type", "operator", "node", "also called", title="values" if values else "layers")
    for value in shown[:MOST_ROWS]:
        cells = (value.name, _shape(value), value.dtype, value.operator, value.node, names.get(value.name))
        table.add_row(*(shortened(str(cell or ""), LONGEST_CELL) for cell in cells))
    console.print(table)
    if len(shown) > MOST_ROWS:
        console.print(f"{len(shown) - MOST_ROWS} more are left out here: onnxray inspect {model} --json")
    if not values:
        console.print(f"{len(graph.values)} values in all: onnxray inspect {model} --values")


def _summary(model: Model, facts: dict[str, Any]) -> dict[str, str]:
    graph, profile = model.graph, model.profile
    entries = {
        "file": str(graph.path or "given as bytes"),
        "sha256": graph.sha256,
        "producer": graph.producer or "not stated",
        "opsets": ", ".join(f"{domain} {version}" for domain, version in graph.opsets.items()),
        "size": f"{facts['parameters']:,} parameters, {facts['nodes']} nodes, IR version {facts['ir_version']}",
        "inputs": "; ".join(f"{value.name} {_shape(value)} {value.dtype}" for value in graph.inputs),
        "read as": "; ".join(_read_as(one) for one in model.inputs.each),
        "outputs": "; ".join(f"{value.name} {_shape(value)} {value.dtype}" for value in graph.outputs),
        "answer": f"{model.head.name}: {model.head.said()}; state another with --output NAME=KIND",
        "batch": _batch(facts["batch"], facts["mixing"]),
        "aliases": _aliases(model),
    }
    named = {"labels": _labels(model.answering.labels, profile)}
    if profile is None:
        return entries | {"profile": "none: the model takes no single picture"} | named
    mean = "an image" if not isinstance(profile.mean, tuple) else ", ".join(f"{number:g}" for number in profile.mean)
    std = ", ".join(f"{number:g}" for number in profile.std)
    height, width = profile.size
    via = "" if profile.resized is None else f" by way of {profile.resized[0]}x{profile.resized[1]}"
    reasons = "; ".join(profile.reasons).removeprefix(f"{profile.name}: ")
    source = f"ASSUMED ({reasons}); state it with --profile" if profile.assumed else profile.source
    return (
        entries
        | {
            "profile": f"{profile.name}: {profile.channels} {height}x{width} {profile.layout}, {profile.resize}{via}, "
            f"input = ({profile.scale:g} * pixels - [{mean}]) / [{std}]; from: {source}",
        }
        | named
    )


def _aliases(model: Model) -> str:
    """Other names of values; of a detector's outputs they are at the scores where no output is stated."""
    names = ", ".join(f"{alias} = {name}" for alias, name in model.aliases.items())
    several = len(model.graph.outputs) > 1
    return (
        f"{names}; at the output {model.answering.closing.output}, at another with --output NAME"
        if names and several
        else names
    )


def _labels(labels: tuple[str, ...] | None, profile: Profile | None) -> str:
    if labels is None:
        return "none"
    assumed = (profile and profile.labels_assumed and f"; {profile.labels_assumed}; --labels none declines them") or ""
    return f"{len(labels)}: {', '.join(labels[:5])}{', ...' if len(labels) > 5 else ''}{assumed}"


def _read_as(one: Input) -> str:
    gathered = "" if one.gathered is None else f"; gradients at {one.gathered}"
    return f"{one.name}: {one.kind} ({one.grounds}{gathered})"


def _batch(batch: dict[str, Any], mixing: str | None) -> str:
    own = "free in the file" if batch["file"] is None else f"{batch['file']} in the file"
    return f"{own}; twin: {batch['twin']} ({batch['reason']})" + ("" if mixing is None else f"; {mixing}")


def _shape(value: Value) -> str:
    if value.shape is None:
        return "?"
    return "[" + ", ".join("?" if dim is None else str(dim) for dim in value.shape) + "]"


def _kind(model: Model, name: str) -> dict[str, Any]:
    """What an output is, for JSON."""
    facts = _facts(model, name)
    return {"output_kind": facts.kind, "grounds": facts.grounds, "assumed": facts.assumed}


def _facts(model: Model, name: str) -> OutputFacts:
    """What an output is: of the one that is answered with as it is stated."""
    from onnxray.graph.outputs.output_kinds import outputs_of

    return next(one for one in (model.head, *outputs_of(model.graph)) if one.name == name)


def _outputs_table(model: Model) -> Table:
    from rich.table import Table

    table = Table("output", "is", "grounds", "answered with", title="outputs")
    for value in model.graph.outputs:
        facts = _facts(model, value.name)
        kind = f"{facts.kind}, assumed" if facts.assumed else facts.kind
        answered = "yes" if value.name == model.head.name else ""
        table.add_row(shortened(value.name, LONGEST_CELL), kind, shortened(facts.grounds, LONGEST_CELL), answered)
    return table


def _row(value: Value, layers: frozenset[str]) -> dict[str, Any]:
    return {
        "name": value.name,
        "kind": value.kind,
        "shape": None if value.shape is None else list(value.shape),
        "dtype": value.dtype,
        "node": value.node,
        "operator": value.operator,
        "layer": value.name in layers,
    }
