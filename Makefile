.DEFAULT_GOAL := help
PYTHON ?= python3
export PROMPT ?=
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help demo turns album fleet notebooks test coverage mutate torture record record-live check wheel clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): pyproject.toml
	@echo "Installing into .venv, this once ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)  ## Make a song with an agent: make demo PROMPT="a slow sad waltz"
	@$(BIN)/python examples/quickstart_agent.py "$$PROMPT"

turns: $(INSTALLED)  ## Measure turns and characters of one song: looking again and again against waiting
	@cd tests && ../$(BIN)/python -m bench.turns

album: $(INSTALLED)  ## Make an album whose process is killed in the middle: what was paid for?
	@cd tests && ../$(BIN)/python -m crash.album

fleet: $(INSTALLED)  ## 100 songs, four workers that are killed at random, one PostgreSQL: SONGS=100 KILLS=10
	@cd tests && ../$(BIN)/python -m crash.fleet $(if $(SONGS),--songs $(SONGS)) $(if $(KILLS),--kills $(KILLS))

notebooks: $(INSTALLED)  ## Run the notebooks in examples/ and keep their outputs
	@$(BIN)/python .ci/notebooks

test: $(INSTALLED)  ## Run the whole suite, offline
	$(BIN)/python -m pytest -n 2 --dist worksteal

coverage: $(INSTALLED)  ## Run the suite and fail if too little of the code is run by it
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term

mutate: $(INSTALLED)  ## Break the code in hundreds of ways and fail if too few are noticed; minutes
	rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/mutmut export-cicd-stats
	@$(BIN)/python .ci/mutation-score

torture: $(INSTALLED)  ## Kill 200 processes and make 10,000 calls with faults: what was paid twice, or lost? (minutes)
	@cd tests && ../$(BIN)/python -m crash.torture $(SEED)

record: $(INSTALLED)  ## Record the sandbox anew, for the tests that play recordings
	$(BIN)/python -m pytest -q tests/recorded --record-mode=all -m vcr
	$(BIN)/python -m pytest -q tests/recorded

record-live: $(INSTALLED)  ## Record the service itself (needs a key, asks first); PAID=1: also what costs money
	@cd tests && ../$(BIN)/python -m recorded.live $(if $(PAID),--paid)

check: $(INSTALLED)  ## Lint, check the format and the types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

wheel: $(INSTALLED)  ## Build the wheel and test it in a fresh environment, on each PYTHONS
	$(BIN)/python -m build --wheel --outdir dist .
	for python in $(or $(PYTHONS),$(PYTHON)); do .ci/test-wheel "$$python" dist/*.whl || exit 1; done

clean:  ## Remove what the targets above made
	rm -rf .venv dist mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis
