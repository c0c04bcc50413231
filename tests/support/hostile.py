"""Damaged models through the engine in bounded child processes, which are started again when one dies."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from support.damage_places import CANARY
from support.mutation_seeds import Seed
from support.mutations import write_case

CHILD = Path(__file__).with_name("hostile_child.py")
MEMORY = 2 * 2**30
SECONDS = 20.0
STOP = 6.0
"""When the work on a model that opened is stopped, as --timeout would: opening itself has all of ``SECONDS``."""
GROWN = MEMORY * 7 // 8
"""Resident size at which such work is stopped too: a loop that gathers without end."""
_DATA = 2 * MEMORY
"""The system's own limit: what is asked for at once and can never be had. Higher, as what grows is held twice while it
is moved, and native code aborts where that fails."""
_TICK = 0.05

BAD = frozenset(
    {"traceback", "bad message", "shown raw", "read outside", "leak", "crash", "too slow", "too much memory"}
)
_USES = 250
"""Models after which a child process ends: what grows slowly in it is no single model's."""


@dataclass(frozen=True)
class Finding:
    """What came of one mutation: a model, one of our errors, ``stopped``, ``stopped growing``, or one of ``BAD``."""

    number: int
    damage: str
    outcome: str
    stage: str
    error: str
    seconds: float
    peak: int
    steps: Mapping[str, str] = field(default_factory=dict)

    @property
    def bad(self) -> bool:
        return self.outcome in BAD


def run_cases(
    seeds: Sequence[Seed],
    numbers: Sequence[int],
    seed: int,
    folder: Path,
    *,
    workers: int = 1,
    stop: float = STOP,
    child: Path | None = None,
) -> Iterator[Finding]:
    """Every mutation's finding, in the order of ``numbers``. Files are removed again, those of bad ones are kept.

    child: the program of the child process; by default the one that opens, predicts, differentiates and verifies.
    """
    healthy = list(seeds)

    def write(number: int, place: Path) -> tuple[Path, str]:
        return write_case(healthy, number, seed, place)

    return run_files(write, numbers, folder, workers=workers, stop=stop, child=child or CHILD)


def run_files(
    write: Callable[[int, Path], tuple[Path, str]],
    numbers: Sequence[int],
    folder: Path,
    *,
    child: Path,
    workers: int = 1,
    stop: float = STOP,
) -> Iterator[Finding]:
    """The findings of files that ``write`` puts into the folder that it is given; it says what they are."""
    (folder / CANARY).write_bytes(b"\x00\x00\x80?" * 400_000)
    pool = [_Child(folder, child) for _ in range(workers)]
    free, lock = list(pool), Lock()

    def one(number: int) -> Finding:
        path, damage = write(number, folder / str(number))
        with lock:
            used = free.pop()
        try:
            answer = used.ask(path, stop)
        finally:
            with lock:
                free.append(used)
        finding = Finding(
            number, damage, answer["outcome"], answer.get("stage", ""), answer.get("error", ""),
            answer["seconds"], answer["peak"], answer.get("steps", {}),
        )  # fmt: skip
        if not finding.bad:
            _remove(path.parent)
        return finding

    try:
        with ThreadPoolExecutor(workers) as threads:
            yield from threads.map(one, numbers)
    finally:
        for used in pool:
            used.end()


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


class _Child:
    """One child process, started when it is needed."""

    def __init__(self, folder: Path, program: Path) -> None:
        self._folder, self._program, self._uses = folder, program, 0
        self._process: subprocess.Popen[bytes] | None = None
        self._left = b""

    def ask(self, path: Path, stop: float) -> dict[str, Any]:
        self._uses += 1
        if self._uses % _USES == 0:
            self.end()
        process = self._started()
        assert process.stdin is not None
        process.stdin.write(f"{path}\n".encode())
        process.stdin.flush()
        start = start_of_work = time.perf_counter()
        stage = "open"
        while True:
            left = min(SECONDS, SECONDS if stage == "open" else stop + start_of_work - start)
            left -= time.perf_counter() - start
            told = self._line(max(left, 0.0), GROWN if stage != "open" else MEMORY)
            seconds = time.perf_counter() - start
            if told is None:
                if self._told("VmRSS:") > GROWN:
                    outcome = "too much memory" if stage == "open" else "stopped growing"
                else:
                    outcome = "too slow" if stage == "open" else "stopped"
                return {"outcome": outcome, "stage": stage, "seconds": seconds, "peak": self.end()}
            if not told:
                self.end()
                code = process.returncode
                return {"outcome": "crash", "error": f"{stage}: exit status {code}", "seconds": seconds, "peak": 0}
            if told.get("done"):
                outcome = told["outcome"]
                if outcome not in BAD and (told["seconds"] > SECONDS or told["peak"] > MEMORY):
                    outcome = "too slow" if told["seconds"] > SECONDS else "too much memory"
                return {**told, "outcome": outcome}
            if stage == "open" and told.get("stage", stage) != "open":
                start_of_work = time.perf_counter()
            stage = told.get("stage", stage)

    def end(self) -> int:
        """Kill it; the largest resident size that it had, where the system tells."""
        peak = self._told("VmHWM:")
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        self._left = b""
        return peak

    def _told(self, key: str) -> int:
        """A size of the child, in bytes; 0 where the system does not tell."""
        with contextlib.suppress(OSError, ValueError):
            status = Path(f"/proc/{self._process.pid if self._process else 0}/status").read_text()
            return int(status.split(key)[1].split()[0]) * 1024 if key in status else 0
        return 0

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            environment = {**os.environ, "ONNXRAY_CACHE": str(self._folder / "cache"), "OMP_NUM_THREADS": "1"}
            command = [sys.executable, str(self._program), str(_DATA), str(self._folder / CANARY)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
            )
            if not self._line(120.0):
                raise RuntimeError("the child process does not start")
        return self._process

    def _line(self, timeout: float, most: int = MEMORY) -> dict[str, Any] | None:
        """The next answer; {} where the child has died, None where the time is over or it is larger than ``most``."""
        assert self._process is not None
        assert self._process.stdout is not None
        end = time.perf_counter() + timeout
        while b"\n" not in self._left:
            left = end - time.perf_counter()
            ready, _, _ = select.select([self._process.stdout], [], [], max(min(left, _TICK), 0.0))
            if not ready and (left <= 0 or self._told("VmRSS:") > most):
                return None
            if not ready:
                continue
            data = os.read(self._process.stdout.fileno(), 65536)
            if not data:
                return {}
            self._left += data
        line, _, self._left = self._left.partition(b"\n")
        return dict(json.loads(line))
