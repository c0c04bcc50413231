"""What the program does before any command is read."""

import os

import pytest

import onnxray.cli.app
from onnxray.cli.program import main


@pytest.mark.parametrize(("stated", "expected"), [(None, "passive"), ("active", "active")])
def test_threads_wait_without_spinning_unless_it_is_stated(
    stated: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", stated or "")  # so that it is put back afterwards
    if stated is None:
        del os.environ["OMP_WAIT_POLICY"]
    seen: list[str | None] = []
    monkeypatch.setattr(onnxray.cli.app, "main", lambda: seen.append(os.environ.get("OMP_WAIT_POLICY")))
    main()
    assert seen == [expected]
