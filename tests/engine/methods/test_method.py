"""The base of every method: what it refuses, what it stamps, and what an interruption leaves."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import onnxray
from onnxray import methods
from onnxray.errors import ImageError, InputError
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.method import Method
from onnxray.methods.run import Run
from onnxray.objectives.goals import TargetValues
from onnxray.results.result import Result
from support import models
from support.linear import SIDE, Linear, pictures

NET = Linear.random()


@dataclass(frozen=True, kw_only=True)
class Wrong(Method[Any]):
    """A method that gives what it does not promise."""

    name: ClassVar[str] = "wrong"
    item_type: ClassVar[type[Any]] = LotsItem

    def run(self, model: Any, pixels: Any, goal: Any, run: Run) -> Iterator[Any]:
        run.note(f"drew {run.random.integers(1000)}")
        yield goal


def interrupt_at(count: int, calls: list[tuple[int, int, str]] | None = None):
    seen = [] if calls is None else calls

    def progress(done: int, total: int, what: str) -> None:
        seen.append((done, total, what))
        if len(seen) == count:
            raise KeyboardInterrupt

    return progress


def test_methods_are_found_by_the_name_of_their_file():
    assert methods.lots.LOTS is LOTS
    with pytest.raises(AttributeError, match="no method 'nonsense'"):
        _ = methods.nonsense


def test_a_method_that_breaks_its_promise_is_told():
    with pytest.raises(TypeError, match="method 'wrong' gave a int; its author"):
        Wrong()(NET.open(), pictures(1), 3)


def test_images_are_left_out_only_where_a_method_needs_none():
    with pytest.raises(ImageError, match="no images given"):
        LOTS()(NET.open())


def test_what_is_no_model_no_image_model_or_no_seed_is_refused():
    with pytest.raises(InputError, match=r"a str; open it first: onnxray.open"):
        LOTS()("lenet", pictures(1), "inhibit")  # type: ignore[arg-type]
    for seed in (-1, 1.5, "0", True):
        with pytest.raises(InputError, match="seed is"):
            LOTS()(NET.open(), pictures(1), "inhibit", seed=seed)  # type: ignore[arg-type]


def test_provenance_says_what_ran_on_what(tmp_path: Path):
    path = tmp_path / "linear.onnx"
    path.write_bytes(NET.proto().SerializeToString())
    model = onnxray.open(path, NET.open().profile)
    result = LOTS(layer="h", linf=9)(model, np.full((40, 40), 7, np.uint8), "magnify", seed=4)
    stamp = result.provenance
    assert stamp.model["path"] == str(path)
    assert stamp.model["sha256"] == model.graph.sha256
    assert stamp.model["logits"] == "z"
    assert stamp.profile == model.profile.to_dict()
    assert stamp.method["name"] == "lots"
    assert stamp.method["options"]["linf"] == 9
    assert set(stamp.method["options"]) == {
        "layer", "wrt", "steps", "step_size", "until", "linf", "target_class", "metric", "distance", "relative",
        "max_scale", "search",
    }  # fmt: skip
    assert (stamp.seed, stamp.device, stamp.interrupted) == (4, "cpu", False)
    assert {"onnxray", "onnxruntime", "torch", "numpy", "python"} <= set(stamp.versions)
    assert any("resized 40x40 -> 13x13, centre crop 12x12" in note for note in stamp.notes)
    searched = LOTS(layer="h")(model, pictures(1), "inhibit").provenance.notes
    assert "line search: integers, scales 1 to 1024" in searched


def test_an_assumed_profile_is_said_first():
    model = onnxray.open(models.lenet())
    assert model.profile is not None
    result = LOTS(layer="conv1", until="linf")(model, models.pictures(1), "magnify")
    assert result.provenance.notes[0].startswith("ASSUMED profile")


# --- Ctrl-C


def test_a_line_search_that_is_interrupted_keeps_what_is_finished(tmp_path: Path):
    origins, method = pictures(4), LOTS(layer=("h", "z"), until="linf")
    calls: list[tuple[int, int, str]] = []
    whole = method(NET.open(), origins, "magnify", progress=interrupt_at(99, calls))
    assert calls == [(k, 8, ("h", "z")[k % 2]) for k in range(8)] + [(8, 8, "done")]
    for at in range(2, 9):
        result = method(NET.open(), origins, "magnify", progress=interrupt_at(at), keep_partial=True)
        assert result.provenance.interrupted
        assert [item.numbers() for item in result.items] == [item.numbers() for item in whole.items[: at - 1]]
    assert not whole.provenance.interrupted
    result.save(tmp_path / "run")
    loaded = Result.load(tmp_path / "run", LotsItem)
    assert loaded.provenance.interrupted
    assert len(loaded.items) == 7
    with pytest.raises(KeyboardInterrupt):
        method(NET.open(), origins, "magnify", progress=interrupt_at(3))
    with pytest.raises(KeyboardInterrupt):  # nothing is finished, so there is nothing to keep
        method(NET.open(), origins, "magnify", progress=interrupt_at(1), keep_partial=True)


def test_step_and_adjust_that_is_interrupted_keeps_the_pairs_that_arrived():
    origins = np.stack([np.full((1, SIDE, SIDE), 100, np.uint8)] * 3)
    near, far = NET.h(origins[0]) + NET.w.sum(1), NET.h(origins[0]) + 60 * NET.w.sum(1)
    goal = TargetValues(values=np.stack([near, far, near]))
    method = LOTS(layer=("h",), steps=80, relative=False, distance=30.0 * np.linalg.norm(NET.w.sum(1)))
    with pytest.raises(InputError, match="as near"):
        method(NET.open(), origins, goal)
    goal = TargetValues(values=np.stack([NET.h(origins[0]) + 45 * NET.w.sum(1), far]))
    whole = method(NET.open(), origins[:2], goal)
    first, second = (item.steps for item in whole.items)
    assert first < second
    result = method(NET.open(), origins[:2], goal, progress=interrupt_at(first + 1), keep_partial=True)
    assert result.provenance.interrupted
    assert [item.numbers() for item in result.items] == [whole.items[0].numbers()]
    with pytest.raises(KeyboardInterrupt):
        method(NET.open(), origins[:2], goal, progress=interrupt_at(first - 1), keep_partial=True)


def test_step_and_adjust_that_is_interrupted_keeps_the_layers_that_are_done():
    method = LOTS(layer=("h", "z"), steps=4, until="linf", linf=200)
    whole = method(NET.open(), pictures(3), "magnify")
    result = method(NET.open(), pictures(3), "magnify", progress=interrupt_at(6), keep_partial=True)
    assert [item.layer for item in whole.items] == ["h", "z"] * 3
    assert [item.numbers() for item in result.items] == [item.numbers() for item in whole.items if item.layer == "h"]
