"""Attacks on the bundled LeNet against foolbox's and torchattacks', the same steps from the same start, in CPU time.

64 digits, of which 20 are different. The others are given the torch module that `to_torch` makes of the file, from the
pixels to the logits; ours counts queries, judges what is saved by ONNX Runtime, and measures no picture. Square and
HopSkipJump ask ONNX Runtime for every answer, the others their torch module. One thread each, ONNX Runtime's sessions
too: a second one spins while it waits, which counts as time of the processor. PGD's perturbations are compared number
by number, DDN's by their median norm, with the others' module in float64: in float32 their loss has no slope where a
probability is nearly 1. Nearly nine tenths of PGD's and DDN's time is torch's own forward and backward pass, which both
sides run.
Needs foolbox and torchattacks: pip install --no-deps foolbox torchattacks.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measure import Row, Setting, print_rows, row_of, say, setting

COUNT = 64
EPS, STEP = 16.0, 0.8


def main() -> None:
    with setting(__doc__) as chosen:
        if any(importlib.util.find_spec(name) is None for name in ("foolbox", "torchattacks")):
            say("  foolbox or torchattacks is not installed: attacks are left out")
            print_rows([])
            return
        print_rows(measure(chosen))


def measure(chosen: Setting) -> list[Row]:
    import onnxruntime
    import torch
    from attacks import perturbed

    # In place of this folder, whose support.py is another one.
    sys.path[0] = str(Path(__file__).resolve().parent.parent / "tests")
    import onnxray
    import onnxray_models
    from support.attack_peers import logits_module

    torch.set_num_threads(1)
    onnxruntime.SessionOptions = one_thread()
    model, methods = onnxray.open("lenet"), onnxray.methods
    some = model.pixels([str(path) for path in onnxray_models.samples("lenet")]).array.astype(np.uint8)
    images = np.resize(some, (COUNT, *some.shape[1:]))
    with tempfile.TemporaryDirectory() as folder:
        exact = logits_module(model, "ip2", Path(folder))
    labels = torch.from_numpy(model.predict_classes(images).classes)
    pgd = methods.PGD(eps=EPS, step_size=STEP, random_start=False)
    ours = partial(perturbed, model=model, images=images)
    work: tuple[tuple[str, str, Any, Callable[[Any, Any], bool] | None, float], ...] = (
        ("PGD-40", "foolbox", pgd, same, 0.59),
        ("PGD-40", "torchattacks", pgd, same, 0.77),
        ("DDN-100", "foolbox", methods.DDN(levels=False), as_small, 0.7),
        # A grey level flips none of them, so that all squares are tried.
        ("Square-300", "torchattacks", methods.Square(eps=1.0, steps=299), None, 0.5),
        ("HopSkipJump-4", "foolbox", methods.HopSkipJump(steps=4), None, 0.5),
    )
    x = torch.from_numpy(images / 255)
    for (name, against, own, check, _), theirs in zip(work, others(exact, x, labels)):
        if check is not None and not check(ours(own), 255 * (theirs() - x).detach().numpy().reshape(COUNT, -1)):
            raise SystemExit(f"{name}: ours and {against}'s are not the same work")
    rows = []
    for (name, against, own, _, aim), theirs in zip(work, others(exact.float(), x.float(), labels)):
        pairs = [(_seconds(partial(ours, own)), _seconds(theirs)) for _ in range(chosen.rounds(5))]
        rows.append(row_of(name, against, "s", pairs, aim=aim))
    return rows


def one_thread() -> Any:
    """Options of a session that computes in the thread it is called in: what is opened from now on takes them."""
    import onnxruntime

    class Options(onnxruntime.SessionOptions):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.intra_op_num_threads = 1

    return Options


def others(module: Any, x: Any, labels: Any) -> list[Callable[[], Any]]:
    """What the other libraries do, on a module from pictures in [0, 1] to logits."""
    import foolbox
    import torchattacks

    peer = foolbox.PyTorchModel(module, bounds=(0, 1))
    fools = foolbox.attacks.LinfPGD(rel_stepsize=STEP / EPS, steps=40, random_start=False)
    torches = torchattacks.PGD(module, eps=EPS / 255, alpha=STEP / 255, steps=40, random_start=False)
    ddn, jump = foolbox.attacks.DDNAttack(steps=100), foolbox.attacks.HopSkipJumpAttack(steps=4)
    square = torchattacks.Square(module, eps=1 / 255, n_queries=300)
    return [
        lambda: fools.run(peer, x, labels, epsilon=EPS / 255), lambda: torches(x, labels),
        lambda: ddn.run(peer, x, labels), lambda: square(x, labels), lambda: jump.run(peer, x, labels),
    ]  # fmt: skip


def same(mine: Any, other: Any) -> bool:
    """All but one number in a hundred, which a gradient of zero, or nearly, sends another way."""
    return bool((np.abs(mine - other) < 1e-2).mean() > 0.99)


def as_small(mine: Any, other: Any) -> bool:
    """Median norms within a hundredth."""
    norms = [np.median(np.linalg.norm(one, axis=1)) for one in (mine, other)]
    return bool(abs(norms[0] / norms[1] - 1) < 0.01)


def _seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
