"""What classical models give: labels, scores beside them, dictionaries of scores, numbers of a regressor."""

from __future__ import annotations

from onnxray.graph.facts import Dim, Graph, Node
from onnxray.graph.outputs.facts import OutputFacts, width_of
from onnxray.graph.outputs.origins import CLASSICAL, behind, classical_node, moved_origin_of

_REGRESSORS = frozenset({"LinearRegressor", "SVMRegressor", "TreeEnsembleRegressor", "TreeEnsemble"})
_MAP = "map"


def label_of(graph: Graph, name: str, shape: tuple[Dim, ...] | None) -> OutputFacts | None:
    """What an output of ``ai.onnx.ml`` is, or one of whole numbers or text; None of others."""
    value = graph.values.get(name)
    node = classical_node(graph, name)
    if value is None:
        return None
    producer = graph.producer_of.get(name)
    if value.dtype == _MAP or (producer is not None and producer.operator == "ZipMap"):
        return OutputFacts(name=name, kind="probabilities", grounds="a score by class, as ZipMap lists them")
    if node is not None and node.operator in _REGRESSORS:
        return OutputFacts(name=name, kind="regression", grounds=f"what {node.operator} gives")
    row = width_of(shape)
    if value.is_float or not value.dtype:
        classifier = _classifier_behind(graph, name) if node is not None and row not in (1, "no row") else None
        if classifier is not None:
            said = f"the scores beside the label of {classifier.operator}"
            return OutputFacts(name=name, kind="probabilities", grounds=said)
        return None
    found = moved_origin_of(graph, name)
    if row == 1 and (value.dtype in {"str", "object"} or value.dtype.startswith(("int", "uint", "bool"))):
        if found is not None and found.operator in {"ArgMax", "TopK", "LabelEncoder", "ArrayFeatureExtractor"}:
            return OutputFacts(name=name, kind="labels", grounds=f"a label a sample, by {found.operator}")
        classical = _classifier_behind(graph, name)
        if classical is not None:
            return OutputFacts(name=name, kind="labels", grounds=f"a label a sample, by {classical.operator}")
        if value.dtype in {"str", "object"}:
            return OutputFacts(name=name, kind="labels", grounds="a text a sample")
    return None


def _classifier_behind(graph: Graph, name: str) -> Node | None:
    return behind(graph, name, lambda node: node.domain == CLASSICAL and "Classifier" in node.operator)
