"""Every type of layer: what ONNX Runtime computes of the converted file is what Caffe's definition says."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray_adapters.caffe.layers.catalogue import KINDS
from support.caffe_definitions import DEFINITIONS, slices
from support.caffe_files import inputs, layer, write

_SIZES = (224, 227, 299, 7, 1)


@dataclass(frozen=True)
class Case:
    kind: str
    read: tuple[tuple[int, ...], ...] = ((2, 3, 5, 6),)
    learned: tuple[tuple[int, ...], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    numbers: str = "normal"
    free: bool = True

    @property
    def name(self) -> str:
        return f"{self.kind}-{'-'.join(f'{name}{value}' for name, value in self.options.items())}-{self.read}"


CASES = [
    Case("Convolution", learned=((4, 3, 3, 3), (4,)), options={"num_output": 4, "kernel_size": 3}),
    Case("Convolution", learned=((4, 3, 3, 2),), options={"num_output": 4, "kernel_h": 3, "kernel_w": 2, "pad_h": 1, "pad_w": 2, "stride_h": 2, "stride_w": 1, "bias_term": False}),
    Case("Convolution", learned=((4, 1, 3, 3), (4,)), read=((2, 2, 7, 7),), options={"num_output": 4, "kernel_size": 3, "group": 2, "dilation": 2, "pad": 1}),
    Case("Convolution", learned=((2, 3, 2, 3), (2,)), options={"num_output": 2, "kernel_size": [2, 3], "stride": [2, 1], "pad": [0, 1]}),
    Case("ConvolutionDepthwise", learned=((3, 1, 3, 3), (3,)), options={"num_output": 3, "kernel_size": 3, "pad": 1}),
    Case("DepthwiseConvolution", learned=((3, 1, 3, 3), (3,)), options={"num_output": 3, "kernel_size": 3, "group": 3}),
    Case("Deconvolution", learned=((3, 2, 4, 4), (2,)), options={"num_output": 2, "kernel_size": 4, "stride": 2, "pad": 1}),
    Case("Deconvolution", learned=((3, 1, 4, 4),), options={"num_output": 3, "kernel_size": 4, "stride": 2, "pad": 1, "group": 3, "bias_term": False}),
    Case("InnerProduct", learned=((4, 90), (4,)), options={"num_output": 4}),
    Case("InnerProduct", learned=((6, 4), (4,)), options={"num_output": 4, "axis": -1, "transpose": True}),
    Case("InnerProduct", learned=((4, 30),), options={"num_output": 4, "axis": 2, "bias_term": False}),
    Case("InnerProduct", read=((2, 8),), learned=((3, 8), (3,)), options={"num_output": 3}),
    Case("Embed", read=((2, 5),), learned=((7, 4), (4,)), options={"num_output": 4, "input_dim": 7}, numbers="index"),
    Case("Embed", read=((2, 5),), learned=((7, 4),), options={"num_output": 4, "input_dim": 7, "bias_term": False}, numbers="index"),
    *(Case("Pooling", read=((1, 1, size, min(size, 9)),), options={"pool": pool, "kernel_size": kernel, "stride": stride, "pad": pad})
      for pool in ("MAX", "AVE") for size in _SIZES for kernel, stride, pad in ((3, 2, 0), (3, 2, 1), (2, 2, 1), (2, 3, 1))
      if size + 2 * pad >= kernel),
    Case("Pooling", options={"pool": "AVE", "kernel_h": 2, "kernel_w": 3, "stride_h": 2, "stride_w": 1, "pad_h": 1, "pad_w": 2}),
    Case("Pooling", options={"pool": "AVE", "global_pooling": True}),
    Case("Pooling", options={"pool": "MAX", "kernel_size": 2, "stride": 2, "round_mode": "FLOOR"}),
    Case("Pooling", options={"pool": "AVE", "kernel_size": 2, "stride": 3, "pad": 1, "round_mode": "FLOOR"}),
    Case("ReLU"), Case("ReLU", options={"negative_slope": 0.1}), Case("ReLU6", numbers="large"),
    Case("PReLU", learned=((3,),)), Case("PReLU", learned=((),), options={"channel_shared": True}),
    Case("PReLU", read=((2, 3),), learned=((3,),)),
    Case("ELU", options={"alpha": 0.5}), Case("Sigmoid"), Case("TanH"), Case("AbsVal"), Case("BNLL"),
    Case("Swish", options={"beta": 1.5}), Case("Swish"), Case("HardSwish", numbers="large"),
    Case("Clip", options={"min": -0.5, "max": 0.25}), Case("Threshold", options={"threshold": 0.25}),
    Case("Power"), Case("Power", options={"power": 2.0, "scale": 0.5, "shift": 3.0}),
    Case("Power", options={"power": 0.5, "shift": 1.0}, numbers="positive"), Case("Power", options={"power": 0.0}),
    Case("Power", options={"scale": -1.0, "shift": 0.5}),
    Case("Exp"), Case("Exp", options={"base": 2.0, "scale": 0.5, "shift": -1.0}),
    Case("Log", numbers="positive"), Case("Log", options={"base": 10.0, "scale": 2.0, "shift": 1.0}, numbers="positive"),
    Case("Softmax"), Case("Softmax", options={"axis": 2}), Case("Softmax", options={"axis": -1}), Case("Softmax", options={"axis": 0}, free=False),
    Case("Dropout", options={"dropout_ratio": 0.3}), Case("Dropout", options={"dropout_ratio": 0.3, "scale_train": False}),
    Case("LRN", read=((2, 7, 4, 4),), options={"local_size": 5, "alpha": 0.5, "beta": 0.75, "k": 2.0}),
    Case("LRN", read=((2, 7, 4, 4),)),
    Case("LRN", options={"local_size": 3, "alpha": 0.5, "beta": 0.6, "norm_region": "WITHIN_CHANNEL"}),
    Case("BatchNorm", learned=((3,), (3,), (1,)), numbers="positive"),
    Case("BatchNorm", read=((2, 3),), learned=((3,), (3,), (1,)), options={"eps": 0.001, "use_global_stats": True}, numbers="positive"),
    Case("BatchNorm", learned=((3,), (3,), (1,)), numbers="zero factor"),
    Case("BN", learned=((1, 3, 1, 1),) * 4, numbers="positive"),
    Case("BN", learned=((1, 3, 1, 1),) * 2, options={"bn_mode": "INFERENCE"}),
    Case("Scale", learned=((3,),)), Case("Scale", learned=((3,), (3,)), options={"bias_term": True}),
    Case("Scale", learned=((5, 6),), options={"axis": 2, "num_axes": -1}), Case("Scale", learned=((),), options={"num_axes": 0}),
    Case("Scale", read=((2, 3, 5, 6), (2, 3)), options={"axis": 0}), Case("Scale", read=((2, 3, 5, 6), (2, 3, 5, 6)), options={"axis": 0}),
    Case("Bias", learned=((3, 5),), options={"num_axes": 2}), Case("Bias", learned=((6,),), options={"axis": -1}),
    Case("Bias", read=((2, 3, 5, 6), (2, 3)), options={"axis": 0}),
    Case("Normalize", learned=((1,),)), Case("Normalize", learned=((3,),), options={"across_spatial": False, "channel_shared": False}),
    Case("MVN"), Case("MVN", options={"across_channels": True, "eps": 0.01}), Case("MVN", options={"normalize_variance": False}),
    Case("Eltwise", read=((2, 3, 4, 4),) * 3), Case("Eltwise", read=((2, 3, 4, 4),) * 2, options={"coeff": [0.5, -2.0]}),
    Case("Eltwise", read=((2, 3, 4, 4),) * 3, options={"operation": "PROD"}), Case("Eltwise", read=((2, 3),) * 2, options={"operation": "MAX"}),
    Case("Mul", read=((2, 3, 4),) * 2),
    *(Case("Reduction", options={"operation": kind, "axis": axis, "coeff": 0.5}, free=axis != 0) for kind in ("SUM", "ASUM", "SUMSQ", "MEAN") for axis in (0, 1, -1)),
    Case("ArgMax", read=((2, 12),), numbers="ties"), Case("ArgMax", read=((2, 3, 2, 2),), options={"top_k": 3, "out_max_val": True}, numbers="ties"),
    Case("ArgMax", options={"axis": 1}, numbers="ties"), Case("ArgMax", options={"axis": 1, "top_k": 2, "out_max_val": True}, numbers="ties"),
    Case("ArgMax", read=((2, 12),), options={"top_k": 2, "out_max_val": True}, numbers="ties"),
    Case("Concat", read=((2, 3, 4), (2, 1, 4))), Case("Concat", read=((2, 3, 4), (2, 3, 2)), options={"axis": -1}),
    Case("Concat", read=((2, 3), (1, 3)), options={"axis": 0}, free=False), Case("Concat", read=((2, 3), (2, 4)), options={"concat_dim": 1}),
    Case("Crop", read=((2, 3, 7, 8), (2, 3, 4, 5)), options={"axis": 2, "offset": [1, 2]}), Case("Crop", read=((2, 3, 7, 8), (2, 2, 4, 5)), options={"axis": 1, "offset": [1]}),
    Case("Crop", read=((2, 3, 7, 8), (2, 3, 4, 5))), Case("Crop", read=((2, 3, 7, 8), (2, 3, 4, 5)), options={"axis": 0, "offset": [0, 0, 1, 1]}),
    Case("Flatten"), Case("Flatten", options={"axis": 2}), Case("Flatten", options={"axis": 1, "end_axis": 2}), Case("Flatten", options={"axis": 0}, free=False),
    Case("Reshape", options={"shape": {"dim": [0, -1]}}),
    Case("Reshape", options={"shape": {"dim": [2, 15, -1]}}), Case("Reshape", options={"shape": {"dim": [5, 3]}, "axis": 1, "num_axes": 2}),
    Case("Reshape", options={"shape": {"dim": [1]}, "axis": -1, "num_axes": 0}), Case("Reshape", options={"shape": {"dim": [6, -1]}}, free=False),
    Case("Permute", options={"order": [0, 2, 3, 1]}), Case("Permute", options={"order": [0, 2]}), Case("Permute", options={"order": [1, 0, 2, 3]}, free=False),
    Case("Squeeze", read=((2, 3, 1, 1),)), Case("Squeeze", read=((2, 3, 1, 4),), options={"axis": [2]}),
    Case("Tile", options={"tiles": 3}), Case("Tile", options={"axis": 2, "tiles": 2}), Case("Tile", options={"axis": 0, "tiles": 2}, free=False),
    Case("Interp", options={"height": 9, "width": 7}), Case("Interp", options={"zoom_factor": 3}), Case("Interp", options={"shrink_factor": 2}),
    Case("Interp", read=((2, 3, 7, 7),), options={"height": 5, "width": 13, "pad_beg": -1, "pad_end": -1}), Case("Interp", options={"height": 5, "width": 6}),
    Case("Upsample", options={"scale": 3}),
    Case("PriorBox", read=((2, 3, 3, 4), (2, 3, 30, 50)), options={"min_size": [7.0, 9.0], "max_size": [11.0, 14.0], "aspect_ratio": [2.0, 3.0], "variance": [0.1, 0.1, 0.2, 0.2]}),
    Case("PriorBox", read=((2, 3, 3, 4), (2, 3, 30, 50)), options={"min_size": [7.0], "aspect_ratio": [2.0], "flip": False, "clip": True, "step": 8.0, "offset": 0.25}),
]  # fmt: skip


def numbers(shape: tuple[int, ...], kind: str, seed: int) -> Any:
    random = np.random.default_rng(seed)
    if kind == "index":
        return random.integers(0, 7, shape).astype(np.float32)
    if kind == "ties":
        return random.integers(0, 3, shape).astype(np.float32)
    found = random.standard_normal(shape)
    if kind in ("positive", "zero factor"):
        found = abs(found) + 0.5
    return np.asarray(found * (4 if kind == "large" else 1), np.float32)


def field_of(kind: str) -> str:
    return KINDS[kind].options or "none"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_layer_computes_what_its_definition_says(case: Case, tmp_path: Path) -> None:
    names = [f"in{index}" for index in range(len(case.read))]
    options = {field_of(case.kind): case.options} if case.options else {}
    text = inputs(**dict(zip(names, case.read))) + layer(case.kind, "made", names, **options)
    learned = [
        numbers(shape, "normal" if case.numbers == "index" else case.numbers, 7 + i)
        for i, shape in enumerate(case.learned)
    ]
    if case.numbers == "zero factor":
        learned[2][:] = 0
    model = onnxray.open(write(tmp_path, text, {"made": learned}))
    arrays = [numbers(shape, case.numbers, 70 + index) for index, shape in enumerate(case.read)]
    expected = DEFINITIONS[case.kind](case.options, *arrays, *learned)[0]
    if case.kind == "PriorBox":  # its boxes lie in the file, and depend on no numbers
        found = model.judge.values(dict(zip(names, arrays)), ["made"])["made"]
    else:
        found = model.judge.outputs(dict(zip(names, arrays)))["made"]
        batch = model.graph.inputs[0].shape
        assert batch is not None
        assert (batch[0] == "N") == case.free
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * max(1.0, float(abs(expected).max())))


def test_every_type_is_compared_with_its_definition() -> None:
    assert {case.kind for case in CASES} | {"Slice", "Split"} == set(KINDS)
    assert set(DEFINITIONS) | {"Slice", "Split"} == set(KINDS)


@pytest.mark.parametrize(("options", "tops"), [({}, 3), ({"axis": 2, "slice_point": [1, 3]}, 3), ({"axis": -1}, 2)])
def test_slices(options: dict[str, Any], tops: int, tmp_path: Path) -> None:
    names = [f"part{index}" for index in range(tops)]
    text = inputs(data=(2, 3, 5, 6)) + layer(
        "Slice", "cut", ["data"], names, **({"slice_param": options} if options else {})
    )
    model = onnxray.open(write(tmp_path, text, b"\xa2\x06\x03\x0a\x01x"))
    x = numbers((4, 3, 5, 6), "normal", 1)
    found = model.judge.outputs({"data": x})
    for name, part in zip(names, slices(options, x, tops), strict=True):
        np.testing.assert_array_equal(found[name], part)


def test_split(tmp_path: Path) -> None:
    text = inputs(data=(1, 3)) + layer("Split", "copies", ["data"], ["a", "b"]) + layer("Mul", "both", ["a", "b"])
    model = onnxray.open(write(tmp_path, text, b"\xa2\x06\x03\x0a\x01x"))
    x = numbers((5, 3), "normal", 1)
    np.testing.assert_allclose(model.judge.outputs({"data": x})["both"], x * x, rtol=1e-6)
