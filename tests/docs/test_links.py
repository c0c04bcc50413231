"""Links of README.md, the other pages of the clone and docs/ lead somewhere; the site has a place for every page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.documents import pages
from support.paths import ROOT

LINK = re.compile(r"\[(?:[^][]|\[[^][]*\])*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|^    .*?$|`[^`]*`", re.M | re.S)
HEADING = re.compile(r"^#+ (.+)$", re.M)
ELSEWHERE = ("https://", "http://", "mailto:")
PAGES = sorted({*pages(), *ROOT.glob("*.md")})


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made by those who show it."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    made = [re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in HEADING.findall(text)]
    return {*made, *(re.sub("-+", "-", name) for name in made)}


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere, its code left out."""
    found = []
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if link.startswith(ELSEWHERE):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_broken_links_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A heading: two words\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#a-heading-two-words) [c](gone.md) ![d](gone.png) [e](other.md#gone) `[f](no)`",
        encoding="utf-8",
    )
    assert broken(page) == ["gone.md", "gone.png", "other.md#gone"]


def test_the_site_has_a_place_for_every_page() -> None:
    placed = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert len(placed) == len(set(placed))
    assert [name for name in placed if not (ROOT / "docs" / name).is_file()] == []


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason='pip install "onnxray[docs]"')
    pytest.importorskip("mkdocstrings", reason='pip install "onnxray[docs]"')
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site/reference/methods.html").read_text(encoding="utf-8")
    assert "GradCAM" in page
    fetched = re.findall(r'(?:src|href)="(https?://[^"]+)"', (tmp_path / "site/index.html").read_text(encoding="utf-8"))
    assert [link for link in fetched if not link.startswith("https://squidfunk.github.io/")] == []
