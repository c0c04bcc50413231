"""onnx2torch's converters tried against ours, one operator and version after the other; writes docs/converters.md.

python benchmarks/converters.py                 try what was not tried yet, and write the page
python benchmarks/converters.py Relu Add        only these operators, again; the page is left as it is
python benchmarks/converters.py --retry         all, again

What is tried is said in ``tests/conformance/converter_trial.py``. Findings are kept in --folder, so that an interrupted
sweep goes on; one operator and version takes a second or so.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("engine", "adapters", "models", "tests")]

import torch  # noqa: E402

from conformance.converter_cases import known_converters  # noqa: E402
from conformance.converter_trial import tried  # noqa: E402

PAGE = ROOT / "docs" / "converters.md"
Findings = dict[str, list[str]]
"""``operator-version`` -> kind and place of what was found; nothing where nothing was."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operators", nargs="*")
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "onnxray-converters")
    parser.add_argument("--retry", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    store = given.folder / "findings.json"
    findings: Findings = json.loads(store.read_text()) if store.exists() else {}
    torch.set_num_threads(1)
    for operator, version in known_converters():
        key = f"{operator}-{version}"
        wanted = operator in given.operators if given.operators else given.retry or key not in findings
        if wanted:
            begun, finding = time.perf_counter(), tried(operator, version)
            findings[key] = [] if finding is None else [finding.kind, finding.where]
            store.write_text(json.dumps(findings, indent=1))
            print(f"{key:24} {time.perf_counter() - begun:5.1f} s  {'; '.join(findings[key]) or 'right'}", flush=True)
    if not given.operators:
        PAGE.write_text(page(findings), encoding="utf-8")


def page(findings: Findings) -> str:
    """The findings as Markdown."""
    rows: dict[str, tuple[list[str], dict[str, list[str]]]] = {}
    for key, finding in findings.items():
        operator, version = key.rsplit("-", 1)
        served, kept = rows.setdefault(operator, ([], {}))
        if finding:
            kept.setdefault(f"{finding[0]}: {shown(finding[1])}", []).append(version)
        else:
            served.append(version)
    count = sum(not finding for finding in findings.values())
    lines = [
        f"{operator} | {', '.join(sorted(served, key=int)) or '-'} | "
        + "; ".join(f"{', '.join(sorted(versions, key=int))} {reason}" for reason, versions in kept.items())
        for operator, (served, kept) in sorted(rows.items())
    ]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("onnx2torch", "onnx", "torch"))
    return HEAD.format(count=count, all=len(findings), versions=versions) + "\n".join(f"| {x} |" for x in lines) + "\n"


def shown(where: str) -> str:
    """Where it was seen, without the words around an error, and without the numbers that time gave."""
    case, _, words = where.partition(": ")
    words = re.sub(r"^node .*?is not supported: |\. Predictions.*$", "", words)
    return f"`{case}` {words[:90]}".replace("|", "/").strip()


HEAD = """# onnx2torch's converters

Written by `python benchmarks/converters.py`, with {versions}.
Of the {all} operators and versions that onnx2torch converts, its converters serve for {count}; for the others ours do,
because of what stands beside them: the first thing that was found. A version that is not named is not converted by
onnx2torch. What is tried, in which order, and what a finding means is said in `tests/conformance/converter_trial.py`;
the list that the engine goes by is `engine/onnxray/importer/onnx2torch_operators.py`, and
`tests/engine/importer/test_onnx2torch_bridge.py` holds it to this. What took less than 5 % longer counts as no slower.

| operator | onnx2torch's, versions | ours, versions and reason |
|---|---|---|
"""

if __name__ == "__main__":
    main()
