"""How it is told that memory ran out, whatever Python calls it."""

import errno

import pytest

from onnxray.cli.parts import memory_limit
from onnxray.cli.parts.memory_limit import memory_ran_out

ODD = ValueError("field 'args' is required for FunctionDef")
"""What CPython 3.11 says where it cannot hold the tree of a file that it compiles."""


def test_whatever_fails_in_a_full_address_space_is_said_to_be_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_limit, "_limit", lambda: 10**9)
    monkeypatch.setattr(memory_limit, "_taken", lambda: 10**9 - 1000)
    assert "the work needs more memory than the 1 GB" in str(memory_ran_out(ODD))


def test_a_fault_with_room_left_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_limit, "_limit", lambda: 2**60)
    assert memory_ran_out(ODD) is None
    assert memory_ran_out(MemoryError()) is not None
    assert memory_ran_out(OSError(errno.ENOMEM, "x")) is not None


def test_without_a_limit_only_what_says_so_is_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_limit, "_limit", lambda: None)
    assert memory_ran_out(ODD) is None
