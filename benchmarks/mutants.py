"""Mutants of the engine: does a test fail where the code is made wrong?

A sample, drawn by a seed, of cosmic-ray's mutants in the rooms that the numbers come from (graph, the importer's walk
and batches, engines, images, objectives, methods) is tried one by one in a copy of the tree: the tests that run the
changed line (known from one run of the suite under coverage) run until the first one fails, the nearest first. A mutant
is killed when a test fails, or when they take longer than four times their usual time. What cannot change a program's
meaning, or cannot run at all, is left out: annotations, ``is`` swapped with ``==``, bit operators among floats.

    python benchmarks/mutants.py --count 300 --results mutants.jsonl
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import coverage
from mutant_runs import Runner
from mutant_sites import Mutant, compiles, mutants_of, mutated

ROOT = Path(__file__).resolve().parents[1]
ENGINE = Path("engine/onnxray")
TABLES = frozenset({"onnx2torch_operators.py"})  # held to the truth by the trial of converters
FIRST = 8  # tests that run before the rest is collected
BUILD = ROOT / "build/mutants"
# The rooms that numbers come from; of the importer the walk and the batches: conformance tests hold the operators.
PLACES = ("graph", "importer/*.py", "importer/batches", "engines", "images", "objectives", "methods")


@dataclass(frozen=True)
class Tried:
    """One mutant and its outcome: ``killed``, ``timeout`` (killed as well), ``survived`` or ``no test runs it``."""

    mutant: Mutant
    outcome: str
    by: str
    seconds: float
    tests: int


@dataclass(frozen=True)
class Suite:
    """Which test functions run which line, and how long each takes."""

    data: coverage.CoverageData
    seconds: dict[str, float]

    @classmethod
    def measured(cls, folder: Path) -> Suite:
        """Run the suite once under coverage, unless the folder holds such a run."""
        data, seconds = folder / "coverage", folder / "seconds.json"
        if not seconds.exists():
            folder.mkdir(parents=True, exist_ok=True)
            measure(data, seconds)
        known = coverage.CoverageData(str(data))
        known.read()
        return cls(known, json.loads(seconds.read_text()))

    def running(self, mutant: Mutant) -> list[str]:
        """The test functions that run the mutant's lines, the nearest first, then the quickest.

        A line that runs on import belongs to no test: all that run the file then count.
        """
        lines = self.data.contexts_by_lineno(str(ROOT / mutant.path))
        chosen = {
            test for line in range(mutant.first_line, mutant.last_line + 1) for test in lines.get(line, ()) if test
        }
        if not chosen:
            chosen = {test for tests in lines.values() for test in tests if test}
        return sorted(chosen, key=lambda test: (far_from(mutant, test), self.seconds.get(test, 0.0), test))


def measure(data: Path, seconds: Path) -> None:
    """One run of the suite under coverage, a context for each test function."""
    environment = {**os.environ, "ONNXRAY_TEST_SECONDS": str(seconds), "PYTHONPATH": str(ROOT / "tests")}
    under = [sys.executable, "-m", "coverage", "run", f"--data-file={data}", f"--source={ROOT / ENGINE}"]
    subprocess.run(
        [*under, "-m", "pytest", "-p", "support.coverage_contexts", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env=environment,
        check=True,
    )


def far_from(mutant: Mutant, test: str) -> int:
    """0 for the test file that mirrors the mutant's, 1 for its room, 2 for the rest."""
    place = Path(mutant.path).relative_to(ENGINE)
    mirror = Path("tests/engine") / place.with_name(f"test_{place.name}")
    file = test.partition("::")[0]
    if file == mirror.as_posix():
        return 0
    return 1 if file.startswith(f"tests/engine/{place.parts[0]}/") else 2


def sample(count: int, seed: int) -> list[Mutant]:
    """As many mutants of every place, at places in the code drawn at random; one mutant a place in the code."""
    chosen: list[Mutant] = []
    for index, place in enumerate(PLACES):
        draw = random.Random(f"{seed} {place}")  # its own: what one place holds moves no other's draw
        share = count // len(PLACES) + (index < count % len(PLACES))
        sites: dict[tuple[str, int, int], list[Mutant]] = {}
        for file in files(place):
            for mutant in mutants_of(ROOT, file):
                sites.setdefault((mutant.path, mutant.first_line, mutant.column), []).append(mutant)
        shuffled = draw.sample(sorted(sites), len(sites))
        drawn = (draw.choice(sites[site]) for site in shuffled)
        chosen += itertools.islice((mutant for mutant in drawn if compiles(ROOT, mutant)), share)
    return chosen


def files(place: str) -> Iterator[Path]:
    """The files of a place, relative to the root of the repository."""
    inside = ROOT / ENGINE
    found = sorted(inside.glob(place)) if "*" in place else sorted((inside / place).rglob("*.py"))
    yield from (path.relative_to(ROOT) for path in found if path.name not in TABLES)


def within(tests: Sequence[str], seconds: dict[str, float], budget: float) -> list[str]:
    """The first tests that fit into the budget of seconds; at least one."""
    chosen: list[str] = []
    spent = 0.0
    for test in tests:
        spent += seconds.get(test, 0.0)
        if chosen and spent > budget:
            break
        chosen.append(test)
    return chosen


def attempt(mutant: Mutant, suite: Suite, runner: Runner, budget: float) -> Tried:
    """Try one mutant in the copy of the tree, which is as it was afterwards."""
    every = suite.running(mutant)
    tests = within(every, suite.seconds, budget)
    if not tests:
        return Tried(mutant, "no test runs it", "", 0.0, 0)
    file = runner.tree / mutant.path
    kept = file.read_text(encoding="utf-8")
    file.write_text(mutated(kept, mutant), encoding="utf-8")
    try:
        outcome, by, seconds = "survived", "", 0.0
        for part in filter(None, (tests[:FIRST], tests[FIRST:])):
            usual = sum(suite.seconds.get(test, 0.0) for test in part)
            outcome, by, more = runner.run(part, limit=30 + 4 * usual)
            seconds += more
            if outcome != "survived":
                break
    finally:
        file.write_text(kept, encoding="utf-8")
    return Tried(mutant, outcome, by, seconds, len(tests))


def check_the_copy(mutants: Sequence[Mutant], suite: Suite, runner: Runner) -> None:
    """Refuse to begin where tests fail on the tree as it is: every mutant would seem killed."""
    tests = {test for mutant in mutants for test in suite.running(mutant)[:3]}
    outcome, by, _ = runner.run(sorted(tests), limit=600)
    if outcome != "survived":
        raise SystemExit(f"{by or 'a test'} fails on the tree as it is ({outcome}): mend that first")


def copy_of_the_tree(folder: Path) -> Path:
    """The tracked files as they are now, and nothing else."""
    tree = folder / "tree"
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, names.decode().split("\0")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tree / name)
    return tree


def table(tried: Sequence[Tried]) -> str:
    """Killed and tried by place, and the survivors by line."""
    rows = ["| where | mutants | killed | survived |", "|---|---|---|---|"]
    rooms: Counter[tuple[str, bool]] = Counter()
    for one in tried:
        rooms[room_of(one.mutant), one.outcome in ("killed", "timeout")] += 1
    for room in sorted({room for room, _ in rooms}):
        killed, left = rooms[room, True], rooms[room, False]
        rows.append(f"| {room} | {killed + left} | {killed} | {left} |")
    killed = sum(count for (_, dead), count in rooms.items() if dead)
    rows.append(f"| all | {len(tried)} | {killed} ({killed / max(len(tried), 1):.1%}) | {len(tried) - killed} |")
    left_over = [one for one in tried if one.outcome not in ("killed", "timeout")]
    rows += ["", *(f"- {one.mutant}: {one.outcome}" for one in left_over)]
    return "\n".join(rows)


def room_of(mutant: Mutant) -> str:
    return Path(mutant.path).relative_to(ENGINE).parts[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds of tests a mutant; all by default")
    parser.add_argument(
        "--coverage", type=Path, default=ROOT / "build/mutants", help="folder of the run under coverage"
    )
    parser.add_argument("--results", type=Path, default=ROOT / "build/mutants/results.jsonl", help="a line a mutant")
    parser.add_argument("--again", action="store_true", help="try those again that survived in --results")
    parser.add_argument("--processes", type=int, default=1, help="how many mutants at once, each in its own copy")
    options = parser.parse_args()
    Suite.measured(options.coverage)
    before = known(options.results)
    if options.again:
        before = {one: tried for one, tried in before.items() if tried.outcome in ("killed", "timeout")}
    drawn = sample(options.count, options.seed)
    mutants = [mutant for mutant in drawn if mutant not in before]
    forks = multiprocessing.get_context("fork")  # each holds the heavy libraries already
    parts = [
        forks.Process(target=attempt_all, args=(mutants[k :: options.processes], options))
        for k in range(options.processes)
    ]
    for part in parts:
        part.start()
    for part in parts:
        part.join()
        if part.exitcode:
            raise SystemExit(part.exitcode)
    results = known(options.results)
    print(table([results[mutant] for mutant in drawn if mutant in results]))


def attempt_all(mutants: Sequence[Mutant], options: argparse.Namespace) -> None:
    """Try some mutants one after the other in a copy of the tree of their own."""
    suite = Suite.measured(options.coverage)  # read anew: a data base's connection is of one process
    with tempfile.TemporaryDirectory(prefix="onnxray-mutants-") as folder:
        runner = Runner(copy_of_the_tree(Path(folder)))
        check_the_copy(mutants[:: max(1, len(mutants) // 10)], suite, runner)
        for mutant in mutants:
            one = attempt(mutant, suite, runner, options.budget)
            with options.results.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(one)) + "\n")
            print(f"{one.outcome:>9} {one.seconds:6.1f} s  {mutant}", file=sys.stderr, flush=True)


def known(path: Path) -> dict[Mutant, Tried]:
    """What a file of results holds; of a mutant tried twice the last."""
    if not path.exists():
        return {}
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    tried = (Tried(**{**line, "mutant": Mutant(**line["mutant"])}) for line in lines)
    return {one.mutant: one for one in tried}


if __name__ == "__main__":
    main()
