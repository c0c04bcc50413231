"""Starting a command: the processor's seconds (user and system) of whole processes, from the interpreter on.

`classify` on ResNet-50 and a photograph against a script of ten lines that does the same with ONNX Runtime, numpy and
Pillow: decode, resize, run, print the five likeliest classes. `inspect` of the same file against `onnx.load` of it.
What runs no model against an interpreter that imports typer, which the command line is made with. Aimed at were 0.30 s
for `--version` and `--help`, 0.35 s for wrong usage, 1 s for `inspect`, and 1.25 for `classify`: the last is not
reached. Importing onnx (which reads the graph), typer and rich alone is 1.18 of the script; `classify` was 1.44 when
that was measured. Modules are compiled before, as pip does: where Python is told not to write bytecode, a checkout's
own are compiled anew at every start, which takes 0.3 s.

Before commands, their tables and decoders were imported when needed, medians of three rounds on a machine as busy:
classify 2.04 s (1.89 of the script), inspect 1.27 s (it tried the batch as well), --version 0.16 s, --help 0.33 s,
saliency --help 1.47 s, saliency grad-cam --help 1.35 s, a command that is none 0.64 s, an option that is none 0.56 s.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
from measure import Row, Setting, print_rows, row_of, setting
from PIL import Image

SCRIPT = """
import sys
import numpy as np
import onnxruntime
from PIL import Image
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
image = Image.open(sys.argv[2]).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
x = (np.asarray(image, np.float32) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
scores = session.run(None, {session.get_inputs()[0].name: x.transpose(2, 0, 1)[None].astype(np.float32)})[0].ravel()
for k in np.argsort(scores)[::-1][:5]:
    print(k, scores[k])
"""


def main() -> None:
    with setting(__doc__) as chosen:
        print_rows(measure(chosen))


def measure(chosen: Setting) -> list[Row]:
    network, photograph = str(chosen.network("resnet50")), chosen.folder / "photograph.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(noise).resize((800, 600)).save(photograph)
    script = ["-c", SCRIPT, network, str(photograph)]
    classify = ["classify", network, str(photograph), "--profile", "torchvision"]
    bare = ["-c", "import typer"]
    imports = ["-c", f"import onnx, typer, rich.table\n{SCRIPT}", network, str(photograph)]
    cases: list[tuple[str, str, Sequence[str], Sequence[str], float | None]] = [
        ("classify", "a script of ten lines", classify, script, 1.25),
        ("classify --json", "a script of ten lines", [*classify, "--json"], script, 1.25),
        ("classify", "the script that imports onnx, typer and rich too", classify, imports, None),
        ("inspect", "onnx.load", ["inspect", network], ["-c", f"import onnx; onnx.load({network!r})"], None),
        ("--version", "importing typer", ["--version"], bare, None),
        ("--help", "importing typer", ["--help"], bare, None),
        ("saliency --help", "importing typer", ["saliency", "--help"], bare, None),
        ("saliency grad-cam --help", "importing typer", ["saliency", "grad-cam", "--help"], bare, None),
        ("a command that is none", "importing typer", ["nonsense"], bare, None),
        ("a method that is none", "importing typer", ["saliency", "nonsense"], bare, None),
        ("an option that is none", "importing typer", ["classify", "--nonsense"], bare, None),
        ("an argument that is missing", "importing typer", ["classify", network], bare, None),
    ]
    rows = []
    for work, against, ours, theirs, aim in cases:
        ours = ["-m", "onnxray", *ours]
        seconds(ours), seconds(theirs)
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(chosen.rounds(11))]
        rows.append(row_of(work, against, "s", pairs, aim=aim))
    return rows


def seconds(arguments: Sequence[str]) -> float:
    """The processor's seconds that a process of Python takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([sys.executable, *arguments], check=False, env=_with_bytecode(), **quiet)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _with_bytecode() -> dict[str, str]:
    """The environment, in which modules are compiled once."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


if __name__ == "__main__":
    main()
