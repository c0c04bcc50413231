"""Damaged files: seeded mutations of small and real models through the engine.

Every mutated file is opened, inspected, predicted with, differentiated and verified in a child process that its parent
bounds to 2 GiB of resident memory and to 20 s. It has to end in a model, in one of onnxray's own one-line errors, or,
once it was opened, by being stopped: as `--timeout` stops it, or shortly before its memory is full. A traceback, a
crash, more time or memory, or any opening of a file outside the model's folder counts as a failure, and then nothing is
written.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

# In place of this folder, whose support.py would stand before the tests' package of that name.
sys.path[:1] = [str(Path(__file__).resolve().parents[1] / part) for part in ("engine", "models", "tests")]

from support.hostile import MEMORY, SECONDS, Finding, run_cases  # noqa: E402
from support.mutation_seeds import Seed, seeds  # noqa: E402
from support.mutations import MUTATORS  # noqa: E402

COUNT, QUICK = 5000, 500
_STOP = 15.0
_NAMES = {
    "model": "a model",
    "stopped": "work without end, stopped as by `--timeout`",
    "stopped growing": "work without end, stopped at 7/8 of the memory",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT, help="how many mutations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--zoo", type=Path, help="real models to damage too: FOLDER/SET/MODEL.onnx")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} mutations")
    parser.add_argument("--folder", type=Path, help="where failing files are kept; by default nowhere")
    given = parser.parse_args()
    count, healthy = QUICK if given.quick else given.count, seeds(given.zoo)
    with tempfile.TemporaryDirectory(prefix="onnxray-hostile-") as temporary:
        folder = Path(temporary)
        if given.folder is not None:
            given.folder.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix="hostile-", dir=given.folder))
        found = []
        for finding in run_cases(healthy, range(count), given.seed, folder, workers=given.workers, stop=_STOP):
            found.append(finding)
            if finding.bad:
                print(f"  {finding.number} {finding.damage}: {finding.outcome} {finding.error}", file=sys.stderr)
            if len(found) % 500 == 0:
                print(f"  {len(found)} of {count}", file=sys.stderr)
    print(table(found, healthy, given.seed))
    if any(finding.bad for finding in found):
        sys.exit(f"{sum(finding.bad for finding in found)} of {count} files did not end as they have to")


def table(found: list[Finding], healthy: list[Seed], seed: int) -> str:
    """The counts, as Markdown."""
    outcomes = Counter(finding.outcome for finding in found)
    ended = [finding for finding in found if not finding.outcome.startswith("stopped")]
    slowest, largest = max(ended, key=lambda f: f.seconds), max(found, key=lambda f: f.peak)
    failures = sum(finding.bad for finding in found)
    lines = [
        f"{len(found):,} mutations (seed {seed}) of {len(healthy)} models by {len(MUTATORS)} kinds of "
        f"damage; {failures} failures. Largest resident size {largest.peak / 2**20:,.0f} MiB ({largest.damage}), of "
        f"{MEMORY / 2**20:,.0f} allowed; the slowest that ended by itself took {slowest.seconds:.1f} s "
        f"({slowest.damage}), of {SECONDS:g} s allowed.",
        "",
        "| ended in | files | slowest | largest |",
        "|---|---|---|---|",
    ]
    for outcome, count in outcomes.most_common():
        group = [finding for finding in found if finding.outcome == outcome]
        name = _NAMES.get(outcome, f"`{outcome}`")
        slow, large = max(f.seconds for f in group), max(f.peak for f in group) / 2**20
        lines.append(f"| {name} | {count:,} | {slow:.1f} s | {large:,.0f} MiB |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
