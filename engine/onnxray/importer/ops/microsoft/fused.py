"""``com.microsoft``'s fused operators, as onnxruntime's graph optimisers write them: products, activations, norms."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.nn import functional

from onnxray.importer.nodes.scope import Converted, Converter, Converters, Scope, for_versions
from onnxray.importer.ops.microsoft.layout import of_domain
from onnxray.importer.ops.neural import convolution, linear, normalization

Activation = Callable[[torch.Tensor], torch.Tensor]


def _activation(scope: Scope, given: list[float]) -> nn.Module:
    """The activation that is fused into a node, by its name and its parameters."""
    name = str(scope.attributes.get("activation", ""))
    first, second = [*given, 0.0, 0.0][:2]
    known: Mapping[str, Callable[[], nn.Module]] = {
        "": nn.Identity,
        "Relu": nn.ReLU,
        "Tanh": nn.Tanh,
        "Sigmoid": nn.Sigmoid,
        "LeakyRelu": lambda: nn.LeakyReLU(first if given else 0.01),
        "Clip": lambda: Clip(first, second),
        "HardSigmoid": lambda: HardSigmoid(*((first, second) if given else (0.2, 0.5))),
    }
    if (
        name not in known
        or (name in {"Clip", "HardSigmoid"} and len(given) not in {0, 2})
        or (name == "Clip" and not given)
    ):
        raise scope.refuse(f"its activation {name!r} with the parameters {given} is not known")
    return known[name]()


class Clip(nn.Module):
    """min(max(x, low), high)."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Clip."""
        return x.clamp(self.low, self.high)


class HardSigmoid(nn.Module):
    """max(0, min(1, alpha x + beta))."""

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute."""
        return (x * self.alpha + self.beta).clamp(0, 1)


class Activated(nn.Module):
    """activation(module(x, ...)); ``added``: the last input is added before the activation."""

    def __init__(self, module: nn.Module, activation: nn.Module, added: bool = False) -> None:
        super().__init__()
        self.module, self.activation, self.added = module, activation, added

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        """Compute."""
        if self.added:
            *others_, last = others
            return self.activation(self.module(x, *others_) + last)  # type: ignore[no-any-return]
        return self.activation(self.module(x, *others))  # type: ignore[no-any-return]


def _fused_conv(scope: Scope) -> Converted:
    given = [float(number) for number in scope.attributes.get("activation_params", ())]
    added = bool(scope.input(3))
    if added and not scope.input(2):
        raise scope.refuse("it adds a tensor and has no bias, which ONNX Runtime does not write")
    converted = convolution.CONVERTERS["", "Conv", 11](scope)
    module = Activated(converted.module, _activation(scope, given), added)
    return Converted(module, (*converted.inputs[:3], scope.input(3)) if added else converted.inputs)


def _fused_gemm(scope: Scope) -> Converted:
    get = scope.attributes.get
    names = [name for name in ("activation_alpha", "activation_beta", "activation_gamma") if name in scope.attributes]
    converted = linear.CONVERTERS["", "Gemm", 13](scope)
    return Converted(
        Activated(converted.module, _activation(scope, [float(get(name, 0.0)) for name in names])), converted.inputs
    )


class FusedMatMul(nn.Module):
    """alpha A' B', where a prime exchanges the last two axes, or moves the first axis behind the batch, on demand."""

    def __init__(self, alpha: float, transpose: tuple[bool, bool], batch: tuple[bool, bool]) -> None:
        super().__init__()
        self.alpha, self.transpose, self.batch = alpha, transpose, batch

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Multiply."""
        product = self._laid_out(a, 0) @ self._laid_out(b, 1)
        return product if self.alpha == 1 else product * self.alpha

    def _laid_out(self, x: torch.Tensor, side: int) -> torch.Tensor:
        if x.ndim < 2:
            return x
        if self.batch[side]:
            x = x.movedim(0, -2)
        return x.mT if self.transpose[side] else x


def _fused_matmul(scope: Scope) -> Converted:
    get = scope.attributes.get
    transpose = bool(get("transA", 0)), bool(get("transB", 0))
    batch = bool(get("transBatchA", 0)), bool(get("transBatchB", 0))
    return Converted(FusedMatMul(float(get("alpha", 1.0)), transpose, batch), scope.node.inputs)


class BiasActivation(nn.Module):
    """activation(x + bias); the bias may be left out."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """Compute."""
        return self.activation(x if bias is None else x + bias)


def _gelu(approximate: str) -> Converter:
    def convert(scope: Scope) -> Converted:
        gelu = nn.GELU(approximate=approximate)
        single = len(scope.node.inputs) == 1
        return Converted(gelu if single else BiasActivation(gelu), scope.node.inputs)

    return convert


class QuickGelu(nn.Module):
    """x * sigmoid(alpha x)."""

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute."""
        return x * torch.sigmoid(x * self.alpha)


def _quick_gelu(scope: Scope) -> Converted:
    return Converted(QuickGelu(float(scope.attributes.get("alpha", 1.702))), scope.node.inputs)


class SkipNorm(nn.Module):
    """norm(x + skip + bias), and that sum as the fourth output; ``simple``: divided by the root mean square alone."""

    def __init__(self, epsilon: float, simple: bool) -> None:
        super().__init__()
        self.epsilon, self.simple = epsilon, simple

    def forward(
        self,
        x: torch.Tensor,
        skip: torch.Tensor,
        gamma: torch.Tensor,
        beta: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor | None, ...]:
        """Add and normalise."""
        whole = x + skip if bias is None else x + skip + bias
        shape = whole.shape[-1:]
        if self.simple:
            y = functional.rms_norm(whole, shape, gamma, self.epsilon)
        else:
            y = functional.layer_norm(whole, shape, gamma, beta, self.epsilon)
        return y, None, None, whole


class SimpleSkipNorm(SkipNorm):
    """The same without a beta among the inputs."""

    def forward(  # type: ignore[override]
        self, x: torch.Tensor, skip: torch.Tensor, gamma: torch.Tensor, bias: torch.Tensor | None = None
    ) -> tuple[torch.Tensor | None, ...]:
        """Add and normalise."""
        return super().forward(x, skip, gamma, None, bias)


def _skip_norm(simple: bool) -> Converter:
    def convert(scope: Scope) -> Converted:
        statistics = set(scope.node.outputs[1:3]) & set(scope.used_outputs())
        if statistics:
            raise scope.refuse(f"its outputs {sorted(statistics)} are read, which ONNX Runtime's CPU does not compute")
        kind = SimpleSkipNorm if simple else SkipNorm
        epsilon = float(scope.attributes.get("epsilon", 1e-12))
        return Converted(kind(epsilon, simple), scope.node.inputs, several=True)

    return convert


class RootMeanSquareNorm(nn.Module):
    """x / sqrt(mean of x^2 over the axes from ``axis`` on, + epsilon) * scale, and the reciprocal of that root."""

    def __init__(self, axis: int, epsilon: float) -> None:
        super().__init__()
        self.axis, self.epsilon = axis, epsilon

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalise."""
        wide = normalization.widened(x)
        axes = tuple(range(self.axis % x.ndim, x.ndim))
        inverse = (wide.square().mean(axes, keepdim=True) + self.epsilon).rsqrt()
        return (wide * inverse).to(x.dtype) * scale, inverse


def _simplified(scope: Scope) -> Converted:
    get = scope.attributes.get
    return Converted(
        RootMeanSquareNorm(int(get("axis", -1)), float(get("epsilon", 1e-5))), scope.node.inputs, several=True
    )


class EmbedLayerNorm(nn.Module):
    """norm(word[ids] + position[place] + segment[kinds]), how many places of each row the mask shows, and the sum."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(
        self,
        ids: torch.Tensor,
        kinds: torch.Tensor | None = None,
        word: torch.Tensor | None = None,
        position: torch.Tensor | None = None,
        segment: torch.Tensor | None = None,
        gamma: torch.Tensor | None = None,
        beta: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        places: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Look up, add, normalise."""
        assert word is not None
        assert position is not None
        length = ids.shape[1]
        where = torch.arange(length, device=ids.device) if places is None else places.long()
        whole = word[ids.long()] + position[where]
        if segment is not None:
            whole = whole + (segment[0] if kinds is None else segment[kinds.long()])
        count = ids.new_zeros(len(ids)) if mask is None else (mask == 1).sum(1)
        return functional.layer_norm(whole, whole.shape[-1:], gamma, beta, self.epsilon), count.to(torch.int32), whole


def _embed(scope: Scope) -> Converted:
    if int(scope.attributes.get("mask_index_type", 1)) != 1:
        raise scope.refuse("its mask_index_type is not 1")
    return Converted(EmbedLayerNorm(float(scope.attributes.get("epsilon", 1e-12))), scope.node.inputs, several=True)


CONVERTERS: Converters = {
    **of_domain("FusedConv", _fused_conv),
    **of_domain("FusedGemm", _fused_gemm),
    **of_domain("FusedMatMul", _fused_matmul),
    **of_domain("TransposeMatMul", _fused_matmul),
    **of_domain("Gelu", _gelu("none")),
    **of_domain("BiasGelu", _gelu("none")),
    **of_domain("FastGelu", _gelu("tanh")),
    **of_domain("QuickGelu", _quick_gelu),
    **of_domain("SkipLayerNormalization", _skip_norm(simple=False)),
    **of_domain("SkipSimplifiedLayerNormalization", _skip_norm(simple=True)),
    **of_domain("EmbedLayerNormalization", _embed),
    **for_versions("SimplifiedLayerNormalization", tuple(range(1, 29)), _simplified),
    **for_versions("LayerNormalization", tuple(range(1, 17)), normalization.CONVERTERS["", "LayerNormalization", 17]),
}
"""The last two are ONNX Runtime's own in the standard domain, at any opset (LayerNormalization below 17)."""
