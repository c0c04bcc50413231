"""Connections that ask nothing, or half of something: they hold nothing for long, and nobody's place."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra onnxray[web] is not installed")
pytest.importorskip("uvicorn", reason="the extra onnxray[web] is not installed")

from onnxray.errors import InputError
from onnxray.web.server import serving
from onnxray.web.server.guard import hosts_of, is_loopback

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
QUESTION = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def with_server(work: Callable[[Callable[[], Awaitable[Connection]]], Awaitable[None]]) -> None:
    """Do some work with a server that answers all questions by one letter, and those for /late much later."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        if scope["path"] == "/late":
            await asyncio.sleep(0.8)
        await send({"type": "http.response.body", "body": b"x"})

    async def main() -> None:
        started = asyncio.Event()
        listening = serving.bound("127.0.0.1", 0)
        server = serving.server_of(app, started.set)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        await asyncio.wait_for(started.wait(), 10)
        port = server.servers[0].sockets[0].getsockname()[1]
        made = []

        async def connect() -> Connection:
            made.append(await asyncio.open_connection("127.0.0.1", port))
            return made[-1]

        try:
            await work(connect)
        finally:
            for _, writer in made:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            server.should_exit = True
            await task

    asyncio.run(main())


async def answered(connection: Connection, question: bytes = QUESTION) -> bytes:
    reader, writer = connection
    writer.write(question)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    return head + await reader.readexactly(1)


@pytest.mark.parametrize(("earlier", "begin"), [(0, b""), (0, b"G"), (2, b"G"), (2, QUESTION[:-1])])
def test_a_question_that_never_ends_is_not_waited_for(monkeypatch: Any, earlier: int, begin: bytes) -> None:
    """Also behind others, where the time between two questions is longer (slow loris)."""
    monkeypatch.setattr(serving, "_SILENT", 0.3)

    async def work(connect: Callable[[], Awaitable[Connection]]) -> None:
        silent, late = await connect(), await connect()
        for _ in range(earlier):
            assert (await answered(silent)).startswith(b"HTTP/1.1 200")
        silent[1].write(begin)
        busy = asyncio.create_task(answered(late, QUESTION.replace(b"/ ", b"/late ", 1)))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(silent[0].readexactly(1), 10)
        assert (await busy).endswith(b"x"), "what is answered late is answered all the same"

    with_server(work)


@pytest.mark.parametrize("path", ["/", "/late"])
def test_a_body_that_is_none_ends_its_connection_without_a_word(caplog: pytest.LogCaptureFixture, path: str) -> None:
    """Before its question is answered, and after."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()

    async def work(connect: Callable[[], Awaitable[Connection]]) -> None:
        broken = await connect()
        broken[1].write(head)
        if path == "/":
            assert (await broken[0].readexactly(12)) == b"HTTP/1.1 200"
        await asyncio.sleep(0.1)
        broken[1].write(b"no length\r\n")
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(broken[0].read(), 10)
        assert (await answered(await connect())).startswith(b"HTTP/1.1 200")

    with_server(work)
    assert [record for record in caplog.records if record.name == "asyncio"] == [], "a traceback in the terminal"


def test_five_hundred_silent_connections_take_nobodys_place() -> None:
    async def work(connect: Callable[[], Awaitable[Connection]]) -> None:
        for _ in range(500):
            await connect()
        assert (await answered(await connect())).startswith(b"HTTP/1.1 200")

    with_server(work)


def test_an_answer_does_not_wait_for_the_receipt_of_its_head() -> None:
    with serving.bound("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP, "asyncio sends at once where it is told the protocol"


def test_a_port_can_be_had_again_at_once_and_not_twice() -> None:
    first = serving.bound("127.0.0.1", 0)
    port = first.getsockname()[1]
    with pytest.raises(InputError, match="cannot be had"):
        serving.bound("127.0.0.1", port)
    with socket.create_connection(("127.0.0.1", port)) as asking:
        accepted, _ = first.accept()
        accepted.close()  # by the server first, as at its end
        assert asking.recv(1) == b""
    first.close()
    serving.bound("127.0.0.1", port).close()


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("0:0:0:0:0:0:0:1", "::1"), ("127.1", "127.0.0.1"),
     ("localhost", "127.0.0.1"), ("LOCALHOST", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("192.0.2.1", "192.0.2.1")],
)  # fmt: skip
def test_an_address_is_what_a_browser_makes_of_it(host: str, address: str) -> None:
    assert serving.address_of(host) == address
    assert is_loopback(address) == (address != "192.0.2.1")


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "0", "0.0", "0:0:0:0:0:0:0:0"])
def test_all_addresses_at_once_are_none(host: str) -> None:
    with pytest.raises(InputError, match="name the one address"):
        serving.address_of(host)


def test_an_address_that_there_is_not_is_one_line() -> None:
    with pytest.raises(InputError, match="no address of this machine"):
        serving.address_of("no\0such")


def test_the_port_that_browsers_leave_out_need_not_be_there() -> None:
    assert {"127.0.0.1", "localhost:80", "[::1]", "127.0.0.2"} <= hosts_of("127.0.0.2", 80)
    assert hosts_of("MyBox.example", 5) == {"mybox.example:5"}
