"""Targets by what an output is: a number of a value, a box's score, a class's region of a mask, the one number.

scores[812,1], scores[max,-1]   a number of a value, the axis of samples left out where it has one; max: the largest
boxes[0].score                  the score of the best box (1: the second, -1: the last that is listed), image by image
mask(class=2), mask(2)          the mean score of a class over the region that it wins
"""

from __future__ import annotations

import re
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.graph.node_attributes import attribute
from onnxray.graph.outputs.facts import OutputFacts, dims_of
from onnxray.graph.outputs.origins import closing_node, moved_origin_of
from onnxray.graph.outputs.output_kinds import output_named
from onnxray.graph.outputs.rows_alone import rows_alone
from onnxray.images.pixels import Pixels
from onnxray.model.answers.detections import Boxes, Detections
from onnxray.model.answers.masks import Mask
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective
from onnxray.objectives.parts_of_values import Element, Product, RegionScore

ELEMENT = re.compile(r"(?P<value>.+)\[(?P<index>(-?\d{1,18}|max)(,(-?\d{1,18}|max))*)\]")
BOX = re.compile(r"(?P<value>.+)\[(?P<place>-?\d{1,18})\]\.score")
REGION = re.compile(r"mask\((?:class=)?(?P<class>.+)\)")


def element(model: Model, pixels: Pixels, value: str, text: str) -> Element:
    """NAME[1,max,-1]: one number of a value for each image. Errors: InputError."""
    array = model.values(pixels, [value])[value]
    alone = rows_alone(model.graph, value) or (len(pixels) == 1 != len(array) if array.ndim else True)
    if alone and len(pixels) != 1:
        raise InputError(
            f"the rows of {value!r} are not those of one image each, so {value}[{text}] is not known of several; give "
            "one image at a time"
        )
    samples = array[None] if alone else array
    parts = text.split(",")
    if samples.ndim != len(parts) + 1 or len(samples) != len(pixels):
        left = "it has no axis of images" if alone else "batch left out"
        raise InputError(
            f"{value!r} has the shape {list(array.shape)}; {value}[{text}] needs {samples.ndim - 1} numbers, one an "
            f"axis, {left}"
        )
    if 0 in samples.shape:
        raise InputError(
            f"{value!r} has the shape {list(array.shape)}, nothing was found here; there is no number in it"
        )
    for part, size in zip(parts, samples.shape[1:]):
        if part != "max" and not -size <= int(part) < size:
            raise InputError(f"{value}[{text}]: {part} is beyond the axis of {size} in the shape {list(array.shape)}")
    return Element(value, _indices(samples, parts), alone)


def _indices(samples: Array, parts: list[str]) -> NDArray[np.int64]:
    """(N, rank - 1): the index of each sample, its largest number sought along the axes of ``max``."""
    fixed = [0 if part == "max" else int(part) % size for part, size in zip(parts, samples.shape[1:])]
    found = np.tile(fixed, (len(samples), 1)).astype(np.int64)
    free = [axis for axis, part in enumerate(parts) if part == "max"]
    if free:
        taken = samples[(slice(None), *(slice(None) if p == "max" else k for p, k in zip(parts, fixed)))]
        best = np.unravel_index(taken.reshape(len(samples), -1).argmax(1), taken.shape[1:])
        found[:, free] = np.stack(best, axis=1)
    return found


def box_score(model: Model, pixels: Pixels, place: int) -> Objective:
    """boxes[PLACE].score: of the box of that place in what ``predict`` lists. Errors: InputError."""
    answer = model.predict(pixels)
    if not isinstance(answer, Detections) or answer.score is None:
        raise InputError(f"output {model.head.name!r} is {model.head.said()}; it has no scores of boxes")
    facts = output_named(model.graph, answer.score)
    assert facts is not None
    chosen = [_box_at(one, place, name) for one, name in zip(answer.samples, pixels.names)]
    rows = np.array([row for row, _ in chosen])
    columns = np.array([column for _, column in chosen])
    if (columns < 0).any():
        return _joint(facts, answer, rows, [place] * len(rows))
    return Element(facts.name, _places(model, pixels, facts, rows, columns), facts.rows_alone)


def _box_at(boxes: Boxes, place: int, name: str | None) -> tuple[int, int]:
    if not -len(boxes) <= place < len(boxes):
        listed = "no box is" if not len(boxes) else f"{len(boxes)} box{'es are' if len(boxes) > 1 else ' is'}"
        raise InputError(
            f"{listed} listed for {name or 'the image'}, so there is no boxes[{place}]; name a number of the scores, "
            "or list more: a lower threshold in the profile's [head]"
        )
    return int(boxes.rows[place]), int(boxes.columns[place])


def _places(
    model: Model, pixels: Pixels, facts: OutputFacts, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(N, axes): where the scores of rows stand in the output, as the answer counts rows."""
    dims = dims_of(model.graph, facts.name)
    rank = (0 if dims is None else len(dims)) - (0 if facts.rows_alone else 1)
    if rank == 1:
        return rows[:, None]
    if rank == 2:
        return np.stack([columns, rows] if facts.axis == 1 else [rows, columns], axis=1)
    axis = 1 if facts.axis is None else facts.axis
    shape = model.values(pixels.rows(slice(0, 1)), [facts.name])[facts.name].shape
    sides = tuple(side for k, side in enumerate(shape) if k not in (0, axis))
    y, x = np.unravel_index(rows, sides)
    parts = [np.asarray(y), np.asarray(x)]
    parts.insert(axis - 1, columns)
    return np.stack(parts, axis=1)


def _joint(facts: OutputFacts, answer: Detections, rows: NDArray[np.int64], places: list[int]) -> Objective:
    """The product of whether there is anything and of the class's score, which stand in one row."""
    starts, start = dict[str, int](), 0
    for column, wide in facts.columns:
        starts[column] = start
        start += wide
    classes = [answer.samples[k].classes for k in range(len(rows))]
    own = [0 if one is None else int(one[place]) for one, place in zip(classes, places)]
    objectness, scores = np.full(len(rows), starts["objectness"]), starts["scores"] + np.array(own)
    one, other = (
        Element(facts.name, np.stack([column, rows] if facts.axis == 1 else [rows, column], axis=1))
        for column in (objectness, scores)
    )
    return Product(one, other)


def region_score(model: Model, pixels: Pixels, text: str) -> RegionScore:
    """mask(class=CLASS): the mean score of a class, by label or number, over the region it wins. Errors: InputError."""
    answer, facts = model.predict(pixels), model.head
    if not isinstance(answer, Mask):
        raise InputError(f"output {facts.name!r} is {facts.said()}; it is no mask")
    count = answer.shares.shape[1]
    found = [k for k in range(count) if answer.label(k) == text] or [k for k in range(count) if str(k) == text]
    if len(found) != 1:
        raise InputError(f"the mask has no class {text!r}; give a number from 0 to {count - 1}, or a label")
    regions = answer.classes == found[0]
    for k, name in enumerate(pixels.names):
        if not regions[k].any():
            raise InputError(f"class {text!r} wins nowhere in {name or 'the image'}; it has: {answer.describe(k)}")
    value, axis = _scores_of_mask(model, facts)
    shape = model.values(pixels.rows(slice(0, 1)), [value])[value].shape
    single = len(shape) > axis and shape[axis] == 1
    regions = regions.reshape(len(regions), *(side for k, side in enumerate(shape) if k not in (0, axis)))
    channel, sign = (0, 1.0 if found[0] else -1.0) if single else (found[0], 1.0)
    return RegionScore(value, axis, channel, regions, f"class {answer.label(found[0])}", sign)


def _scores_of_mask(model: Model, facts: OutputFacts) -> tuple[str, int]:
    """Where the scores of a mask's classes are read: before the softmax or sigmoid that closes it, or before ArgMax."""
    node = moved_origin_of(model.graph, facts.name)
    if node is not None and node.operator == "ArgMax":
        rank = len(dims_of(model.graph, node.inputs[0]) or (0,) * 4)
        return node.inputs[0], int(attribute(node, "axis", 0)) % rank
    axis = 1 if facts.axis is None else facts.axis
    closing = closing_node(model.graph, facts.name)
    direct = closing is not None and facts.name in closing.outputs
    return (closing.inputs[0] if closing is not None and direct else facts.name), axis


def ask_for_target(model: Model) -> NoReturn:
    """Say which target fits what the output is. Errors: InputError."""
    head = model.head
    rank = len(dims_of(model.graph, head.name) or (0, 0))
    axes = max(1, rank if head.rows_alone else rank - 1)
    fitting = {
        "boxes": "boxes[0].score", "mask": "mask(class=1)", "embedding": "like:FILE", "regression": "output[0]",
        "sequence": f"{head.name}[0,max]",
    }.get(head.kind, f"{head.name}[{','.join(['max'] * axes)}]")  # fmt: skip
    raise InputError(
        f"output {head.name!r} is {head.said()}, so no class is explained by itself; say what is: --target '{fitting}'"
    )
