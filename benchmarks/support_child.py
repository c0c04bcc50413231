"""One combination of the support sweep, in a process of its own, bounded in memory.

Imported once by the server that forks these processes, so that a combination does not wait for imports.
"""

from __future__ import annotations

import resource
import sys
import time
import zlib
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("engine", "models", "tests/support")]

import exporting  # noqa: E402

import onnxray.model.to_torch  # noqa: E402, F401
from onnxray.errors import OnnxrayError  # noqa: E402

exporting.allow_torchvision()
import timm  # noqa: E402, F401

MEMORY = 16 * 2**30
_FUSED_ATTENTION = 14
"""The legacy exporter writes scaled_dot_product_attention from this opset on; below, timm writes it out."""


def run(answer: Connection, folder: Path, network: tuple[str, int, dict[str, Any]], exporter: tuple[bool, int]) -> None:
    """Export, unless the file is there, check, and send the row."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    start = time.perf_counter()
    row = _row(folder, network, exporting.Exporter(*exporter))
    answer.send({**row, "seconds": round(time.perf_counter() - start, 1)})
    answer.close()


def _row(folder: Path, network: tuple[str, int, dict[str, Any]], exporter: exporting.Exporter) -> dict[str, Any]:
    try:
        path, reference = _exported(folder, network, exporter)
        return {"status": "ok", **exporting.as_row(exporting.check(path, reference))}
    except exporting.ExporterFailed as error:
        return {"status": "exporter failed", "reason": str(error)}
    except exporting.JudgeChanges as error:
        return {"status": "judge unsteady", "reason": str(error)}
    except exporting.Wrong as error:
        return {"status": "wrong", "reason": str(error)}
    except OnnxrayError as error:
        return {"status": "refused", "reason": f"{type(error).__name__}: {error}"}
    except Exception as error:
        return {"status": "crash", "reason": f"{type(error).__name__}: {str(error).strip()[:300]}"}


def _exported(
    folder: Path, network: tuple[str, int, dict[str, Any]], exporter: exporting.Exporter
) -> tuple[Path, exporting.Reference]:
    stem = f"{network[0]}-{zlib.crc32(repr(network).encode()):08x}"  # other options are another network
    path, beside = folder / f"{stem}-{exporter.name}.onnx", folder / f"{stem}.npz"
    if not (path.exists() and beside.exists()):
        try:
            _export(path, beside, network, exporter, fused=exporter.dynamo or exporter.opset >= _FUSED_ATTENTION)
        except exporting.ExporterFailed as error:  # some shapes of fused attention are unknown to the exporters
            try:
                _export(path, beside, network, exporter, fused=False)
            except exporting.ExporterFailed:
                raise error from None
    return path, exporting.Reference.load(beside)


def _export(
    path: Path, beside: Path, network: tuple[str, int, dict[str, Any]], exporter: exporting.Exporter, *, fused: bool
) -> None:
    name, side, options = network
    net = exporting.calibrated(exporting.timm_network(name, fused_attention=fused, **options), (side, side))
    reference = exporting.reference_of(net, (side, side))
    partial = path.with_suffix(".partial")
    exporting.export(net, (torch.from_numpy(reference.inputs[:1]),), exporter, partial)
    partial.replace(path)
    if not beside.exists():
        reference.save(beside)
