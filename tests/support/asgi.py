"""An application asked without a network: one request, its status, headers and body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

HOST = "127.0.0.1:8765"
OWN = {"host": HOST, "origin": f"http://{HOST}"}


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def asked(
    app: Any, method: str, path: str, headers: Mapping[str, str] | Iterable[tuple[str, str]] = OWN,
    body: Iterable[bytes] = (), kind: str = "http",
) -> Answered:  # fmt: skip
    """One request. headers: pairs where one comes twice. body: in parts."""
    return asyncio.run(answered(app, method, path, headers, body, kind))


async def answered(
    app: Any, method: str, path: str, headers: Mapping[str, str] | Iterable[tuple[str, str]] = OWN,
    body: Iterable[bytes] = (), kind: str = "http",
) -> Answered:  # fmt: skip
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    path, _, query = path.partition("?")
    scope = {
        "type": kind, "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
        "server": ("127.0.0.1", 8765), "client": ("127.0.0.1", 5),
    }  # fmt: skip
    parts: Iterator[bytes] | None = iter(body)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal parts
        if parts is None:
            await asyncio.sleep(3600)
            return {"type": "http.disconnect"}
        part = next(parts, None)
        parts = None if part is None else parts
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = sent[0]
    found = {name.decode(): value.decode() for name, value in start.get("headers", [])}
    whole = b"".join(message.get("body", b"") for message in sent[1:])
    return Answered(start.get("status", 0), found, whole)


def told(question: object) -> list[bytes]:
    """A question as it is sent."""
    return [json.dumps(question).encode()]
