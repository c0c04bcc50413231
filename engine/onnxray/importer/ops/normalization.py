"""BatchNormalization and LayerNormalization as inference does them; versions differ in how they tell training."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from onnxray.importer.scope import Converted, Converters, Scope, for_versions


class BatchNorm(_BatchNorm):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias along axis 1, for any number of axes."""

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Any rank will do."""


class ComputedBatchNorm(nn.Module):
    """The same with statistics or scales that the graph computes."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(
        self, x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor
    ) -> torch.Tensor:
        """Normalise along axis 1."""
        return nn.functional.batch_norm(x, mean, variance, scale, bias, training=False, eps=self.epsilon)


def _batch_normalization(scope: Scope) -> Converted:
    get = scope.attributes.get
    if get("training_mode", 0) or (scope.version < 7 and not get("is_test", 0)) or len(scope.used_outputs()) > 1:
        raise scope.refuse("the node is in training mode; export the model for inference")
    if not get("spatial", 1):
        raise scope.refuse("spatial=0 (statistics an activation) is not known to torch")
    epsilon = float(get("epsilon", 1e-5))
    constants = [scope.constant(position) for position in range(1, 5)]
    if not all(isinstance(constant, nn.Parameter) for constant in constants):
        return Converted(ComputedBatchNorm(epsilon), scope.node.inputs[:5])
    scale, bias, mean, variance = (constant for constant in constants if isinstance(constant, nn.Parameter))
    module = BatchNorm(scale.shape[0], eps=epsilon, device="meta")
    module.weight, module.bias = scale, bias
    module.running_mean, module.running_var, module.num_batches_tracked = mean.data, variance.data, None
    return Converted(module, scope.node.inputs[:1])


class LayerNorm(nn.Module):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias over the axes from ``axis`` on, whatever their lengths."""

    def __init__(self, axis: int, epsilon: float) -> None:
        super().__init__()
        self.axis, self.epsilon = axis, epsilon

    def forward(self, x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise; scale and bias may be broadcast."""
        shape = x.shape[self.axis :]
        if scale.shape == shape and (bias is None or bias.shape == shape):
            return nn.functional.layer_norm(x, shape, scale, bias, self.epsilon)
        normalised = nn.functional.layer_norm(x, shape, eps=self.epsilon) * scale
        return normalised if bias is None else normalised + bias


def _layer_normalization(scope: Scope) -> Converted:
    if len(scope.used_outputs()) > 1 or scope.attributes.get("stash_type", 1) != 1:
        raise scope.refuse("its mean or deviation is read, or it computes in another type")
    module = LayerNorm(int(scope.attributes.get("axis", -1)), float(scope.attributes.get("epsilon", 1e-5)))
    return Converted(module, scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("BatchNormalization", (1, 6, 7, 9, 14, 15), _batch_normalization),
    **for_versions("LayerNormalization", (17,), _layer_normalization),
}
