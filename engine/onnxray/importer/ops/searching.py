"""ArgMax, ArgMin, TopK, Unique, NonZero, cumulative sums."""

from __future__ import annotations

from onnxray.importer.scope import Converters

CONVERTERS: Converters = {}
