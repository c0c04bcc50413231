# The two commands of the README are `make demo` and `make test`; both set up what they need.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check bench sweep clean

demo: $(READY)
	$(BIN)/onnxray demo

test: check
	$(BIN)/pytest

check: $(READY)
	$(BIN)/ruff check engine adapters models tests benchmarks
	$(BIN)/ruff format --check engine adapters models tests benchmarks
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[bench]"
	$(BIN)/python benchmarks/run.py

sweep: $(READY)
	$(BIN)/pytest -m slow

clean:
	rm -rf .venv build dist onnxray-out .pytest_cache .mypy_cache .ruff_cache

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'onnxray needs Python 3.11 or newer; make PYTHON=python3.11')"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@
