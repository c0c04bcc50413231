"""What is said of a model and of its nodes: plain values for JSON, texts of the file among them as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from onnxray.errors import InputError, OnnxrayError
from onnxray.errors.shown_text import shortened
from onnxray.graph.facts import Graph, Node
from onnxray.graph.file.attribute_values import value_of
from onnxray.images.profile.profile import Profile
from onnxray.web.work.bench import Bench, Desk
from onnxray.web.work.graph_view import shape_text
from onnxray.web.work.groups import name_of

_LONGEST: Final = 300
_SAMPLES: Final = 8
_MOST_FOUND: Final = 200
_MOST_LABELS: Final = 2000


def model_facts(bench: Bench, *, model: int = 0) -> dict[str, Any]:
    """What heads the page: the file, its inputs and outputs, its profile, layers with names. Errors: of opening."""
    desk = bench.desk(model)
    opened, graph = desk.model, desk.model.graph
    labels = opened.answering.labels or ()
    return {
        "name": graph.name, "sha256": graph.sha256, "producer": graph.producer,
        "opsets": dict(graph.opsets), "nodes": len(graph.nodes), "parameters": graph.parameters,
        "inputs": [
            {"name": one.name, "shape": shape_text(one), "kind": read.kind}
            for one, read in zip(graph.inputs, opened.inputs.each)
        ],
        "outputs": [{"name": one.name, "shape": shape_text(one)} for one in graph.outputs],
        "embeds": opened.head.kind == "embedding", "answer": f"{opened.head.name}: {opened.head.said()}",
        "profile": None if opened.profile is None else _profile(opened.profile),
        "aliases": dict(opened.aliases), "labels": [shortened(word, 80) for word in labels[:_MOST_LABELS]],
        "stated": desk.typed(), "notes": list(graph.container.notes),
    }  # fmt: skip


def profile_restated(bench: Bench, *, model: int, fields: Mapping[str, str | None]) -> dict[str, Any]:
    """The same with fields of the profile stated. Errors: ProfileError; nothing is changed then."""
    bench.restate(model, fields)
    return model_facts(bench, model=model)


def graph_drawn(
    bench: Bench,
    *,
    model: int = 0,
    opened: list[str] | None = None,
    around: int | None = None,
    everything: bool = False,
) -> dict[str, Any]:
    """The graph's parts and their places. opened: groups that are; around: a node that shall be seen, with its groups;
    everything: all groups are.
    """
    view = bench.desk(model).view
    if everything:
        return view.drawn(view.every_group())
    if around is None:
        return view.drawn(opened)
    return view.drawn({*(view.first_open() if opened is None else opened), *view.groups_around(around)})


def way(bench: Bench, *, model: int = 0, value: str, opened: list[str]) -> dict[str, Any]:
    """The parts that lie between what is fed and a value."""
    view = bench.desk(model).view
    return {"parts": view.shown_as(view.way_to(value), opened)}


def searched(bench: Bench, *, model: int = 0, text: str) -> dict[str, Any]:
    """Nodes whose name, operator, values or shapes hold every word of the text, upper and lower case alike.

    Those that are drawn come first.
    """
    words = text.lower().replace("x", " × ").split() if _is_shape(text) else text.lower().split()
    desk = bench.desk(model)
    graph = desk.model.graph
    found: list[dict[str, Any]] = []
    count = 0
    for node in sorted(graph.nodes, key=lambda one: not desk.view.shows(one.index)) if words else ():
        shapes = " ".join(shape_text(graph.values.get(name)) for name in node.outputs)
        there = f"{node.name} {node.operator} {' '.join(node.outputs)} {shapes}".lower()
        if all(word in there for word in words):
            count += 1
            if len(found) < _MOST_FOUND:
                value = next(filter(None, node.outputs), None)
                found.append({
                    "node": node.index, "name": shortened(name_of(node), _LONGEST), "operator": node.operator,
                    "shape": shapes, "value": value,
                })  # fmt: skip
    return {"count": count, "found": found}


def _is_shape(text: str) -> bool:
    return all(letter.isdigit() or letter in " x×?" for letter in text) and any(map(str.isdigit, text))


def node_facts(bench: Bench, *, model: int = 0, node: int, picture: str | None = None) -> dict[str, Any]:
    """A node's operator, attributes, inputs and outputs with shapes, and first numbers for a picture."""
    desk = bench.desk(model)
    graph = desk.model.graph
    if not 0 <= node < len(graph.nodes):
        raise InputError(f"there is no node {node}; there are {len(graph.nodes)}")
    one = graph.nodes[node]
    return {
        "node": node, "name": shortened(one.name, _LONGEST), "operator": one.operator, "domain": one.domain,
        "attributes": _attributes(one),
        "inputs": [_input(graph, name) for name in one.inputs if name],
        "captures": [shortened(name, _LONGEST) for name in one.captures],
        "outputs": [
            {"name": name, "shape": shape_text(graph.values.get(name)), "dtype": _dtype(graph, name),
             "numbers": _numbers(desk, name, picture)}
            for name in one.outputs if name
        ],
        "around": desk.view.named(desk.view.groups_around(node)),
    }  # fmt: skip


def _attributes(node: Node) -> list[dict[str, str]]:
    found = []
    for entry in list(node.proto.attribute)[:100]:
        try:
            text = _said(value_of(entry))
        except Exception as error:  # what a damaged file states may be anything
            text = f"cannot be read ({type(error).__name__})"
        found.append({"name": shortened(entry.name, _LONGEST), "value": text})
    return found


def _said(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if hasattr(value, "SerializeToString"):
        return f"a {type(value).__name__}"
    if isinstance(value, np.ndarray) and value.size > _SAMPLES:
        return f"{value.dtype} {list(value.shape)}"
    return shortened(str(value), _LONGEST)


def _input(graph: Graph, name: str) -> dict[str, Any]:
    weight, producer = graph.initializers.get(name), graph.producer_of.get(name)
    kind = "weight" if weight is not None else "input" if producer is None else "node"
    shape = " × ".join(map(str, weight.dims)) if weight is not None else shape_text(graph.values.get(name))
    return {
        "name": name, "shape": shape, "kind": kind, "node": None if producer is None else producer.index,
        "dtype": _dtype(graph, name),
    }  # fmt: skip


def _dtype(graph: Graph, name: str) -> str:
    return graph.values[name].dtype if name in graph.values else ""


def _numbers(desk: Desk, name: str, picture: str | None) -> dict[str, Any] | None:
    """The first numbers of a value for a picture, by the judge; the reason where there are none."""
    if picture is None or name not in desk.model.graph.values:
        return None
    try:
        array = np.asarray(desk.model.values(desk.pixels(picture), [name])[name])
    except OnnxrayError as error:
        return {"reason": str(error)}
    if array.dtype.kind not in "fiub" or not array.size:
        return {"reason": f"no numbers to show: {array.dtype} {list(array.shape)}"}
    first = array.reshape(-1)[:_SAMPLES].tolist()
    return {"shape": list(array.shape), "first": [number_text(one) for one in first]}


def number_text(value: Any) -> str:
    """A number as it is shown; ``not finite`` in place of one that is none."""
    if isinstance(value, float):
        return f"{value:.4g}" if np.isfinite(value) else "not finite"
    return str(value)


def _profile(profile: Profile) -> dict[str, Any]:
    """The profile as it is typed, field by field, and where it is from."""
    mean = "an image" if not isinstance(profile.mean, tuple) else ",".join(f"{number:g}" for number in profile.mean)
    fields = {
        "size": "x".join(map(str, profile.size)), "resize": profile.resize, "channels": profile.channels,
        "mean": mean, "std": ",".join(f"{number:g}" for number in profile.std), "scale": f"{profile.scale:.9g}",
    }  # fmt: skip
    via = None if profile.resized is None else "x".join(map(str, profile.resized))
    return {
        "name": profile.name, "fields": fields, "via": via, "source": profile.source, "assumed": profile.assumed,
        "reasons": [reason.removeprefix(f"{profile.name}: ") for reason in profile.reasons],
    }  # fmt: skip
