"""Scaled dot-product attention as exporters write it out (Vaswani and others 2017).

y = softmax(s q k') v        without a mask; s in any of its places
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from onnxray.graph.facts import Node
from onnxray.importer.fusions.pattern import Cut, Fusion, is_plain, replacing


class Attention(nn.Module):
    """softmax(s q k') v. ``divided``: of each factor in s, whether it divides; ``transposed``: k comes as k'."""

    def __init__(self, divided: tuple[bool, ...], *, transposed: bool) -> None:
        super().__init__()
        self.divided, self.transposed = divided, transposed

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *factors: torch.Tensor) -> torch.Tensor:
        """Attend; every factor is one number."""
        k = k.transpose(-2, -1) if self.transposed else k
        scale = 1.0
        for factor, divides in zip(factors, self.divided, strict=True):
            if factor.requires_grad:  # one that the picture itself sets
                q = q / factor if divides else q * factor
            else:
                scale = scale / float(factor) if divides else scale * float(factor)
        if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
            return (scale * q @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        return functional.scaled_dot_product_attention(q, k, v, scale=scale)


def attention(node: Node, cut: Cut) -> Fusion | None:
    """MatMul, Softmax along the last axis, MatMul; factors of one number before or after the first product."""
    if not is_plain(node, "MatMul"):
        return None
    softmax = cut.producer(node.inputs[0], "Softmax")
    if softmax is None or not _along_the_last_axis(softmax, cut):
        return None
    after = _scaled(softmax.inputs[0], cut)
    product = cut.producer(after.value, "MatMul")
    if product is None:
        return None
    q, keys = (_scaled(name, cut) for name in product.inputs)
    values = q.value, keys.value, node.inputs[1]
    ranks = [cut.rank(name) for name in values]
    if not all(map(cut.is_real, values)) or ranks[0] is None or ranks[0] < 3 or len(set(ranks)) > 1:
        return None
    scaled = [part for part in (q, keys, after) if part.node is not None]
    turned = _turned(keys.value, cut)
    if turned is not None:
        values = q.value, turned[1], node.inputs[1]
    members = [node, softmax, product, *(part.node for part in scaled if part.node is not None)]
    members += turned[0] if turned is not None else ()
    divided = tuple(part.divides for part in scaled)
    return replacing(
        members, (*values, *(part.factor for part in scaled)), lambda: Attention(divided, transposed=turned is None)
    )


@dataclass(frozen=True, slots=True)
class _Scaled:
    """``value`` times (or divided by) ``factor``, which is one number, by ``node``; or the value alone."""

    value: str
    node: Node | None = None
    factor: str = ""
    divides: bool = False


def _scaled(name: str, cut: Cut) -> _Scaled:
    node = cut.producer(name, "Mul", "Div")
    if node is not None:
        for k in (1, 0) if node.operator == "Mul" else (1,):
            if cut.is_one_number(node.inputs[k]):
                return _Scaled(node.inputs[1 - k], node, node.inputs[k], node.operator == "Div")
    return _Scaled(name)


def _turned(name: str, cut: Cut) -> tuple[tuple[Node, ...], str] | None:
    """The nodes that transpose k by way of three axes, as the newer exporter writes it, and k: they would copy it.

    (B, H, N, D) -> (B H, N, D) -> (B H, D, N) -> (B, H, D, N)
    """
    last = cut.producer(name, "Reshape")
    transpose = cut.producer(last.inputs[0], "Transpose") if last is not None else None
    first = cut.producer(transpose.inputs[0], "Reshape") if transpose is not None else None
    if (
        last is None
        or transpose is None
        or first is None
        or cut.scope_of(transpose).attributes.get("perm") != [0, 2, 1]
    ):
        return None
    k = first.inputs[0]
    before, flat, after = (cut.shape(value) for value in (k, first.outputs[0], name))
    if len(before) != 4 or not all(isinstance(size, int) for size in before[1:]):
        return None
    heads, places, size = before[1:]
    if flat[1:] != (places, size) or len(flat) != 3 or after[1:] != (heads, size, places) or len(after) != 4:
        return None
    return (last, transpose, first), k


def _along_the_last_axis(softmax: Node, cut: Cut) -> bool:
    """From version 13 on the axis alone, before it all axes from there on: the same for the last one."""
    scope, rank = cut.scope_of(softmax), cut.rank(softmax.inputs[0])
    axis = int(scope.attributes.get("axis", -1 if scope.version >= 13 else 1))
    return axis == -1 or (rank is not None and axis == rank - 1)
