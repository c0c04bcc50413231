"""Loss functions and training optimisers.

NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss need no converter: the standard defines them by other operators,
and ``importer/standard_functions.py`` expands that. Optimisers are refused by name: a twin runs a model, it trains
none.
"""

from __future__ import annotations

from onnxray.importer.nodes.scope import Converted, Converters, Scope

_TRAINING = ("ai.onnx.preview.training", "ai.onnx.training")


def _optimiser(scope: Scope) -> Converted:
    raise scope.refuse("a training operator; the torch twin runs trained models, export the model for inference")


CONVERTERS: Converters = {
    (domain, operator, 1): _optimiser
    for domain in _TRAINING
    for operator in ("Adagrad", "Adam", "Momentum", "Gradient")
}
