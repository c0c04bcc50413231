"""``index.html``: a run's items as a table that can be sorted and filtered, with their pictures.

One file, see whole_page.py. Every text goes through ``html_text``. It states no times of the run, not how it was
called and not on what machine, so that a run that was gone on with, or made again, has the same page.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from onnxray.errors.shown_text import html_text, json_text
from onnxray.report.page.columns import Scalar, shown, table_of
from onnxray.report.page.thumbnails import SIDE, Thumbnail, thumbnail
from onnxray.report.page.whole_page import whole_page
from onnxray.results.saved_files import PAGE

_MOST_THUMBNAILS = 2000
_FIRST = ("image", "origin", "original", "target", "overlay", "map")
"""Roles of pictures that stand first."""
_LEFT_OUT = (
    "items", "seconds", "command", "made_from", "machine", "versions", "files", "notes", "incomplete", "interrupted",
    "runs", "points",
)  # fmt: skip
"""What stands elsewhere on the page, or differs from run to run."""


def run_page(document: Mapping[str, Any], folder: Path, beside: Collection[str] | Mapping[str, bytes] = ()) -> bytes:
    """The page of a run. document: as it stands in result.json; folder: where its files lie; beside: further files.

    Of the first two thousand pictures thumbnails are held, of the others there are links. A run without items, whose
    parts have folders of their own (``runs``), shows the pictures that are beside it.
    """
    title = _title(document)
    parts = [
        f"<h1>{html_text(title)}</h1>", *_warnings(document), *_links(_named(document, beside)),
        *_content(document, folder, beside), *_folded(document, beside),
    ]  # fmt: skip
    return whole_page(title, parts, styles=("base.css", "page.css"), scripts=("page.js",))


def _title(document: Mapping[str, Any]) -> str:
    model = PurePath(str(document["model"]["path"] or "model")).name
    return str(document.get("title") or f"{document['method']['name']} on {model}")


def _made_by(document: Mapping[str, Any]) -> str:
    version = document.get("versions", {}).get("onnxray", "")
    return f"onnxray {version}, model sha256 {str(document['model'].get('sha256'))[:16]}"


def _warnings(document: Mapping[str, Any]) -> Iterator[str]:
    profile = document.get("profile")
    if profile is not None and profile["assumed"]:
        reasons = "; ".join(str(reason).removeprefix(f"{profile['name']}: ") for reason in profile["reasons"])
        yield f'<p class="warning">ASSUMED profile {html_text(profile["name"])}: {html_text(reasons)}</p>'
    if document.get("interrupted") or document.get("incomplete"):
        yield '<p class="warning">This run was interrupted: not all of it is here.</p>'


def _links(beside: Collection[str]) -> Iterator[str]:
    names = [*beside, "result.json"]
    yield '<ul class="links">' + "".join(f"<li>{_link(name, html_text(name))}</li>" for name in names) + "</ul>"


def _named(document: Mapping[str, Any], beside: Collection[str]) -> list[str]:
    """What is linked: further files, and the pages of a run's parts."""
    return [*beside, *(f"{name}/{PAGE}" for name in document.get("runs", ()))]


def _content(document: Mapping[str, Any], folder: Path, beside: Collection[str] | Mapping[str, bytes]) -> Iterator[str]:
    """The items; of a run whose parts stand elsewhere the pictures that tell of all."""
    if "runs" not in document or not isinstance(beside, Mapping):
        yield from _table(document.get("items", ()), folder)
        return
    for name, data in beside.items():
        url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
        picture = f'<img src="{url}" alt="{html_text(name)}">'
        yield f'<figure class="whole">{_link(name, picture)}</figure>'


def _link(name: str, inside: str) -> str:
    return f'<a href="{html_text(quote(name.encode("utf-8", "surrogatepass")))}">{inside}</a>'


def _table(items: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[str]:
    if not items:
        yield "<p>No items.</p>"
        return
    table = table_of(items)
    if table.same:
        said = "; ".join(f"{html_text(name)}: {html_text(shown(value))}" for name, value in table.same.items())
        yield f'<p class="soft">The same for all: {said}</p>'
    yield '<p class="filter" id="bar" hidden><label for="filter">Filter by text</label>'
    yield '<input id="filter" type="search" autocomplete="off"><output id="count" for="filter"></output></p>'
    yield '<div class="scroll"><table id="items">'
    yield f"<caption>{_counted(len(items), 'item')}; pictures open in their full size</caption>"
    heads = [f'<th {_kind(table.numeric(name))} scope="col">{html_text(name)}</th>' for name in table.columns]
    yield f'<thead><tr><th scope="col">pictures</th>{"".join(heads)}</tr></thead><tbody>'
    drawn = _Thumbnails(folder)
    for row, item in enumerate(items):
        cells = "".join(_cell(name, column[row], numeric=table.numeric(name)) for name, column in table.columns.items())
        yield f'<tr><td class="pictures">{drawn.of(item.get("files", {}))}</td>{cells}</tr>'
    yield "</tbody></table></div>"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _kind(numeric: bool) -> str:
    return 'class="number" data-kind="number"' if numeric else 'data-kind="text"'


def _cell(name: str, value: Scalar, *, numeric: bool) -> str:
    kind = f' class="number" data-sort="{"" if value is None else html_text(repr(value))}"' if numeric else ""
    text = html_text(shown(value))
    if name == "path" and isinstance(value, str):  # its end is what tells files apart
        kind, text = f' title="{text}"', html_text(PurePath(value).name or value)
    return f'<td data-name="{html_text(name)}"{kind}>{text}</td>'


class _Thumbnails:
    """The pictures of items, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = dict[str, Thumbnail | None]()

    def of(self, files: Mapping[str, str]) -> str:
        """The pictures of an item, and links to its other files."""
        roles = sorted(files, key=lambda role: _FIRST.index(role) if role in _FIRST else len(_FIRST))
        figures, links = [], []
        for role in roles:
            seen = self._seen(files[role])
            if seen is None:
                links.append(_link(files[role], html_text(role)))
            else:
                figures.append(_figure(role, files[role], seen))
        held = f'<div class="thumbnails">{"".join(figures)}</div>' if figures else ""
        return held + (f'<span class="soft">{", ".join(links)}</span>' if links else "")

    def _seen(self, name: str) -> Thumbnail | None:
        if not name.endswith(".png"):
            return None
        if name not in self._known and len(self._known) < _MOST_THUMBNAILS:
            self._known[name] = thumbnail(self._folder / name)
        return self._known.get(name)


def _figure(role: str, name: str, seen: Thumbnail) -> str:
    height = max(1, round(SIDE * seen.height / seen.width))
    small = ' class="small"' if seen.small else ""
    picture = f'<img{small} src="{seen.url}" alt="" width="{SIDE}" height="{height}">'
    return f"<figure>{_link(name, f'{picture}{html_text(role)}')}</figure>"


def _folded(document: Mapping[str, Any], beside: Collection[str]) -> Iterator[str]:
    notes = document.get("notes", ())
    if notes:
        listed = "".join(f"<li>{html_text(str(note))}</li>" for note in notes)
        yield f"<details><summary>{_counted(len(notes), 'note')}</summary><ul>{listed}</ul></details>"
    stated = {key: value for key, value in document.items() if key not in _LEFT_OUT}
    lines = "\n".join(html_text(line) for line in json_text(stated).split("\n"))
    yield f"<details><summary>Provenance</summary><pre>{lines}</pre></details>"
    yield f'<p class="soft">{html_text(_made_by(document))}</p>'
    names = {name for item in document.get("items", ()) for name in item.get("files", {}).values()}
    listed = "".join(
        f"<li>{_link(name, html_text(name))}</li>"
        for name in sorted({*names, *_named(document, beside), "result.json"})
    )
    yield f"<details><summary>All files</summary><ul>{listed}</ul></details>"
