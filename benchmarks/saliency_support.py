"""Which saliency method works on which architecture: all methods times the exports of support.py; one image each.

python benchmarks/saliency_support.py --folder F                       what was not run yet, and write the page
python benchmarks/saliency_support.py --folder F --again               all anew
python benchmarks/saliency_support.py --folder F swin levit            only networks with such a name
python benchmarks/saliency_support.py --folder F --method grad-cam     only this method (may be repeated)
python benchmarks/saliency_support.py --folder F --exporter legacy-17  from files of another exporter

F is where support.py keeps its files; a network whose file is not there is left out. Where F holds no results, those of
the page are gone on with. Methods that sample are given few samples: this tells whether a method runs and what it
refuses, not how good its map is.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import re
import resource
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from support_networks import NETWORKS, Network

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("engine", "models")]

from onnxray.errors import OnnxrayError  # noqa: E402
from onnxray.methods.catalogue import family  # noqa: E402
from onnxray.methods.saliency.base import Saliency  # noqa: E402

PAGE = HERE.parent / "docs" / "saliency-support.md"
SECONDS = 420
MEMORY = 16 * 2**30
FEW = {"masks": 8, "samples": 2, "steps": 4, "max_steps": 8}
"""Small values for the options that say how often a network is asked, where a method has them."""
FOUR = {"superpixels": "grid", "segments": 4, "samples": 14}
"""What methods of superpixels run with: four squares, all that can be made of them."""
ACROSS = {"occlusion": 4}
"""How many squares of the method stand beside each other across the picture."""
_CONTEXT = multiprocessing.get_context("forkserver")

Row = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of the names of networks")
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "onnxray-support")
    parser.add_argument("--exporter", default="dynamo-20")
    parser.add_argument("--method", choices=sorted(family(Saliency)), action="append")  # type: ignore[type-abstract]
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    store = given.folder / f"saliency-{given.exporter}.json"
    results: dict[str, Row] = json.loads(store.read_text()) if store.exists() else results_of_page()
    methods = sorted(family(Saliency))  # type: ignore[type-abstract]
    networks = [n for n in NETWORKS if not given.names or any(part in n[1] for part in given.names)]
    todo = {}
    for network in networks:
        had = () if given.again else results.get(network[1], ())
        wanted = [method for method in given.method or methods if method not in had]
        if wanted and path_of(given.folder, network, given.exporter).exists():
            todo[network[1]] = (network, wanted)
    _CONTEXT.set_forkserver_preload(["torch", "onnxruntime", "matplotlib"])
    with ThreadPoolExecutor(given.workers) as pool:
        running = {
            pool.submit(measure, given.folder, network, given.exporter, wanted): (network[1], wanted)
            for network, wanted in todo.values()
        }
        for count, done in enumerate(as_completed(running), 1):
            name, wanted = running[done]
            row, seconds = done.result()
            found = {method: row.get(method, "died or took too long") for method in wanted}
            results[name] = {**results.get(name, {}), **found}
            failed = sum(cell != "ok" for cell in found.values())
            said = f"{failed} of {len(found)} refused, {seconds:.0f} s"
            print(f"{count}/{len(todo)} {name}: {said}", file=sys.stderr, flush=True)
            store.write_text(json.dumps(results, indent=1))
    PAGE.write_text(page(results, methods, given.exporter), encoding="utf-8")


def path_of(folder: Path, network: Network, exporter: str) -> Path:
    """Where support.py keeps the file."""
    return folder / f"{network[1]}-{zlib.crc32(repr(network[1:]).encode()):08x}-{exporter}.onnx"


def measure(folder: Path, network: Network, exporter: str, methods: Sequence[str]) -> tuple[Row, float]:
    """Methods on one file in a process of its own; what was finished when it died or ran out of time counts."""
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    arguments = (theirs, path_of(folder, network, exporter), network[2], methods)
    child = _CONTEXT.Process(target=run, args=arguments)
    child.start()
    theirs.close()
    row: Row = {}
    start = time.perf_counter()
    try:
        while ours.poll(max(0.0, SECONDS - (time.perf_counter() - start))):
            row.update([ours.recv()])
    except EOFError:
        pass
    finally:
        child.kill()
        child.join()
    return row, time.perf_counter() - start


def run(answer: Connection, path: Path, side: int, methods: Sequence[str]) -> None:
    """Send (method, ``ok`` or why not), one after the other."""
    import torch

    import onnxray
    from onnxray.engines.seeded_inputs import seeded_pixels
    from onnxray.images.profile.profile import Profile

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    profile = Profile(
        name="sweep", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.5,) * 3, std=(0.25,) * 3, size=(side, side)
    )
    model = onnxray.open(path, profile)
    image = seeded_pixels((3, side, side))[:1]
    known = family(Saliency)  # type: ignore[type-abstract]
    for name in methods:
        method = known[name]
        few = {field.name: FEW[field.name] for field in dataclasses.fields(method) if field.name in FEW}
        if few.keys() >= {"samples"} and "superpixels" in {field.name for field in dataclasses.fields(method)}:
            few = dict(FOUR)
        if name in ACROSS:
            few["size"] = few["stride"] = side // ACROSS[name]
        try:
            found = method(**few)(model, image).items[0]
            answer.send((name, "ok" if np.isfinite(found.heat).all() else "a map that is not finite"))
        except OnnxrayError as error:
            answer.send((name, f"{type(error).__name__}: {error}".replace(str(path), "MODEL")))
        except Exception as error:
            answer.send((name, f"crash: {type(error).__name__}: {str(error).strip()[:200]}"))
    answer.close()


def results_of_page() -> dict[str, Row]:
    """What the page says; of each refusal the first of its kind, as it stands there."""
    text = PAGE.read_text(encoding="utf-8")
    why = {f"[{number}](#why)": reason for number, reason in re.findall(r"^(\d+)\. (.*)$", text, re.MULTILINE)}
    rows = [line.strip("|\n ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    (_, _, *methods), *networks = rows
    known = {network[1] for network in NETWORKS}
    return {
        name: {method: why.get(cell.strip(), cell.strip()) for method, cell in zip(methods, cells) if cell.strip()}
        for _, name, *cells in (row for row in networks if row[1] in known)
    }  # fmt: skip


def page(results: Mapping[str, Row], methods: Sequence[str], exporter: str) -> str:
    """A row an architecture, a column a method; refusals by number, the reasons below, names left out."""
    reasons: dict[str, tuple[int, str]] = {}
    lines = [f"| family | network | {' | '.join(methods)} |", "|---" * (2 + len(methods)) + "|"]
    works, tried = dict.fromkeys(methods, 0), dict.fromkeys(methods, 0)
    for network in NETWORKS:
        row = results.get(network[1])
        if row is None:
            continue
        cells = []
        for method in methods:
            cell = row.get(method, "")
            tried[method] += cell != ""
            if cell in {"ok", ""}:
                works[method] += cell == "ok"
                cells.append(cell)
                continue
            number, _ = reasons.setdefault(_anonymous(cell), (len(reasons) + 1, cell))
            cells.append(f"[{number}](#why)")
        lines.append(f"| {network[0]} | {network[1]} | {' | '.join(cells)} |")
    lines.append(f"| | works, of tried | {' | '.join(f'{works[method]}/{tried[method]}' for method in methods)} |")
    why = "\n".join(f"{number}. {first}" for number, first in reasons.values())
    return f"""# Which saliency method works on which architecture

Written by `python benchmarks/saliency_support.py`, from the files that `benchmarks/support.py` exports ({exporter}),
with one seeded image, random weights and few samples. `ok`: a finite map. A number: refused, for the reason below.
Empty: not run yet. No option is set: the layer is the one that is chosen by itself.

{chr(10).join(lines)}

## Why

The first refusal of each kind, word for word; others of the kind differ in names and numbers.

{why}
"""


def _anonymous(reason: str) -> str:
    """A reason without the names and numbers of one network."""
    return re.sub(r"'[^']*'|\(\w+\)|\[[^]]*\]|\d[\d.e+-]*", "_", reason)


if __name__ == "__main__":
    main()
