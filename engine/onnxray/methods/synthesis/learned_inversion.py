"""Pictures that a network gives for a layer's codes: an ONNX file that was trained for it, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Inverter:
    """The file of an inverter, and the shape of the pictures that it is to give."""

    path: str
    model: Model
    shape: tuple[int, ...]

    @classmethod
    def opened(cls, path: str, model: Model, layers: Sequence[str]) -> Inverter:
        """For the codes of the one layer that is inverted. Errors: InputError where it is not for them."""
        opened = Model(read_graph(path), None)
        text = opened.graph.metadata.get(CARD)
        try:
            card = parse_json(text or "")
            layer, origin = str(card["layer"]), str(card["sha256"])
        except (ValueError, TypeError, KeyError):
            raise InputError(
                f"{short(path)} is no inverter that onnxray trained: its metadata {CARD!r} does not say what of; train "
                "one: onnxray generator inverter"
            ) from None
        if origin != model.graph.sha256:
            raise InputError(
                f"{short(path)} was trained for another file ({short(origin[:12])}, and this is "
                f"{model.graph.sha256[:12]}); train one for this: onnxray generator inverter"
            )
        if tuple(layers) != (layer,):
            raise InputError(
                f"{short(path)} was trained for {short(layer)}, not for {short(list(layers))}; name that layer alone: "
                f"--layer {short(layer)}"
            )
        assert model.profile is not None
        taken, given = (
            {one.name: one.shape for one in values} for values in (opened.graph.inputs, opened.graph.outputs)
        )
        code, pictures = taken.get("code"), given.get("picture")
        expected = model.shapes([layer])[layer][1:], model.profile.shape
        if len(taken) != 1 or code is None or pictures is None or (code[1:], pictures[1:]) != expected:
            raise InputError(
                f"{short(path)} takes {_said(taken)} and gives {_said(given)}; code {list(expected[0])} and picture "
                f"{list(expected[1])} of each were expected, as onnxray generator inverter writes it"
            )
        return cls(path, opened, expected[1])

    def pictures(self, codes: NDArray[Any]) -> Image8:
        """(n, C, H, W) for codes (n, ...) of the layer: 127.5 (f(code) + 1). Errors: InputError where it gives none."""
        found = self.model.judge.outputs({"code": np.asarray(codes, np.float32)}, ["picture"])["picture"]
        if found.shape[1:] != self.shape or not np.isfinite(found).all():
            raise InputError(
                f"{short(self.path)} gives numbers that are not finite, or of the shape {list(found.shape)}; train it "
                "anew: onnxray generator inverter"
            )
        return to_uint8(127.5 * (found + 1))


def _said(values: Mapping[str, Sequence[object] | None]) -> str:
    """Names and shapes of one sample."""
    return short(", ".join(f"{name} {list((shape or ())[1:])}" for name, shape in values.items()))
