"""Attention, all versions: 24 added the lengths of an outer cache, 25 sliding windows. (23's mode 1 means 24's.)"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions

_PRECISIONS = {1: torch.float32, 10: torch.float16, 11: torch.float64, 16: torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Attending:
    """What an Attention node states of itself; windows of -1 are unbounded."""

    q_heads: int | None
    kv_heads: int | None
    scale: float | None
    softcap: float
    causal: bool
    left: int
    right: int
    precision: torch.dtype | None
    mode: int


class Attention(nn.Module):
    """softmax(softcap(s Q K') + mask) V, with the new caches and the stage of the weights that is asked for.

    A query that may attend no key gives zeros.
    """

    def __init__(self, stated: Attending) -> None:
        super().__init__()
        self.stated = stated

    def forward(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        mask: torch.Tensor | None = None,
        past_key: torch.Tensor | None = None,
        past_value: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Attend; Q and K are scaled by sqrt(s) each, as the standard has it."""
        stated, packed = self.stated, q.ndim == 3
        if packed:
            q, k, v = (_unpacked(x, n) for x, n in ((q, stated.q_heads), (k, stated.kv_heads), (v, stated.kv_heads)))
        if past_key is not None and past_value is not None:
            k, v = torch.cat([past_key, k], dim=2), torch.cat([past_value, v], dim=2)
        present_key, present_value = k, v
        groups = q.shape[1] // k.shape[1]
        if groups > 1:
            k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        factor = math.sqrt(stated.scale if stated.scale is not None else 1 / math.sqrt(q.shape[-1]))
        rounded = torch.tensor(factor, dtype=q.dtype).item()  # in half precision the standard rounds it first
        raw = (q * rounded) @ (k * rounded).transpose(2, 3)
        capped = stated.softcap * torch.tanh(raw / stated.softcap) if stated.softcap > 0 else raw
        bias = self._bias(q, k, mask, 0 if past_key is None else past_key.shape[2], lengths)
        logits = capped if bias is None else capped + bias
        wide = logits if stated.precision is None else logits.to(stated.precision)
        if bias is None:
            weights = wide.softmax(dim=-1)
        else:
            blind = (bias == float("-inf")).all(dim=-1, keepdim=True)
            weights = torch.where(blind, 0, torch.where(blind, 0, wide).softmax(dim=-1))
        weights = weights.to(q.dtype)
        y = weights.to(v.dtype) @ v
        stages = (raw, capped, logits, weights)
        return _packed(y) if packed else y, present_key, present_value, stages[stated.mode]

    def _bias(
        self, q: torch.Tensor, k: torch.Tensor, mask: torch.Tensor | None, past: int, lengths: torch.Tensor | None
    ) -> torch.Tensor | None:
        """What is added to the logits: the mask, and minus infinity where a query must not look."""
        queries, keys = q.shape[2], k.shape[2]
        bias: torch.Tensor | None = None
        if mask is not None and mask.shape[-1] < keys:
            fill = False if mask.dtype == torch.bool else float("-inf")
            mask = functional.pad(mask, (0, keys - mask.shape[-1]), value=fill)
        if mask is not None:
            floats = mask.dtype != torch.bool
            bias = mask.to(q.dtype) if floats else torch.where(mask, 0.0, float("-inf")).to(q.dtype)
        allowed = self._allowed(q, queries, keys, past, lengths)
        if allowed is None:
            return bias
        return torch.where(allowed, q.new_zeros(()) if bias is None else bias, float("-inf"))

    def _allowed(
        self, q: torch.Tensor, queries: int, keys: int, past: int, lengths: torch.Tensor | None
    ) -> torch.Tensor | None:
        stated = self.stated
        column = torch.arange(keys, device=q.device)
        row = torch.arange(queries, device=q.device).unsqueeze(1) + past
        parts = []
        if lengths is not None:
            ends = lengths.reshape(-1, 1, 1, 1)
            parts.append(column < ends)
            row = row if past else row + ends - queries
        if stated.causal:
            parts.append(column <= row)
        if stated.left >= 0:
            parts.append(row - column <= stated.left)
        if stated.right >= 0:
            parts.append(column - row <= stated.right)
        allowed = None
        for part in parts:
            allowed = part if allowed is None else allowed & part
        return allowed


def _unpacked(x: torch.Tensor, heads: int | None) -> torch.Tensor:
    """(batch, sequence, heads * size) -> (batch, heads, sequence, size)."""
    return x.reshape(*x.shape[:2], heads or 1, -1).transpose(1, 2)


def _packed(x: torch.Tensor) -> torch.Tensor:
    return x.transpose(1, 2).flatten(2)


def _attention(scope: Scope) -> Converted:
    get = scope.attributes.get
    q_heads, kv_heads, mode = get("q_num_heads"), get("kv_num_heads"), int(get("qk_matmul_output_mode", 0))
    number = get("softmax_precision")
    if (number is not None and number not in _PRECISIONS) or not 0 <= mode <= 3:
        raise scope.refuse(f"its softmax_precision is {number}, its qk_matmul_output_mode {mode}")
    if scope.rank(0) == 3 and (not q_heads or not kv_heads):
        raise scope.refuse("its inputs have three axes, and it does not say how many heads they hold")
    precision = None if number is None else _PRECISIONS[number]
    stated = Attending(
        q_heads, kv_heads, get("scale"), float(get("softcap", 0.0)), bool(get("is_causal", 0)),
        int(get("left_window_size", -1)), int(get("right_window_size", -1)), precision, mode,
    )  # fmt: skip
    return Converted(Attention(stated), scope.node.inputs, several=True)


class RotaryEmbedding(nn.Module):
    """(cos x1 - sin x2, sin x1 + cos x2): pairs of features turned by an angle that belongs to their position."""

    def __init__(self, interleaved: bool, turned: int, heads: int) -> None:
        super().__init__()
        self.interleaved, self.turned, self.heads = interleaved, turned, heads

    def forward(
        self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, positions: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Turn the first features of each head (all by default); the pairs are neighbours or lie half a head apart."""
        packed = x.ndim == 3
        whole = x.reshape(*x.shape[:2], self.heads, -1) if packed else x.transpose(1, 2)
        if positions is not None:
            cos, sin = cos[positions], sin[positions]
        cos, sin = cos.unsqueeze(2), sin.unsqueeze(2)
        turned = self.turned or whole.shape[-1]
        part, rest = whole[..., :turned], whole[..., turned:]
        x1, x2 = (part[..., 0::2], part[..., 1::2]) if self.interleaved else part.chunk(2, dim=-1)
        first, second = cos * x1 - sin * x2, sin * x1 + cos * x2
        if self.interleaved:
            joined = torch.stack([first, second], dim=-1).flatten(-2)
        else:
            joined = torch.cat([first, second], dim=-1)
        y = torch.cat([joined, rest], dim=-1)
        return y.flatten(2) if packed else y.transpose(1, 2)


def _rotary_embedding(scope: Scope) -> Converted:
    get = scope.attributes.get
    heads = int(get("num_heads", 0))
    if scope.rank(0) == 3 and heads < 1:
        raise scope.refuse("its input has three axes, and it does not say how many heads they hold")
    module = RotaryEmbedding(bool(get("interleaved", 0)), int(get("rotary_embedding_dim", 0)), heads)
    return Converted(module, scope.node.inputs)


class LinearAttention(nn.Module):
    """S = exp(g) S + b k (v - S' k) and y = s q' S, step by step: without g, or without b's correction, by the rule."""

    def __init__(self, q_heads: int, kv_heads: int, scale: float) -> None:
        super().__init__()
        self.q_heads, self.kv_heads, self.scale = q_heads, kv_heads, scale

    def forward(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        past: torch.Tensor | None = None,
        decay: torch.Tensor | None = None,
        beta: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Run along the sequence, in float32 at least."""
        kind = torch.float64 if q.dtype == torch.float64 else torch.float32
        q4, k4, v4 = (_unpacked(x.to(kind), n) for x, n in ((q, self.q_heads), (k, self.kv_heads), (v, self.kv_heads)))
        state = past.to(kind) if past is not None else q4.new_zeros(len(q), self.kv_heads, k4.shape[-1], v4.shape[-1])
        fade = None if decay is None else _unpacked(decay.to(kind), self.kv_heads).exp()
        rate = None if beta is None else _unpacked(beta.to(kind), beta.shape[-1])
        scale, groups, outputs = self.scale or 1 / math.sqrt(q4.shape[-1]), self.q_heads // self.kv_heads, []
        for t in range(q4.shape[2]):
            key, value = k4[:, :, t], v4[:, :, t]
            if fade is not None:
                state = state * fade[:, :, t].unsqueeze(-1)
            if rate is not None:
                value = rate[:, :, t] * (value - (state * key.unsqueeze(-1)).sum(dim=2))
            state = state + key.unsqueeze(-1) * value.unsqueeze(-2)
            shown = state.repeat_interleave(groups, dim=1)
            outputs.append(scale * (q4[:, :, t].unsqueeze(-1) * shown).sum(dim=2))
        y = torch.stack(outputs, dim=1).flatten(2)
        return y.to(q.dtype), state.to(q.dtype if past is None else past.dtype)


def _linear_attention(scope: Scope) -> Converted:
    get, rule = scope.attributes.get, scope.attributes.get("update_rule", "gated_delta")
    needed = {"linear": (False, False), "gated": (True, False), "delta": (False, True), "gated_delta": (True, True)}
    q_heads, kv_heads = int(get("q_num_heads", 0)), int(get("kv_num_heads", 0))
    if needed.get(rule) != (bool(scope.input(4)), bool(scope.input(5))):
        raise scope.refuse(f"its update_rule is {rule!r}, which does not go with the decay and beta that it has")
    if kv_heads < 1 or q_heads < 1 or q_heads % kv_heads:
        raise scope.refuse(f"its {q_heads} query heads are no multiple of its {kv_heads} key heads")
    module = LinearAttention(q_heads, kv_heads, float(get("scale", 0.0)))
    return Converted(module, scope.node.inputs, several=True)


CONVERTERS: Converters = {
    **for_versions("Attention", (23, 24, 25), _attention),
    **for_versions("RotaryEmbedding", (23,), _rotary_embedding),
    **for_versions("LinearAttention", (27,), _linear_attention),
}
