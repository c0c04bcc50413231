"""The line search of LOTS, judged by ONNX Runtime, against the same search in eager torch.

    x(s) = round(clip(x + s * d, 0, 255)) for scales s; is x(s) of the wanted class?

Ours is the engine's own search (onnxray.methods.attack.line_search) with Model.classify. The other is what one writes
in torch: the same candidates as one tensor expression, the same batches, eager mode without gradients. The wanted class
does not exist, so that every scale is tried. LeNet: all 1,024 integer scales. The large networks: growth to 1,024 (one
candidate at a time, what LOTS does for large images), and the first integer scales in one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import networks
import numpy as np
import torch
from measure import Row, Setting, print_rows, setting, side_by_side

import onnxray
from onnxray.methods.attack.line_search import Line, search_scale
from onnxray.model.model import Model

AIM = 0.5
MAX_SCALE = 1024
LENET_BATCH = 128
Network = Callable[[torch.Tensor], torch.Tensor]


def main() -> None:
    with setting(__doc__) as chosen:
        print_rows(measure(chosen))


def measure(chosen: Setting) -> list[Row]:
    lenet = onnxray.open("lenet")
    scale = lenet.profile.scale
    net = onnxray.to_torch(lenet)
    rows = [compare("LeNet, exhaustive, 1,024 scales", lenet, lambda x: net(x * scale), "exhaustive", LENET_BATCH,
                    MAX_SCALE, chosen.rounds(15))]  # fmt: skip
    for title, name, build in (("ResNet-50", "resnet50", networks.resnet50), ("VGG-16", "vgg16", networks.vgg16)):
        model = onnxray.open(chosen.network(name), "vgg-face")
        by_hand = eager(model, build())
        rounds = chosen.rounds(7)
        rows.append(compare(f"{title}, growth to 1,024", model, by_hand, "bisection", 1, MAX_SCALE, rounds))
        rows.append(compare(f"{title}, exhaustive, 13 scales", model, by_hand, "exhaustive", 13, 13, rounds))
    return rows


def compare(title: str, model: Model, net: Network, search: str, batch: int, largest: int, rounds: int) -> Row:
    generator = np.random.default_rng(0)
    origin = generator.integers(0, 256, model.profile.shape).astype(np.uint8)
    direction = generator.uniform(-1, 1, model.profile.shape)
    direction /= np.abs(direction).max()
    x, d = torch.from_numpy(origin.astype(np.float32)), torch.from_numpy(direction.astype(np.float32))

    def ours() -> None:
        line = Line(origin, direction)
        search_scale(line, lambda images: model.classify(images) == -1, max_scale=largest, search=search)

    def theirs() -> None:
        with torch.inference_mode():
            for scales in batches(search, batch, largest):
                candidates = (x + torch.tensor(scales).view(-1, 1, 1, 1) * d).clamp(0, 255).round()
                if (net(candidates).argmax(1) == -1).any():
                    return

    return side_by_side(title, "eager torch", ours, theirs, rounds=rounds, aim=AIM)


def batches(search: str, batch: int, largest: int) -> Iterator[list[float]]:
    """The scales that the search tries, in its batches."""
    scales = [float(s) for s in range(1, largest + 1)]
    if search == "bisection":
        scales = [float(2**k) for k in range(largest.bit_length())]
    for start in range(0, len(scales), batch):
        yield scales[start : start + batch]


def eager(model: Model, net: Network) -> Network:
    """BGR minus mean, then the network."""
    mean = torch.tensor(model.profile.mean).view(1, 3, 1, 1)
    return lambda x: net(x.flip(1) - mean)


if __name__ == "__main__":
    main()
