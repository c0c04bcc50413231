"""Receptive fields: the published ones of known networks, and where the gradient of random ones is not zero."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.graph.receptive.unit_fields import UnitFields, unit_fields
from onnxray.images.profile.profile import Profile
from onnxray.model.layers.grid import read_space
from support import models
from support.trusted import trusted

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
"""Known networks with constant weights, in the onnx wheel."""


def fields_of(model: onnxray.Model) -> dict[str, UnitFields]:
    space = read_space(model)
    return unit_fields(model.graph, space.input, (2, 3), space.shapes)


def light(name: str) -> tuple[onnxray.Model, list[tuple[str, UnitFields]]]:
    path = LIGHT / f"light_{name}.onnx"
    if not path.exists():
        pytest.skip(f"this version of onnx has no {path.name}")
    model = onnxray.open(path)
    found = fields_of(model)
    return model, [(node.operator, found[node.outputs[0]]) for node in model.graph.nodes if node.outputs[0] in found]


def told(field: UnitFields) -> tuple[Any, ...]:
    said: dict[str, Any] = field.to_dict()
    return tuple(tuple(said[name]) for name in ("size", "step", "offset"))


def square(size: int, step: int, offset: float) -> tuple[Any, ...]:
    return (size, size), (float(step), float(step)), (offset, offset)


def test_alexnet() -> None:
    """conv1 11, pool1 19, conv2 51, pool2 67, conv3 99, conv4 131, conv5 163, pool5 195 pixels (Long et al. 2014)."""
    found = [field for operator, field in light("bvlc_alexnet")[1] if operator in {"Conv", "MaxPool"}]
    assert [field.size for field in found] == [(n, n) for n in (11, 19, 51, 67, 99, 131, 163, 195)]
    assert told(found[-1]) == square(195, 32, 33.0)


def test_vgg() -> None:
    """VGG-16 (Araujo et al. 2019): 212 at pool5, in steps of 32; 40 at conv3_3, 92 at conv4_3, 196 at conv5_3. VGG-19
    has a convolution more in the last three of its parts: 48 and 52, 116 and 124, 252 and 268.
    """
    model, found = light("vgg19")
    del model
    pools = [field for operator, field in found if operator == "MaxPool"]
    assert [field.size for field in pools] == [(n, n) for n in (6, 16, 52, 124, 268)]
    own = chain([(3, 1, 1, count) for count in (2, 2, 3, 3, 3)], (2, 2, 0), (32, 32))
    assert [own[f"pool{k}"].size for k in range(5)] == [(n, n) for n in (6, 16, 44, 100, 212)]
    assert [own[name].size for name in ("conv2_2", "conv3_2", "conv4_2")] == [(40, 40), (92, 92), (196, 196)]
    assert told(own["pool4"]) == square(212, 32, 15.5)  # (212 - 1) / 2 less the padding of 90


def chain(parts: Any, pool: tuple[int, int, int], size: tuple[int, int]) -> dict[str, UnitFields]:
    """Convolutions (kernel, stride, padding, count), and a pooling behind each part."""
    lines, before = [], "x"
    for k, (kernel, stride, pad, count) in enumerate(parts):
        for n in range(count):
            step = f"strides = [{stride}, {stride}], pads = [{pad}, {pad}, {pad}, {pad}]"
            lines.append(f"conv{k}_{n} = Conv <{step}> ({before}, w{kernel})")
            before = f"conv{k}_{n}"
        step = f"strides = [{pool[1]}, {pool[1]}], pads = [{pool[2]}, {pool[2]}, {pool[2]}, {pool[2]}]"
        lines.append(f"pool{k} = MaxPool <kernel_shape = [{pool[0]}, {pool[0]}], {step}> ({before})")
        before = f"pool{k}"
    text = f"g (float[1,1,{size[0]},{size[1]}] x) => (float[?,?,?,?] {before}) {{\n" + "\n".join(lines) + "\n}"
    weights = {f"w{part[0]}": models.random(0, 1, 1, part[0], part[0]) for part in parts}
    return fields_of(onnxray.open(models.parse(text, weights), grey(*size)))


def grey(height: int, width: int) -> Profile:
    return Profile(
        name="grey", layout="NCHW", channels="GREY", scale=1 / 255, mean=(0.5,), std=(0.5,), size=(height, width)
    )


def test_resnet_50() -> None:
    """483 in steps of 32 as its authors and TF-Slim have it (Araujo et al. 2019): the convolutions of 3 x 3 work behind
    the stride of their part. Where the stride is theirs, as in torchvision and here, 427.
    """
    found = [field for operator, field in light("resnet50")[1] if operator == "Sum"]
    assert told(found[-1])[:2] == ((427, 427), (32.0, 32.0))
    lines, before = ["c = Conv <strides = [2, 2], pads = [3, 3, 3, 3]> (x, w7)"], "p"
    lines.append("p = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (c)")
    for k, (count, stride) in enumerate(((3, 1), (4, 2), (6, 2), (3, 2))):
        for n in range(count):
            at, s = f"{k}_{n}", stride if n == 0 else 1
            lines += [
                f"a{at} = Conv <strides = [{s}, {s}]> ({before}, w1)", f"b{at} = Conv <pads = [1, 1, 1, 1]> (a{at}, w3)",
                f"e{at} = Conv (b{at}, w1)", f"s{at} = Conv <strides = [{s}, {s}]> ({before}, w1)",
                f"r{at} = Add (e{at}, s{at})",
            ]  # fmt: skip
            before = f"r{at}"
    text = f"g (float[1,1,64,64] x) => (float[?,?,?,?] {before}) {{\n" + "\n".join(lines) + "\n}"
    weights = {f"w{k}": models.random(0, 1, 1, k, k) for k in (1, 3, 7)}
    own = fields_of(onnxray.open(models.parse(text, weights), grey(64, 64)))[before]
    assert told(own) == square(483, 32, 0.0)


def test_squeezenet() -> None:
    """SqueezeNet 1.1: conv1 3, pool1 7, pool3 23, pool5 55; a 3 x 3 squares up by two steps at each expansion."""
    found = light("squeezenet")[1]
    pools = [field.size for operator, field in found if operator == "MaxPool"]
    joined = [field.size for operator, field in found if operator == "Concat"]
    assert pools == [(n, n) for n in (7, 31, 79)]
    assert joined == [(n, n) for n in (15, 23, 47, 63, 111, 143, 175, 207)]
    last = found[-1][1] if found[-1][0] == "Softmax" else next(f for o, f in found if o == "GlobalAveragePool")
    assert last.size is None
    assert "GlobalAveragePool" in str(last.unbounded)


HEIGHT, WIDTH = 23, 19


def random_graph(seed: int) -> tuple[str, dict[str, np.ndarray]]:
    """Some layers one behind the other, with branches that are added or joined, and their weights."""
    random = np.random.default_rng(seed)
    lines: list[str] = []
    weights: dict[str, np.ndarray] = {"none": np.zeros(0, np.float32)}
    here, size = "x", [HEIGHT, WIDTH]

    def pair(low: int, high: int) -> list[int]:
        return random.integers(low, high + 1, 2).tolist()

    for k in range(6):
        kinds = ["conv", "max", "mean", "pad", "branch", "rectify"]
        if max(size) < 26:
            kinds += ["turned", "resize", "resize"]
        if min(size) > 9:
            kinds += ["slice", "conv", "conv"]
        kind, name = str(random.choice(kinds)), f"v{k}"
        fused = kind in {"max", "mean"} and lines and " Pad " in lines[-1]  # wrongly, by ONNX Runtime
        if fused or (min(size) < 7 and kind in {"conv", "max", "mean"}):
            kind = "rectify"
        if kind == "conv":
            kernel, stride, dilation, pads = pair(1, 4), pair(1, 2), pair(1, 2), pair(0, 2) + pair(0, 2)
            weights[f"w{k}"] = models.random(seed + k, 1, 1, *kernel)
            lines.append(f"{name} = Conv <strides = {stride}, dilations = {dilation}, pads = {pads}> ({here}, w{k})")
        elif kind in {"max", "mean"}:
            kernel = pair(2, 3)
            pads = [int(n) for n in random.integers(0, 2, 4)]
            operator = {"max": "MaxPool", "mean": "AveragePool"}[kind]
            how = f"kernel_shape = {kernel}, strides = {pair(1, 2)}, pads = {pads}, ceil_mode = {random.integers(2)}"
            lines.append(f"{name} = {operator} <{how}> ({here})")
        elif kind == "turned":
            kernel, stride = pair(1, 4), pair(1, 3)
            weights[f"w{k}"] = models.random(seed + k, 1, 1, *kernel)
            lines.append(f"{name} = ConvTranspose <strides = {stride}> ({here}, w{k})")
        elif kind == "resize":
            mode = str(random.choice(["nearest", "linear", "cubic"]))
            where = str(random.choice(["half_pixel", "asymmetric", "align_corners"]))
            known = [2.0] if where == "align_corners" else [0.5, 0.75, 1.5, 2.0]  # else ONNX Runtime is no standard's
            scales = [1.0, 1.0, *random.choice(known, 2).tolist()]
            weights[f"s{k}"] = np.float32(scales)
            how = f'mode = "{mode}", coordinate_transformation_mode = "{where}"'
            how += ', nearest_mode = "floor"' if mode == "nearest" else ""
            lines.append(f"{name} = Resize <{how}> ({here}, none, s{k})")
        elif kind == "pad":
            mode = str(random.choice(["constant", "reflect", "edge"]))
            weights[f"p{k}"] = np.int64([0, 0, *pair(0, 2), 0, 0, *pair(0, 2)])
            lines.append(f'{name} = Pad <mode = "{mode}"> ({here}, p{k})')
        elif kind == "slice":
            for end, of in (("b", pair(0, 2)), ("e", pair(50, 60)), ("a", [2, 3]), ("t", pair(1, 2))):
                weights[f"{end}{k}"] = np.int64(of)
            lines.append(f"{name} = Slice ({here}, b{k}, e{k}, a{k}, t{k})")
        elif kind == "branch":
            weights[f"w{k}"] = models.random(seed + k, 1, 1, 3, 3)
            lines.append(f"u{k} = Conv <pads = [1, 1, 1, 1]> ({here}, w{k})")
            if random.integers(2):
                lines.append(f"{name} = Add (u{k}, {here})")
            else:
                weights[f"j{k}"] = models.random(seed + k + 50, 1, 2, 1, 1)
                lines += [f"c{k} = Concat <axis = 1> (u{k}, {here})", f"{name} = Conv (c{k}, j{k})"]
        else:
            lines.append(f"{name} = LeakyRelu <alpha = 0.3> ({here})")
        here = name
        text = f"g (float[N,1,{HEIGHT},{WIDTH}] x) => (float[?,?,?,?] {here}) {{\n" + "\n".join(lines) + "\n}"
        feed = np.zeros((1, 1, HEIGHT, WIDTH), np.float32)
        size = list(models.run(models.parse(text, weights, opset=18), {"x": feed})[0].shape[2:])
    return text, weights


@pytest.mark.parametrize("seed", range(20))
def test_the_gradient_is_not_zero_in_the_field_and_nowhere_else(seed: int) -> None:
    """Of a unit in each corner and in the middle, over 16 pictures of noise: a maximum reads one place at a time. A gap
    within a field (of a dilated convolution) is in its box.
    """
    text, weights = random_graph(seed)
    model = onnxray.open(models.parse(text, weights, opset=18), grey(HEIGHT, WIDTH))
    trusted(model)
    end = model.graph.outputs[0].name
    field = fields_of(model)[end]
    assert field.unbounded is None
    rows, columns = len(field.rows.first), len(field.columns.first)
    pictures = np.random.default_rng(seed).uniform(0, 255, (16, 1, HEIGHT, WIDTH)).astype(np.float32)
    for row, column in ((0, 0), (rows - 1, 0), (rows // 2, columns // 2), (0, columns - 1), (rows - 1, columns - 1)):
        cotangent = np.zeros((1, rows, columns), np.float32)
        cotangent[0, row, column] = 1
        seen = (model.pullback(pictures, {end: cotangent}) != 0).any((0, 1))
        top, left, bottom, right = field.box(row, column)
        if not seen.any():
            assert (top, left) == (bottom, right)
            continue
        places = [np.flatnonzero(seen.any(axis)) for axis in (1, 0)]
        assert (places[0][0], places[1][0], places[0][-1] + 1, places[1][-1] + 1) == (top, left, bottom, right)


def test_in_the_middle_a_field_has_the_size_that_is_stated() -> None:
    """[o step + low, o step + high] of every unit whose field lies in the picture."""
    found = chain([(3, 1, 1, 2), (5, 2, 2, 1)], (3, 2, 1), (40, 40))
    for field in found.values():
        axis = field.rows
        assert axis.step is not None
        whole = [o for o in range(len(axis.first)) if o * axis.step + axis.low >= 0 and o * axis.step + axis.high < 40]
        for o in whole:
            assert (axis.first[o], axis.last[o]) == (o * axis.step + axis.low, o * axis.step + axis.high)
        size = field.size
        assert size is not None
        assert all(axis.last[o] - axis.first[o] + 1 == size[0] for o in whole)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("y = GlobalAveragePool (x)", "GlobalAveragePool 'GlobalAveragePool_0' reads all places"),
        ("y = Flatten (x)", "Flatten 'Flatten_0' reads all places"),
        ("y = Softmax <axis = 2> (x)", "Softmax 'Softmax_0' reads all places"),
        ("[mine] y = InstanceNormalization (x, one, one)", "InstanceNormalization 'mine' reads all places"),
        ("g = GlobalMaxPool (x)\n  y = Mul (x, g)", "GlobalMaxPool 'GlobalMaxPool_0' reads all places"),
    ],
)
def test_what_joins_all_places_is_unbounded_and_says_so(line: str, said: str) -> None:
    text = f"g (float[1,1,8,8] x) => (float[1,1,?,?] y) {{\n  {line}\n}}"
    if "Flatten" in line:
        text = text.replace("float[1,1,?,?]", "float[1,64]")
    model = onnxray.open(models.parse(text, {"one": np.ones(1, np.float32)}), grey(8, 8))
    field = fields_of(model)["y"]
    assert field.size is None
    assert field.to_dict() == {"size": None, "step": None, "offset": None, "reason": said}


def test_a_softmax_over_channels_and_moved_axes_keep_places() -> None:
    lines = ["c = Conv (x, w)", "t = Transpose <perm = [0, 2, 3, 1]> (c)", "y = Softmax <axis = 3> (t)"]
    text = "g (float[1,1,9,8] x) => (float[1,7,6,2] y) {\n" + "\n".join(lines) + "\n}"
    field = fields_of(onnxray.open(models.parse(text, {"w": models.random(0, 2, 1, 3, 3)}), grey(9, 8)))["y"]
    assert (field.axes, field.size) == ((1, 2), (3, 3))
