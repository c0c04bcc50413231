"""Run every benchmark and write docs/benchmarks.md.

python benchmarks/run.py            all rounds; writes the page
python benchmarks/run.py --quick    three rounds; prints the page and leaves the written one as it is
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from measure import Row, Setting, say, setting

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
BENCHMARKS = (
    "pullback", "forward_gradient", "line_search", "opening", "startup", "saliency", "saliency_cams",
    "saliency_perturbation", "visualize", "visualize_lucent", "attack_speed",
)  # fmt: skip
TABLES = ("hostile", "mutations")
PACKAGES = (
    "numpy", "torch", "onnx", "onnxruntime", "onnxruntime-gpu", "onnx2torch", "timm", "captum", "grad-cam", "dianna",
    "torch-lucent", "foolbox", "torchattacks",
)  # fmt: skip


def main() -> None:
    with setting(__doc__) as chosen:
        measured = {name: run(name, chosen) for name in BENCHMARKS}
        sections = [section(name, rows) for name, rows in measured.items() if rows]  # none where the peers are missing
        sections += [table(name, chosen) for name in TABLES]
        page = "\n".join([head(), *sections])
        if chosen.quick:
            print(page)
            return
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
        say(f"written: {PAGE}")


def run(name: str, chosen: Setting) -> list[Row]:
    """One benchmark, in a process of its own: this one stays small, as the measuring of memory needs it to."""
    say(name)
    command = [sys.executable, str(HERE / f"{name}.py"), "--folder", str(chosen.folder)]
    done = subprocess.run(
        command + ["--quick"] * chosen.quick, stdout=subprocess.PIPE, check=True, text=True, env=environment()
    )
    return [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]


def table(name: str, chosen: Setting) -> str:
    """What became of damaged files: a table of its own kind. Fails where one of them did not end as it has to."""
    say(name)
    command = [sys.executable, str(HERE / f"{name}.py"), *["--quick"] * chosen.quick]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment())
    return "\n".join([*words(name), done.stdout, f"Alone: `python benchmarks/{name}.py`", ""])


def environment() -> dict[str, str]:
    """This checkout's own packages first."""
    roots = [str(HERE.parent / folder) for folder in ("engine", "models")]
    return os.environ | {"PYTHONPATH": os.pathsep.join([*roots, *filter(None, [os.environ.get("PYTHONPATH")])])}


def head() -> str:
    return f"""# Benchmarks

Written by `python benchmarks/run.py` (`make bench`); every figure below came out of that one run. A ratio is
onnxray over the alternative, both measured in turns in the same run, the median of the rounds' ratios: below 1 is
faster or smaller. The networks have random weights, made on the spot.

{machine()}
"""


def machine() -> str:
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return (
        f"Machine: {os.cpu_count()} cores ({processor()}), {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, {', '.join(versions)}; on the CPU."
    )


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or "unknown"


def section(name: str, rows: list[Row]) -> str:
    """A benchmark's own words and its figures."""
    lines = words(name)
    lines += ["| work | against | onnxray | alternative | ratio | aim |", "|---|---|---|---|---|---|"]
    for row in rows:
        aim = "" if row.aim is None else f"at most {row.aim:g}" + ("" if row.ratio <= row.aim else ", not reached")
        sides = f"{amount(row.ours, row.unit)} | {amount(row.theirs, row.unit)}"
        lines.append(f"| {row.work} | {row.against} | {sides} | {row.ratio:.2f} | {aim} |")
    return "\n".join([*lines, "", f"Alone: `python benchmarks/{name}.py`", ""])


def words(name: str) -> list[str]:
    """A benchmark's own words, under its title."""
    doc = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))) or ""
    title, _, rest = doc.partition("\n\n")
    return [f"## {title.replace(chr(10), ' ').rstrip('.')}", "", rest, ""]


def amount(value: float, unit: str) -> str:
    if unit == "s" and value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.4g} {unit}"


if __name__ == "__main__":
    main()
