"""What the outputs of real networks are said to be, and what is answered with them."""

from __future__ import annotations

import numpy as np
import pytest

import onnxray
from conformance import zoo
from onnxray.graph.outputs.output_kinds import answered_output, outputs_of
from onnxray.graph.reading import read_graph

beside = pytest.mark.skipif(not zoo.files(), reason="no models in ../shared/zoo, nor where ONNXRAY_ZOO says")

REAL = {
    "ultraface/version-RFB-320.onnx": ("boxes", {"scores": "box scores", "boxes": "boxes"}),
    "mtcnn/pnet.onnx": ("conv2d_4", {"conv2d_4": "boxes", "softmax": "box scores"}),
    "mtcnn/onet.onnx": ("softmax_2", {"dense_5": "regression", "dense_6": "regression", "softmax_2": "classes"}),
    "mobilefacenet-vface-onnx/mobilefacenet.onnx": ("embedding", {"embedding": "embedding"}),
    "paddle-ocr/ch_ppocr_mobile_v2.0_cls_infer.onnx": (
        "save_infer_model/scale_0.tmp_1", {"save_infer_model/scale_0.tmp_1": "classes"},
    ),
    "minifasnet-v2/minifasnet_v2.onnx": ("logits", {"logits": "logits"}),
    "squeezenet-v1.1-onnx/squeezenet_v1.1_qop_uint8.onnx": ("softmaxout_1", {"softmaxout_1": "classes"}),
    "mnist-cntk-onnx/mnist.onnx": ("Plus214_Output_0", {"Plus214_Output_0": "logits"}),
}  # fmt: skip


@beside
@pytest.mark.parametrize("path", REAL)
def test_kinds(path: str) -> None:
    graph = read_graph(zoo.folder() / path)
    answered, kinds = REAL[path]
    assert answered_output(graph).name == answered
    assert {one.name: one.kind for one in outputs_of(graph)} == kinds


@beside
def test_boxes_of_ultraface_are_the_files_own() -> None:
    model = onnxray.open(zoo.folder() / "ultraface" / "version-RFB-320.onnx")
    image = zoo.folder() / "data-photos" / "cat.jpg"
    raw = model.values(image, ["scores", "boxes"])
    found = model.predict(image)
    (own,) = found.samples
    faces = raw["scores"][0, :, 1]
    assert own.rows.tolist() == [k for k in np.argsort(-faces, kind="stable") if faces[k] > 0.5]
    np.testing.assert_array_equal(own.boxes, raw["boxes"][0, own.rows].astype(np.float64))
    np.testing.assert_array_equal(own.scores, faces[own.rows].astype(np.float64))
    assert model.verdict(image) is None
