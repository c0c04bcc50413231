"""Same seed, same bytes: every method run again, and at one and two threads. Prints the table of reproducibility.md.

    python benchmarks/same_bytes.py [MODEL] [--image FILE ...] [--only COMMAND ...]

Each run is a process of its own. What is compared is every file of the run folder, and result.json without its times;
where bytes differ, the largest difference of a number in the document, and of a pixel in a picture, is stated.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:1] = [str(ROOT / part) for part in ("engine", "adapters", "models", "tests")]

import numpy as np  # noqa: E402

import onnxray_models  # noqa: E402
from onnxray.images.files import read_png  # noqa: E402
from onnxray.methods.catalogue import family  # noqa: E402
from onnxray.methods.saliency.base import Saliency  # noqa: E402
from onnxray.methods.synthesis.base import Synthesis  # noqa: E402
from support.killed import contents  # noqa: E402

_SHORT = {
    "rise": ["--masks", "200"], "smoothgrad": ["--samples", "5"], "maximize": ["--target", "1", "--steps", "20"],
    "deepdream": ["--steps", "2"], "style": ["--steps", "10"], "texture": ["--steps", "10"],
    "caricature": ["--steps", "10"], "lime": ["--samples", "200"], "kernel-shap": ["--samples", "400"],
}  # fmt: skip


def commands(model: str, images: list[str]) -> dict[str, list[str]]:
    """Name -> the command, without where it writes."""
    found = {"lots": ["lots", model, *images, "--self", "inhibit"]}
    saliency, synthesis = family(Saliency), family(Synthesis)  # type: ignore[type-abstract]
    for name in saliency:
        found[f"saliency {name}"] = ["saliency", name, model, *images, *_SHORT.get(name, [])]
    found["saliency compare"] = ["saliency", "compare", model, *images, "--methods", "gradient,grad-cam"]
    found["saliency check gradient"] = ["saliency", "check", "gradient", model, *images]
    found["invert"] = ["invert", model, images[0], "--steps", "20"]
    for name in synthesis:
        if name != "invert":
            begun = [] if name in {"filters", "maximize"} else images[:2]
            style = ["--style", images[-1]] if name == "style" else []
            found[f"visualize {name}"] = ["visualize", name, model, *begun, *style, *_SHORT.get(name, [])]
    found["values"] = ["values", model, *images, "--value", "logits", "--value", "features"]
    return found


def run(command: list[str], folder: Path, threads: int) -> str | None:
    """Run once; why it could not be, where that is so."""
    path = os.pathsep.join(str(ROOT / part) for part in ("engine", "adapters", "models"))
    program = (
        "import sys, torch, onnxruntime as o\n"
        f"torch.set_num_threads({threads})\n"
        "plain = o.SessionOptions\n"
        "def options():\n"
        f"    made = plain(); made.intra_op_num_threads = {threads}; return made\n"
        "o.SessionOptions = options\n"
        "from onnxray.cli.app import main\n"
        "sys.argv = ['onnxray', *sys.argv[1:]]; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *command, "-o", str(folder)], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)},
    )  # fmt: skip
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["?"])[-1]


def difference(one: Path, other: Path) -> str:
    """``same``, or how far off."""
    first, second = contents(one), contents(other)
    if first == second:
        return "same"
    differing = [name for name in {**first, **second} if first.get(name) != second.get(name)]
    number = largest_number(first["result.json"], second["result.json"])
    pixels = [pixel_difference(one / name, other / name) for name in differing if name.endswith(".png")]
    return (
        f"{len(differing)} of {len(first)} files differ; numbers by {number:.1e} of their size, "
        f"pixels by {max(pixels, default=0)}"
    )


def largest_number(one: Any, other: Any) -> float:
    """The largest difference of two numbers at the same place, as a share of the larger."""
    if isinstance(one, dict) and isinstance(other, dict):
        return max((largest_number(one[k], other[k]) for k in one if k in other), default=0.0)
    if isinstance(one, list) and isinstance(other, list):
        return max((largest_number(a, b) for a, b in zip(one, other)), default=0.0)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) / (max(abs(one), abs(other)) or 1.0)
    return 0.0


def pixel_difference(one: Path, other: Path) -> float:
    """The largest difference of two pictures, in levels; infinity where they are not of one size."""
    if not (one.exists() and other.exists()):
        return float("inf")
    a, b = (read_png(path, deep=True).astype(np.int64) for path in (one, other))
    return float("inf") if a.shape != b.shape else float(np.abs(a - b).max())


def main() -> None:
    """Run, compare, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="lenet")
    parser.add_argument("--image", action="append")
    parser.add_argument("--only", action="append", help="these commands alone")
    given = parser.parse_args()
    images = given.image or [str(path) for path in list(onnxray_models.samples("lenet"))[::40]]
    print("| command | run again | two threads against one |\n|---|---|---|")
    for name, command in commands(given.model, images).items():
        if given.only and name not in given.only:
            continue
        with tempfile.TemporaryDirectory() as place:
            folders = {key: Path(place) / key for key in ("once", "again", "two")}
            refused = run(command, folders["once"], 1)
            if refused is not None:
                print(f"| {name} | {refused} | |", flush=True)
                continue
            run(command, folders["again"], 1)
            run(command, folders["two"], 2)
            cells = (difference(folders["once"], folders[other]) for other in ("again", "two"))
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
