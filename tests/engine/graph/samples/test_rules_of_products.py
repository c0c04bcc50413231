"""Where the samples lie after products of matrices: ONNX Runtime says whether what is stated is true."""

from __future__ import annotations

import numpy as np
import pytest

from onnxray.graph.samples.places import Apart
from support import models
from support.sample_places import COPIES, SECOND, TOGETHER, UNKNOWN, Case

R = models.random
QUANTISED = {"a": np.float32(0.1), "zp": np.uint8(9)}
PRODUCTS = {
    "rows": Case("y = MatMul (x, c)", Apart(), weights={"c": R(0, 5, 4)}),
    "rows of matrices": Case("y = MatMul (x, c)", Apart(), "N,2", {"c": R(0, 2, 4)}),
    "rows of one matrix, several wide": Case("y = MatMul (x, c)", Apart(1), "N,2", {"c": R(0, 6, 2, 4)}),
    "columns": Case("t = Transpose (x)  y = MatMul (c, t)", Apart(1), "N,2", {"c": R(0, 5, 2)}),
    "columns of many": Case("t = Transpose (x)  y = MatMul (c, t)", Apart(2), "N,2", {"c": R(0, 6, 5, 2)}),
    "summed, the first": Case("t = Transpose (x)  y = MatMul (t, c)", TOGETHER, "4,2", {"c": R(0, 4, 3)}),
    "summed, the second": Case("y = MatMul (c, x)", TOGETHER, "4,2", {"c": R(0, 3, 4)}),
    "summed, both": Case("t = Transpose (x)  y = MatMul (t, x)", TOGETHER, "N,2"),
    "summed, the first of two": Case("t = Transpose (x)  y = MatMul (t, t)", TOGETHER, "4,4"),
    "summed, the second of two": Case("y = MatMul (x, x)", TOGETHER, "4,4"),
    "each with each": Case("t = Transpose (x)  y = MatMul (x, t)", TOGETHER, "N,2"),
    "each with each, in other axes": Case(
        SECOND + "y = MatMul (x, t)", TOGETHER, "N,1,3,3"),
    "each with its own": Case("t = Transpose <perm = [0, 2, 1]> (x)  y = MatMul (x, t)", Apart(), "N,2,3"),
    "each with its own, heads first": Case(
        SECOND + "u = Transpose <perm = [1, 0, 3, 2]> (x)  y = MatMul (t, u)", Apart(1)),
    "each with its own of fewer axes": Case(
        SECOND + "r = ReduceSum <keepdims = 0> (x, one)  u = Transpose <perm = [0, 2, 1]> (r)  y = MatMul (u, t)", Apart(1)),
    "matrices by one": Case("y = MatMul (x, c)", Apart(), weights={"c": R(0, 2, 5, 4)}),
    "matrices by one for all": Case("y = MatMul (x, c)", Apart(), weights={"c": R(0, 1, 2, 5, 4)}),
    "matrices by more": Case("y = MatMul (x, c)", Apart(1), "N,3,5", {"c": R(0, 6, 1, 5, 4)}),
    "matrices by one each": Case("y = MatMul (x, c)", UNKNOWN, "4,3,5", {"c": R(0, 4, 5, 2)}),
    "one by matrices": Case("y = MatMul (c, x)", Apart(), weights={"c": R(0, 2, 4, 3)}),
    "one each by matrices": Case("y = MatMul (c, x)", UNKNOWN, "4,3,5", {"c": R(0, 4, 2, 3)}),
    "a vector": Case("y = MatMul (x, c)", UNKNOWN, weights={"c": R(0, 5)}),
    "by a vector": Case("y = MatMul (c, x)", UNKNOWN, weights={"c": R(0, 3)}),
    "by copies": Case(COPIES + "y = MatMul (x, k)", UNKNOWN, "N,1,3", {"rest": [3, 5], "row": R(3, 1, 3, 5)}),
    "several rows": Case("r = Reshape (x, s)  y = MatMul (r, c)", Apart(0, 6), weights={"s": [-1, 5], "c": R(0, 5, 4)}),
    "several columns": Case(
        "r = Reshape (x, s)  t = Transpose (r)  y = MatMul (c, t)", Apart(1, 6), weights={"s": [-1, 5], "c": R(0, 4, 5)}),
    "several with several of its own": Case(
        "r = Reshape (x, s)  u = Transpose <perm = [0, 2, 1]> (r)  y = MatMul (r, u)", Apart(0, 2), weights={"s": [-1, 3, 5]}),
    "several with fewer": Case(
        "r = Reshape (x, s)  m = ReduceSum <keepdims = 0> (x, one)  y = MatMul (r, m)", TOGETHER, "N,2,3,3",
        {"s": [-1, 3, 3]}, judged=False),
    "whole numbers": Case("i = Cast <to = 2> (x)  y = MatMulInteger (i, c)", Apart(), weights={"c": np.ones((5, 2), np.uint8)}),
    "quantised": Case(
        "i = QuantizeLinear (x, a, zp)  y = QLinearMatMul (i, a, zp, c, a, zp, a, zp)", Apart(), weights={
            **QUANTISED, "c": np.arange(10, dtype=np.uint8).reshape(5, 2)}),
    "quantised, each with each": Case(
        "i = QuantizeLinear (x, a, zp)  t = Transpose (i)  y = QLinearMatMul (i, a, zp, t, a, zp, a, zp)", TOGETHER, "N,2",
        QUANTISED),
    "quantised columns": Case(
        "i = QuantizeLinear (x, a, zp)  t = Transpose (i)  y = QLinearMatMul (c, a, zp, t, a, zp, a, zp)", Apart(1), "N,2",
        {**QUANTISED, "c": np.arange(10, dtype=np.uint8).reshape(5, 2)}),
    "linear": Case("y = Gemm (x, c)", Apart(), "N,2", {"c": R(0, 2, 3)}),
    "quantised linear": Case(
        "i = QuantizeLinear (x, a, zp)  y = com.microsoft.QGemm (i, a, zp, c, a, zp)", Apart(), weights={
            **QUANTISED, "c": np.arange(10, dtype=np.uint8).reshape(5, 2)}, shape="N,5"),
    "quantised linear, each with each": Case(
        "i = QuantizeLinear (x, a, zp)  y = com.microsoft.QGemm <transB = 1> (i, a, zp, i, a, zp)", TOGETHER, "N,2", QUANTISED),
    "quantised linear, a scale of the samples": Case(
        "i = QuantizeLinear (x, a, zp)  m = ReduceMean <keepdims = 0, axes = [1]> (x)  y = com.microsoft.QGemm (i, m, zp, c, a, zp)", UNKNOWN, "1,2",
        {**QUANTISED, "c": np.ones((2, 2), np.uint8)}),
    "linear, turned": Case("t = Transpose (x)  y = Gemm <transA = 1, transB = 1> (t, c, b)", Apart(), "N,2", {"c": R(0, 3, 2), "b": R(1, 3)}),
    "linear, summed": Case("t = Transpose (x)  y = Gemm (t, c)", TOGETHER, "4,2", {"c": R(0, 4, 3)}),
    "linear, turned and summed": Case("y = Gemm <transA = 1> (x, c)", TOGETHER, "4,2", {"c": R(0, 4, 3)}),
    "linear, by each other": Case("y = Gemm <transB = 1> (x, x)", TOGETHER, "N,2"),
    "linear, of a constant": Case("y = Gemm <transB = 1> (c, x)", UNKNOWN, "N,2", {"c": R(0, 3, 2)}),
    "linear, by copies": Case(COPIES + "y = Gemm (x, k)", UNKNOWN, "4,4", {"rest": [4], "row": R(3, 1, 4)}),
    "linear, more of its own": Case("y = Gemm (x, c, x)", Apart(), "N,2", {"c": R(0, 2, 2)}),
    "linear, more of others": Case("t = Transpose (x)  y = Gemm (x, c, t)", UNKNOWN, "4,4", {"c": R(0, 4, 4)}),
    "linear, nothing more": Case('y = Gemm (x, c, "")', Apart(), "N,2", {"c": R(0, 2, 3)}),
    "linear, several rows": Case("r = Reshape (x, s)  y = Gemm (r, c)", Apart(0, 6), weights={"s": [-1, 5], "c": R(0, 5, 4)}),
}  # fmt: skip


@pytest.mark.parametrize("kind", PRODUCTS)
def test_where_the_samples_of_products_lie(kind: str) -> None:
    PRODUCTS[kind].check()
