"""One table of all attacks: what each must keep to, whatever it computes, on the bundled LeNet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.images.files import read_png
from onnxray.images.pixels import Pixels
from onnxray.methods.attack.base import Attack
from onnxray.methods.catalogue import family
from support import models
from support.paths import ROOT

SAMPLES = ROOT / "models" / "onnxray_models" / "lenet" / "samples"
FOUR, NINE, TWO = (str(SAMPLES / f"{name}.png") for name in ("4_0", "9_0", "2_0"))

FAST: dict[str, dict[str, Any]] = {
    "apgd": {"steps": 10, "eps": 64.0},
    "bisection": {"setting": ("steps=10",), "first": 64.0},
    "carlini-wagner": {"steps": 60, "constants": 4, "constant": 0.1, "step_size": 0.1},
    "fmn": {"steps": 30},
    "lbfgs": {"steps": 20, "constants": 4, "constant": 1.0},
    "pdpgd": {"steps": 60},
    "sigma-zero": {"steps": 60},
    "eot": {"eps": 90.0, "steps": 6, "draws": 2, "trials": 5},
    "mifgsm": {"eps": 64.0},
    "pgd": {"steps": 10, "eps": 64.0},
    "fgsm": {"eps": 64.0},
    "ddn": {"steps": 30},
    "feature-adversary": {"eps": 90.0, "steps": 80, "layer": "ip1", "ratio": 0.8},
    "hot-cold": {"search": "bisection"},
    "fgv": {"search": "bisection"},
    "square": {"steps": 150, "eps": 64.0},
    "hopskipjump": {"steps": 4, "first_draws": 30},
    "rays": {"steps": 60},
    "nes": {"steps": 30, "eps": 100.0},
    "spsa": {"steps": 20, "eps": 64.0},
    "noise": {"draws": 20, "eps": 200.0},
    "transfer": {"from_": "lenet", "setting": ("steps=10", "eps=64")},
    "surrogate": {"train": str(SAMPLES), "copies": 4, "epochs": 6, "setting": ("steps=10", "eps=120")},
}
"""Options under which an attack is quick and reaches its goal on one of the three digits; none: as it is."""
REGRESSOR = """
reg (float[N,8] x) => (float[N,1] y) {
  h = MatMul (x, w)
  t = Tanh (h)
  y = MatMul (t, v)
}
"""
ATTACKS = sorted(family(Attack).keys() - {"linear", "apply"})
"""All but that of linear files, which this is none of, and what was made before: methods/attack/exact, universal."""
GOALS: dict[str, Any] = {"feature-adversary": str(SAMPLES / "7_0.png")}
"""What is asked of those that leave no class."""


@pytest.fixture(scope="module")
def lenet() -> Any:
    return onnxray.open("lenet")


def run(model: Any, name: str, images: Any, goal: Any = None, **more: Any) -> list[Any]:
    method = family(Attack)[name](**{**FAST.get(name, {}), **more})
    return list(method(model, images, GOALS.get(name) if goal is None else goal).items)


@pytest.mark.parametrize("name", ATTACKS)
def test_success_is_what_the_judge_says_of_the_saved_picture(lenet: Any, name: str, tmp_path: Path) -> None:
    result = family(Attack)[name](**FAST.get(name, {}))(lenet, [FOUR, NINE, TWO], GOALS.get(name))
    result.save(tmp_path / "run")
    document = json.loads((tmp_path / "run" / "result.json").read_text())
    for item, entry in zip(result.items, document["items"]):
        saved = read_png(tmp_path / "run" / entry["files"]["image"])
        said = lenet.predict(Pixels.of(saved[None].astype(np.float32)))
        assert entry["class"] == said.classes[0]
        if name not in GOALS:
            assert entry["success"] == (said.classes[0] != entry["origin"]["class"])
        d = saved.astype(float) - read_png(tmp_path / "run" / entry["files"]["origin"])
        norms = {"linf": np.abs(d).max(), "l2": np.linalg.norm(d), "l1": np.abs(d).sum(), "l0": (d != 0).sum()}
        assert {key: entry[key] for key in norms} == pytest.approx(norms)
        if entry["eps"] is not None:
            assert norms[entry["norm"]] <= entry["eps"] * (1 + 1e-9)
        if d.any():
            assert sum(entry["queries"].values()) + entry.get("other_passes", 0) > 0
        assert item.success == entry["success"]
    assert any(item.success for item in result.items)


@pytest.mark.parametrize("name", ATTACKS)
def test_neither_batch_nor_order_changes_an_image(lenet: Any, name: str) -> None:
    together = {item.origin.path: item for item in run(lenet, name, [TWO, FOUR, NINE])}
    alone = run(lenet, name, [FOUR])[0]
    again = run(lenet, name, [FOUR])[0]
    assert np.array_equal(alone.images["image"], again.images["image"])
    apart = np.abs(alone.images["image"].astype(int) - together[FOUR].images["image"])
    assert (apart > 1).mean() <= 0.01  # kernels differ in the last digits with the size of a batch


@pytest.mark.parametrize("name", ATTACKS)
def test_the_cap_on_passes_is_kept(lenet: Any, name: str) -> None:
    for item in run(lenet, name, [FOUR], queries=7):
        assert sum(item.queries.values()) <= 7


@pytest.mark.parametrize("name", [name for name in ATTACKS if name not in GOALS])
def test_a_class_is_reached_and_arrays_are_moved(lenet: Any, name: str, tmp_path: Path) -> None:
    """What is asked for besides another class: one class, and a number beyond another, of an array without bounds."""
    for item in run(lenet, name, [NINE], goal=3):
        assert item.goal == "3"
        assert item.success == (item.judged.class_ == 3)
    if name in {"hot-cold", "surrogate", "eot"}:  # they go by classes, and no number has any; of pictures alone
        return
    weights = {"w": models.random(0, 8, 16, scale=1.0), "v": models.random(1, 16, 1, scale=1.0)}
    proto, arrays = models.parse(REGRESSOR, weights), models.random(2, 3, 8, scale=1.0)
    (tmp_path / "other.onnx").write_bytes(proto.SerializeToString())
    other = {"from_": str(tmp_path / "other.onnx")} if name == "transfer" else {}
    model = onnxray.open(proto)
    most = model.values(arrays, ["y"])["y"].max() + 0.1
    for item in run(model, name, arrays, goal=f"y > {most:.3f}", **other):
        moved = item.arrays_["image x"]
        assert item.success == (model.values(moved[None], ["y"])["y"][0, 0] > round(float(most), 3))


def test_perturbations_agree_with_the_peer_on_the_same_start(lenet: Any, tmp_path: Path) -> None:
    """BIM and its L2 sibling of foolbox on the plain torch module."""
    foolbox = pytest.importorskip("foolbox")
    import torch

    from support.attack_peers import logits_module

    pixels = lenet.pixels([FOUR, NINE, TWO])
    peer = foolbox.PyTorchModel(logits_module(lenet, "ip2", tmp_path), bounds=(0, 1))
    x = torch.from_numpy(np.array(pixels.array, np.float64)) / 255
    labels = torch.from_numpy(lenet.predict(pixels).classes)
    for norm, attack in (
        ("linf", foolbox.attacks.LinfPGD(rel_stepsize=0.05, steps=10, random_start=False)),
        ("l2", foolbox.attacks.L2PGD(rel_stepsize=0.05, steps=10, random_start=False)),
    ):
        eps = 20.0 if norm == "linf" else 300.0
        theirs = attack.run(peer, x, labels, epsilon=eps / 255).numpy() * 255
        method = onnxray.methods.PGD(
            norm=norm, eps=eps, steps=10, step_size=0.05 * eps, random_start=False, float_=True
        )
        for own, other, origin in zip(method(lenet, pixels).items, theirs, pixels.array):
            assert own.unrounded["l2"] == pytest.approx(np.linalg.norm(other - origin), rel=1e-3)
            assert np.abs(own.images["image"] - np.rint(other)).mean() < 0.05
