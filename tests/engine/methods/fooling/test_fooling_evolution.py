"""MAP-Elites: what is kept is the best of all that was tried; without gradients, and the bundled LeNet is fooled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.images.profile.profile import Profile
from onnxray.methods.fooling.encodings import Direct, Encoding
from onnxray.methods.fooling.fooling_evolution import FoolingEvolution, _Evolution
from onnxray.methods.run import Run, silent
from onnxray.results.result import Result
from support import models
from support.children import child
from support.trees import forest

GREY = Profile(name="grey", layout="NCHW", channels="GREY", scale=1, mean=(127.5,), std=(60.0,), size=(6, 6))
SOFT = "soft (float[N,1,6,6] x) => (float[N,4] p) { f = Flatten (x) z = MatMul (f, w) p = Softmax (z) }"


def soft() -> onnxray.Model:
    return onnxray.open(models.parse(SOFT, {"w": models.random(0, 36, 4, scale=0.2)}), GREY)


def trees() -> onnx.ModelProto:
    """A forest that is asked about the pixels of a picture."""
    proto = onnx.load_from_string(forest(features=36))
    proto.graph.node[0].input[0] = "flat"
    proto.graph.node.insert(0, onnx.helper.make_node("Flatten", ["x"], ["flat"]))
    del proto.graph.input[:]
    proto.graph.input.append(onnx.helper.make_tensor_value_info("x", 1, ["N", 1, 6, 6]))
    return proto


@pytest.fixture(scope="module")
def lenet() -> Any:
    return onnxray.open("lenet")


def test_an_elite_is_the_best_of_all_that_was_tried() -> None:
    model, shown = soft(), list[Any]()

    class Watched(Encoding[Any]):
        own = Direct(shape=(1, 6, 6))

        def drawn(self, random: Any) -> Any:
            return self.own.drawn(random)

        def child(self, first: Any, second: Any, generation: int, random: Any) -> Any:
            return self.own.child(first, second, generation, random)

        def picture(self, genome: Any) -> Any:
            shown.append(self.own.picture(genome))
            return shown[-1]

        def packed(self, genomes: Any) -> Any:
            return self.own.packed(genomes)

        def unpacked(self, array: Any) -> Any:
            return self.own.unpacked(array)

    method = FoolingEvolution(population=15, generations=9, confidence=1.0)
    run = Run(np.random.default_rng(0), silent, [])
    evolution = _Evolution(method, model, Watched(), np.array([2, 0]), run)
    assert not evolution.go(0)
    said = model.predict_classes(np.stack(shown)).probabilities[:, [2, 0]]
    assert len(shown) == evolution.asked == 150
    assert evolution.sure == pytest.approx(said.max(0), abs=1e-6)
    for place in range(2):
        assert np.array_equal(evolution.pictures[place], shown[int(said[:, place].argmax())])
    for generation in range(10):
        best = said[: 15 * (generation + 1)].max(0)
        assert evolution.medians[generation] == pytest.approx(np.median(best), abs=1e-6)
        assert (evolution.born <= generation).sum() >= int((best == said.max(0)).sum())


def test_patterns_fool_the_bundled_lenet_for_every_digit(lenet: Any, tmp_path: Path) -> None:
    result = FoolingEvolution(encoding="cppn")(lenet)
    result.save(tmp_path / "run")
    loaded = onnxray.load(tmp_path / "run")
    assert [item.target for item in loaded.items] == [str(digit) for digit in range(10)]
    pictures = np.stack([item.images["image"] for item in loaded.items])
    said = lenet.predict_classes(pictures)
    reached = [bool(item.numbers_["success"]) for item in loaded.items]
    assert reached == (said.probabilities[np.arange(10), np.arange(10)] >= 0.99).tolist()
    assert sum(reached) >= 8
    (told,) = loaded.extra["evolution"]
    assert told["reached"][-1] == sum(reached)
    assert told["generations"] == len(told["median_confidence"]) - 1 < 200
    assert told["queries"]["judge"] == 200 * (told["generations"] + 1)


@pytest.mark.slow
def test_pixels_fool_the_bundled_lenet_for_eight_digits(lenet: Any) -> None:
    result = FoolingEvolution()(lenet)
    assert sum(bool(item.numbers_["success"]) for item in result.items) >= 8


def test_medians_rise_and_seeds_differ(lenet: Any) -> None:
    method = FoolingEvolution(generations=12, population=60, runs=2)
    first, again = method(lenet, seed=3), method(lenet, seed=3)
    alone = FoolingEvolution(generations=12, population=60)(lenet, seed=3)
    other = FoolingEvolution(generations=12, population=60)(lenet, seed=4)

    def pictures(result: Result[Any]) -> Any:
        return np.stack([item.images["image"] for item in result.items])

    assert np.array_equal(pictures(first), pictures(again))
    assert np.array_equal(pictures(first)[:10], pictures(alone))
    assert not np.array_equal(pictures(first)[10:], pictures(alone))
    assert not np.array_equal(pictures(other), pictures(alone))
    for told in first.extra["evolution"]:
        assert (np.diff(told["median_confidence"]) >= 0).all()
        assert told["median_confidence"][-1] > 3 * told["median_confidence"][0]


def test_trees_are_fooled_and_torch_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "trees.onnx").write_bytes(trees().SerializeToString())
    said, error = child(
        "-c",
        "import json, sys, onnxray\n"
        "from onnxray.images.profile.profile import Profile\n"
        "grey = Profile(name='g', layout='NCHW', channels='GREY', scale=1, mean=(127.5,), std=(60.0,), size=(6, 6))\n"
        "model = onnxray.open(sys.argv[1], grey)\n"
        "method = onnxray.methods.FoolingEvolution(generations=20, population=20)\n"
        "told = method(model).extra['evolution'][0]\n"
        "print(json.dumps([told['median_confidence'], 'torch' in sys.modules]))",
        str(tmp_path / "trees.onnx"),
    ).communicate(timeout=120)
    assert said, error
    medians, torch = json.loads(said)
    assert medians[-1] > medians[0]
    assert not torch


def test_an_interruption_gives_the_elites_so_far(lenet: Any) -> None:
    def stop(done: int, total: int, what: str) -> None:
        if done == 4:
            raise KeyboardInterrupt

    result = FoolingEvolution(population=30)(lenet, progress=stop, keep_partial=True)
    assert result.provenance.interrupted
    assert len(result.items) == 10
    assert result.extra["evolution"][0]["generations"] == 3


def test_the_cap_on_passes_is_kept_and_fewer_classes_are_aimed_at(lenet: Any) -> None:
    result = FoolingEvolution(queries=130, population=50)(lenet, goal=(3, "7"))
    assert [item.target for item in result.items] == ["3", "7"]
    assert result.extra["evolution"][0]["queries"] == {"judge": 130}
    assert len(result.extra["evolution"][0]["median_confidence"]) == 3


def test_what_it_cannot_do_is_refused(lenet: Any) -> None:
    method = FoolingEvolution(generations=1, population=4)
    for images, goal, said in (
        (None, "11", "there is no class '11'"), (None, (3, "3"), "a class is named twice"),
        (np.zeros((1, 1, 28, 28), np.float32), None, "1 images are given; fooling-evolution begins from none"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            method(lenet, images, goal)
    regressor = models.parse(SOFT.replace("p = Softmax (z)", "p = Tanh (z)"), {"w": models.random(0, 36, 4)})
    with pytest.raises(InputError, match="so it has no classes to be sure of"):
        method(onnxray.open(regressor, GREY, output="p=regression"))
    rows = models.parse("t (float[N,3] x) => (float[N,2] z) { z = MatMul (x, w) }", {"w": models.random(0, 3, 2)})
    with pytest.raises(InputError, match="works on images"):
        method(onnxray.open(rows))
    with pytest.raises(InputError, match="encoding is 'neat'"):
        FoolingEvolution(encoding="neat")  # type: ignore[arg-type]
