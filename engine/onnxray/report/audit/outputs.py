"""The files that stand beside audit.json, each made of it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxray.report.audit.attestation import attestation
from onnxray.report.audit.cyclonedx import cyclonedx
from onnxray.report.audit.junit import junit_xml
from onnxray.report.audit.markdown import summary_markdown
from onnxray.report.audit.page import report_page
from onnxray.report.audit.sarif import audit_sarif


def outputs(document: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """File name -> bytes. files: the audit's pictures by name. Without a model that could be read, no attestation."""
    stated = attestation(document)
    texts = {
        "junit.xml": junit_xml(document), "audit.sarif": audit_sarif(document), "cyclonedx.json": cyclonedx(document),
        "summary.md": summary_markdown(document), **({} if stated is None else {"attestation.json": stated}),
    }  # fmt: skip
    return {"report.html": report_page(document, files), **{name: text.encode() for name, text in texts.items()}}
