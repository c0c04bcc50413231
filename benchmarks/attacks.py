"""What each attack reaches on the images of a file of peers' results, in floats and on 8 bits, and what it costs.

python benchmarks/attacks.py --zoo ZOO --base attack-base.json                     all rows, 20 images of each network
python benchmarks/attacks.py --zoo ZOO --base attack-base.json --images 200 fmn    rows with such a name, all images
python benchmarks/attacks.py --zoo ZOO --evaluate --images 200                     against torchattacks' AutoAttack

ZOO holds MNIST's test digits, photographs and SqueezeNet; the base states which peer reached which norm on which image.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import onnxray
from onnxray.methods.array_variable import variable_of
from onnxray.methods.attack.base import Attack, Attacked, generators_of
from onnxray.methods.attack.oracle import Oracle, Queries
from onnxray.methods.attack.success import criterion_of
from onnxray.methods.catalogue import family
from onnxray.methods.run import silent

_SIDE = 224


@dataclass(frozen=True)
class Row:
    """One attack on one network, beside the peer's of the same name where the base has one."""

    network: str
    norm: str
    attack: str
    options: Mapping[str, Any] = field(default_factory=dict)
    peer: str | None = None

    @property
    def name(self) -> str:
        """As it is printed."""
        said = ", ".join(f"{key}={value}" for key, value in self.options.items() if key != "norm")
        return f"{self.attack}({said})" if said else self.attack


APGD_T = ("steps=20", "classes=9")
ROWS = (
    Row("lenet", "linf", "fmn", {"steps": 100}, "FMN-100"),
    Row("lenet", "linf", "fmn", {"steps": 300}, "FMN-300"),
    Row("lenet", "linf", "fmn", {"steps": 1000}, "FMN-1000"),
    Row("lenet", "linf", "deepfool", {"norm": "linf"}, "DeepFool"),
    Row("lenet", "linf", "bisection", {"setting": ("steps=50",)}, "minAPGD-DLR-10x50"),
    Row("lenet", "linf", "bisection", {"setting": APGD_T}, None),
    Row("lenet", "l2", "ddn", {"levels": False}, "DDN-100"),
    Row("lenet", "l2", "ddn", {}, "DDN-100-levels256"),
    Row("lenet", "l2", "fmn", {"norm": "l2", "steps": 100}, "FMN-100-foolbox"),
    Row("lenet", "l2", "fmn", {"norm": "l2", "steps": 1000}, None),
    Row("lenet", "l2", "deepfool", {"norm": "l2"}, "DeepFool"),
    Row("lenet", "l2", "carlini-wagner", {}, "CW-9x1000"),
    Row("lenet", "l2", "lbfgs", {}, None),
    Row("lenet", "l2", "bisection", {"norm": "l2", "setting": APGD_T}, None),
    Row("lenet", "l1", "fmn", {"norm": "l1", "steps": 300}, None),
    Row("lenet", "l1", "pdpgd", {}, None),
    Row("lenet", "l0", "fmn", {"norm": "l0", "steps": 300}, None),
    Row("lenet", "l0", "sigma-zero", {"steps": 300}, None),
    Row("lenet", "linf", "rays", {"steps": 700}, "HopSkipJump-1000"),
    Row("lenet", "linf", "rays", {"steps": 4500}, "HopSkipJump-5000"),
    Row("lenet", "linf", "hopskipjump", {"norm": "linf", "steps": 5}, "HopSkipJump-1000"),
    Row("lenet", "linf", "hopskipjump", {"norm": "linf", "steps": 16}, "HopSkipJump-5000"),
    Row("lenet", "l2", "hopskipjump", {"steps": 5}, "HopSkipJump-1000"),
    Row("lenet", "l2", "hopskipjump", {"steps": 16}, "HopSkipJump-5000"),
    Row("squeezenet", "linf", "fmn", {"steps": 30}, "FMN-30"),
    Row("squeezenet", "linf", "bisection", {"setting": ("steps=10",), "first": 1.0}, None),
    Row("squeezenet", "l2", "fmn", {"norm": "l2", "steps": 30}, "FMN-30"),
    Row("squeezenet", "l2", "ddn", {"steps": 40, "start_norm": 38.25}, "DDN-40-init0.15-levels256"),
    Row("squeezenet", "l2", "ddn", {"steps": 30, "start_norm": 38.25, "levels": False}, "DDN-30-init0.15"),
    Row("squeezenet", "l2", "deepfool", {"norm": "l2"}, None),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of the names of rows: an attack, a network, a norm")
    parser.add_argument("--zoo", type=Path)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--evaluate", action="store_true", help="evaluations of digits beside AutoAttack, and no norms")
    given = parser.parse_args()
    if given.evaluate and given.zoo is not None:
        speed_of_evaluation(given.zoo, given.images)
        return
    if given.zoo is None or given.base is None:
        parser.error("--zoo and --base are needed: the images, and what peers reached on them")
    base = json.loads(given.base.read_text())
    attacks = family(Attack)  # type: ignore[type-abstract]
    opened: dict[str, tuple[onnxray.Model, NDArray[np.uint8]]] = {}
    best: dict[tuple[str, str, str], NDArray[np.float64]] = {}
    print(f"{'row':62} n  float, peer's -> ratio  8 bits, peer's  failed  ms  passes")
    for row in ROWS:
        if row.attack not in attacks or not all(part in f"{row.network} {row.norm} {row.name}" for part in given.names):
            continue
        if row.network not in opened:
            opened[row.network] = _opened(row.network, given.zoo, base)
        model, images = opened[row.network]
        images = images[: given.images]
        began = time.process_time()
        items = attacks[row.attack](float_=True, **row.options)(model, images).items
        seconds = time.process_time() - began
        floats = np.array([i.unrounded[row.norm] if i.unrounded["success"] else np.inf for i in items])
        whole = np.array([i.norms[row.norm] if i.success else np.inf for i in items])
        for kind, norms in (("float", floats), ("rounded", whole)):
            key = (row.network, row.norm, kind)
            best[key] = np.minimum(best[key], norms) if key in best else norms
        print(f"{row.network} {row.norm} {row.name:45} {_beside(row, base, floats, whole)}", end="  ")
        passes = np.mean([sum(item.queries.values()) for item in items])
        print(f"{np.isinf(whole).sum()}  {1000 * seconds / len(items):.0f}  {passes:.0f}", flush=True)
    for (network, norm, kind), norms in best.items():
        union = _union(base, network, norm, kind)
        said = "" if union is None else f", the peers' union {np.median(union[: len(norms)]):.3f}"
        print(f"best of all rows, {network} {norm} {kind}: median {np.median(norms):.3f}{said}")


def _beside(row: Row, base: Any, floats: NDArray[np.float64], whole: NDArray[np.float64]) -> str:
    theirs = None if row.peer is None else base["networks"][row.network][_upper(row.norm)][row.peer]["min"]
    if theirs is None:
        return f"{len(floats)}  {np.median(floats):.3f}  {np.median(whole):.3f}"
    other = np.array([np.inf if norm is None else norm for norm in theirs["per_image"]])[: len(floats)]
    own = np.median(floats[: len(other)])
    return (
        f"{len(other)}  {own:.3f}, {np.median(other):.3f} -> {own / np.median(other):.4f}"
        f"  {np.median(whole[: len(other)]):.3f}, {theirs.get('rounded_quartiles')}"
    )


def _union(base: Any, network: str, norm: str, kind: str) -> NDArray[np.float64] | None:
    found = base["ensemble"][network].get(_upper(norm), {}).get(kind)
    return None if found is None else np.array([np.inf if v is None else v for v in found["per_image"].values()])


def _upper(norm: str) -> str:
    return {"linf": "Linf"}.get(norm, norm.upper())


def _opened(network: str, zoo: Path, base: Any) -> tuple[onnxray.Model, NDArray[np.uint8]]:
    """A model and the base's images of it, in their order."""
    if network == "lenet":
        model = onnxray.open("lenet")
        return model, digits(model, zoo, 200)
    names = base["networks"]["squeezenet"]["Linf"]["FMN-30"]["min"]["images"]
    model = onnxray.open(zoo / "squeezenet-v1.1-onnx" / "squeezenet_v1.1_fp32_from_fp16.onnx", "caffe-imagenet")
    return model, np.stack([_squashed(name, zoo) for name in names])


def digits(model: onnxray.Model, zoo: Path, count: int) -> NDArray[np.uint8]:
    """The first test digits of MNIST that a model names rightly."""
    folder = zoo / "data-mnist-t10k"
    packed = (folder / f"t10k-{name}-ubyte.gz" for name in ("images-idx3", "labels-idx1"))
    images, labels = (np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8) for path in packed)
    images, labels = images[16:], labels[8:]  # behind the headers
    some = images.reshape(-1, 1, 28, 28)[: 2 * count]
    right = np.flatnonzero(model.predict_classes(some).classes == labels[: 2 * count])
    return some[right[:count]]


def _squashed(name: str, zoo: Path) -> NDArray[np.uint8]:
    import foolbox

    folders = (zoo / "data-photos", Path(foolbox.__file__).parent / "data")
    path = next(folder / name for folder in folders if (folder / name).exists())
    with Image.open(path) as opened:
        small = opened.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small).transpose(2, 0, 1)


def speed_of_evaluation(zoo: Path, count: int) -> None:
    """Evaluations of the LeNet beside torchattacks' AutoAttack on the same digits: CPU time, robust accuracy.

    Both judged by ONNX Runtime, ours on the saved 8-bit pictures, theirs on floats. An evaluation gives all budgets at
    once and is made of one as well; AutoAttack is run at each.
    """
    import tempfile

    import torch
    import torchattacks

    sys.path[0] = str(Path(__file__).resolve().parent.parent / "tests")
    from onnxray.assess.robustness.evaluation import RobustnessEvaluation
    from support.attack_peers import logits_module

    model = onnxray.open("lenet")
    images = digits(model, zoo, count)
    own = model.predict_classes(images).classes
    with tempfile.TemporaryDirectory() as folder:
        module = logits_module(model, "ip2", Path(folder)).float()
    x, labels = torch.from_numpy(images / np.float32(255)), torch.from_numpy(own)
    budgets, theirs = (16, 25, 38, 76), {}
    for eps in budgets:
        began = time.process_time()
        attack = torchattacks.AutoAttack(module, norm="Linf", eps=eps / 255, version="standard", n_classes=10, seed=0)
        found = attack(x, labels)
        seconds = time.process_time() - began
        robust = float((model.predict_classes(255 * found.detach().numpy()).classes == own).mean())
        theirs[eps] = seconds
        mine, accuracy = _evaluated(RobustnessEvaluation, str(eps), model, images)
        print(
            f"at {eps}: {mine / seconds:.2f} of AutoAttack's time ({mine:.1f} and {seconds:.1f} s, {count} digits); "
            f"robust accuracy {accuracy[float(eps)]:.3f}, AutoAttack's {robust:.3f}", flush=True,
        )  # fmt: skip
    mine, accuracy = _evaluated(RobustnessEvaluation, ",".join(map(str, budgets)), model, images)
    print(f"all of them in one evaluation: {mine / sum(theirs.values()):.2f} of the four ({mine:.1f} s); {accuracy}")


def _evaluated(evaluation: Any, eps: str, model: onnxray.Model, images: NDArray[np.uint8]) -> tuple[float, Any]:
    began = time.process_time()
    found = evaluation(eps=eps, trust_images=0)(model, images).extra["robustness"]["curve"]
    return time.process_time() - began, {row["eps"]: row["robust_accuracy"] for row in found}


def perturbed(method: Attack, model: onnxray.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What an attack gives, judged, and not measured."""
    variable = variable_of(model, model.pixels(images), None, [model.head.name])
    criterion, shots = criterion_of(variable, None)
    oracle = Oracle(variable=variable, criterion=criterion, queries=Queries.none(len(images)))
    eps = np.full(len(images), np.inf if method.budget is None else method.budget)
    random = generators_of(shots.images, 0)
    attacked = Attacked(oracle=oracle, rows=np.arange(len(images)), random=random, tell=silent, eps=eps)
    found, whole = method.settled(attacked, method.perturb(attacked))
    oracle.met(whole, attacked.rows)
    return np.asarray(found.d, np.float32)


if __name__ == "__main__":
    main()
