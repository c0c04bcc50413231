"""``com.microsoft``'s attention, as onnxruntime's transformer optimiser writes it, computed as its CPU does.

softmax(scale Q K' + masks) V. A padding mask adds ``mask_filter_value`` where it says 0. Key and value caches, packed
projections and boxes of heads in one tensor are refused by name.
"""

from __future__ import annotations

import torch
from torch import nn

from onnxray.importer.nodes.scope import Converted, Converters, Scope
from onnxray.importer.ops.microsoft.layout import of_domain, refused


def by_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """(batch, length, heads * size) as (batch, length, heads, size)."""
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads)


class Core:
    """The attention of given heads: (batch, heads, length, size) for queries, keys and values."""

    def __init__(self, scope: Scope) -> None:
        get = scope.attributes.get
        self.heads = int(get("num_heads", 0))
        self.causal = bool(get("unidirectional", 0))
        self.filter = float(get("mask_filter_value", -10000.0))
        self.scale = float(get("scale", 0.0))
        if self.heads < 1:
            raise scope.refuse(f"its num_heads is {self.heads}; at least 1 was expected")

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, length, heads * size) by heads; four axes are by heads already."""
        return x if x.ndim == 4 else by_heads(x, self.heads).transpose(1, 2)

    def __call__(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        mask: torch.Tensor | None,
        bias: torch.Tensor | None,
    ) -> torch.Tensor:
        """Attend, and join the heads again."""
        scores = q @ k.mT * (self.scale or q.shape[-1] ** -0.5)
        if mask is not None:
            scores = scores + self._filter(mask, k.shape[-2], scores.dtype)
        if self.causal:
            rows, columns = scores.shape[-2:]
            seen = torch.ones(rows, columns, dtype=torch.bool, device=q.device).tril(columns - rows)
            scores = torch.where(seen, scores, torch.finfo(scores.dtype).min)
        if bias is not None:
            scores = scores + bias
        return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)

    def _filter(self, mask: torch.Tensor, length: int, dtype: torch.dtype) -> torch.Tensor:
        """What a mask adds: of (batch), lengths; (batch, length); (batch, queries, length); or with heads too."""
        places = torch.arange(length, device=mask.device)
        shown = places < mask[:, None] if mask.ndim == 1 else mask > 0
        added = torch.where(shown, 0.0, self.filter).to(dtype)
        return added[:, None, None] if added.ndim == 2 else added[:, None] if added.ndim == 3 else added


class MultiHeadAttention(nn.Module):
    """Attention of projected queries, keys and values, each (batch, length, heads * size), with a bias for each."""

    def __init__(self, core: Core) -> None:
        super().__init__()
        self.core = core

    def forward(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        bias: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        added: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attend."""
        if bias is not None:
            width = q.shape[-1]
            parts = bias[:width], bias[width : 2 * width], bias[2 * width :]
            q = q + parts[0]
            k, v = (x + part if x.ndim == 3 else x for x, part in zip((k, v), parts[1:]))
        return self.core(self.core.split(q), self.core.split(k), self.core.split(v), mask, added)


def _multi_head(scope: Scope) -> Converted:
    used = set(scope.used_outputs())
    if any(scope.input(position) for position in range(6, 10)) or set(scope.node.outputs[1:]) & used:
        raise scope.refuse("it keeps keys and values of the past")
    if not scope.input(1) or not scope.input(2):
        raise scope.refuse("its queries, keys and values are packed into one tensor")
    ranks = [scope.rank(position) for position in range(3)]
    if ranks[0] not in {3, None} or any(rank not in {3, 4, None} for rank in ranks[1:]):
        raise scope.refuse(f"its inputs have {ranks} axes; three were expected")
    return Converted(MultiHeadAttention(Core(scope)), scope.node.inputs)


class Attention(nn.Module):
    """The same with its projection: x W + b, of which the columns are queries, keys and values."""

    def __init__(self, core: Core, sizes: list[int]) -> None:
        super().__init__()
        self.core, self.sizes = core, sizes

    def forward(
        self,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        past: None = None,  # noqa: ARG002  # there is never any, and its place counts
        added: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Project and attend."""
        whole = x @ weight if bias is None else x @ weight + bias
        q, k, v = torch.split(whole, self.sizes or whole.shape[-1] // 3, -1)
        if mask is not None and mask.ndim == 1 and len(mask) == 2 * len(x):  # ends, then starts
            places = torch.arange(x.shape[1], device=x.device)
            ends, starts = mask.reshape(2, -1, 1)
            mask = ((places < ends) & (places >= starts)).to(torch.int32)
        return self.core(self.core.split(q), self.core.split(k), self.core.split(v), mask, added)


def _attention(scope: Scope) -> Converted:
    if any(scope.input(position) for position in (4, 6)) or set(scope.node.outputs[1:]) & set(scope.used_outputs()):
        raise scope.refuse("it keeps keys and values of the past")
    if scope.attributes.get("do_rotary", 0):
        raise scope.refuse("it rotates its queries and keys inside")
    sizes = [int(size) for size in scope.attributes.get("qkv_hidden_sizes", ())]
    return Converted(Attention(Core(scope), sizes), scope.node.inputs)


class RotaryEmbedding(nn.Module):
    """Pairs of numbers turned by the angles of their place: (a cos - b sin, a sin + b cos)."""

    def __init__(self, heads: int, width: int, interleaved: bool) -> None:
        super().__init__()
        self.heads, self.width, self.interleaved = heads, width, interleaved

    def forward(self, x: torch.Tensor, places: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        """Turn; (batch, length, heads * size) or (batch, heads, length, size)."""
        half = cos.shape[-1]
        width = self.width or 2 * half
        heads = x.transpose(1, 2) if x.ndim == 4 else by_heads(x, self.heads or x.shape[-1] // width)
        if places.numel() == 1:
            places = places.reshape(1, 1) + torch.arange(heads.shape[1], device=x.device)
        c, s = cos[places.long()][:, :, None], sin[places.long()][:, :, None]
        turned, rest = heads[..., :width], heads[..., width:]
        if self.interleaved:
            a, b = turned[..., ::2], turned[..., 1::2]
            done = torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)
        else:
            a, b = turned[..., :half], turned[..., half:]
            done = torch.cat([a * c - b * s, a * s + b * c], -1)
        done = torch.cat([done, rest], -1)
        return done.transpose(1, 2) if x.ndim == 4 else done.flatten(2)


def _rotary(scope: Scope) -> Converted:
    get = scope.attributes.get
    width, heads = int(get("rotary_embedding_dim", 0)), int(get("num_heads", 0))
    if float(get("scale", 1.0)) != 1 or get("is_packed_batching", 0) or (width and not heads):
        raise scope.refuse("its scale, its packed batches or its rotary_embedding_dim without num_heads are not known")
    return Converted(RotaryEmbedding(heads, width, bool(get("interleaved", 0))), scope.node.inputs)


_NO_JUDGE = "ONNX Runtime computes it on GPUs alone, and its CPU judges what this importer gives"
_CACHE = "it keeps keys and values of the past"
_NONE: dict[str, str] = {
    "GroupQueryAttention": _CACHE, "DecoderMaskedMultiHeadAttention": _CACHE, "SparseAttention": _CACHE,
    "QAttention": "its projections are quantised inside, which is not emulated",
    "QEmbedLayerNormalization": "its tables are quantised inside, which is not emulated",
    **dict.fromkeys(("BiasAdd", "BiasSplitGelu", "GroupNorm", "SkipGroupNorm", "NhwcConv", "PackedAttention",
                     "PackedMultiHeadAttention", "GatedRelativePositionBias"), _NO_JUDGE),
}  # fmt: skip

CONVERTERS: Converters = {
    **of_domain("MultiHeadAttention", _multi_head),
    **of_domain("Attention", _attention),
    **of_domain("RotaryEmbedding", _rotary),
    **{key: converter for name, reason in _NONE.items() for key, converter in of_domain(name, refused(reason)).items()},
}
