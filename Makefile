# Everything a user or a developer runs. Needs only make; as root on Debian it fetches what else is missing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE := .cache
CODE := src tests bench manual

# How to start the NAS with `make run`, e.g. make run SERVE='--http 0.0.0.0:8080 --portal 0.0.0.0:3260'
SERVE ?=
# What else pytest is given, e.g. make unit PYTEST='-k login -x'
PYTEST ?=
# Which faults are tried, e.g. make faults FAULTS='--short "the disk is full"'
FAULTS ?=
# For how long the API is explored.
SCHEMATHESIS_SECONDS ?= 600
# What is fuzzed, and for how long each.
FUZZ ?= framing text login full_feature names scsi isns
FUZZ_SECONDS ?= 60
# What else the measurement of scale is given.
SCALE ?=

.PHONY: help setup setup-dev run test unit system compiled fuzz faults schemathesis lint format docs peers fio vm bench scale clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(VENV)/.installed ## the virtual environment with Lunaport in it

setup-dev: $(VENV)/.installed-dev

run: setup ## start the NAS, its data in ./var
	@exec $(BIN)/lunaport serve --data-dir ./var $(SERVE)

# How system tests run side by side stands in tests/system/side_by_side.py.
UNIT = $(BIN)/python -m pytest tests/unit --numprocesses auto $(PYTEST)
SYSTEM = $(BIN)/python -m pytest tests/system --numprocesses $(SYSTEM_WORKERS) $(PYTEST)
SYSTEM_WORKERS ?= 2

test: setup-dev peers lint compiled ## everything: checks, unit tests, and the NAS with real initiators
	$(UNIT)
	$(SYSTEM)

unit: setup-dev ## the unit tests only
	$(UNIT)

system: setup-dev peers compiled ## the NAS with real initiators only
	$(SYSTEM)

# The tests start the NAS some hundred times: each start is quicker when it need not compile its source.
compiled: setup-dev
	@$(BIN)/python -m compileall -q src

fuzz: setup-dev ## fuzzing by coverage; FUZZ_SECONDS=600 for longer, FUZZ=login for one harness
	@set -e; for name in $(FUZZ); do $(BIN)/python -m tests.fuzz $$name $(FUZZ_SECONDS) --work $(CACHE)/fuzz; done

faults: setup-dev peers ## every fault at length, and the table of docs/reliability.md; FAULTS='--short "the disk is full"' for less
	@$(BIN)/python -m tests.faults $(FAULTS)

schemathesis: setup-dev peers ## the whole API explored for SCHEMATHESIS_SECONDS (ten minutes)
	@SCHEMATHESIS_SECONDS=$(SCHEMATHESIS_SECONDS) $(BIN)/python -m pytest tests/system/test_schema.py -s

lint: setup-dev ## style, types, and who may import whom
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports

format: setup-dev ## put the code in its form
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

docs: setup-dev ## the manual, as pages in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

peers: ## the real initiators, as far as this machine can have them
	@sh tests/system/install-peers.sh

fio: $(CACHE)/fio/fio ## fio with its libiscsi engine

vm: $(CACHE)/vm/initramfs.cpio ## kernel and file system of the test VM

$(CACHE)/fio/fio: bench/build-fio.sh
	@sh bench/build-fio.sh $(@D)

$(CACHE)/vm/initramfs.cpio: tests/vm/build.sh tests/vm/init
	@sh tests/vm/build.sh $(@D)

$(CACHE)/bench-vm/initramfs.cpio: bench/vm/build.sh
	@sh bench/vm/build.sh $(@D)

bench: setup-dev fio $(if $(filter vm,$(BENCH)),$(CACHE)/bench-vm/initramfs.cpio) ## speed beside other targets; BENCH=full for every load, BENCH=vm beside LIO
	@sh bench/fetch-peers.sh $(CACHE)/peers
	$(BIN)/python -m bench $(BENCH)

scale: setup-dev fio ## thousands of targets and sessions, and pressure; SCALE='--only targets --targets 500' for less
	$(BIN)/python -m bench.scale $(SCALE)

clean: ## remove what was built; ./var stays
	rm -rf $(VENV) $(CACHE) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# A virtual environment needs ensurepip, which Debian packs apart.
$(BIN)/pip:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null || { echo 'python3-venv is missing: apt-get install python3-venv' >&2; exit 1; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lunaport needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

# Made once, and again when the pins or the package's own data change. -dev holds all of the other's pins too.
$(VENV)/.installed: $(BIN)/pip requirements/run.txt pyproject.toml
	@if test -e $(VENV)/.installed-dev; then $(MAKE) --no-print-directory setup-dev; else \
	  $(BIN)/pip install --quiet --disable-pip-version-check -r requirements/run.txt && \
	  $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .; fi
	@touch $@

$(VENV)/.installed-dev: $(BIN)/pip requirements/dev.txt pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@ $(VENV)/.installed
