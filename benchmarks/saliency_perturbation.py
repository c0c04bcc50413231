"""Occlusion and RISE by ONNX Runtime on the file, against captum on the native network and DIANNA on the same file.

ResNet-50 at 224 x 224. Occlusion of 15 pixels in steps of 8 (784 positions; of 15 with --quick): once with patches,
where only what the square reaches is computed again, once by whole forwards. captum's Occlusion takes 16 positions at
once. RISE with 1,000 masks (200 with --quick) of 8 x 8 cells, half of them kept; each side draws its own masks. Each
piece of work has a process of its own: the time is that of the map, the model open; the memory the process's largest
resident size. Both occlusions are checked to give captum's map to 1e-4; RISE is, under the same masks, in tests/peers.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from measure import Row, in_own_process, print_rows, row_of, say, setting
from opening import peak

HERE = Path(__file__).resolve()
SIZE, SQUARE, STRIDE, QUICK_STRIDE, TARGET, FILL = 224, 15, 8, 15, 5, 0.0
MASKS, QUICK_MASKS, CELLS, KEEP = 1000, 200, 8, 0.5
SCALE, MEAN, STD = 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# (our work, theirs, the package it needs, the largest ratio of the times wished for)
PAIRS = (
    ("occlusion with patches", "captum", "captum", 1 / 1.4),
    ("occlusion by whole forwards", "captum", "captum", 1 / 1.4),
    ("rise", "dianna", "dianna", 1 / 1.6),
)


def main() -> None:
    if len(sys.argv) == 6 and sys.argv[1] == "alone":
        print(json.dumps(alone(sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]))))
        return
    with setting(__doc__) as chosen:
        path = str(chosen.network("resnet50"))
        amounts = {"rise": QUICK_MASKS if chosen.quick else MASKS}
        stride = QUICK_STRIDE if chosen.quick else STRIDE
        rows: list[Row] = []
        for ours, theirs, package, aim in PAIRS:
            if importlib.util.find_spec(package) is None:
                say(f"  {package} is not installed: {ours} is left out")
                continue
            amount = amounts.get(ours, stride)
            pairs = [
                (run(ours, path, amount, chosen.folder), run(theirs, path, amount, chosen.folder))
                for _ in range(chosen.rounds(3))
            ]
            if ours != "rise":
                check_equal(*(np.load(chosen.folder / f"{name}.npy") for name in (ours, theirs)))
            what = f"RISE, {amount} masks" if ours == "rise" else ours.capitalize()
            against = "DIANNA" if theirs == "dianna" else "captum"
            seconds = [(mine["seconds"], other["seconds"]) for mine, other in pairs]
            rows.append(row_of(f"{what}: time", against, "s", seconds, aim=aim))
            peaks = [(mine["peak"], other["peak"]) for mine, other in pairs]
            rows.append(row_of(f"{what}: peak memory", against, "MiB", peaks, aim=1.0))
        print_rows(rows)


def run(kind: str, path: str, amount: int, folder: Path) -> dict[str, float]:
    found = in_own_process(HERE, "alone", kind, path, str(amount), str(folder))
    say(f"  {kind}: {found['seconds']:.2f} s, {found['peak']:.0f} MiB")
    return found


def check_equal(ours: np.ndarray, theirs: np.ndarray) -> None:
    difference = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    say(f"  the maps differ by {difference:.1e} of the largest number")
    if not difference < 1e-4:
        raise SystemExit("the two sides do not give the same map")


def alone(kind: str, path: str, amount: int, folder: Path) -> dict[str, float]:
    """One map of one image, in a process that does nothing else."""
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 3, SIZE, SIZE)).astype(np.float32)
    work = makers(kind)(path, amount, pixels)
    start = time.perf_counter()
    heat = work()
    seconds = time.perf_counter() - start
    np.save(folder / f"{kind}.npy", heat)
    return {"seconds": seconds, "peak": peak()}


def makers(kind: str) -> Callable[[str, int, np.ndarray], Callable[[], np.ndarray]]:
    return {"captum": captum, "dianna": dianna}.get(kind, partial(onnxrays, kind))


def onnxrays(kind: str, path: str, amount: int, pixels: np.ndarray) -> Callable[[], np.ndarray]:
    import onnxray
    from onnxray.images.profile.profile import Profile
    from onnxray.methods.saliency.perturbation.occlusion import Occlusion
    from onnxray.methods.saliency.perturbation.rise import RISE

    profile = Profile(
        name="benchmark", layout="NCHW", channels="RGB", scale=SCALE, mean=MEAN, std=STD, size=(SIZE, SIZE)
    )
    model = onnxray.open(path, profile)
    model.predict(pixels)
    if kind == "rise":
        rise = RISE(masks=amount, cells=CELLS, keep=KEEP, fill="black", score="logit")
        return lambda: rise(model, pixels, TARGET).items[0].heat
    occlusion = Occlusion(size=SQUARE, stride=amount, fill=str(FILL), patches="patches" in kind)
    return lambda: occlusion(model, pixels, TARGET).items[0].heat


def captum(_path: str, amount: int, pixels: np.ndarray) -> Callable[[], np.ndarray]:
    import networks
    import torch
    from captum.attr import Occlusion

    net = networks.resnet50()
    mean, std = (torch.tensor(part).view(1, 3, 1, 1) for part in (MEAN, STD))
    occlusion = Occlusion(lambda x: net((x * SCALE - mean) / std))
    x = torch.from_numpy(pixels)

    def work() -> np.ndarray:
        with torch.no_grad():
            found = occlusion.attribute(
                x, sliding_window_shapes=(3, SQUARE, SQUARE), strides=(3, amount, amount), baselines=FILL,
                target=TARGET, perturbations_per_eval=16,
            )  # fmt: skip
        return found[0, 0].numpy()

    return work


def dianna(path: str, amount: int, pixels: np.ndarray) -> Callable[[], np.ndarray]:
    import dianna as peer

    mean, std = (np.array(part, np.float32).reshape(1, 3, 1, 1) for part in (MEAN, STD))

    def encode(batch: np.ndarray) -> np.ndarray:
        return ((np.asarray(batch, np.float32) * np.float32(SCALE) - mean) / std).astype(np.float32)

    def work() -> np.ndarray:
        found = peer.explain_image(
            path, pixels[0], "RISE", labels=[TARGET], n_masks=amount, feature_res=CELLS, p_keep=KEEP,
            axis_labels={0: "channels"}, preprocess_function=encode, batch_size=16,
        )  # fmt: skip
        return np.asarray(found[0])

    return work


if __name__ == "__main__":
    main()
