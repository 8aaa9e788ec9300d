# Everything sets itself up: Python 3.11+ and make are all a machine needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEV    := $(VENV)/.ready-dev

.DEFAULT_GOAL := help
.PHONY: help run test test-all test-cluster coverage test-readers smoke lint format docs bench bench-rivals bench-check clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

run: $(READY) ## curate the sample corpus into curated/
	$(BIN)/curate run sample_data/ -o curated

# some tests wait, for servers and clocks: one more than there are cores
BUSY = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

# else each of the processes that test rewrites and compiles all tests anew
test test-all test-cluster coverage: export PYTHONDONTWRITEBYTECODE =

test: $(DEV) ## the tests that run in minutes
	$(BIN)/pytest -q -n $(BUSY) --dist worksteal -m "not slow and not cluster"

test-all: $(DEV) ## all tests of one machine; EXAMPLES=all: with all examples of properties
	CURATE_TEST_ALL=$(EXAMPLES) $(BIN)/pytest -q -n logical --dist worksteal --ignore tests/test_ray.py
	$(BIN)/pytest -q -m "not cluster" tests/test_ray.py  # a cluster of its own keeps every core busy

test-cluster: $(DEV) ## a Ray cluster whose nodes and workers die, join late and fill up: 7 minutes
	$(BIN)/pytest -q tests/test_ray.py

coverage: $(DEV) ## the tests that run in minutes, and the lines that none of them reaches
	$(BIN)/pytest -q -n logical --dist worksteal -m "not slow and not cluster" --cov --cov-report=term

test-readers: $(DEV) ## every format of shards, read by its trainer's own reader
	$(BIN)/python -m pip install --quiet --editable '.[arrayrecord]'
	$(PYTHON) -m venv .venv-readers
	.venv-readers/bin/python -m pip install --quiet -r tests/readers/needed.txt
	.venv-readers/bin/python -m pip install --quiet --no-deps -r tests/readers/requirements.txt
	$(BIN)/python tests/readers/write.py build/readers
	for format in bin megatron olmo datatrove litdata mds parquet arrayrecord; do \
	  .venv-readers/bin/python -W ignore tests/readers/read_back.py build/readers $$format || exit 1; done
	PYTHONPATH=$$(.venv-readers/bin/python -c "import site; print(site.getsitepackages()[0])") \
	  $(BIN)/pytest -q tests/test_torch_loading.py

smoke: $(READY) ## every stage and recipe, from a wheel installed apart, with nothing compiled yet
	$(BIN)/python scripts/smoke_installed.py

lint: $(DEV) ## format, lint, types, house laws
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(DEV) ## the documentation as a site, in build/site; dead links are errors
	$(BIN)/python scripts/reference.py
	$(BIN)/mkdocs build --strict --quiet

bench-rivals: $(READY) ## install the tools curate is measured beside
	$(BIN)/python -m benchmarks rivals $(RIVALS)

bench: $(READY) ## measure beside floors and rivals: make bench CORPUS=files
	$(BIN)/python -m benchmarks rivals floor
	$(BIN)/python -m benchmarks run $(CORPUS) $(BENCH)

bench-check: $(READY) ## have the ratios become worse? (minutes)
	$(BIN)/python -m benchmarks rivals floor
	$(BIN)/python -m benchmarks check $(BENCH)

clean: ## remove what the other targets made
	rm -rf $(VENV) curated build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	$(BIN)/python -m compileall -q src  # else each process compiles it anew where PYTHONDONTWRITEBYTECODE is set
	@touch $@

$(DEV): $(READY) pyproject.toml
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@
