"""Fixtures for all tests: a cache folder of each test's own, and the small models of ``support.models``."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import pytest

from support import models

if TYPE_CHECKING:
    from support.efficientnet import EfficientNetLite0


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, so that no test leans on what another, or the user, has verified."""
    folder = tmp_path / "onnxray-cache"
    monkeypatch.setenv("ONNXRAY_CACHE", str(folder))
    return folder


@pytest.fixture
def lenet() -> onnx.ModelProto:
    return models.lenet()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a model (or bytes) into the test's folder and give its path."""

    def give(model: onnx.ModelProto | bytes, name: str = "model.onnx") -> Path:
        path = tmp_path / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path

    return give


@pytest.fixture(scope="session")
def lite0(tmp_path_factory: pytest.TempPathFactory) -> "EfficientNetLite0":
    """EfficientNet-Lite0 with its ImageNet weights: file, torch network, profile; exported once a session."""
    from support import efficientnet

    if words := efficientnet.missing():
        pytest.skip(words)
    return efficientnet.efficientnet_lite0(tmp_path_factory.mktemp("lite0"))


@pytest.fixture(autouse=True)
def _logging_is_on() -> None:
    """Exporters and other libraries turn logging off, for all that run after them in the same process."""
    logging.disable(logging.NOTSET)
    logging.getLogger("onnxray").disabled = False
