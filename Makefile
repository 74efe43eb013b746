.DEFAULT_GOAL := help
PYTHON ?= python3
export PROMPT ?=
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help demo turns test check wheel clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): pyproject.toml
	@echo "Installing into .venv, this once ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)  ## Make a song with an agent: make demo PROMPT="a slow sad waltz"
	@$(BIN)/python examples/quickstart_agent.py "$$PROMPT"

turns: $(INSTALLED)  ## Measure turns and characters of one song: looking again and again against waiting
	@$(BIN)/python examples/turns.py

test: $(INSTALLED)  ## Run the whole suite, offline
	$(BIN)/python -m pytest

check: $(INSTALLED)  ## Lint, check the format and the types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

wheel: $(INSTALLED)  ## Build the wheel and test it in a fresh environment, on each PYTHONS
	$(BIN)/python -m build --wheel --outdir dist .
	for python in $(or $(PYTHONS),$(PYTHON)); do .ci/test-wheel "$$python" dist/*.whl || exit 1; done

clean:  ## Remove what the targets above made
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
