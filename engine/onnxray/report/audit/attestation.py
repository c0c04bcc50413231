"""attestation.json: an in-toto Statement of a test result, to be signed by whoever vouches for it.

https://in-toto.io/attestation/test-result/v0.1; its subjects are the model files and their external data by SHA-256,
its configuration the policy, the pictures and the program. A check is a test, ``PATH: CHECK``. What is only recorded,
or says nothing of a model, is no test of it and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from onnxray.errors.shown_text import json_text, terminal
from onnxray.report.audit.standing import standing

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://in-toto.io/attestation/test-result/v0.1"


def attestation(document: Mapping[str, Any]) -> str | None:
    """The statement; None where none of the models could be read, so that there is nothing to speak of."""
    subjects = _subjects(document)
    if not subjects:
        return None
    tests: dict[str, list[str]] = {"passed": [], "warned": [], "failed": []}
    for result in document["results"]:
        told = {"waived": "warned"}.get(standing(result), standing(result))
        if told in tests:
            path = document["models"][result["model"]]["path"]
            tests[told].append(terminal(f"{path}: {result['name']}"))
    verdict = "FAILED" if not document["passed"] else "WARNED" if tests["warned"] else "PASSED"
    statement = {
        "_type": STATEMENT, "subject": subjects, "predicateType": PREDICATE,
        "predicate": {
            "result": verdict, "configuration": _configuration(document),
            **{f"{name}Tests": found for name, found in tests.items()},
        },
    }  # fmt: skip
    return json_text(statement) + "\n"


def _subjects(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for model in document["models"]:
        if model["sha256"] is None:
            continue
        found.append({"name": terminal(str(model["file"])), "digest": {"sha256": model["sha256"]}})
        beside = PurePath(str(model["file"])).parent
        for location, digest in (model["external"] or {}).items():
            found.append({"name": terminal(str(beside / location)), "digest": {"sha256": digest}})
    return found


def _configuration(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    policy, images, run = document["policy"], document["images"], document["run"]
    return [
        {"name": terminal(f"policy {policy['name']}"), "digest": {"sha256": policy["sha256"]}},
        {
            "name": "pictures", "digest": {"sha256": images["sha256"]},
            "annotations": {"count": images["count"], "labels": terminal(str(images["labels"]))},
        },
        {
            "name": "onnxray",
            "annotations": {
                "versions": dict(document["versions"]), "seed": document["seed"], "started": run["started"],
                "blocking": document["counts"]["blocking"], "waived": document["counts"]["waived"],
            },
        },
    ]  # fmt: skip
