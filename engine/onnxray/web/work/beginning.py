"""Where the process that models are worked with begins: the server names it, and imports nothing else of its rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

    from onnxray.cli.parts.shared_options import Opening


def work(
    parent: Connection,
    sources: tuple[str, ...],
    how: Opening,
    memory: int | None,
    before: Mapping[int, tuple[str, Mapping[str, str | None]]],
) -> None:
    """Work until the parent is gone. memory: bytes of address space that this may take. before: what a process before
    this one had opened, the sha256 of a file and the fields of its profile that were stated, by its number.
    """
    from onnxray.web.work.process import work_for

    work_for(parent, sources, how, memory, before)
