"""An evolution that is killed in the middle of a run goes on from there, and the same comes of it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from onnxray.cli.app import app
from onnxray.methods.fooling.encodings import Direct, Encoding
from onnxray.methods.fooling.kept_state import UNREADABLE, keep_state, kept_state
from onnxray.methods.fooling.pattern_networks import Patterns
from support.children import child
from support.killed import contents

BAR = "onnxray.cli.parts.method_command.progress_bar"
KILLED_AT = 14
KILLED = f"""
import contextlib, os, signal, sys
from onnxray.cli.app import app
from onnxray.cli.parts import method_command
from onnxray.methods.fooling import fooling_evolution

@contextlib.contextmanager
def bar():
    def tick(done, total, what):
        if done == {KILLED_AT}:
            os.kill(os.getpid(), signal.SIGKILL)
    yield tick

method_command.progress_bar, fooling_evolution._SHARE = bar, 1.0
app(sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("encoding", ["direct", "cppn"])
def test_a_killed_run_goes_on_in_the_middle_to_the_same_bytes(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No class is finished when the kill comes: what lies in the folder is the state alone."""
    words = [
        "attack",
        "fooling-evolution",
        "lenet",
        "--encoding",
        encoding,
        "--population",
        "12",
        "--generations",
        "20",
    ]
    ticks: list[int] = []

    @contextmanager
    def bar() -> Any:
        yield lambda done, total, what: ticks.append(done)

    whole = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "whole")])
    assert whole.exit_code == 0, whole.output
    process = child("-c", KILLED, *words, "-o", tmp_path / "run")
    _, error = process.communicate(timeout=120)
    assert process.returncode == -9, error
    monkeypatch.setattr(BAR, bar)
    again = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "run"), "--resume"])
    assert again.exit_code == 0, again.output
    assert 1 < ticks[0] <= KILLED_AT
    assert contents(tmp_path / "run", completed=True) == contents(tmp_path / "whole", completed=True)


@pytest.mark.parametrize("encoding", [Direct(shape=(1, 5, 6)), Patterns(shape=(3, 5, 6))])
def test_genomes_come_back_as_they_were(encoding: Encoding[Any]) -> None:
    random = np.random.default_rng(5)
    genomes = [encoding.drawn(random) for _ in range(4)]
    for generation in range(1, 6):
        genomes = [encoding.child(one, genomes[0], generation, random) for one in genomes]
    again = encoding.unpacked(encoding.packed(genomes))
    for one, other in zip(genomes, again):
        assert np.array_equal(encoding.picture(one), encoding.picture(other))
    states = [np.random.default_rng(7) for _ in range(2)]
    children = [encoding.child(some[1], some[2], 3, state) for some, state in zip((genomes, again), states)]
    assert np.array_equal(*map(encoding.picture, children))
    assert states[0].random() == states[1].random()


def test_what_is_no_state_is_as_good_as_none(tmp_path: Path) -> None:
    place = tmp_path / "evolution.npz"
    keep_state(tmp_path, {"run": 3}, {"sure": np.arange(3.0)})
    told, arrays = kept_state(tmp_path)
    assert told == {"run": 3}
    assert arrays["sure"].tolist() == [0, 1, 2]
    whole = place.read_bytes()
    for damaged in (b"", b"PK", whole[:-40], whole.replace(b"{", b"["), b"\x93NUMPY"):
        place.write_bytes(damaged)
        with pytest.raises(UNREADABLE):
            kept_state(tmp_path)
    place.unlink()
    with pytest.raises(UNREADABLE):
        kept_state(tmp_path)
