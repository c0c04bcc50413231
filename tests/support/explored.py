"""``onnxray explore`` in a process of its own, and who asks its server."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.asgi import Answered
from support.children import child


@dataclass(frozen=True)
class Explored:
    """A server that listens. whole: the address with its token."""

    process: subprocess.Popen[str]
    whole: str

    @property
    def host(self) -> str:
        return urllib.parse.urlsplit(self.whole).netloc

    def raw(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answered:
        connection = http.client.HTTPConnection(self.host, timeout=120)
        try:
            connection.request(method, path, body, {"Host": self.host, **headers})
            answer = connection.getresponse()
            return Answered(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def entered(self) -> Browsing:
        """Exchange the token for the cookie."""
        token = self.whole.partition("#")[2].encode()
        answer = self.raw("POST", "/session", token, Origin=f"http://{self.host}")
        assert answer.status == 200, answer.body
        return Browsing(self, answer.headers["set-cookie"].partition(";")[0])

    def memory(self) -> int:
        """Bytes that the server's own process holds."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


@dataclass(frozen=True)
class Browsing:
    """Who has the cookie."""

    server: Explored
    cookie: str

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answered:
        origin = f"http://{self.server.host}"
        return self.server.raw(method, path, body, Cookie=self.cookie, Origin=origin, **headers)

    def post(self, path: str, question: Mapping[str, Any]) -> Answered:
        return self.send("POST", path, json.dumps(question).encode(), **{"Content-Type": "application/json"})

    def files(self, *kinds: str) -> list[dict[str, Any]]:
        """The files of the page, of these kinds."""
        found: list[dict[str, Any]] = json.loads(self.send("GET", "/state").body)["files"]
        return [one for one in found if one["kind"] in kinds]

    def ended(self, run: str, within: float = 120) -> dict[str, Any]:
        """A run's state once it is over, by its events."""
        connection = http.client.HTTPConnection(self.server.host, timeout=within)
        try:
            connection.request("GET", f"/runs/{run}/events", headers={"Host": self.server.host, "Cookie": self.cookie})
            answer = connection.getresponse()
            state: dict[str, Any] = {}
            while line := answer.readline():
                if line.startswith(b"data: "):
                    state = json.loads(line[6:])
            return state
        finally:
            connection.close()


@contextmanager
def explored(*arguments: object, folder: Path, inside: bool = False) -> Iterator[Explored]:
    """The command with these arguments, until the block ends; then Ctrl-C. inside: it is typed in that folder."""
    out = Path("explored") if inside else folder / "explored"
    browser = () if "--browser" in arguments else ("--no-browser",)
    command = ("-m", "onnxray", "explore", *arguments, *browser, "--json", "-o", out)
    process = child(*command, cwd=folder) if inside else child(*command)
    try:
        assert process.stdout is not None
        text = ""
        while not text.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, process.communicate(timeout=30)[1]
            text += line
        yield Explored(process, json.loads(text)["address"])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def until(question: Any, within: float = 60) -> Any:
    """What a question gives once it gives something."""
    end = time.monotonic() + within
    while True:
        found = question()
        if found:
            return found
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.05)
