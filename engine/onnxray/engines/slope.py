"""The pullback as it is asked for by name: with respect to the variables, or to values inside the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from onnxray.arrays import Array, Arrays
from onnxray.engines.chunks import sample_count
from onnxray.errors import InputError, NotDifferentiable
from onnxray.errors.short_values import short

if TYPE_CHECKING:
    from onnxray.engines.cotangents import Cotangents
    from onnxray.engines.twin import Twin

Cotangent = TypeVar("Cotangent")


def by_whole_names(cotangents: Mapping[str, Cotangent], resolve: Callable[[str], str]) -> dict[str, Cotangent]:
    """Cotangents by the names of whole values, as ``resolve`` gives them. Errors: InputError, and those of it."""
    if not isinstance(cotangents, Mapping):
        raise InputError(f"the cotangents are {short(cotangents)}; a dict of them by names of values was expected")
    if not cotangents:
        raise InputError("no cotangents were given; at least one value's is needed")
    found = {resolve(name): cotangent for name, cotangent in cotangents.items()}
    if len(found) != len(cotangents):
        raise InputError(f"two of {list(cotangents)} name the same value; give each value one cotangent")
    return found


def pulled_back(
    twin: Twin, variables: Arrays, cotangents: Mapping[str, object], wrt: Sequence[str] | None = None
) -> dict[str, Array]:
    """J^T c by variable, or by what ``wrt`` names: variables and values inside the network.

    Errors: as for ``Twin.pullback``; NotDifferentiable for a variable of whole numbers.
    """
    from onnxray.engines.cotangents import read_cotangents

    give, names = read_cotangents(cotangents, sample_count(variables, twin.graph)), tuple(cotangents)
    if wrt is None:
        return twin.pullback(variables, names, give)
    return {at: _slope_at(twin, variables, at, names, give) for at in wrt}


def _slope_at(twin: Twin, variables: Arrays, at: str, names: Sequence[str], cotangents: Cotangents) -> Array:
    if at not in variables:
        return twin.layer_pullback(variables, at, names, cotangents)[1]
    if not np.issubdtype(variables[at].dtype, np.floating):
        raise NotDifferentiable(f"the input {at!r} holds {variables[at].dtype}; gradients exist for real numbers alone")
    return twin.pullback(variables, names, cotangents)[at]
