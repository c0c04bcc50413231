"""onnxray classify: what the file itself says of images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnxray.cli.parts.arguments import ImagesArgument, ModelArgument
from onnxray.cli.parts.document import Work, print_json, write_document
from onnxray.cli.parts.finishing import say_interrupted
from onnxray.cli.parts.limits import limited
from onnxray.cli.parts.shared_options import Opening, with_shared_options
from onnxray.cli.terminal.notes import note, tell_notes
from onnxray.cli.terminal.shown_names import shown_names

if TYPE_CHECKING:
    from onnxray.graph.classifier.predictions import Prediction


@limited
@with_shared_options
def classify(
    model: ModelArgument,
    images: ImagesArgument,
    top: Annotated[int, typer.Option(help="How many classes to list for each image.", min=1)] = 5,
    *,
    shared: Opening,
) -> None:
    """Say what the file itself says of images, by ONNX Runtime: classes, or what else its output is.

    Of a detector its boxes, of a segmenter each class's share, of a regression its numbers; inspect shows the kind.

    Examples: onnxray classify lenet four.png; onnxray classify net.onnx photos/ --labels classes.txt --top 3 --json
    """
    from onnxray.cli.parts.kept_chunks import Chunks
    from onnxray.graph.classifier.predictions import Prediction
    from onnxray.graph.outputs.facts import CLASS_KINDS

    opened = shared.open(model)
    work = Work(opened, "classify", {"top": top}, kept=shared.keeps)
    pixels = opened.pixels(images)
    notes, interrupted = list(pixels.notes), False
    if opened.head.kind not in CLASS_KINDS:
        answer = opened.predict(pixels)
        items = [{"path": name, **answer.numbers(k)} for k, name in enumerate(pixels.names)]
        told = list(dict.fromkeys([*notes, *answer.notes]))
        document = work.document(items, {"kind": answer.kind, "output": answer.output, "image_notes": told})
        _tell(shared, document, [answer.describe(k) for k in range(len(answer))])
        return
    chunks = Chunks(len(pixels))
    try:
        predictions = opened.predict_classes(pixels, scores=True, through=chunks.through)
    except KeyboardInterrupt:
        if not chunks.done:
            raise
        interrupted, pixels = True, pixels.rows(slice(0, chunks.done))
        predictions = opened.predict_classes(pixels, scores=True, through=chunks.through)
    order = predictions.probabilities.argsort(1, kind="stable")[:, ::-1][:, :top]

    def row_of(index: int, k: int) -> dict[str, Any]:
        score, probability = float(predictions.scores[index, k]), float(predictions.probabilities[index, k])
        return _entry(Prediction(class_=k, label=opened.label(k), score=score, probability=probability))

    items = []
    for index, ranked in enumerate(order):
        best = _entry(predictions.row(index))
        listed = [row_of(index, int(k)) for k in ranked]
        items.append({"path": pixels.names[index], **best, "top": listed})
    notes = list(dict.fromkeys([*notes, *predictions.notes]))
    document = work.document(
        items, {"kind": predictions.kind, "output": predictions.output, "image_notes": notes}, interrupted=interrupted
    )
    if interrupted:
        document["incomplete"] = True
    document = write_document(document, shared.out)
    if shared.json:
        print_json(document)
    else:
        _show(items)
    tell_notes(notes)
    if opened.answering.labels is None and shared.labels is None and not shared.json:
        note("the classes have no names here: --labels FILE, or --labels imagenet and the like, gives them")
    if interrupted:
        say_interrupted(resumes=False)


def _tell(shared: Opening, document: dict[str, Any], described: list[str]) -> None:
    """Write and print what is said by an output that is no classifier's."""
    document = write_document(document, shared.out)
    tell_notes(document["image_notes"])
    if shared.json:
        print_json(document)
        return
    from rich.table import Table

    from onnxray.cli.parts.console import table_console

    table = Table("image", str(document["kind"]), title=f"output {document['output']}")
    for name, line in zip(shown_names([item["path"] for item in document["items"]]), described):
        table.add_row(name, line)
    table_console().print(table)


def _entry(prediction: Prediction) -> dict[str, Any]:
    """For JSON."""
    ruled_out = prediction.score == -math.inf
    entry = {
        "class": prediction.class_, "label": prediction.label, "score": None if ruled_out else prediction.score,
        "probability": prediction.probability,
    }  # fmt: skip
    return entry | {"reason": "the file rules this class out"} if ruled_out else entry


def _show(items: list[dict[str, Any]]) -> None:
    """For people."""
    from rich.table import Table

    from onnxray.cli.parts.console import table_console

    table = Table("image", "class", "label", "probability", "score")
    for item, image in zip(items, shown_names([item["path"] for item in items])):
        for rank, row in enumerate(item["top"]):
            name = image if rank == 0 else ""
            score = "-inf" if row["score"] is None else f"{row['score']:.3f}"
            table.add_row(name, str(row["class"]), row["label"], f"{row['probability']:.4f}", score)
    table_console().print(table)
