"""kill -9 at any moment: what is finished is taken over, nothing is done twice but what was in hand, same document."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.audits import write_model, write_pictures
from support.paths import ROOT

CHUNK = 8
"""Pictures of a unit of Brightness."""


def start(folder: Path, out: Path, log: Path, executor: str, seconds: float) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(str(ROOT / part) for part in ("engine", "adapters", "models", "tests"))
    return subprocess.Popen(
        [sys.executable, "-m", "support.killed_audit", folder, str(seconds), executor, out, log],
        env={**os.environ, "PYTHONPATH": path},
    )


def document(out: Path) -> dict[str, Any]:
    told = json.loads((out / "report" / "audit.json").read_bytes())
    del told["run"]
    for one in told["results"]:  # where each of the two audits tells what it measures
        one["options"].pop("log", None)
        one.pop("params")
        one.pop("key")
    return told


def killed(tmp_path: Path, executor: str, models: int, pictures: int, seconds: float, moments: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for seed in range(models):
        write_model(folder / f"{seed}.onnx", seed)
    write_pictures(folder / "images", pictures)
    whole = start(folder, tmp_path / "whole", tmp_path / "whole-log", executor, seconds)
    begun = time.monotonic()
    assert whole.wait() == 0
    lasted = time.monotonic() - begun
    out, log, kills = tmp_path / "out", tmp_path / "log", 0
    drawn = random.Random(0)
    for _ in range(moments):
        process = start(folder, out, log, executor, seconds)
        try:
            process.wait(drawn.uniform(0.2, 1.0) * lasted)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    assert start(folder, out, log, executor, seconds).wait() == 0
    assert json.dumps(document(out)) == json.dumps(document(tmp_path / "whole"))
    lines = log.read_text().splitlines()
    assert len(set(lines)) == models * pictures
    workers = 2 if executor == "processes" else 1
    assert len(lines) - len(set(lines)) <= kills * workers * CHUNK, "only what was in hand is done again"


def test_a_killed_audit_goes_on(tmp_path: Path) -> None:
    killed(tmp_path, "inline", models=2, pictures=24, seconds=0.1, moments=2)


@pytest.mark.slow
def test_an_audit_that_is_killed_at_twenty_moments_goes_on(tmp_path: Path) -> None:
    killed(tmp_path, "processes", models=4, pictures=200, seconds=0.1, moments=20)
