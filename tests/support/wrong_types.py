"""Values of wrong types, and what is raised of them besides errors of ours."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from onnxray.errors import OnnxrayError

WRONG: tuple[Any, ...] = (
    None, 3, -1, 3.5, float("nan"), "x", b"x", [], {}, object(), (), 10**400, 2**70, np.zeros(0), np.array(["a"]),
    np.zeros((2, 3), complex), int, lambda: 0, {"x": None}, [[1], [1, 2]], Path("nowhere"), True, set(), "", ("x",),
    (None,), [None], np.float64(2), "\0",
)  # fmt: skip


def leaks(calls: Iterator[tuple[str, Callable[[], object]]]) -> list[str]:
    """What is raised besides errors of ours in one line."""
    found = []
    for what, call in calls:
        try:
            call()
        except OnnxrayError as error:
            if "\n" in str(error) or len(str(error)) > 700:
                found.append(f"{what}: {len(str(error))} characters")
        except Exception as error:
            found.append(f"{what}: {type(error).__name__}: {error}")
    return found
