"""The server itself: a socket of this machine, uvicorn on it, and its end."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from collections.abc import Callable
from typing import Any, Final, final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from onnxray.errors import InputError
from onnxray.errors.short_values import short

_SILENT: Final = 15.0
"""Seconds in which a connection has to ask something, and to ask it whole."""
_MOST_AT_ONCE: Final = 100
_MOST_SILENT: Final = 60
"""Connections from which on those that ask nothing make room, the longest silent first."""
_LONGEST_HEADERS: Final = 16 * 2**10


@final
class Protocol(H11Protocol):
    """HTTP/1.1, which closes connections that ask nothing: a header that never ends holds nothing for long.

    Between two questions the server's own time for that counts, until the second one begins.
    """

    _silent_since = 0.0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait; where there are many that wait, the first of them goes."""
        super().connection_made(transport)
        self._silent_since = self.loop.time()
        self.loop.call_later(_SILENT, self._close_where_silent)
        if len(self.connections) > _MOST_SILENT:
            silent = [one for one in self.connections if isinstance(one, Protocol) and one.is_silent]
            min(silent, key=lambda one: one._silent_since).transport.abort()

    @property
    def is_silent(self) -> bool:
        """Whether nothing of it is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Read on; a question that begins has to come whole."""
        if self.timeout_keep_alive_task is not None:
            self._silent_since = self.loop.time()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Wait for the next question."""
        self._silent_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP; where a body breaks off behind its answer, there is no more to say."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.transport.abort()

    def _close_where_silent(self) -> None:
        if self.transport.is_closing():
            return
        left = self._silent_since + _SILENT - self.loop.time()
        if self.is_silent and self.timeout_keep_alive_task is None and left <= 0:
            self.transport.abort()
        else:
            self.loop.call_later(left if left > 0 else _SILENT, self._close_where_silent)


@final
class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets=sockets)
        if self.started:
            asyncio.get_running_loop().call_soon(self._ready)


def address_of(host: str) -> str:
    """The address that a name is bound to, as browsers write it. Errors: InputError where it has none, or is all."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        try:
            known = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise InputError(f"--host {short(host)} is no address of this machine") from None
        families = sorted(known, key=lambda one: one[0] != socket.AF_INET)
        found = ipaddress.ip_address(str(families[0][4][0]).partition("%")[0])
    if found.is_unspecified:
        raise InputError(f"--host is {host or 'empty'}; name the one address that the page is opened by")
    return str(found)


def bound(address: str, port: int) -> socket.socket:
    """A socket that listens there; port 0: any that is free. Errors: InputError where the port cannot be had."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # The protocol is named, for asyncio sends at once (TCP_NODELAY) only where it is: else each answer takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # where it lets a port be taken again that was used a moment ago, and no more
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(_MOST_AT_ONCE)
    except (OSError, OverflowError) as error:
        listening.close()
        said = getattr(error, "strerror", None) or error
        raise InputError(f"port {port} of {address} cannot be had ({said}); leave out --port for a free one") from None
    return listening


def server_of(app: ASGIApp, ready: Callable[[], None]) -> Server:
    """What serves the application, and says when it does."""
    config = uvicorn.Config(
        app, http=Protocol, ws="none", lifespan="off", log_level="critical", access_log=False, server_header=False,
        date_header=False, limit_concurrency=_MOST_AT_ONCE, timeout_keep_alive=30, timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=_LONGEST_HEADERS, loop="asyncio",
    )  # fmt: skip
    return Server(config, ready)


def serve(app: ASGIApp, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    server_of(app, ready).run(sockets=[listening])
