"""Arithmetic and elementary functions."""

from __future__ import annotations

from onnxray.importer.scope import Converters

CONVERTERS: Converters = {}
