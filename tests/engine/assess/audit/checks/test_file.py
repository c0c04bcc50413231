"""What a file holds that does not belong there; every finding is of something that was put in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.assess.audit.check import Outcome
from onnxray.assess.audit.checks.file import File
from onnxray.assess.audit.measures.suspicious import SECRETS
from support import caffe_nets, models
from support.caffe_files import write

TEXT = "g (float[N,64] x) => (float[N,64] y) { [first] m = MatMul (x, w) y = Relu (m) }"
# Made up for this test, each of the form that its kind has.
EXAMPLES = {
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----", "AWS access key": "AKIA" + "A1B2" * 4,
    "GitHub token": "ghp_" + "aB3" * 12, "GitLab token": "glpat-" + "x1" * 10, "Hugging Face token": "hf_" + "aZ" * 17,
    "Google API key": "AIza" + "B" * 35, "Slack token": "xoxb-" + "1" * 12, "API key": "sk-" + "q" * 40,
    "JSON web token": "eyJ" + "a" * 12 + ".eyJ" + "b" * 12 + "." + "c" * 12,
    "password in a URL": "https://jane:letmein1@host.example/x", "password": 'api_key = "0123456789abc"',
}  # fmt: skip


def model() -> onnx.ModelProto:
    return models.parse(TEXT, {"w": models.random(0, 64, 64)})


def told(proto: onnx.ModelProto | Path, **options: object) -> Outcome:
    opened = onnxray.open(proto)
    check = File(**options)  # type: ignore[arg-type]
    return check.summarise(check.measure(opened, [], 0), [], 0.95)


def said(outcome: Outcome) -> list[tuple[str, str]]:
    return [(one.level, one.message) for one in outcome.findings]


def test_a_plain_file_has_no_findings_and_its_sizes() -> None:
    outcome = told(model())
    assert said(outcome) == []
    assert [(one.name, one.value) for one in outcome.figures] == [
        ("findings", 0), ("size", len(model().SerializeToString())), ("nodes", 2), ("parameters", 4096), ("opset", 17),
    ]  # fmt: skip
    assert outcome.figures[0].better == "lower"


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets_are_told_by_kind_and_never_repeated(kind: str) -> None:
    proto = model()
    onnx.helper.set_model_props(proto, {"note": f"see {EXAMPLES[kind]} for more"})
    proto.graph.node[0].doc_string = EXAMPLES[kind]
    outcome = told(proto)
    own = [message for level, message in said(outcome) if level == "error" and message.endswith(f"like a {kind}")]
    assert len(own) == 2
    assert not any(EXAMPLES[kind] in message for _, message in said(outcome))
    assert outcome.figures[0].value == len(outcome.findings)


def test_common_words_of_exporters_are_no_secrets() -> None:
    proto = model()
    onnx.helper.set_model_props(
        proto, {"author": "token classification team", "stride": "32", "names": "{0: 'password field', 1: 'key'}"}
    )
    assert said(told(proto)) == []


def test_a_path_of_somebody_s_machine_is_a_warning() -> None:
    proto = model()
    proto.graph.node[0].doc_string = "File /home/jane/secret/train.py, line 3"
    ((level, message),) = said(told(proto))
    assert level == "warning"
    assert "'first'" in message
    assert "jane" not in message


def test_domains_code_and_opsets() -> None:
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 9, "com.microsoft": 1, "acme": 1]>'
        "g (float[N,2] x) => (float[N,2] y) { a = com.microsoft.Gelu (x) b = acme.PyOp (a) y = Relu (b) }"
    )
    found = said(told(proto, min_opset=13))
    assert [message for level, message in found if level == "error"] == [
        "operators of the domain 'acme', which is not allowed", found[1][1], "opset 9; at least 13 was expected",
    ]  # fmt: skip
    assert found[1][1].endswith("calls Python")
    assert len(said(told(proto, allow_domains="ai.onnx, acme"))) == 2


def test_weights_that_are_no_numbers_far_out_or_read_by_nobody() -> None:
    weight = models.random(0, 64, 64)
    weight[3, 3] = np.nan
    assert said(told(models.parse(TEXT, {"w": weight}))) == [("error", "weight 'w' holds NaN or infinity")]
    weight[3, 3] = 1e6
    ((level, message),) = said(told(models.parse(TEXT, {"w": weight})))
    assert level == "warning"
    assert "times the 99.9th percentile" in message
    ((level, message),) = said(
        told(models.parse(TEXT, {"w": models.random(0, 64, 64), "payload": np.zeros(100, np.int8)}))
    )
    assert (level, message) == ("warning", "1 weights of 100 numbers that nothing reads: 'payload'")


def test_weights_of_another_kind_of_file_are_the_model_s_own(tmp_path: Path) -> None:
    path = Path(write(tmp_path, *caffe_nets.small()))
    prototxt, weights = (next(tmp_path.glob(f"*.{end}")) for end in ("prototxt", "caffemodel"))
    for denied in (False, True):
        outcome = told(path, deny_external=denied)
        words = f"the model is made of {prototxt.name!r}, with the weights of {weights.name!r}"
        assert said(outcome) == [("note", words)]
        assert outcome.figures[0].value == 0
        assert outcome.figures[1].value == prototxt.stat().st_size + weights.stat().st_size


def test_external_data_and_bytes_of_it_that_belong_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save_model(model(), path, save_as_external_data=True, location="m.data", size_threshold=0)
    assert said(told(path)) == [("warning", "weights lie in a file of their own, 'm.data'")]
    assert told(path, deny_external=True).figures[0].value == 1
    with (tmp_path / "m.data").open("ab") as stream:
        stream.write(b"\0" * 100_000)
    size = 64 * 64 * 4 + 100_000
    assert f"'m.data' has 100,000 of {size:,} bytes that belong to no weight" in [text for _, text in said(told(path))]
    assert told(path).figures[1].value == path.stat().st_size + size
