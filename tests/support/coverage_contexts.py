"""A pytest plugin: which test function runs which line, and how long each takes.

``coverage run -m pytest -p support.coverage_contexts`` names coverage's context after the test function that runs (its
parameters left out), and writes the seconds of every test function to the file that ``ONNXRAY_TEST_SECONDS`` names.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import coverage
import pytest


def function_of(node: str) -> str:
    """The test function of a pytest node, its parameters left out."""
    return node.partition("[")[0]


class Contexts:
    """Names the contexts and adds up the seconds."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Generator[None, Any, Any]:
        measured = coverage.Coverage.current()
        if measured is not None:
            measured.switch_context(function_of(item.nodeid))
        result = yield
        if measured is not None:
            measured.switch_context("")
        return result

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[function_of(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        Path(os.environ["ONNXRAY_TEST_SECONDS"]).write_text(json.dumps(self.seconds, indent=1))


def pytest_configure(config: Any) -> None:
    config.pluginmanager.register(Contexts(), "onnxray-contexts")
