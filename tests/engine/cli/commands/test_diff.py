"""onnxray diff: status 0 where only weights differ, 4 where the graph does; one document with --json."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

from onnxray.cli.app import app
from support import models


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    made = {name: models.lenet() for name in ("old", "same", "weights", "graph")}
    for name in ("weights", "graph"):
        tensor = made[name].graph.initializer[7]
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + np.float32(1), tensor.name))
    made["graph"].graph.node[1].op_type = "Tanh"
    for name, model in made.items():
        onnx.save(model, tmp_path / f"{name}.onnx")
    return {name: str(tmp_path / f"{name}.onnx") for name in made}


@pytest.mark.parametrize(
    ("new", "status", "said"),
    [
        ("same", 0, "nothing differs: 8 tensors"),
        ("weights", 0, "only weights differ: 1 of 8 tensors hold other numbers"),
        ("graph", 4, "the graph differs, in 1 place"),
    ],
)
def test_the_status_says_what_differs(files: dict[str, str], new: str, status: int, said: str) -> None:
    result = CliRunner().invoke(app, ["diff", files["old"], files[new]])
    assert result.exit_code == status
    assert said in result.stdout
    told = CliRunner().invoke(app, ["diff", files["old"], files[new], "--json"])
    assert told.exit_code == status
    document = json.loads(told.stdout)
    assert document["only_weights"] == (status == 0)
    assert document["summary"].startswith(said)
    if new != "same":
        (item,) = document["items"]
        assert (item["name"], item["changed"], item["count"]) == ("b4", 5, 5)
        assert item["largest"] == pytest.approx(1)
    assert len(document["graph"]) == (1 if status else 0)


def test_a_file_that_is_none_is_one_line(files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no model")
    result = CliRunner().invoke(app, ["diff", files["old"], str(tmp_path / "x.onnx")])
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1
