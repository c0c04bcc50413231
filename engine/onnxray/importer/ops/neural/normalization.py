"""Batch, instance, layer, group and RMS normalisation, all versions.

BatchNormalization's versions differ in how they say that a node is training. What is computed in half precision is
computed in float32 inside, as the standard's ``stash_type`` asks; doubles stay doubles.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions


class BatchNorm(_BatchNorm):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias along axis 1, for any number of axes."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Normalise by the stored statistics."""
        assert self.running_mean is not None
        assert self.running_var is not None
        return normalised(input, self.weight, self.bias, self.running_mean, self.running_var, self.eps)


class ComputedBatchNorm(nn.Module):
    """The same with statistics or scales that the graph computes; ``spatial`` false: a statistic for every place."""

    def __init__(self, epsilon: float, spatial: bool = True) -> None:
        super().__init__()
        self.epsilon, self.spatial = epsilon, spatial

    def forward(
        self, x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor
    ) -> torch.Tensor:
        """Normalise along axis 1."""
        return normalised(x, scale, bias, mean, variance, self.epsilon, self.spatial)


def normalised(
    x: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    epsilon: float,
    spatial: bool = True,
) -> torch.Tensor:
    """x * factor + (bias - mean * factor) with factor = scale / sqrt(variance + epsilon), all a number a channel.

    Not by torch's own batch_norm: on the CPU its gradient is wrong (torch 2.13) for one sample where the gradient that
    comes in looks channels_last and has an odd first stride, as it does behind Reshape, Transpose and MatMul.
    """
    along = (-1, *(1,) * (x.ndim - 2)) if spatial else tuple(x.shape[1:])
    wide = widened(x)
    scale, bias, mean, variance = (part.to(wide.dtype).reshape(along) for part in (scale, bias, mean, variance))
    factor = (variance + epsilon).rsqrt() * scale
    return torch.addcmul(bias - mean * factor, wide, factor).to(x.dtype)


class TrainingBatchNorm(nn.Module):
    """Normalised with the batch's own mean and population variance; the running ones, updated, are outputs too."""

    def __init__(self, epsilon: float, momentum: float) -> None:
        super().__init__()
        self.epsilon, self.momentum = epsilon, momentum

    def forward(
        self, x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """running = running * momentum + batch * (1 - momentum)."""
        wide = widened(x)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        batch_variance, batch_mean = torch.var_mean(wide, axes, correction=0)
        along = (-1, *(1,) * (x.ndim - 2))
        factor = (batch_variance + self.epsilon).rsqrt() * scale
        y = (wide - batch_mean.reshape(along)) * factor.reshape(along) + bias.reshape(along)
        running = (
            old * self.momentum + new * (1 - self.momentum)
            for old, new in ((mean, batch_mean), (variance, batch_variance))
        )
        new_mean, new_variance = (new.to(mean.dtype) for new in running)
        return y.to(x.dtype), new_mean, new_variance


def widened(x: torch.Tensor) -> torch.Tensor:
    """Half-precision numbers in float32."""
    return x.float() if x.dtype in {torch.float16, torch.bfloat16} else x


def _batch_normalization(scope: Scope) -> Converted:
    get = scope.attributes.get
    epsilon, spatial = float(get("epsilon", 1e-5)), bool(get("spatial", 1))
    if scope.version >= 14 and get("training_mode", 0):
        training = TrainingBatchNorm(epsilon, float(get("momentum", 0.9)))
        return Converted(training, scope.node.inputs, several=True)
    if (scope.version < 7 and not get("is_test", 0)) or len(scope.used_outputs()) > 1:
        raise scope.refuse(f"a node of version {scope.version} in training mode; export the model for inference")
    constants = [scope.constant(position) for position in range(1, 5)]
    if not spatial or scope.rank() == 1 or not all(isinstance(constant, nn.Parameter) for constant in constants):
        return Converted(ComputedBatchNorm(epsilon, spatial), scope.node.inputs[:5])
    scale, bias, mean, variance = (constant for constant in constants if isinstance(constant, nn.Parameter))
    module = BatchNorm(scale.shape[0], eps=epsilon, device="meta")
    module.weight, module.bias = scale, bias
    module.running_mean, module.running_var, module.num_batches_tracked = mean.data, variance.data, None
    return Converted(module, scope.node.inputs[:1])


class GroupNorm(nn.Module):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias, with the statistics of each sample's groups of channels.

    ``groups`` None: a group a channel. ``by_group``: scale and bias hold a number a group instead of one a channel.
    """

    def __init__(self, groups: int | None, epsilon: float, by_group: bool) -> None:
        super().__init__()
        self.groups, self.epsilon, self.by_group = groups, epsilon, by_group

    def forward(self, x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Normalise each group."""
        groups = self.groups or x.shape[1]
        if self.by_group:
            scale, bias = (part.repeat_interleave(x.shape[1] // groups) for part in (scale, bias))
        return torch.group_norm(x, groups, scale, bias, self.epsilon)


def _instance_normalization(scope: Scope) -> Converted:
    return Converted(GroupNorm(None, _epsilon(scope), by_group=False), scope.node.inputs)


def _group_normalization(scope: Scope) -> Converted:
    groups = int(scope.attributes.get("num_groups", 0))
    if groups < 1:
        raise scope.refuse(f"its num_groups is {groups}; at least 1 was expected")
    return Converted(GroupNorm(groups, _epsilon(scope), by_group=scope.version < 21), scope.node.inputs)


class LayerNorm(nn.Module):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias, with the statistics of all axes from ``axis`` on."""

    def __init__(self, axis: int, epsilon: float) -> None:
        super().__init__()
        self.axis, self.epsilon = axis, epsilon

    def forward(self, x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise; scale and bias may be smaller than the normalised axes."""
        shape = x.shape[self.axis :]
        if scale.shape == shape and (bias is None or bias.shape == shape):
            return functional.layer_norm(x, shape, scale, bias, self.epsilon)
        y = functional.layer_norm(x, shape, None, None, self.epsilon) * scale
        return y if bias is None else y + bias


class LayerNormWithStatistics(LayerNorm):
    """The same, with the mean and 1 / sqrt(variance + epsilon) as outputs."""

    def forward(  # type: ignore[override]
        self, x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Normalise."""
        wide = widened(x)
        axis = self.axis if self.axis >= 0 else x.ndim + self.axis
        variance, mean = torch.var_mean(wide, list(range(axis, x.ndim)), correction=0, keepdim=True)
        inverse = (variance + self.epsilon).rsqrt()
        y = ((wide - mean) * inverse).to(x.dtype) * scale
        return y if bias is None else y + bias, mean, inverse


def _layer_normalization(scope: Scope) -> Converted:
    axis = int(scope.attributes.get("axis", -1))
    if scope.attributes.get("stash_type", 1) not in {0, 1, 11}:
        raise scope.refuse(f"its stash_type is {scope.attributes['stash_type']}; float32 and double are known")
    if set(scope.used_outputs()) - {scope.node.outputs[0]}:
        return Converted(LayerNormWithStatistics(axis, _epsilon(scope)), scope.node.inputs, several=True)
    return Converted(LayerNorm(axis, _epsilon(scope)), scope.node.inputs)


class RMSNorm(nn.Module):
    """x / sqrt(mean of x^2 + epsilon) * scale, with the mean over all axes from ``axis`` on."""

    def __init__(self, axis: int, epsilon: float) -> None:
        super().__init__()
        self.axis, self.epsilon = axis, epsilon

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Normalise in float32 at least, then scale in the type of the scale."""
        wide = widened(x)
        axis = self.axis if self.axis >= 0 else x.ndim + self.axis
        mean = (wide * wide).mean(tuple(range(axis, x.ndim)), keepdim=True)
        return (wide * (mean + self.epsilon).rsqrt()).to(scale.dtype) * scale


def _rms_normalization(scope: Scope) -> Converted:
    if scope.attributes.get("stash_type", 1) not in {1, 11}:
        raise scope.refuse(f"its stash_type is {scope.attributes['stash_type']}; float32 and double are known")
    return Converted(RMSNorm(int(scope.attributes.get("axis", -1)), _epsilon(scope)), scope.node.inputs)


def _epsilon(scope: Scope) -> float:
    return float(scope.attributes.get("epsilon", 1e-5))


CONVERTERS: Converters = {
    **for_versions("BatchNormalization", (1, 6, 7, 9, 14, 15), _batch_normalization),
    **for_versions("InstanceNormalization", (1, 6, 22), _instance_normalization),
    **for_versions("GroupNormalization", (18, 21), _group_normalization),
    **for_versions("LayerNormalization", (17,), _layer_normalization),
    **for_versions("RMSNormalization", (23,), _rms_normalization),
}
