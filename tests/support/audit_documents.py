"""An audit's document with every state there is, whose texts try to leave their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HOSTILE = "</td><script>alert(1)</script>|`]](x) @team www.evil.example {0} \x1b[2J\u202e\ud800 & \"'"


def figure(name: str = "accuracy", value: float | None = 0.5, **more: Any) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value / 2, (1 + value) / 2)
    return {
        "name": name, "value": value, "low": low, "high": high, "count": 10, "unit": "share", "better": "higher",
        "slice": None, "reason": None if value is not None else "there are none", **more,
    }  # fmt: skip


def result(model: int, name: str, state: str = "pass", level: str = "block", **more: Any) -> dict[str, Any]:
    return {
        "model": model, "name": name, "check": name, "version": 1, "options": {}, "params": "", "level": level,
        "state": state, "reasons": [], "waiver": None, "title": f"what {name} is", "figures": [], "limits": [],
        "findings": [], "notes": [], "files": [], "images": 10, "unreadable": 0, "missing": 0, "confidence": 0.95,
        "pictures_sha256": "5" * 64, "key": "6" * 64, "machines": [], **more,
    }  # fmt: skip


def model(path: str, **more: Any) -> dict[str, Any]:
    return {
        "path": path, "error": None, "file": path, "sha256": "1" * 64, "external": {}, "identity": "2" * 64, "bytes": 99,
        "opsets": {"ai.onnx": 17}, "producer": "unit", "nodes": 2, "parameters": 30,
        "output": {"name": "y", "kind": "classes"}, "profile": None, "profile_sha256": "3" * 64, "assumed": False,
        **more,
    }  # fmt: skip


def closed(path: str) -> dict[str, Any]:
    facts = dict.fromkeys(model(path))
    return {**facts, "path": path, "error": "it is no ONNX model"}


PROFILE = {
    "name": HOSTILE, "channels": "RGB", "size": [8, 9], "resize": "crop", "layout": "NCHW", "reasons": [HOSTILE],
    "assumed": True, "scale": 1.0, "mean": [104.0, 117.0, 123.0], "std": [1.0, 1.0, 1.0], "source": HOSTILE,
}  # fmt: skip
WAIVER = {"model": "b.onnx", "check": "accuracy", "reason": HOSTILE, "owner": HOSTILE, "until": "2027-01-31"}


def document(**more: Any) -> dict[str, Any]:
    """Three models: one that fails, one that is hostile and waived, one that cannot be opened."""
    limit = {
        "kind": "min", "limit": 0.9, "figure": "accuracy", "slice": None, "bound": 0.9, "measured": 0.25, "count": 10,
        "met": False, "reason": "0.25 of 10; >= 0.9 was required",
    }  # fmt: skip
    finding = {"level": "warning", "message": HOSTILE, "node": HOSTILE, "value": None}
    results = [
        result(0, "open"), result(0, "file"),
        result(0, "accuracy", "fail", reasons=["accuracy: 0.25 of 10; >= 0.9 was required"], limits=[limit],
               figures=[figure(), figure(value=None, slice="class=1"), figure(slice="class=2")]),
        result(0, "latency", "recorded", "record", figures=[figure("median run", 1.5, unit="ms")]),
        result(0, "quantisation", "not applicable", reasons=["no float file"]),
        result(1, "open"),
        result(1, "accuracy", "fail", reasons=[HOSTILE], waiver=WAIVER, figures=[figure(HOSTILE, slice=HOSTILE)]),
        result(1, "verify", findings=[finding, {**finding, "level": "note"}], notes=[HOSTILE], files=["a.png"]),
        result(1, "invariance", "fail", "warn", reasons=["consistency: too low"]),
        result(2, "open", "error", reasons=["it is no ONNX model"], key=""),
        result(2, "file", "error", reasons=["the model cannot be opened"], key=None),
    ]  # fmt: skip
    names = ("pass", "fail", "error", "not applicable", "recorded")
    told: Mapping[str, Any] = {
        "schema": 1, "kind": "audit", "passed": False,
        "policy": {"name": HOSTILE, "sha256": "4" * 64, "source": "policy.toml", "baseline": None},
        "images": {"places": ["pictures"], "count": 10, "sha256": "7" * 64, "labels": "folders", "classes": 2},
        "seed": 0, "versions": {"onnxray": "0.6.0", "onnxruntime": "1.23"},
        "models": [
            model("release/a b.onnx", external={"w.data": "8" * 64}),
            model(HOSTILE, profile=PROFILE, assumed=True, producer=HOSTILE),
            closed("c.onnx"),
        ],
        "results": results, "waivers": [{**WAIVER, "state": "in force"}],
        "counts": {**{one: sum(r["state"] == one for r in results) for one in names}, "blocking": 3, "waived": 1},
        "run": {
            "started": "2026-11-30T06:34:27+00:00", "seconds": 2.0, "executor": "inline", "units": 3,
            "unit_seconds": 1.0, "budget": None, "machine": {"processor": HOSTILE, "flags": ["avx2"], "cores": 2},
        },
    }  # fmt: skip
    return {**told, **more}
