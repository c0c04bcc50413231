"""Layers as they were typed beside ONNX's own names, and targets without the folders of their files."""

from __future__ import annotations

from dataclasses import replace

import pytest

import onnxray
from onnxray.report.parts.said import target_words, typed_names
from onnxray.results.provenance import Provenance, provenance


def stamp(layer: object) -> Provenance:
    found = provenance(onnxray.open("lenet"), name="m", options={}, seed=0, seconds=0.0, notes=())
    return replace(found, method={"name": "m", "options": {"layer": layer}})


@pytest.mark.parametrize(
    ("typed", "layers", "said"),
    [
        ("logits", ["ip2", "ip2"], {"ip2": "logits (ip2)"}),
        ("ip2", ["ip2"], {}),
        (None, ["ip2"], {}),
        (("conv1", "logits"), ["conv1", "ip2", "conv1", "ip2"], {"ip2": "logits (ip2)"}),
        (("conv*",), ["conv1", "conv2"], {}),  # one pattern for two: neither was typed
        ("last-conv", [None, "conv2"], {"conv2": "last-conv (conv2)"}),
    ],
)
def test_a_layer_that_was_asked_for_by_another_name_has_both(
    typed: object, layers: list[str | None], said: dict[str, str]
) -> None:
    assert typed_names(stamp(typed), layers) == said


def test_a_file_in_a_target_stands_without_its_folders() -> None:
    assert target_words("cosine of embedding with /home/me/photos/dog.jpg") == "cosine of embedding with dog.jpg"
    assert target_words("cosine of /a/b with c with x/e.png") == "cosine of /a/b with c with e.png"
    for other in ("logit of class 4", "/layer4/relu:3", "cosine of embedding with a given embedding", "mean of a/b"):
        assert target_words(other) == other
