"""Comparisons, logic and bits."""

from __future__ import annotations

from onnxray.importer.scope import Converters

CONVERTERS: Converters = {}
