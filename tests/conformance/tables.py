"""Tables of expected outcomes: ``case,outcome``, a line a case, sorted. They can only get better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "expected"
ORDER = (
    "crash", "wrong", "refused:no-converter", "refused", "pass",
    "straight-through", "own", "single", "zero", "right",
)  # fmt: skip
"""From worst to best; what follows a colon counts only where it is listed."""


@dataclass(frozen=True)
class Change:
    """A case whose outcome is not the table's; ``before`` or ``now`` is "" for a case that is new or gone."""

    case: str
    before: str
    now: str
    why: str = ""

    @property
    def worse(self) -> bool:
        """Whether the table may not be rewritten to say so; a new case may be refused, but never be wrong."""
        if not self.now:
            return True
        return rank(self.now) < (rank(self.before) if self.before else rank("refused:no-converter"))

    def __str__(self) -> str:
        word = "WORSE" if self.worse else "better" if rank(self.now) > rank(self.before or "crash") else "changed"
        return f"{word}: {self.case}: {self.before or 'not listed'} -> {self.now or 'gone'}  {self.why}"[:400]


def rank(outcome: str) -> int:
    """How good an outcome is."""
    return ORDER.index(outcome if outcome in ORDER else outcome.partition(":")[0])


def read(path: Path) -> dict[str, str]:
    """Give case -> expected outcome; empty where there is no table."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split(",", 1) for line in lines if line and not line.startswith("#"))


def write(path: Path, outcomes: Mapping[str, str], comment: str) -> None:
    """Write a table, ``comment`` in its first line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"# {comment}", *(f"{name},{outcomes[name]}" for name in sorted(outcomes))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def version(path: Path) -> str:
    """The version that the table's comment ends in."""
    first = path.read_text(encoding="utf-8").partition("\n")[0] if path.is_file() else ""
    return first.rpartition(" ")[2]


def changes(
    expected: Mapping[str, str], found: Mapping[str, str], why: Mapping[str, str] | None = None
) -> list[Change]:
    """Every difference."""
    return [
        Change(name, expected.get(name, ""), found.get(name, ""), (why or {}).get(name, ""))
        for name in sorted({*expected, *found})
        if expected.get(name, "") != found.get(name, "")
    ]


def counts(counted: Mapping[str, int]) -> str:
    """Counts in words: the good outcomes from the best on, those that are wrong or crash even where there are none."""
    kinds: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for outcome, number in counted.items():
        kind, _, reason = outcome.partition(":")
        kinds[kind] += number
        if reason:
            reasons[reason] += number
    good = sorted(kinds.keys() - {"wrong", "crash"}, key=lambda kind: -rank(kind))
    words = []
    for kind in (*good, "wrong", "crash"):
        detail = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
        words.append(f"{kinds[kind]:,} {kind}" + (f" ({detail})" if kind == "refused" and detail else ""))
    return f"{', '.join(words)} of {sum(kinds.values()):,}"
