"""Opening a file, to its first prediction and to its first gradient: time and peak memory, each in its own process.

VGG-16 (580 MB) against onnx.load alone and an ONNX Runtime session with one run alone; ResNet-50 (102 MB) against such
a session, and against onnx.load and the making of a session that runs nothing. Times count from the start of the
interpreter, imports included; those "after imports" begin when numpy, onnx, onnxruntime, torch and onnxray's own
modules are imported on both sides. The one-time check of the file is in every first gradient. Peak memory is the
process's largest resident size. "Nothing run" is what bounds it from below while each engine holds the weights once:
the three libraries imported, and twice the file.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from measure import Row, Setting, in_own_process, print_rows, row_of, say, setting

from onnxray.graph.classifier.output import logits_of

HERE = Path(__file__).resolve()


def main() -> None:
    if len(sys.argv) == 4 and sys.argv[1] == "alone":
        print(json.dumps(alone(sys.argv[2], sys.argv[3])))
        return
    with setting(__doc__) as chosen:
        print_rows(measure(chosen))


def measure(chosen: Setting) -> list[Row]:
    vgg, resnet = chosen.network("vgg16"), chosen.network("resnet50")
    work = ("load", "session", "load and session", "imports", "prediction", "gradient")
    rounds = [{kind: run(kind, vgg) for kind in work} for _ in range(chosen.rounds(5))]
    rows = []
    larger = [max(one["load"]["peak"], one["session"]["peak"]) for one in rounds]
    both = [one["load and session"]["seconds"] for one in rounds]
    for kind, aim in (("prediction", None), ("gradient", 1.25)):
        name, peaks = f"VGG-16, first {kind}", [one[kind]["peak"] for one in rounds]
        against = "larger of onnx.load and session"
        rows.append(row_of(f"{name}: peak memory", against, "MiB", list(zip(peaks, larger)), aim=aim))
        seconds = [one[kind]["seconds"] for one in rounds]
        rows.append(row_of(f"{name}: time", "onnx.load and session", "s", list(zip(seconds, both)), aim=None))
    floor = [one["imports"]["peak"] + 2 * vgg.stat().st_size / 2**20 for one in rounds]
    rows.append(row_of("VGG-16, nothing run: memory", against, "MiB", list(zip(floor, larger)), aim=None))
    again = [{kind: run(kind, resnet) for kind in ("session", "prediction")} for _ in range(chosen.rounds(7))]
    for key, unit, name in (("seconds", "s", "time"), ("peak", "MiB", "peak memory")):
        pairs = [(one["prediction"][key], one["session"][key]) for one in again]
        rows.append(row_of(f"ResNet-50, first prediction: {name}", "session and one run", unit, pairs, aim=None))
    kinds = ("load and make", "straight to gradient")
    last = [{kind: run(kind, resnet) for kind in kinds} for _ in range(chosen.rounds(9))]
    for key, name, unit, aim in (
        ("own", "time after imports", "s", 2.0), ("seconds", "time", "s", None), ("peak", "peak memory", "MiB", None),
    ):  # fmt: skip
        pairs = [(one["straight to gradient"][key], one["load and make"][key]) for one in last]
        rows.append(
            row_of(f"ResNet-50, first gradient: {name}", "onnx.load and making a session", unit, pairs, aim=aim)
        )
    return rows


def run(kind: str, path: Path) -> dict[str, float]:
    start = time.perf_counter()
    found = in_own_process(HERE, "alone", kind, str(path))
    seconds = time.perf_counter() - start
    say(f"  {path.name}, {kind}: {seconds:.2f} s, {found['peak']:.0f} MiB")
    return {"seconds": seconds, **found}


def alone(kind: str, path: str) -> dict[str, float]:
    """One piece of work, in a process that does nothing else; ``own``: its seconds after imports, where it has them."""
    if kind in {"load and make", "straight to gradient"}:
        return {"own": after_imports(kind, path), "peak": peak()}
    if kind == "imports":
        import onnx
        import onnxruntime
        import torch  # noqa: F401
    if kind in {"load", "load and session"}:
        import onnx

        onnx.load(path)
    if kind in {"session", "load and session"}:
        import numpy as np
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        session.run(None, {"data": np.zeros((1, 3, 224, 224), np.float32)})
    if kind in {"prediction", "gradient"}:
        import numpy as np

        import onnxray

        model = onnxray.open(path, "vgg-face")
        image = np.random.default_rng(0).integers(0, 256, (1, 3, 224, 224), np.uint8)
        with tempfile.TemporaryDirectory() as cache:
            os.environ["ONNXRAY_CACHE"] = cache  # empty: the file is checked
            winner = int(model.predict(image).classes[0])
            if kind == "gradient":
                wanted = np.eye(1, model.graph.values["fc8"].shape[1], winner, dtype=np.float32)
                model.pullback(image, {"fc8": wanted})
    return {"peak": peak()}


def after_imports(kind: str, path: str) -> float:
    """Seconds of a piece of work once the libraries are imported, the same for every piece."""
    import numpy as np
    import onnx
    import onnxruntime

    import onnxray.engines.twin
    import onnxray.model.model

    image = np.random.default_rng(0).integers(0, 256, (1, 3, 224, 224), np.uint8)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ONNXRAY_CACHE"] = cache  # empty: the file is checked
        start = time.perf_counter()
        if kind == "load and make":
            onnx.load(path)
            onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        else:
            model = onnxray.open(path, "vgg-face")
            logits = logits_of(model.graph)
            model.pullback(image, {logits: np.eye(1, model.graph.values[logits].shape[1], dtype=np.float32)})
        return time.perf_counter() - start


def peak() -> float:
    """The largest resident size so far, in MiB."""
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / 2**20 if sys.platform == "darwin" else largest / 2**10


if __name__ == "__main__":
    main()
