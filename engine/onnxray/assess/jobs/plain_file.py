"""Files that a stranger may have put there: read whole, and only where they are plain files."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def plain_file(path: Path, most: int) -> bytes:
    """The bytes of a regular file. Pipes and devices, which may never end or never begin, are not waited for.

    Errors: OSError; ValueError where it is no regular file, or has more than ``most`` bytes.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as stream:  # noqa: PTH123 - of the handle, which is the file that was looked at
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is no plain file")
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return data
