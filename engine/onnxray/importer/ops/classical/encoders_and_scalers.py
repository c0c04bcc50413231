"""``ai.onnx.ml``: what prepares features, and what follows a classifier.

The differentiable ones pass gradients to real inputs; Binarizer, OneHotEncoder and LabelEncoder have none. A vector is
one sample wherever ONNX Runtime takes it so. Strings are refused where they are read.
"""

from __future__ import annotations

import math
from typing import Any

import onnx
import torch
from torch import nn
from torch.nn import functional

from onnxray.errors import InputError
from onnxray.importer.nodes.scope import Converted, Converter, Converters, Scope
from onnxray.importer.ops.classical.class_scores import of_domain, real, reals, texts


class Scaler(nn.Module):
    """(x - offset) * scale, one number in all or one a feature; always float32."""

    offset: torch.Tensor
    scale: torch.Tensor

    def __init__(self, offset: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("offset", offset, persistent=False)
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shift and scale."""
        x = real(x)
        return ((x - self.offset.to(x.dtype)) * self.scale.to(x.dtype)).to(torch.float32)


def _scaler(scope: Scope) -> Converted:
    offset, scale = reals(scope, "offset"), reals(scope, "scale")
    _check_matrix(scope)
    if not offset.numel() or offset.numel() != scale.numel():
        raise scope.refuse(f"it has {offset.numel()} offsets and {scale.numel()} scales; as many of both were expected")
    return Converted(Scaler(offset, scale), scope.node.inputs)


class Normalizer(nn.Module):
    """x divided by a norm of its row: MAX, the largest number (with its sign, as ONNX Runtime has it), L1 or L2.

    A row whose norm is 0 stays as it is.
    """

    def __init__(self, norm: str) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Divide."""
        x = real(x)
        if self.norm == "MAX":
            size = x.amax(-1, keepdim=True)
        elif self.norm == "L1":
            size = x.abs().sum(-1, keepdim=True)
        else:
            squares = (x * x).sum(-1, keepdim=True)
            size = torch.where(squares > 0, squares, 1).sqrt()
        return (x / torch.where(size == 0, 1, size)).to(torch.float32)


def _normalizer(scope: Scope) -> Converted:
    norm = str(scope.attributes.get("norm", "MAX"))
    _check_matrix(scope)
    if norm not in {"MAX", "L1", "L2"}:
        raise scope.refuse(f"its norm is {norm!r}; MAX, L1 and L2 are known")
    return Converted(Normalizer(norm), scope.node.inputs)


class Binarizer(nn.Module):
    """1 where x > threshold, else 0. No gradient: it is zero wherever it exists."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compare."""
        return (x > self.threshold).to(x.dtype)


def _binarizer(scope: Scope) -> Converted:
    return Converted(Binarizer(float(scope.attributes.get("threshold", 0.0))), scope.node.inputs)


class Imputer(nn.Module):
    """The imputed value in place of the replaced one (which may be NaN), x elsewhere; the gradient is x's own."""

    imputed: torch.Tensor

    def __init__(self, imputed: torch.Tensor, replaced: float) -> None:
        super().__init__()
        self.replaced = replaced
        self.register_buffer("imputed", imputed, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Replace; one value a feature, or the first in all."""
        missing = torch.isnan(x) if math.isnan(self.replaced) else x == self.replaced
        fitting = self.imputed.numel() == x.shape[min(1, x.ndim - 1)]
        return torch.where(missing, (self.imputed if fitting else self.imputed[0]).to(x.dtype), x)


def _imputer(scope: Scope) -> Converted:
    get = scope.attributes.get
    _check_matrix(scope)
    floats, integers = get("imputed_value_floats", ()), get("imputed_value_int64s", ())
    if bool(len(floats)) == bool(len(integers)):
        raise scope.refuse("either imputed_value_floats or imputed_value_int64s was expected")
    if len(floats):
        return Converted(
            Imputer(torch.tensor(list(floats)), float(get("replaced_value_float", 0.0))), scope.node.inputs
        )
    return Converted(Imputer(torch.tensor(list(integers)), int(get("replaced_value_int64", 0))), scope.node.inputs)


class FeatureVectorizer(nn.Module):
    """The inputs side by side as float32, each cut or filled with zeros to its stated length."""

    def __init__(self, lengths: list[int]) -> None:
        super().__init__()
        self.lengths = lengths

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Join."""
        parts = []
        for x, length in zip(inputs, self.lengths):
            flat = real(x).reshape(1, -1) if x.ndim < 2 else real(x).flatten(1)
            parts.append(functional.pad(flat[:, :length], (0, max(0, length - flat.shape[1]))).to(torch.float32))
        return torch.cat(parts, 1)


def _feature_vectorizer(scope: Scope) -> Converted:
    lengths = [int(length) for length in scope.attributes.get("inputdimensions", ())]
    if len(lengths) != len(scope.node.inputs):
        raise scope.refuse(f"it has {len(lengths)} inputdimensions for {len(scope.node.inputs)} inputs")
    return Converted(FeatureVectorizer(lengths), scope.node.inputs)


class ArrayFeatureExtractor(nn.Module):
    """x[..., indices]; of a vector, a row."""

    def forward(self, x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        """Pick."""
        picked = x.index_select(x.ndim - 1, indices.reshape(-1).to(torch.int64))
        return picked.reshape(1, -1) if x.ndim == 1 else picked


def _array_feature_extractor(scope: Scope) -> Converted:
    value = scope.graph.values.get(scope.input(0))
    tensor = scope.graph.initializers.get(scope.input(0))
    strings = tensor is not None and tensor.data_type == onnx.TensorProto.STRING
    if strings or (value is not None and value.dtype == "object"):
        raise scope.refuse("it picks strings, which torch does not hold")
    return Converted(ArrayFeatureExtractor(), scope.node.inputs)


class ZipMap(nn.Module):
    """The scores as they are: a matrix, column k of which belongs to the k-th class that the node lists.

    The node's own output is a list of dictionaries, which is no tensor and is not compared with ONNX Runtime's.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pass over."""
        return x


def _zip_map(scope: Scope) -> Converted:
    return Converted(ZipMap(), scope.node.inputs)


class LabelEncoder(nn.Module):
    """The value that belongs to x among the keys, else the default; NaN is a key from version 4 on. No gradient."""

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, default: torch.Tensor, with_nan: bool) -> None:
        super().__init__()
        nan = keys.isnan() & with_nan
        order = keys[~keys.isnan()].argsort()
        self.register_buffer("keys", keys[~keys.isnan()][order], persistent=False)
        ordered = values[~keys.isnan()][order]
        self.register_buffer("values", torch.cat([ordered, default.reshape(1)]), persistent=False)
        self.nan = values[nan][:1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Look up."""
        count = len(self.keys)
        place = torch.searchsorted(self.keys, x.detach().contiguous()).clamp(max=max(count - 1, 0))
        found = (self.keys[place] == x) if count else torch.zeros_like(place, dtype=torch.bool)
        y = self.values[torch.where(found, place, count)]
        return torch.where(x.isnan(), self.nan.to(x.device), y) if len(self.nan) else y


def _label_encoder(scope: Scope) -> Converted:
    get = scope.attributes.get
    if scope.version == 1 or any(name in scope.attributes for name in ("keys_strings", "values_strings")):
        raise scope.refuse("it maps strings, which torch does not hold")
    keys, values = _column(scope, "keys"), _column(scope, "values")
    if keys is None or values is None or len(keys) != len(values):
        raise scope.refuse("keys and values of numbers, as many of both, were expected")
    default: Any = get("default_tensor")
    if default is not None:
        default = torch.from_numpy(onnx.numpy_helper.to_array(default).copy())
    elif values.dtype == torch.float32:
        default = torch.tensor(float(get("default_float", -0.0)))
    elif values.dtype == torch.int64:
        default = torch.tensor(int(get("default_int64", -1)))
    else:
        raise scope.refuse(f"its values are {values.dtype} and it has no default_tensor")
    if len(set(keys[~keys.isnan()].tolist())) + int(keys.isnan().sum()) != len(keys) or int(keys.isnan().sum()) > 1:
        raise scope.refuse("a key is repeated; the standard takes the last value of it and ONNX Runtime the first")
    return Converted(LabelEncoder(keys, values, default.to(values.dtype), scope.version >= 4), scope.node.inputs)


def _column(scope: Scope, name: str) -> torch.Tensor | None:
    """``keys`` or ``values`` in whatever attribute holds them."""
    get = scope.attributes.get
    tensor = get(f"{name}_tensor")
    if tensor is not None:
        if tensor.data_type == onnx.TensorProto.STRING:
            raise scope.refuse("it maps strings, which torch does not hold")
        return torch.from_numpy(onnx.numpy_helper.to_array(tensor).reshape(-1).copy())
    if f"{name}_int64s" in scope.attributes:
        return torch.tensor(list(scope.attributes[f"{name}_int64s"]), dtype=torch.int64)
    if f"{name}_floats" in scope.attributes:
        return torch.tensor(list(scope.attributes[f"{name}_floats"]), dtype=torch.float32)
    return None


class OneHotEncoder(nn.Module):
    """1 in the column of x's category, else 0, as float32 along a new last axis; x is truncated. No gradient."""

    categories: torch.Tensor

    def __init__(self, categories: torch.Tensor, zeros: bool) -> None:
        super().__init__()
        self.zeros = zeros
        self.register_buffer("categories", categories, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Encode; ``zeros``: an unknown category gives zeros alone, else it is an error."""
        hot = x.detach().to(torch.int64)[..., None] == self.categories
        if not self.zeros and not bool(hot.any(-1).all()):
            raise InputError("OneHotEncoder was given a category that it does not list, and its zeros is 0")
        return hot.to(torch.float32)


def _one_hot_encoder(scope: Scope) -> Converted:
    if texts(scope, "cats_strings"):
        raise scope.refuse("it encodes strings, which torch does not hold")
    categories = torch.tensor(list(scope.attributes.get("cats_int64s", ())), dtype=torch.int64)
    if not categories.numel() or len(set(categories.tolist())) != len(categories):
        raise scope.refuse("its cats_int64s are missing or repeated")
    return Converted(OneHotEncoder(categories, bool(scope.attributes.get("zeros", 1))), scope.node.inputs)


def _check_matrix(scope: Scope) -> None:
    """ONNX Runtime counts features along axis 1 of whatever it is given; vectors and matrices alone are plain."""
    rank = scope.rank(0)
    if rank is not None and rank not in {1, 2}:
        raise scope.refuse(f"its input has {rank} axes; one or two were expected")


def _refused(reason: str) -> Converter:
    def refuse(scope: Scope) -> Converted:
        raise scope.refuse(reason)

    return refuse


CONVERTERS: Converters = {
    **of_domain("Scaler", (1,), _scaler),
    **of_domain("Normalizer", (1,), _normalizer),
    **of_domain("Binarizer", (1,), _binarizer),
    **of_domain("Imputer", (1,), _imputer),
    **of_domain("FeatureVectorizer", (1,), _feature_vectorizer),
    **of_domain("ArrayFeatureExtractor", (1,), _array_feature_extractor),
    **of_domain("ZipMap", (1,), _zip_map),
    **of_domain("LabelEncoder", (1, 2, 4), _label_encoder),
    **of_domain("OneHotEncoder", (1,), _one_hot_encoder),
    **of_domain("CategoryMapper", (1,), _refused("it maps strings, which torch does not hold")),
    **of_domain("DictVectorizer", (1,), _refused("it reads dictionaries, which torch does not hold")),
    **of_domain("CastMap", (1,), _refused("it reads dictionaries, which torch does not hold")),
}
