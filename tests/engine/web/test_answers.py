"""What the server answers to odd requests, of odd files, and where something goes wrong: a status and one line."""

from __future__ import annotations

import asyncio
import io
import json
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the extra onnxray[web] is not installed")

from onnxray.web.server.app import Site
from onnxray.web.server.guard import HEADERS, Key, hosts_of
from onnxray.web.server.runs import Runs
from onnxray.web.server.store import PICTURE, Blobs, Files
from support.asgi import HOST, OWN, answered, asked, told

JSON = {"content-type": "application/json"}


class Willing:
    """A process that takes every picture."""

    async def ask(self, _: str, **__: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {}


def served(folder: Path, earlier: Path | None = None) -> Any:
    """An application, and the headers of who may speak with it."""
    key, blobs = Key(8765), Blobs()
    worker: Any = Willing()
    runs = Runs(folder / "out", worker, blobs, earlier)
    site = Site(worker=worker, files=Files([]), runs=runs, blobs=blobs, models=("net.onnx",))
    token = str(key.token)
    app = site.application(key, hosts_of("127.0.0.1", 8765))
    cookie = asked(app, "POST", "/session", OWN, [token.encode()]).headers["set-cookie"].partition(";")[0]
    return SimpleNamespace(app=app, site=site, mine={**OWN, "cookie": cookie})


def png(level: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((2, 2), level, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_pictures_that_are_dropped_at_once_are_all_kept(tmp_path: Path) -> None:
    page = served(tmp_path)

    async def drop(level: int) -> Any:
        data = png(level)
        return await answered(page.app, "POST", "/files", page.mine, [data[:20], data[20:]])

    async def main() -> Any:
        return await asyncio.gather(*map(drop, range(8)))

    answers = asyncio.run(main())
    assert [one.status for one in answers] == [201] * 8
    for level, answer in enumerate(answers):
        assert page.site.files.at(answer.json["key"]).path.read_bytes() == png(level)


def test_pictures_of_an_earlier_session_are_not_replaced(tmp_path: Path) -> None:
    """Two sessions may write to the same folder, and a command line of the first names its picture."""
    for level in (7, 8):
        page = served(tmp_path)
        assert asked(page.app, "POST", "/files", page.mine, [png(level)]).status == 201
    there = sorted((tmp_path / "out" / "dropped").iterdir())
    assert [one.read_bytes() for one in there] == [png(7), png(8)]


def test_a_folder_that_cannot_be_written_is_one_line_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("no folder")
    page = served(tmp_path)
    answer = asked(page.app, "POST", "/files", page.mine, [png(1)])
    assert answer.status == 500
    assert answer.json["error"].startswith("onnxray explore could not do this: ")
    assert str(tmp_path) not in answer.json["error"]
    assert HEADERS.items() <= answer.headers.items()
    assert asked(page.app, "GET", "/state", page.mine).status == 200


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_names_that_are_no_text_take_nothing_else_along(tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff\xfe \x1b[31m ") + "\u202egnp.<script>"
    folder = tmp_path / "runs" / odd
    folder.mkdir(parents=True)
    (folder / "result.json").write_text('{"schema": 1, "items": []}')
    (folder / f"{odd}.png").write_bytes(png(3))
    os.utime(folder / "result.json", (0, 0))  # before a zip's first day
    page = served(tmp_path, tmp_path / "runs")
    page.site.files.add(folder / f"{odd}.png", odd, PICTURE)
    state = asked(page.app, "GET", "/state", page.mine)
    assert state.status == 200
    for text in (state.json["runs"][0]["title"], state.json["files"][0]["label"]):
        assert text == r"\udcff\udcfe \x1b[31m \u202egnp.<script>"
    assert asked(page.app, "GET", "/runs/r1", page.mine).status == 200
    answer = asked(page.app, "GET", "/runs/r1/zip", page.mine)
    assert answer.status == 200
    with zipfile.ZipFile(io.BytesIO(answer.body)) as file:
        assert file.testzip() is None
        assert sorted(Path(name).suffix for name in file.namelist()) == [".json", ".png"]


@pytest.mark.parametrize("place", ["9" * 5000, "99999999999", "1e3", "%31", "+1", "-1", "1.0", "\u0661", ""])
def test_places_of_files_are_small_numbers(tmp_path: Path, place: str) -> None:
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "result.json").write_text('{"schema": 1, "items": []}')
    page = served(tmp_path, tmp_path / "runs")
    assert asked(page.app, "GET", f"/runs/r1/files/{place}", page.mine).status == 404


@pytest.mark.parametrize("path", ["/state/", "/runs/r1/", "/blobs/x/", "//state"])
def test_nothing_leads_to_another_address(tmp_path: Path, path: str) -> None:
    page = served(tmp_path)
    answer = asked(page.app, "GET", path, page.mine)
    assert answer.status == 404
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "twice", [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site"), ("cookie", "onnxray-8765=x")]
)
def test_what_stands_there_once_in_a_browsers_request_stands_there_once(tmp_path: Path, twice: tuple[str, str]) -> None:
    page = served(tmp_path)
    own = [*page.mine.items(), ("sec-fetch-site", "same-origin")]
    assert asked(page.app, "GET", "/state", own).status == 200
    for headers in ([twice, *own], [*own, twice]):
        assert asked(page.app, "GET", "/state", headers).status == 400


def test_ten_thousand_headers_are_too_many(tmp_path: Path) -> None:
    page = served(tmp_path)
    for more in ([(f"x-{k}", "") for k in range(10_000)], [("x", "a" * 20_000)]):
        assert asked(page.app, "GET", "/state", [*page.mine.items(), *more]).status == 431


@pytest.mark.parametrize(
    ("path", "question"),
    [
        ("/ask/model", {"model": "0"}), ("/ask/model", {"model": True}), ("/ask/model", {"model": None}),
        ("/ask/model", {"model": 0.5}), ("/ask/model", {"bench": 0}), ("/ask/graph", {"opened": "abc"}),
        ("/ask/graph", {"opened": [1]}), ("/ask/graph", {"everything": 1}), ("/ask/way", {"value": {}, "opened": []}),
        ("/ask/profile", {"model": 0, "fields": [["mean", "1"]]}), ("/ask/profile", {"fields": {"mean": 1}}),
        ("/ask/search", {"text": None}), ("/ask/cell", {"row": 1.0}), ("/ask/value", {"first": float("nan")}),
        ("/runs", {"path": ["lots"], "options": ["layer"]}), ("/runs", {"path": ["lots"], "options": {"layer": {}}}),
        ("/runs", {"path": ["lots"], "target": ["x"]}), ("/runs", {"path": ["lots"], "seed": "1"}),
        ("/runs", {"path": ["lots"], "folder": "/tmp"}), ("/along", {"item": "0"}), ("/along", {"scale": "1"}),
        ("/along", {"folder": "/tmp"}),
    ],
)  # fmt: skip
def test_what_is_stated_of_another_kind_is_said_to_be(tmp_path: Path, path: str, question: Any) -> None:
    page = served(tmp_path)
    answer = asked(page.app, "POST", path, {**page.mine, **JSON}, told(question))
    assert answer.status == 400
    assert "was expected" in answer.json["error"] or "may not be stated" in answer.json["error"]


def test_a_session_is_not_waited_for_once_it_was_had(tmp_path: Path) -> None:
    page = served(tmp_path)

    def never() -> Any:
        yield b"a"
        raise AssertionError

    answer = asked(page.app, "POST", "/session", {"host": HOST, "origin": f"http://{HOST}"}, never())
    assert answer.status == 403
    assert json.loads(answer.body)["error"]
