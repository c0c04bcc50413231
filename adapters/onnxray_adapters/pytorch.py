"""PyTorch's models, through torch.onnx: programs of torch.export, TorchScript, and functions that give a module.

    net.pt2               torch.export.save      names of values survive: each is compared
    net.pt  net.pth       TorchScript, else a pickled module
    package.module:make   a function without arguments, or a module that is there

A .pt2 holds pickles, TorchScript is a program, and so is a pickle: they are read where they are trusted. What is named
as package.module:make is imported, as `python -m` would; the working folder is looked through last. The proof: the
module's own outputs, and of programs every value that ONNX has by the same name.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch

from onnxray.arrays import Array
from onnxray.errors import InputError, ModelFileError
from onnxray.errors.short_values import short
from onnxray.graph.file.made_model import MadeModel, Reference, Wishes
from onnxray_adapters.frameworks import (
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
from onnxray_adapters.torch_profile import put_profile

_BATCH: Final = 2
"""Samples of what is made up: of one, torch.export would make a constant."""


def from_program(source: str, wishes: Wishes) -> MadeModel:
    """The model of a .pt2. Errors: ModelFileError; InputError."""
    path = existing(source)
    trusted(source, wishes, "a .pt2 holds pickles, which are programs")
    with told(source, "cannot be read as a program of torch.export"):
        program = torch.export.load(path)
    return _of_program(program, source, path, wishes, None, (may_have_run(source),))


def from_script_or_pickle(source: str, wishes: Wishes) -> MadeModel:
    """The model of TorchScript, or of a pickled module. Errors: ModelFileError; InputError."""
    path = existing(source)
    is_script = _is_script(path)
    trusted(source, wishes, "TorchScript is a program" if is_script else "a pickle is a program")
    if is_script:
        with told(source, "cannot be read as TorchScript"):
            load: Any = torch.jit.load
            module = load(path, map_location="cpu").eval()
        return _of_script(module, source, path, wishes)
    with told(source, "cannot be read by torch.load"):
        module = torch.load(path, map_location="cpu", weights_only=False)
    if not isinstance(module, torch.nn.Module):
        raise ModelFileError(
            f"{short(source)} holds weights without their network ({short(type(module).__name__)}); name a function "
            "that makes the network and loads them: onnxray convert package.module:function"
        )
    return _of_module(module, source, path, wishes, module, (may_have_run(source),))


def from_factory(source: str, wishes: Wishes) -> MadeModel:
    """The model of package.module:function; it gives a module, or a module and what its weights were made with.

    Errors: ModelFileError; InputError.
    """
    name, _, function = source.partition(":")
    with _importing(), told(source, "cannot be imported"):
        module = importlib.import_module(name)
        make = getattr(module, function)
    with told(source, "raised"):
        made = make() if callable(make) and not isinstance(make, torch.nn.Module) else make
    made, about = made if isinstance(made, tuple) and len(made) == 2 else (made, made)
    if not isinstance(made, torch.nn.Module):
        raise ModelFileError(f"{short(source)} gives {short(type(made).__name__)}; a torch.nn.Module was expected")
    path = Path(getattr(module, "__file__", None) or sys.executable)
    if isinstance(made, torch.jit.ScriptModule):
        return _of_script(made.eval(), source, path, wishes)
    return _of_module(made, source, path, wishes, about, ())


@contextmanager
def _importing() -> Iterator[None]:
    """The working folder is the last that modules are looked for in: nothing there stands in for one of Python's."""
    sys.path.append(str(Path.cwd()))
    try:
        yield
    finally:
        sys.path.pop()


def _is_script(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


def _of_module(
    module: torch.nn.Module, source: str, path: Path, wishes: Wishes, about: Any, notes: tuple[str, ...]
) -> MadeModel:
    module = module.eval()
    program = program_of(module, _arguments(source, wishes, module), source)
    return _of_program(program, source, path, wishes, about, notes, module)


def program_of(
    module: torch.nn.Module, arguments: tuple[torch.Tensor, ...], source: str, *, gathered: bool = False
) -> torch.export.ExportedProgram:
    """The module as torch.export traces it, of a free batch where that can be. gathered: it takes *arguments.

    Errors: ModelFileError.
    """
    with told(source, "cannot be exported by torch.export"):
        sizes = tuple({0: torch.export.Dim.AUTO} if one.ndim else None for one in arguments)
        try:
            return torch.export.export(module, arguments, dynamic_shapes=(sizes,) if gathered else sizes)
        except (TypeError, ValueError, torch._dynamo.exc.UserError):  # *args, or a batch that is fixed inside
            return torch.export.export(module, arguments)


def _of_program(
    program: torch.export.ExportedProgram,
    source: str,
    path: Path,
    wishes: Wishes,
    about: Any,
    notes: tuple[str, ...],
    module: torch.nn.Module | None = None,
) -> MadeModel:
    needed("onnxscript", "torch", "PyTorch's exporter to ONNX")
    if program.example_inputs is not None and program.example_inputs[1]:
        raise ModelFileError(f"{short(source)} takes inputs by keyword, which cannot be converted; export it with args")
    with told(source, "cannot be exported by torch.onnx"):
        exported = torch.onnx.export(program, dynamo=True, verbose=False)
        assert exported is not None
        model = fits(exported.model_proto, source)
    names = tuple(value.name for value in model.graph.input)
    stated = shapes_of(wishes, names)
    own = named(examples_of(wishes), names)
    _check_dims(model, [(name or names[min(i, len(names) - 1)], shape) for i, (name, shape) in enumerate(stated)])
    _check_dims(model, [(name, array.shape) for name, array in own.items()])
    proofs = [own] if own else []
    if program.example_inputs is not None and not own:
        proofs.append({name: _array(one) for name, one in zip(names, program.example_inputs[0])})
    notes += put_profile(model, about, module)
    taken_apart = exported.exported_program or program
    reference = _traced(program, taken_apart, source, names, tuple(value.name for value in model.graph.output))
    return MadeModel(model, path, {}, source, notes=notes, reference=reference, proofs=tuple(proofs))


def _of_script(module: Any, source: str, path: Path, wishes: Wishes) -> MadeModel:
    """TorchScript, through torch.onnx's older exporter, which alone takes it."""
    arguments = _arguments(source, wishes, module)
    graph_names = [value.debugName() for value in module.graph.inputs()][1:]
    names = tuple(f"input_{i}" if not name.isidentifier() else name for i, name in enumerate(graph_names))
    names = names[: len(arguments)]
    with told(source, "cannot be exported by torch.onnx"), tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "net.onnx"
        torch.onnx.export(
            module, arguments, written, dynamo=False, input_names=list(names), opset_version=17,
            dynamic_axes={name: {0: "batch"} for name, one in zip(names, arguments) if one.ndim},
        )  # fmt: skip
        model = fits(onnx.load(written), source)
    outputs = tuple(value.name for value in model.graph.output)

    def reference(feeds: Mapping[str, Array]) -> dict[str, Array]:
        with told(source, "cannot be run by torch"), torch.no_grad():
            return _outputs(outputs, module(*(torch.from_numpy(np.array(feeds[name])) for name in names)))

    proof = {name: _array(one) for name, one in zip(names, arguments)}
    return MadeModel(model, path, {}, source, notes=(may_have_run(source),), reference=reference, proofs=(proof,))


def _arguments(source: str, wishes: Wishes, module: Any) -> tuple[torch.Tensor, ...]:
    """What the module is exported with: examples, else made up by the shapes that are stated. Errors: InputError."""
    examples, shapes = examples_of(wishes), shapes_of(wishes)
    if examples:
        return tuple(torch.from_numpy(np.array(array)) for array in examples.values())
    if not shapes and (size := _stated_size(module)) is not None:
        shapes = [(None, size)]
    if not shapes:
        raise InputError(
            f"{short(source)} does not say what inputs it takes; state --shape 1x3x224x224 (again for the next input), "
            "or --example FILE.npy"
        )
    generator = torch.Generator().manual_seed(0)
    sizes = [(_BATCH if shape[0] == 1 else shape[0], *shape[1:]) for _, shape in shapes]
    return tuple(torch.randn(size, generator=generator) for size in sizes)


def _stated_size(module: Any) -> tuple[int, ...] | None:
    """The input of timm's networks."""
    config = getattr(module, "pretrained_cfg", None)
    size = config.get("input_size") if isinstance(config, dict) else None
    return (1, *map(int, size)) if size else None


def _check_dims(model: onnx.ModelProto, stated: Sequence[tuple[str, tuple[int, ...]]]) -> None:
    """Errors: InputError where an input is of another shape."""
    known = {
        value.name: [dim.dim_value if dim.HasField("dim_value") else None for dim in value.type.tensor_type.shape.dim]
        for value in model.graph.input
    }
    for name, shape in stated:
        sizes = known[name]
        fixed = [(own, other) for own, other in zip(sizes, shape) if own is not None]
        if len(sizes) != len(shape) or any(own != other for own, other in fixed):
            shown = "x".join("N" if size is None else str(size) for size in sizes)
            raise InputError(f"the input {short(name)} is {shown} in the model; {'x'.join(map(str, shape))} was given")


def _traced(
    program: torch.export.ExportedProgram,
    taken_apart: torch.export.ExportedProgram,
    source: str,
    names: Sequence[str],
    outputs: Sequence[str],
) -> Reference:
    """The program's own outputs by ONNX's names, and every tensor of what the exporter took it apart into.

    taken_apart: its nodes are those that ONNX' values are named by; the program's own may call others so.
    """
    whole, parts = program.module(), taken_apart.module()

    def reference(feeds: Mapping[str, Array]) -> dict[str, Array]:
        given = [torch.from_numpy(np.array(feeds[name])) for name in names]
        walk = _Recording(parts)
        with told(source, "cannot be run by torch"), torch.no_grad():
            walk.run(*given)
            result = whole(*given)
        return {**{key: one for key, one in walk.values.items() if key not in feeds}, **_outputs(outputs, result)}

    return reference


class _Recording(torch.fx.Interpreter):
    """Runs a graph and keeps what each of its nodes gave."""

    def __init__(self, module: torch.fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[str, Array] = {}

    def run_node(self, n: torch.fx.Node) -> Any:
        """One node; a later one may write over what it gave."""
        found = super().run_node(n)
        if n.op == "call_function" and isinstance(found, torch.Tensor):
            self.values[n.name] = _array(found)
        return found


def _array(tensor: Any) -> Array:
    found: Array = tensor.detach().cpu().clone().numpy()
    return found


def _outputs(names: Sequence[str], result: Any) -> dict[str, Array]:
    """What a module gave, by the names of the outputs in their order."""
    leaves = torch.utils._pytree.tree_leaves(result)
    return dict(zip(names, (_array(leaf) for leaf in leaves if isinstance(leaf, torch.Tensor))))
