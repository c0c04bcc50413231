"""What does not belong together, is not converted, or was made to harm: one line, within bounded time and memory."""

import os
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import ModelFileError, OnnxrayError
from onnxray_adapters.caffe.net import _Naming, read_net
from onnxray_adapters.caffe.wire import Walker
from support import caffe_nets
from support.caffe_files import caffemodel, field, inputs, layer, varint, write
from support.caffe_mutations import mutated

NOTHING = b"\xa2\x06\x03\x0a\x01x"
"""A caffemodel of one layer without blobs."""


def refused(source: str | Path, said: str) -> str:
    with pytest.raises(ModelFileError) as error:
        onnxray.open(source)
    assert said in str(error.value), str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1200
    return str(error.value)


def test_files_that_lie_beside_each_other_are_found(tmp_path: Path) -> None:
    text, weights = caffe_nets.small()
    for prototxt, model in (("net", "net"), ("lenet", "lenet_iter_10000"), ("deploy", "other"), ("net_deploy", "net")):
        folder = tmp_path / f"{prototxt}-{model}"
        folder.mkdir()
        (folder / f"{prototxt}.prototxt").write_text(text)
        (folder / f"{model}.caffemodel").write_bytes(caffemodel(weights))
        (folder / "train_val.prototxt").write_text("nonsense")
        (folder / "solver.prototxt").write_text("nonsense")
        assert [value.name for value in onnxray.open(folder / f"{model}.caffemodel").graph.outputs] == ["prob"]
        assert onnxray.open(folder / f"{prototxt}.prototxt").graph.path == folder / f"{prototxt}.prototxt"


def test_one_file_of_the_two(tmp_path: Path) -> None:
    text, weights = caffe_nets.small()
    (tmp_path / "net.prototxt").write_text(text)
    said = refused(tmp_path / "net.prototxt", "a net without weights; no file .caffemodel lies beside it. Give both: ")
    assert said.endswith("net.prototxt+FILE.caffemodel")
    (tmp_path / "net.prototxt").rename(tmp_path / "text.txt")
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(weights))
    refused(tmp_path / "net.caffemodel", "weights without the net that they are of; no file .prototxt lies beside it")
    for name in ("a.prototxt", "b.prototxt"):
        (tmp_path / name).write_text(text)
    refused(tmp_path / "net.caffemodel", "2 files .prototxt lie beside it (a.prototxt, b.prototxt)")
    refused(tmp_path / "none.caffemodel", "none.caffemodel: no such file")
    refused(f"{tmp_path / 'a.prototxt'}+{tmp_path / 'none.caffemodel'}", "none.caffemodel: no such file")
    refused(f"{tmp_path / 'a.prototxt'}+{tmp_path / 'b.prototxt'}", "deploy.prototxt+net.caffemodel, or one of the two")


def test_a_plus_in_a_name(tmp_path: Path) -> None:
    text, weights = caffe_nets.small()
    source = write(tmp_path, text, weights, name="a+b.prototxt+c")
    assert onnxray.open(source).graph.outputs[0].name == "prob"
    assert onnxray.open(tmp_path / "a+b.prototxt+c.caffemodel").graph.outputs[0].name == "prob"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"conv1" type', '"conv_1" type'), "(Convolution, line 3): the caffemodel has no weights for a layer of this name; did you mean 'conv1'? it has some for conv1, ip1, ip2; do the two files belong together?"),
        (("num_output: 6", "num_output: 5"), "layer 'ip1' (InnerProduct, line 6): its weight is 6x27 in the caffemodel; 5x27 was expected"),
        (("kernel_size: 3", "kernel_size: 3 bias_term: false"), "the caffemodel has 2 blobs for it; 1 were expected"),
        (('"Softmax"', '"Softmx"'), "layer 'prob' (Softmx, line 10): layers of this type are not converted; did you mean 'Softmax'?"),
        (('"Softmax"', '"Python"'), "layer 'prob' (Python, line 10): layers of this type are not converted: it runs a program"),
        (('"Softmax"', '"PSROIPooling"'), "ONNX has no position-sensitive pooling"),
        (('"Softmax"', '"Proposal"'), "Faster R-CNN"),
        (("kernel_size: 3", "kernel_sise: 3"), "ConvolutionParameter has no field 'kernel_sise'; did you mean 'kernel_size'?"),
        (("pool: MAX", "pool: STOCHASTIC"), "it pools at random"),
        (("dim: 8 dim: 8", "dim: 9 dim: 9"), "its weight is 6x27 in the caffemodel; 6x48 was expected"),
        (("dim: 8 dim: 8", "dim: 0 dim: 8"), "sizes from 1 on were expected"),
        (("dim: 8 dim: 8", "dim: 60000 dim: 60000"), "268,435,456 numbers at most"),
        (("kernel_size: 3", "kernel_size: 30"), "3x1x30x30 was expected"),
        (('bottom: "ip2"', 'bottom: "ip9"'), "reads 'ip9', which nothing before it computes"),
        (('name: "small"', 'net: "train.prototxt" base_lr: 0.1'), "how a net is trained (a solver)"),
        (("stride: 2", "stride: 2 stride_h: 2"), "both stride and stride_h"),
        (('pooling_param', 'my_pooling_param'), "a layer of type Pooling has no 'my_pooling_param'"),
        (("layer {", "layers {", 1), "states both layer and layers"),
    ],
    ids=lambda part: " ".join(part[:2]) if isinstance(part, tuple) else "",
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(change: tuple[Any, ...], said: str, tmp_path: Path) -> None:
    text, weights = caffe_nets.small()
    assert change[0] in text
    refused(write(tmp_path, text.replace(*change), weights), said)


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("Pooling", {"pooling_param": {"kernel_size": 2, "pad": 2}}, "a kernel larger than the pad"),
        ("Pooling", {"pooling_param": {"kernel_size": 2, "global_pooling": True}}, "global_pooling with a kernel"),
        ("Pooling", {"pooling_param": {"kernel_size": 2, "stride": 0}}, "stride 0"),
        ("LRN", {"lrn_param": {"local_size": 4}}, "an odd size"),
        ("Concat", {"concat_param": {"axis": 9}}, "axis 9 of a blob of 4 axes"),
        ("Slice", {"slice_param": {"slice_point": [0]}}, "rising numbers"),
        ("Tile", {"tile_param": {"tiles": 2147483647}}, "numbers on 32 axes are the most"),
        ("Reshape", {"reshape_param": {"shape": {"dim": [-1, -1]}}}, "dims [-1, -1]"),
        ("Reshape", {"reshape_param": {"shape": {"dim": [7, -1]}}}, "cannot become"),
        ("Reshape", {"reshape_param": {"shape": {"dim": [0] * 9}}}, "has no such axis to keep"),
        ("Interp", {"interp_param": {"zoom_factor": 0}}, "numbers from 1 on"),
        ("Interp", {"interp_param": {"height": 100000, "width": 100000}}, "are the most"),
        ("Upsample", {"upsample_param": {"upsample_h": 2}}, "SegNet"),
        ("Permute", {"permute_param": {"order": [0, 0]}}, "order [0, 0]"),
        ("Squeeze", {"squeeze_param": {"axis": [1]}}, "not all of size 1"),
        ("Exp", {"exp_param": {"base": 0.0}}, "base 0"),
        ("Exp", {"exp_param": {"shift": 1e9}}, "beyond every number"),
        ("ArgMax", {"argmax_param": {"top_k": 1000}}, "top_k 1000 of 192"),
        ("Clip", {"clip_param": {"min": 2.0, "max": 1.0}}, "min not above max"),
        ("Eltwise", {}, "two blobs or more"),
        ("BatchNorm", {"batch_norm_param": {"use_global_stats": False}}, "normalised by each other"),
        ("Scale", {}, "no weights for a layer of this name"),
    ],
)
def test_options_that_make_no_layer(kind: str, options: dict[str, Any], said: str, tmp_path: Path) -> None:
    tops = ["a", "b"] if kind == "Slice" else []
    text = inputs(data=(1, 3, 8, 8)) + layer(kind, "it", ["data"], tops, **options)
    blobs: dict[str, Any] = {"it": [np.ones(3, np.float32)] * 3} if kind == "BatchNorm" else {"x": [np.ones(1)]}
    refused(write(tmp_path, text, blobs), said)


def test_a_net_for_training_that_does_not_tell_its_size(tmp_path: Path) -> None:
    text, weights = caffe_nets.training()
    source = write(tmp_path, text.replace("crop_size: 8", ""), weights)
    refused(
        source, "comes from a Data layer that does not tell the size, as in a prototxt for training; give the deploy"
    )


def blob_of(shape: tuple[int, ...], data: bytes) -> bytes:
    return field(7, field(1, b"".join(map(varint, shape)))) + field(5, data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cannot be read|is no caffemodel"), (b"nonsense" * 100, "is no caffemodel, or is damaged"),
        (b"\x89PNG\r\n\x1a\n" * 9, "is no caffemodel"),
        (varint(100 << 3 | 2) + varint(2**60), "reaches to byte"),
        (field(100, varint(7 << 3 | 2) + varint(2**62)), "reaches to byte"),
        (field(100, field(1, "conv1") + field(7, blob_of((10**18,), b"\0" * 16))), "1,000,000,000,000,000,000 numbers, and holds 4"),
        (field(100, field(1, "conv1") + field(7, blob_of((2**40,) * 9, b"\0" * 16))), "is the file whole?"),
        (field(100, field(1, "conv1") + field(7, blob_of((-1,), b"\0" * 16))), "a blob has the shape -1"),
        (field(100, field(1, "conv1") + field(7, blob_of((1,) * 33, b"\0" * 4))), "more than 32 axes"),
        (field(100, field(1, "conv1") + field(7, blob_of((1,), b"\0" * 5))), "holds broken ones"),
        (field(100, field(1, b"\xff\xfe")), "no UTF-8 text"), (field(100, field(1, "x" * 2000)), "more than 1000 characters"),
        (field(100, field(1, "a") + field(7, blob_of((1,), b"\0" * 4))) * 2, "two of its layers are called 'a'"),
        (b"\x80" * 30, "does not end"), (varint(1 << 3 | 3), "wire type 3"), (field(1, "net"), "holds no layers"),
        (field(100, b"") * 20_001, "more than 20,000 layers"), ((varint(9 << 3) + b"\0") * 200_001, "more than 200,000 fields"),
    ],
    ids=lambda part: "" if isinstance(part, bytes) else part[:30],
)  # fmt: skip
def test_a_caffemodel_that_was_made_to_harm(data: bytes, said: str, tmp_path: Path) -> None:
    source = write(tmp_path, caffe_nets.small()[0], data)
    with pytest.raises(ModelFileError) as error:
        onnxray.open(source)
    assert any(part in str(error.value) for part in said.split("|")), str(error.value)


def test_messages_in_messages_ten_thousand_deep(tmp_path: Path) -> None:
    data = b""
    for _ in range(10_000):
        data = field(7, data)
    refused(write(tmp_path, caffe_nets.small()[0], field(100, data)), "is the file whole?")
    refused(write(tmp_path, "layer { " * 10_000, NOTHING), "more than 16 deep")


def test_a_prototxt_of_a_hundred_megabytes_is_not_read(tmp_path: Path) -> None:
    source = write(tmp_path, "", NOTHING)
    os.truncate(tmp_path / "net.prototxt", 100 * 2**20)
    begun = time.process_time()
    tracemalloc.start()
    try:
        refused(source, "has 104,857,600 bytes; a prototxt has 2,097,152 at most")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    assert time.process_time() - begun < 5


def test_text_of_a_file_is_shown_as_text(tmp_path: Path) -> None:
    text = (
        caffe_nets.small()[0].replace('"Softmax"', '"Soft\\033[31mmax\\n"').replace('name: "prob"', 'name: "\\033]0;x"')
    )
    said = refused(write(tmp_path, text, caffe_nets.small()[1]), "layers of this type are not converted")
    assert "\x1b" not in said


@pytest.mark.parametrize("number", range(60))
def test_mutants_end_in_a_model_or_in_one_line(number: int, tmp_path: Path) -> None:
    """A slice; benchmarks/caffe_mutations.py makes thousands, of real nets, and runs them."""
    text, weights = (caffe_nets.small, caffe_nets.old, caffe_nets.training)[number % 3]()
    data = caffemodel(weights, generation=2 if number % 3 != 1 else 1)
    wrong, damaged = mutated(text.replace("{ ", "{\n").replace(" }", "\n}"), data, np.random.default_rng(number))
    (tmp_path / "net.prototxt").write_bytes(wrong)
    (tmp_path / "net.caffemodel").write_bytes(damaged)
    said = ended(tmp_path / "net.caffemodel")
    assert "\n" not in said
    assert said


def ended(path: Path) -> str:
    """What an error says of a model, else which outputs it has."""
    try:
        return ", ".join(value.name for value in onnxray.open(path).graph.outputs)
    except OnnxrayError as error:
        return str(error)


def test_layers_of_one_name_take_linear_time() -> None:
    """Each is numbered from where the one before it ended: twenty thousand were five minutes."""
    one = layer("ReLU", "a", ["a"])
    net = read_net(inputs(a=[1, 1, 4, 4]) + one * 3000)
    assert [each.outputs[0] for each in net.layers[:3]] == ["a__2", "a__3", "a__4"]
    assert len({each.outputs[0] for each in net.layers}) == 3000
    naming = _Naming([], [])
    seen = _CountingSet()
    naming._taken = seen
    for _ in range(1000):
        naming._fresh("a")
    assert seen.looked < 4000


class _CountingSet(set[str]):
    looked = 0

    def __contains__(self, name: object) -> bool:
        self.looked += 1
        return super().__contains__(name)


def test_short_rows_of_numbers_are_not_read_far_ahead() -> None:
    """Rows of twenty numbers each before much else: what is read is a small multiple of the file."""
    rows = (varint(5 << 3 | 5) + bytes(4)) * 20 + varint(6 << 3 | 5) + bytes(4)
    data = rows * 500 + field(9, bytes(2_000_000))
    reads: list[int] = []

    def read(start: int, end: int) -> bytes:
        reads.append(end - start)
        return data[start:end]

    counts = [one.count for one in Walker(read, len(data)).fields(0, len(data)) if one.number == 5]
    assert sum(counts) == 20 * 500
    assert sum(reads) < 10 * len(data)
