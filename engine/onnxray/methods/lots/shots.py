"""Origins and targets as they are saved, and what the judge says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.graph.classifier.predictions import Predictions
from onnxray.methods.variable import Variable


@dataclass(frozen=True, kw_only=True, eq=False)
class Shots:
    """Images as the judge sees them, 8-bit NCHW, or arrays in rows; where they came from, and its predictions of them,
    of a classifier.
    """

    images: NDArray[Any]
    names: tuple[str | None, ...]
    predictions: Predictions | None

    @property
    def said(self) -> Predictions:
        """The predictions, where classes are asked for: ``prepare`` refuses to, of what is no classifier."""
        assert self.predictions is not None
        return self.predictions

    @classmethod
    def of(cls, variable: Variable) -> Shots:
        """Round as it is saved, and classify."""
        fed = variable.fed(variable.start, np.arange(len(variable)))
        return cls(images=variable.start, names=variable.samples.names, predictions=variable.verdict(fed))
