"""If, Loop and Scan: their bodies are modules of their own, which read outer values as further inputs.

Scan-8 scanned axis 1 of batches and took lengths; 9 replaced both by axes and directions. If and Loop, and Scan since,
added types alone (13: sequences, 16: optionals, both of which are carried as they are).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
import torch
from torch import nn

from onnxray.errors import InputError, UnsupportedOperator
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions

Carried = Any
"""A tensor, a sequence (list) or an optional (None)."""


class If(nn.Module):
    """One of two bodies, as the condition says. The gradient goes through the one that ran."""

    def __init__(self, then_body: nn.Module, else_body: nn.Module, then_captures: int) -> None:
        super().__init__()
        self.then_body, self.else_body, self.then_captures = then_body, else_body, then_captures

    def forward(self, condition: torch.Tensor, *captures: Carried) -> list[Carried]:
        """Run one body."""
        if bool(condition):
            return self.then_body(*captures[: self.then_captures])  # type: ignore[no-any-return]
        return self.else_body(*captures[self.then_captures :])  # type: ignore[no-any-return]


def _if(scope: Scope) -> Converted:
    known = scope.constant(0)
    if known is not None:
        body, captures = scope.body("then_branch" if bool(known) else "else_branch")
        return Converted(body, captures, several=True)
    then_body, then_captures = scope.body("then_branch")
    else_body, else_captures = scope.body("else_branch")
    module = If(then_body, else_body, len(then_captures))
    return Converted(module, (scope.input(0), *then_captures, *else_captures), several=True)


class Empty:
    """A scan output that was never given anything: its element's type and shape, as the body states them."""

    def __init__(self, info: onnx.ValueInfoProto) -> None:
        self.name = info.name
        tensor = info.type.tensor_type
        self.sizes = tuple(
            dim.dim_value if dim.HasField("dim_value") else None
            for dim in (tensor.shape.dim if tensor.HasField("shape") else ())
        )
        self.known = tensor.HasField("shape") and None not in self.sizes
        self.dtype = _TORCH_TYPES.get(tensor.elem_type)

    def tensor(self, axis: int, device: torch.device) -> torch.Tensor:
        """No elements along ``axis``."""
        if not self.known or self.dtype is None:
            raise UnsupportedOperator(
                f"the loop did not run, and its body does not state the shape of its output {self.name!r}, "
                "so the shape of what it gathers is not known; run it on an input for which it runs"
            )
        sizes = [size or 0 for size in self.sizes]
        sizes.insert(axis % (len(sizes) + 1), 0)
        return torch.empty(sizes, dtype=self.dtype, device=device)


_TORCH_TYPES: dict[int, torch.dtype] = {
    onnx.TensorProto.FLOAT: torch.float32, onnx.TensorProto.DOUBLE: torch.float64,
    onnx.TensorProto.FLOAT16: torch.float16, onnx.TensorProto.BFLOAT16: torch.bfloat16,
    onnx.TensorProto.INT64: torch.int64, onnx.TensorProto.INT32: torch.int32, onnx.TensorProto.INT16: torch.int16,
    onnx.TensorProto.INT8: torch.int8, onnx.TensorProto.UINT8: torch.uint8, onnx.TensorProto.UINT16: torch.uint16,
    onnx.TensorProto.UINT32: torch.uint32, onnx.TensorProto.UINT64: torch.uint64, onnx.TensorProto.BOOL: torch.bool,
}  # fmt: skip


class Loop(nn.Module):
    """A body that runs while its condition holds, at most so many times; what it gives beyond that is stacked.

    The body takes the number of the round, the condition and the carried values, and gives the next condition, the
    carried values and one element of every stacked output.
    """

    def __init__(self, body: nn.Module, bounded: bool, conditional: bool, carried: int, empties: list[Empty]) -> None:
        super().__init__()
        self.body, self.bounded, self.conditional = body, bounded, conditional
        self.carried, self.empties = carried, empties

    def forward(self, *inputs: Carried) -> list[Carried]:
        """Run the rounds."""
        given = list(inputs)
        rounds = int(given.pop(0)) if self.bounded else None
        condition = given.pop(0) if self.conditional else torch.tensor(True)
        carried, captures = given[: self.carried], given[self.carried :]
        rows: list[list[torch.Tensor]] = [[] for _ in self.empties]
        done = 0
        while (rounds is None or done < rounds) and bool(condition):
            condition, *results = self.body(torch.tensor(done), condition, *carried, *captures)
            if not self.conditional:
                condition = torch.tensor(True)
            carried = results[: self.carried]
            for row, element in zip(rows, results[self.carried :], strict=True):
                row.append(element)
            done += 1
        device = _device(inputs)
        return carried + [_stacked(row, 0, empty, device) for row, empty in zip(rows, self.empties)]


def _device(values: Sequence[Carried]) -> torch.device:
    return next((value.device for value in values if isinstance(value, torch.Tensor)), torch.device("cpu"))


def _stacked(row: list[torch.Tensor], axis: int, empty: Empty, device: torch.device) -> torch.Tensor:
    return torch.stack(row, axis) if row else empty.tensor(axis, device)


def _loop(scope: Scope) -> Converted:
    body, captures = scope.body("body")
    carried = max(len(scope.node.inputs) - 2, 0)
    outputs = scope.attributes["body"].output[1 + carried :]
    bounded, conditional = bool(scope.input(0)), bool(scope.input(1))
    if not (bounded or conditional):
        raise scope.refuse("it has neither a trip count nor a condition, so it never ends")
    module = Loop(body, bounded, conditional, carried, [Empty(info) for info in outputs])
    head = tuple(name for name in scope.node.inputs[:2] if name)
    return Converted(module, (*head, *scope.node.inputs[2:], *captures), several=True)


class Scan(nn.Module):
    """A body that runs once for each place along an axis of its scanned inputs, carrying states.

    An input is scanned backwards, or an output built backwards, where its direction is 1.
    """

    def __init__(
        self,
        body: nn.Module,
        states: int,
        inputs: Sequence[tuple[int, int]],
        outputs: Sequence[tuple[int, int]],
        empties: list[Empty],
    ) -> None:
        super().__init__()
        self.body, self.states = body, states
        self.inputs, self.outputs, self.empties = tuple(inputs), tuple(outputs), empties

    def forward(self, *values: Carried) -> list[Carried]:
        """Run the body along the axis; inputs and outputs are pairs (axis, direction)."""
        count = self.states + len(self.inputs)
        return self.scan(list(values[: self.states]), values[self.states : count], values[count:], None)

    def scan(
        self, states: list[Carried], scanned: Sequence[torch.Tensor], captures: Sequence[Carried], steps: int | None
    ) -> list[Carried]:
        """Run it over the first ``steps`` places, all of them by default."""
        lengths = {x.shape[axis] for x, (axis, _) in zip(scanned, self.inputs, strict=True)}
        if len(lengths) != 1:
            raise InputError(f"Scan goes along axes of different lengths: {sorted(lengths)}")
        length = lengths.pop()
        rows: list[list[torch.Tensor]] = [[] for _ in self.outputs]
        for step in range(length if steps is None else steps):
            elements = [
                x.select(axis, length - 1 - step if backwards else step)
                for x, (axis, backwards) in zip(scanned, self.inputs, strict=True)
            ]
            results = self.body(*states, *elements, *captures)
            states = results[: self.states]
            for row, element in zip(rows, results[self.states :], strict=True):
                row.append(element)
        stacks = []
        for row, (axis, backwards), empty in zip(rows, self.outputs, self.empties, strict=True):
            stacks.append(_stacked(row[::-1] if backwards else row, axis, empty, scanned[0].device))
        return states + stacks


class BatchScan(nn.Module):
    """Scan-8: every sample of the batch alone along axis 1, over its own length; zeros beyond it."""

    def __init__(self, scan: Scan, with_lengths: bool) -> None:
        super().__init__()
        self.scan, self.with_lengths = scan, with_lengths

    def forward(self, *values: Carried) -> list[Carried]:
        """Run the samples and join what they give."""
        given = list(values)
        lengths = given.pop(0).tolist() if self.with_lengths else None
        states, count = self.scan.states, self.scan.states + len(self.scan.inputs)
        batch, length = given[states].shape[:2]
        samples = []
        for sample in range(batch):
            own = [value[sample] for value in given[:count]]
            steps = None if lengths is None else lengths[sample]
            results = self.scan.scan(own[:states], own[states:], given[count:], steps)
            for k in range(states, len(results)):
                missing = length - results[k].shape[0]
                if missing:
                    results[k] = torch.cat((results[k], results[k].new_zeros(missing, *results[k].shape[1:])))
            samples.append(results)
        return [torch.stack(column) for column in zip(*samples, strict=True)]


def _scan(scope: Scope) -> Converted:
    get, first = scope.attributes.get, 1 if scope.version < 9 else 0
    scanned = int(scope.attributes["num_scan_inputs"])
    states = len(scope.node.inputs) - first - scanned
    infos = scope.attributes["body"].output[states:]
    zeros = [0] * max(scanned, len(infos))
    body, captures = scope.body("body")
    backwards = get("scan_input_directions" if scope.version > 8 else "directions") or zeros
    inputs = list(zip(get("scan_input_axes") or zeros, backwards))[:scanned]
    outputs = list(zip(get("scan_output_axes") or zeros, get("scan_output_directions") or zeros))[: len(infos)]
    if scanned < 1 or states < 0 or len(inputs) != scanned or len(outputs) != len(infos):
        raise scope.refuse("its inputs and outputs do not fit its num_scan_inputs, axes and directions")
    module: nn.Module = Scan(body, states, inputs, outputs, [Empty(info) for info in infos])
    if scope.version < 9:
        if scope.input(0) and any(direction for _, direction in inputs):
            raise scope.refuse("what a backward scan of sequences of different lengths begins with is not stated")
        module = BatchScan(module, bool(scope.input(0)))  # type: ignore[arg-type]
    names = scope.node.inputs if scope.input(0) else scope.node.inputs[1:]
    return Converted(module, (*names, *captures), several=True)


CONVERTERS: Converters = {
    **for_versions("If", (1, 11, 13, 16, 19, 21, 23, 24, 25), _if),
    **for_versions("Loop", (1, 11, 13, 16, 19, 21, 23, 24, 25), _loop),
    **for_versions("Scan", (8, 9, 11, 16, 19, 21, 23, 24, 25), _scan),
}
