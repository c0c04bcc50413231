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
    from collections.abc import Sequence

    from onnxray.graph.classifier.predictions import Prediction
    from onnxray.model.answers.answer import Answer


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
        _keep(shared, work, items, {"kind": answer.kind, "output": answer.output, "image_notes": told})
        if not shared.json:
            _show_others(answer, pixels.names)
        tell_notes(told)
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
    facts = {"kind": predictions.kind, "output": predictions.output, "image_notes": notes}
    _keep(shared, work, items, facts, interrupted=interrupted)
    if not shared.json:
        _show(items, named=opened.answering.labels is not None)
    tell_notes(notes)
    if opened.answering.labels is None and shared.labels is None and not shared.json:
        note("the classes have no names here: --labels FILE, or --labels imagenet and the like, gives them")
    if interrupted:
        say_interrupted(resumes=False)


def _keep(
    shared: Opening, work: Work, items: list[dict[str, Any]], facts: dict[str, Any], *, interrupted: bool = False
) -> None:
    """Write and print the document where it was asked for; the file is hashed for it."""
    if not shared.keeps:
        work.say_notes()
        return
    document = work.document(items, facts, interrupted=interrupted) | ({"incomplete": True} if interrupted else {})
    document = write_document(document, shared.out)
    if shared.json:
        print_json(document)


def _show_others(answer: Answer, names: Sequence[str | None]) -> None:
    """For people: what is said by an output that is no classifier's."""
    from rich.table import Table

    from onnxray.cli.parts.console import table_console

    table = Table("image", str(answer.kind), title=f"output {answer.output}")
    for k, name in enumerate(shown_names(names)):
        table.add_row(name, answer.describe(k))
    table_console().print(table)


def _entry(prediction: Prediction) -> dict[str, Any]:
    """For JSON."""
    ruled_out = prediction.score == -math.inf
    entry = {
        "class": prediction.class_, "label": prediction.label, "score": None if ruled_out else prediction.score,
        "probability": prediction.probability,
    }  # fmt: skip
    return entry | {"reason": "the file rules this class out"} if ruled_out else entry


def _show(items: list[dict[str, Any]], *, named: bool) -> None:
    """For people. named: whether the classes have names."""
    from rich.table import Table

    from onnxray.cli.parts.console import table_console

    label = ("label",) if named else ()
    table = Table("image", "class", *label, "probability", "score")
    for item, image in zip(items, shown_names([item["path"] for item in items])):
        for rank, row in enumerate(item["top"]):
            name = image if rank == 0 else ""
            score = "-inf" if row["score"] is None else f"{row['score']:.3f}"
            label = (row["label"],) if named else ()
            table.add_row(name, str(row["class"]), *label, f"{row['probability']:.4f}", score)
    table_console().print(table)
