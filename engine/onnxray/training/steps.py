"""Steps of an optimiser on a file's network: torch's own optimisers, on the masters of the trained constants.

The rate goes over a training as a share of what is stated; t goes from 0 to 1:

    constant   1
    linear     1 - t
    cosine     (1 + cos pi t) / 2                                        (Loshchilov, Hutter 2017, arXiv 1608.03983)
    one-cycle  from 1/25 up to 1 over the first 0.3 of the course, then down to 0, along half a cosine each
                                                                         (Smith, Topin 2018, arXiv 1708.07120)

These are torch's CosineAnnealingLR and OneCycleLR as functions of the step alone: a run that is gone on with needs no
state of theirs, and takes the very same steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch

from onnxray.errors import InputError, NotFinite
from onnxray.errors.short_values import short
from onnxray.errors.type_checks import check_callable, check_kind
from onnxray.training.network import Network

Optimizers = Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer]

_RISE, _FIRST = 0.3, 1 / 25

OPTIMIZERS: Final[Mapping[str, Callable[[list[torch.nn.Parameter], float], torch.optim.Optimizer]]] = {
    "adam": lambda parameters, rate: torch.optim.Adam(parameters, rate),
    "adamw": lambda parameters, rate: torch.optim.AdamW(parameters, rate),
    "sgd": lambda parameters, rate: torch.optim.SGD(parameters, rate, momentum=0.9),
}
"""By name, with torch's defaults; sgd with a momentum of 0.9."""


def _cosine(start: float, end: float, t: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * t)) / 2


def _one_cycle(t: float) -> float:
    return _cosine(_FIRST, 1, t / _RISE) if t < _RISE else _cosine(1, 0, (t - _RISE) / (1 - _RISE))


SCHEDULES: Final[Mapping[str, Callable[[float], float]]] = {
    "constant": lambda _: 1.0,
    "linear": lambda t: 1 - t,
    "cosine": lambda t: _cosine(1, 0, t),
    "one-cycle": _one_cycle,
}
"""By name."""


class Steps:
    """An optimiser of one network. optimizer: a name of ``OPTIMIZERS``, or what makes one of parameters.

    clip: the largest norm of all gradients together; None: any.
    """

    def __init__(self, network: Network, optimizer: str | Optimizers, rate: float, clip: float | None) -> None:
        """Errors: InputError."""
        self.network, self.clip = network, clip
        for name, number in (("rate", rate), ("clip", math.inf if clip is None else clip)):
            check_kind(name, number, float)
            if not number > 0:
                raise InputError(f"{name} is {short(number)}; a number above 0 was expected")
        if isinstance(optimizer, str):
            if optimizer not in OPTIMIZERS:
                raise InputError(f"optimizer {short(optimizer)} is unknown; {', '.join(OPTIMIZERS)} are known")
            self.optimizer = OPTIMIZERS[optimizer](network.parameters(), rate)
        else:
            check_callable("optimizer", optimizer, "parameters")
            self.optimizer = optimizer(network.parameters())
            if not isinstance(self.optimizer, torch.optim.Optimizer):
                raise InputError(f"the optimizer that was made is {short(self.optimizer)}; one of torch's was expected")

    def set_rate(self, rate: float) -> None:
        """The rate of the steps to come."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def step(self, loss: torch.Tensor) -> float:
        """Go down a loss; what it was.

        Errors: NotFinite where it or a gradient is none; InputError for what is no loss. Nothing was stepped then.
        """
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            described = f"a tensor of {list(loss.shape)}" if isinstance(loss, torch.Tensor) else short(loss)
            raise InputError(f"the loss is {described}; one number in a tensor of torch was expected")
        value = float(loss.detach())
        if not math.isfinite(value):
            raise NotFinite(
                f"the loss is {'NaN' if math.isnan(value) else 'infinite'}; take a smaller rate, or clip gradients"
            )
        if not loss.requires_grad:
            raise InputError("the loss does not depend on what is trained; compute it from the values it is handed")
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.network.take_gradients()
        size = torch.nn.utils.clip_grad_norm_(self.network.parameters(), math.inf if self.clip is None else self.clip)
        if not bool(torch.isfinite(size)):
            raise NotFinite("the gradient of the loss is NaN or infinite; take a smaller rate, or clip gradients")
        self.optimizer.step()
        self.network.round()
        return value

    def untouched(self) -> list[str]:
        """The constants that no gradient has reached yet."""
        return [master.constant.name for master in self.network.masters if master.stepped.grad is None]

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on, by torch's plain types."""
        stepped = {master.constant.name: master.stepped.detach().clone() for master in self.network.masters}
        return {"stepped": stepped, "optimizer": self.optimizer.state_dict()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a state. Errors: InputError where it is of other constants."""
        stepped = state["stepped"]
        names = {master.constant.name for master in self.network.masters}
        if set(stepped) != names:
            raise InputError("the checkpoint is of other constants than are trained now")
        for master in self.network.masters:
            master.stepped.copy_(stepped[master.constant.name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.network.round()
