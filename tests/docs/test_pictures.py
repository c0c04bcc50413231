"""Every picture of the documentation has a recipe, is shown, and was drawn by this version."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from onnxray import __version__
from support.documents import pages
from support.paths import ROOT

DRAW = "benchmarks/pictures/draw.py"


@pytest.fixture(scope="module")
def listing() -> dict[str, dict[str, Any]]:
    """Picture -> the version that it states, null where there is no such picture, and what its recipe needs."""
    done = subprocess.run([sys.executable, DRAW, "--list"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def old(listing: dict[str, dict[str, Any]], version: str) -> list[str]:
    """The pictures that another minor version has drawn, whatever they need."""
    minor = version.rpartition(".")[0]
    return [name for name, facts in listing.items() if not (facts["version"] or "").startswith(f"onnxray {minor}.")]


def test_every_picture_has_a_recipe(listing: dict[str, dict[str, Any]]) -> None:
    assert [name for name, facts in listing.items() if facts["needs"] is None] == []


def test_every_recipe_s_picture_is_there_and_shown(listing: dict[str, dict[str, Any]]) -> None:
    shown = {name for page in pages() for name in re.findall(r"images/([\w.-]+)\)", page.read_text(encoding="utf-8"))}
    assert [name for name, facts in listing.items() if facts["version"] is None or name not in shown] == []


def test_no_picture_is_older_than_the_version(listing: dict[str, dict[str, Any]]) -> None:
    assert old(listing, __version__) == [], "draw them again: make pictures"


def test_an_older_picture_would_be_noticed(listing: dict[str, dict[str, Any]]) -> None:
    major, minor, _ = __version__.split(".")
    assert old(listing, f"{major}.{int(minor) + 1}.0") == list(listing)
