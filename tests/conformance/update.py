"""Run every case, say what changed, and rewrite the tables in ``expected``; a worse table is not written.

python tests/conformance/update.py             cases, the zoo where it is there, gradients: minutes
python tests/conformance/update.py SUBSTRING   only cases whose name holds it: says, writes nothing
    --cases        leave the gradients out
    --force        write a worse table too
    --dry          write nothing
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("engine", "adapters", "models", "tests")]

import torch  # noqa: E402

from conformance import gradients, sweep, tables, zoo  # noqa: E402
from conformance.cases import SETS, cases  # noqa: E402
from conformance.outcome import Outcome, run  # noqa: E402


def main() -> int:
    """Give 1 where something is worse than its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="?", default="", metavar="SUBSTRING")
    for option in ("--cases", "--force", "--dry"):
        parser.add_argument(option, action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    worse = 0
    for family in SETS:
        worse += _table(family, {case.name: partial(run, case) for case in cases(family)}, given)
    worse += _table("zoo", {name: partial(zoo.run, name) for name in zoo.files()}, given)
    if not given.cases:
        worse += _table(
            "gradients", {case.name: partial(gradients.run, case) for case in sweep.gradient_cases()}, given
        )
    return min(worse, 1)


def _table(name: str, jobs: Mapping[str, Callable[[], Outcome]], given: argparse.Namespace) -> int:
    path = tables.FOLDER / f"{name}.csv"
    if not jobs:  # the zoo is not here
        return 0
    found = {case: job() for case, job in jobs.items() if given.only in case}
    kinds = {case: outcome.kind for case, outcome in found.items()}
    expected = {case: kind for case, kind in tables.read(path).items() if given.only in case}
    changed = tables.changes(expected, kinds, {case: outcome.why for case, outcome in found.items()})
    for change in changed:
        if expected or change.worse:
            print(f"  {change}")
    print(f"{name}: {tables.counts(Counter(kinds.values()))}" if kinds else f"{name}: no case")
    worse = sum(change.worse for change in changed)
    if worse and not given.force:
        print(f"  {worse} worse: the table stays as it is (--force rewrites it)")
    elif not given.only and not given.dry:
        tables.write(path, kinds, f"{sweep.COMMENTS[name]} {sweep.VERSION}")
    return worse


if __name__ == "__main__":
    sys.exit(main())
