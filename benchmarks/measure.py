"""Two ways to do the same work, measured side by side; and one way, measured in a process of its own."""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure: ``ratio`` is ours over theirs, the median of the rounds; ``aim`` is the largest wished for."""

    work: str
    against: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    aim: float | None = None


@dataclass(frozen=True)
class Setting:
    """Where the networks' files are kept, and whether a quick look is enough."""

    folder: Path
    quick: bool

    def rounds(self, full: int) -> int:
        """How many rounds to measure."""
        return 3 if self.quick else full

    def network(self, name: str) -> Path:
        """The ONNX file of a network of networks.py, made now (in a process of its own) if it is not there."""
        path = self.folder / f"{name}.onnx"
        if not path.exists():
            say(f"  making {path.name} with random weights")
            subprocess.run([sys.executable, Path(__file__).with_name("networks.py"), name, path], check=True)
        return path


@contextlib.contextmanager
def setting(doc: str | None, arguments: Sequence[str] | None = None) -> Iterator[Setting]:
    """Read the command line that all benchmarks share; files go into a temporary folder unless one is given."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three rounds of everything")
    parser.add_argument("--folder", type=Path, help="keep the networks' files here, and take those that are there")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="onnxray-bench-") as temporary:
        yield Setting(given.folder or Path(temporary), given.quick)


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def side_by_side(
    work: str, against: str, ours: Callable[[], Any], theirs: Callable[[], Any], *, rounds: int, aim: float | None
) -> Row:
    """Time ours and theirs in turns, after one round that does not count; the ratio is the median of the rounds'."""
    ours(), theirs()
    pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(rounds)]
    return row_of(work, against, "s", pairs, aim=aim)


def row_of(work: str, against: str, unit: str, pairs: Sequence[tuple[float, float]], *, aim: float | None) -> Row:
    """A row from (ours, theirs) of each round."""
    ours, theirs = (statistics.median(side) for side in zip(*pairs))
    ratio = statistics.median(mine / other for mine, other in pairs)
    say(f"  {work} / {against}: {ratio:.2f}")
    return Row(work=work, against=against, unit=unit, ours=ours, theirs=theirs, ratio=ratio, aim=aim)


def in_own_process(script: Path, *arguments: str) -> dict[str, float]:
    """Run ``script`` with ``arguments`` in a fresh interpreter; it prints one JSON object as its last line.

    The parent has to be small: Linux starts a child's largest resident size at its parent's.
    """
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def print_rows(rows: Sequence[Row]) -> None:
    """Print what every benchmark gives on standard output: one JSON list."""
    print(json.dumps([asdict(row) for row in rows]))


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
