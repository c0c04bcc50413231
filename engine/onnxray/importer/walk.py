"""The walk: the nodes that some values need, as a torch.fx graph in which every value keeps its ONNX name."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import onnx
import torch
from torch import fx, nn
from torch.fx.node import Argument

from onnxray.errors import UnsupportedOperator
from onnxray.errors.forks import ProcessLock
from onnxray.graph.facts import Graph, Node
from onnxray.graph.reading import body_of
from onnxray.importer.backward_rules import PLAIN, BackwardRules
from onnxray.importer.fusions.catalogue import find_fusions
from onnxray.importer.fusions.pattern import Cut, Fusion
from onnxray.importer.imported_module import ImportedModule, forward_all
from onnxray.importer.nodes.attribute_names import NODES, helper_attribute, input_name, node_attribute, weight_attribute
from onnxray.importer.nodes.integers_as_floats import as_declared, declared_type
from onnxray.importer.nodes.opset_versions import since_version
from onnxray.importer.nodes.scope import Converted, Scope
from onnxray.importer.nodes.weights import Weights
from onnxray.importer.onnx2torch_bridge import Bridge
from onnxray.importer.onnx2torch_operators import SERVED
from onnxray.importer.ops import CONVERTERS
from onnxray.importer.standard_functions import function_body

_KEPT_CUTS = 16
_TUPLES = frozenset({"Split"})
"""Operators whose modules give a tuple for one output too."""


_DAMAGED = (
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
)
"""What a converter runs into at a node that no checker would let pass: nonsense for attributes, constants, arity."""


@dataclass(frozen=True)
class CutKey:
    """What tells the cuts of one graph apart: the values that they give and take, and how nodes pull back.

    batch: the inputs' shapes at the file's own batch, of a cut that takes several of these at once; else None.
    """

    names: tuple[str, ...]
    rules: Hashable
    given: tuple[str, ...] = ()
    batch: tuple[tuple[int, ...], ...] | None = None


class Importer:
    """Converts the nodes of one graph when they are first needed, each once, and joins them into cuts.

    Threads may share it: one makes cuts at a time, under ``lock``; running them takes none. ``device``: where cuts are
    moved to, once, when they are made.
    """

    def __init__(
        self, graph: Graph, *, trainable: bool | frozenset[str] = False, channels_last: bool = False,
        fused: bool = False, device: torch.device | None = None,
    ) -> None:  # fmt: skip
        self.graph, self.fused, self.device, self.lock = graph, fused, device, ProcessLock()
        self.weights = Weights(graph, trainable=trainable, channels_last=channels_last)
        self._bridge: Bridge | None = None
        self._converted: dict[int, Converted] = {}
        self._fused: dict[tuple[int, ...], nn.Module | None] = {}
        self._cuts: OrderedDict[CutKey, ImportedModule] = OrderedDict()

    def convert(self, node: Node) -> Converted:
        """A node's module, in eval mode, and the values it takes.

        Errors: UnsupportedOperator naming node, operator, version and reason.
        """
        with self.lock:
            if node.index not in self._converted:
                self._converted[node.index] = self._convert(node)
            return self._converted[node.index]

    def _convert(self, node: Node) -> Converted:
        scope, opset = self.scope(node), self.graph.opsets.get(node.domain or "ai.onnx", 1)
        if node.domain == "" and opset > onnx.defs.onnx_opset_version():
            raise scope.refuse(f"the file's opset {opset} is newer than the installed onnx {onnx.__version__} knows")
        own = CONVERTERS.get((node.domain, node.operator, scope.version))
        try:
            converted = own(scope) if own is not None else self._other(scope)
        except _DAMAGED as error:
            first = (str(error).strip().splitlines() or [""])[0][:200]
            raise scope.refuse(f"its attributes and constants do not fit ({type(error).__name__}: {first})") from None
        converted.module.eval()
        return converted

    def scope(self, node: Node) -> Scope:
        """What a converter sees of a node."""
        version = since_version(node.operator, node.domain, self.graph.opsets.get(node.domain or "ai.onnx", 1))
        return Scope(node, self.graph, self.weights, version, self._import_body)

    def _other(self, scope: Scope) -> Converted:
        """What we have no converter for: by onnx2torch's, else by the standard's own definition as a function."""
        node = scope.node
        if not node.domain and scope.version in SERVED.get(node.operator, ()):
            return self._onnx2torch().convert(scope)
        body = function_body(scope)
        if body is None:
            raise scope.refuse("there is no converter for it")
        module = Importer(body).cut(tuple(output.name for output in body.outputs))
        return Converted(Body(module), tuple(name for name in node.inputs if name), several=True)

    def _import_body(self, body: onnx.GraphProto) -> tuple[nn.Module, tuple[str, ...]]:
        """A subgraph as a module, and the outer values that it reads."""
        graph = body_of(self.graph, body)
        own = {info.name for info in body.input}
        module = Importer(graph).cut(tuple(output.name for output in graph.outputs))
        return Body(module), tuple(value.name for value in graph.inputs if value.name not in own)

    def _onnx2torch(self) -> Bridge:
        if self._bridge is None:
            self._bridge = Bridge(self.graph, self.weights)
        return self._bridge

    def cut(
        self, names: tuple[str, ...], *, given: tuple[str, ...] = (), rules: BackwardRules = PLAIN
    ) -> ImportedModule:
        """The part of the graph that computes ``names``, as a module; the modules of nodes are shared among cuts.

        given: values that the module takes in place of the graph's inputs. rules: how rectifiers pull back.
        """
        return self.kept(CutKey(names, rules, given=given), lambda: Walk(self, given, rules).build(names))

    def kept(self, key: CutKey, make: Callable[[], ImportedModule]) -> ImportedModule:
        """A module made before under this key, or made now; the latest are kept."""
        with self.lock:
            module = self._cuts.get(key)
            if module is None:
                module = make()
                if self.device is not None and self.device.type != "cpu":
                    module = module.to(self.device)
                self._cuts[key] = module
                if len(self._cuts) > _KEPT_CUTS:
                    self._cuts.popitem(last=False)
            self._cuts.move_to_end(key)
            return module

    def fusions(
        self, nodes: Sequence[Node], names: tuple[str, ...], rules: BackwardRules = PLAIN
    ) -> dict[int, tuple[Fusion, nn.Module]]:
        """The fusions of a cut by the place that they stand at; their modules are shared among cuts.

        What a rule replaces the derivative of is left as it is.
        """
        found: dict[int, tuple[Fusion, nn.Module]] = {}
        if not self.fused:
            return found
        for fusion in find_fusions(nodes, Cut(self.graph, self.weights, nodes, names, self.scope)):
            if any(rules.changes(node) for node in fusion.nodes):
                continue
            key = tuple(node.index for node in fusion.nodes)
            if key not in self._fused:
                self._fused[key] = fusion.make()
            module = self._fused[key]
            if module is not None:
                found[fusion.at] = fusion, module.eval()
        return found


class Body(nn.Module):
    """A cut that is a node of another graph; always a list of values."""

    def __init__(self, module: ImportedModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any) -> list[Any]:
        """Run it."""
        return list(forward_all(self.module, inputs))


class Tracer(fx.Tracer):
    """Reads a pickled module's source again without looking into the functions that it calls."""

    functions: ClassVar[tuple[Callable[..., Any], ...]] = (as_declared,)

    def __init__(self) -> None:
        super().__init__(autowrap_functions=self.functions)


class Walk:
    """One torch.fx graph in the making. ``guards``: nodes that stay though nothing reads them."""

    joins: ClassVar[bool] = True
    """Whether nodes may be computed together."""
    tracer: ClassVar[type[Tracer]] = Tracer
    """What unpickles its modules."""

    def __init__(self, importer: Importer, given: tuple[str, ...] = (), rules: BackwardRules = PLAIN) -> None:
        self.importer = importer
        self.rules = rules
        self.fx = fx.Graph(tracer_cls=self.tracer)
        self.root: dict[str, Any] = {}
        self.layers: dict[str, str] = {}
        self.values: dict[str, fx.Node] = {}
        self.guards: set[fx.Node] = set()
        self.given = given
        self.inputs = given or tuple(value.name for value in importer.graph.inputs)
        for index, name in enumerate(self.inputs):
            self.values[name] = self.fx.placeholder(input_name(index))

    def build(self, names: tuple[str, ...]) -> ImportedModule:
        """Walk through the nodes that ``names`` need."""
        nodes = [n for n in self.importer.graph.needed_for(names, self.given) if n.operator != "Constant"]
        fusions = self.importer.fusions(nodes, names, self.rules) if self.joins else {}
        within = {node.index for fusion, _ in fusions.values() for node in fusion.nodes}
        for node in nodes:
            if node.index in fusions:
                self.add_fused(node, *fusions[node.index])
            elif node.index not in within:
                self.add(node)
        return self.finish(names)

    def add(self, node: Node) -> None:
        """Add a node's module and the values that it gives."""
        converted = self.importer.convert(node)
        self._call(node, converted, *self._arguments(converted, {}))

    def _call(
        self, node: Node, converted: Converted, args: tuple[fx.Node, ...], kwargs: Mapping[str, Argument]
    ) -> None:
        target = node_attribute("n", node.index, node.operator)
        self.root[target] = self.rules.applied(node, converted.module)
        result = self.fx.call_module(target, args, dict(kwargs))
        whole = len(node.outputs) == 1 and not converted.several and node.operator not in _TUPLES
        for index, name in enumerate(node.outputs):
            if name:
                described = f"node {node.name!r} ({node.operator})"
                self.values[name] = result if whole else self._pick(node, result, index, described)
                self.layers[name] = target
        self.layers.setdefault(node.name, target)

    def add_fused(self, node: Node, fusion: Fusion, module: nn.Module) -> None:
        """Add several nodes' module at the place of ``node``; what lay between them is not there."""
        target = node_attribute("f", node.index, type(module).__name__)
        self.root[target] = module
        result = self.fx.call_module(target, tuple(self.value(name) for name in fusion.inputs))
        for index, name in enumerate(fusion.outputs):
            several = len(fusion.outputs) > 1
            self.values[name] = self._pick(node, result, index, f"the nodes at {node.name!r}") if several else result
            self.layers[name] = target

    def _pick(self, node: Node, result: fx.Node, index: int, described: str) -> fx.Node:
        return self.text_module(helper_attribute("output", node.index, index), Pick(index, described), (result,))

    def text_module(self, target: str, module: nn.Module, args: tuple[fx.Node, ...]) -> fx.Node:
        """Call a module whose errors speak of the file: its text is held there, and never among the graph's arguments,
        which torch.fx writes as Python source.
        """
        self.root[target] = module
        return self.fx.call_module(target, args)

    def finish(self, names: tuple[str, ...]) -> ImportedModule:
        """Close the graph with the wanted values, in their order."""
        wanted = tuple(self._as_declared(name) for name in names)
        self.fx.output(wanted[0] if len(wanted) == 1 else wanted)
        self.fx.eliminate_dead_code(
            is_impure_node=lambda node: node.op in {"placeholder", "output"} or node in self.guards
        )
        self.fx.lint()
        module = ImportedModule(self.root, self.fx, class_name="ImportedModule")
        module.input_names, module.output_names, module.layers = self.inputs, names, dict(self.layers)
        module.parameter_names = {}
        module.constant_names = frozenset(names) - self.importer.graph.depends_on_input
        if self.importer.fused and hasattr(module, NODES):
            for holder in (module, module.get_submodule(NODES)):  # where Python looks first: torch's search is slow
                holder.__dict__.update(holder._modules)
        return module.eval()

    def _as_declared(self, name: str) -> fx.Node:
        """A wanted value's node; numbers that were carried as floats become whole numbers, strings are refused."""
        graph = self.importer.graph
        value, node = graph.values.get(name), graph.producer_of.get(name)
        if value is not None and value.dtype == "object" and node is not None:
            raise self.importer.scope(node).refuse(f"its output {name!r} holds strings, which torch does not hold")
        dtype = declared_type(graph, name)
        return self.value(name) if dtype is None else self.fx.call_function(as_declared, (self.value(name), dtype))

    def value(self, name: str) -> fx.Node:
        """A value's node; a weight becomes one when it is first read."""
        if name not in self.values:
            if name not in self.importer.weights:
                raise UnsupportedOperator(f"value {name!r} is a sparse weight, which the torch twin does not hold")
            target = weight_attribute(self.importer.weights.places[name])
            tensor = self.importer.weights.tensor(name)
            self.root[target] = tensor
            self.values[name] = self.fx.get_attr(target)
        return self.values[name]

    def _arguments(
        self, converted: Converted, given: Mapping[str, fx.Node]
    ) -> tuple[tuple[fx.Node, ...], dict[str, Argument]]:
        """Positional arguments up to the first input that is left out, the rest by the names of ``forward``.

        given: what stands for some of the values.
        """
        inputs = converted.inputs
        first = inputs.index("") if "" in inputs else len(inputs)
        signature = inspect.signature(converted.module.forward).parameters
        parameters = list(signature)
        several = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in signature.values())
        if not several and len(inputs) > len(parameters):
            raise UnsupportedOperator(
                f"a node that reads {', '.join(map(repr, filter(None, inputs)))} has {len(inputs)} inputs, and its "
                f"operator takes {len(parameters)} at most; the file is damaged"
            )
        kwargs: dict[str, Argument] = {
            parameters[k]: given.get(inputs[k]) or self.value(inputs[k]) for k in range(first, len(inputs)) if inputs[k]
        }
        return tuple(given.get(name) or self.value(name) for name in inputs[:first]), kwargs


class Pick(nn.Module):
    """One output of a node; a module may give the first alone where the node declares more (MaxPool, BatchNorm)."""

    def __init__(self, index: int, described: str) -> None:
        super().__init__()
        self.index, self.described = index, described

    def forward(self, result: Any) -> Any:
        """Pick. Errors: UnsupportedOperator where it is not given, or is one that torch cannot hold."""
        outputs = result if isinstance(result, tuple | list) else (result,)
        if self.index >= len(outputs):
            raise UnsupportedOperator(
                f"{self.described}: its output {self.index} is not given by the torch twin; read it by the judge"
            )
        if isinstance(outputs[self.index], UnsupportedOperator):  # a module's word for what torch cannot hold
            raise outputs[self.index]
        return outputs[self.index]
