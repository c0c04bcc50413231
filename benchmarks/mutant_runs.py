"""Run tests on a mutant, in a fork of a process that holds the heavy libraries already."""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Imported for the forks: nothing of the engine, which is what changes.
import matplotlib.pyplot
import numpy
import onnx
import onnxruntime
import PIL.Image
import pytest
import torch

PRELOADED = (matplotlib.pyplot, numpy, onnx, onnxruntime, PIL.Image, torch)


@dataclass(frozen=True)
class Runner:
    """Runs tests of a copy of the tree."""

    tree: Path

    def run(self, tests: Sequence[str], limit: float) -> tuple[str, str, float]:
        """The outcome, the test that failed, and the seconds: until the first failure, ``limit`` seconds at most.

        The limit is of the processor's seconds, all threads together: what else the machine does kills no mutant.
        What waits for ever is ended after eight times as long by the clock.
        """
        log = self.tree.parent / "log"
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            self._test(tests, log, math.ceil(limit))
        status = wait(child, began + 8 * limit)
        seconds = time.monotonic() - began
        if status is None or (os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)):
            return "timeout", "", seconds
        lines = log.read_text(errors="replace").splitlines()
        failed = [line.split(" ")[1] for line in lines if line.startswith(("FAILED ", "ERROR "))]
        return ("survived" if status == 0 else "killed"), (failed or [""])[0], seconds

    def _test(self, tests: Sequence[str], log: Path, limit: int) -> None:
        """What the fork does; it never returns."""
        status = 1
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
            os.chdir(self.tree)
            with log.open("w") as out:
                os.dup2(out.fileno(), 1)
                os.dup2(out.fileno(), 2)
            places = [str(self.tree / name) for name in ("engine", "adapters", "models", "tests")]
            os.environ["PYTHONPATH"] = os.pathsep.join(places)
            os.environ["ONNXRAY_CACHE"] = str(self.tree.parent / "cache")
            beside = str(Path(__file__).parent)  # a file of it has the name of the tests' helpers
            sys.path[:] = [*places, *(place for place in sys.path if place != beside)]
            sys.dont_write_bytecode = True
            status = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-rfE", *tests]))
        finally:
            sys.stdout.flush()
            os._exit(status)


def wait(child: int, until: float) -> int | None:
    """The child's status; None where it was ended for its time."""
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
