"""The files of the page: plain, small, offline, and with no way for a text to become an element or a program."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the extra onnxray[web] is not installed")

from onnxray.web.server.app import page_files
from onnxray.web.server.guard import HEADERS

FOLDER = Path(str(resources.files("onnxray.web"))) / "page"
SCRIPTS = sorted(FOLDER.glob("*.js"))
TEXTS = {path: path.read_text(encoding="utf-8") for path in sorted(FOLDER.rglob("*")) if path.is_file()}

NEVER = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setTimeout\(\s*['\"`]|createContextualFragment"
    r"|DOMParser|srcdoc|javascript:|dangerously|setAttribute\(\s*['\"]on|\bimport\(|localStorage|sessionStorage|WebSocket|sendBeacon"
)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_text_stays_text(path: Path) -> None:
    assert NEVER.findall(TEXTS[path]) == []


def test_that_the_test_above_can_fail() -> None:
    for bad in (
        "x.innerHTML = name",
        "eval(name)",
        "setTimeout('a', 1)",
        "new Function(name)",
        "e.insertAdjacentHTML(a, b)",
    ):
        assert NEVER.search(bad)


def test_nothing_is_asked_of_anybody_else() -> None:
    for path, text in TEXTS.items():
        assert (
            re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"']*", text.replace("http://www.w3.org/2000/svg", ""))
            == []
        ), path.name


def test_scripts_and_styles_are_files_and_not_in_the_page() -> None:
    page = TEXTS[FOLDER / "index.html"]
    assert re.findall(r"\son[a-z]+=|\sstyle=|<style", page) == []
    assert re.findall(r"<script(?![^>]*src=)", page) == []
    for name in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        assert name in page_files()
    for path in SCRIPTS:
        for name in re.findall(r'from "\./([^"]+)"', TEXTS[path]):
            assert (FOLDER / name).is_file()
    assert "'unsafe-inline'" not in HEADERS["content-security-policy"]


def test_the_front_end_is_small_and_each_file_a_part() -> None:
    lines = {path.name: len(text.splitlines()) for path, text in TEXTS.items()}
    assert sum(lines.values()) < 1800
    assert max(lines.values()) <= 350
    assert max(sum(one.is_file() for one in folder.iterdir()) for folder in (FOLDER, FOLDER / "style")) <= 15
    for path in SCRIPTS:
        assert TEXTS[path].startswith("// "), f"{path.name} says what it is"


def test_every_control_of_the_page_has_a_name() -> None:
    page = TEXTS[FOLDER / "index.html"]
    for control in re.findall(r"<(?:input|canvas|section|ul)\b[^>]*>", page):
        named = re.search(r'aria-label="[^"]+"', control) or re.search(r'id="([^"]+)"', control)
        assert named, control
        if "aria-label" not in control:
            assert f'for="{named[1]}"' in page, control
