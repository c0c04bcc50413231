"""``fine_tune``: a model trained by a loss of the user's own, on any values of the file, and the same file given back.

loss = lambda values, labels: torch.nn.functional.cross_entropy(values["logits"], labels)
better = onnxray.training.fine_tune(model, batches, loss, epochs=2)
onnxray.save(better, "better.onnx")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from onnxray.errors import InputError, MismatchError
from onnxray.errors.short_values import short
from onnxray.errors.type_checks import check_callable, check_kind, check_names, check_seed
from onnxray.graph.trainable.listing import Constant, chosen, constants_of
from onnxray.methods.run import Progress
from onnxray.model.model import Model
from onnxray.notebooks.progress_bars import check_progress, shown

if TYPE_CHECKING:
    import torch

    from onnxray.training.network import Network

Loss = Callable[[Mapping[str, "torch.Tensor"], Any], "torch.Tensor"]
Batches = Iterable[tuple[Any, Any]] | Callable[[int], Iterable[tuple[Any, Any]]]

_APART = 1e-3
"""Of the largest number of a value, as verification allows it."""
_SEEDS = 2**63
"""What torch takes a seed below."""


def trainable(model: Model, outputs: Sequence[str] = ()) -> tuple[Constant, ...]:
    """Every constant of real numbers of the file: what it is, and the reason where it is not trained.

    outputs: the values that are trained on; by default the file's own.
    """
    names = check_names(outputs)
    _check_model(model)
    return constants_of(model.graph, model.select_values(names) if names else ())


def fine_tune(
    model: Model,
    batches: Batches,
    loss: Loss,
    *,
    values: Sequence[str] = ("logits",),
    train: Sequence[str] | None = None,
    freeze: Sequence[str] = (),
    epochs: int = 1,
    optimizer: str | Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer] = "adam",
    rate: float = 1e-4,
    clip: float | None = None,
    dropout: bool = False,
    seed: int = 0,
    progress: Progress | bool | None = None,
) -> Model:
    """Train a file by a loss of one's own and give it back: the same graph, with other numbers in its weights.

    batches: pairs of (images, what the loss is handed as well), gone through once an epoch; or a function of the epoch
    that gives them. Images are whatever ``model.pixels`` takes, or a torch tensor of pixels, (N, C, H, W) in grey
    levels; of a model that takes none or several inputs, a dict of tensors by the inputs' names.
    loss: of a dict of the ``values`` (any names of the file; ``logits`` stands before its softmax) and of the second of
    the pair; a scalar tensor.
    train, freeze: names or patterns (``"conv*"``) of the constants that are trained, or left; ``trainable(model)``
    lists all. Statistics of batch normalisation are never trained by gradients. optimizer: adam, adamw, sgd (momentum
    0.9), or a function of parameters that gives one of torch's. rate: its step. clip: the largest norm of the gradient.
    dropout: let Dropout nodes draw, seeded; else they do nothing, as in the file.
    The model that is given back was compared with the network in training on the last batch; its judge runs the bytes
    that ``onnxray.save`` writes.
    Errors: InputError where nothing can be trained; NotFinite where the loss is NaN; MismatchError.
    """
    import torch

    from onnxray.training.network import Network
    from onnxray.training.steps import Steps

    _check_model(model)
    check_callable("loss", loss, "values", "targets")
    check_kind("epochs", epochs, int)
    check_kind("dropout", dropout, bool)
    check_seed(seed)
    check_progress(progress)
    if epochs < 1:
        raise InputError(f"epochs is {short(epochs)}; a whole number from 1 was expected")
    named = None if train is None else check_names(train)
    names = {text: model.select_value(text) for text in check_names(values)}
    if not names:
        raise InputError("values names nothing; the values that the loss is computed from were expected")
    constants = chosen(trainable(model, tuple(names.values())), named, check_names(freeze))
    network = Network(model, constants, dropout=dropout)
    steps = Steps(network, optimizer, rate, clip)
    last: Any = None
    with shown(progress) as tick, torch.random.fork_rng(devices=[]):
        for epoch in range(epochs):
            torch.manual_seed((seed + epoch) % _SEEDS)
            for number, pair in enumerate(_of_epoch(batches, epoch)):
                last, targets = _pair(pair)
                last = _variable(model, last)
                found = network.values(last, list(names.values()), drawn=dropout)
                value = steps.step(loss({text: found[name] for text, name in names.items()}, targets))
                if tick is not None:
                    tick(epoch, epochs, f"epoch {epoch + 1}, batch {number + 1}: loss {value:.4g}")
    if last is None:
        raise InputError("there are no batches to train on; pairs of (images, targets) were expected")
    trained = network.trained_model()
    compare(network, trained, last, list(names.values()))
    return trained


def compare(network: Network, trained: Model, variable: Any, names: Sequence[str]) -> None:
    """Whether the written file gives what the network in training gave. Errors: MismatchError."""
    import numpy as np
    import torch

    with torch.no_grad():
        own = network.values(variable, names)
    if any(master.constant.quantised for master in network.masters):
        return  # of quantised values a rounding more is a step more: verify compares them by their steps
    one = variable.cpu().numpy() if isinstance(variable, torch.Tensor) else None
    feeds = {k: v.cpu().numpy() for k, v in variable.items()} if one is None else trained.feeds(one)
    judged = trained.judge.values(feeds, names)
    for name in names:
        ours = own[name].detach().float().cpu().numpy().astype(np.float64)
        theirs = judged[name].astype(np.float64)
        off = float(np.abs(ours - theirs).max()) if ours.size else 0.0
        allowed = _APART * float(np.abs(theirs).max()) if theirs.size else 0.0
        half = own[name].dtype in {torch.float16, torch.bfloat16}
        if off > max(allowed * (20 if half else 1), 1e-6):
            raise MismatchError(
                f"value {name!r} of the trained file is {off:.3g} off from the network in training, at most "
                f"{max(allowed, 1e-6):.3g} was expected; nothing is given back"
            )


def _check_model(model: object) -> None:
    if not isinstance(model, Model):
        raise InputError(f"the model is {short(model)}; open it first: onnxray.open(path)")


def _of_epoch(batches: Batches, epoch: int) -> Iterable[tuple[Any, Any]]:
    """The batches of an epoch. Errors: InputError."""
    if callable(batches):
        check_callable("batches", batches, "epoch")
        batches = batches(epoch)
    if not isinstance(batches, Iterable) or isinstance(batches, str | bytes):
        raise InputError(
            f"batches is {short(batches)}; pairs of (images, targets), or a function of the epoch that gives them, "
            "were expected"
        )
    return batches


def _pair(pair: object) -> tuple[Any, Any]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InputError(f"a batch is {short(type(pair).__name__)}; a pair of images and targets was expected")
    return pair[0], pair[1]


def _variable(model: Model, images: Any) -> Any:
    """What the network takes: a tensor, or tensors by the inputs' names."""
    import numpy as np
    import torch

    if isinstance(images, torch.Tensor):
        return images
    if isinstance(images, Mapping):
        return {name: _tensor(name, value) for name, value in images.items()}
    arrays = model.variables(images)
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    return next(iter(tensors.values())) if len(tensors) == 1 else tensors


def _tensor(name: object, value: Any) -> torch.Tensor:
    """An input that was given by its name. Errors: InputError."""
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        return value
    try:
        return torch.as_tensor(np.asarray(value))
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"the input {short(name)} is {short(value)}; an array of numbers was expected") from None
