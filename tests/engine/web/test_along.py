"""The slider stands where the run ended, on whatever line that is, and under the profile of the run alone."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxray.cli.parts.shared_options import Opening
from onnxray.errors import InputError
from onnxray.web.server.runs import Runs
from onnxray.web.server.store import Blobs
from onnxray.web.work import facts
from onnxray.web.work.along import along
from onnxray.web.work.bench import Bench
from onnxray.web.work.running import run
from support.auditing import digits

PATHS = [str(one.path) for one in digits(5)]


def ran(bench: Bench, folder: Path, path: list[str], **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run into a folder; its first item, and what the page is told of it."""
    run(bench, lambda told: None, folder=str(folder / "run"), path=path, pictures=[PATHS[0]], **options)
    document = json.loads((folder / "run" / "result.json").read_text())
    runs = Runs(folder / "out", None, Blobs(), folder)
    return document["items"][0], runs.document(next(iter(runs)))["items"][0]


@pytest.mark.parametrize(
    ("path", "options"),
    [
        (["lots"], {"targets": [PATHS[4]], "options": {"layer": "conv2"}}),
        (["lots"], {"target": "inhibit", "options": {"layer": "conv2", "until": "linf", "linf": "40"}}),
        (["lots"], {"targets": [PATHS[4]], "options": {"layer": "conv2", "steps": "10"}}),
        (["lots"], {"target": "inhibit", "options": {"layer": "conv2", "steps": "10", "step_size": "3"}}),
        (["attack", "pgd"], {"options": {"eps": "20"}}),
    ],
)  # fmt: skip
def test_the_saved_picture_is_where_the_slider_begins(tmp_path: Path, path: list[str], options: Any) -> None:
    bench = Bench(["lenet"], Opening())
    entry, told = ran(bench, tmp_path, path, **options)
    saved = np.asarray(Image.open(tmp_path / "run" / entry["files"]["image"]))
    found = along(bench, folder=str(tmp_path / "run"), item=0, scale=told["scale"])
    assert (np.asarray(Image.open(io.BytesIO(found["png"]))) == saved).all()
    assert found["own"] == told["scale"]
    assert found["linf"] == entry["linf"]
    assert told["lots"] == (path == ["lots"] and "steps" not in options["options"])


def test_a_run_of_another_profile_is_not_judged_under_this_one(tmp_path: Path) -> None:
    bench = Bench(["lenet"], Opening())
    _, told = ran(bench, tmp_path, ["attack", "fgsm"])
    folder = str(tmp_path / "run")
    facts.profile_restated(bench, model=0, fields={"scale": "1/128"})
    with pytest.raises(InputError, match="scale was 0.00390625, and is 0.0078125 now"):
        along(bench, folder=folder, item=0, scale=told["scale"])
    facts.profile_restated(bench, model=0, fields={"scale": None})
    assert along(bench, folder=folder, item=0, scale=0)["linf"] == 0
