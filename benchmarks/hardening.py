"""What training on each perturbation comes to: the bundled LeNet, hardened by each on the same digits for as long.

    python benchmarks/hardening.py t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz --out FOLDER

The digits are MNIST's test set, which the bundled network never saw: the first are trained on, a tenth as many judge
each epoch, and none of them is measured on. Of the last 2,000: the clean error of all, and of the first so many the
robust accuracy (``attack evaluate``: FMN and APGD) and the mean PASS of the smallest perturbations that flip those that
are named rightly, by FMN under linf and by the line search along hot/cold. The table is printed as markdown.

--relu puts a Relu node behind each convolution of the file first: Caffe's LeNet has none there, and no threshold.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("engine", "models")]

import onnxray  # noqa: E402
from onnxray.assess.robustness.evaluation import RobustnessEvaluation  # noqa: E402
from onnxray.images.pixels import Pixels  # noqa: E402
from onnxray.methods.attack.gradient.hot_cold import HotCold  # noqa: E402
from onnxray.methods.attack.minimum_norm.fmn import FMN  # noqa: E402
from onnxray.results.keeping import Keeping  # noqa: E402
from onnxray.training.hardening import Harden  # noqa: E402
from train_lenet import read_idx  # noqa: E402

KINDS = ("pgd", "fgsm", "hot-cold", "lots", "lots,pgd")
TESTED = 2000
MINIMAL: dict[str, Any] = {"FMN": FMN(norm="linf"), "hot/cold": HotCold(sign=True)}


def main() -> None:
    """Train, measure, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--eps", type=float, default=25.0)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--pictures", type=int, default=3000, help="that are trained on")
    parser.add_argument("--attacked", type=int, default=200, help="of those that are tested")
    parser.add_argument("--relu", action="store_true", help="put a Relu behind each convolution first")
    parser.add_argument("--kinds", nargs="+", default=KINDS, help="of perturbations")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for a run of each; what is there is gone on with"
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = with_relu(onnxray.open("lenet"), given.out) if given.relu else onnxray.open("lenet")
    images, labels = read_idx(given.images)[:, None].astype(np.float32), read_idx(given.labels).astype(np.int64)
    tested, names = Pixels.of(images[-TESTED:]), labels[-TESTED:]
    print("| trained on | clean error | withstands FMN and APGD | PASS, FMN | PASS, hot/cold | median L_inf, FMN |")
    print("|---|---|---|---|---|---|")
    row("nothing: the file as it came", model, tested, names, given)
    for kind in given.kinds:
        begun = time.process_time()
        path = hardened(model, kind, images, labels, given)
        trained = time.process_time() - begun
        row(f"`{kind}`", onnxray.open(path, model.profile), tested, names, given)
        print(f"{kind}: {trained:.0f} s of processor time", file=sys.stderr)


def with_relu(model: Any, folder: Path) -> Any:
    """The same weights in a file with a Relu node behind each convolution."""
    proto = onnx.load(model.graph.path)
    behind = [node for node in proto.graph.node if node.op_type == "MaxPool"]
    for pool in behind:
        convolved = pool.input[0]
        pool.input[0] = f"{convolved}_relu"
        at = list(proto.graph.node).index(pool)
        proto.graph.node.insert(at, onnx.helper.make_node("Relu", [convolved], [pool.input[0]]))
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(proto, folder / "lenet-relu.onnx")
    return onnxray.open(folder / "lenet-relu.onnx", model.profile)


def hardened(model: Any, kind: str, images: Any, labels: Any, given: argparse.Namespace) -> Path:
    """The file that training on a kind of perturbation writes."""
    folder = given.out / kind.replace(",", "-")
    path = folder / Path(model.graph.path).name
    if not path.exists():
        held = given.pictures // 10
        method = Harden(
            attacks=kind, steps=given.steps, eps=given.eps, epochs=given.epochs, rate=given.rate, schedule="one-cycle",
            distort=1.0, held_out=held / (given.pictures + held), max_drop=1.0, evaluate=0,
        )  # fmt: skip
        count = given.pictures + held
        with Keeping.into(folder, "harden", resume=folder.exists()) as keep:
            keep.complete(method(model, Pixels.of(images[:count]), [str(k) for k in labels[:count]], keep=keep))
    return path


def row(name: str, model: Any, tested: Pixels, names: Any, given: argparse.Namespace) -> None:
    """Measure a file and print what it came to."""
    right = model.classify(tested) == names
    own, truth = tested.rows(slice(0, given.attacked)), names[: given.attacked]
    evaluated = RobustnessEvaluation(eps=f"{given.eps:g}", attacks="fmn,apgd", trust_images=0)(
        model, own, [int(k) for k in truth]
    )
    curve = evaluated.extra["robustness"]["curve"][-1]
    places = np.flatnonzero(right[: given.attacked])
    cells, median = [], 0.0
    for what, attack in MINIMAL.items():
        items = attack(model, Pixels.of(own.array[places])).items
        scores = [item.similarity.score for item in items if item.success]
        cells.append(
            f"{np.mean(scores):.4f}" + (f" ({len(scores)} of {len(items)})" if len(scores) < len(items) else "")
        )
        if what == "FMN":
            median = float(np.median([item.linf if item.success else np.inf for item in items]))
    print(
        f"| {name} | {1 - right.mean():.4f} | {curve['robust_accuracy']:.3f} | {' | '.join(cells)} | {median:.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
