"""cyclonedx.json: a CycloneDX 1.6 bill of materials, a machine-learning model each with its model card.

``modelCard.quantitativeAnalysis.performanceMetrics`` holds every figure that has a value: type, value, slice and
confidence interval, as text. External data are components of the model's own. The serial number is made of what was
measured, so that the same audit has the same one.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from onnxray.errors.shown_text import json_text, terminal
from onnxray.report.audit.standing import results_by_model, standing

_SPACE: Final = uuid.UUID("8d9a5d0e-5c0c-5f0b-9a43-2f4f6a1e7c11")
"""Of serial numbers of this kind; drawn once."""


def cyclonedx(document: Mapping[str, Any]) -> str:
    """The document as CycloneDX."""
    told = [[model["identity"] for model in document["models"]], [result["key"] for result in document["results"]]]
    serial = uuid.uuid5(_SPACE, json.dumps([*told, document["policy"]["sha256"], document["seed"]]))
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}", "version": 1,
        "metadata": {
            "timestamp": document["run"]["started"],
            "tools": {"components": [
                {"type": "application", "name": "onnxray", "version": document["versions"]["onnxray"]}
            ]},
            "properties": [
                {"name": "onnxray:policy", "value": terminal(document["policy"]["name"])},
                {"name": "onnxray:policy:sha256", "value": document["policy"]["sha256"]},
                {"name": "onnxray:passed", "value": str(document["passed"]).lower()},
            ],
        },
        "components": [_component(place, model, results) for place, model, results in results_by_model(document)],
    }  # fmt: skip
    return json_text(bom) + "\n"


def _component(place: int, model: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    path = PurePath(str(model["path"] if model["file"] is None else model["file"]))
    entry: dict[str, Any] = {
        "type": "machine-learning-model", "bom-ref": f"model-{place}", "name": terminal(path.name),
        "properties": [
            {"name": "onnxray:path", "value": terminal(str(model["path"]))},
            *({"name": f"onnxray:check:{terminal(one['name'])}", "value": standing(one)} for one in results),
        ],
    }  # fmt: skip
    if model["sha256"] is not None:
        entry["hashes"] = [{"alg": "SHA-256", "content": model["sha256"]}]
        entry["modelCard"] = _card(model, results)
    if model["external"]:
        entry["components"] = [
            {
                "type": "file", "bom-ref": f"model-{place}-external-{number}", "name": terminal(location),
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
            for number, (location, digest) in enumerate(model["external"].items())
        ]  # fmt: skip
    return entry


def _card(model: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    metrics = [
        _metric(result, figure) for result in results for figure in result["figures"] if figure["value"] is not None
    ]
    opsets = ", ".join(f"{domain} {version}" for domain, version in (model["opsets"] or {}).items())
    properties = {
        "producer": model["producer"], "opsets": opsets, "nodes": model["nodes"], "parameters": model["parameters"],
    }  # fmt: skip
    return {
        "modelParameters": {
            "inputs": [{"format": "image" if model["profile"] is not None else "array"}],
            "outputs": [{"format": terminal(str(model["output"]["kind"]))}],
        },
        "quantitativeAnalysis": {"performanceMetrics": metrics},
        "properties": [
            {"name": f"onnxray:{name}", "value": terminal(str(value))} for name, value in properties.items()
        ],
    }  # fmt: skip


def _metric(result: Mapping[str, Any], figure: Mapping[str, Any]) -> dict[str, Any]:
    unit = f" [{figure['unit']}]" if figure["unit"] else ""
    entry: dict[str, Any] = {
        "type": terminal(f"{result['name']}: {figure['name']}{unit}"), "value": repr(figure["value"]),
    }  # fmt: skip
    if figure["slice"] is not None:
        entry["slice"] = terminal(figure["slice"])
    ends = {"lowerBound": figure["low"], "upperBound": figure["high"]}
    known = {name: repr(value) for name, value in ends.items() if value is not None}
    if known:
        entry["confidenceInterval"] = known
    return entry
