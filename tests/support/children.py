"""onnxray in a process of its own, and its interruption once it is at work."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def child(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """A Python process that can import the project, and hears Ctrl-C also where the tests themselves are deaf to it."""
    path = os.pathsep.join(str(ROOT / part) for part in ("engine", "adapters", "models"))
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], text=True, env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_hear, **options,
    )  # fmt: skip


def _hear() -> None:
    """What a shell starts in the background is told to ignore SIGINT, and so are its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Standard output and error after Ctrl-C, which follows the first line on standard error: a sign of life.

    A model whose profile is guessed is told of there when it is open.
    """
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("assumed profile"), first + process.communicate(timeout=60)[1]
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=120)
