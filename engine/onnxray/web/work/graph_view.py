"""What of a graph is drawn, with its places: the groups that are open, the nodes in them, what is fed and given."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from onnxray.errors.shown_text import terminal
from onnxray.graph.facts import Graph, Node, Value
from onnxray.web.work.groups import Group, grouped, name_of
from onnxray.web.work.layout import laid_out

_MOST_AT_FIRST: Final = 70
"""Parts that are drawn before anything is opened by hand."""
_LARGE: Final = 16
"""Members of a group that is left closed at first, so that the whole can be seen."""
MOST: Final = 12_000
"""Parts that are drawn at all."""
_LONGEST: Final = 120


@dataclass(frozen=True, eq=False)
class Part:
    """What is drawn as one box. key: ``n`` and the number of a node, ``g`` and the key of a group, ``i``, ``o``."""

    key: str
    kind: Literal["node", "group", "input", "output"]
    title: str
    text: str
    value: str | None = None
    parent: str = ""
    count: int = 1

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "key": self.key, "kind": self.kind, "title": terminal(self.title, _LONGEST),
            "text": terminal(self.text, _LONGEST), "value": self.value, "parent": self.parent, "count": self.count,
        }  # fmt: skip


class GraphView:
    """One graph's groups, and the views of it that were asked for: each is laid out once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.root = grouped(graph)
        self._groups = {group.key: group for group in _every(self.root)}
        self._place = _places(self.root)
        self._drawn: dict[frozenset[str], dict[str, Any]] = {}

    def first_open(self) -> frozenset[str]:
        """The groups that are open at first: the outer ones, as long as there is room for what is in them."""
        opened, shown = {""}, len(self.root.members)
        queue = self.root.groups
        while queue:
            group = min(queue, key=lambda one: (one.key.count("/"), len(one.members)))
            queue.remove(group)
            if len(group.members) > _LARGE or shown + len(group.members) - 1 > _MOST_AT_FIRST:
                continue
            opened.add(group.key)
            shown += len(group.members) - 1
            queue.extend(group.groups)
        return frozenset(opened)

    def groups_around(self, node: int) -> tuple[str, ...]:
        """The groups that a node stands in, from the outside in."""
        return self._place.get(node, ())

    def named(self, keys: Iterable[str]) -> list[dict[str, str]]:
        """Groups with their labels, for JSON."""
        return [{"key": key, "label": terminal(self._groups[key].label, _LONGEST)} for key in keys]

    def shows(self, node: int) -> bool:
        """Whether a node is drawn at all: what is computed of weights alone is not."""
        return node in self._place

    def every_group(self) -> frozenset[str]:
        """All groups, as they are opened at once."""
        return frozenset(self._groups)

    def drawn(self, opened: Iterable[str] | None = None) -> dict[str, Any]:
        """Parts and edges with their places; opened: keys of groups, those of ``first_open`` where left out."""
        wanted = self.first_open() if opened is None else frozenset({"", *opened}).intersection(self._groups)
        if wanted not in self._drawn:
            if len(self._drawn) > 16:
                self._drawn.clear()
            self._drawn[wanted] = self._draw(wanted)
        return self._drawn[wanted]

    def shown_as(self, nodes: Collection[int], opened: Iterable[str]) -> list[str]:
        """The keys of the parts that these nodes are drawn as."""
        wanted = frozenset(opened) | {""}
        return list(dict.fromkeys(self._part_of(node, wanted) for node in sorted(nodes) if node in self._place))

    def way_to(self, value: str) -> frozenset[int]:
        """The nodes between what is fed and a value: what it is computed by, of what depends on an input."""
        if value not in self.graph.values:
            return frozenset()
        reached = self.graph.depends_on_input
        needed = self.graph.needed_for([value])
        return frozenset(node.index for node in needed if any(name in reached for name in node.outputs))

    def _part_of(self, node: int, opened: frozenset[str]) -> str:
        closed = next((key for key in self._place[node] if key not in opened), None)
        return f"n{node}" if closed is None else f"g{closed}"

    def _draw(self, opened: frozenset[str]) -> dict[str, Any]:
        parts = {f"i{k}": _end(f"i{k}", "input", value) for k, value in enumerate(self.graph.inputs)}
        pending: list[tuple[Group | Node, str]] = [(one, "") for one in reversed(self.root.members)]
        while pending:
            one, parent = pending.pop()
            if isinstance(one, Node):
                parts[f"n{one.index}"] = self._node(one, parent)
            elif one.key in opened:
                pending.extend((member, one.key) for member in reversed(one.members))
            else:
                parts[f"g{one.key}"] = _closed(one, parent)
        parts |= {f"o{k}": _end(f"o{k}", "output", value) for k, value in enumerate(self.graph.outputs)}
        left = max(len(parts) - MOST, 0)
        kept = list(parts.values())[:MOST]
        index = {part.key: k for k, part in enumerate(kept)}
        edges = list(dict.fromkeys(self._edges(index, opened)))
        widths = [_width(part) for part in kept]
        places = laid_out(widths, edges)
        return {
            "parts": [
                {**part.to_dict(), "x": round(x, 1), "y": y, "width": width}
                for part, x, y, width in zip(kept, places.x, places.y, widths)
            ],
            "edges": [
                [a, b, [[round(x, 1), y] for x, y in bends]] for (a, b), bends in zip(edges, places.bends)
            ],
            "open": sorted(opened), "left_out": left,
        }  # fmt: skip

    def _edges(self, index: dict[str, int], opened: frozenset[str]) -> Iterable[tuple[int, int]]:
        source = {value.name: f"i{k}" for k, value in enumerate(self.graph.inputs)}
        for node in self._place:
            below = index.get(self._part_of(node, opened))
            for name in self.graph.nodes[node].reads:
                above = index.get(self._source(name, source, opened) or "")
                if above is not None and below is not None and above != below:
                    yield above, below
        for k, value in enumerate(self.graph.outputs):
            above, below = index.get(self._source(value.name, source, opened) or ""), index.get(f"o{k}")
            if above is not None and below is not None:
                yield above, below

    def _source(self, name: str, inputs: dict[str, str], opened: frozenset[str]) -> str | None:
        node = self.graph.producer_of.get(name)
        if node is None:
            return inputs.get(name)
        return self._part_of(node.index, opened) if node.index in self._place else None

    def _node(self, node: Node, parent: str) -> Part:
        value = next(filter(None, node.outputs), None)
        facts = None if value is None else self.graph.values.get(value)
        return Part(f"n{node.index}", "node", node.operator, shape_text(facts) or name_of(node), value, parent)


def _every(root: Group) -> Iterable[Group]:
    pending = [root]
    while pending:
        group = pending.pop()
        yield group
        pending.extend(group.groups)


def _places(root: Group) -> dict[int, tuple[str, ...]]:
    """Node -> the keys of the groups around it, from the outside in, in graph order."""
    found: dict[int, tuple[str, ...]] = {}
    pending: list[tuple[Group, tuple[str, ...]]] = [(root, ())]
    while pending:
        group, around = pending.pop()
        for one in group.members:
            if isinstance(one, Node):
                found[one.index] = around
            else:
                pending.append((one, (*around, one.key)))
    return dict(sorted(found.items()))


def _closed(group: Group, parent: str) -> Part:
    nodes = list(group.nodes)
    last = next(filter(None, nodes[-1].outputs), None)
    counted = f"{len(nodes)} nodes"
    alike = f", like {group.like}" if group.like else ""
    return Part(f"g{group.key}", "group", group.label, counted + alike, last, parent, len(nodes))


def _end(key: str, kind: Literal["input", "output"], value: Value) -> Part:
    return Part(key, kind, value.name, shape_text(value), value.name)


def _width(part: Part) -> float:
    longest = max(len(part.title) * 7.4, len(part.text) * 6.3)
    return float(round(min(max(longest + 26, 84), 210)))


def shape_text(value: Value | None) -> str:
    """A value's shape as people write it; empty where it is not known."""
    if value is None or value.shape is None:
        return ""
    return " × ".join("?" if dim is None else str(dim) for dim in value.shape)
