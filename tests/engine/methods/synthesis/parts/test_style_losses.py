"""How a style is climbed to: L-BFGS in steps of twenty evaluations, Adam one by one."""

import pytest
import torch

from onnxray.methods.synthesis.ascent.optimizers import LBFGS, Adam
from onnxray.methods.synthesis.parts.style_losses import style_plan


@pytest.mark.parametrize(
    ("steps", "expected"), [(300, (15, 20)), (21, (2, 20)), (20, (1, 20)), (7, (1, 7)), (1, (1, 1))]
)
def test_steps_are_evaluations(steps: int, expected: tuple[int, int]) -> None:
    plan = style_plan("lbfgs", steps)
    assert isinstance(plan.optimizer, LBFGS)
    assert (plan.steps, plan.optimizer.evaluations, plan.keep) == (*expected, "last")
    built = plan.optimizer.build([torch.zeros(1, requires_grad=True)])
    told = built.param_groups[0]
    assert (told["max_iter"], told["max_eval"], told["history_size"], told["lr"]) == (expected[1], expected[1], 20, 1.0)
    assert (told["tolerance_grad"], told["tolerance_change"], told["line_search_fn"]) == (0.0, 0.0, "strong_wolfe")


def test_adam_takes_each_step_by_itself() -> None:
    plan = style_plan("adam", 7)
    assert (plan.steps, plan.keep) == (7, "best")
    assert isinstance(plan.optimizer, Adam)
    assert plan.optimizer.learning_rate == 4.0
