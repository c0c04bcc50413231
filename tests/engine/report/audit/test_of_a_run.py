"""The command writes every output beside audit.json."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from onnxray import audit
from onnxray.cli.app import app
from onnxray.errors import InputError
from support import caffe_nets
from support.auditing import digits
from support.audits import write_model
from support.caffe_files import write

POLICY = """policy = 1
name = "unit"
[[check]]
use = "accuracy"
min = 0.5
"""


def test_the_files_of_an_audit_that_passes_and_of_one_that_does_not(tmp_path: Path) -> None:
    images = tmp_path / "pictures"
    images.mkdir()
    for one in digits(12):
        (images / one.path.name).write_bytes(one.path.read_bytes())
    (tmp_path / "own.csv").write_text("\n".join(f"pictures/{one.path.name},{one.label}" for one in digits(12)))
    for least, status in ((0.5, 0), (0.999, 3)):
        policy = tmp_path / f"{least}.toml"
        policy.write_text(POLICY.replace("0.5", str(least)))
        out = tmp_path / f"out-{least}"
        told = CliRunner().invoke(app, [
            "audit", "lenet", "--images", str(images), "--labels", str(tmp_path / "own.csv"), "--policy", str(policy),
            "-o", str(out), "--jobs", "0",
        ])  # fmt: skip
        assert told.exit_code == status, told.output
        names = {path.name for path in out.iterdir()}
        assert {
            "audit.json", "policy.toml", "report.html", "junit.xml", "audit.sarif", "attestation.json",
            "cyclonedx.json", "summary.md",
        } <= names  # fmt: skip
        statement = json.loads((out / "attestation.json").read_text())
        assert statement["predicate"]["result"] == ("FAILED" if status else "PASSED")
        assert ("not passed" in (out / "report.html").read_text()) == bool(status)


def test_a_folder_of_models_has_those_of_caffe_too_and_each_digest_is_of_the_file_that_is_named(
    tmp_path: Path,
) -> None:
    models = tmp_path / "models"
    (models / "inside").mkdir(parents=True)
    write(models / "inside", *caffe_nets.small())
    write_model(models / "net.ONNX")
    (models / "notes.txt").write_text("no model")
    (tmp_path / "policy.toml").write_text('policy = 1\n[[check]]\nuse = "file"\n')
    found = audit(models, policy=tmp_path / "policy.toml")
    assert found.passed
    assert [Path(one["path"]).name for one in found.models] == ["net.caffemodel", "net.ONNX"]
    for text in ("attestation.json", "audit.sarif", "cyclonedx.json"):
        assert json.loads(found.files[text])
    statement = json.loads(found.files["attestation.json"])
    named = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    assert set(named) == {str(models / "inside" / f"net.{end}") for end in ("prototxt", "caffemodel")} | {
        str(models / "net.ONNX")
    }
    for name, digest in named.items():
        assert hashlib.sha256(Path(name).read_bytes()).hexdigest() == digest
    (run,) = json.loads(found.files["audit.sarif"])["runs"]
    for entry in run["artifacts"]:
        path = Path(unquote(entry["location"]["uri"]).removeprefix("file://"))
        assert entry["hashes"]["sha-256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert entry["length"] == path.stat().st_size
    assert "sha256 of net.prototxt" in found.files["report.html"].decode()
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match=r"a folder without \.onnx or \.caffemodel files"):
        audit(tmp_path / "nothing", policy=tmp_path / "policy.toml")
