# One word for each task; `make help` lists them. Every task makes the environment it needs, once.
#
#   make PYTHON=python3.12 demo     with another interpreter (3.11 or newer)
#   make test ARGS="-k wordcount"   with arguments for pytest

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
# Versions of ipykernel that the tests run notebooks in, beside the one that is installed.
KERNELS := 6.31 7.3 7.4

SHELL  := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := $(VENV)/bin
SAY := @printf '%s\n'
# Tools read notebooks and tests as UTF-8 also where no locale is set; a terminal is never asked for anything.
export PYTHONUTF8 := 1
export PIP_NO_INPUT := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo lab test notebooks lint fmt types bench bench-all check clean chromium

help:  ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.lab  ## run the quickstart notebook on worker processes and show what it counted
	@$(BIN)/python notebooks/run_demo.py notebooks/01-quickstart.ipynb .demo/01-quickstart.ipynb

lab: $(VENV)/.lab  ## open the notebooks in JupyterLab
	@$(BIN)/jupyter lab --notebook-dir=notebooks $$([ "$$(id -u)" != 0 ] || echo --allow-root) $(ARGS)

test: $(VENV)/.test $(VENV)/.lint $(VENV)/.kernels chromium  ## every test, and every notebook compared with its saved output
	$(SAY) "==> tests: the package, its extensions, its architecture"
	@tests=0; notebooks=0; \
	$(BIN)/pytest tests $(wildcard extensions/*/tests) $(ARGS) || tests=$$?; \
	$(MAKE) --no-print-directory notebooks || notebooks=$$?; \
	echo "==> exit codes: pytest $$tests, notebooks $$notebooks"; \
	exit $$(( tests ? tests : notebooks ))

# The cells of a notebook depend on each other, so their order stays. With one worker, files are cut otherwise than with more; and a
# slow machine would show the progress of jobs that a quick one does not.
notebooks: $(VENV)/.test  ## execute every notebook and compare with its saved output
	$(SAY) "==> notebooks: every cell again, against the output that is saved"
	@MRKERNEL_WORKERS=2 MRKERNEL_PROGRESS=off $(BIN)/pytest -p no:randomly -p no:cacheprovider --nbval --nbval-current-env \
		--nbval-sanitize-with notebooks/sanitize.cfg notebooks

lint: $(VENV)/.lint  ## style and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

fmt: $(VENV)/.lint  ## rewrite the code in the house style
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

types: $(VENV)/.lint  ## mypy, strict
	$(BIN)/mypy

bench: $(VENV)/.test  ## word count beside the other engines, and the other workloads with little data
	@$(BIN)/python -m tests.benchmarks $(ARGS)

bench-all: $(VENV)/.test  ## every workload at the size that is promised (an hour or more, 20 GB of disk)
	@$(BIN)/python -m tests.benchmarks --full $(ARGS)

check: lint types test  ## what a change must pass

clean:  ## remove the environment and everything else that make made
	rm -rf $(VENV) .demo .bench build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find mrkernel tests notebooks extensions -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than pyproject.toml while what it stands for is installed. Stamps live in the environment, so they go with it.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "mrkernel needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>/dev/null || echo not there)." >&2; \
		echo "Hint: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "==> installing Debian's python3-venv, which $(PYTHON) lacks"; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv; \
		else \
			echo "$(PYTHON) cannot make virtual environments." >&2; \
			echo "Hint: install your system's python3-venv, or say make PYTHON=… $(MAKECMDGOALS)" >&2; exit 1; fi; }
	$(SAY) "==> making $(VENV) with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.lab: $(VENV)/.made pyproject.toml
	$(SAY) "==> installing mrkernel and JupyterLab into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --editable '.[lab]'
	@touch $@

$(VENV)/.test: $(VENV)/.lab $(wildcard extensions/*/pyproject.toml)
	$(SAY) "==> installing what the tests use"
	@$(BIN)/python -m pip install --quiet --group test $(addprefix --editable ./,$(dir $(wildcard extensions/*/pyproject.toml)))
	@touch $@

# Without their dependencies, which the environment has; only the oldest needs one of its own.
$(VENV)/.kernels: $(VENV)/.test Makefile
	$(SAY) "==> installing ipykernel $(KERNELS), each in a folder of its own"
	@rm -rf $(VENV)/kernels
	@for version in $(KERNELS); do \
		$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)/kernels/$$version "ipykernel==$$version.*" nest-asyncio; done
	@touch $@

$(VENV)/.lint: $(VENV)/.lab
	$(SAY) "==> installing linters and type checker"
	@$(BIN)/python -m pip install --quiet --group lint
	@touch $@

chromium:
	@if command -v chromium >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "==> installing Debian's chromium, which the tests of the notebook's display drive"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else echo "==> no chromium here and no way to install it: the tests that drive a browser cannot run"; fi
