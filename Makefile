# `make` lists what there is. A fresh machine needs Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# Tests that need no server.
PURE := $(wildcard tests/domain tests/contracts tests/definitions)

.DEFAULT_GOAL := help

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY)  ## make .venv with everything that is needed, pinned and checked by hash

$(READY): requirements-dev.lock pyproject.toml contracts/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make setup PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
	@echo "Installing the pinned packages into .venv (a minute or so) .."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e contracts -e .
	@touch $@

.PHONY: check
check: $(READY)  ## style, types, layers and the tests that need no server
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(if $(PURE),$(BIN)/pytest -q $(PURE))

.PHONY: test
test: check jars go-tools  ## check, then all tests on real PostgreSQL, Valkey and Kafka
	$(BIN)/pytest

.PHONY: jars
jars: $(READY)  # before the tests, so that the one download of Kafka shows its progress
	@$(BIN)/python -m cadence_engine.devstack.jars

.PHONY: go-tools
go-tools: $(READY)  # helm, kubeconform and promtool for tests/deploy, built once; says so where there is no Go
	@$(BIN)/python -m tests.deploy.go_tools

.PHONY: demo
demo: $(READY)  ## watch contacts go through a cadence in a minute, on embedded servers
	@$(BIN)/cadence-engine demo

.PHONY: dev
dev: $(READY)  ## run the whole engine in this terminal on embedded servers
	@$(BIN)/cadence-engine dev

.PHONY: bench
bench: $(READY) jars  ## measure this machine: a table, .local/bench.json and .local/bench.svg
	@mkdir -p .local
	@$(BIN)/python -m tests.bench --json .local/bench.json --svg .local/bench.svg

.PHONY: chaos
chaos: $(READY) jars  ## kill, freeze and restart everything under load (SEED=1 RUNS=1 KILLS=40 SECONDS=90), and judge what came out
	HYPOTHESIS_PROFILE=chaos $(BIN)/pytest -q -m 'chaos or not chaos' tests/faults tests/domain/histories
	@$(BIN)/python -m tests.faults.chaos --seed $(or $(SEED),1) --runs $(or $(RUNS),1) --kills $(or $(KILLS),40) --seconds $(or $(SECONDS),90)

.PHONY: lock
lock: $(READY)  ## resolve the dependencies anew and pin them
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-package cadence-contracts --no-header -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-package cadence-contracts --no-emit-package cadence-engine --no-header --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

.PHONY: licences
licences: $(READY)  ## list the licences of what the image holds, in deploy/LICENCES.md
	$(BIN)/python -m tests.deploy.supply

.PHONY: sbom
sbom: $(READY)  ## write dist/sbom.json: what the image holds, with hashes, as CycloneDX
	@mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json

.PHONY: audit
audit: $(READY)  ## ask the advisory database for known vulnerabilities of all that is pinned (needs the network)
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock --requirement requirements-dev.lock

.PHONY: hooks
hooks: $(READY)  ## let git check each commit and push (.pre-commit-config.yaml)
	$(BIN)/pre-commit install

.PHONY: clean
clean:  ## remove .venv, caches and what killed runs left (Kafka's jars stay in the user's cache)
	rm -rf .venv .local .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
