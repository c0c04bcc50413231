"""audit.sarif: SARIF 2.1.0, one result for each model and check.

A rule is a check; the location is the model's path, with the nodes and values that findings name as logical locations.
``partialFingerprints``: of model and check, which stays from audit to audit, and of the contents that were measured.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from onnxray.errors.shown_text import json_text, terminal
from onnxray.report.audit.standing import Standing, headline, reasons, said, standing

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_KINDS: Final[Mapping[Standing, tuple[str, str]]] = MappingProxyType({
    "passed": ("pass", "none"), "failed": ("fail", "error"), "warned": ("fail", "warning"),
    "waived": ("fail", "note"), "recorded": ("informational", "none"), "not applicable": ("notApplicable", "none"),
})  # fmt: skip
_MOST_PLACES: Final = 100
NOT_MET: Final = 3


def audit_sarif(document: Mapping[str, Any]) -> str:
    """The document as SARIF."""
    rules = _rules(document)
    places = {rule["id"]: place for place, rule in enumerate(rules)}
    policy = document["policy"]
    run = {
        "tool": {"driver": {
            "name": "onnxray", "version": document["versions"]["onnxray"], "rules": rules,
            "semanticVersion": document["versions"]["onnxray"],
        }},
        "automationDetails": {"id": terminal(f"onnxray audit/{policy['name']}/")},
        "invocations": [{
            "executionSuccessful": True, "exitCode": 0 if document["passed"] else NOT_MET,
            "startTimeUtc": _utc(document["run"]["started"]),
            "properties": {"passed": document["passed"], "policy": policy["sha256"], "seed": document["seed"]},
        }],
        "artifacts": [_artifact(model) for model in document["models"]],
        "results": [_result(result, document, places) for result in document["results"]],
        "columnKind": "utf16CodeUnits",
    }  # fmt: skip
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _rules(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for result in document["results"]:
        found.setdefault(result["check"], {
            "id": result["check"], "name": _pascal(result["check"]),
            "shortDescription": {"text": _text(result["title"])},
            "properties": {"version": result["version"], "tags": ["model", "audit"]},
        })  # fmt: skip
    return list(found.values())


def _result(result: Mapping[str, Any], document: Mapping[str, Any], places: Mapping[str, int]) -> dict[str, Any]:
    model = document["models"][result["model"]]
    kind, level = _KINDS[standing(result)]
    told = reasons(result) or [headline(result) or f"{result['name']}: {result['state']}"]
    prints = {"modelAndCheck/v1": _digest(str(model["path"]), result["name"])}
    if result["key"]:
        prints["contents/v1"] = result["key"]
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(_place(model)), "index": result["model"]}, "region": {"startLine": 1},
        }
    }  # fmt: skip
    logical = _logical(result)
    if logical:
        location["logicalLocations"] = logical
    entry: dict[str, Any] = {
        "ruleId": result["check"], "ruleIndex": places[result["check"]], "kind": kind, "level": level,
        "message": {"text": _text(f"{result['name']}: {'; '.join(told)}")}, "locations": [location],
        "partialFingerprints": prints,
        "properties": {
            "state": result["state"], "policyLevel": result["level"],
            "figures": [said(figure) for figure in result["figures"][:_MOST_PLACES]],
        },
    }  # fmt: skip
    if result["waiver"] is not None:
        waiver = result["waiver"]
        entry["suppressions"] = [{
            "kind": "external", "status": "accepted",
            "justification": terminal(f"{waiver['reason']} ({waiver['owner']}, until {waiver['until']})"),
        }]  # fmt: skip
    return entry


def _logical(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The nodes and values that findings name."""
    found: dict[tuple[str, str], None] = {}
    for finding in result["findings"]:
        for kind in ("node", "value"):
            if finding[kind]:
                found[kind, str(finding[kind])] = None
    return [
        {"name": terminal(name), "fullyQualifiedName": terminal(name), "kind": f"onnx {kind}"}
        for kind, name in list(found)[:_MOST_PLACES]
    ]


def _artifact(model: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"location": {"uri": _uri(_place(model))}, "mimeType": "application/octet-stream"}
    if model["sha256"] is not None:
        entry["hashes"] = {"sha-256": model["sha256"]}
    if model["bytes"] is not None:
        entry["length"] = model["bytes"]
    return entry


def _place(model: Mapping[str, Any]) -> object:
    """The file that its sha256 is of."""
    return model["path"] if model["file"] is None else model["file"]


def _uri(path: object) -> str:
    """A path as a reference of a URI, its bytes as they are."""
    own = PurePath(str(path))
    try:
        quoted = quote(os.fsencode(own.as_posix()))
    except UnicodeEncodeError:  # of no file here: a document may hold what no path can
        quoted = quote(own.as_posix().encode("utf-8", "surrogatepass"))
    return f"file://{quoted if quoted.startswith('/') else '/' + quoted}" if own.is_absolute() else quoted


def _text(text: str) -> str:
    """Text as a message: without links and places for arguments, which brackets and braces would be."""
    shown = terminal(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return shown.replace("{", "{{").replace("}", "}}")


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def _utc(moment: str) -> str:
    return moment.replace("+00:00", "Z")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
