"""How much memory a process may take, and how it is told that it took all."""

from __future__ import annotations

import errno
import mmap
import re
import sys
from pathlib import Path

import typer

from onnxray.errors import InputError, MemoryLimitReached

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([kmgt]?i?)b?", re.IGNORECASE)
# In the words of Python, C++, torch, ONNX Runtime, the loader of libraries, and the system.
_RAN_OUT = re.compile(
    "MemoryError|bad.?alloc|(unable to|can.?t|cannot|could not|failed to|fail to) alloc|not enough memory|"
    "out of memory|failed to map segment|cannot map|can't start new thread|thread creation failed",
    re.IGNORECASE,
)


_NEXT = 2**20
"""Bytes that are asked of the system at least, as a rule: with fewer left any allocation may fail, and what Python says
of that is at times nothing of memory ("field 'args' is required for FunctionDef")."""


def read_size(text: str) -> int:
    """Bytes from ``4GB``, ``500MB``, ``2GiB`` or a plain number."""
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * _UNITS[found[2].lower()]) if found and found[2].lower() in _UNITS else 0
    if size < 1:
        raise typer.BadParameter(f"{text!r} is no amount of memory; write it as 4GB, 500MB or 2GiB")
    return size


def limit_memory(size: int) -> None:
    """Bound this process's address space. Errors: InputError where the system has no such bound."""
    check_limits_memory()
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (size if most == resource.RLIM_INFINITY else min(size, most), most))


def check_limits_memory() -> None:
    """Refuse where a process's memory cannot be bounded. Errors: InputError."""
    if sys.platform in {"win32", "darwin"}:
        raise InputError(f"--memory needs a system that bounds a process's address space, which {sys.platform} is not")


def memory_ran_out(error: Exception) -> MemoryLimitReached | None:
    """The error to tell of where ``error`` came of too little memory, as far as can be told; else None."""
    limit = _limit()
    words = str(error)
    known = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    full = limit is not None and limit - _taken() < _NEXT
    if not known and not full and (limit is None or not _RAN_OUT.search(words)):
        return None
    had = "there is" if limit is None else f"the {limit / 1e9:.3g} GB of address space that were given"
    return MemoryLimitReached(f"the work needs more memory than {had}: {words or 'an allocation failed'}")


def _limit() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def _taken() -> int:
    """Bytes of address space that this process takes; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[0]) * mmap.PAGESIZE
    except (OSError, MemoryError):
        return 0
