"""What a user wants explained, as text or as a value: a class, a channel, a neuron, a number of a detector, a likeness.

9, class:9, "tabby cat"       a class by number, label or synonym; without a target, the judge's own class of each image
conv5_3:12, conv5_3:12,4,7    a channel (its mean) or a neuron of any named value; value:NAME where it could be both
scores[812,1], scores[max,-1] one number of a value, batch axis left out; max: where it is largest, image by image
boxes[0].score, mask(class=2) a detector's box, best first; the region that a class of a mask wins
output, output[2]             a number of the output that the model is answered with
like:FILE, like:FILE@features the cosine of an embedding with that of an image, or with one in a .npy file; also
                              "features like FILE"

A list or an array of them is one for each image.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, UnknownValue
from onnxray.graph.classifier.class_names import near_names, places_of
from onnxray.graph.classifier.predictions import Predictions
from onnxray.graph.outputs.facts import CLASS_KINDS, dims_of, width_of
from onnxray.graph.outputs.origins import softmax_behind
from onnxray.graph.outputs.output_kinds import outputs_of
from onnxray.graph.value_names import Selection
from onnxray.images.pixels import Pixels
from onnxray.model.model import Model
from onnxray.objectives.class_score import ClassScore, LabelKept, Score, in_one_batch
from onnxray.objectives.likeness import Similarity
from onnxray.objectives.objective import Objective
from onnxray.objectives.output_targets import BOX, ELEMENT, REGION, ask_for_target, box_score, element, region_score
from onnxray.objectives.parts_of_values import Part

_LIKE = re.compile(r"(?P<value>\S+) like (?P<file>.+)")
_OUTPUT = re.compile(r"output(?P<index>\[.*\])?")


@dataclass(frozen=True, kw_only=True)
class Like:
    """The embedding of an image (path, PIL image, array), or a given one (``values``), at a value of the model."""

    image: object = None
    values: NDArray[Any] | None = None
    at: str | None = None


Target = Objective | Like | str | int | None


def read_target(
    model: Model, pixels: Pixels, target: object, score: Score = "logit", verdict: Predictions | None = None
) -> Objective:
    """An objective for each image from what a user states; see the top of the file for the forms of text.

    score: how a class is scored. verdict: the judge's own on these images, where it was asked already.
    Errors: InputError, UnknownValue.
    """
    if isinstance(target, Objective):
        _check_values(model, target)
        _check_count(target.count, len(pixels))
        return target.rows(np.arange(len(pixels)))
    if isinstance(target, list | tuple | np.ndarray):
        return _one_for_each(model, pixels, target, score)
    if isinstance(target, Like):
        return _likeness(model, pixels, target)
    if isinstance(target, os.PathLike):
        target = f"like:{os.fspath(target)}"
    if target is None:
        labels = _labels_alone(model, pixels)
        if labels is not None:
            return LabelKept(model.answering.closing.output, labels)
        if verdict is None and model.head.kind not in CLASS_KINDS:
            return _whole_answer(model)
        said = verdict or model.predict_classes(pixels)
        return _class_score(model, said, said.classes, score)
    if isinstance(target, int | np.integer) and not isinstance(target, bool):
        target = f"class:{int(target)}"
    if not isinstance(target, str) or not target:
        raise InputError(
            f"the target is {target!r}; expected a class (number or label), the name of a value, a Like, an Objective"
        )
    return _named(model, pixels, target, score, verdict)


def targets_of(targets: object, start: int, count: int, total: int) -> object:
    """What is wanted of the images from ``start``, of ``total``: an Objective's or a list's own rows, else one for all.

    Errors: InputError where there are more or fewer targets than images.
    """
    if isinstance(targets, Objective):
        _check_count(targets.count, total)
        return targets.rows(np.arange(start, start + count))
    if isinstance(targets, list | tuple | np.ndarray):
        _check_count(len(targets), total)
        return targets[start : start + count]
    return targets


def _one_for_each(model: Model, pixels: Pixels, targets: Sequence[object] | NDArray[Any], score: Score) -> Objective:
    _check_count(len(targets), len(pixels))
    rows = (pixels.rows(slice(k, k + 1)) for k in range(len(pixels)))
    return in_one_batch([read_target(model, one, target, score) for one, target in zip(rows, targets)])


def _check_count(given: int | None, count: int) -> None:
    if given is not None and given != count:
        raise InputError(f"{given} targets were given for {count} images; give one for all, or one for each")


def _check_values(model: Model, objective: Objective) -> None:
    """Refuse an objective that reads what is no value's whole name. Errors: UnknownValue, InputError."""
    for name in objective.values:
        if name not in model.graph.values:
            whole = model.select_value(name)
            raise InputError(f"the objective reads {name!r}; name the value itself: {whole!r}")


def class_index(model: Model, text: str, count: int) -> int:
    """The class that a label or a number means, of ``count``; a label wins. Errors: InputError."""
    text = text.removeprefix("class:")
    labels = [model.label(index) for index in range(count)]
    found = places_of(labels, text)
    if not found and text.isdecimal() and len(text) < 10 and int(text) < count:
        found = [int(text)]
    if len(found) != 1:
        known = f"the classes {', '.join(map(str, found[:10]))} are all labelled" if found else "there is no class"
        near = "" if found else _near(labels, text)
        raise InputError(f"{known} {text!r}; {near}give a number from 0 to {count - 1}, or a label")
    return found[0]


def _near(labels: Sequence[str], text: str) -> str:
    near = near_names(labels, text)
    return f"did you mean the class {' or '.join(map(repr, near))}? " if near else ""


def describe_scores(model: Model, objective: Objective) -> tuple[str, ...]:
    """What should be said of an objective: that the softmax was looked through, or that one was named and is not."""
    if not isinstance(objective, ClassScore):
        if objective.one_by_one:
            return (
                f"the rows of {objective.values[0]!r} are chosen anew where an image is changed, so that one may be "
                "another's there; a value before the choice keeps its rows",
            )
        softmaxes = {name: softmax_behind(model.graph, name) for name in objective.values}
        head = model.head
        whole = isinstance(objective, Part) and objective.single and objective.values == (head.name,)
        only = (f"the one number of output {head.name!r} is explained",) if whole and head.kind == "regression" else ()
        return only + tuple(
            f"{name!r} is a softmax, read as named; its gradient fades where it is sure: {node.inputs[0]!r} does not"
            for name, node in softmaxes.items()
            if node is not None
        )
    said = list[str]()
    closing = model.answering.closing
    output = closing.output
    if objective.value != output:
        seen = "" if closing.kind is None else f"the output {output!r} is a softmax; "
        seen = f"the output {output!r} is a sigmoid, each class by itself; " if closing.kind == "sigmoid" else seen
        said.append(f"{seen}the target is read at the logits {objective.value!r}")
    if objective.head is not None:
        reading = objective.head.probabilities
        if closing.kind is None and reading.form == "probability":
            said.append(
                f"the output {output!r} holds probabilities already, and no softmax closes it: logit means them"
            )
        elif reading.value == output != objective.value and "probability" in objective.kind:
            said.append(f"probabilities are read at {output!r}, as it rounds them")
    return tuple(said)


def _named(model: Model, pixels: Pixels, text: str, score: Score, verdict: Predictions | None) -> Objective:
    """The first of the forms at the top of the file that a text has."""
    if text.startswith("like:"):
        return _like_file(model, pixels, text.removeprefix("like:"))
    if text.startswith("class:"):
        return _class_of(model, pixels, text, score, verdict)
    number = _of_an_output(model, pixels, text) if text not in model.graph.values else None
    if number is not None:
        return number
    if _OUTPUT.fullmatch(text) and "output" not in model.graph.values:
        return _part(model, Selection(model.head.name))
    if _means_a_class(model, text):
        found = _class_of(model, pixels, text, score, verdict)
        if text in model.graph.values:
            raise InputError(f"{text!r} is a class and a value; say class:{text} or value:{text}")
        return found
    try:
        selection = model.select(text)
    except UnknownValue as error:
        labels = model.answering.labels
        if labels is None or text.startswith("value:"):
            raise
        if places_of(labels, text):
            return _class_of(model, pixels, text, score, verdict)
        near = _near(labels, text)
        raise UnknownValue(f"{error}; {near.strip()}" if near else str(error)) from None
    return _part(model, selection)


def _means_a_class(model: Model, text: str) -> bool:
    """Whether text without a prefix is a number, or a label that is stated."""
    labels = model.answering.labels
    return not text.startswith("value:") and (text.isdecimal() or (labels is not None and text in labels))


def _part(model: Model, selection: Selection) -> Part:
    """A channel, a neuron, or a value of one number. Errors: InputError."""
    value = model.graph.values[selection.value]
    if not value.is_float and value.dtype:
        raise InputError(f"{selection.value!r} holds {value.dtype}; a target holds real numbers")
    numbers = value.shape[1:] if value.shape is not None else (None,)
    if selection.channel is None and any(number != 1 for number in numbers):
        raise InputError(
            f"{selection.value!r} has the shape {list(value.shape or ())}, more than one number an image; name a "
            f"channel ({selection.value}:0), a neuron ({selection.value}:0,3,4) or a number ({selection.value}[0])"
        )
    left = numbers if selection.channel is None else numbers[1:]
    return Part(selection, single=value.shape is not None and all(number == 1 for number in left))


def _of_an_output(model: Model, pixels: Pixels, text: str) -> Objective | None:
    """The forms that name a number, a box, a region or a likeness of a value; None for other text."""
    of_output = _OUTPUT.fullmatch(text)
    if of_output is not None and of_output["index"] and "output" not in model.graph.values:
        text = f"{model.head.name}{of_output['index']}"
    if (box := BOX.fullmatch(text)) is not None:
        return box_score(model, pixels, int(box["place"]))
    if (region := REGION.fullmatch(text)) is not None:
        return region_score(model, pixels, region["class"])
    if (like := _LIKE.fullmatch(text)) is not None:
        own = like["value"] == "embedding" and "embedding" not in model.graph.values
        return _like_file(model, pixels, like["file"] if own else f"{like['file']}@{like['value']}")
    if (number := ELEMENT.fullmatch(text)) is not None:
        return element(model, pixels, model.select_value(number["value"]), number["index"])
    return None


def _whole_answer(model: Model) -> Part:
    """What is explained of an output that is no classifier's where nothing is said: its one number, if it is one."""
    head = model.head
    if head.kind != "regression" or width_of(dims_of(model.graph, head.name)) != 1:
        ask_for_target(model)
    return Part(Selection(head.name), single=True)


def _class_of(model: Model, pixels: Pixels, text: str, score: Score, verdict: Predictions | None) -> ClassScore:
    said = verdict or model.predict_classes(pixels.rows(slice(0, 1)))
    found = class_index(model, text, said.probabilities.shape[1])
    return _class_score(model, said, np.full(len(pixels), found), score)


def _class_score(model: Model, said: Predictions, classes: NDArray[np.int64], score: Score) -> ClassScore:
    labels = tuple(model.label(int(c)) for c in classes)
    return ClassScore(model.aliases["logits"], np.asarray(classes, np.int64), score, labels, said.head)


def _like_file(model: Model, pixels: Pixels, text: str) -> Similarity:
    """FILE or FILE@NAME: a picture, or an embedding in a .npy file."""
    source, _, at = text.partition("@")
    if source.endswith(".npy"):
        return _likeness(model, pixels, Like(values=read_array(Path(source), "one embedding"), at=at or None), source)
    return _likeness(model, pixels, Like(image=source, at=at or None), source)


def _likeness(model: Model, pixels: Pixels, like: Like, source: str | None = None) -> Similarity:
    at = model.select_value(like.at) if like.at is not None else _embedding_of(model)
    if (like.image is None) == (like.values is None):
        raise InputError("a Like needs one of image and values")
    if like.values is not None:
        references = np.asarray(like.values, np.float64).reshape(1, -1)
        source = source or "a given embedding"
    else:
        image = model.pixels(like.image)
        if len(image) != 1:
            raise InputError(f"{len(image)} images are given to be like; one was expected")
        references = model.values(image, [at])[at].astype(np.float64).reshape(1, -1)
        source = source or image.names[0] or "a given image"
    if not np.isfinite(references).all() or not references.any():
        raise InputError(f"the embedding of {source} is zero or not finite; there is nothing to be like")
    return Similarity(at, np.repeat(references, len(pixels), axis=0), source)


def _embedding_of(model: Model) -> str:
    """The output that is an embedding, else the first."""
    found = (one.name for one in (model.head, *outputs_of(model.graph)) if one.kind == "embedding")
    return next(found, model.graph.outputs[0].name)


def _labels_alone(model: Model, pixels: Pixels) -> NDArray[Any] | None:
    """(N,): the labels of a classifier that gives no scores, numbers or text; None for other models."""
    output = model.answering.closing.output
    value = model.graph.values.get(output)
    rank = None if value is None or value.shape is None else len(value.shape)
    if value is None or value.is_float or rank not in {1, 2, None}:
        return None
    raw = model.judge.outputs(model.feeds(pixels), [output])[output]
    if raw.dtype.kind not in "iuOSU" or raw.shape not in {(len(pixels),), (len(pixels), 1)}:
        return None
    labels = raw.reshape(-1)
    return None if any(isinstance(label, Mapping) for label in labels) else labels


def read_array(path: Path, holding: str) -> NDArray[Any]:
    """The numbers of a .npy file, which should hold what ``holding`` says. Errors: InputError."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} holds no array that can be read: {error}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise InputError(f"{path} holds no array of numbers; a .npy file with {holding} was expected")
    return array


__all__ = ["Like", "Target", "class_index", "describe_scores", "read_array", "read_target"]
