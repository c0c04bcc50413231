"""What lies beside a model, in the folder that a user works in, is no program either."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import onnxray
from support import models
from support.paths import ROOT

TRAP = "open({mark!r}, 'a').write(__name__ + ' ')\nraise SystemExit(7)\n"
SHADOWS = ("multiprocessing", "socket", "runpy", "torch", "numpy", "onnxruntime", "sitecustomize", "usercustomize")


def test_a_child_takes_no_modules_from_the_working_folder(tmp_path: Path) -> None:
    """multiprocessing starts children, and its own helper process, by ``python -c``."""
    mark = tmp_path / "run"
    here = tmp_path / "downloaded"
    here.mkdir()
    for name in SHADOWS:
        (here / f"{name}.py").write_text(TRAP.format(mark=str(mark)))
    (here / "m.onnx").write_bytes(models.lenet().SerializeToString())
    program = "import sys; sys.path.remove(''); from onnxray.cli import main; main()"  # as the installed script starts
    done = subprocess.run(
        [sys.executable, "-c", program, "inspect", "m.onnx", "--timeout", "100"],
        cwd=here, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": _path()},
    )  # fmt: skip
    assert not mark.exists(), mark.read_text()
    assert done.returncode == 0, done.stderr
    assert "conv1" in done.stdout


def test_plots_are_drawn_by_no_program_of_a_file_beside(tmp_path: Path) -> None:
    """matplotlib reads ``matplotlibrc`` of the working folder; TeX is a program, and its preamble that file's."""
    mark = tmp_path / "run"
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "latex").write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
    (tools / "latex").chmod(0o755)
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\ntext.latex.preamble: \\\\input{/etc/hostname}\n")
    (tmp_path / "m.onnx").write_bytes(models.lenet().SerializeToString())
    program = "import sys; sys.path.remove(''); from onnxray.cli import main; main()"
    path = os.pathsep.join([str(tools), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-c", program, "visualize", "maximize", "m.onnx", "--target", "1", "--steps", "2", "-o", "out"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": _path(), "PATH": path},
    )  # fmt: skip
    assert not mark.exists()
    assert done.returncode == 0, done.stderr


def _path() -> str:
    return os.pathsep.join(str(ROOT / part) for part in ("engine", "models"))


@pytest.mark.parametrize("before", ["{outside}", "C:", "{outside}.deeper"])
def test_no_weight_leads_out_of_a_folder_that_torch_writes(before: str, tmp_path: Path) -> None:
    """GraphModule.to_folder saves each submodule to a file of its name."""
    outside = tmp_path / "outside"
    outside.mkdir()
    name = f"{before.format(outside=outside / 'x')}.weight"
    proto = models.parse("g (float[N,3] x) => (float[N,3] y) { y = Mul (x, w) }", {"w": models.random(0, 3)})
    proto.graph.initializer[0].name = name
    proto.graph.node[0].input[1] = name
    module = onnxray.to_torch(proto)
    with pytest.warns(UserWarning, match="Was not able to save"):
        module.to_folder(tmp_path / "written")
    assert list(outside.iterdir()) == []
    assert module.parameter_names[name].startswith("weights.")
