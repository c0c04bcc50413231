"""What results were made on: int8 arithmetic differs by processor, float sums by the number of threads."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxray._version import __version__

_TELLING = ("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")


def describe_machine() -> Mapping[str, Any]:
    """System, processor, the instruction sets that int8 kernels choose by, and the cores there are."""
    name, flags = platform.processor() or platform.machine(), set[str]()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            if key.strip() in {"flags", "Features"}:
                flags |= set(value.split())
    except OSError:  # no Linux: the processor's name has to do
        pass
    return {
        "system": platform.system(),
        "processor": name,
        "flags": [flag for flag in _TELLING if flag in flags],
        "cores": cores(),
    }


def cores() -> int:
    """The cores that this process may use: fewer than there are under taskset, or in a container that pins them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions(device: str) -> dict[str, str]:
    """Versions and device that results depend on; stated with every result."""
    found = {"onnxray": __version__, "python": platform.python_version(), "device": device}
    for name in ("onnx", "torch", "onnx2torch", "numpy"):
        found[name] = importlib.metadata.version(name)
    import onnxruntime

    return {**found, "onnxruntime": onnxruntime.__version__}
