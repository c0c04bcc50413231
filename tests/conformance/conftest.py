"""Prints the counts of every set at the end of the session."""

import pytest

from conformance import report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = report.lines()
    if lines:
        terminalreporter.section("conformance")
        for line in lines:
            terminalreporter.write_line(line)
