# Everything a contributor needs: `make demo` shows the program, `make test` proves it.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## the main job on this machine: create a virtual machine, run a container in it, remove it
	@scripts/install-packages demo
	@scripts/make-venv $(VENV)
	@PATH="$(abspath $(BIN)):$$PATH" scripts/demo

test: ## install what the tests need and run all of them, end to end included
	@scripts/install-packages test
	@scripts/make-venv $(VENV) dev
	@PATH="$(abspath $(BIN)):$$PATH" scripts/test $(PYTEST_ARGS)

test-long: ## the tests on a real OpenStack (root, 6 GB of memory, 5 GB of disk, 40 minutes); says so where they cannot run
	@scripts/install-packages test
	@scripts/make-venv $(VENV) dev
	@PATH="$(abspath $(BIN)):$$PATH" scripts/test-long $(PYTEST_ARGS)

check: ## before a commit, 4 minutes on two idle cores: style, layers, types and all tests that need neither root, a machine nor patience
	@scripts/make-venv $(VENV) dev
	@PATH="$(abspath $(BIN)):$$PATH" scripts/test --stages check

unit: ## the tests that need neither root nor a virtual machine
	@scripts/make-venv $(VENV) dev
	@$(BIN)/pytest -q -n auto -m 'not lab and not vm and not slow' $(PYTEST_ARGS)

lint: ## style and layers
	@scripts/make-venv $(VENV) dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: ## mypy --strict
	@scripts/make-venv $(VENV) dev
	@$(BIN)/mypy

bench: ## speed as ratios in one run (SECTION=clouds: of one section); DOCKER_MACHINE_BIN: a docker-machine to run beside
	@scripts/install-packages test
	@scripts/make-venv $(VENV) dev
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m tests.bench $(if $(SECTION),--only $(SECTION)) $(BENCH_ARGS)

bench-swarm: ## a manager over 10, 100, 1,000 simulated engines; CLASSIC_SWARM_BIN names a classic Swarm to run beside
	@scripts/make-venv $(VENV) dev
	@$(BIN)/python -m tests.bench.swarm $(BENCH_ARGS)

docs: ## write the generated pages and pictures anew (a test fails when they are out of date)
	@scripts/make-venv $(VENV) dev
	@$(BIN)/python scripts/generate-docs
	@$(BIN)/python scripts/draw-architecture
	@$(BIN)/python scripts/draw-pictures
	@$(BIN)/python scripts/draw-recording

site: ## the manual as a site, in site/: every page, link and anchor is checked
	@scripts/make-venv $(VENV) docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html in a browser, or see each change at once: make site-serve (http://127.0.0.1:8000)"

site-serve: ## the manual at http://127.0.0.1:8000, built anew when a page changes
	@scripts/make-venv $(VENV) docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

release: ## the artefacts of a release into dist/: wheel, sdist, machine.pyz, .deb; the version is that of git's tag
	@scripts/make-venv $(VENV) dev
	@$(BIN)/python -m release.build $(RELEASE_ARGS)

release-check: ## whether this commit can be released: VERSION=1.2.3 before the tag is made, nothing at a tag
	@scripts/make-venv $(VENV) dev
	@$(BIN)/python -m release.check $(if $(VERSION),--version $(VERSION))

clean: ## remove what the targets above made here
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help demo test test-long check unit lint types bench bench-swarm docs site site-serve release release-check clean
