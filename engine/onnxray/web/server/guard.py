"""Who may speak with the page's server: one browser of this machine, which was handed the address.

Host      the server's own address and port, else 421: a stranger's name that was bound to 127.0.0.1 (DNS rebinding)
Origin    its own page, else 403; asked of everything that changes something
cookie    which a one-time token from the address was exchanged for, else 403; HttpOnly, SameSite=Strict

Paths are read from ``scope["path"]`` alone, which no header changes. Nothing allows another origin (no CORS).
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from typing import Final, final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onnxray.web.server.answers import Answer

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
"""What every answer says."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "DELETE"})
_CHANGING: Final = frozenset({"POST", "DELETE"})
_SINGLE: Final = frozenset({"origin", "sec-fetch-site", "cookie"})
_MOST_HEADERS: Final = 100
_LONGEST_HEADERS: Final = 16 * 2**10
_HTTP: Final = 80
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@final
class Key:
    """The one-time token that stands in the address, and what it is exchanged for."""

    def __init__(self, port: int) -> None:
        self.cookie = f"onnxray-{port}"
        self.token: str | None = secrets.token_urlsafe(32)
        self._key = secrets.token_urlsafe(32)

    def exchange(self, token: str) -> str | None:
        """The cookie's value for the token, once; None for any other text."""
        if self.token is None or not secrets.compare_digest(token.encode(), self.token.encode()):
            return None
        self.token = None
        return self._key

    def fits(self, cookies: str) -> bool:
        """Whether the key is among the cookies of a request."""
        pairs = (part.strip().partition("=") for part in cookies.split(";"))
        return any(
            name == self.cookie and secrets.compare_digest(value.encode(), self._key.encode())
            for name, _, value in pairs
        )


def hosts_of(address: str, port: int) -> frozenset[str]:
    """What a browser may call a server that listens there; it leaves out the port that is HTTP's own."""
    names = {address.lower(), *(_LOOPBACK if is_loopback(address) else ())}
    shown = {f"[{name}]" if ":" in name else name for name in names}
    return frozenset({f"{name}:{port}" for name in shown} | (shown if port == _HTTP else set()))


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's to itself."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower() in _LOOPBACK


@final
class Guard:
    """In front of the application: refuses whoever has no business with it, and says to browsers what a page may."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str], key: Key, open_paths: frozenset[str]) -> None:
        self.app, self.hosts, self.key, self.open_paths = app, hosts, key, open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why not."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [pair for pair in message["headers"] if pair[0].decode("latin-1").lower() not in HEADERS]
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*own, *added]}
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self.app(scope, receive, with_headers)
            return
        status, text = refusal
        await Answer({"error": text}, status, {"connection": "close"})(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason; None for who may pass."""
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in headers if name == "host"]
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return 421, "this server answers to its own address alone"
        if scope["method"] not in _METHODS:
            return 405, "no such method"
        if len(headers) > _MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > _LONGEST_HEADERS:
            return 431, "there are too many headers, or too long ones"
        single = dict(headers)
        if sum(name in _SINGLE for name, _ in headers) > len(_SINGLE & single.keys()):
            return 400, "a header stands there twice"
        if (refusal := self._from_elsewhere(scope["method"], hosts[0].lower(), single)) is not None:
            return 403, refusal
        if scope["path"] in self.open_paths or self.key.fits(single.get("cookie", "")):
            return None
        return 403, "this page belongs to the browser that opened its address first; start onnxray explore once more"

    def _from_elsewhere(self, method: str, host: str, headers: Mapping[str, str]) -> str | None:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if site is not None and site not in {"same-origin", "none"}:
            return "asked from another site"
        if origin is not None and origin != f"http://{host}":
            return "asked from another origin"
        if method in _CHANGING and origin is None:
            return "no origin is stated"
        return None
