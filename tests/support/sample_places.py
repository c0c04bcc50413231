"""Nodes, and where the samples of a batch lie after them: stated by hand, confirmed by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

import onnxray
from onnxray.graph.samples.mixing import places
from onnxray.graph.samples.places import Apart, Lost, Place
from support import models

COUNT = 4
TOGETHER, UNKNOWN = "together", "unknown"
NUMBERS = {"zero": [0], "one": [1], "two": [2], "last": [-1], "zero_two": [0, 2], "one_two": [1, 2]}

LAST = "t = Transpose <perm = [1, 2, 3, 0]> (x)  "  # 2, 3, 5, N
SECOND = "t = Transpose <perm = [1, 0, 2, 3]> (x)  "  # 2, N, 3, 5
COUNTED = "s = Shape (x)  n = Gather (s, zero)  "
COMPUTED = "s = Shape (x)  u = Slice (s, one, two)  k = Sub (u, one)  "  # k: [1]
COPIES = COUNTED + "ts = Concat <axis = 0> (n, rest)  k = Expand (row, ts)  "


@dataclass(frozen=True)
class Case:
    """Nodes that compute y from x, whose first axis is the samples', and where the samples of y lie.

    ``weights``: beside NUMBERS. K is 2 where ONNX Runtime is asked, and free in the file. ``judged``: ONNX Runtime
    can run it.
    """

    nodes: str
    expected: Place | str
    shape: str = "N,2,3,5"
    weights: Mapping[str, Any] = field(default_factory=dict)
    opset: int = 17
    judged: bool = True

    def model(self) -> onnx.ModelProto:
        text = f"g (float[{self.shape}] x) => (float z) {{ {self.nodes}  z = Cast <to = 1> (y) }}"
        model = models.parse(text, opset=self.opset)
        model.opset_import.add(domain="com.microsoft", version=1)
        read = {name for node in model.graph.node for name in node.input}
        weights = {name: np.asarray(array) for name, array in {**NUMBERS, **self.weights}.items() if name in read}
        model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in weights.items())
        model.graph.output[0].type.tensor_type.ClearField("shape")
        return model

    def place(self) -> Place | str:
        """Where the samples of y lie, told from the graph."""
        place = places(onnxray.open(self.model()).graph)["y"]
        return (TOGETHER if place.sure else UNKNOWN) if isinstance(place, Lost) else place

    def values(self, *batches: tuple[int, ...]) -> list[np.ndarray]:
        """y for batches of samples, each drawn by its own seed: of ONNX Runtime."""
        sizes = [2 if size == "K" else int(size) for size in self.shape.split(",")[1:]]
        fed = [np.stack([models.random(20 + draw, *sizes) for draw in draws]) for draws in batches]
        session = models.session(self.model(), ["y"])
        return [session.run(None, {"x": x})[0] for x in fed]

    def apart(self) -> dict[int, int]:
        """Axis -> rows of a sample, wherever they follow each other and depend on that sample alone."""
        whole, other, turned = self.values((0, 1, 2, 3), (0, 1, 2, 4), (1, 2, 3, 0))
        found = {}
        for axis in (axis for axis, size in enumerate(whole.shape) if size % COUNT == 0):
            own, others, turns = (np.split(array, COUNT, axis) for array in (whole, other, turned))
            alone = all(np.allclose(own[k], others[k], atol=1e-5) for k in range(COUNT - 1))
            if alone and all(np.allclose(own[k], turns[k - 1], atol=1e-5) for k in range(COUNT)):
                found[axis] = whole.shape[axis] // COUNT
        return found

    def check(self) -> None:
        """The graph tells what is stated, and what is stated is true."""
        assert self.place() == self.expected
        if self.judged and isinstance(self.expected, Apart):
            assert self.apart()[self.expected.axis] == self.expected.rows
        elif self.judged and self.expected == TOGETHER:
            assert not self.apart()
