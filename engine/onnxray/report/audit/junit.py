"""junit.xml: a test suite a model, a test case a check, as every continuous integration shows them.

A result that blocks is a failure, or an error where it could not be measured; what a waiver excuses and what says
nothing of a model is skipped; what only warns passes, and its words stand in ``system-out``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from onnxray.errors.shown_text import terminal
from onnxray.report.audit.standing import headline, reasons, results_by_model, standing


def junit_xml(document: Mapping[str, Any]) -> str:
    """The document as JUnit XML."""
    root = ElementTree.Element("testsuites", {"name": terminal(f"onnxray audit: {document['policy']['name']}")})
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for _, model, results in results_by_model(document):
        counts = _suite(root, model, results, document)
        totals = {name: totals[name] + count for name, count in counts.items()}
    for name in ("tests", "failures", "errors"):
        root.set(name, str(totals[name]))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(
    root: ElementTree.Element, model: Mapping[str, Any], results: Sequence[Mapping[str, Any]],
    document: Mapping[str, Any],
) -> dict[str, int]:  # fmt: skip
    path = terminal(str(model["path"]))
    suite = ElementTree.SubElement(root, "testsuite", {"name": path, "timestamp": document["run"]["started"][:19]})
    properties = ElementTree.SubElement(suite, "properties")
    told = {"sha256": model["sha256"], "policy": document["policy"]["sha256"], "seed": document["seed"]}
    for name, value in told.items():
        ElementTree.SubElement(properties, "property", {"name": name, "value": terminal(str(value))})
    counts = dict.fromkeys(("failures", "errors", "skipped"), 0)
    for result in results:
        case = ElementTree.SubElement(suite, "testcase", {"name": terminal(result["name"]), "classname": path})
        kind = _kind(result)
        lines = [terminal(line) for line in reasons(result)]
        if kind is not None:
            counts[{"failure": "failures", "error": "errors", "skipped": "skipped"}[kind]] += 1
            entry = ElementTree.SubElement(case, kind, {"message": "; ".join(lines)})
            if kind != "skipped":
                entry.set("type", terminal(result["check"]))
                entry.text = "\n".join(lines)
        shown = [*([terminal(headline(result))] if result["figures"] else []), *(lines if kind is None else [])]
        if shown:
            ElementTree.SubElement(case, "system-out").text = "\n".join(shown)
    for name, count in {"tests": len(results), **counts}.items():
        suite.set(name, str(count))
    return {"tests": len(results), **counts}


def _kind(result: Mapping[str, Any]) -> str | None:
    """What stands in a test case; None where it passes."""
    told = standing(result)
    if told == "failed":
        return "error" if result["state"] == "error" else "failure"
    return "skipped" if told in {"waived", "not applicable"} else None
