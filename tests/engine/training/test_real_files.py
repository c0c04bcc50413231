"""Real files: Constant nodes, batch normalisation, QDQ, half precision, weights that are inputs; where they are at hand."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import onnxray
from onnxray.graph.differences.files import differences
from onnxray.training import fine_tune, save
from support.paths import ROOT

ZOO = ROOT.parent / "shared" / "zoo"
FILES = {
    "inputs": "mnist-cntk-onnx/mnist.onnx",
    "constants and normalisation": "paddle-ocr/ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "qdq": "squeezenet-v1.1-onnx/squeezenet_v1.1_qdq_int8.onnx",
    "half": "squeezenet-v1.1-onnx/SqueezeNet_fp16.onnx",
}


@pytest.mark.parametrize(
    "what", ["inputs", *(pytest.param(one, marks=pytest.mark.slow) for one in FILES if one != "inputs")]
)
def test_a_real_file_is_trained_and_written(what: str, tmp_path: Path) -> None:
    path = ZOO / FILES[what]
    if not path.exists():
        pytest.skip("the folder of networks is not at hand")
    model = onnxray.open(path)
    assert model.profile is not None
    random = np.random.default_rng(0)
    images = random.uniform(0, 255, (2, *model.profile.shape)).astype(np.float32)

    def loss(values: dict[str, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(values["logits"].float().flatten(1), labels)

    trained = fine_tune(model, [(images, torch.tensor([0, 1]))], loss, epochs=2, rate=1e-5 if what == "half" else 1e-3)
    (written, *_) = save(trained, tmp_path / path.name)
    new = onnxray.open(written, model.profile)
    found = differences(model.graph, new.graph)
    assert found.only_weights
    assert found.tensors
    if what != "half":  # whose rounding of every layer is the judge's own
        assert new.verify(images).agrees
    session = onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].name == model.graph.inputs[0].name
    before, after = path.stat().st_size, written.stat().st_size
    assert before == after
