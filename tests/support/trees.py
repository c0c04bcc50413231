"""Ensembles of decision trees as files: whole trees of random splits, labels beside scores, or labels alone."""

from __future__ import annotations

import numpy as np
import onnx

LABELS = ["ash", "beech", "cedar"]


def forest(trees: int = 8, depth: int = 4, features: int = 6, seed: int = 0, *, alone: bool = False) -> bytes:
    """A classifier of rows of numbers about 0 as three kinds of wood, by the sum of the trees' leaves.

    alone: the label is the only output.
    """
    random = np.random.default_rng(seed)
    inner, count = 2**depth - 1, 2 ** (depth + 1) - 1
    nodes = [(tree, node) for tree in range(trees) for node in range(count)]
    leaves = [(tree, node) for tree, node in nodes if node >= inner]
    classes = [(tree, node, k) for tree, node in leaves for k in range(len(LABELS))]
    node = onnx.helper.make_node(
        "TreeEnsembleClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml",
        nodes_treeids=[tree for tree, _ in nodes], nodes_nodeids=[node for _, node in nodes],
        nodes_featureids=random.integers(0, features, len(nodes)).tolist(),
        nodes_values=random.normal(size=len(nodes)).tolist(),
        nodes_modes=["BRANCH_LEQ" if node < inner else "LEAF" for _, node in nodes],
        nodes_truenodeids=[2 * node + 1 if node < inner else 0 for _, node in nodes],
        nodes_falsenodeids=[2 * node + 2 if node < inner else 0 for _, node in nodes],
        class_treeids=[tree for tree, _, _ in classes], class_nodeids=[node for _, node, _ in classes],
        class_ids=[k for _, _, k in classes], class_weights=(random.random(len(classes)) / trees).tolist(),
        classlabels_strings=LABELS, post_transform="NONE",
    )  # fmt: skip
    info = onnx.helper.make_tensor_value_info
    outputs = [info("label", onnx.TensorProto.STRING, ["N"]), info("scores", 1, ["N", len(LABELS)])]
    graph = onnx.helper.make_graph([node], "g", [info("x", 1, ["N", features])], outputs[: 1 if alone else 2])
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
