"""The engine's rooms as a picture, drawn from the imports in its source.

    python benchmarks/draw_rooms.py [docs/rooms.svg]

A room stands on those that it may import, from the top down; an arc is what one imports of another, as thick as there
are statements. On the left arcs go up, as all must; on the right would stand those that go down.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from html import escape
from pathlib import Path

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("engine", "adapters", "models", "tests")]

from support.imports import arrows, files, is_face  # noqa: E402
from support.paths import ROOT  # noqa: E402
from support.rooms import LEAVES, ROOMS  # noqa: E402

LEAF = "errors arrays notebooks"
LEFT, WIDTH, HIGH, GAP = 190, 520, 44, 14
INK, FILL, INNER, ARC = "#1d2b3a", "#eef3f8", "#ffffff", "#5b7fa6"


def room_of(name: str) -> str:
    """The room of a file; one name for what stands above all."""
    top = name.split(".")[0]
    return LEAF if top in LEAVES else top


def drawn() -> str:
    """The picture as SVG."""
    rooms = [LEAF, *ROOMS]
    named = [name for name in files() if name not in ("", "__main__")]
    middle = {room: 30 + place * (HIGH + GAP) + HIGH / 2 for place, room in enumerate(rooms)}
    taken = Counter((room_of(name), room_of(other)) for name in named for other, _ in arrows(name) if other)
    lines = []
    for (room, other), count in sorted(taken.items()):
        if room != other:
            up = rooms.index(other) < rooms.index(room)
            lines.append(_arc(middle[room], middle[other], count, up))
    for room in rooms:
        held = [name for name in named if room_of(name) == room]
        lines += _box(room, middle[room], sum(not is_face(name) for name in held), _length(held))
    height = 30 + len(rooms) * (HIGH + GAP) + 10
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 40} {height}" '
        f'font-family="sans-serif" font-size="13" fill="{INK}">'
    )
    return "\n".join([head, f'<rect width="100%" height="{height}" fill="#ffffff"/>', *lines, "</svg>"]) + "\n"


def _box(room: str, middle: float, count: int, length: int) -> list[str]:
    top = middle - HIGH / 2
    lines = [
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HIGH}" rx="6" fill="{FILL}" stroke="{INK}"/>',
        f'<text x="{LEFT + 12}" y="{middle - 2}" font-weight="bold">{escape(room)}</text>',
        f'<text x="{LEFT + 12}" y="{middle + 14}" font-size="10">{count} files, {length:,} lines</text>',
    ]
    left = LEFT + 160.0
    folders = [name.removeprefix(room).lstrip(".") for row in ROOMS.get(room, ()) for name in row.split()]
    for short in dict.fromkeys(name.split(".")[0] for name in folders if name):
        wide = 6.5 * len(short) + 12
        lines.append(
            f'<rect x="{left:.0f}" y="{middle - 11}" width="{wide:.0f}" height="22" rx="4" fill="{INNER}" '
            f'stroke="{ARC}"/><text x="{left + 6:.0f}" y="{middle + 4}" font-size="11">{escape(short)}</text>'
        )
        left += wide + 6
    return lines


def _arc(start: float, end: float, count: int, up: bool) -> str:
    side, bend = (LEFT, LEFT - 20 - abs(start - end) * 0.28) if up else (LEFT + WIDTH, LEFT + WIDTH + 30)
    wide = 0.6 + min(count, 60) / 15
    return (
        f'<path d="M {side} {start + 6} C {bend:.0f} {start + 6}, {bend:.0f} {end - 6}, {side} {end - 6}" fill="none" '
        f'stroke="{ARC if up else "#c0392b"}" stroke-width="{wide:.1f}" stroke-opacity="0.55"/>'
    )


def _length(names: list[str]) -> int:
    return sum(len(files()[name].read_text(encoding="utf-8").splitlines()) for name in names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=ROOT / "docs" / "rooms.svg")
    parser.parse_args().file.write_text(drawn(), encoding="utf-8")
