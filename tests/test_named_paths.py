"""Paths that documents and scripts name exist: a test that moved is not passed over in silence."""

import re
import subprocess

import pytest

from support.paths import ROOT

PLACE = re.compile(
    r"(?<![\w/.-])((?:tests|engine|benchmarks|docs|models|adapters)/[\w/.-]*\w\.(?:py|md|svg|txt|toml|onnx))"
)


def named() -> list[tuple[str, str]]:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / ".ci").iterdir(), ROOT / "Makefile"]
    pages += [ROOT / "pyproject.toml"]
    return sorted({(page.name, path) for page in pages for path in PLACE.findall(page.read_text(encoding="utf-8"))})


@pytest.mark.parametrize(("page", "path"), named())
def test_it_is_there(page: str, path: str) -> None:
    assert (ROOT / path).exists(), f"{page} names {path}"


def test_the_scripts_of_ci_name_tests_at_all() -> None:
    assert sum(page == "other-processor" for page, _ in named()) >= 3


def test_the_ci_scripts_are_bash() -> None:
    for script in (ROOT / ".ci").iterdir():
        assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
