"""If, Loop, Scan and sequences against ONNX Runtime, gradients included."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch

import onnxray
from onnxray.errors import UnsupportedOperator
from support.models import Array, parse, random, run


def twin_of(model: onnx.ModelProto) -> Any:
    return onnxray.to_torch(model, verify=False)


def agrees(model: onnx.ModelProto, feeds: dict[str, Array]) -> None:
    given = twin_of(model)(*(torch.from_numpy(feed) for feed in feeds.values()))
    given = [given] if isinstance(given, torch.Tensor) else given
    for one, other in zip(given, run(model, feeds), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-5, atol=1e-6)


IF = """
g (float[2,3] x, bool c) => (float[2,3] y) {
  double = Add (x, x)
  y = If (c) <
    then_branch = t () => (float[2,3] a) { a = Mul (double, x) },
    else_branch = e () => (float[2,3] b) { b = Sub (x, double) }
  >
}
"""


@pytest.mark.parametrize("way", [True, False])
def test_if_runs_the_branch_that_the_condition_names(way: bool) -> None:
    agrees(parse(IF), {"x": random(0, 2, 3), "c": np.array(way)})
    x = torch.from_numpy(random(0, 2, 3).astype(np.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: twin_of(parse(IF))(a, torch.tensor(way)), (x,))


def test_a_branch_that_is_never_taken_may_hold_anything() -> None:
    text = IF.replace(", bool c)", ")").replace("double = Add", "c = Constant <value = bool {1}> ()\n  double = Add")
    agrees(parse(text.replace("Sub (x, double)", "Identity (x)")), {"x": random(1, 2, 3)})
    made = parse(text.replace("b = Sub (x, double)", "z = StringNormalizer (double) b = Cast <to = 1> (z)"))
    assert twin_of(made)(torch.ones(2, 3)).tolist() == [[2.0] * 3] * 2


LOOP = """
g (int64 n, float[2] x, float[2] w) => (float[2] last, float[k,2] rows) {
  go = Constant <value = bool {1}> ()
  last, rows = Loop (n, go, x) <
    body = b (int64 i, bool c, float[2] v) => (bool d, float[2] u, float[2] r) {
      p = Mul (v, w)
      u = Tanh (p)
      f = Cast <to = 1> (i)
      r = Add (u, f)
      total = ReduceSum <keepdims = 0> (u)
      limit = Constant <value = float {0.02}> ()
      d = Greater (total, limit)
    }
  >
}
"""


@pytest.mark.parametrize("rounds", [0, 1, 3, 30])
def test_loop_counts_and_stops(rounds: int) -> None:
    feeds = {"n": np.array(rounds), "x": np.array([0.9, 0.4], np.float32), "w": np.array([0.7, 0.8], np.float32)}
    agrees(parse(LOOP), feeds)


def test_gradients_go_through_every_round() -> None:
    twin, rounds = twin_of(parse(LOOP)), torch.tensor(3)
    values = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in ([0.9, 0.4], [0.7, 0.8])]
    assert torch.autograd.gradcheck(lambda x, w: twin(rounds, x, w)[0], values)


def test_a_loop_without_an_end_is_refused() -> None:
    with pytest.raises(UnsupportedOperator, match=r"operator Loop version 16 is not supported: .*never ends"):
        twin_of(parse(LOOP.replace("Loop (n, go, x)", 'Loop ("", "", x)')))


SCAN = """
g (float[2] s, float[3,T] x) => (float[2] last, float[2,T] rows) {
  last, rows = Scan <
    num_scan_inputs = 1, scan_input_axes = [1], scan_input_directions = [DIRECTION],
    scan_output_axes = [1], scan_output_directions = [OUT],
    body = b (float[2] v, float[3] e) => (float[2] u, float[2] r) {
      m = ReduceMean <keepdims = 0> (e)
      u = Add (v, m)
      r = Mul (u, v)
    }
  > (s, x)
}
"""


@pytest.mark.parametrize("backwards", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_scan_along_any_axis_in_any_direction(backwards: tuple[int, int]) -> None:
    text = SCAN.replace("DIRECTION", str(backwards[0])).replace("OUT", str(backwards[1]))
    agrees(parse(text), {"s": random(2, 2), "x": random(3, 3, 4)})
    inputs = [torch.from_numpy(random(4, *shape).astype(np.float64)).requires_grad_() for shape in ((2,), (3, 4))]
    assert torch.autograd.gradcheck(twin_of(parse(text)), inputs)


def test_the_first_scan_runs_each_sample_over_its_own_length() -> None:
    text = """
    g (int64[2] n, float[2,1] s, float[2,3,1] x) => (float[2,1] last, float[2,3,1] rows) {
      last, rows = Scan <num_scan_inputs = 1, body = b (float[1] v, float[1] e) => (float[1] u, float[1] r) {
        u = Add (v, e)
        r = Identity (u)
      }> (n, s, x)
    }
    """
    feeds = {"n": np.array([3, 2]), "s": random(5, 2, 1), "x": random(6, 2, 3, 1)}
    agrees(parse(text, opset=8, ir=3), feeds)


def test_sequences_are_built_cut_and_joined() -> None:
    text = """
    g (float[4,2] x, int64 p) => (float[k,2] y, int64 n, float[2,2] z) {
      first = SequenceConstruct (x, x)
      more = SequenceInsert (first, x, p)
      fewer = SequenceErase (more, p)
      n = SequenceLength (more)
      y = ConcatFromSequence <axis = 0> (fewer)
      two = Constant <value = int64 {2}> ()
      halves = SplitToSequence <axis = 0> (x, two)
      z = SequenceAt (halves, p)
    }
    """
    for place in (0, 1, -1):
        agrees(parse(text), {"x": random(7, 4, 2), "p": np.array(place)})
