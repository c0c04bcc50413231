"""Concat, Split, Tile, Expand and their kin."""

from __future__ import annotations

from onnxray.importer.scope import Converters

CONVERTERS: Converters = {}
