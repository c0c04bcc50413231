"""NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss, all versions: the standard's own definitions serve.

What the standard defines by other operators needs no converter here: ``onnxray.importer.functions`` expands it.
"""

from __future__ import annotations

from onnxray.importer.scope import Converters

CONVERTERS: Converters = {}
