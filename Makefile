# Everything a developer runs. `make setup` needs Python 3.11 to 3.14, make and a package index, nothing else.

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.setup-done
# The interpreter of a new virtual environment; empty means: the first suitable one on PATH.
PYTHON ?=
# Test processes that run side by side, each with PostgreSQL servers of its own; on two processors three, since tests wait a lot.
TEST_WORKERS ?= 3
# Fault tests wait more than they work.
FAULT_WORKERS ?= 4
# Of the fault tests: what decides which faults are drawn, and how long the soak lasts.
SEED ?= 1
HOURS ?= 1
FAULT_RESULTS := .fault
# What else pytest is told, as in: make test PYTEST_ARGS='-k embedded --postgres 18'
PYTEST_ARGS ?=
# What else the benchmark is told, as in: make bench QUICK=1 BENCH_ARGS='--systems riverrun pgqueuer --scenarios drain_1'
BENCH_ARGS ?=
# make lock UPGRADE=--upgrade takes the newest allowed versions; otherwise only what pyproject.toml asks for moves.
UPGRADE ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup run test test-browser test-quick test-smoke test-fault soak bench bench-services bench-scale screenshots lint fmt lock proto \
	build clean

help: ## Show what make can do
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

setup: $(READY) ## Create .venv with everything that running and testing need

$(READY): requirements.lock requirements-dev.lock pyproject.toml .ci/venv
	@.ci/venv $(VENV) $(PYTHON)
	@.ci/venv-pip $(VENV) install --quiet --require-hashes -r requirements-dev.lock
	@.ci/venv-pip $(VENV) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

run: setup ## Run the daemon here, on an embedded PostgreSQL, with the example handlers
	@$(BIN)/queuectl start --dev

test: setup ## Run all tests but those that inject faults or need a browser
	$(BIN)/python -m pytest -n $(TEST_WORKERS) -m 'not fault and not browser' $(PYTEST_ARGS)

test-browser: setup ## Look at the pages in Chromium (apt-get install chromium; some two minutes)
	$(BIN)/python -m pytest -n $(TEST_WORKERS) tests/browser $(PYTEST_ARGS)

test-smoke: setup ## Inject every kind of fault once, in small sizes (some six minutes)
	$(BIN)/python -m pytest -n $(FAULT_WORKERS) --dist worksteal tests/fault $(PYTEST_ARGS)

test-quick: setup ## Inject one fault of each class (some two minutes)
	$(BIN)/python -m pytest -n $(FAULT_WORKERS) --dist worksteal -m quick tests/fault $(PYTEST_ARGS)

test-fault: setup ## Inject every fault of the matrix at full size, and print what was measured (some hours)
	@rm -rf $(FAULT_RESULTS)
	@RIVERRUN_FAULT=full SEED=$(SEED) RIVERRUN_FAULT_RESULTS=$(CURDIR)/$(FAULT_RESULTS) \
		$(BIN)/python -m pytest tests/fault $(PYTEST_ARGS); status=$$?; \
		PYTHONPATH=tests $(BIN)/python -m fault.report $(FAULT_RESULTS) && exit $$status

soak: setup ## Inject faults drawn by SEED for HOURS under load, and judge the history
	HOURS=$(HOURS) SEED=$(SEED) $(BIN)/python -m pytest tests/fault/test_nemesis.py $(PYTEST_ARGS)

bench: setup ## Compare with other job queues in one run and write docs/performance.md (QUICK=1: small, prints only)
	PYTHONPATH=tests $(BIN)/python -m bench $(if $(QUICK),--quick --repeat 1,--output docs) $(BENCH_ARGS)

bench-services: setup ## Measure HTTP and gRPC services: jobs a second, time added to a request, memory (some five minutes)
	PYTHONPATH=tests $(BIN)/python -m bench.services $(BENCH_ARGS)

bench-scale: setup ## Measure lists, pages and statements at ten million jobs and write docs/scale.md (half an hour, 10 GB)
	PYTHONPATH=tests $(BIN)/python -m bench.scale --output docs $(BENCH_ARGS)

screenshots: setup ## Draw every page, light and dark, into docs/images (needs Chromium)
	$(BIN)/python -m pytest -q tests/browser/screenshots.py $(PYTEST_ARGS)

lint: setup ## Check format, style, types, imports between components, and shell scripts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shellcheck $$(grep -rlE --exclude-dir=.venv --exclude-dir=.git '^#!.*\b(ba|da)?sh$$' .)
	.ci/check-names

fmt: setup ## Format the code and repair what can be repaired by itself
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --no-config --universal --generate-hashes --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE) --extra embedded --extra grpc

lock: setup ## Write the requirement locks anew from pyproject.toml
	@.ci/venv-pip $(VENV) install --quiet uv
	$(LOCK) --group dev --output-file requirements-dev.lock
	$(LOCK) --constraint requirements-dev.lock --output-file requirements.lock

proto: setup ## Generate the stubs of the gRPC contract anew
	cd executor && $(abspath $(BIN))/python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. --grpc_python_out=. \
		riverrun_executor/proto/riverrun/v1/handler.proto

build: setup ## Build the wheel and the source archive in dist/
	$(BIN)/python -m hatchling build

clean: ## Remove .venv, caches and build results; data of the embedded PostgreSQL stay
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
