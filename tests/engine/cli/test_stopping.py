"""The first signal ends a run with what it has finished, and never in the middle of an import."""

import importlib
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from onnxray.cli.parts.stopping import stoppable


def until_heard(name: str | None = None) -> None:
    """Import and wait, for longer than a signal takes."""
    with stoppable():
        if name is not None:
            importlib.import_module(name)
        for _ in range(100):
            threading.Event().wait(0.01)
    pytest.fail("the signal was not heard")


SLOW = "import time\nfor _ in range(40): time.sleep(0.01)\nwhole = True\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_waits_for_the_end_of_an_import(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"slow_to_import_{number.name.lower()}"
    (tmp_path / f"{name}.py").write_text(SLOW)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job ignores
    timer = threading.Timer(0.1, os.kill, (os.getpid(), number))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        until_heard(name)
    assert sys.modules[name].whole
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_signal_outside_of_an_import_is_heard_at_once() -> None:
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        until_heard()
