"""Which model of an earlier audit a model is: by its path, else by its name where that is clear, else the only one."""

from __future__ import annotations

import time

import pytest

from onnxray.assess.audit.baseline import Baseline, matched
from onnxray.assess.audit.checks.accuracy import Accuracy
from support.audits import use


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (["a/x.onnx"], ["b/y.onnx"], {"b/y.onnx": 0}),
        (["a/x.onnx", "a/y.onnx"], ["b/y.onnx"], {"b/y.onnx": 1}),
        (["a/x.onnx", "b/x.onnx"], ["b/x.onnx", "c/x.onnx"], {"b/x.onnx": 1}),
        (["a/x.onnx", "a/y.onnx"], ["b/x.onnx", "c/x.onnx"], {}),
        (["a/x.onnx", "a/x.onnx"], ["a/x.onnx"], {}),
        ([], ["a/x.onnx"], {}),
    ],
)
def test_models_are_matched(old: list[str], new: list[str], expected: dict[str, int]) -> None:
    assert matched(old, new) == expected


def test_matching_takes_time_in_proportion_to_the_models() -> None:
    def seconds(count: int) -> float:
        old, new = ([f"{folder}/{number}.onnx" for number in range(count)] for folder in "ab")
        started = time.process_time()
        assert len(matched(old, new)) == count
        return time.process_time() - started

    seconds(1000)
    assert min(seconds(16_000) for _ in range(3)) < 16 * min(seconds(4_000) for _ in range(3)) / 2


def test_results_that_name_no_model_are_none_of_any() -> None:
    told = {"models": [{"path": "m.onnx"}], "results": [{"model": [], "name": "accuracy"}, {"model": None}]}
    before = Baseline(told, ["m.onnx"])("m.onnx", use(Accuracy()), 0, "")
    assert before.reason == "it has no check 'accuracy' of that model"
