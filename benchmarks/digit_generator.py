"""A generator of digits from the codes of the bundled LeNet, and what DGN-AM and PPGN come to with it.

python benchmarks/digit_generator.py t10k-images-idx3-ubyte.gz --out FOLDER

    min_G mean |G(f(x)) - x| + 0.1 mean (f(G(f(x))) - f(x))^2,    f(x) the value that LeNet's last linear layer reads

Pixels from 0 to 1 in the first term. The papers train against a discriminator as well; this one is not. Writes
generator.onnx, a picture of the ten digits by each preset (above dgn-am, below ppgn), and says what ONNX Runtime's
LeNet gives them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from measure import say
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import nn

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("engine", "models")]

import onnxray  # noqa: E402
from onnxray.methods.synthesis.maximize import Maximize  # noqa: E402
from train_lenet import read_idx  # noqa: E402

CODE, WIDTH, BATCH, RATE = 500, 48, 128, 1e-3


class Generator(nn.Module):
    """500 numbers -> 7 x 7 -> 14 x 14 -> 28 x 28, from -1 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(CODE, 2 * WIDTH * 49)
        self.second = nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, stride=2, padding=1)
        self.third = nn.ConvTranspose2d(WIDTH, 1, 4, stride=2, padding=1)

    def forward(self, code: torch.Tensor) -> torch.Tensor:
        small = torch.relu(self.first(code)).reshape(-1, 2 * WIDTH, 7, 7)
        return torch.tanh(self.third(torch.relu(self.second(small))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("digits", type=Path, help="images in MNIST's own format, gzipped or not")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--most", type=float, default=11.0, help="what codes are clipped to")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    lenet = onnxray.open("lenet")
    path = given.out / "generator.onnx"
    write(train(lenet, read_idx(given.digits), given.epochs), path)
    rows = []
    for run in (
        Maximize(preset="dgn-am", generator=str(path), rate=1.0, code_least=0.0, code_most=given.most),
        Maximize(preset="ppgn", generator=str(path), code_most=given.most, encoder_layer=lenet.aliases["features"]),
    ):
        items = run(lenet, goal=tuple(f"class:{digit}" for digit in range(10))).items
        told = [f"{item.class_} {item.probability:.4f}" for item in items]
        print(f"{run.preset}: {', '.join(told)}")
        rows.append(np.concatenate([item.images["image"][0] for item in items], axis=1))
    whole = Image.fromarray(np.concatenate(rows))
    whole.resize((3 * whole.width, 3 * whole.height), Image.Resampling.NEAREST).save(given.out / "generator.png")


def train(lenet: onnxray.Model, digits: np.ndarray, epochs: int) -> Generator:
    """The generator after so many epochs of Adam, its rate falling to zero."""
    torch.manual_seed(0)
    x = digits[:, None].astype(np.float32)
    name = lenet.aliases["features"]
    codes = torch.from_numpy(lenet.values(x, [name])[name].reshape(len(x), -1))
    pictures, generator = torch.from_numpy(x), Generator()
    read = lenet.twin_for(BATCH).differentiable((name,))
    say(f"  {name}: codes up to {float(codes.max()):.1f}")
    steps = len(x) // BATCH * epochs
    optimizer = torch.optim.Adam(generator.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        row = torch.randint(len(x), (BATCH,))
        made = 127.5 * (generator(codes[row]) + 1)
        again = read(made)[name].reshape(BATCH, -1)
        near, alike = (made - pictures[row]).abs().mean() / 255, (again - codes[row]).square().mean()
        optimizer.zero_grad()
        (near + 0.1 * alike).backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % (steps // 5) == 0:
            reached = f"{255 * float(near.detach()):.1f} grey levels, codes {float(alike.detach()):.4f}"
            say(f"  step {step + 1} of {steps}: {reached}")
    return generator


def write(generator: Generator, path: Path) -> None:
    """The generator as an ONNX file, its batch free."""
    weights = {name.replace(".", "_"): value.detach().numpy() for name, value in generator.named_parameters()}
    shape = np.array([-1, 2 * WIDTH, 7, 7], np.int64)
    nodes = [helper.make_node("Gemm", ["code", "first_weight", "first_bias"], ["flat"], transB=1),
             helper.make_node("Relu", ["flat"], ["wide"]),
             helper.make_node("Reshape", ["wide", "shape"], ["small"])]  # fmt: skip
    for name, given, made in (("second", "small", "larger"), ("third", "rectified", "whole")):
        inputs = [given, f"{name}_weight", f"{name}_bias"]
        nodes.append(helper.make_node("ConvTranspose", inputs, [made], strides=[2, 2], pads=[1, 1, 1, 1]))
    nodes.insert(4, helper.make_node("Relu", ["larger"], ["rectified"]))
    nodes.append(helper.make_node("Tanh", ["whole"], ["picture"]))
    graph = helper.make_graph(
        nodes, "generator", [helper.make_tensor_value_info("code", TensorProto.FLOAT, ["N", CODE])],
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["N", 1, 28, 28])],
        [numpy_helper.from_array(value, name) for name, value in {**weights, "shape": shape}.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


if __name__ == "__main__":
    main()
