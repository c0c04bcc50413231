"""Healthy models to damage: every kind of thing that a file may hold, each as small as it can be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx

import onnxray_models
from support import models
from support.mutation_pictures import picture_networks

_TEXTS = {
    "if": """g (float[N,4] x) => (float[N,4] y) {
      s = ReduceSum <keepdims = 0> (x)
      z = Constant <value_float = 0.0> ()
      c = Greater (s, z)
      t = Relu (x)
      y = If (c) <then_branch = a () => (float[N,4] p) { p = Add (t, w) },
                  else_branch = b () => (float[N,4] q) { q = Neg (t) }>
    }""",
    "loop": """g (float[N,4] x) => (float[N,4] y, float[T,N,4] rows) {
      n = Constant <value = int64 {3}> ()
      k = Constant <value = bool {1}> ()
      y, rows = Loop (n, k, x) <body = b (int64 i, bool c, float[N,4] s) => (bool d, float[N,4] t, float[N,4] r) {
        d = Identity (c)
        t = Mul (s, w)
        r = Tanh (t)
      }>
    }""",
    "scan": """g (float[5,4] x) => (float[4] y, float[5,4] rows) {
      z = Constant <value = float[4] {0, 0, 0, 0}> ()
      y, rows = Scan <num_scan_inputs = 1, body = b (float[4] s, float[4] e) => (float[4] t, float[4] r) {
        t = Add (s, e)
        r = Mul (t, w)
      }> (z, x)
    }""",
    "quantised": """g (float[N,3,8,8] x) => (float[N,2,6,6] y) {
      q = QuantizeLinear (x, s, z)
      d = DequantizeLinear (q, s, z)
      k = DequantizeLinear <axis = 0> (wq, ws, wz)
      c = Conv <kernel_shape = [3, 3]> (d, k)
      p = QuantizeLinear (c, s, z)
      y = DequantizeLinear (p, s, z)
    }""",
    "dynamic": """g (float[N,4] x) => (float[N,4] y) {
      q, s, z = DynamicQuantizeLinear (x)
      p = MatMulInteger (q, wi, z, wz0)
      f = Cast <to = 1> (p)
      y = Mul (f, s)
    }""",
    "recurrent": """g (float[3,N,4] x) => (float[3,1,N,2] y) {
      y, h, c = LSTM <hidden_size = 2> (x, lw, lr)
    }""",
    "attention": """g (float[N,6,4] x) => (float[N,6,4] y) {
      n = LayerNormalization <axis = -1> (x, one4, zero4)
      t = Transpose <perm = [0, 2, 1]> (n)
      s = MatMul (n, t)
      p = Softmax <axis = -1> (s)
      m = MatMul (p, n)
      y = Gelu (m)
    }""",
    "shapes": """g (float[N,3,8,8] x) => (float[N,K] y) {
      sh = Shape (x)
      i = Constant <value = int64[1] {0}> ()
      b = Gather <axis = 0> (sh, i)
      m = Constant <value = int64[1] {-1}> ()
      to = Concat <axis = 0> (b, m)
      r = Resize <mode = "linear"> (x, , scales)
      a, e = Split <axis = 1, num_outputs = 2> (r)
      u = Pad (a, pads)
      y = Reshape (u, to)
    }""",
    "sequence": """g (float[N,4] x) => (float[N,8] y) {
      a = Relu (x)
      s = SequenceConstruct (a, x)
      y = ConcatFromSequence <axis = 1> (s)
    }""",
    "half": """g (float[N,4] x) => (float[N,4] y) {
      h = Cast <to = 10> (x)
      a = Sigmoid (h)
      y = Cast <to = 1> (a)
    }""",
    "picking": """g (float[N,10] x) => (float[N,3] y, int64[N,3] where) {
      k = Constant <value = int64[1] {3}> ()
      y, where = TopK <axis = 1> (x, k)
    }""",
    "einsum": """g (float[N,4] x) => (float[N,4] y) {
      e = Einsum <equation = "ij,jk->ik"> (x, w44)
      o = Constant <value = int64[1] {4}> ()
      z = ConstantOfShape <value = float[1] {0.5}> (o)
      t = Tile (z, one1)
      y = Add (e, t)
    }""",
}
_OPSETS = {"shapes": 18, "attention": 20}


@dataclass(frozen=True)
class Seed:
    """A healthy model and the files beside it."""

    name: str
    model: onnx.ModelProto
    beside: dict[str, bytes] = field(default_factory=dict)


def seeds(zoo: Path | None = None, largest: int = 8_000_000) -> list[Seed]:
    """The small models, the bundled one, and the real ones of a folder up to a size."""
    found = [Seed(name, _parsed(name)) for name in _TEXTS]
    found += [Seed("classifier", models.lenet()), Seed("fixed batch", models.lenet(1))]
    found += [Seed("functions", _functions()), Seed("trees", _trees()), Seed("linear", _linear()), _external()]
    found += [Seed(name, network) for name, network in picture_networks().items()]
    found.append(Seed("bundled LeNet", onnx.load(onnxray_models.path("lenet"))))
    for path in sorted(zoo.glob("*/*.onnx")) if zoo is not None else ():
        if path.stat().st_size <= largest:
            found.append(Seed(path.stem, onnx.load(path)))
    return found


def _parsed(name: str) -> onnx.ModelProto:
    constants = {
        "w": models.random(0, 4), "w44": models.random(1, 4, 4), "one1": np.int64([1]),
        "s": np.float32(0.05), "z": np.int8(3), "wq": np.arange(54, dtype=np.int8).reshape(2, 3, 3, 3),
        "ws": np.float32([0.1, 0.2]), "wz": np.int8([0, 1]), "wi": np.arange(16, dtype=np.uint8).reshape(4, 4),
        "wz0": np.uint8(7), "lw": models.random(2, 1, 8, 4), "lr": models.random(3, 1, 8, 2),
        "one4": np.ones(4, np.float32), "zero4": np.zeros(4, np.float32), "scales": np.float32([1, 1, 2, 2]),
        "pads": np.int64([0, 0, 1, 1, 0, 0, 1, 1]),
    }  # fmt: skip
    text = _TEXTS[name]
    model = models.parse(text, opset=_OPSETS.get(name, 17))
    read = _reads(model.graph)
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name) for name, array in constants.items() if name in read
    )
    own = {out for node in model.graph.node for out in node.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in own]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return model


def _reads(graph: onnx.GraphProto) -> set[str]:
    inner = (_reads(a.g) for node in graph.node for a in node.attribute if a.type == onnx.AttributeProto.GRAPH)
    return {name for node in graph.node for name in node.input}.union(*inner)


def _functions() -> onnx.ModelProto:
    return onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17, "own": 1]>
        g (float[N,4] x) => (float[N,4] y) { t = own.twice (x) u = own.four (t) y = Relu (u) }
        <opset_import: ["": 17], domain: "own">
        twice (v) => (w) { w = Add (v, v) }
        <opset_import: ["": 17, "own": 1], domain: "own">
        four (v) => (w) { a = own.twice (v) w = own.twice (a) }"""
    )


def _trees() -> onnx.ModelProto:
    made = onnx.helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1,
        nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[1, 0, 0], nodes_values=[0.5, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
        target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 0], target_weights=[1.0, 2.0],
    )  # fmt: skip
    return _learned([made], [("y", onnx.TensorProto.FLOAT, ["N", 1])])


def _linear() -> onnx.ModelProto:
    nodes = [
        onnx.helper.make_node(
            "Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=[0.1, 0.2, 0.3, 0.4], scale=[1.0, 2.0, 3.0, 4.0]
        ),
        onnx.helper.make_node(
            "LinearClassifier", ["s"], ["label", "y"], domain="ai.onnx.ml", coefficients=[0.1 * k for k in range(12)],
            intercepts=[0.1, 0.2, 0.3], classlabels_ints=[0, 1, 2], post_transform="SOFTMAX",
        ),
    ]  # fmt: skip
    ends: Sequence[tuple[str, int, list[str | int]]]
    ends = [("label", onnx.TensorProto.INT64, ["N"]), ("y", onnx.TensorProto.FLOAT, ["N", 3])]
    return _learned(nodes, ends)


def _learned(nodes: list[onnx.NodeProto], ends: Sequence[tuple[str, int, Sequence[str | int]]]) -> onnx.ModelProto:
    graph = onnx.helper.make_graph(
        nodes, "g", [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 4])],
        [onnx.helper.make_tensor_value_info(*end) for end in ends],
    )  # fmt: skip
    imports = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=8)


def _external() -> Seed:
    """Two weights in a file beside the model."""
    model = models.lenet()
    data = b""
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) > 1000:
            entries = {"location": "weights.bin", "offset": str(len(data)), "length": str(len(tensor.raw_data))}
            data += tensor.raw_data
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in entries.items():
                tensor.external_data.add(key=key, value=value)
    return Seed("external data", model, {"weights.bin": data})
