"""Progress of every method: so many of so many, never back, never beyond, and all at the end."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import onnxray
from onnxray.images.files import save_png
from onnxray.methods.catalogue import methods
from onnxray.objectives.goals import TargetImages
from support import models

QUICK: dict[str, dict[str, Any]] = {
    "rise": {"masks": 40}, "occlusion": {"size": 5, "stride": 5}, "smoothgrad": {"samples": 20}, "integrated_gradients": {"steps": 4, "gap": 1.0},
    "caricature": {"steps": 3, "layer": "relu2"}, "deepdream": {"octaves": 2, "steps": 2, "layer": "relu2", "size": 28},
    "invert": {"steps": 4, "layer": "ip1"}, "maximize": {"steps": 3, "samples": 2, "together": 1}, "texture": {"steps": 3, "layer": "relu1"},
    "style": {"steps": 3, "layer": "relu1", "content_layer": "relu2"}, "activations": {"layer": "relu1"}, "lots": {"layer": "ip1", "steps": 2, "until": "linf", "linf": 4.0},
    "value_occlusion": {"layer": "relu2"}, "lime": {"samples": 300}, "kernel_shap": {"samples": 300}, "fooling_gradient": {"samples": 3, "together": 2, "steps": 12},
    "fooling_evolution": {"generations": 3, "population": 10, "runs": 2, "confidence": 0.3},
    "patch": {"steps": 2, "batch": 2, "trials": 3}, "tsne": {"perplexity": 4.0}, "eot": {"steps": 2, "draws": 2, "trials": 3},
}  # fmt: skip
GOALS = {"lots": TargetImages(images=models.pictures(2, seed=1)), "maximize": 1}
FROM_NOTHING = {"maximize", "fooling_gradient", "fooling_evolution"}
FOLDERS = {"probe", "tsne"}
"""Of a few pictures nothing is learned."""
DREAMS = {"caricature", "deepdream", "style"}
"""Each picture is counted by itself."""
UNFIT = {"apply", "feature_adversary", "linear", "transfer", "surrogate", "attention_rollout", "cam", "filters"}
"""Lenet has no attention, and no pooled head; filters are there already."""


@pytest.mark.parametrize("name", sorted(methods().keys() - UNFIT))
def test_progress_counts_up_to_all(name: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    options, goal, images = QUICK.get(name, {}), GOALS.get(name), models.pictures(2)
    if name == "style":
        save_png(tmp_path / "style.png", models.pictures(1, seed=2)[0].astype("uint8"))
        options = {**options, "style": str(tmp_path / "style.png")}
    if name == "tcav":
        for folder in ("concept", "random"):
            (tmp_path / folder).mkdir()
            for k, one in enumerate(models.pictures(6, seed=len(folder))):
                save_png(tmp_path / folder / f"{k}.png", one.astype("uint8"))
        options = {"trials": 3, "concept": str(tmp_path / "concept"), "random": str(tmp_path / "random")}
    if name == "probe":
        (tmp_path / "labels.csv").write_text("".join(f"{k}.png,{'ab'[k % 2]}\n" for k in range(16)))
        options = {"true_labels": str(tmp_path / "labels.csv")}
    method, given = methods()[name](**options), None if name in FROM_NOTHING else images[: 1 if name in DREAMS else 2]
    if name in FOLDERS:
        for k, one in enumerate(models.pictures(16)):
            save_png(tmp_path / f"{k}.png", one.astype("uint8"))
        given = tmp_path  # type: ignore[assignment]
    model = onnxray.open(models.lenet(), models.GREY)
    method(model, given, goal, progress=lambda done, total, _: seen.append((done, total)))
    assert seen
    assert {type(number) for pair in seen for number in pair} == {int}
    assert all(0 <= done <= total for done, total in seen)
    assert all(done * whole <= later * total for (done, total), (later, whole) in pairwise(seen))
    assert seen[-1][0] == seen[-1][1]


def test_the_gradient_beside_the_layers_is_counted_too() -> None:
    seen: list[tuple[int, int]] = []
    model = onnxray.open(models.lenet(), models.GREY)
    method = methods()["guided_grad_cam"](layer=("relu1", "relu2"))
    method(model, models.pictures(1), progress=lambda done, total, _: seen.append((done, total)))
    assert seen == [(0, 1000), (333, 1000), (1000, 1000)]
