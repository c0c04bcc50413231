"""A graph gone through in segments: what each reads, gives and holds, and that its numbers are those of the whole."""

import json
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.engines.agreement.segments import Passage, Segment, by_the_judge, by_the_twin, segments
from onnxray.graph.reading import read_graph
from support import models, quantised
from support.children import child

R = models.random
SKIPPING = """net (float[N,3,8,8] x, float[N,3,8,8] z) => (float[N,4] y) {
  [one] a = Conv <pads = [1, 1, 1, 1]> (x, w)
  [two] b = Relu (a)
  [three] c = Conv <pads = [1, 1, 1, 1]> (b, v)
  [four] d = Add (c, a)
  [five] t = Transpose <perm = [0, 2, 3, 1]> (d)
  [six] u = Transpose <perm = [0, 3, 1, 2]> (z)
  [seven] s = Shape (t)
  [eight] r = Reshape (u, s)
  [nine] e = Mul (t, r)
  [ten] m = ReduceMean <axes = [1, 2], keepdims = 0> (e)
  [eleven] k = Transpose (h)
  [twelve] y = MatMul (m, k)
}"""
WEIGHTS = {"w": R(0, 3, 3, 3, 3), "v": R(1, 3, 3, 3, 3), "h": R(2, 4, 3)}
INPUTS = {"x": R(3, 2, 3, 8, 8), "z": R(4, 2, 3, 8, 8)}
VALUES = [*"abcdturemy"]


def skipping() -> onnx.ModelProto:
    return models.parse(SKIPPING, WEIGHTS)


def way(most: int, names: list[str] = VALUES) -> list[Segment]:
    graph = read_graph(skipping())
    return segments(graph, names, dict.fromkeys(graph.values, 100), most)


def test_a_network_of_less_is_one_segment() -> None:
    (only,) = way(10**6)
    assert only.alone
    assert only.names == tuple(VALUES)
    assert not only.given
    assert "eleven" in {node.name for node in only.nodes}


@pytest.mark.parametrize("most", [0, 100, 250, 400])
def test_each_node_is_in_one_and_each_value_is_given_once(most: int) -> None:
    found = way(most)
    assert len(found) == {0: 11, 100: 6, 250: 4, 400: 3}[most]
    moving = [node.name for segment in found for node in segment.nodes if node.name != "eleven"]
    assert moving == ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve"]
    given = [name for segment in found for name in segment.names]
    assert len(given) == len(set(given))
    assert set(VALUES) <= set(given)


@pytest.mark.parametrize("most", [0, 100, 250, 400])
def test_what_is_held_is_what_is_read_later(most: int) -> None:
    """After each segment: values that it or those before it gave and that those after it read; in the end nothing."""
    graph, found = read_graph(skipping()), way(most)
    passage = Passage[str](lambda segment, given: dict.fromkeys(segment.names, "".join(given)))
    for place, segment in enumerate(found):
        assert set(passage.given(segment)) == set(segment.given)
        passage.next(segment)
        before = {name for one in found[: place + 1] for node in one.nodes for name in node.outputs}
        later = {name for one in found[place + 1 :] for node in one.nodes for name in node.reads}
        assert set(passage._held) == {n for n in before & later if n in graph.depends_on_input}
    assert not passage._held


@pytest.mark.parametrize("most", [0, 250])
@pytest.mark.parametrize("engine", ["judge", "twin"])
def test_numbers_are_those_of_the_whole_graph(engine: Any, most: int) -> None:
    model = onnxray.open(skipping(), inputs="arrays")
    expected = model.values(INPUTS, VALUES, engine)
    passage = by_the_judge(model.judge, INPUTS) if engine == "judge" else by_the_twin(model.twin, INPUTS)
    given: dict[str, Any] = {}
    for segment in way(most):
        given |= passage.next(segment)
    for name in VALUES:
        np.testing.assert_allclose(np.asarray(given[name]), expected[name], rtol=1e-5, atol=1e-6)


def test_no_segment_ends_where_whole_numbers_are_carried() -> None:
    """In torch they are floats there: as what the file declares they would have no use."""
    graph = read_graph(quantised.with_weights(quantised.TEXT))
    names = [name for name, value in graph.values.items() if value.kind == "node" and value.is_float]
    found = segments(graph, names, {}, -1)
    assert len(found) > 3
    for segment in found:
        assert {graph.values[name].dtype for name in segment.given} <= {"float32"}


def large(samples: int = 2, more: int = 0) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Pictures each of whose values takes forty times their own memory."""
    text = """net (float[N,1,300,300] x) => (float[N,3] y) {
      a = Conv <pads = [1, 1, 1, 1]> (x, w)  b = Relu (a)  c = Conv <pads = [1, 1, 1, 1]> (b, v)  d = Sigmoid (c)
      e = Mul (c, d)  f = Add (e, a)  MORE  p = GlobalAveragePool (f)  g = Flatten (p)  y = MatMul (g, h) }"""
    steps = [f"n{k + 1} = {('Relu', 'Neg')[k % 2]} (n{k})" for k in range(more)]
    text = text.replace("MORE", "n0 = Abs (f)  " + "  ".join(steps)).replace("Pool (f)", f"Pool (n{more})")
    weights = {"w": R(0, 40, 1, 3, 3), "v": R(1, 40, 40, 3, 3, scale=0.05), "h": R(2, 40, 3)}
    return models.parse(text, weights), {"x": R(3, samples, 1, 300, 300)}


def test_large_samples_are_compared_one_by_one_and_said_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    proto, inputs = large(3)
    seen: list[tuple[int, ...]] = []

    def noted(judge: Any, feeds: Any) -> Any:
        seen.append(feeds["x"].shape)
        return by_the_judge(judge, feeds)

    monkeypatch.setattr("onnxray.engines.agreement.full_check.by_the_judge", noted)
    model = onnxray.open(proto, inputs="arrays")
    found = model.verify(inputs)
    assert found.agrees, found.reason
    assert seen == [(1, 1, 300, 300)] * 3
    rows = {row.name: row for row in found.comparisons}
    assert list(rows) == [*"abcdef", "n0", *"pgy"]
    assert rows["f"].shape == (3, 40, 300, 300)
    assert rows["y"].shape == (3, 3)
    for name in "fy":
        judge, twin = (model.values(inputs, [name], engine)[name] for engine in ("judge", "twin"))
        assert rows[name].allowed == pytest.approx(1e-3 * np.abs(judge).max() + 1e-6, rel=1e-4)
        assert rows[name].absolute == pytest.approx(np.abs(judge - twin).max(), abs=1e-5 * float(np.abs(judge).max()))


def test_a_fault_of_a_large_network_is_found_in_its_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    proto, inputs = large()
    monkeypatch.setattr("torch.nn.Sigmoid.forward", lambda _, x: x.sigmoid() * 1.1)
    found = onnxray.open(proto, inputs="arrays").verify(inputs)
    assert found.fault is not None
    assert (found.fault.operator, found.fault.value) == ("Sigmoid", "d")
    verdicts = {row.name: row.verdict for row in found.comparisons}
    assert verdicts["c"] == "agrees"
    assert verdicts["d"] == "at fault"
    assert verdicts["e"] == "inherited"


PEAK = """
import json, math, sys
import onnxray
from onnxray.engines.agreement.full_check import verify

def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

model = onnxray.open(sys.argv[1])
before = peak()
found = model.verify()
sizes = [4 * math.prod(row.shape) for row in found.comparisons]
print(json.dumps({"agrees": found.agrees, "more": peak() - before, "sum": sum(sizes), "largest": max(sizes)}))
"""


@pytest.mark.slow
def test_verification_holds_few_of_a_networks_values(tmp_path: Any) -> None:
    """Of thirty large values, which each engine has in its own form, a dozen at most: no more for a deeper network."""
    onnx.save(large(more=24)[0], tmp_path / "large.onnx")
    process = child("-c", PEAK, tmp_path / "large.onnx")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert told["agrees"]
    assert told["sum"] > 30 * told["largest"]
    assert told["more"] < 12 * told["largest"]
