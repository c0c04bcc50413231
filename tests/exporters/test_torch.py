"""What torch's exporters write of the building blocks of today's networks, without timm."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from support import exporting

SIDE = 16
WIDTH = 8
DYNAMO = importlib.util.find_spec("onnxscript") is not None
EXPORTERS = [exporting.Exporter(dynamo=False, opset=opset) for opset in (11, 13, 17)]
EXPORTERS += [exporting.Exporter(dynamo=True, opset=opset) for opset in (20, 23)] if DYNAMO else []


class ConvNet(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(),
            nn.MaxPool2d(3, 2, 1), nn.Conv2d(WIDTH, 2 * WIDTH, 3, groups=2, dilation=2), nn.LeakyReLU(0.1),
            nn.AvgPool2d(2, ceil_mode=True), nn.ConvTranspose2d(2 * WIDTH, WIDTH, 2, stride=2), nn.Hardswish(),
            nn.Upsample(scale_factor=2, mode="bilinear"), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Dropout(), nn.Linear(WIDTH, 5), nn.Softmax(1),
        )  # fmt: skip


class SqueezeExcite(nn.Module):
    """Per-channel gates from the mean of the picture, on a depthwise convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, 3, stride=2)
        self.depthwise = nn.Conv2d(WIDTH, WIDTH, 5, padding=2, groups=WIDTH)
        self.reduce, self.expand = nn.Conv2d(WIDTH, 4, 1), nn.Conv2d(4, WIDTH, 1)
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.depthwise(F.hardswish(self.stem(x)))
        x = x * F.hardsigmoid(self.expand(F.relu6(self.reduce(x.mean((2, 3), keepdim=True)))))
        return self.head(x.mean((2, 3)))


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7, LayerNorm over the channels, an inverted bottleneck with GELU, a layer scale."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, 4, stride=4)
        self.depthwise = nn.Conv2d(WIDTH, WIDTH, 7, padding=3, groups=WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.scale = nn.Parameter(1e-6 * torch.ones(WIDTH))
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.narrow(F.gelu(self.wide(y)))
        return self.head((x + y.permute(0, 3, 1, 2)).mean((-2, -1)))


class Attention(nn.Module):
    """Queries, keys and values from one linear layer; ``fused``: by torch's own function."""

    def __init__(self, *, fused: bool) -> None:
        super().__init__()
        self.fused = fused
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        samples, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(samples, tokens, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
        if self.fused:
            mixed = F.scaled_dot_product_attention(q, k, v)
        else:
            mixed = (q * (width // 2) ** -0.5 @ k.transpose(-2, -1)).softmax(-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(samples, tokens, width))


class ViT(nn.Module):
    """Patches, a class token, a learned position, one block."""

    def __init__(self, *, fused: bool = False) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 4, stride=4)
        self.token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.position = nn.Parameter(torch.zeros(1, (SIDE // 4) ** 2 + 1, WIDTH))
        self.attention = Attention(fused=fused)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH, eps=1e-6) for _ in range(3))
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 16), nn.GELU(), nn.Linear(16, WIDTH))
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.position
        x = x + self.attention(self.norms[0](x))
        x = x + self.mlp(self.norms[1](x))
        return self.head(self.norms[2](x)[:, 0])


class ShiftedWindows(nn.Module):
    """Swin: the picture rolled by half a window, attention inside windows with a mask and a position bias."""

    def __init__(self, side: int = 4, window: int = 2) -> None:
        super().__init__()
        self.side, self.window = side, window
        self.patches = nn.Conv2d(3, WIDTH, SIDE // side, stride=SIDE // side)
        self.norm, self.qkv = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH)
        self.bias = nn.Parameter(torch.zeros((2 * window - 1) ** 2))
        rows = torch.arange(window).repeat_interleave(window)
        columns = torch.arange(window).repeat(window)
        index = (rows[:, None] - rows + window - 1) * (2 * window - 1) + columns[:, None] - columns + window - 1
        self.register_buffer("index", index)
        region = torch.zeros(1, side, side, 1)
        region[:, -1:] += 1
        region[:, :, -1:] += 2
        region = self.windows(region.roll((-1, -1), (1, 2))).squeeze(-1)
        self.register_buffer("mask", (region[:, None] != region[:, :, None]).float() * -100)
        self.head = nn.Linear(WIDTH, 5)

    def windows(self, x: torch.Tensor) -> torch.Tensor:
        samples, _, _, width = x.shape
        many, w = self.side // self.window, self.window
        return x.view(samples, many, w, many, w, width).transpose(2, 3).reshape(-1, w * w, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).permute(0, 2, 3, 1)
        samples, side, _, width = x.shape
        many, w = side // self.window, self.window
        q, k, v = self.qkv(self.windows(self.norm(x).roll((-1, -1), (1, 2)))).chunk(3, dim=-1)
        scores = q @ k.transpose(-2, -1) + self.bias[self.index.view(-1)].view(w * w, w * w)
        scores = scores.view(samples, many * many, w * w, w * w) + self.mask
        y = scores.view(-1, w * w, w * w).softmax(-1) @ v
        y = y.view(samples, many, many, w, w, width).transpose(2, 3).reshape(samples, side, side, width)
        return self.head((x + y.roll((1, 1), (1, 2))).mean((1, 2)))


class Recurrent(nn.Module):
    """Rows by a two-way LSTM, then by a GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3 * SIDE, WIDTH, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(2 * WIDTH, WIDTH, batch_first=True)
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, _ = self.lstm(x.permute(0, 2, 1, 3).flatten(2))
        x, _ = self.gru(x)
        return self.head(x[:, -1])


class StandardisedWeights(nn.Module):
    """NFNet: the convolution's weights are computed from the stored ones; GroupNorm, PReLU, reflection."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.gain = nn.Parameter(torch.randn(WIDTH, 3, 3, 3)), nn.Parameter(torch.ones(WIDTH, 1, 1, 1))
        self.norm, self.act, self.head = nn.GroupNorm(4, WIDTH), nn.PReLU(WIDTH), nn.Linear(WIDTH * 4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        weight = self.gain * weight * torch.rsqrt(weight.square().sum((1, 2, 3), keepdim=True) + 1e-4)
        x = self.act(self.norm(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight)))
        return self.head(F.avg_pool2d(F.silu(x), 8).flatten(1))


NETWORKS = {
    "conv net": ConvNet, "squeeze-excite": SqueezeExcite, "ConvNeXt block": ConvNeXtBlock, "ViT": ViT,
    "ViT, fused attention": lambda: ViT(fused=True), "shifted windows": ShiftedWindows, "LSTM and GRU": Recurrent,
    "standardised weights": StandardisedWeights,
}  # fmt: skip


@pytest.mark.parametrize("exporter", EXPORTERS, ids=lambda exporter: exporter.name)
@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_gradients_of_one_and_two_samples(name: str, exporter: exporting.Exporter, tmp_path: Path):
    if name == "ViT, fused attention" and exporter.opset < 14:
        pytest.skip("the legacy exporter writes scaled_dot_product_attention from opset 14 on")
    torch.manual_seed(0)
    net = exporting.calibrated(exporting.nudged(NETWORKS[name]()), (SIDE, SIDE))
    reference = exporting.reference_of(net, (SIDE, SIDE))
    path = tmp_path / "net.onnx"
    exporting.export(net, (torch.from_numpy(reference.inputs[:1]),), exporter, path)
    assert exporting.check(path, reference).batch == "rewrite"


@pytest.mark.skipif(not DYNAMO, reason="the default exporter needs onnxscript")
@pytest.mark.parametrize("network", [ConvNet, ViT, ShiftedWindows])
def test_dynamic_batch(network: type[nn.Module], tmp_path: Path):
    torch.manual_seed(0)
    net = exporting.calibrated(exporting.nudged(network()), (SIDE, SIDE))
    reference = exporting.reference_of(net, (SIDE, SIDE))
    path = tmp_path / "net.onnx"
    free = ({0: torch.export.Dim("batch")},)
    with exporting.quiet(), torch.no_grad():
        torch.onnx.export(
            net, (torch.from_numpy(reference.inputs),), path, dynamo=True, dynamic_shapes=free, external_data=False,
            verbose=False,
        )  # fmt: skip
    finding = exporting.check(path, reference)
    assert finding.batch == "free"
