"""ONNX files as programs of torch.export: the numbers are ONNX Runtime's, and nothing is left where they are not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.cli.app import app
from onnxray.errors import OutputError
from onnxray.model.torch_program import write_program


def test_the_program_gives_the_files_numbers_for_any_batch(tmp_path: Path) -> None:
    source, out = str(onnxray_models.path("lenet")), tmp_path / "lenet.pt2"
    result = CliRunner().invoke(app, ["convert", source, "-o", str(out)])
    assert result.exit_code == 0, result.stderr
    assert "off by at most" in result.stdout
    x = np.random.default_rng(0).standard_normal((3, 1, 28, 28)).astype(np.float32)
    model = onnxray.open(source)
    (known,) = model.judge.outputs({model.graph.inputs[0].name: x}).values()
    found = torch.export.load(out).module()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, known, rtol=1e-4, atol=1e-4)
    with pytest.raises(OutputError, match="is there already"):
        write_program(source, out)
    assert [path.name for path in tmp_path.iterdir()] == ["lenet.pt2"]
