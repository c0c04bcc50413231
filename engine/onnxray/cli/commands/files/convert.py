"""onnxray convert: a model of another framework's files as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnxray.cli.parts.arguments import JsonOption
from onnxray.cli.parts.document import Work, print_json
from onnxray.cli.parts.limits import limited
from onnxray.cli.terminal.notes import note

if TYPE_CHECKING:
    from onnxray.model.converting import Converted


@limited
def convert(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="net.caffemodel, or deploy.prototxt+net.caffemodel, of Caffe; net.joblib of scikit-learn; a file "
            "of LightGBM, XGBoost or Keras; a folder of TensorFlow; net.pt2, TorchScript, package.module:function of "
            "PyTorch.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE.onnx",
            rich_help_panel="Output",
            help="What is written; by default the source's name with .onnx, in the working folder.",
        ),
    ] = None,
    prototxt: Annotated[
        str | None,
        typer.Option(
            "--prototxt",
            metavar="FILE",
            rich_help_panel="Model",
            help="The net, for testing; by default the one that lies beside the caffemodel.",
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(
            "--mean",
            metavar="FILE",
            rich_help_panel="Model",
            help="The mean image (mean.binaryproto) that is taken off pictures; it goes into the profile.",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="HEIGHTxWIDTH",
            rich_help_panel="Model",
            help="The input's size in place of the one that is stated, for nets that take several.",
        ),
    ] = None,
    shapes: Annotated[
        list[str] | None,
        typer.Option(
            "--shape",
            metavar="[NAME=]SIZES",
            help="The shape of an input, as 1x3x224x224, where the source states none; again for others.",
        ),
    ] = None,
    examples: Annotated[
        list[str] | None,
        typer.Option(
            "--example",
            metavar="[NAME=]FILE",
            help="Inputs to convert and compare with, besides seeded ones: .npy, or .npz by names.",
        ),
    ] = None,
    *,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust",
            help="Read a file that can run its author's programs, as pickles and PyTorch's can: you know whose it is.",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel="Output", help="Replace what lies there.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write a model of another framework's files as an ONNX file, checked, run, and compared with the framework.

    Caffe's are read by onnxray itself; every layer's output keeps its layer's name (docs/caffe.md), and they can be
    used without this, too: onnxray inspect net.caffemodel. The others are converted by their framework's own exporter,
    and nothing is written where ONNX Runtime's numbers are not the framework's (docs/convert.md). What is known of
    preprocessing goes into the file.

    Example: onnxray convert net.caffemodel --prototxt deploy.prototxt --mean mean.binaryproto -o net.onnx
    """
    from onnxray.images.profile.stated_fields import read_size
    from onnxray.model.converting import convert_model

    sides = None if size is None else read_size(size)
    target = out if out is not None else Path(f"{_stem(source)}.onnx")
    if target.suffix.lower() == ".pt2":
        _write_program(source, target, overwrite=overwrite, json=json)
        return
    made = convert_model(
        source, target, prototxt=prototxt, mean=mean, size=sides, trust=trust, shapes=tuple(shapes or ()),
        examples=tuple(examples or ()), overwrite=overwrite,
    )  # fmt: skip
    for said in made.notes:
        note(said)
    if json:
        options = {
            "source": source, "prototxt": prototxt, "mean": mean, "size": size, "shape": shapes, "example": examples,
            "trust": trust, "out": str(target),
        }  # fmt: skip
        print_json(Work(made.model, "convert", options).document([], _facts(made)))
    else:
        _show(made)


def _write_program(source: str, target: Path, *, overwrite: bool, json: bool) -> None:
    """Back: an ONNX file as a program of torch.export."""
    from onnxray.cli.parts.console import line, table_console
    from onnxray.model.opening import open_model
    from onnxray.model.torch_program import write_program

    proof = write_program(source, target, overwrite=overwrite)
    if json:
        options = {"source": source, "out": str(target)}
        facts = {"written": [str(target)], "proof": {"largest": proof.largest, "differences": dict(proof.differences)}}
        print_json(Work(open_model(source), "convert", options).document([], facts))
        return
    said = f"off by at most {proof.largest:.1e} of the largest number from ONNX Runtime"
    table_console().print(line(("written  ", "bold"), f"{target}, {said}"))


def _stem(source: str) -> str:
    """What the file is called that no name is given for: package.module:function is called as its function is."""
    return Path(source).stem.rpartition(":")[2] if not Path(source).exists() else Path(source).stem


def _facts(made: Converted) -> dict[str, Any]:
    graph, proof = made.model.graph, made.proof
    return {
        "written": [str(path) for path in made.files],
        "sha256": graph.sha256,
        "nodes": len(graph.nodes),
        "parameters": graph.parameters,
        "inputs": {value.name: _dims(value.shape) for value in graph.inputs},
        "outputs": {name: list(shape) for name, shape in made.outputs.items()},
        "conversion": list(made.notes),
        "proof": None
        if proof is None
        else {
            "sets": proof.inputs,
            "largest": proof.largest,
            "differences": dict(proof.differences),
            "ties": proof.undecided,
        },
    }


def _dims(shape: tuple[int | str | None, ...] | None) -> list[int | str | None] | None:
    return None if shape is None else list(shape)


def _show(made: Converted) -> None:
    """For people."""
    from onnxray.cli.parts.console import line, table_console
    from onnxray.errors.short_values import short

    graph, profile = made.model.graph, made.model.profile
    console = table_console()
    shapes = "; ".join(f"{value.name} {_dims(value.shape)}" for value in graph.inputs)
    outputs = "; ".join(f"{name} {list(shape)}" for name, shape in made.outputs.items())
    stated = "none: the model takes no single picture" if profile is None else str(profile).strip("<>")
    rows = {
        "written": ", ".join(str(path) for path in made.files),
        "size": f"{graph.parameters:,} parameters, {len(graph.nodes)} nodes",
        "inputs": shapes,
        "outputs": f"{outputs}, of seeded inputs by ONNX Runtime",
        "profile": stated,
    }
    if (proof := made.proof) is not None:
        ties = f"; {proof.undecided} labels are ties, and not compared" if proof.undecided else ""
        rows["compared"] = (
            f"{len(proof.differences)} values with the framework's own on {proof.inputs} sets of inputs: off by at "
            f"most {proof.largest:.1e} of the largest number, at {short(proof.where)}{ties}"
        )
    for name, entry in rows.items():
        console.print(line((f"{name:<9}", "bold"), entry))
