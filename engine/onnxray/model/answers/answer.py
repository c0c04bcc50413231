"""What every answer has, whatever the output is."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final, Protocol

from onnxray.errors import NoSuchAnswer
from onnxray.graph.outputs.facts import OutputKind
from onnxray.notebooks.displayed import Displayed, one_line
from onnxray.notebooks.tables import Tabular, flat


class Answer(Protocol):
    """What the judge says of a batch by one output (or those that go with it), read as what that output is."""

    @property
    def kind(self) -> OutputKind:
        """What the output is."""

    @property
    def output(self) -> str:
        """Its name."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What should be said of the answer."""

    def __len__(self) -> int: ...

    def describe(self, index: int) -> str:
        """One line for a sample."""

    def numbers(self, index: int) -> dict[str, Any]:
        """Plain values for JSON."""


class NoClasses(Displayed, Tabular):
    """What an answer that is no classifier's says where its classes or probabilities are asked for."""

    kind: OutputKind
    output: str

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def describe(self, index: int) -> str:
        """One line for a sample."""

    @abstractmethod
    def numbers(self, index: int) -> dict[str, Any]:
        """Plain values for JSON."""

    def rows(self) -> list[dict[str, Any]]:
        """What ``numbers`` says of each sample, flat; lists of more than four numbers are left out."""
        return [{"sample": k, **flat(self.numbers(k))} for k in range(len(self))]

    def __repr__(self) -> str:
        first = f": {self.describe(0)}" if len(self) else ""
        more = ", ..." if len(self) > 1 else ""
        return one_line(self, f"{len(self)} of output {self.output!r}{first}{more}")

    def __getattr__(self, name: str) -> Any:
        if name in _OF_CLASSES:
            stated = f"{self.output}=classes"
            raise NoSuchAnswer(
                f"output {self.output!r} is {self.kind}, so it has no {name}; where it is a classifier's, open the "
                f"model with output={stated!r}"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


_OF_CLASSES: Final = frozenset({"classes", "labels", "probabilities", "scores", "logits", "head"})
