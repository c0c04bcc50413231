"""Slices as one split, reshapes to sizes of the graph, and convolutions side by side as a product of patches."""

import numpy as np
import onnx
import pytest

from onnxray.importer.fusions.patch_embedding import Patches
from onnxray.importer.fusions.view_sizes import SizedReshape
from onnxray.importer.fusions.window_partition import Partition
from support import models
from support.fusing import assert_fused

R = models.random


SLICES = {
    "slices": ("a = Slice (x, n0, n1, n1) b = Slice (x, n1, n3, n1) c = Slice (x, n3, big, n1)", "N,1,6 N,2,6 N,2,6"),
    "single slices": ("a = Gather <axis = 1> (x, i0) b = Gather <axis = 1> (x, i1)", "N,6 N,6"),
}  # fmt: skip
PLACES = {f"n{k}": np.array([k]) for k in (0, 1, 2, 3)} | {
    "i0": np.array(0), "i1": np.array(-1), "big": np.array([2**62]), "two": np.array([2]),
}  # fmt: skip


def cut_up(nodes: str, length: int, shapes: str) -> onnx.ModelProto:
    ends = ", ".join(f"float[{shape}] {name}" for shape, name in zip(shapes.split(), "abc"))
    return models.parse(f"g (float[N,{length},6] x) => ({ends}) {{ {nodes} }}", PLACES)


@pytest.mark.parametrize(("form", "length"), [("slices", 5), ("single slices", 2)])
def test_slices_that_make_up_a_value_are_one_split(form: str, length: int) -> None:
    module = assert_fused(cut_up(SLICES[form][0], length, SLICES[form][1]), {"x": R(0, 2, length, 6)}, "Partition")
    assert type(module.layer("b")) is Partition


@pytest.mark.parametrize(
    ("nodes", "length", "shapes"),
    [
        ("a = Slice (x, n0, n1, n1) b = Slice (x, n2, n3, n1)", 3, "N,1,6 N,1,6"),
        ("a = Slice (x, n0, n2, n1) b = Slice (x, n1, n3, n1)", 3, "N,2,6 N,2,6"),
        ("a = Slice (x, n0, n1, n1) b = Slice (x, n1, n3, n1)", 4, "N,1,6 N,2,6"),
        ("a = Slice (x, n0, n1, n1) b = Slice (x, n1, n3, n2)", 3, "N,1,6 N,3,2"),
        ("a = Slice (x, n0, n1, n1) b = Slice (x, n1, n3, n1, two)", 3, "N,1,6 N,1,6"),
        ("a = Gather <axis = 1> (x, i0) b = Gather <axis = 1> (x, i1)", 3, "N,6 N,6"),
    ],
)
def test_slices_with_gaps_or_in_common_stay_apart(nodes: str, length: int, shapes: str) -> None:
    assert_fused(cut_up(nodes, length, shapes), {"x": R(0, 2, length, 6)})


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(16, 24), (19, 23)])
def test_patches(size: tuple[int, int], bias: bool) -> None:
    text = f"""g (float[N,3,{size[0]},{size[1]}] x) => (float[N,5,H,W] y) {{
      y = Conv <strides = [8, 8]> (x, w{", b" if bias else ""})
    }}"""
    model = models.parse(text, {"w": R(0, 5, 3, 8, 8), **({"b": R(1, 5)} if bias else {})})
    module = assert_fused(model, {"x": R(2, 2, 3, *size)}, "Patches", tolerance=1e-4)
    assert type(module.layer("y")) is Patches


@pytest.mark.parametrize("attributes", ["strides = [8, 4]", "strides = [8, 8], pads = [1, 1, 1, 1]", "strides = [8, 8], dilations = [2, 1]"])  # fmt: skip
def test_other_convolutions_are_no_patches(attributes: str) -> None:
    text = f"g (float[N,3,24,24] x) => (float[N,5,H,W] y) {{ y = Conv <{attributes}> (x, w) }}"
    assert_fused(models.parse(text, {"w": R(0, 5, 3, 8, 8)}), {"x": R(2, 2, 3, 24, 24)}, tolerance=1e-4)


def test_reshape_to_sizes_of_the_graph() -> None:
    text = """g (float[N,L,6] x) => (float[A,B,C,D] y) {
      shape = Shape (x)
      n = Gather (shape, i0)
      l = Gather (shape, i1)
      n1 = Unsqueeze (n, zero)
      l1 = Unsqueeze (l, zero)
      sizes = Concat <axis = 0> (n1, two, three, l1)
      y = Reshape (x, sizes)
    }"""
    places = {
        "i0": np.array(0),
        "i1": np.array(-2),
        "zero": np.array([0]),
        "two": np.array([2]),
        "three": np.array([3]),
    }
    module = assert_fused(models.parse(text, places), {"x": R(0, 2, 5, 6)}, "SizedReshape")
    assert type(module.layer("y")) is SizedReshape
    assert not any("Gather" in name for name, _ in module.named_modules())
