"""Small networks of timm by both of torch's exporters; ``benchmarks/support.py`` does the same with all families."""

import importlib.util
from pathlib import Path

import pytest
import torch

from support import exporting

if importlib.util.find_spec("timm") is None:
    pytest.skip("timm is not installed", allow_module_level=True)

NETWORKS = {
    "test_resnet": (96, {"zero_init_last": False}),
    "test_efficientnet": (96, {}),
    "test_nfnet": (96, {}),
    "test_convnext": (96, {}),
    "test_vit": (96, {"img_size": 96}),
    "test_maxvit": (96, {"img_size": 96}),
    "test_mambaout": (96, {}),
    "mobilenetv3_small_050": (64, {}),
    "ghostnet_050": (64, {}),
    "edgenext_xx_small": (64, {}),
    "poolformer_s12": (64, {}),
    "swin_tiny_patch4_window7_224": (
        56, {"img_size": 56, "window_size": 7, "embed_dim": 24, "depths": (2, 2), "num_heads": (2, 2)},
    ),
    "xcit_nano_12_p16_224": (64, {"img_size": 64}),
    "levit_128s": (224, {}),
    "sequencer2d_s": (56, {"img_size": 56, "layers": (1, 1, 1, 1)}),
}  # fmt: skip
DYNAMO, LEGACY = exporting.Exporter(dynamo=True, opset=20), exporting.Exporter(dynamo=False, opset=17)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small networks: threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("exporter", [DYNAMO, LEGACY], ids=lambda exporter: exporter.name)
@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_gradients_of_one_and_two_samples(name: str, exporter: exporting.Exporter, tmp_path: Path):
    if exporter.dynamo:
        pytest.importorskip("onnxscript")
    side, options = NETWORKS[name]
    net = exporting.calibrated(exporting.timm_network(name, **options), (side, side))
    reference = exporting.reference_of(net, (side, side))
    path = tmp_path / "net.onnx"
    exporting.export(net, (torch.from_numpy(reference.inputs[:1]),), exporter, path)
    assert exporting.check(path, reference).batch == "rewrite"
