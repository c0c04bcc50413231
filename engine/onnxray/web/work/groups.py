"""A graph's nodes in nested groups: by the prefixes of their names, and by blocks of operators that repeat.

/layer1/layer1.0/conv1/Conv      stands in /layer1, there in layer1.0, there in conv1
Conv Relu MaxPool Conv Relu MaxPool      without such names, is two blocks of three operators
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from onnxray.graph.facts import Graph, Node

_Prefix = tuple[str, ...]
_DEEPEST: Final = 12
_LONGEST_BLOCK: Final = 48
_LEAST_REPEATED: Final = 6
"""Operators that a block and its repetitions have at least, altogether."""
_MANY: Final = 24
"""Nodes side by side among which repeated blocks are looked for."""


@dataclass(frozen=True, eq=False)
class Group:
    """Nodes that are shown as one until the group is opened. key: what tells it from all others of the graph: the
    prefix of names, in which no part is empty, and behind two slashes the place of a block.

    members: groups and nodes, in graph order. like: the earlier group beside it with the same operators.
    """

    key: str
    label: str
    members: tuple[Group | Node, ...]
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
    held: dict[_Prefix, list[_Prefix | Node]] = {(): []}
    for node in nodes:
        parts = tuple(part for part in name_of(node).split("/" if slashes else ".") if part)[:-1][:_DEEPEST]
        for depth in range(1, len(parts) + 1):
            if parts[:depth] not in held:
                held[parts[:depth]] = []
                held[parts[: depth - 1]].append(parts[:depth])
        held[parts].append(node)
    return _group((), graph.name, held)


def name_of(node: Node) -> str:
    """A node's name, or that of what it computes."""
    return node.name or next(filter(None, node.outputs), "")


def _group(prefix: _Prefix, label: str, held: Mapping[_Prefix, Sequence[_Prefix | Node]]) -> Group:
    """The group of a prefix: groups of one member are dissolved, blocks found, and those that are alike say so."""
    members: list[Group | Node] = []
    for one in held[prefix]:
        inner = one if isinstance(one, Node) else _group(one, one[-1], held)
        members.append(inner.members[0] if isinstance(inner, Group) and len(inner.members) == 1 else inner)
    key, first, told = "/".join(prefix), dict[tuple[str, ...], str](), list[Group | Node]()
    for member in _with_blocks(key, members):
        if isinstance(member, Group):
            signature = tuple(node.operator for node in member.nodes)
            member = replace(member, like=first.get(signature))
            first.setdefault(signature, member.label)
        told.append(member)
    return Group(key, label, tuple(told))


def _with_blocks(key: str, members: list[Group | Node]) -> list[Group | Node]:
    """The members with runs of repeated operators made groups, where many nodes stand side by side."""
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
            made.append(Group(f"{key}//{place}.{k}", label, tuple(own)))
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
