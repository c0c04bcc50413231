"""What `fine_tune`, `trainable` and `save` are handed of a wrong type is refused in one line of ours."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import onnxray
from onnxray.errors import InputError
from onnxray.training import fine_tune, trainable
from support import models
from support.wrong_types import WRONG, leaks

ROWS, TARGETS = np.ones((2, 4), np.float32), torch.tensor([0, 1])
OPTIONS = ("values", "train", "freeze", "epochs", "optimizer", "rate", "clip", "dropout", "seed", "progress")


def loss(values: Any, targets: Any) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(values["y"], targets)


@pytest.fixture(scope="module")
def small() -> onnxray.Model:
    text = "g (float[N,4] x) => (float[N,3] y) { y = MatMul (x, w) }"
    return onnxray.open(models.parse(text, {"w": models.random(0, 4, 3)}))


def calls(small: onnxray.Model) -> Iterator[tuple[str, Callable[[], object]]]:
    def tuned(**changed: Any) -> Callable[[], object]:
        options = {"batches": [(ROWS, TARGETS)], "loss": loss, "values": ["y"], **changed}
        return lambda: fine_tune(small, **options)

    def handed(value: Any) -> Callable[..., Any]:
        return lambda *_: value

    for wrong in WRONG:
        yield "what is saved", lambda w=wrong: onnxray.save(w, "a.onnx")
        yield "where it is saved", lambda w=wrong: onnxray.save(small, w)
        yield "in_place", lambda w=wrong: onnxray.save(small, "b.onnx", in_place=w)
        yield "trainable", lambda w=wrong: trainable(w)
        yield "outputs", lambda w=wrong: trainable(small, w)
        yield "model", lambda w=wrong: fine_tune(w, [(ROWS, TARGETS)], loss, values=["y"])
        for option in OPTIONS:
            if option != "epochs" or not isinstance(wrong, int) or wrong < 10:  # so many epochs would be trained
                yield option, tuned(**{option: wrong})
        yield "batches", tuned(batches=wrong)
        yield "a batch", tuned(batches=[wrong])
        yield "images", tuned(batches=[(wrong, TARGETS)])
        yield "an input", tuned(batches=[({"x": wrong}, TARGETS)])
        yield "batches of an epoch", tuned(batches=handed(wrong))
        yield "what a loss gives", tuned(loss=handed(wrong))
        yield "what makes an optimizer", tuned(optimizer=handed(wrong))


@pytest.mark.filterwarnings("ignore")
def test_nothing_but_our_own_errors(small: onnxray.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some wrong values are good names of files
    assert leaks(calls(small)) == []


def test_one_name_is_one_name(small: onnxray.Model) -> None:
    """And not a list of its letters."""
    trained = fine_tune(small, [(ROWS, TARGETS)], loss, values="y", train="w")
    assert not np.array_equal(trained.graph.weight("w"), small.graph.weight("w"))
    with pytest.raises(InputError, match="values names nothing"):
        fine_tune(small, [(ROWS, TARGETS)], loss, values=[])


def test_what_torch_cannot_step_is_refused(small: onnxray.Model) -> None:
    with pytest.raises(InputError, match="rate is -1; a number above 0"):
        fine_tune(small, [(ROWS, TARGETS)], loss, values=["y"], rate=-1)
    with pytest.raises(InputError, match=r"the loss is a tensor of \[2, 3\]"):
        fine_tune(small, [(ROWS, TARGETS)], lambda values, _: values["y"], values=["y"])
