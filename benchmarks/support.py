"""Which architectures, written by which exporter, onnxray opens: timm times torch's exporters; writes docs/support.md.

python benchmarks/support.py                 run what was not run yet, and write the page
python benchmarks/support.py --retry         also those that did not pass
python benchmarks/support.py --recheck       all, on the files that were exported already
python benchmarks/support.py swin levit      only networks with such a name; the page is left as it is

Files and results are kept in --folder, so that an interrupted sweep goes on. Needs timm, onnxscript and onnx-ir.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import support_child
from support_networks import NETWORKS, Network

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "support.md"
SECONDS = 420
EXPORTERS = ((True, 20), (False, 17), (True, 25), (False, 13), (False, 11))
COLUMNS = ("dynamo-20", "dynamo-25", "legacy-17", "legacy-13", "legacy-11")
PACKAGES = ("timm", "torch", "onnxscript", "onnx", "onnxruntime-gpu", "onnxruntime")
_CONTEXT = multiprocessing.get_context("forkserver")

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of the names of networks")
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "onnxray-support")
    parser.add_argument("--exporter", choices=COLUMNS, action="append", help="only this one (may be repeated)")
    parser.add_argument("--retry", action="store_true")
    parser.add_argument("--recheck", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    store = given.folder / "results.json"
    results: dict[str, Row] = json.loads(store.read_text()) if store.exists() else {}
    networks = [n for n in NETWORKS if not given.names or any(part in n[1] for part in given.names)]
    todo = []
    for exporter in EXPORTERS:
        for network in networks:
            row = results.get(key(network, exporter))
            again = row is None or given.recheck or (given.retry and row["status"] != "ok")
            if again and (not given.exporter or column(exporter) in given.exporter):
                todo.append((network, exporter))
    _CONTEXT.set_forkserver_preload(["support_child"])
    with ThreadPoolExecutor(given.workers) as pool:
        running = {pool.submit(measure, given.folder, *one): one for one in todo}
        for count, done in enumerate(as_completed(running), 1):
            network, exporter = running[done]
            row = done.result()
            results[key(network, exporter)] = row
            print(f"{count}/{len(todo)} {network[1]} {column(exporter)}: {described(row)}", file=sys.stderr, flush=True)
            beside = store.with_suffix(".new")
            beside.write_text(json.dumps(results, indent=1))
            beside.replace(store)
    if not given.names:
        PAGE.write_text(page(results), encoding="utf-8")


def key(network: Network, exporter: tuple[bool, int]) -> str:
    return f"{network[1]} {network[2]} {json.dumps(network[3], sort_keys=True)} {column(exporter)}"


def column(exporter: tuple[bool, int]) -> str:
    return f"{'dynamo' if exporter[0] else 'legacy'}-{exporter[1]}"


def measure(folder: Path, network: Network, exporter: tuple[bool, int]) -> Row:
    """One combination in a process of its own; one that takes too long, or dies, is a result too."""
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    child = _CONTEXT.Process(target=support_child.run, args=(theirs, folder, network[1:], exporter))
    child.start()
    theirs.close()
    start = time.perf_counter()
    try:
        if ours.poll(SECONDS):
            return dict(ours.recv())
        return {"status": "time", "reason": f"not done in {SECONDS} s", "seconds": SECONDS}
    except EOFError:
        child.join()
        seconds = round(time.perf_counter() - start, 1)
        return {"status": "died", "reason": f"exit code {child.exitcode}", "seconds": seconds}
    finally:
        child.kill()
        child.join()


def described(row: Mapping[str, Any]) -> str:
    """A cell: ``ok`` or what happened."""
    return str(row["status"]) if row["status"] == "ok" else f"{row['status']}: {row['reason']}"


def page(results: Mapping[str, Row]) -> str:
    by_column = {column(exporter): exporter for exporter in EXPORTERS}
    rows: list[Sequence[str]] = []
    notes: list[str] = []
    totals: dict[str, Counter[str]] = {name: Counter() for name in COLUMNS}
    passed: list[Row] = []
    for network in NETWORKS:
        cells = []
        for name in COLUMNS:
            row = results.get(key(network, by_column[name]), {"status": "not run", "reason": ""})
            totals[name][row["status"]] += 1
            if row["status"] == "ok":
                passed.append(row)
                cells.append("ok")
            else:
                reason = row["reason"].replace("|", "/")
                if reason not in notes:
                    notes.append(reason)
                cells.append(f"{row['status']} ({notes.index(reason) + 1})")
        options = ", ".join(f"{name}={value}" for name, value in network[3].items())
        rows.append((network[0], f"`{network[1]}`" + (f" ({options})" if options else ""), str(network[2]), *cells))
    lines = [head(totals, passed), "| family | timm's name | side | " + " | ".join(COLUMNS) + " |", "|---" * 8 + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    if notes:
        lines += ["", "## What the exporters, or we, refuse", ""]
        lines += [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    return "\n".join([*lines, ""])


def head(totals: Mapping[str, Counter[str]], passed: Sequence[Row]) -> str:
    every = sum(totals.values(), Counter[str]())
    statuses = sorted(every, key=lambda status: (status != "ok", status))
    table = ["| | " + " | ".join((*COLUMNS, "all")) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for status in statuses:
        counts = [totals[name][status] for name in COLUMNS]
        table.append(f"| {status} | " + " | ".join(map(str, (*counts, sum(counts)))) + " |")
    ways = Counter(row["batch"] for row in passed)
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    worst = max((row["relative"] for row in passed), default=0.0)
    least = min((row["cosine"] for row in passed), default=1.0)
    return f"""# Architectures and exporters

Written by `python benchmarks/support.py` ({", ".join(versions)}).
{len(NETWORKS)} networks of timm, the smallest variant of each family (options that cut it further stand beside its
name), with seeded weights moved off their initial values so that no branch is zero. Each is exported at batch 1 by
torch's default exporter (`dynamo`, at its default opset 20 and at 25, the newest it writes) and by the legacy one
(opsets 17, 13, 11); attention fused where the exporter can write it.

- `ok`: the outputs of `onnxray.to_torch` equal ONNX Runtime's within 1e-3 of the largest (worst here: {worst:.1g}); the
  input gradient is finite, not zero, and that of the exported network in float64 (cosine at least 0.999, or four times
  the float32 network's own distance; worst here: {least:.5f}); and the same for two samples through
  `onnxray.open(...)`: `values` and `pullback`, and through the module.
- `exporter failed`: the exporter writes no file, or one that ONNX Runtime refuses or runs to other numbers than the
  network's own.
- `judge unsteady`: ONNX Runtime gives the network's numbers only with its optimisations switched off. onnxray agrees
  with those, and refuses the file (MismatchError), since the judge is ONNX Runtime at its default.

How the two samples went through a file that says 1: {counted(ways)} (`rewrite`: both at once through a graph rewritten
for any batch; `vmap`: by torch.vmap; `loop`: one by one). The bare module of `to_torch` gives the same for both.

{chr(10).join(table)}
"""


def counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


if __name__ == "__main__":
    main()
