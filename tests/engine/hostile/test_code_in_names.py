"""A name in a file is data: as the name of a weight, a node or a value it reaches no source that is run."""

import copy
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import fx

import onnxray
from onnxray.importer.imported_module import ImportedModule
from support import models

R = models.random


def payloads(mark: Path) -> tuple[str, ...]:
    """Python that makes a file, as it would have to stand behind what torch.fx writes before a name."""
    call = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    return (
        f'w", None) if 0 else {call} or getattr(self, "w',
        f"w'] + [{call}] + ['w",
        f'w"; {call}; "',
        f"w\n    {call}\n    #",
        f"w = {call}",
        f"{{{call}}}",
        f'w\\", None) if 0 else {call} or getattr(self, \\"w',
    )


BRANCHING = """g (float[2,3] x) => (float[2,2] y, float[3] z) {
  t = Mul (x, w) i, v = Split (t) q = MatMul (x, m) j = Add (q, b)
  y = If (c) <
    then_branch = left () => (o) { o = Add (j, b) },
    else_branch = right () => (p) { p = Sub (j, b) } >
  z = Identity (w)
}"""


class LeavesNodes(fx.Tracer):
    """Traces a module without looking into the modules of nodes."""

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name.startswith("nodes.")


def named(text: str) -> onnx.ModelProto:
    """A model whose weights, nodes and values are all called by ``text`` and a number."""
    model = models.parse(BRANCHING, {"w": R(0, 3), "b": R(1, 2), "m": R(2, 3, 2), "c": np.array(True)})
    names: dict[str, str] = {"": ""}

    def renamed(old: str) -> str:
        return names.setdefault(old, f"{text}{len(names)}")

    pending = [model.graph]
    while pending:
        graph = pending.pop()
        graph.name = text
        for info in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
            info.name = renamed(info.name)
        for node in graph.node:
            node.input[:] = map(renamed, node.input)
            node.output[:] = map(renamed, node.output)
            node.name = renamed(f"node {node.output[0]}")
            pending += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return model


@pytest.mark.parametrize("number", range(7))
@pytest.mark.parametrize("trainable", [False, True])
def test_no_name_is_run_by_a_module(number: int, trainable: bool, tmp_path: Path) -> None:
    mark = tmp_path / "run"
    proto = named(payloads(mark)[number])
    module = onnxray.to_torch(proto, trainable=trainable)
    x = torch.from_numpy(R(3, 2, 3))
    expected = [value.detach() for value in module(x)]
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert all(torch.equal(a, b) for a, b in zip(other(x), expected))
    printed = [module.code, str(module.graph), module.print_readable(print_output=False), repr(module)]
    assert not any(str(mark) in text for text in printed)
    traced = fx.GraphModule(module, LeavesNodes().trace(module))  # reads Parameters by their registered names
    assert all(torch.equal(a, b) for a, b in zip(traced(x), expected))
    assert not mark.exists()


@pytest.mark.parametrize("number", range(7))
def test_no_name_is_run_by_a_pullback(number: int, tmp_path: Path) -> None:
    mark = tmp_path / "run"
    model = onnxray.open(named(payloads(mark)[number]), None)
    x = R(3, 2, 3)
    cotangent = R(4, 2, 2)
    found = model.pullback(x, {model.graph.outputs[0].name: cotangent})
    np.testing.assert_allclose(found, cotangent @ R(2, 3, 2).T, rtol=1e-5, atol=1e-6)
    assert model.verify(x).agrees
    assert not mark.exists()


def test_what_torch_reads_is_called_by_our_own_names() -> None:
    """By construction: whatever a file is called inside, a graph reads attributes of these forms alone."""
    module = onnxray.to_torch(named("a file's text"))
    assert isinstance(module, ImportedModule)
    for node in module.graph.nodes:
        if node.op == "get_attr":
            assert node.target.removeprefix("weights.weight_").isdecimal()
        if node.op == "call_module":
            assert node.target.isascii()
            assert node.target.replace(".", "_").isidentifier()
        assert "file" not in repr((node.name, node.target, node.args, node.kwargs))
