"""The command writes every output beside audit.json."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from onnxray.cli.app import app
from support.auditing import digits

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
