"""VGG-Face with random weights, by its published description, converted and used: time and peak memory of each step.

    python benchmarks/vgg_face.py FOLDER          writes vggface.prototxt and vggface.caffemodel (580 MB) there first

16 layers of weights, 2,622 names (Parkhi, Vedaldi and Zisserman 2015, table 3), in Caffe's V1 format, as published.
Every step runs in a process of its own, whose peak is beside that of a bare session of ONNX Runtime on the same net.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("engine", "adapters", "models", "tests")]

from support.caffe_files import blob, field, varint  # noqa: E402

BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
"""Convolutions of each block, and their channels."""
VECTORS = (("fc6", 4096), ("fc7", 4096), ("fc8", 2622))
LAYERS = ("conv5_3", "fc6", "fc7")


def layers() -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """The prototxt's text of each layer, its name, and the shape of its weights."""
    bottom, channels = "data", 3
    for block, (count, outputs) in enumerate(BLOCKS, 1):
        for index in range(1, count + 1):
            name = f"conv{block}_{index}"
            options = f"convolution_param {{ num_output: {outputs} pad: 1 kernel_size: 3 }}"
            yield _layer(name, "CONVOLUTION", bottom, name, options), name, (outputs, channels, 3, 3)
            yield _layer(f"relu{block}_{index}", "RELU", name, name), "", ()
            bottom, channels = name, outputs
        pooling = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
        yield _layer(f"pool{block}", "POOLING", bottom, f"pool{block}", pooling), "", ()
        bottom = f"pool{block}"
    inputs = channels * 7 * 7
    for name, outputs in VECTORS:
        options = f"inner_product_param {{ num_output: {outputs} }}"
        yield _layer(name, "INNER_PRODUCT", bottom, name, options), name, (outputs, inputs)
        if name != "fc8":
            yield _layer(f"relu{name[2:]}", "RELU", name, name), "", ()
            yield _layer(f"drop{name[2:]}", "DROPOUT", name, name, "dropout_param { dropout_ratio: 0.5 }"), "", ()
        bottom, inputs = name, outputs
    yield _layer("prob", "SOFTMAX", "fc8", "prob"), "", ()


def _layer(name: str, kind: str, bottom: str, top: str, options: str = "") -> str:
    return f'layers {{ name: "{name}" type: {kind} bottom: "{bottom}" top: "{top}" {options} }}\n'


def write(folder: Path) -> None:
    """The two files; weights by He's rule, seed 0."""
    head = 'name: "VGG_FACE_16_layers"\ninput: "data" input_dim: 1 input_dim: 3 input_dim: 224 input_dim: 224\n'
    (folder / "vggface.prototxt").write_text(head + "".join(text for text, _, _ in layers()))
    random = np.random.default_rng(0)
    with (folder / "vggface.caffemodel").open("wb") as stream:
        stream.write(field(1, "VGG_FACE_16_layers"))
        for _, name, shape in layers():
            if not name:
                continue
            weight = random.standard_normal(shape, np.float32) * np.float32((2 / np.prod(shape[1:])) ** 0.5)
            kind = varint(5 << 3) + varint(4 if len(shape) == 4 else 14)
            blobs = (blob(one, legacy=True) for one in (weight, np.zeros(shape[0], np.float32)))
            stream.write(field(2, field(4, name) + kind + b"".join(field(6, one) for one in blobs)))


def bare(folder: Path) -> None:
    """A session of ONNX Runtime on the converted file, run once."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "vggface.onnx", providers=["CPUExecutionProvider"])
    session.run(None, {"data": np.zeros((1, 3, 224, 224), np.float32)})


def converted(folder: Path) -> None:
    """onnxray convert, which checks the file and runs it once."""
    from onnxray.model.converting import convert_model

    convert_model(folder / "vggface.caffemodel", folder / "vggface.onnx", overwrite=True)


def opened(folder: Path) -> None:
    """The caffemodel opened: only parsed."""
    import onnxray

    onnxray.open(folder / "vggface.caffemodel")


def classified(folder: Path) -> None:
    """The caffemodel itself, asked about one picture."""
    import onnxray

    onnxray.open(folder / "vggface.caffemodel", "vgg-face").predict(_pictures(1))


def moved(folder: Path, layer: str) -> None:
    """LOTS on the caffemodel at one layer, to L_inf 20: twin and judge, the first check included."""
    import onnxray
    from onnxray.methods.lots.lots import LOTS

    model = onnxray.open(folder / "vggface.caffemodel", "vgg-face")
    result = LOTS(layer=layer, until="linf", linf=20.0)(model, _pictures(1), _pictures(2)[1:])
    assert all(item.linf == 20 for item in result.items)


def _pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


STEPS: dict[str, Callable[[Path], None]] = {
    "convert": converted,
    "bare session": bare,
    "open": opened,
    "classify": classified,
    **{f"LOTS at {layer}": lambda folder, layer=layer: moved(folder, layer) for layer in LAYERS},  # type: ignore[misc]
}


def main(folder: Path, step: str | None = None) -> None:
    """One step, or all of them in processes of their own."""
    if step is not None:
        begun = time.perf_counter()
        STEPS[step](folder)
        status = Path("/proc/self/status").read_text()  # ru_maxrss begins with what the parent held
        peak = int(re.search(r"VmHWM:\s+([0-9]+)", status)[1]) / 1024  # type: ignore[index]
        print(f"{step:<18} {time.perf_counter() - begun:7.1f} s {peak:7.0f} MiB", flush=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "vggface.caffemodel").exists():
        write(folder)
    for name in STEPS:
        subprocess.run([sys.executable, __file__, str(folder), name], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
