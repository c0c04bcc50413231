"""Damaged files through the commands: seeded mutations of 25 networks, watched by an audit hook.

Each file is opened and goes through `inspect`, `verify`, `classify`, `saliency gradient`, `lots`, `invert` and
`to_torch` in a child process that its parent bounds to 2 GiB of resident memory. It has to end in work that is done, in
one line of ours, or by being stopped as `--timeout` would. Leaks (text of the file that is run, a file touched outside
the run's folder, a program, a socket), tracebacks and crashes are failures. In parts: `--keep found.jsonl --first 0
--count 2500`, where what is there is passed over; `--count 0` gives the table of all parts.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

# In place of this folder, whose support.py would stand before the tests' package of that name.
sys.path[:1] = [str(Path(__file__).resolve().parents[1] / part) for part in ("engine", "models", "tests")]

from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: E402

from support import hostile  # noqa: E402
from support.damage_texts import TEXTS  # noqa: E402
from support.hostile import Finding, run_cases  # noqa: E402
from support.mutation_seeds import seeds  # noqa: E402
from support.mutations import MUTATORS  # noqa: E402

COUNT, QUICK = 10_000, 300
COMMANDS = ("inspect", "verify", "classify", "saliency gradient", "lots", "invert", "to_torch")
_CHILD = Path(hostile.__file__).with_name("commands_child.py")
_LEAKS = frozenset({"leak", "read outside"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT, help="how many mutations")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--stop", type=float, default=15.0, help="seconds after which work that goes on is stopped")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} mutations")
    parser.add_argument("--keep", type=Path, help="a .jsonl file that every finding is added to")
    parser.add_argument("--folder", type=Path, help="where failing files are kept; by default nowhere")
    given = parser.parse_args()
    os.environ["ONNXRAY_FUZZ_COMMANDS"] = ",".join(COMMANDS)
    found = [finding for seed, finding in _kept(given.keep) if seed == given.seed]
    there = {finding.number for finding in found}
    count = QUICK if given.quick else given.count
    numbers = [number for number in range(given.first, given.first + count) if number not in there]
    hostile.SECONDS = max(hostile.SECONDS, given.stop + 10)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="onnxray-mutations-") as temporary:
        folder = Path(temporary)
        if given.folder is not None:
            given.folder.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix="mutations-", dir=given.folder))
        for finding in _watched(numbers, given, folder):
            found.append(finding)
            if given.keep is not None:
                with given.keep.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps({"seed": given.seed, **asdict(finding)}) + "\n")
    if numbers:
        rate = len(numbers) / (time.perf_counter() - start) * 60
        print(f"{rate:.0f} mutations a minute by {given.processes} process(es)", file=sys.stderr)
    print(table(found, given.seed))
    if failures := sum(finding.bad for finding in found):
        sys.exit(f"{failures} of {len(found)} files did not end as they have to")


def _watched(numbers: list[int], given: argparse.Namespace, folder: Path) -> Iterator[Finding]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("0 failures", total=len(numbers))
        failures = 0
        for finding in run_cases(
            seeds(), numbers, given.seed, folder, workers=given.processes, stop=given.stop, child=_CHILD
        ):
            if finding.bad:
                failures += 1
                bar.console.print(
                    f"{finding.number} {finding.damage}: {finding.outcome} {finding.error}",
                    markup=False,
                    soft_wrap=True,
                )
            bar.update(task, advance=1, description=f"{failures} failures")
            yield finding


def _kept(path: Path | None) -> Iterator[tuple[int, Finding]]:
    if path is None or not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row.pop("seed"), Finding(**row)


def table(found: list[Finding], seed: int) -> str:
    """The counts, as Markdown."""
    outcomes = Counter(finding.outcome for finding in found)
    leaks = sum(finding.outcome in _LEAKS for finding in found)
    crashes = sum(finding.bad for finding in found) - leaks
    texts = sum(finding.damage.rpartition(": ")[2].startswith("text_for_") for finding in found)
    networks = {finding.damage.partition(": ")[0] for finding in found}
    stopped = sum(count for outcome, count in outcomes.items() if outcome.startswith("stopped"))
    refused = len(found) - outcomes["model"] - stopped - leaks - crashes
    lines = [
        f"{len(found):,} mutations (seed {seed}) of {len(networks)} networks by {len(MUTATORS)} kinds of damage, "
        f"{len(TEXTS)} of them foreign texts ({texts:,} files): **{leaks} leaks** (text of the file that was run, a "
        f"file touched outside the run's folder, a program started, a socket), **{crashes} crashes** (tracebacks, "
        "signals, more than one line, memory or time without bound while opening). "
        f"{outcomes['model']:,} files could be opened, {refused:,} were refused in one line, {stopped:,} were stopped "
        "as by `--timeout`.",
        "",
        "| command | done | refused in one line | not reached |",
        "|---|---|---|---|",
    ]
    for command in COMMANDS:
        ends = Counter(finding.steps.get(command, "") for finding in found)
        lines.append(f"| `{command}` | {ends['done']:,} | {len(found) - ends['done'] - ends['']:,} | {ends['']:,} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
