"""Small detectors as exporters write them: two outputs, one output, rows that suppression chose, maps."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from support import models
from support.models import Array

INTS = "{name} = Constant <value_ints = {numbers}> () "


def ints(**values: list[int]) -> str:
    """Constant nodes of whole numbers."""
    return "".join(f"{name} = Constant <value_ints = {numbers}> () " for name, numbers in values.items())


BOXES = (
    ints(s4=[1, 4, -1], zero=[0])
    + "b0 = Conv (x, kb) b1 = Reshape (b0, s4) raw_boxes = Transpose <perm = [0, 2, 1]> (b1) "
)
SUPPRESSED = (
    BOXES + ints(sk=[1, 2, -1], most=[3], two=[2]) + "c0 = Conv (x, ks) c1 = Sigmoid (c0) raw = Reshape (c1, sk) "
    "iou = Constant <value_float = 0.5> () least = Constant <value_float = 0.3> () "
    "chosen = NonMaxSuppression (raw_boxes, raw, most, iou, least) k0 = Gather <axis = 1> (chosen, two) k = Squeeze (k0) "
    "b = Squeeze (raw_boxes, zero) boxes = Gather (b, k) "
    "t = Transpose <perm = [0, 2, 1]> (raw) s = Squeeze (t, zero) scores = Gather (s, k) "
)
WEIGHTS: dict[str, Array] = {
    "kb": models.random(0, 4, 3, 1, 1), "ks": models.random(1, 2, 3, 1, 1), "k5": models.random(2, 5, 3, 1, 1),
    "k1": models.random(3, 1, 3, 1, 1), "kh": models.random(4, 2, 3, 1, 1),
}  # fmt: skip
_SCORES = "c0 = Conv (x, ks) c1 = Reshape (c0, sk) c2 = Transpose <perm = [0, 2, 1]> (c1) "
DETECTORS: Mapping[str, tuple[str, str, dict[str, str]]] = {
    "softmax beside boxes": (
        BOXES.replace("raw_boxes", "boxes") + ints(sk=[1, 2, -1]) + _SCORES + "scores = Softmax (c2)",
        "float[1,64,2] scores, float[1,64,4] boxes", {"boxes": "boxes", "scores": "box scores"},
    ),
    "sigmoids beside boxes": (
        BOXES.replace("raw_boxes", "boxes") + ints(sk=[1, 2, -1]) + _SCORES + "scores = Sigmoid (c2)",
        "float[1,64,4] boxes, float[1,64,2] scores", {"boxes": "boxes", "scores": "box scores"},
    ),
    "one score beside boxes": (
        BOXES.replace("raw_boxes", "boxes") + ints(sk=[1, -1])
        + "c0 = Conv (x, k1) c1 = Sigmoid (c0) scores = Reshape (c1, sk)",
        "float[1,64,4] boxes, float[1,64] scores", {"boxes": "boxes", "scores": "box scores"},
    ),
    "bare scores beside boxes": (
        BOXES.replace("raw_boxes", "boxes") + ints(sk=[1, 2, -1]) + _SCORES + "scores = Identity (c2)",
        "float[1,64,2] scores, float[1,64,4] boxes", {"boxes": "boxes", "scores": "box scores"},
    ),
    "yolo, numbers first": (
        ints(s4=[1, 4, -1], sk=[1, 2, -1])
        + "b0 = Conv (x, kb) b1 = Reshape (b0, s4) c0 = Conv (x, ks) c1 = Reshape (c0, sk) c2 = Sigmoid (c1) "
        "y = Concat <axis = 1> (b1, c2)",
        "float[1,6,64] y", {"y": "boxes"},
    ),
    "yolo, places first with objectness": (
        ints(s4=[1, 4, -1], sk=[1, 2, -1], so=[1, 1, -1])
        + "b0 = Conv (x, kb) b1 = Reshape (b0, s4) c0 = Conv (x, ks) c1 = Reshape (c0, sk) c2 = Sigmoid (c1) "
        "o0 = Conv (x, k1) o1 = Reshape (o0, so) o2 = Sigmoid (o1) "
        "j = Concat <axis = 1> (b1, o2, c2) y = Transpose <perm = [0, 2, 1]> (j)",
        "float[1,64,7] y", {"y": "boxes"},
    ),
    "maps": (
        "h0 = Conv (x, k1) heat = Sigmoid (h0) size = Conv (x, kh) offset = Conv (x, ks) marks = Conv (x, k5)",
        "float[1,1,8,8] heat, float[1,2,8,8] size, float[1,2,8,8] offset, float[1,5,8,8] marks",
        {"heat": "box scores", "size": "boxes", "offset": "boxes", "marks": "feature map"},
    ),
    "maps of a class each": (
        "h0 = Conv (x, k5) heat = Sigmoid (h0) size = Conv (x, kh) offset = Conv (x, ks)",
        "float[1,5,8,8] heat, float[1,2,8,8] size, float[1,2,8,8] offset",
        {"heat": "box scores", "size": "boxes", "offset": "boxes"},
    ),
    "channels last, at each place": (
        "b0 = Conv (x, kb) boxes = Transpose <perm = [0, 2, 3, 1]> (b0) "
        "c0 = Conv (x, ks) c1 = Transpose <perm = [0, 2, 3, 1]> (c0) scores = Softmax (c1)",
        "float[1,8,8,4] boxes, float[1,8,8,2] scores", {"boxes": "boxes", "scores": "box scores"},
    ),
    "suppressed": (
        SUPPRESSED, "float[n,4] boxes, float[n,2] scores", {"boxes": "boxes", "scores": "box scores"},
    ),
    "suppressed, a class and a score a row": (
        SUPPRESSED.replace("scores = Gather", "all = Gather")
        + "best = ReduceMax <axes = [1], keepdims = 0> (all) labels = ArgMax <axis = 1, keepdims = 0> (all)",
        "float[n,4] boxes, int64[n] labels, float[n] best",
        {"boxes": "boxes", "labels": "box classes", "best": "box scores"},
    ),
    "suppressed, in one": (
        SUPPRESSED.replace("scores = Gather", "all = Gather")
        + "best = ReduceMax <axes = [1]> (all) label = ArgMax <axis = 1> (all) class = Cast <to = 1> (label) "
        "rows = Concat <axis = 1> (class, best, boxes)",
        "float[n,6] rows", {"rows": "boxes"},
    ),
}  # fmt: skip
TEXT = "g (float[1,3,8,8] x) => ({outputs}) {{ {nodes} }}"


def detector(name: str) -> onnx.ModelProto:
    """One of the detectors, with the weights that it reads."""
    nodes, outputs, _ = DETECTORS[name]
    used = {weight: array for weight, array in WEIGHTS.items() if f" {weight})" in nodes}
    return models.parse(TEXT.format(nodes=nodes, outputs=outputs), used)
