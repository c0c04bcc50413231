"""The page of a run: whole, self-contained, each text escaped, each file named, each row a table's row without script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from typer.testing import CliRunner

import onnxray_models
from onnxray.cli.app import app
from onnxray.images.drawing.page.palette import contrast
from onnxray.images.files import png_bytes
from onnxray.report.page.run_page import run_page

FOUR, NINE = (str(path) for path in onnxray_models.samples("lenet") if path.stem in {"4_0", "9_0"})
HOSTILE = [
    "<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "\"' onmouseover='alert(1)", "&lt;b&gt;",
    "]]><!--", "</td></tr></table>", "a\u202eb\x00c\x1b[31m", "\ud800", "javascript:alert(1)", "../../etc/passwd",
    "data:text/html,<script>alert(1)</script>", "\n\n", "</pre></details>", "x" * 5000,
]  # fmt: skip
_VOID = {"meta", "img", "input", "br"}


class Page(HTMLParser):
    """A page as its tags: fails where one is closed that is not open."""

    def __init__(self, data: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(data.decode("utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def document(items: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "schema": 1, "model": {"path": "net.onnx", "sha256": "0" * 64}, "profile": None, "seconds": 1.5,
        "command": ["onnxray"], "method": {"name": "gradient", "options": {}}, "notes": [], "items": items, **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "out"
    arguments = ["saliency", "gradient", "lenet", FOUR, NINE, "-o", str(folder), "--title", "A <b>title</b>"]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 0, told.output
    assert "index.html" in told.output
    return folder


def test_it_names_each_file_of_the_run_and_no_other_place(run: Path) -> None:
    page = Page((run / "index.html").read_bytes())
    linked = {unquote(str(link["href"])) for link in page.all("a")}
    assert linked == {path.name for path in run.iterdir()} - {"index.html"}
    assert "index.html" in json.loads((run / "result.json").read_text())["files"]
    assert page.texts["h1"] == page.texts["title"] == ["A <b>title</b>"]


def test_it_loads_nothing_and_lets_nothing_else_run(run: Path) -> None:
    data = (run / "index.html").read_bytes()
    page = Page(data)
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    stated = dict(part.strip().split(" ", 1) for part in str(policy).split(";"))
    text = data.decode()
    for name, tag in (("style-src", "style"), ("script-src", "script")):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert stated.pop(name) == f"'sha256-{digest}'"
    assert stated == {
        "default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    assert {tag for tag, _ in page.tags} <= {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "p", "ul", "li", "a", "label", "input", "output",
        "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "img", "span", "details", "summary",
        "pre", "script",
    }  # fmt: skip
    assert all(str(picture["src"]).startswith("data:image/") for picture in page.all("img"))
    assert not [attrs for _, attrs in page.tags for name in attrs if name.startswith("on") or name == "style"]
    assert not re.search(r"https?://|@import|url\(", text)


def test_without_script_it_is_a_table_and_no_control_is_seen(run: Path) -> None:
    page = Page((run / "index.html").read_bytes())
    heads = page.all("th")
    assert all(head["scope"] == "col" for head in heads)
    assert len(page.all("td")) == len(heads) * 2
    assert [tag["id"] for tag in page.all("p") if "hidden" in tag] == ["bar"]
    assert not page.all("button")


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_strangers_stays_text_wherever_it_stands(text: str, tmp_path: Path) -> None:
    item = {"path": text, "label": text, text: text, "nested": {text: 1.5}, "files": {text: text, "image": text}}
    plain = Page(run_page(document([{"path": "a", "label": "b"}] * 2), tmp_path))
    hostile = document(
        [item, {**item, "label": "other", "probability": 0.5}], title=text, notes=[text],
        profile={"assumed": True, "name": text, "reasons": [text]}, method={"name": text, "options": {text: text}},
    )  # fmt: skip
    data = run_page(hostile, tmp_path, [text])
    page = Page(data)
    assert len(page.all("script")) == len(plain.all("script")) == 1
    assert not page.all("img")
    assert len(page.all("table")) == 1
    names = {name for _, attrs in page.tags for name in attrs}
    assert names <= {"lang", "charset", "http-equiv", "content", "name", "class", "id", "hidden", "for", "type", "href",
                     "autocomplete", "scope", "title", "data-kind", "data-name", "data-sort"}  # fmt: skip
    for link in page.all("a"):
        assert ":" not in str(link["href"])
        assert "<" not in str(link["href"])
    assert not set("\x00\x1b\u202e") & set(data.decode())


def test_numbers_are_sorted_by_what_they_are(tmp_path: Path) -> None:
    values = [1e-9, 12.0, None, -3.5, 1e12]
    page = Page(run_page(document([{"value": value, "word": str(k)} for k, value in enumerate(values)]), tmp_path))
    assert {"number", "text"} == {head["data-kind"] for head in page.all("th") if "data-kind" in head}
    found = [cell["data-sort"] for cell in page.all("td") if cell.get("data-name") == "value"]
    assert [None if text == "" else float(str(text)) for text in found] == values


def test_what_is_the_same_for_all_is_said_once(tmp_path: Path) -> None:
    items = [{"method": "gradient", "layer": None, "flag": True, "value": k} for k in range(3)]
    page = Page(run_page(document(items), tmp_path))
    assert [head.get("data-kind") for head in page.all("th")] == [None, "number"]
    (said,) = [text for text in page.texts["p"] if text.startswith("The same for all")]
    assert said == "The same for all: method: gradient; flag: yes"


def test_an_assumed_profile_and_an_interruption_are_warned_of(tmp_path: Path) -> None:
    profile = {"name": "unit", "assumed": True, "reasons": ["nothing tells more"]}
    page = Page(run_page(document([], profile=profile, interrupted=True), tmp_path))
    assert len([tag for tag in page.all("p") if tag.get("class") == "warning"]) == 2
    page = Page(run_page(document([], profile={**profile, "assumed": False}), tmp_path))
    assert not [tag for tag in page.all("p") if tag.get("class") == "warning"]


def test_pictures_are_held_small_and_numbers_are_linked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {"a.png": (3, 300, 400), "b.png": (1, 28, 28), "levels.png": (1, 20, 20)}
    for name, shape in shapes.items():
        kind = np.uint16 if name == "levels.png" else np.uint8
        (tmp_path / name).write_bytes(png_bytes(rng.integers(0, 200, shape).astype(kind)))
    held = {"image": "a.png", "map": "b.png", "levels": "levels.png", "heat": "heat.npy", "gone": "gone.png"}
    page = Page(run_page(document([{"files": held}]), tmp_path))
    first, second = page.all("img")
    assert (first["width"], first["height"], first.get("class")) == ("96", "72", None)
    assert (second["width"], second["height"], second["class"]) == ("96", "96", "small")
    assert str(first["src"]).startswith("data:image/jpeg;base64,")
    assert len(str(first["src"])) < 40_000
    assert {"levels.png", "heat.npy", "gone.png"} <= {link["href"] for link in page.all("a")}


def test_times_and_the_command_are_left_out(tmp_path: Path) -> None:
    """So that a run that was gone on with has the same page."""
    again = {"seconds": 9.0, "command": ["onnxray", "--resume"]}
    assert run_page(document([{"a": 1}]), tmp_path) == run_page(document([{"a": 1}], **again), tmp_path)


def test_every_command_that_writes_a_folder_writes_one(tmp_path: Path) -> None:
    commands = {
        "classify": ["classify", "lenet", FOUR, NINE], "values": ["values", "lenet", FOUR, "--value", "ip1"],
        "inspect": ["inspect", "lenet"], "layers": ["saliency", "layers", "lenet"],
        "lots": ["lots", "lenet", FOUR, "--self", "inhibit", "--layer", "ip2"],
        "filters": ["visualize", "filters", "lenet"],
    }  # fmt: skip
    for name, command in commands.items():
        told = CliRunner().invoke(app, [*command, "-o", str(tmp_path / name)])
        assert told.exit_code == 0, told.output
        found = Page((tmp_path / name / "index.html").read_bytes())
        items = json.loads((tmp_path / name / "result.json").read_text())["items"]
        assert len(found.all("tr")) == len(items) + 1
    # A run in its place takes it away with the rest.
    told = CliRunner().invoke(app, [*commands["inspect"], "-o", str(tmp_path / "lots"), "--overwrite"])
    assert {path.name for path in (tmp_path / "lots").iterdir()} == {"index.html", "result.json"}


# --- style and script, as they are written


def own(name: str) -> str:
    return files("onnxray.report.page").joinpath(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_legible_on_light_and_dark(dark: bool) -> None:
    light, rest = own("base.css").split("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", rest if dark else light))
    assert colours.keys() == {"page", "ink", "soft", "rule", "panel", "link", "warning"}
    for name in ("ink", "soft", "link", "warning"):
        assert contrast(colours[name], colours["page"]) >= 4.5
    assert contrast(colours["ink"], colours["panel"]) >= 4.5
    assert (contrast(colours["page"], "#000000") < 1.5) == dark
    assert set(re.findall(r"var\(--([a-z]+)\)", own("base.css") + own("page.css"))) <= colours.keys()


def test_a_narrow_window_has_rows_under_each_other_and_nothing_is_wider_than_it() -> None:
    narrow = own("page.css").split("@media (max-width: 40rem)")[1].split("@media")[0]
    assert "table, caption, thead, tbody, tr, td { display: block; }" in narrow
    assert "attr(data-name)" in narrow
    wide = [int(px) for px in re.findall(r"(?:^|[\s;{])(?:min-)?width: (\d+)px", own("page.css"))]
    assert max(wide) <= 390 - 2 * 16
    assert "overflow-x: auto" in own("page.css")


def test_the_script_sorts_and_filters_and_does_nothing_else() -> None:
    script = own("page.js")
    assert script.startswith('"use strict";')
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(|fetch|XMLHttp|import|localStorage|cookie"
    )
    assert not re.search(forbidden, script)
    for part in ('getElementById("items")', 'getElementById("filter")', "aria-sort", "dataset.sort", "row.hidden"):
        assert part in script
    for opening, closing in ("()", "[]", "{}"):
        assert script.count(opening) == script.count(closing)
    assert "</" not in script + own("page.css")
