"""The page on security states the limits that the source has."""

import importlib
import re

from support.paths import ROOT

ROW = re.compile(r"\| [^|]+ \| ([0-9,]+) \| `([a-z_.]+)\.([A-Z_]+)` \|")


def test_the_limits_are_those_of_the_source() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    table = page.partition("<!-- limits: begin")[2].partition("<!-- limits: end")[0]
    rows = ROW.findall(table)
    assert len(rows) == len(table.strip().splitlines()) - 3 > 5
    for stated, module, name in rows:
        assert getattr(importlib.import_module(f"onnxray.{module}"), name) == int(stated.replace(",", "")), name


def test_the_policy_points_to_the_page() -> None:
    policy = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "docs/security.md" in policy
    assert "docs/security.md" in (ROOT / "README.md").read_text(encoding="utf-8")
