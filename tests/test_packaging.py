"""What is shipped: the wheel and the sdist carry the bundled model, its samples and every licence."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODEL = {"lenet.onnx", "lenet.toml", "CARD.md", "LICENSE-DATA.md", "samples/4_0.png"}


def build(target: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.iterdir()
    return built


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_the_bundled_model_and_the_licences_are_shipped(target: str, tmp_path: Path) -> None:
    built = build(target, tmp_path / "dist")
    if target == "wheel":
        with zipfile.ZipFile(built) as archive:
            names = archive.namelist()
            (entries,) = (archive.read(name).decode() for name in names if name.endswith("/entry_points.txt"))
        stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
        converters = {f"{kind} = {place}" for kind, place in stated["onnxray.converters"].items()}
        assert converters <= set(entries.splitlines())
        assert {f"{package}/py.typed" for package in ("onnxray", "onnxray_adapters", "onnxray_models")} <= set(names)
        assert not any(name.startswith(("tests/", "engine/", "models/")) for name in names)
    else:
        with tarfile.open(built) as archive:
            names = archive.getnames()
    for name in MODEL:
        assert any(shipped.endswith(f"onnxray_models/lenet/{name}") for shipped in names), name
    for name in ("imagenet.txt", "cifar100.txt", "LICENSE-torchvision"):
        assert any(shipped.endswith(f"onnxray_models/labels/{name}") for shipped in names), name
    assert any(shipped.endswith("LICENSE") for shipped in names)
    assert sum("lenet/samples/" in name and name.endswith(".png") for name in names) == 100
