"""Virtual adversarial training with 100 labelled digits and the rest without labels, against the 100 alone.

    python benchmarks/virtual_adversarial.py t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz --out DIR

The bundled LeNet has seen MNIST, so its weights are drawn anew (Caffe's: uniform within sqrt(3 / fan-in), biases 0) by
the seed and written into the file by ``onnxray.save``; both trainings start from that file and take the same steps.
Of the first 8,100 of MNIST's test digits the seed draws 10 of each class as the labelled ones, and one of each that
tells how an epoch does (what is written is the last, whatever they say). All 8,100 are shown without labels; the last
1,900 are tested on, and never trained on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("engine", "models")]

import onnxray  # noqa: E402
from onnxray.images.pixels import Pixels  # noqa: E402
from onnxray.results.keeping import Keeping  # noqa: E402
from onnxray.training.hardening import Harden  # noqa: E402
from train_lenet import LeNet, read_idx  # noqa: E402

LABELLED, JUDGED, TESTED = 100, 10, 1900


def main() -> None:
    """Train twice from each seed, and print the errors, their mean and their spread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--seeds", type=int, default=5, help="two or more")
    parser.add_argument("--epochs", type=int, default=2, help="over the digits without labels")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--weight", type=float, default=1.0)
    parser.add_argument("--radius", type=float, default=1020.0)
    parser.add_argument("--out", type=Path, required=True, help="folder; a run that is there is gone on with")
    given = parser.parse_args()
    torch.set_num_threads(1)
    images, labels = read_idx(given.images), read_idx(given.labels).astype(np.int64)
    digits = given.out / "digits"
    digits.mkdir(parents=True, exist_ok=True)
    for k, image in enumerate(images[:-TESTED]):
        Image.fromarray(image).save(digits / f"{k}.png")
    errors = np.array([pair(seed, images, labels, given) for seed in range(given.seeds)])
    for name, own in zip(("100 labelled alone", "virtual adversarial"), errors.T):
        print(f"{name}: {own.mean():.4f} +- {own.std(ddof=1):.4f} over {len(own)} seeds")


def pair(seed: int, images: Any, labels: Any, given: argparse.Namespace) -> tuple[float, float]:
    """The errors of one seed: of the labelled digits alone, and with all those that have no label."""
    random = np.random.default_rng(seed)
    count = (LABELLED + JUDGED) // 10
    rows = np.concatenate([random.permutation(np.flatnonzero(labels[:-TESTED] == k))[:count] for k in range(10)])
    model = drawn(seed, given.out / f"start-{seed}.onnx")
    tested = Pixels.of(images[-TESTED:, None].astype(np.float32))
    found = []
    for name, weight in (("alone", 0.0), ("virtual", given.weight)):
        method = Harden(
            loss="virtual", unlabelled=str(given.out / "digits"), weight=weight, radius=given.radius,
            epochs=given.epochs, rate=given.rate, held_out=JUDGED / (LABELLED + JUDGED), best_by="last", max_drop=1.0,
            evaluate=0,
        )  # fmt: skip
        folder = given.out / f"{name}-{seed}"
        path = folder / f"start-{seed}.onnx"
        if not path.exists():
            with Keeping.into(folder, "harden", resume=folder.exists()) as keep:
                own = Pixels.of(images[rows, None].astype(np.float32))
                keep.complete(method(model, own, [str(k) for k in labels[rows]], seed=seed, keep=keep))
        trained = onnxray.open(path, model.profile)
        found.append(float((trained.classify(tested) != labels[-TESTED:]).mean()))
    print(f"seed {seed}: error {found[0]:.4f} alone, {found[1]:.4f} with digits that have no label", flush=True)
    return found[0], found[1]


def drawn(seed: int, path: Path) -> Any:
    """The bundled LeNet with weights drawn anew, as a file."""
    lenet = onnxray.open("lenet")
    torch.manual_seed(seed)
    fresh = LeNet().state_dict()
    module = onnxray.to_torch("lenet", trainable=True)
    with torch.no_grad():
        for name, attribute in module.parameter_names.items():
            module.get_parameter(attribute).copy_(fresh[name])
    path.unlink(missing_ok=True)
    onnxray.save(module, path)
    return onnxray.open(path, lenet.profile)


if __name__ == "__main__":
    main()
