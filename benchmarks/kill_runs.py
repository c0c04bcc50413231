"""Runs killed at random moments: what is left of them, and whether the resumed run equals an undisturbed one.

    python benchmarks/kill_runs.py [--each 50] [--seed 0] [--only lots]

Half of the moments with SIGKILL, half with SIGTERM, spread over the time that an undisturbed run works; one in twenty
falls into the start of the process. Prints a table.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from pathlib import Path

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("engine", "adapters", "models", "tests")]

from support.killed import COMMANDS, killed  # noqa: E402


def main() -> None:
    """Kill, resume, compare, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=50, help="moments for each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=list(COMMANDS), help="these commands alone")
    given = parser.parse_args()
    print("| command | killed | done before | nothing finished yet | items kept | faults |\n|---|---|---|---|---|---|")
    faults: list[str] = []
    for name in given.only or [name for name in COMMANDS if name != "short"]:
        moments = random.Random(f"{given.seed} {name}")
        drawn = [(moments.random(), (signal.SIGKILL, signal.SIGTERM)[k % 2]) for k in range(given.each)]
        with tempfile.TemporaryDirectory() as folder:
            told = killed(name, Path(folder), drawn)
        row = (name, told.runs, told.finished, told.empty, told.items, len(told.faults))
        print(f"| {' | '.join(map(str, row))} |", flush=True)
        faults += told.faults
    print("\n".join(faults), file=sys.stderr)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
