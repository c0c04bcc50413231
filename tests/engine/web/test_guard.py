"""Who may speak with the page's server: each point of the list in anchors, and two hundred strangers."""

from __future__ import annotations

import asyncio
import itertools
import json
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra onnxray[web] is not installed")

from onnxray.web.server import bodies
from onnxray.web.server.app import Site
from onnxray.web.server.guard import HEADERS, Key, hosts_of
from onnxray.web.server.runs import Runs
from onnxray.web.server.store import Blobs, Files
from support.asgi import HOST, OWN, Answered, answered, asked, told

JSON = {"content-type": "application/json"}


@pytest.fixture
def served(tmp_path: Path) -> Any:
    """An application without a model, and who may speak with it."""
    key, blobs = Key(8765), Blobs()
    site = Site(worker=None, files=Files([]), runs=Runs(tmp_path / "out", None, blobs), blobs=blobs, models=())
    token = key.token
    app = site.application(key, hosts_of("127.0.0.1", 8765))
    cookie = asked(app, "POST", "/session", OWN, [str(token).encode()]).headers["set-cookie"]
    return SimpleNamespace(
        app=app, site=site, key=key, token=token, cookie=cookie, mine={**OWN, "cookie": cookie.partition(";")[0]}
    )


def test_the_page_is_there_and_says_what_a_page_may(served: Any) -> None:
    for path in served.site.page:
        answer = asked(served.app, "GET", path)
        assert answer.status == 200
        assert HEADERS.items() <= answer.headers.items()
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "http" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self';")


def test_the_cookie_is_the_browsers_alone_and_the_token_good_for_once(served: Any) -> None:
    said = served.cookie.lower()
    assert "httponly" in said
    assert "samesite=strict" in said
    assert str(served.token) not in said
    again = asked(served.app, "POST", "/session", OWN, [str(served.token).encode()])
    assert again.status == 403
    assert "start onnxray explore once more" in again.json["error"]
    assert "set-cookie" not in again.headers


def test_a_second_browser_is_told_why(served: Any) -> None:
    assert asked(served.app, "GET", "/state", served.mine).status == 200
    other = asked(served.app, "GET", "/state", {"host": HOST})
    assert other.status == 403
    assert "the browser that opened its address first" in other.json["error"]


@pytest.mark.parametrize(
    "cookie", ["", "onnxray-8765", "onnxray-8765=", "onnxray-8765=wrong", "onnxray-1=KEY", "x=KEY"]
)
def test_other_cookies_open_nothing(served: Any, cookie: str) -> None:
    own = served.mine["cookie"].partition("=")[2]
    answer = asked(served.app, "GET", "/state", {"host": HOST, "cookie": cookie.replace("KEY", own)})
    assert answer.status == 403


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:80", "localhost", "127.0.0.1:8765.evil.example",
     "127.0.0.1:8765/../", "", "0.0.0.0:8765", "[::1]", "127.0.0.1:8765@evil.example"],
)  # fmt: skip
def test_names_that_were_bound_to_this_machine_are_answered_by_421(served: Any, host: str) -> None:
    for path in ("/", "/state"):
        answer = asked(served.app, "GET", path, {**served.mine, "host": host, "origin": f"http://{host}"})
        assert answer.status == 421
        assert HEADERS.items() <= answer.headers.items()


def test_two_hosts_and_none_are_no_host(served: Any) -> None:
    cookie = ("cookie", served.mine["cookie"])
    assert asked(served.app, "GET", "/state", [cookie]).status == 421
    assert asked(served.app, "GET", "/state", [("host", HOST), ("host", "evil.example"), cookie]).status == 421


@pytest.mark.parametrize("host", [HOST, "localhost:8765", "[::1]:8765", "LOCALHOST:8765"])
def test_the_own_names_are_answered(served: Any, host: str) -> None:
    assert (
        asked(served.app, "GET", "/state", {**served.mine, "host": host, "origin": f"http://{host.lower()}"}).status
        == 200
    )


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://127.0.0.1:8765", "http://127.0.0.1", "http://127.0.0.1:9", "file://", ""],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/ask/model"), ("DELETE", "/runs/r1"), ("POST", "/runs"),
                                              ("POST", "/files"), ("POST", "/session"), ("GET", "/state")])  # fmt: skip
def test_other_origins_are_refused(served: Any, origin: str, method: str, path: str) -> None:
    assert asked(served.app, method, path, {**served.mine, **JSON, "origin": origin}, told({})).status == 403


def test_what_changes_something_states_its_origin(served: Any) -> None:
    without = {name: value for name, value in served.mine.items() if name != "origin"}
    assert asked(served.app, "POST", "/runs", {**without, **JSON}, told({})).status == 403
    assert asked(served.app, "GET", "/state", without).status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", "x"])
def test_what_another_site_asks_is_refused(served: Any, site: str) -> None:
    assert asked(served.app, "GET", "/state", {**served.mine, "sec-fetch-site": site}).status == 403
    assert asked(served.app, "GET", "/runs/r1/events", {**served.mine, "sec-fetch-site": site}).status == 403


def test_no_other_origin_is_ever_allowed(served: Any) -> None:
    for method, path in itertools.product(("GET", "POST", "OPTIONS"), ("/", "/state", "/runs")):
        answer = asked(served.app, method, path, {**served.mine, "access-control-request-method": "POST"})
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert asked(served.app, "OPTIONS", "/runs", served.mine).status == 405


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/..%2f..%2fetc/passwd", "//etc/passwd", "/page/main.js", "/main.js/..", "/.git/config",
     "/blobs/../../etc/passwd", "/pictures/x", "/runs/../../etc/passwd/zip", "/runs/r1/files/../../result.json",
     "/runs/r1/files/-1", "/runs/r1/files/0x10", "/index.html%00.png", "/main.js;/x", "/C:/windows/win.ini", "/state/",
     "http://evil.example/", "*", "/blobs/", "/ask/__class__", "/ask/run", "/ask/upload", "/ask/along"],
)  # fmt: skip
def test_no_path_leads_out(served: Any, path: str) -> None:
    answer = asked(served.app, "POST" if path.startswith("/ask") else "GET", path, {**served.mine, **JSON}, told({}))
    assert answer.status in {307, 404, 405}
    assert b"root:" not in answer.body
    assert "location" not in answer.headers or HOST in answer.headers["location"]


def test_the_path_that_counts_is_the_scopes(served: Any) -> None:
    """BadHost, CVE-2026-48710: a Host of ``127.0.0.1:8765/?`` made other paths of ``request.url``."""
    answer = asked(served.app, "GET", "/state", {"host": f"{HOST}/main.js?"})
    assert answer.status == 421
    source = [path.read_text() for path in Path(bodies.__file__).parent.glob("*.py")]
    assert not [text for text in source if "request.url" in text.replace("``request.url``", "")]


@pytest.mark.parametrize("picture", ["/etc/passwd", "../x.png", "", None, 7, ["a"], {"a": 1}, "r1"])
def test_pictures_are_ids_and_never_paths(served: Any, picture: object) -> None:
    for question in ({"path": picture}, {"picture": picture}):
        name = "own" if "path" in question else "value"
        answer = asked(served.app, "POST", f"/ask/{name}", {**served.mine, **JSON}, told(question))
        assert answer.status in {400, 404, 409}
    for path in ("/runs", "/tried"):
        for stated in ({"pictures": [picture]}, {"targets": [picture]}, {"files": {"style": [picture]}}):
            refused = asked(served.app, "POST", path, {**served.mine, **JSON}, told({"path": ["lots"], **stated}))
            assert refused.status == 404, stated


@pytest.mark.parametrize("files", ["/etc/passwd", ["x"], {"style": "/etc/passwd"}, {"style": None}, 7])
def test_files_are_lists_of_ids(served: Any, files: object) -> None:
    stated = told({"path": ["visualize", "style"], "files": files})
    assert asked(served.app, "POST", "/runs", {**served.mine, **JSON}, stated).status == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_foreign_form_can_send_is_no_question(served: Any, kind: str) -> None:
    assert asked(served.app, "POST", "/ask/model", {**served.mine, "content-type": kind}, told({})).status == 415


@pytest.mark.parametrize(
    "body", [b"", b"[", b"[]", b"1", b'"a"', b"\xff\xfe", b"[" * 100_000, b'{"model":' + b"[" * 90_000]
)
def test_what_is_no_object_is_no_question(served: Any, body: bytes) -> None:
    assert asked(served.app, "POST", "/ask/model", {**served.mine, **JSON}, [body]).status == 400


def test_a_gigabyte_is_refused_before_it_comes_and_while_it_comes(served: Any) -> None:
    stated = {**served.mine, "content-length": str(2**30)}
    assert asked(served.app, "POST", "/files", stated, [b"x"]).status == 413
    piece = b"\x89PNG" * 2**18
    parts = (piece for _ in range(1024))
    tracemalloc.start()
    answer = asked(served.app, "POST", "/files", served.mine, parts)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status == 413
    assert most < 16 * len(piece), "it is written as it comes, and not held"
    assert not list((served.site.runs.folder / "dropped").iterdir()), "nothing of it stays"
    assert asked(served.app, "POST", "/ask/model", {**served.mine, **JSON}, [b"x" * 2**19]).status == 413


def test_a_slow_sender_is_not_waited_for(served: Any) -> None:
    async def slow() -> tuple[int, float]:
        loop, sent = asyncio.get_running_loop(), []
        scope = {
            "type": "http", "method": "POST", "path": "/x", "headers": [], "query_string": b"",
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            if not sent:
                sent.append(1)
                return {"type": "http.request", "body": b"x", "more_body": True}
            await asyncio.sleep(3600)
            raise AssertionError

        from starlette.requests import Request

        begun = loop.time()
        with pytest.raises(bodies.Refused) as refused:
            await bodies.read_body(Request(scope, receive), 100, patience=0.05)
        return refused.value.status, loop.time() - begun

    status, _ = asyncio.run(slow())
    assert status == 408


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"GIF89a", 409), (b"<svg onload=alert(1)>", 415), (b"<?xml", 415), (b"%!PS-Adobe", 415), (b"\x80\x04\x95", 415),
     (b"PK\x03\x04", 415), (b"", 415), (b"\x7fELF", 415)],
)  # fmt: skip
def test_what_is_no_picture_is_not_taken(served: Any, body: bytes, status: int) -> None:
    """409: a picture by its first bytes, which no process is there to read, for no model is open."""
    assert asked(served.app, "POST", "/files", served.mine, [body]).status == status
    assert not list((served.site.runs.folder / "dropped").iterdir())
    assert asked(served.app, "GET", "/state", served.mine).json["files"] == []


def test_a_websocket_is_closed(served: Any) -> None:
    async def connect() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await served.app({"type": "websocket", "path": "/state", "headers": []}, receive, send)
        return sent

    assert [message["type"] for message in asyncio.run(connect())] == ["websocket.close"]


def test_two_hundred_strangers_get_nothing_and_take_nothing(served: Any) -> None:
    """Each is refused by the right status, the memory stays as it was, and the page's own browser is answered."""
    paths = ("/state", "/runs", "/blobs/x", "/runs/r1/events", "/ask/value")
    tricks: list[tuple[dict[str, str], int]] = [
        ({**served.mine, "host": "rebound.example:8765"}, 421),
        ({**served.mine, "origin": "http://evil.example"}, 403),
        ({**OWN}, 403),
        ({**OWN, "cookie": "onnxray-8765=" + "A" * 4000}, 403),
        ({**served.mine, "sec-fetch-site": "cross-site"}, 403),
    ]
    methods = ("GET", "POST", "DELETE", "HEAD", "PATCH", "TRACE", "PUT", "CONNECT")

    async def storm() -> list[tuple[int, int, Answered]]:
        found = []
        for path, (headers, status), method in itertools.product(paths, tricks, methods):
            expected = status if status == 421 or method in {"GET", "POST", "DELETE", "HEAD"} else 405
            found.append((expected, len(found), await answered(served.app, method, path, headers, [b"x"])))
        return found

    asyncio.run(storm())
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    found = asyncio.run(storm())
    assert len(found) == 200
    assert [(number, answer.status) for expected, number, answer in found if answer.status != expected] == []
    del found
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 300_000
    assert asked(served.app, "GET", "/state", served.mine).status == 200


def test_answers_name_no_path_of_the_machine(served: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    picture = served.site.files.add(tmp_path / "secret.png", "secret.png", "picture")
    state = asked(served.app, "GET", "/state", served.mine)
    assert state.json["files"] == [
        {"key": picture.key, "label": "secret.png", "kind": "picture", "dropped": False, "made": False}
    ]
    assert str(tmp_path) not in json.dumps(state.json)
