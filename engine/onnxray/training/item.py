"""What an epoch of hardening gives: how the file as it stood then does on pictures that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

from onnxray.notebooks.displayed import one_line, short_number
from onnxray.results.item import Item


@dataclass(frozen=True, kw_only=True)
class EpochItem(Item):
    """One epoch; 0 is the file as it came. loss: the mean over its batches, None of epoch 0.

    clean_accuracy, robust_accuracy: of held-out pictures as they are, and after a PGD of 20 steps within ``eps`` by the
    network in training; both as ONNX Runtime names the 8-bit pictures by the file as it stood. best: whether it was the
    best so far. stopped: why the training ends with it, "" where it goes on.
    """

    epoch: int
    loss: float | None
    eps: float
    clean_accuracy: float
    robust_accuracy: float
    held_out: int
    best: bool
    stopped: str = ""

    def __repr__(self) -> str:
        loss = "" if self.loss is None else f"loss {short_number(self.loss)}, "
        shares = f"{100 * self.clean_accuracy:.1f} % right, {100 * self.robust_accuracy:.1f} % within {self.eps:g}"
        return one_line(self, f"epoch {self.epoch}: {loss}{shares}{', the best' if self.best else ''}")

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "epoch": self.epoch, "loss": self.loss, "reason": self.stopped or None, "eps": self.eps,
            "clean_accuracy": self.clean_accuracy, "robust_accuracy": self.robust_accuracy,
            "held_out": self.held_out, "best": self.best,
        }  # fmt: skip

    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """None: the curve of all epochs stands beside the items."""
        return {}

    @classmethod
    def restore(cls, document: Mapping[str, Any], _pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of the document."""
        names = ("epoch", "loss", "eps", "clean_accuracy", "robust_accuracy", "held_out", "best")
        own = {name: document[name] for name in names}
        return cls(**own, stopped=document["reason"] or "")
