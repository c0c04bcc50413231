"""The examples in the Markdown of README.md and docs/: commands and Python, how they are marked, what they print.

A block is fenced or indented. What cannot run as it stands is marked on the line before it,

    <!-- example: usage -->                        a synopsis; its commands and options are looked up, nothing is run
    <!-- example: needs FILE FILE; slow -->        run by `make sweep` where the files are at hand
    <!-- example: slow -->                         run by `make sweep` alone

or for the rest of the page by `<!-- examples: ... -->`. A fenced block of `text` right after an example is its output,
and so are the lines without `$` of a `console` block.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.paths import ROOT

MARK = re.compile(r"<!-- (examples?): (.*?) -->")
FENCE = re.compile(r"^( *)```(\w*)")
PROGRAM = re.compile(r"^(\$ )?(onnxray|pip|python|make|uv|git|cp|mkdir)\b")
INLINE = re.compile(r"`(onnxray [^`]+)`")


def pages() -> list[Path]:
    """Everything that a user reads in Markdown."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Block:
    """``kind``: ``commands``, ``python``, ``toml`` or ``text``; ``line`` counts from 1; ``output`` may be empty."""

    page: Path
    line: int
    kind: str
    lines: tuple[str, ...]
    marks: tuple[str, ...] = ()
    output: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def usage(self) -> bool:
        return "usage" in self.marks

    @property
    def needs(self) -> list[str]:
        """The files that it names and that not everybody has."""
        return [name for mark in self.marks if mark.startswith("needs ") for name in mark.split()[1:]]

    @property
    def slow(self) -> bool:
        return "slow" in self.marks or bool(self.needs)

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Each command with the lines that are shown of its output; of a console block those after it."""
        console = any(line.startswith("$ ") for line in self.lines)
        command, shown, open_ = "", [], False
        for line in self.lines:
            if open_:
                command += " " + line.strip().removesuffix("\\")
                open_ = line.rstrip().endswith("\\")
            elif console and not line.startswith("$ "):
                shown.append(line)
            elif line.strip() and not line.startswith("#"):
                if command:
                    yield command, shown
                command, shown = line.removeprefix("$ ").rstrip().removesuffix("\\"), []
                open_ = line.rstrip().endswith("\\")
        if command:
            yield command, [*shown, *self.output]


@dataclass
class _Reader:
    page: Path
    marks: tuple[str, ...] = ()
    found: list[Block] = field(default_factory=list)

    def read(self) -> list[Block]:
        lines = self.page.read_text(encoding="utf-8").splitlines()
        at, own, after = 0, None, False
        while at < len(lines):
            line = lines[at]
            if mark := MARK.fullmatch(line.strip()):
                stated = tuple(word.strip() for word in mark[2].split(";"))
                if mark[1] == "examples":
                    self.marks = () if stated == ("run",) else stated
                else:
                    own = () if stated == ("run",) else stated
                at += 1
                continue
            if fence := FENCE.match(line):
                end = next(i for i in range(at + 1, len(lines)) if lines[i].strip() == "```")
                body = tuple(text.removeprefix(fence[1]) for text in lines[at + 1 : end])
                self._add(fence[2], at + 1, body, own, after)
                at, own, after = end + 1, None, True
                continue
            if line.startswith("    ") and (at == 0 or not lines[at - 1].strip()):
                end = at
                while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                    end += 1
                self._add("", at + 1, tuple(text[4:] for text in lines[at:end]), own, False)
                at, own, after = end, None, False
                continue
            if line.strip():
                own, after = None, False
            at += 1
        return self.found

    def _add(self, info: str, line: int, body: tuple[str, ...], own: tuple[str, ...] | None, after: bool) -> None:
        first = next((text for text in body if text.strip()), "")
        marks = self.marks if own is None else own
        if info == "text" and after and self.found and self.found[-1].kind in ("commands", "python"):
            last = self.found.pop()
            self.found.append(Block(last.page, last.line, last.kind, last.lines, last.marks, body))
        elif info in ("python", "toml"):
            self.found.append(Block(self.page, line, info, body, marks))
        elif info in ("console", "sh", "bash", "") and PROGRAM.match(first):
            self.found.append(Block(self.page, line, "commands", body, marks))


def blocks(page: Path) -> list[Block]:
    """Every example of a page, in order."""
    return _Reader(page).read()


def inline(page: Path) -> list[str]:
    """Commands within the text and its tables."""
    return INLINE.findall(page.read_text(encoding="utf-8").replace("\n", " "))
