"""The presets there are, by name: what the methods' options take, without torch, which the presets themselves need."""

from __future__ import annotations

from typing import Literal

MaximizePreset = Literal[
    "lucid", "plain", "simonyan", "yosinski-a", "yosinski-b", "yosinski-c", "yosinski-d", "mahendran", "dgn-am",
    "ppgn", "centre-bias", "multifaceted",
]  # fmt: skip
InvertPreset = Literal["plain", "tv1", "tv2", "alpha-norm", "mahendran-2015", "mahendran-2016"]
