"""The rules: which axis samples may lie on, operator by operator. What is not named here is not placed."""

from __future__ import annotations

from math import prod

from onnxray.importer.batches.sample_axes import Axis, Plan, Rule, Rules, Step, aligned


def place(step: Step) -> Plan:
    """Place one node of which at least one input holds samples. Errors: NotPlaced with the reason."""
    node = step.scope.node
    rule = RULES.get((node.domain, node.operator))
    if rule is None:
        raise step.refuse("no rule says where its samples lie")
    held = (facts for facts, axis in zip(step.inputs, step.axes) if axis is not None)
    if any(0 in facts.shape for facts in (*filter(None, held), *step.outputs)):
        raise step.refuse("one of its values is empty")
    return rule(step)


def _pointwise(step: Step) -> Plan:
    """Each element by itself: Relu, Cast, Clip, Dropout."""
    axis = step.alone()
    return Plan(step.first(axis), axis)


def _broadcast(step: Step) -> Plan:
    if step.attribute("broadcast", 0):
        axis, lowest = step.alone(), step.attribute("axis", -1)
        rank = len(step.shape())
        lowest = lowest % rank if lowest != -1 else rank - len(step.shape(1))
        axis = step.away_from(range(lowest, rank), rank, axis)
        return Plan(step.first(axis), axis)
    shapes = [step.shape(k) for k in range(len(step.inputs))]
    wanted, axis = aligned(step, shapes, step.axes, step.outputs[0].shape)
    rank = len(step.outputs[0].shape)
    return Plan(wanted, axis, ranks=(rank,) * len(shapes))


def _first_axis(step: Step) -> Plan:
    """Convolutions, poolings and normalisations: samples on axis 0."""
    step.alone()
    return Plan(step.first(0), 0)


def _batch_norm(step: Step) -> Plan:
    if step.attribute("training_mode", 0) or len(step.scope.used_outputs()) > 1:
        raise step.refuse("it takes its statistics from the batch")
    return _first_axis(step)


def _pool(step: Step) -> Plan:
    if len(step.scope.used_outputs()) > 1:
        raise step.refuse("its indices count through the whole batch")
    return _first_axis(step)


def _resize(step: Step) -> Plan:
    step.alone()
    attributes = step.scope.attributes
    if "axes" not in attributes and len(step.inputs) > 3 and step.inputs[3] is not None:
        raise step.refuse("its sizes state the batch")
    return Plan(step.first(0), 0)


def _grid_sample(step: Step) -> Plan:
    return Plan((0,) * len(step.inputs), 0)


def _along(default: int, flattening_before: int = 0) -> Rule:
    """Softmax, CumSum, TopK: along one axis; before a version, over all axes from it on."""

    def rule(step: Step) -> Plan:
        axis, rank = step.alone(), len(step.shape())
        own = step.attribute("axis", 1 if step.version < flattening_before else default) % rank
        taken = range(own, rank) if step.version < flattening_before else (own,)
        axis = step.away_from(taken, rank, axis)
        return Plan(step.first(axis), axis)

    return rule


def _cumsum(step: Step) -> Plan:
    along = step.numbers(1) or ()
    axis = step.away_from(along, len(step.shape()), step.alone())
    return Plan(step.first(axis), axis)


def _trailing(default: int) -> Rule:
    """LayerNormalization: over all axes from one on."""

    def rule(step: Step) -> Plan:
        rank = len(step.shape())
        axis = step.away_from(range(step.attribute("axis", default) % rank, rank), rank, step.alone())
        return Plan(step.first(axis), axis)

    return rule


def _reduce(step: Step) -> Plan:
    rank, axes = len(step.shape()), step.numbers(1, "axes")
    if not axes:
        if step.attribute("noop_with_empty_axes", 0):
            return _pointwise(step)
        axes = tuple(range(rank))
    return _reduced(step, {axis % rank for axis in axes})


def _arg(step: Step) -> Plan:
    return _reduced(step, {step.attribute("axis", 0) % len(step.shape())})


def _reduced(step: Step, axes: set[int]) -> Plan:
    axis = step.away_from(axes, len(step.shape()), step.alone())
    kept = step.attribute("keepdims", 1)
    return Plan(step.first(axis), axis if kept else axis - sum(other < axis for other in axes))


def _transpose(step: Step) -> Plan:
    axis, rank = step.alone(), len(step.shape())
    order = step.scope.attributes.get("perm") or tuple(reversed(range(rank)))
    return Plan((axis,), tuple(order).index(axis))


def _reshape(step: Step) -> Plan:
    """Samples stay where they are where an axis of the result begins there; else they come to the front first."""
    axis, shape, result = step.alone(), step.shape(), step.outputs[0].shape
    if not result:
        raise step.refuse("its result has no axis for the samples")
    before = prod(shape[:axis])
    fitting = [k for k in range(len(result)) if prod(result[:k]) == before]
    if fitting:
        return Plan(step.first(axis), fitting[0], "reshape")
    return Plan(step.first(0), 0, "reshape")


def _expand(step: Step) -> Plan:
    step.alone()
    result = step.outputs[0].shape
    wanted, axis = aligned(step, [step.shape()], step.axes[:1], result)
    return Plan((*wanted, *step.first(None)[1:]), axis, "expand", (len(result),))


def _shape(step: Step) -> Plan:
    return Plan((step.alone(),), None, "shape")


def _concat(step: Step) -> Plan:
    rank = len(step.outputs[0].shape)
    joined = step.attribute("axis", 1) % rank
    held = [axis for axis in step.axes if axis is not None]
    axis = step.away_from([joined], rank, max(held, key=held.count))
    return Plan((axis,) * len(step.axes), axis)


def _split(step: Step) -> Plan:
    axis = step.away_from([step.attribute("axis", 0)], len(step.shape()), step.alone())
    return Plan(step.first(axis), axis)


def _slice(step: Step) -> Plan:
    starts = step.numbers(1, "starts") or ()
    axes = step.numbers(3, "axes")
    axis = step.away_from(range(len(starts)) if axes is None else axes, len(step.shape()), step.alone())
    return Plan(step.first(axis), axis)


def _gather(step: Step) -> Plan:
    rank = len(step.shape())
    along, picked = step.attribute("axis", 0) % rank, len(step.shape(1))
    if step.axes[0] is None and step.axes[1] is not None:
        return Plan((None, step.axes[1]), along + step.axes[1])
    if rank == 1 and picked and step.alone() == 0:  # as_strided: flattened, then picked from
        return Plan((0, None), 0, "gather")
    axis = step.away_from([along], rank, step.alone())
    return Plan((axis, None), axis if axis < along else axis - 1 + picked)


def _pad(step: Step) -> Plan:
    rank = len(step.shape())
    pads = step.numbers(1, "paddings" if step.version < 2 else "pads") or ()
    axes = step.numbers(3)
    places = tuple(range(rank)) if axes is None else axes
    moved = [axis for k, axis in enumerate(places) if pads[k] or pads[k + len(places)]]
    axis = step.away_from(moved, rank, step.alone())
    return Plan(step.first(axis), axis)


def _tile(step: Step) -> Plan:
    if step.version < 6:
        raise step.refuse("version 1 of it is not placed")
    repeats = step.numbers(1) or ()
    axis = step.away_from([k for k, times in enumerate(repeats) if times != 1], len(step.shape()), step.alone())
    return Plan(step.first(axis), axis)


def _matmul(step: Step) -> Plan:
    """Samples among the matrices that are multiplied, or the rows of the first (columns of the second) factor."""
    a, b, result = step.shape(0), step.shape(1), step.outputs[0].shape
    if len(a) < 2 or len(b) < 2:
        raise step.refuse("one of its factors is a vector")
    rank = len(result)
    if step.axes[1] is None and step.axes[0] == len(a) - 2 and prod(b[:-2]) == 1:
        return Plan((step.axes[0], None), rank - 2)
    if step.axes[0] is None and step.axes[1] == len(b) - 1 and prod(a[:-2]) == 1:
        return Plan((None, step.axes[1]), rank - 1)
    if rank == 2:
        if step.axes[1] is None:
            return Plan((0, None), 0)
        if step.axes[0] is None:
            return Plan((None, 1), 1)
    stacked = [a[:-2], b[:-2]]
    inside = [axis if axis is None or axis < len(s) else None for axis, s in zip(step.axes, stacked)]
    held = [axis is not None for axis in step.axes]
    for axis in (*(x + rank - 2 - len(s) for x, s in zip(inside, stacked) if x is not None), *range(rank - 2)):
        wide = [(1,) * (rank - 2 - len(s)) + s for s in stacked]
        if all(w[axis] == result[axis] for w, holds in zip(wide, held) if holds):
            wanted: tuple[Axis, ...] = tuple(axis if h or w[axis] > 1 else None for h, w in zip(held, wide))
            return Plan(wanted, axis, ranks=(rank, rank))
    if step.axes[1] is None and prod(b[:-2]) == 1:
        return Plan((len(a) - 2, None), rank - 2)
    raise step.refuse("its factors are stretched along every axis that samples could lie on")


def _gemm(step: Step) -> Plan:
    step.alone()
    bias = step.shape(2) if len(step.inputs) > 2 and step.inputs[2] is not None else ()
    if len(bias) == 2 and bias[0] > 1:
        raise step.refuse("its bias has a row for each sample")
    return Plan(step.first(1 if step.attribute("transA", 0) else 0), 0)


def _einsum(step: Step) -> Plan:
    """Samples on a letter that the result keeps, and along which no input that holds samples is stretched."""
    equation = str(step.scope.attributes["equation"]).replace(" ", "")
    if "->" not in equation or "." in equation:
        raise step.refuse("its equation has an ellipsis, or states no result")
    left, result = equation.split("->")
    parts = left.split(",")
    own = [part[axis] for part, axis in zip(parts, step.axes) if axis is not None]
    once = [letter for letter in (*own, *result) if letter in result and all(p.count(letter) < 2 for p in parts)]
    for letter in once:
        lengths = [step.shape(k)[part.index(letter)] if letter in part else 1 for k, part in enumerate(parts)]
        along = [letter in part and length == max(lengths) for part, length in zip(parts, lengths)]
        if all(there for there, axis in zip(along, step.axes) if axis is not None):
            places = (part.index(letter) if there else None for part, there in zip(parts, along))
            return Plan(tuple(places), result.index(letter))
    raise step.refuse("no letter of its equation could count the samples")


def _attention(step: Step) -> Plan:
    if any(facts is not None for facts in step.inputs[4:]) or len(step.scope.used_outputs()) > 1:
        raise step.refuse("it holds a cache")
    mask = step.inputs[3] if len(step.inputs) > 3 else None
    if mask is not None and (step.axes[3] is not None or (len(mask.shape) == 4 and mask.shape[0] > 1)):
        raise step.refuse("its mask differs from sample to sample")
    return Plan((0, 0, 0, *(None for _ in step.axes[3:])), 0)


def _recurrent(step: Step) -> Plan:
    """X (length, batch, size), initial states (directions, batch, size); Y (length, directions, batch, size)."""
    step.alone()
    if step.attribute("layout", 0) or (len(step.inputs) > 4 and step.inputs[4] is not None):
        raise step.refuse("its samples come first, or in lengths of their own")
    states = tuple(1 if k in {5, 6} and facts is not None else None for k, facts in enumerate(step.inputs))
    return Plan((1, *states[1:]), 2, others=1)


def _per_channel(step: Step) -> Plan:
    """QuantizeLinear and DequantizeLinear: by one scale, or one for each place along an axis."""
    axis, scale = step.alone(), step.shape(1)
    if prod(scale) > 1:
        if len(scale) > 1:
            raise step.refuse("its scales come in blocks")
        axis = step.away_from([step.attribute("axis", 1)], len(step.shape()), axis)
    return Plan(step.first(axis), axis)


def _for_each(rule: Rule, names: str) -> Rules:
    return {("", name): rule for name in names.split()}


RULES: Rules = {
    **_for_each(
        _pointwise,
        "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast CastLike Ceil Celu Clip Cos Cosh Dropout Elu Erf Exp "
        "Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu "
        "Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu",
    ),
    **_for_each(
        _broadcast,
        "Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod "
        "Mul Or PRelu Pow Sub Sum Where Xor",
    ),
    **{
        ("", name): _first_axis
        for name in (
            "AveragePool",
            "BatchNormalization",
            "Col2Im",
            "Conv",
            "ConvTranspose",
            "DepthToSpace",
            "GlobalAveragePool",
            "GlobalLpPool",
            "GlobalMaxPool",
            "GroupNormalization",
            "InstanceNormalization",
            "LRN",
            "LpPool",
            "SpaceToDepth",
        )
    },
    ("", "BatchNormalization"): _batch_norm,
    ("", "MaxPool"): _pool,
    ("", "Resize"): _resize,
    ("", "Upsample"): _resize,
    ("", "GridSample"): _grid_sample,
    **{("", name): _along(-1, 13) for name in ("Softmax", "LogSoftmax", "Hardmax")},
    ("", "LpNormalization"): _along(-1),
    ("", "TopK"): _along(-1),
    ("", "CumSum"): _cumsum,
    ("", "LayerNormalization"): _trailing(-1),
    ("", "RMSNormalization"): _trailing(-1),
    **{
        ("", f"Reduce{name}"): _reduce
        for name in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
    },
    ("", "ArgMax"): _arg,
    ("", "ArgMin"): _arg,
    ("", "Transpose"): _transpose,
    **{("", name): _reshape for name in ("Reshape", "Flatten", "Squeeze", "Unsqueeze")},
    ("", "Expand"): _expand,
    ("", "Shape"): _shape,
    ("", "Size"): _shape,
    ("", "Concat"): _concat,
    ("", "Split"): _split,
    ("", "Slice"): _slice,
    ("", "Gather"): _gather,
    ("", "Pad"): _pad,
    ("", "Tile"): _tile,
    ("", "MatMul"): _matmul,
    ("", "Gemm"): _gemm,
    ("", "Einsum"): _einsum,
    ("", "Attention"): _attention,
    **{("", name): _recurrent for name in ("LSTM", "GRU", "RNN")},
    ("", "QuantizeLinear"): _per_channel,
    ("", "DequantizeLinear"): _per_channel,
}
