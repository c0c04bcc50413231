"""What is made of an audit's document: structure by the standards, every result in it, and no text that leaves its place.

By the schemas and libraries themselves: test_schemas.py, where they are installed; here the parts that those ask for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import numpy as np
import pytest

from onnxray.images.drawing.page.palette import contrast
from onnxray.images.files import png_bytes
from onnxray.report.audit.attestation import attestation
from onnxray.report.audit.outputs import outputs
from onnxray.report.audit.standing import blocking, said, standing
from support.audit_documents import HOSTILE, closed, document, figure, result

FILES = {"a.png": png_bytes(np.zeros((1, 2, 2), np.uint8))}
DOCUMENT = document()
TEXTS = outputs(DOCUMENT, FILES)


def read(name: str) -> Any:
    return json.loads(TEXTS[name])


def test_all_outputs_are_there_in_utf_8_and_the_same_again() -> None:
    assert set(TEXTS) == {
        "report.html", "junit.xml", "audit.sarif", "cyclonedx.json", "summary.md", "attestation.json"
    }  # fmt: skip
    assert outputs(document(), FILES) == TEXTS
    for data in TEXTS.values():
        text = data.decode()
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_what_results_come_to() -> None:
    found = [standing(one) for one in DOCUMENT["results"]]
    assert found == [
        "passed", "passed", "failed", "recorded", "not applicable", "passed", "waived", "warned", "warned", "failed",
        "failed",
    ]  # fmt: skip
    assert standing(result(0, "x", "recorded", "record", findings=[{"level": "warning", "message": ""}])) == "warned"
    assert [one["name"] for one in blocking(DOCUMENT)] == ["accuracy", "open"]
    assert said(figure(value=0.123456)) == "accuracy 0.1235 (0.06173 to 0.5617, of 10)"
    assert said(figure(value=None)) == "accuracy: no value, there are none"
    assert said(figure("nodes", 4096, low=4096, high=4096, unit="nodes")) == "nodes 4,096"


def test_junit_has_a_suite_a_model_and_a_case_a_check() -> None:
    root = ElementTree.fromstring(TEXTS["junit.xml"])
    suites = root.findall("testsuite")
    assert len(suites) == 3
    cases = [case for suite in suites for case in suite.findall("testcase")]
    assert [case.get("name") for case in cases] == [one["name"] for one in DOCUMENT["results"]]
    tags = [[child.tag for child in case if child.tag != "system-out"] for case in cases]
    assert tags == [[], [], ["failure"], [], ["skipped"], [], ["skipped"], [], [], ["error"], ["error"]]
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "11", "failures": "1", "errors": "2"
    }  # fmt: skip
    (failure,) = root.iter("failure")
    assert failure.get("message") == "accuracy: 0.25 of 10; >= 0.9 was required"
    assert (suites[0].get("failures"), suites[2].get("errors"), suites[1].get("skipped")) == ("1", "2", "1")
    assert "<script>alert(1)</script>" in str(suites[1].get("name"))  # text, of which XML makes no element
    assert not list(root.iter("script"))


JUNIT = {
    "testsuites": ({"testsuite"}, {"name", "time", "tests", "failures", "errors"}, set()),
    "testsuite": (
        {"properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
        {"name", "tests", "failures", "errors"},
    ),
    "properties": ({"property"}, set(), set()),
    "property": (set(), {"name", "value"}, {"name", "value"}),
    "testcase": (
        {"skipped", "error", "failure", "system-out", "system-err"}, {"name", "time", "classname"}, {"name"}
    ),
    "failure": (set(), {"type", "message"}, {"type"}), "error": (set(), {"type", "message"}, {"type"}),
    "skipped": (set(), {"message"}, set()), "system-out": (set(), set(), set()),
}  # fmt: skip
"""Of each element: what may stand in it, its attributes, those it must have; as the schemas of Ant and xUnit say."""


def test_junit_holds_what_its_schemas_know_and_nothing_else() -> None:
    for element in ElementTree.fromstring(TEXTS["junit.xml"]).iter():
        inside, known, required = JUNIT[element.tag]
        assert {one.tag for one in element} <= inside, element.tag
        assert required <= set(element.keys()) <= known, element.tag
        for name in {"tests", "failures", "errors", "skipped"} & set(element.keys()):
            assert str(element.get(name)).isdecimal()


def test_sarif_has_one_result_for_each_model_and_check() -> None:
    log = read("audit.sarif")
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    assert len(run["results"]) == len(DOCUMENT["results"])
    for entry, own in zip(run["results"], DOCUMENT["results"]):
        assert rules[entry["ruleIndex"]] == entry["ruleId"] == own["check"]
        assert (entry["kind"] == "fail") == (entry["level"] != "none")
        (location,) = entry["locations"]
        place = location["physicalLocation"]["artifactLocation"]
        path = DOCUMENT["models"][own["model"]]["path"]
        assert unquote_to_bytes(place["uri"]).decode("utf-8", "surrogatepass") == path
        assert re.fullmatch(r"[A-Za-z0-9%./_~-]+", place["uri"])
        assert not re.search(r"(?<!\\)[\[\]]", entry["message"]["text"].replace("\\\\", ""))
    levels = [entry["level"] for entry in run["results"]]
    assert levels.count("error") == 3
    assert run["results"][6]["suppressions"][0]["status"] == "accepted"
    assert run["results"][7]["locations"][0]["logicalLocations"][0]["kind"] == "onnx node"
    assert run["invocations"][0]["exitCode"] == 3
    assert run["artifacts"][0]["hashes"] == {"sha-256": "1" * 64}
    prints = [entry["partialFingerprints"]["modelAndCheck/v1"] for entry in run["results"]]
    assert len(set(prints)) == len(prints)
    later = document(versions={"onnxray": "9"})
    later["results"][2]["key"] = "0" * 64
    again = json.loads(outputs(later, {})["audit.sarif"])["runs"][0]["results"]
    assert [entry["partialFingerprints"]["modelAndCheck/v1"] for entry in again] == prints
    assert again[2]["partialFingerprints"]["contents/v1"] == "0" * 64


def test_the_attestation_speaks_of_every_file_and_of_every_test() -> None:
    statement = read("attestation.json")
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    digests = [subject["digest"]["sha256"] for subject in statement["subject"]]
    assert digests == ["1" * 64, "8" * 64, "1" * 64]
    assert statement["subject"][1]["name"] == "release/w.data"
    predicate = statement["predicate"]
    assert predicate["result"] == "FAILED"
    counts = {name: len(predicate[f"{name}Tests"]) for name in ("passed", "warned", "failed")}
    assert counts == {"passed": 3, "warned": 3, "failed": 3}
    assert predicate["configuration"][0]["digest"] == {"sha256": "4" * 64}
    good = [one for one in DOCUMENT["results"] if one["model"] == 0 and one["state"] != "fail"]
    passed = json.loads(str(attestation(document(passed=True, results=good))))["predicate"]
    assert passed["result"] == "PASSED"
    assert attestation(document(models=[closed("c.onnx")], results=[])) is None
    assert "attestation.json" not in outputs(document(models=[closed("c.onnx")], results=[]), {})


def test_cyclonedx_has_every_figure_in_a_model_card() -> None:
    bom = read("cyclonedx.json")
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    first, second, third = bom["components"]
    assert {one["type"] for one in bom["components"]} == {"machine-learning-model"}
    metrics = first["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert metrics[0] == {
        "type": "accuracy: accuracy [share]", "value": "0.5",
        "confidenceInterval": {"lowerBound": "0.25", "upperBound": "0.75"},
    }  # fmt: skip
    assert [metric.get("slice") for metric in metrics] == [None, "class=2", None]
    assert first["hashes"] == [{"alg": "SHA-256", "content": "1" * 64}]
    assert first["components"][0]["hashes"][0]["content"] == "8" * 64
    assert "modelCard" not in third
    assert "/" not in second["name"]
    references = [one["bom-ref"] for one in bom["components"]]
    assert len(set(references)) == 3
    assert bom["serialNumber"] == json.loads(outputs(document(), {})["cyclonedx.json"])["serialNumber"]
    other = document()
    other["results"][0]["key"] = "f" * 64
    assert bom["serialNumber"] != json.loads(outputs(other, {})["cyclonedx.json"])["serialNumber"]


def test_markdown_holds_no_markup_of_strangers() -> None:
    text = TEXTS["summary.md"].decode()
    assert text.startswith("## Model audit: **not passed**")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {5}
    for mark in ("<", "@", "](", "www.", "`]", "\\"):
        assert mark not in text.replace("`" + "1" * 64 + "`", ""), mark
    assert "release/a b.onnx" in text
    assert "c.onnx, open" in text
    assert "c.onnx, file" not in text


def test_the_page_is_one_file_without_script_or_request() -> None:
    page = TEXTS["report.html"].decode()
    assert "<script" not in page
    assert page.count("data:image/png;base64,") == 1
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)
    assert "style=" not in page
    assert "url(" not in page
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    (style,) = re.findall("<style>(.*?)</style>", page, re.S)
    assert policy.startswith("default-src &#x27;none&#x27;; img-src data:; style-src &#x27;sha256-")
    assert "script-src" not in policy
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy
    for own in re.findall(r'href="#([^"]*)"', page):
        assert f'id="{own}"' in page, own
    identifiers = re.findall(r' id="([^"]*)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_s_colours_are_legible_on_light_and_dark(dark: bool) -> None:
    def of(name: str) -> dict[str, str]:
        light, rest = files("onnxray.report.page").joinpath(name).read_text().split("(prefers-color-scheme: dark)")
        return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", rest.split("@media")[0] if dark else light))

    colours = of("base.css") | of("audit.css")
    for name, tint in (("pass", "tint-pass"), ("fail", "tint-fail"), ("warning", "tint-warn")):
        assert contrast(colours[name], colours["page"]) >= 4.5
        assert contrast(colours[name], colours[tint]) >= 4.5


@pytest.mark.parametrize(
    "tag", ["details", "section", "table", "tr", "td", "th", "ul", "li", "svg", "figure", "dl", "span"]
)
def test_every_tag_of_the_page_is_closed(tag: str) -> None:
    page = TEXTS["report.html"].decode()
    assert len(re.findall(f"<{tag}[ >]", page)) == page.count(f"</{tag}>")
    assert HOSTILE not in page
