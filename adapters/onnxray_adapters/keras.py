"""Keras' files through Keras on PyTorch and torch.onnx: every layer's output keeps the layer's name.

    net.keras  net.h5        Model.save

Lambda layers are programs, and so may be what else such a file names: it is read where it is trusted. The proof: the
output of every layer, and the model's own. Where the model has the name of one of keras.applications, preprocessing is
taken from there, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from onnxray.arrays import Array
from onnxray.errors import InputError, ModelFileError
from onnxray.errors.short_values import short
from onnxray.graph.file.made_model import MadeModel, Wishes
from onnxray_adapters.frameworks import (
    environment,
    examples_of,
    existing,
    fits,
    may_have_run,
    named,
    needed,
    shapes_of,
    told,
    trusted,
)
from onnxray_adapters.keras_profile import put_profile
from onnxray_adapters.pytorch import program_of

_BACKEND: Final = "KERAS_BACKEND"
_OURS: Final = "torch"
_BATCH: Final = 2
_UNNAMED: Final = "keras_tensor"


def from_keras(source: str, wishes: Wishes) -> MadeModel:
    """The model of a file of Keras. Errors: ModelFileError; InputError for shapes and examples that do not fit."""
    path = existing(source)
    with environment(_BACKEND, _OURS):  # Keras asks once, when it is imported, what it is to run on
        keras = needed("keras", "keras", "Keras' files")
        needed("h5py", "keras", "Keras' files")
    needed("onnxscript", "keras", "PyTorch's exporter to ONNX")
    if (backend := keras.backend.backend()) != _OURS:
        raise ModelFileError(
            f"Keras runs on {short(backend)} here, and its files are converted on PyTorch: set {_BACKEND}={_OURS}"
        )
    trusted(source, wishes, "a file of Keras can hold programs (Lambda layers)")
    with told(source, "cannot be read by Keras"):
        net = keras.saving.load_model(path, compile=False, safe_mode=False)
    if not isinstance(net, keras.Model):
        raise ModelFileError(f"{short(source)} holds {short(type(net).__name__)}; a model of Keras was expected")
    return _made(keras, net, source, path, wishes)


class _Flat(torch.nn.Module):
    """A model of Keras that takes its inputs one by one and gives its outputs in a row."""

    def __init__(self, net: Any, count: int) -> None:
        super().__init__()
        self.net = net
        self.count = count

    def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.net(list(given) if self.count > 1 else given[0], training=False)
        return tuple(torch.utils._pytree.tree_leaves(found))


def _made(keras: Any, net: Any, source: str, path: Path, wishes: Wishes) -> MadeModel:
    layers = _layers(net)
    with told(source, "cannot be taken apart into its layers"):
        whole = keras.Model(net.inputs, [*net.outputs, *layers.values()]) if layers else net
    stated = [(_name(one, i), one) for i, one in enumerate(net.inputs or ())]
    given = _given(source, stated, wishes)
    module = _Flat(whole, len(given)).eval()
    arguments = tuple(map(torch.from_numpy, given.values()))
    outputs = _outputs(net, module, arguments, source)
    names = [*outputs, *layers]
    program = program_of(module, arguments, source, gathered=True)
    with told(source, "cannot be exported by torch.onnx"):
        exported = torch.onnx.export(
            program, dynamo=True, verbose=False, input_names=list(given), output_names=names, optimize=True
        )
        assert exported is not None
        model = fits(exported.model_proto, source)
    del model.graph.output[len(outputs) :]
    model.producer_name = f"keras on {model.producer_name}"[:80]

    def reference(feeds: Mapping[str, Array]) -> dict[str, Array]:
        with told(source, "cannot be run by Keras"), torch.no_grad():
            found = module(*(torch.from_numpy(np.array(feeds[name])) for name in given))
        return {name: one.detach().cpu().numpy() for name, one in zip(names, found)}

    return MadeModel(
        model, path, {}, source, notes=(may_have_run(source), *put_profile(model, net.name)), reference=reference,
        proofs=(given,),
    )  # fmt: skip


def _layers(net: Any) -> dict[str, Any]:
    """Layer -> its output, of those that are neither an input nor an output of the model."""
    if not net.inputs:
        return {}
    ends = {id(one) for one in (*net.inputs, *net.outputs)}
    return {name: tensor for name, tensor in _results(net) if id(tensor) not in ends}


def _results(net: Any) -> Iterator[tuple[str, Any]]:
    """Layers and their outputs, of those that are used once and give one tensor."""
    for layer in net.layers:
        try:
            output = layer.output
        except (AttributeError, ValueError):  # used in several places, or never
            continue
        if hasattr(output, "shape"):
            yield str(layer.name), output


def _name(tensor: Any, place: int) -> str:
    return str(tensor.name or f"input_{place}")


def _outputs(net: Any, module: _Flat, arguments: Sequence[torch.Tensor], source: str) -> list[str]:
    """The names of the outputs: of the layers that give them, where that is known."""
    if not net.inputs:
        with told(source, "cannot be run by Keras"), torch.no_grad():
            return [f"output_{i}" for i in range(len(module(*arguments)))]
    by_tensor = {id(tensor): name for name, tensor in _results(net)}
    return [by_tensor.get(id(one), f"output_{i}") for i, one in enumerate(net.outputs)]


def _given(source: str, stated: Sequence[tuple[str, Any]], wishes: Wishes) -> dict[str, Array]:
    """Input -> what the model is exported with: examples, else seeded numbers. Errors: InputError."""
    names = [name for name, _ in stated] or [f"input_{i}" for i in range(max(1, len(wishes.shapes)))]
    if own := named(examples_of(wishes), names):
        return {name: np.ascontiguousarray(array) for name, array in own.items()}
    shapes = {name or names[min(i, len(names) - 1)]: shape for i, (name, shape) in enumerate(shapes_of(wishes, names))}
    random = np.random.default_rng(0)
    found: dict[str, Array] = {}
    for name, tensor in stated or [(name, None) for name in names]:
        shape = shapes.get(name) or (None if tensor is None else tuple(tensor.shape))
        if shape is None or None in shape[1:]:
            shown = "nothing of its input" if shape is None else f"the input {short(name)} as {shape}"
            raise InputError(f"{short(source)} states {shown}; state --shape 1x224x224x3, or --example FILE.npy")
        size = (_BATCH if shape[0] in (None, 1) else shape[0], *shape[1:])
        whole = tensor is not None and np.dtype(tensor.dtype).kind in "iu"
        found[name] = np.zeros(size, tensor.dtype) if whole else random.standard_normal(size).astype(np.float32)
    return found
