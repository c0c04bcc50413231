"""Every number of result.json again, from the PNGs and the homographies that are saved, without onnxray.

``recompute`` uses onnx (to promote a value to an output), onnxruntime, numpy and scikit-image alone.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from skimage import data
from skimage.io import imread
from skimage.metrics import structural_similarity
from skimage.transform import ProjectiveTransform, warp

import onnxray
import onnxray_models
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.lots.lots import LOTS
from onnxray.objectives.goals import TargetImages, read_values
from onnxray.results.result import Result
from support import models

RELATIVE = 2e-5  # float32: a session on a promoted copy fuses otherwise than one on a cut


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def promoted(model: onnx.ModelProto, name: str) -> onnxruntime.InferenceSession:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if name not in {output.name for output in copy.graph.output}:
        copy.graph.output.append(onnx.ValueInfoProto(name=name))
    return session(copy)


def picture(path: Path) -> np.ndarray:
    pixels = imread(path)
    assert pixels.dtype == np.uint8
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    return float(
        structural_similarity(
            a.astype(float), b.astype(float), channel_axis=0, data_range=255, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )
    )  # fmt: skip


def recompute(
    folder: Path,
    model: onnx.ModelProto,
    encode: Callable[[np.ndarray], np.ndarray],
    logits: str,
    ends_in_softmax: bool,
    values: dict[str, np.ndarray] | None = None,
) -> list[dict[str, Any]]:
    """What result.json should say of each item, by the PNGs beside it."""
    document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    verdict = session(model)
    output = model.graph.output[0].name

    def read(name: str, pixels: np.ndarray) -> np.ndarray:
        run = promoted(model, name)
        return np.asarray(run.run([name], {run.get_inputs()[0].name: encode(pixels)[None]})[0][0], np.float64)

    def judged(pixels: np.ndarray) -> dict[str, Any]:
        given = verdict.run([output], {verdict.get_inputs()[0].name: encode(pixels)[None]})[0][0].astype(np.float64)
        scores = read(logits, pixels)
        winner = int(given.argmax())
        probabilities = (
            given if ends_in_softmax else np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        )
        return {"class": winner, "score": float(scores[winner]), "probability": float(probabilities[winner])}

    found = []
    for item in document["items"]:
        shown = {role: picture(folder / name) for role, name in item["files"].items()}
        origin, image = shown["origin"], shown["image"]
        delta = image.astype(np.float64) - origin
        transform = ProjectiveTransform(np.array(item["homography"]))
        warped = np.stack([warp(c.astype(float), transform, order=1, mode="edge", preserve_range=True) for c in image])
        before, after = (read(item["layer"], pixels).ravel() for pixels in (origin, image))
        target = read(item["layer"], shown["target"]).ravel() if "target" in shown else None
        if values is not None:
            target = values[item["layer"]].ravel().astype(np.float64)

        def cosine(a: np.ndarray, target: np.ndarray | None = target) -> float | None:
            return None if target is None else float(a @ target / np.linalg.norm(a) / np.linalg.norm(target))

        def distance(a: np.ndarray, target: np.ndarray | None = target, metric: str = item["metric"]) -> float:
            if target is None:
                return float(np.linalg.norm(a))
            return float(np.linalg.norm(a - target) if metric == "euclidean" else 1 - (cosine(a, target) or 0))

        wanted = judged(image) | {
            "origin": judged(origin),
            "l2": float(np.linalg.norm(delta)),
            "linf": float(np.abs(delta).max()),
            "ssim": similarity(image, origin),
            "pass": similarity(warped, origin.astype(float)),
            "distance_before": distance(before),
            "distance_after": distance(after),
            "cosine_similarity_before": cosine(before),
            "cosine_similarity_after": cosine(after),
            "perturbation_gain": 127 / float(np.abs(delta).max()),
        }
        if "target" in shown:
            wanted["target"] = judged(shown["target"])
        picture_of_it = np.rint(np.clip(128 + wanted["perturbation_gain"] * delta, 0, 255))
        assert np.array_equal(shown["perturbation"], picture_of_it)
        start = distance(before)
        options = document["method"]["options"]
        goal = {
            "target-class": lambda w: w["class"] == w.get("target", {}).get("class"),
            "other-class": lambda w: w["class"] != w["origin"]["class"],
            "linf": lambda w: w["linf"] >= options["linf"] or (item["scale"] == options["linf"] and item["steps"] == 1),  # noqa: B023
            "distance": lambda w: w["distance_after"] <= options["distance"] * (start if options["relative"] else 1),  # noqa: B023
        }[item["until"]]
        wanted["success"] = bool(goal(wanted))
        found.append(wanted)
    return found


def compare(said: dict[str, Any], wanted: dict[str, Any], where: str = "") -> int:
    """How many numbers were compared; whatever is not recomputed must be no number that one could doubt."""
    count = 0
    for name, value in wanted.items():
        if isinstance(value, dict):
            count += compare(said[name], value, f"{where}{name}.")
        elif isinstance(value, float):
            assert math.isclose(said[name], value, rel_tol=RELATIVE, abs_tol=1e-6), (where + name, said[name], value)
            count += 1
        else:
            assert said[name] == value, where + name
            count += 1
    return count


NOT_RECOMPUTED = {
    "mode", "target", "target_values", "layer", "until", "label", "aligned", "homography", "correlation",
    "alignment_note", "scale", "steps", "search", "metric", "reason", "files",
}  # fmt: skip


def check(result: Result[LotsItem], folder: Path, model: onnx.ModelProto, encode: Any, **kind: Any) -> None:
    result.save(folder)
    said = json.loads((folder / "result.json").read_text(encoding="utf-8"))["items"]
    found = recompute(folder, model, encode, **kind)
    assert len(said) == len(found) == len(result.items) > 0
    for item, wanted in zip(said, found):
        assert set(item) - set(wanted) <= NOT_RECOMPUTED
        assert compare(item, wanted) >= 15
        if not item["aligned"]:
            assert item["homography"] == np.eye(3).tolist()


# --- the bundled model

LENET = {"logits": "ip2", "ends_in_softmax": True}


def digits(name: str) -> list[Path]:
    return [path for path in onnxray_models.samples("lenet") if path.name.startswith(name)]


@pytest.mark.parametrize(
    ("options", "goal"),
    [
        ({"layer": ("conv1", "ip2")}, TargetImages(images=digits("9_")[:2], pairing="all")),
        ({"layer": ("conv2", "ip1")}, "inhibit"),
        ({"layer": ("conv1", "pool2")}, "magnify"),
        ({"layer": "ip1", "steps": 25}, TargetImages(images=digits("9_")[0])),
        (
            {"layer": "ip1", "until": "distance", "metric": "cosine", "distance": 0.8},
            TargetImages(images=digits("9_")[0]),
        ),
    ],
)
def test_lenet(options: dict[str, Any], goal: Any, tmp_path: Path):
    path = onnxray_models.path("lenet")
    result = LOTS(**options)(onnxray.open("lenet"), digits("4_")[:2], goal)
    check(result, tmp_path / "run", onnx.load(path), lambda pixels: pixels.astype(np.float32) / 256, **LENET)


# --- a colour model whose profile resizes, crops, swaps the channels and subtracts a mean

COLOUR = """
colour (float[N,3,48,48] x) => (float[N,6] z) {
  c1 = Conv <kernel_shape = [5, 5], strides = [2, 2]> (x, w1, b1)
  r1 = Relu (c1)
  c2 = Conv <kernel_shape = [3, 3], strides = [2, 2]> (r1, w2)
  r2 = Relu (c2)
  pooled = GlobalAveragePool (r2)
  flat = Flatten (pooled)
  z = Gemm <transB = 1> (flat, w3)
}
"""
PROFILE = """
name = "small"
layout = "NCHW"
channels = "BGR"
scale = 1.0
mean = [104.0, 117.0, 123.0]
std = [58.0, 57.0, 56.0]
size = [48, 48]
resize = "crop"
crop_fraction = 0.875
interpolation = "bilinear"
labels = "kinds.txt"
"""


def encode_colour(pixels: np.ndarray) -> np.ndarray:
    mean, std = np.array([104, 117, 123.0]), np.array([58, 57, 56.0])
    return ((pixels[::-1] - mean[:, None, None]) / std[:, None, None]).astype(np.float32)


@pytest.mark.parametrize("steps", [1, 12])
def test_a_colour_model_whose_profile_resizes_and_crops(steps: int, tmp_path: Path):
    weights = {
        "w1": models.random(0, 8, 3, 5, 5, scale=0.2), "b1": models.random(1, 8, scale=0.2),
        "w2": models.random(2, 12, 8, 3, 3, scale=0.2), "w3": models.random(3, 6, 12),
    }  # fmt: skip
    proto = models.parse(COLOUR, weights)
    path = tmp_path / "small.onnx"
    path.write_bytes(proto.SerializeToString())
    (tmp_path / "small.toml").write_text(PROFILE)
    (tmp_path / "kinds.txt").write_text("\n".join(f"kind {k}" for k in range(6)))
    photos = {"face": data.astronaut(), "coffee": data.coffee()}
    for name, photo in photos.items():
        Image.fromarray(photo).save(tmp_path / f"{name}.png")
    model = onnxray.open(path)
    assert model.profile is not None
    assert not model.profile.assumed
    method = LOTS(layer=("c1", "r2", "z"), steps=steps, until="linf", linf=25)
    result = method(model, tmp_path / "face.png", tmp_path / "coffee.png")
    origin = result.items[0].images["origin"]
    assert origin.shape == (3, 48, 48)
    # PIL's resize to 54 x 54 (48 / 0.875), then the centre
    shrunk = Image.fromarray(photos["face"]).resize((54, 54), Image.Resampling.BILINEAR).crop((3, 3, 51, 51))
    assert np.array_equal(origin, np.asarray(shrunk).transpose(2, 0, 1))
    kind = {"logits": "z", "ends_in_softmax": False}
    check(result, tmp_path / "run", proto, encode_colour, **kind)
    assert result.items[0].origin.label == f"kind {result.items[0].origin.class_}"

    # A template alone, as `onnxray values` or anyone else writes it.
    template = {"r2": model.values(tmp_path / "coffee.png", ["r2"])["r2"][0]}
    np.savez(tmp_path / "template.npz", **template)
    goal = read_values(tmp_path / "template.npz")
    result = LOTS(layer="r2", steps=steps, distance=0.9)(model, tmp_path / "face.png", goal)
    assert result.items[0].until == "distance"
    assert result.items[0].distance_after < result.items[0].distance_before
    check(result, tmp_path / "template", proto, encode_colour, **kind, values=template)
