"""A page in headless Chromium that is worked with: pressed, dragged over, asked; by its DevTools protocol, over pipes."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.browser import browser

_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking",
    "--no-first-run", "--mute-audio", "--remote-debugging-pipe",
)  # fmt: skip
_STARTS = """
import fcntl, os, sys
reading, writing = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(reading, 3), os.dup2(writing, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Puts the pipes where a browser looks for them."""


class Session:
    """An open page. requests: the addresses that it asked for; logged: what it had logged."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._numbers, self._waiting, self._session = itertools.count(1), b"", ""
        self.requests: list[str] = []
        self.logged: list[str] = []

    def open(self, address: str, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Show a page, and wait until it is loaded and its pictures are."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=address)
        self.ask(
            "new Promise(done => { const look = () => document.readyState === 'complete' ? requestAnimationFrame(done)"
            " : setTimeout(look, 20); look(); })"
        )

    def call(self, method: str, **options: Any) -> Any:
        """A command of the protocol; what it answers."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": options}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._writing, data) :]
        while True:
            said = self._next()
            if said.get("id") == number:
                assert "error" not in said, said["error"]
                return said["result"]
            self._note(said)

    def ask(self, expression: str) -> Any:
        """The value of JavaScript in the page, waited for."""
        said = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def drag(self, points: list[tuple[float, float]], *, shift: bool = False) -> None:
        """Press at the first point, move over all, let go at the last."""
        held = 8 if shift else 0
        for kind, (x, y) in [
            ("mousePressed", points[0]), *(("mouseMoved", one) for one in points), ("mouseReleased", points[-1]),
        ]:  # fmt: skip
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1, modifiers=held
            )
        self.frame()

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)
        self.frame()

    def frame(self) -> None:
        """Wait until what was changed is drawn."""
        self.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def picture(self, path: Path) -> Path:
        """A picture of all of the page."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))
        return path

    def _next(self) -> Any:
        while b"\0" not in self._waiting:
            more = os.read(self._reading, 2**20)
            assert more, "the browser has ended"
            self._waiting += more
        message, _, self._waiting = self._waiting.partition(b"\0")
        return json.loads(message)

    def _note(self, said: Any) -> None:
        kind, told = said.get("method"), said.get("params", {})
        if kind == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif kind == "Log.entryAdded":
            self.logged.append(told["entry"]["text"])
        elif kind == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.logged.append(str(details.get("exception", {}).get("description", details["text"])))
        elif kind == "Runtime.consoleAPICalled":
            self.logged.append(str(told["args"]))


@contextmanager
def session(folder: Path) -> Iterator[Session]:
    """A browser of its own. folder: for what it writes."""
    command = browser()
    assert command is not None
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", _STARTS, str(theirs_in), str(theirs_out), command, *_OPTIONS],
        pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    os.close(theirs_in)
    os.close(theirs_out)
    held = Session(ours_in, ours_out)
    try:
        yield held
    finally:
        process.terminate()
        process.wait(60)
        os.close(ours_in)
        os.close(ours_out)
