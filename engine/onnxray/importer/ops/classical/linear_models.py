"""Linear models and support vector machines of ``ai.onnx.ml``: differentiable in their inputs."""

from __future__ import annotations

import torch
from torch import nn

from onnxray.errors import UnsupportedOperator
from onnxray.importer.nodes.scope import Converted, Converters, Scope
from onnxray.importer.ops.classical.class_scores import (
    Labels,
    as_two,
    flag,
    of_domain,
    post_transform,
    reals,
    rows,
    transformed,
)

_STEPS = 100
_LEAST = 1e-7
Scored = tuple[torch.Tensor | UnsupportedOperator, torch.Tensor]


class LinearRegressor(nn.Module):
    """transform(X W' + b), a row of W for each target."""

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, transform: str) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.transform = transform

    def raw(self, x: torch.Tensor) -> torch.Tensor:
        """X W' + b."""
        x = rows(x)
        return x @ self.weight.to(x.dtype).t() + self.bias.to(x.dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply, add, transform."""
        return transformed(self.raw(x), self.transform).to(torch.float32)


class LinearClassifier(LinearRegressor):
    """The labels of the largest scores, and the scores transform(X W' + b).

    A single row of W is the second of two classes: its score s comes back as (1 - s, s), or as LOGISTIC of (-s, s), as
    ONNX Runtime gives it, and the label is the second one where s > 0.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, transform: str, labels: Labels) -> None:
        super().__init__(weight, bias, transform)
        self.labels = labels

    def forward(self, x: torch.Tensor) -> Scored:  # type: ignore[override]
        """Classify; the labels carry no gradient."""
        scores = self.raw(x)
        if scores.shape[-1] > 1:
            return self.labels.of(scores.argmax(-1)), transformed(scores, self.transform).to(torch.float32)
        label = self.labels.of_pair(scores[:, 0] > 0)
        two = (
            as_two(scores, self.transform, mixed=False)
            if self.labels.count == 2
            else transformed(scores, self.transform)
        )
        return label, two.to(torch.float32)


def _linear_classifier(scope: Scope) -> Converted:
    weight, bias, transform, labels = (
        reals(scope, "coefficients"),
        reals(scope, "intercepts"),
        post_transform(scope),
        Labels(scope),
    )
    count = bias.numel()
    if not count or weight.numel() % count:
        raise scope.refuse(f"it has {weight.numel()} coefficients and {count} intercepts; one a class was expected")
    if (count > 1 and labels.count != count) or (count == 1 and labels.count == 2 and transform == "PROBIT"):
        raise scope.refuse(f"it has {labels.count} labels, {count} rows of weights and the transform {transform}")
    return Converted(
        LinearClassifier(weight.reshape(count, -1), bias, transform, labels), scope.node.inputs, several=True
    )


def _linear_regressor(scope: Scope) -> Converted:
    weight, targets = reals(scope, "coefficients"), int(scope.attributes.get("targets", 1))
    bias = reals(scope, "intercepts")
    if targets < 1 or not weight.numel() or weight.numel() % targets or bias.numel() not in {0, targets}:
        raise scope.refuse(f"it has {weight.numel()} coefficients and {bias.numel()} intercepts for {targets} targets")
    bias = bias if bias.numel() else torch.zeros(targets)
    return Converted(LinearRegressor(weight.reshape(targets, -1), bias, post_transform(scope)), scope.node.inputs)


class Kernel:
    """k(x, v): the dot product; (g x.v + c)^d; exp(-g |x - v|^2); or tanh(g x.v + c)."""

    def __init__(self, kind: str, gamma: float, constant: float, degree: float) -> None:
        self.kind, self.gamma, self.constant, self.degree = kind, gamma, constant, degree

    def __call__(self, x: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        """Of every sample with every vector."""
        vectors = vectors.to(x.dtype)
        if self.kind == "RBF":
            return torch.exp(-self.gamma * ((x[:, None] - vectors) ** 2).sum(-1))
        product = x @ vectors.t()
        if self.kind == "LINEAR":
            return product
        product = self.gamma * product + self.constant
        return torch.tanh(product) if self.kind == "SIGMOID" else product**self.degree


def _kernel(scope: Scope, linear: bool) -> Kernel:
    kind = "LINEAR" if linear else str(scope.attributes.get("kernel_type", "LINEAR"))
    if kind not in {"LINEAR", "POLY", "RBF", "SIGMOID"}:
        raise scope.refuse(f"its kernel_type is {kind!r}; LINEAR, POLY, RBF and SIGMOID are known")
    numbers = [float(number) for number in scope.attributes.get("kernel_params", ())]
    if kind != "LINEAR" and len(numbers) != 3:
        raise scope.refuse(f"its kernel_params are {numbers}; gamma, coef0 and degree were expected")
    degree = numbers[2] if len(numbers) == 3 else 1.0
    gamma, constant = [*numbers, 0.0, 0.0][:2]
    return Kernel(kind, gamma, constant, float(int(degree)) if degree.is_integer() else degree)


class SVMRegressor(nn.Module):
    """sum of coefficient * k(x, v) over the support vectors + rho; ``one_class``: 1 where that is positive, else -1."""

    vectors: torch.Tensor
    coefficients: torch.Tensor

    def __init__(
        self, kernel: Kernel, vectors: torch.Tensor, coefficients: torch.Tensor, rho: float, one_class: bool
    ) -> None:
        super().__init__()
        self.kernel, self.rho, self.one_class = kernel, rho, one_class
        self.register_buffer("vectors", vectors, persistent=False)
        self.register_buffer("coefficients", coefficients, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Regress; (samples, 1). The answer of a one-class machine has no gradient."""
        x = rows(x)
        y = self.kernel(x, self.vectors) @ self.coefficients.to(x.dtype)[:, None] + self.rho
        return (torch.where(y > 0, 1.0, -1.0) if self.one_class else y).to(torch.float32)


def _svm_regressor(scope: Scope) -> Converted:
    coefficients, count = reals(scope, "coefficients"), int(scope.attributes.get("n_supports", 0))
    rho, transform = reals(scope, "rho"), post_transform(scope)
    vectors = reals(scope, "support_vectors")
    if transform != "NONE":
        raise scope.refuse(f"its post_transform {transform}, which ONNX Runtime passes over")
    if (
        not rho.numel()
        or not coefficients.numel()
        or (count and (vectors.numel() % count or count != coefficients.numel()))
    ):
        raise scope.refuse(
            f"it has {vectors.numel()} numbers in {count} support vectors, {coefficients.numel()} coefficients"
        )
    linear = not count
    if linear:
        vectors, coefficients = coefficients[None], torch.ones(1)
    kernel, one_class = _kernel(scope, linear), flag(scope.attributes.get("one_class", 0))
    shape = vectors.reshape(max(count, 1), -1)
    return Converted(SVMRegressor(kernel, shape, coefficients, float(rho[0]), one_class), scope.node.inputs)


class LinearSVMClassifier(nn.Module):
    """Labels and scores X W' + rho of a machine without support vectors, a row of W for each class."""

    weight: torch.Tensor

    def __init__(self, weight: torch.Tensor, rho: float, transform: str, labels: Labels) -> None:
        super().__init__()
        self.rho, self.transform, self.labels = rho, transform, labels
        self.positive = bool((weight >= 0).all())
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, x: torch.Tensor) -> Scored:
        """Classify."""
        x = rows(x)
        scores = x @ self.weight.to(x.dtype).t() + self.rho
        best = scores.max(-1)
        index = best.indices
        if len(self.weight) == 2:
            index = torch.where(best.values >= 0.5 if self.positive else best.values > 0, 1, index)
        return self.labels.of(index), transformed(scores, self.transform).to(torch.float32)


class SVMClassifier(nn.Module):
    """Labels by the votes of every pair of classes, and the pairs' scores, or probabilities made of them.

    The score of (i, j) is sum of coefficient * k(x, v) over both classes' vectors + rho, in favour of i where positive.
    Probabilities (Platt's, joined by Wu, Lin and Weng's iteration) are differentiated through its steps.
    """

    vectors: torch.Tensor
    coefficients: torch.Tensor
    rho: torch.Tensor

    def __init__(
        self, kernel: Kernel, vectors: torch.Tensor, coefficients: torch.Tensor, counts: list[int], rho: torch.Tensor,
        platt: tuple[torch.Tensor, torch.Tensor] | None, transform: str, labels: Labels,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel, self.transform, self.labels, self.platt = kernel, transform, labels, platt
        self.classes = len(counts)
        self.pairs = [(i, j) for i in range(self.classes) for j in range(i + 1, self.classes)]
        spread = torch.zeros(len(self.pairs), vectors.shape[0])
        starts = [sum(counts[:k]) for k in range(self.classes)]
        for row, (i, j) in enumerate(self.pairs):
            first, second = (slice(starts[k], starts[k] + counts[k]) for k in (i, j))
            spread[row, first] = coefficients[j - 1, first]
            spread[row, second] = coefficients[i, second]
        self.positive = bool((coefficients >= 0).all())
        self.register_buffer("vectors", vectors, persistent=False)
        self.register_buffer("coefficients", spread, persistent=False)
        self.register_buffer("rho", rho[: len(self.pairs)], persistent=False)

    def forward(self, x: torch.Tensor) -> Scored:
        """Classify."""
        x = rows(x)
        kernel = self.kernel(x, self.vectors)
        sums = [(kernel * row).double().sum(-1) for row in self.coefficients.to(x.dtype)]  # as the runtime rounds
        pairs = (torch.stack(sums, -1) + self.rho.double()).to(x.dtype)
        votes = torch.zeros(x.shape[0], self.classes, device=x.device)
        for column, (i, j) in enumerate(self.pairs):
            won = (pairs[:, column] > 0).to(votes.dtype)
            votes[:, i] += won
            votes[:, j] += 1 - won
        label = self.labels.of(votes.argmax(-1))
        if self.platt is not None:
            scores = transformed(self._probabilities(pairs), self.transform)
        elif self.classes == 2:
            scores = as_two(pairs, self.transform, mixed=self.transform == "NONE")
        else:
            scores = transformed(pairs, self.transform)
        return label, scores.to(torch.float32)

    def _probabilities(self, pairs: torch.Tensor) -> torch.Tensor:
        """Platt's probability of each pair, then one for each class."""
        assert self.platt is not None
        a, b = (part[: len(self.pairs)].to(pairs) for part in self.platt)
        won = (1 - torch.sigmoid(pairs * a + b)).clamp(_LEAST, 1 - _LEAST)
        size = self.classes
        columns = {pair: won[:, k] for k, pair in enumerate(self.pairs)}
        zero = torch.zeros_like(won[:, 0])
        r = torch.stack([
            torch.stack([columns[i, j] if i < j else 1 - columns[j, i] if j < i else zero for j in range(size)], -1)
            for i in range(size)
        ], -2)  # fmt: skip
        return joined(r)


def joined(r: torch.Tensor) -> torch.Tensor:
    """Probabilities p of classes from those r[i, j] of pairs: least p'Qp, by the iteration that LIBSVM defines.

    A sample stops when its error is below 0.005 / classes, so the steps are taken one by one, for those left.
    """
    size = r.shape[-1]
    q = -r.transpose(-1, -2) * r
    q = q + torch.diag_embed((r**2).sum(-2))
    p = torch.full_like(r[..., 0], 1 / size)
    for _ in range(_STEPS):
        qp = (q * p[:, None]).sum(-1)
        pqp = (p * qp).sum(-1)
        left = (qp - pqp[:, None]).abs().amax(-1) >= 0.005 / size
        if not bool(left.any()):
            break
        new = p
        for i in range(size):
            diagonal = q[:, i, i]
            step = (pqp - qp[:, i]) / diagonal
            new = new + torch.nn.functional.one_hot(torch.tensor(i, device=r.device), size) * step[:, None]
            pqp = (pqp + step * (step * diagonal + 2 * qp[:, i])) / (1 + step) ** 2
            qp = (qp + step[:, None] * q[:, i]) / (1 + step)[:, None]
            new = new / (1 + step)[:, None]
        p = torch.where(left[:, None], new, p)
    return p


def _svm_classifier(scope: Scope) -> Converted:
    coefficients, rho, labels = reals(scope, "coefficients"), reals(scope, "rho"), Labels(scope)
    counts = [int(count) for count in scope.attributes.get("vectors_per_class", ())]
    transform, total = post_transform(scope), sum(counts)
    if labels.count < 2 or not rho.numel():
        raise scope.refuse(
            f"it has {labels.count} classes and {rho.numel()} rho; two classes and one rho at least were expected"
        )
    if not total:
        weight = coefficients.reshape(labels.count, -1)
        return Converted(LinearSVMClassifier(weight, float(rho[0]), transform, labels), scope.node.inputs, several=True)
    pairs = labels.count * (labels.count - 1) // 2
    vectors, a, b = reals(scope, "support_vectors"), reals(scope, "prob_a"), reals(scope, "prob_b")
    wrong = vectors.numel() % total or coefficients.numel() != (labels.count - 1) * total or rho.numel() < pairs
    if wrong or len(counts) != labels.count or a.numel() != b.numel() or 0 < a.numel() < pairs:
        raise scope.refuse("its vectors, coefficients, rho or prob_a do not fit the number of its classes")
    if transform == "PROBIT" and labels.count == 2 and not a.numel():
        raise scope.refuse("its transform PROBIT leaves half of its scores undefined")
    module = SVMClassifier(
        _kernel(scope, linear=False), vectors.reshape(total, -1), coefficients.reshape(-1, total), counts, rho,
        (a, b) if a.numel() else None, transform, labels,
    )  # fmt: skip
    return Converted(module, scope.node.inputs, several=True)


CONVERTERS: Converters = {
    **of_domain("LinearClassifier", (1,), _linear_classifier),
    **of_domain("LinearRegressor", (1,), _linear_regressor),
    **of_domain("SVMClassifier", (1,), _svm_classifier),
    **of_domain("SVMRegressor", (1,), _svm_regressor),
}
