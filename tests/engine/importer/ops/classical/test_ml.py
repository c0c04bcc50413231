"""``ai.onnx.ml`` against ONNX Runtime: values, gradients of what is differentiable, strings that nobody reads."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch

import onnxray
from onnxray.errors import UnsupportedOperator
from support import models
from support.models import Array, random

X = random(0, 5, 4)
TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO")


def model(operator: str, *, version: int = 3, outputs: int = 1, x: Array = X, **attributes: Any) -> onnx.ModelProto:
    """A model of one node, of the input x."""
    names = [f"y{k}" for k in range(outputs)]
    node = onnx.helper.make_node(operator, ["x"], names, name="only", domain="ai.onnx.ml", **attributes)
    info = onnx.helper.make_tensor_value_info("x", onnx.helper.np_dtype_to_tensor_dtype(x.dtype), ["N", *x.shape[1:]])
    graph = onnx.helper.make_graph([node], "g", [info], [onnx.ValueInfoProto(name=name) for name in names])
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", version)]
    return onnx.shape_inference.infer_shapes(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8))


def agrees(built: onnx.ModelProto, x: Array = X) -> None:
    """Every output equals ONNX Runtime's, in its type and shape."""
    found = onnxray.to_torch(built, verify=False)(torch.from_numpy(x))
    for part, expected in zip([found] if isinstance(found, torch.Tensor) else found, models.run(built, {"x": x})):
        assert part.numpy().dtype == expected.dtype
        np.testing.assert_allclose(part.numpy(), expected, rtol=2e-4, atol=2e-5)


def slopes(built: onnx.ModelProto, output: int = 0) -> None:
    """The module's gradient in float64 is that of the module's values."""
    module = onnxray.to_torch(built, verify=False)
    node = next(part for name, part in module.named_modules() if name.startswith("nodes.n"))

    def scores(x: torch.Tensor) -> torch.Tensor:
        y = node(x)
        return y[output] if isinstance(y, tuple) else y

    x = torch.from_numpy(random(3, 2, 4).astype(np.float64)).requires_grad_()
    cotangent = torch.from_numpy(random(4, *scores(x).shape))
    (found,) = torch.autograd.grad((scores(x) * cotangent).sum(), x)
    step, expected = 1e-2, torch.zeros_like(x)
    for place in range(x.numel()):
        moved = torch.zeros(x.numel(), dtype=x.dtype)
        moved[place] = step
        up, down = (scores((x + sign * moved.reshape(x.shape)).detach()).double() for sign in (1, -1))
        expected.view(-1)[place] = ((up - down) * cotangent).sum() / (2 * step)
    assert found.abs().sum() > 0
    torch.testing.assert_close(found, expected, rtol=2e-2, atol=1e-3)


@pytest.mark.parametrize("x", [X, X.astype(np.float64), (X * 3).astype(np.int64)], ids=["float32", "float64", "int64"])
def test_features(x: Array) -> None:
    agrees(model("Scaler", x=x, offset=[0.5, 1.0, 2.0, 3.0], scale=[0.5, 2.0, 3.0, 4.0]), x)
    for norm in ("MAX", "L1", "L2"):
        agrees(model("Normalizer", x=x, norm=norm), x)
    agrees(model("FeatureVectorizer", x=x, inputdimensions=[3]), x)
    agrees(model("FeatureVectorizer", x=x, inputdimensions=[6]), x)


def test_features_of_one_type() -> None:
    agrees(model("Binarizer", threshold=0.2))
    gaps = X.copy()
    gaps[2, 1] = np.nan
    agrees(model("Imputer", imputed_value_floats=[1.0, 2.0, 3.0, 4.0], replaced_value_float=float("nan")), gaps)
    whole = (X * 3).astype(np.int64)
    agrees(model("Imputer", x=whole, imputed_value_int64s=[7], replaced_value_int64=0), whole)
    agrees(model("OneHotEncoder", x=whole, cats_int64s=[0, 2, 1]), whole)
    agrees(
        model("LabelEncoder", x=whole, keys_int64s=[1, -1, 0], values_floats=[0.5, 1.5, 2.5], default_float=9.0), whole
    )
    agrees(model("LabelEncoder", version=4, keys_floats=[1.0, float("nan")], values_int64s=[5, 6]), gaps)


@pytest.mark.parametrize("norm", ["MAX", "L1", "L2"])
def test_slopes_of_features(norm: str) -> None:
    slopes(model("Normalizer", norm=norm))
    slopes(model("Scaler", offset=[0.5], scale=[3.0]))


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_linear(rows: int, transform: str) -> None:
    given: dict[str, Any] = {
        "coefficients": random(1, rows * 4).tolist(), "intercepts": [0.3, 0.4, 0.5][:rows], "post_transform": transform,
    }  # fmt: skip
    agrees(model("LinearRegressor", targets=rows, **given))
    classifier = model("LinearClassifier", outputs=2, classlabels_ints=[10, 20, 30][: max(rows, 2)], **given)
    agrees(classifier)
    slopes(classifier, 1)


KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")


@pytest.mark.parametrize("kernel", KERNELS)
def test_support_vectors(kernel: str) -> None:
    given: dict[str, Any] = {
        "kernel_type": kernel, "kernel_params": [0.3, 0.5, 3.0], "support_vectors": random(1, 24).tolist(),
    }  # fmt: skip
    regressor = model("SVMRegressor", n_supports=6, coefficients=random(2, 6).tolist(), rho=[0.3], **given)
    agrees(regressor)
    slopes(regressor)
    agrees(model("SVMRegressor", n_supports=6, coefficients=random(2, 6).tolist(), rho=[0.3], one_class=1, **given))
    for counts in ([4, 2], [2, 1, 3], [1, 2, 1, 2]):
        classes = len(counts)
        pairs = classes * (classes - 1) // 2
        given |= {
            "coefficients": random(3, (classes - 1) * 6).tolist(), "vectors_per_class": counts,
            "rho": random(4, pairs).tolist(), "classlabels_ints": list(range(5, 5 + classes)),
        }  # fmt: skip
        for transform in TRANSFORMS:
            agrees(model("SVMClassifier", outputs=2, post_transform=transform, **given))
        likely = {"prob_a": [-1.5] * pairs, "prob_b": random(5, pairs).tolist()}
        agrees(model("SVMClassifier", outputs=2, **given, **likely))
        slopes(model("SVMClassifier", outputs=2, **given), 1)


def stumps(kind: str, count: int, names: tuple[int, ...]) -> dict[str, Any]:
    """Three trees of two levels; ``names``: the targets of the leaves in turn."""
    generator = np.random.default_rng(count)
    nodes = {
        "nodes_treeids": np.repeat([0, 1, 2], 5), "nodes_nodeids": np.tile(range(5), 3),
        "nodes_featureids": generator.integers(0, 4, 15), "nodes_truenodeids": np.tile([1, 3, 0, 0, 0], 3),
        "nodes_falsenodeids": np.tile([2, 4, 0, 0, 0], 3),
        "nodes_missing_value_tracks_true": generator.integers(0, 2, 15),
    }  # fmt: skip
    given: dict[str, Any] = {name: [int(number) for number in column] for name, column in nodes.items()}
    modes = ["BRANCH_LEQ", "BRANCH_GT", "BRANCH_LT", "BRANCH_GTE", "BRANCH_LEQ", "BRANCH_NEQ"]
    given["nodes_modes"] = [m for k in range(3) for m in (*modes[2 * k : 2 * k + 2], "LEAF", "LEAF", "LEAF")]
    given["nodes_values"] = generator.standard_normal(15).astype(np.float32).tolist()
    given[f"{kind}_treeids"], given[f"{kind}_nodeids"] = [0, 0, 0, 1, 1, 1, 2, 2, 2], [2, 3, 4] * 3
    given[f"{kind}_ids"] = [names[k % len(names)] for k in range(9)]
    given[f"{kind}_weights"] = generator.standard_normal(9).astype(np.float32).tolist()
    return given


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
def test_tree_regressors(targets: int, aggregate: str) -> None:
    gaps = random(1, 9, 4)
    gaps[2, 1] = np.nan
    given = stumps("target", targets, tuple(range(targets)))
    built = model("TreeEnsembleRegressor", x=gaps, n_targets=targets, aggregate_function=aggregate, **given)
    agrees(built, gaps)
    agrees(model("TreeEnsembleRegressor", x=gaps, n_targets=targets, base_values=[0.5] * targets, **given), gaps)
    y = onnxray.to_torch(built, verify=False)(torch.from_numpy(gaps).requires_grad_())
    assert not y.requires_grad


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(("classes", "names"), [(2, (0,)), (2, (1,)), (2, (0, 1)), (3, (0, 1, 2)), (4, (0, 2))])
def test_tree_classifiers(classes: int, names: tuple[int, ...], transform: str) -> None:
    given = stumps("class", classes, names)
    labels = {"classlabels_int64s": [5, 6, 7, 8][:classes], "post_transform": transform}
    agrees(model("TreeEnsembleClassifier", outputs=2, **given, **labels))
    given["class_weights"] = [abs(weight) / 3 for weight in given["class_weights"]]
    agrees(model("TreeEnsembleClassifier", outputs=2, **given, **labels))


def test_trees_in_a_circle_are_refused() -> None:
    given = stumps("target", 1, (0,)) | {"nodes_truenodeids": [0] * 15}
    with pytest.raises(UnsupportedOperator, match="circle"):
        onnxray.to_torch(model("TreeEnsembleRegressor", n_targets=1, **given), verify=False)


def classifier(strings: bool) -> onnx.ModelProto:
    """As scikit-learn's exporter writes one: scaled, classified, normalised, with a ZipMap at its end."""
    labels = 'classlabels_strings = ["a", "b", "c"]' if strings else "classlabels_ints = [0, 1, 2]"
    zipped, kind = labels.replace("ints", "int64s"), "string" if strings else "int64"
    text = f"""<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 3]>
    sklearn (float[N,2] x) => ({kind}[N] label, seq(map({kind}, float)) zipped) {{
      scaled = ai.onnx.ml.Scaler <offset = [0.5, 1.0], scale = [2.0, 3.0]> (x)
      label, raw = ai.onnx.ml.LinearClassifier <coefficients = [1.0, -1.0, 0.5, 0.25, -2.0, 1.0],
        intercepts = [0.1, 0.2, 0.3], post_transform = "SOFTMAX", {labels}> (scaled)
      scores = ai.onnx.ml.Normalizer <norm = "L1"> (raw)
      zipped = ai.onnx.ml.ZipMap <{zipped}> (scores)
    }}"""
    return onnx.parser.parse_model(text)


@pytest.mark.parametrize("strings", [True, False])
def test_pipelines_give_scores_and_gradients_whatever_their_labels_are(strings: bool) -> None:
    opened = onnxray.open(classifier(strings))
    x = random(0, 6, 2)
    expected = opened.values(x, ["scores"])["scores"]
    np.testing.assert_allclose(opened.values(x, ["scores"], engine="twin")["scores"], expected, rtol=1e-4)
    assert np.abs(opened.pullback(x, {"scores": np.array([1.0, 0.0, 0.0])})).sum() > 0
    assert opened.verify(x).agrees


def test_a_zip_map_is_the_matrix_of_its_scores() -> None:
    label, zipped = onnxray.to_torch(classifier(strings=False))(torch.from_numpy(X[:, :2]))
    expected = models.run(classifier(strings=False), {"x": X[:, :2].copy()})
    assert label.tolist() == expected[0].tolist()
    np.testing.assert_allclose(zipped.numpy(), [[row[k] for k in range(3)] for row in expected[1]], rtol=1e-4)


def test_strings_are_refused_where_they_are_read() -> None:
    with pytest.raises(UnsupportedOperator, match=r"LinearClassifier version 1 .* holds strings"):
        onnxray.to_torch(classifier(strings=True))
    with pytest.raises(UnsupportedOperator, match=r"LabelEncoder version 2 .* strings"):
        onnxray.to_torch(model("LabelEncoder", keys_strings=["a"], values_int64s=[1]), verify=False)


@pytest.mark.parametrize("operator", ["TreeEnsembleRegressor", "TreeEnsembleClassifier"])
def test_an_ensemble_of_too_many_nodes_is_judged_and_not_imported(monkeypatch, operator):
    kind = {"TreeEnsembleRegressor": "target", "TreeEnsembleClassifier": "class"}[operator]
    more = {"n_targets": 1} if kind == "target" else {"classlabels_int64s": [0, 1, 2]}
    node = onnx.helper.make_node(
        operator, ["x"], ["y"] if kind == "target" else ["label", "y"], domain="ai.onnx.ml",
        nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0], nodes_values=[0.0] * 3,
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
        **{f"{kind}_treeids": [0, 0], f"{kind}_nodeids": [1, 2], f"{kind}_ids": [0, 0], f"{kind}_weights": [3.0, 5.0]},
        **more,
    )  # fmt: skip
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([node], "g", [info("x", 1, ["N", 2])], [info("y", 1, ["N", None])])
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    data = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    onnxray.to_torch(data, verify=False)
    monkeypatch.setattr("onnxray.importer.ops.classical.trees.MOST_NODES", 2)
    with pytest.raises(UnsupportedOperator, match="its 3 nodes are more than the 2 that are imported"):
        onnxray.to_torch(data, verify=False)
    x = np.array([[-1, 0], [1, 0]], np.float32)
    assert onnxray.open(data).values(x, "y")["y"][:, 0].tolist() == [3, 5]
