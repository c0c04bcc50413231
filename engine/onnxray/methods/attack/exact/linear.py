"""The smallest perturbation of a linear classifier, z = W x + b, computed: nothing is smaller.

    d = argmin ||d||  over  k != y,  <w_y - w_k, d> <= -(z_y - z_k),  low <= d <= high

for the region of another class is the union of these half-spaces; each is solved exactly (halfspace.py), the unbounded
norm (z_y - z_k) / ||w_y - w_k||_q telling which need not be. W and b are read off the file in float64 (affine.py) and
held against ONNX Runtime on noise about each sample. ``exact`` is the norm of d in floats; what is saved is brought
over the boundary by the judge (smallest.py), of pixels in whole grey levels. Of two classes either may be wanted; a
class that is wanted among more is no single half-space, and refused. Logistic and softmax regression, linear support
vector machines (scikit-learn's, as they are exported), and one linear layer of anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np

from onnxray.errors import InputError
from onnxray.methods.array_variable import ArrayVariable
from onnxray.methods.attack.base import Attacked, Perturbations
from onnxray.methods.attack.exact.affine import Affine, affine_scores
from onnxray.methods.attack.exact.halfspace import DUALS, into_halfspace
from onnxray.methods.attack.smallest import Minimal
from onnxray.methods.attack.success import OtherClass
from onnxray.methods.attack.threat import NORMS, Floats, Norm
from onnxray.methods.spaces import PictureSpace
from onnxray.methods.variable import Variable

_BEYOND = 4e-6
"""How far past the boundary d goes, of what was added up for the scores: their rounding in float32."""
_PROBES = 6


@final
@dataclass(frozen=True, kw_only=True)
class Linear(Minimal):
    """The smallest perturbation of a linear classifier, exactly, in closed form."""

    name: ClassVar[str] = "linear"
    needs_gradients: ClassVar[bool] = False

    norm: Annotated[Literal["linf", "l2", "l1"], "what is made small"] = "l2"

    @property
    def measure(self) -> Norm:
        """As it is stated."""
        return NORMS[self.norm]

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, rows = attacked.oracle, attacked.rows
        criterion, variable = oracle.criterion, oracle.variable
        if not isinstance(criterion, OtherClass):
            raise InputError("linear is of classes: it leaves the class of a sample, and no comparison can be stated")
        head, classes = criterion.said.said.head, criterion.said.said.probabilities.shape[1]
        if criterion.wanted is not None and classes > 2:
            raise InputError(
                f"a class is wanted among {classes}, and linear computes the smallest perturbation to any other; leave "
                "--target out, or take ddn or hopskipjump"
            )
        affine = affine_scores(variable.model.graph, head.logits, classes)
        weight = _slopes(variable, affine)
        self._check(attacked, affine)
        low, high = (one.astype(np.float64) for one in oracle.bounds(rows))
        fed = _fed(variable, variable.floats(rows), attacked, affine.input)
        d, exact = np.zeros((len(rows), oracle.numbers), np.float32), np.full(len(rows), np.nan)
        for place, row in enumerate(rows.tolist()):
            z, left = affine.weight @ fed[place] + affine.bias, int(criterion.left[row])
            size = np.abs(affine.weight) @ np.abs(fed[place]) + np.abs(affine.bias)
            steps = variable.steps(rows[[place]]).reshape(-1)
            found = self._nearest(weight * steps, z, size, left, low[place], high[place])
            if found is not None:
                d[place], exact[place] = found
            attacked.tell(place + 1, len(rows), f"sample {place + 1}")
        numbers = {"exact": [None if np.isnan(one) else float(one) for one in exact]}
        return Perturbations(d=oracle.within(d, rows), numbers=numbers)

    def _nearest(
        self, weight: Floats, z: Floats, size: Floats, left: int, low: Floats, high: Floats
    ) -> tuple[Floats, float] | None:
        """d and its norm to the nearest of the other classes."""
        others = np.array([k for k in range(len(z)) if k != left])
        slopes, apart = weight[left] - weight[others], z[left] - z[others]
        least = np.maximum(apart, 0) / np.maximum(np.linalg.norm(slopes, DUALS[self.norm], axis=1), 1e-300)
        best, norm = None, np.inf
        for k in np.argsort(least, kind="stable").tolist():
            if least[k] >= norm:
                break
            beyond = _BEYOND * (size[left] + size[others[k]])
            d = into_halfspace(slopes[k], float(max(apart[k], 0) + beyond), low, high, self.norm)
            if d is not None and self.measure.size(d[None])[0] < norm:
                best, norm = d, float(self.measure.size(d[None])[0])
        return None if best is None else (best.astype(np.float32), norm)

    def _check(self, attacked: Attacked, affine: Affine) -> None:
        """Hold W x + b against the judge's classes, on noise about each sample. Errors: InputError."""
        oracle, rows, variable = attacked.oracle, attacked.rows, attacked.oracle.variable
        for probe in range(_PROBES):
            random = np.random.default_rng(probe)
            noise = random.normal(0, 3.0**probe, (len(rows), oracle.numbers)).astype(np.float32)
            x = oracle.samples(oracle.within(noise, rows), rows)
            fed = _fed(variable, x, attacked, affine.input)
            z = fed @ affine.weight.T + affine.bias
            size = 1e-5 * (np.abs(fed) @ np.abs(affine.weight).T + np.abs(affine.bias)).max(1)
            clear = np.diff(np.sort(z, axis=1)[:, -2:], axis=1)[:, 0] > size
            # Where a logistic is 1 for two classes the file tells them apart no longer: that is no other reading.
            probabilities = variable.model.predict_classes(variable.fed(x, rows)).probabilities
            less = probabilities[np.arange(len(z)), z.argmax(1)] < probabilities.max(1) * (1 - 1e-5)
            if (clear & less).any():
                raise InputError(
                    "linear reads other classes off the file's weights than ONNX Runtime gives; take ddn or hopskipjump"
                )


def _slopes(variable: Variable, affine: Affine) -> Floats:
    """(K, numbers): W of what is changed, from that of what is fed. Errors: InputError."""
    if not isinstance(variable, ArrayVariable):
        profile = variable.model.profile
        assert profile is not None  # its samples are pictures
        space = PictureSpace(name=affine.input, array=np.zeros(0, np.float32), profile=profile)
        return space.slopes(_as_fed(variable, affine))
    if variable.names != (affine.input,):
        raise InputError(f"linear changes the one input {affine.input!r} that the scores are made of; leave --wrt out")
    space_of = variable.spaces[affine.input]
    return space_of.slopes(affine.weight.reshape(-1, *space_of.array.shape[1:]))


def _as_fed(variable: Variable, affine: Affine) -> Floats:
    """(K, ...): W in the shape of the input."""
    one = np.zeros(1, np.int64)
    shape = variable.model.feeds(variable.fed(variable.start[one], one))[affine.input].shape[1:]
    return affine.weight.reshape(-1, *shape)


def _fed(variable: Variable, x: Floats, attacked: Attacked, name: str) -> Floats:
    """(n, numbers): what the file is fed for x, in float64."""
    fed = variable.model.feeds(variable.fed(x, attacked.rows))[name]
    return np.asarray(fed, np.float64).reshape(len(x), -1)
