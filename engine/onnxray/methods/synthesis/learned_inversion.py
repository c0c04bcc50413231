"""Pictures that a network gives for a layer's codes: an ONNX file that was trained for it, run by ONNX Runtime."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.reading import read_graph
from onnxray.images.eight_bits import to_uint8
from onnxray.images.profile.side_text import parse_json
from onnxray.model.model import Model

CARD: Final = "onnxray_inverter"
"""The key of an inverter's metadata that says what it was trained for."""


def learned_pictures(path: str, model: Model, layer: str, codes: NDArray[Any]) -> Image8:
    """(n, C, H, W) for codes (n, ...) of a layer: 127.5 (f(code) + 1). Errors: InputError where it is not for them."""
    opened = Model(read_graph(path), None)
    text = opened.graph.metadata.get(CARD)
    try:
        card = parse_json(text or "")
        made_for = str(card["layer"]), str(card["sha256"])
    except (ValueError, TypeError, KeyError):
        raise InputError(
            f"{short(path)} is no inverter that onnxray trained: its metadata {CARD!r} does not say what of; train "
            "one: onnxray generator inverter"
        ) from None
    if made_for != (layer, model.graph.sha256):
        raise InputError(
            f"{short(path)} was trained for {short(made_for[0])} of the file {short(made_for[1][:12])}, not for "
            f"{layer!r} of this one; name that layer: --layer {short(made_for[0])}"
        )
    assert model.profile is not None
    found = opened.judge.outputs({"code": np.asarray(codes, np.float32)}, ["picture"])["picture"]
    if found.shape[1:] != model.profile.shape or not np.isfinite(found).all():
        raise InputError(
            f"{short(path)} gives pictures of {list(found.shape[1:])}; {list(model.profile.shape)} were expected"
        )
    return to_uint8(127.5 * (found + 1))
