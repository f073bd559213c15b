# Everything a person or CI does here. `make help` lists the targets.

PYTHON ?= $(shell for v in 3.13 3.12 3.11; do python$$v -c "" 2>/dev/null && echo python$$v && break; done || true)
ifeq ($(strip $(PYTHON)),)
PYTHON := python3
endif
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR ?= home
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup daily test check format bench lock clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv with the locked dependencies (checked by hash) and this project

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13))' \
	  || { echo "gpufare needs Python 3.11, 3.12 or 3.13; say which: make setup PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

daily: setup ## The whole day: crawl, load, check, recommend, write the site (into ./home)
	@$(BIN)/gpufare --home $(HOME_DIR) daily; code=$$?; \
	if [ $$code -eq 4 ] || [ $$code -eq 5 ]; then \
	  echo "gpufare daily ended with exit code $$code (4: answered from stale data, 5: a source failed)"; \
	else exit $$code; fi

test: setup ## All tests (no network but loopback)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || echo "no Chromium on this machine: the page checks in a browser are left out"
	@$(BIN)/python -m pytest -n auto

check: setup ## Format, lint, strict types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: setup ## Put the format right
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup ## The budget table of the design beside our figures
	@$(BIN)/python -m bench
	@test -d ../shared/recordings && $(BIN)/python -m bench.recordings || true

lock: ## Renew requirements.lock (needs uv)
	@uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --quiet -o requirements.lock

clean: ## Remove the environment and what runs left behind (keeps ./home)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
