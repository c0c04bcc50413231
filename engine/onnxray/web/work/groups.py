"""A graph's nodes in nested groups: by the prefixes of their names, and by blocks of operators that repeat.

/layer1/layer1.0/conv1/Conv      stands in /layer1, there in layer1.0, there in conv1
Conv Relu MaxPool Conv Relu MaxPool      without such names, is two blocks of three operators
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from onnxray.graph.facts import Graph, Node

_DEEPEST: Final = 12
_LONGEST_BLOCK: Final = 48
_LEAST_REPEATED: Final = 6
"""Operators that a block and its repetitions have at least, altogether."""
_MANY: Final = 24
"""Nodes side by side among which repeated blocks are looked for."""


@dataclass(eq=False)
class Group:
    """Nodes that are shown as one until the group is opened. key: what tells it from all others of the graph: the
    prefix of names, in which no part is empty, and behind two slashes the place of a block.

    members: groups and nodes, in graph order. like: the earlier group beside it with the same operators.
    """

    key: str
    label: str
    members: list[Group | Node] = field(default_factory=list)
    like: str | None = None

    @property
    def nodes(self) -> Iterator[Node]:
        """All nodes within, in graph order of their groups."""
        pending: list[Group | Node] = [self]
        while pending:
            one = pending.pop()
            if isinstance(one, Node):
                yield one
            else:
                pending.extend(reversed(one.members))

    @property
    def groups(self) -> list[Group]:
        """The groups right within."""
        return [one for one in self.members if isinstance(one, Group)]


def shown_nodes(graph: Graph) -> tuple[Node, ...]:
    """The nodes that work on what is fed; all of them where there is none."""
    return tuple(n for n in graph.nodes if any(o in graph.depends_on_input for o in n.outputs)) or graph.nodes


def grouped(graph: Graph) -> Group:
    """The whole graph as one group, which is open at first."""
    nodes = shown_nodes(graph)
    slashes = any("/" in name_of(node) for node in nodes)
    root = Group(key="", label=graph.name)
    inner: dict[tuple[str, ...], Group] = {(): root}
    for node in nodes:
        parts = tuple(part for part in name_of(node).split("/" if slashes else ".") if part)[:-1][:_DEEPEST]
        for depth in range(1, len(parts) + 1):
            if parts[:depth] not in inner:
                made = Group(key="/".join(parts[:depth]), label=parts[depth - 1])
                inner[parts[:depth]] = made
                inner[parts[: depth - 1]].members.append(made)
        inner[parts].members.append(node)
    _simplify(root)
    return root


def name_of(node: Node) -> str:
    """A node's name, or that of what it computes."""
    return node.name or next(filter(None, node.outputs), "")


def _simplify(root: Group) -> None:
    """Dissolve groups of one member, find blocks, and say which groups are alike."""
    order = [root]
    for group in order:
        order.extend(group.groups)
    for group in reversed(order):
        group.members = [
            one.members[0] if isinstance(one, Group) and len(one.members) == 1 else one for one in group.members
        ]
        group.members = _with_blocks(group)
        first: dict[tuple[str, ...], str] = {}
        for one in group.groups:
            signature = tuple(node.operator for node in one.nodes)
            one.like = first.get(signature)
            first.setdefault(signature, one.label)


def _with_blocks(group: Group) -> list[Group | Node]:
    """The members with runs of repeated operators made groups, where many nodes stand side by side."""
    members = group.members
    if sum(isinstance(one, Node) for one in members) < _MANY:
        return members
    made: list[Group | Node] = []
    place = 0
    words = [one.operator if isinstance(one, Node) else "" for one in members]
    while place < len(members):
        period, count = _repeated(words, place)
        if not count:
            made.append(members[place])
            place += 1
            continue
        for k in range(count):
            own = members[place + k * period : place + (k + 1) * period]
            label = f"block {k + 1} of {count}: {' '.join(dict.fromkeys(words[place : place + period]))}"
            made.append(Group(key=f"{group.key}//{place}.{k}", label=label, members=list(own)))
        place += period * count
    return made


def _repeated(words: Sequence[str], start: int) -> tuple[int, int]:
    """(period, count) of what repeats from here on and covers most; count 0 where nothing does."""
    best, covered = (0, 0), 0
    for period in range(2, min(_LONGEST_BLOCK, (len(words) - start) // 2) + 1):
        block = words[start : start + period]
        if "" in block or len(set(block)) == 1:
            continue
        count = 1
        while words[start + count * period : start + (count + 1) * period] == block:
            count += 1
        if count > 1 and count * period >= _LEAST_REPEATED and count * period > covered:
            best, covered = (period, count), count * period
    return best
