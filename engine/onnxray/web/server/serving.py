"""The server itself: a socket of this machine, uvicorn on it, and its end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final, final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from onnxray.errors import InputError

_SILENT: Final = 15.0
"""Seconds in which a connection has to ask something."""
_MOST_AT_ONCE: Final = 100
_LONGEST_HEADERS: Final = 16 * 2**10


@final
class Protocol(H11Protocol):
    """HTTP/1.1, which closes connections that ask nothing: a header that never ends holds nothing for long."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self.loop.call_later(_SILENT, self._close_where_silent)

    def _close_where_silent(self) -> None:
        if self.cycle is None and self.transport is not None and not self.transport.is_closing():
            self.transport.close()


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


def bound(address: str, port: int) -> socket.socket:
    """A socket that listens there; port 0: any that is free. Errors: InputError where the port cannot be had."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.bind((address, port))
    except (OSError, OverflowError) as error:
        listening.close()
        said = getattr(error, "strerror", None) or error
        raise InputError(f"port {port} of {address} cannot be had ({said}); leave out --port for a free one") from None
    return listening


def serve(app: ASGIApp, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    config = uvicorn.Config(
        app, http=Protocol, ws="none", lifespan="off", log_level="critical", access_log=False, server_header=False,
        date_header=False, limit_concurrency=_MOST_AT_ONCE, timeout_keep_alive=30, timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=_LONGEST_HEADERS, loop="asyncio",
    )  # fmt: skip
    Server(config, ready).run(sockets=[listening])
