"""What the document of a command without a method states: its options, and the seconds of its own work."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.cli.parts.document import Work
from onnxray.images.files import png_bytes
from onnxray.results.journal import Ended, Journal
from support import models

FOUR = next(str(path) for path in onnxray_models.samples("lenet") if path.stem == "4_0")
BLUR = "n (float[N,3,H,W] x) => (float[N,3,H,W] y) { y = Identity (x) }"


def document(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("classify", "lenet", FOUR, "--top", 3), {"top": 3}),
        (("verify", "lenet", "--tolerance", 0.01), {"tolerance": 0.01}),
        (("values", "lenet", FOUR, "--value", "ip*", "--engine", "twin"), {"value": ["ip*"], "engine": "twin"}),
        (("saliency", "layers", "lenet", "--value", "ip1"), {"value": "ip1"}),
        (("inspect", "lenet"), {}),
    ],
    ids=lambda part: part[0] if isinstance(part, tuple) else "",
)
def test_options_and_seconds_are_recorded(arguments: tuple[object, ...], options: Any, tmp_path: Path) -> None:
    started = time.perf_counter()
    result = document(*arguments, "-o", tmp_path / "run")
    assert 0 < result["seconds"] < time.perf_counter() - started
    assert result["method"]["options"] == options
    assert json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8")) == result
    assert result["command"][0] == "onnxray"


def test_apply_records_its_own_and_no_other_run_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(models.parse(BLUR, {}).SerializeToString())
    (tmp_path / "photo.png").write_bytes(png_bytes(np.zeros((3, 8, 8), np.uint8)))
    command = ("apply", tmp_path / "net.onnx", tmp_path / "photo.png", "--profile", "raw", "-o", tmp_path / "run")
    result = document(*command, "--range", "255", "--overlap", 0)
    assert result["method"] == {"name": "apply", "options": {"range": "255", "size": 1024, "overlap": 0}}
    assert result["seconds"] > 0


def test_seconds_of_a_run_in_parts_are_those_of_all_parts() -> None:
    ended = {(0,): Ended(seconds=2.0), (1,): Ended(seconds=5.0)}
    assert Journal(run={}, ended=ended).seconds == 5.0
    assert Journal(run={}).seconds == 0.0
    work = Work(onnxray.open("lenet"), "values", {})
    assert 5.0 <= work.document([], earlier=5.0)["seconds"] < 5.0 + time.perf_counter() - work.started + 0.001


@pytest.mark.parametrize(
    "arguments", [("values", "--value", "x", "--engine", "jugde"), ("apply", "--range", "256")], ids=lambda a: a[0]
)
def test_a_choice_that_is_none_is_wrong_usage_before_anything_is_opened(arguments: tuple[str, ...]) -> None:
    command, *options = arguments
    result = CliRunner().invoke(app, [command, "missing.onnx", FOUR, *options])
    assert result.exit_code == 2
    assert f"'{options[-1]}' is not one of" in " ".join(result.stderr.replace("│", " ").split())
