.DEFAULT_GOAL := help
.NOTPARALLEL:
PYTHON ?= python3
export PROMPT ?=
# Patience with a slow or busy package index; also for .ci/floors, .ci/test-wheel, and the environments of builds.
export PIP_RETRIES ?= 10
export PIP_RESUME_RETRIES ?= 10
export PIP_TIMEOUT ?= 60
export UV_HTTP_RETRIES ?= 10
export UV_HTTP_TIMEOUT ?= 120
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
RUN := $(BIN)/python -m

.PHONY: help demo album fleet turns choice scenarios bench notebooks browser providers server test coverage mutate torture record record-live check docs floors wheel clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Pip gives up at once if a connection breaks in the middle of a file, or if an index answers with half a page.
try_twice = { $(1); } || { echo "That failed. One more try in 10 seconds ..."; sleep 10; $(1); }

# One environment; each file .venv/.NAME says that what the targets of that name need is installed in it.
INSTALL.demo := --no-compile --editable '.[agent]'
INSTALL.test := --editable '.[fleet,mcp,notebook]' --group test
INSTALL.providers := $(INSTALL.test) --group providers
INSTALL.check := $(INSTALL.test) --group check
INSTALL.browser := $(INSTALL.test) --group browser
INSTALL.mutate := $(INSTALL.test) --group mutate
INSTALL.docs := --editable . --group docs
INSTALL.floors := --group floors
INSTALL.wheel := --group wheel

# The Python of .venv, if it is gone or too old. Then .venv is made again, and all that was installed in it.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
UNUSABLE := $(shell test ! -e .venv || $(BIN)/python $(NEW_ENOUGH) || echo $(BIN)/python)

$(BIN)/python: $(if $(UNUSABLE),unusable)
	@$(PYTHON) $(NEW_ENOUGH) || { echo "$(PYTHON) is not Python 3.10 or newer. Name one that is: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv --clear .venv

.PHONY: unusable
unusable:
	@echo "The Python of .venv is gone, or older than 3.10. .venv is made again."

# Dependency groups need pip 25.1. The demo uses extras only, and does without this step.
.venv/.pip: $(UNUSABLE) | $(BIN)/python
	@$(call try_twice,$(PIP) --upgrade 'pip>=25.1')
	@touch $@

.venv/.test .venv/.providers .venv/.browser .venv/.check .venv/.mutate .venv/.docs .venv/.floors .venv/.wheel: | .venv/.pip

.venv/.%: pyproject.toml $(UNUSABLE) | $(BIN)/python
	@echo "Installing into .venv for: $* ..."
	@$(call try_twice,$(PIP) $(INSTALL.$*))
	@touch $@

# These have an environment of their own in .venv: the server needs another version of a package than the suite, the
# choosers bring PyTorch (6 GB with what belongs to it), and the peers are other packages that `make bench` compares with.
OWN.server := --editable '.[agent,langgraph]' --group server
OWN.choice := --editable . --group choice
OWN.peers := --group peers
OWN_PIP = .venv/$*/bin/python -m pip --disable-pip-version-check install --quiet

.venv/.server .venv/.choice .venv/.peers: .venv/.%: pyproject.toml | .venv/.pip
	@echo "Installing into .venv/$* ..."
	@$(PYTHON) -m venv .venv/$*
	@$(call try_twice,$(OWN_PIP) --upgrade 'pip>=25.1')
	@$(call try_twice,$(OWN_PIP) $(OWN.$*))
	@touch $@

demo: .venv/.demo  ## Make a song with an agent: make demo PROMPT="a slow sad waltz"
	@$(BIN)/python examples/quickstart_agent.py "$$PROMPT"

turns: .venv/.test .venv/.peers  ## Count the turns and characters of one song: polling against waiting, and by MCP
	@$(RUN) tests.bench turns

album: .venv/.test  ## Make an album, kill its process in the middle, resume it, and compare the charges
	@$(RUN) tests.crash.album

fleet: .venv/.test  ## Make 100 songs with four workers on one PostgreSQL while workers are killed: SONGS=100 KILLS=10
	@$(RUN) tests.crash.fleet $(if $(SONGS),--songs $(SONGS)) $(if $(KILLS),--kills $(KILLS))

choice: .venv/.choice  ## Count how often two choosers find the right tool for what a user says, and write docs/choice.md
	@.venv/choice/bin/python -m tests.choice

bench: .venv/.test .venv/.peers  ## Measure what the package costs, beside its peers, and write docs/benchmarks.md: ONLY="calls lookups"
	@$(RUN) tests.bench $(ONLY)

scenarios: .venv/.test  ## Play a literal-minded model through situations that go wrong, and say how each one ended
	@$(RUN) tests.scenarios

notebooks: .venv/.test  ## Run the notebooks in examples/ and keep their outputs
	@$(BIN)/python .ci/notebooks

browser: .venv/.browser  ## Run cards, comparisons and pages in JupyterLab, marimo and headless Chromium
	$(BIN)/python -m pytest -q tests/notebook/test_in_browsers.py tests/notebook/test_players_in_browsers.py

server: .venv/.server  ## Run the example on a real LangGraph server, and count the charges (Python 3.11 or newer)
	@.venv/server/bin/python -m pytest -q tests/server

test: .venv/.test  ## Run the whole suite, offline
	$(PYTEST)

providers: .venv/.providers  ## Run all tools with each provider's package, offline; UPDATE=1 writes the snapshots anew
	UPDATE=$(UPDATE) $(PYTEST) tests/providers

coverage: .venv/.test  ## Run the suite and fail if it covers less than 95 % of the code
	$(PYTEST) --cov --cov-report=term

mutate: .venv/.mutate  ## Break the code in hundreds of ways and fail if the tests notice less than 90 % (minutes)
	rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/mutmut export-cicd-stats
	@$(BIN)/python .ci/mutation-score

torture: .venv/.test  ## Kill 200 processes, make 10,000 calls with faults, and compare the charges (minutes)
	@$(RUN) tests.crash.torture $(SEED)

record: .venv/.test  ## Record the sandbox again, for the tests that replay recordings
	$(BIN)/python -m pytest -q tests/recorded --record-mode=all -m vcr
	$(BIN)/python -m pytest -q tests/recorded

record-live: .venv/.test  ## Record the service itself (needs a token, asks first); PAID=1: also the calls that cost money
	@$(RUN) tests.recorded.live $(if $(PAID),--paid)

check: .venv/.check  ## Lint, and check the format, the types (the documentation's too), the layers and the dependencies
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/deptry tests --exclude mutants --ignore DEP002,DEP004
	$(RUN) tests.docs.typed_blocks .cache/blocks
	$(BIN)/mypy --config-file= --check-untyped-defs .cache/blocks
	$(BIN)/basedpyright --project .cache/blocks

docs: .venv/.docs  ## Build the documentation into site/, offline; a warning fails the build
	$(BIN)/zensical build --strict --clean

floors: .venv/.floors  ## Test the lowest versions of the dependencies that pyproject.toml allows: PYTHONS=python3.10
	.ci/floors $(firstword $(PYTHONS))

wheel: .venv/.wheel  ## Build the distributions, and test the wheel in a fresh environment, on each of PYTHONS
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	for python in $(or $(PYTHONS),$(PYTHON)); do .ci/test-wheel "$$python" dist || exit 1; done

clean:  ## Remove everything that the targets above made, except the songs
	rm -rf .venv dist site .cache mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
