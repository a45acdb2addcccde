PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
# The compiled requirements name no index and must not depend on this machine's pip settings.
COMPILE := env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null $(BIN)/pip-compile --quiet \
	--generate-hashes --allow-unsafe --strip-extras --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

.PHONY: run demo test test-browser faults nemesis check bench bench-peers docs format requirements clean-venv
.DEFAULT_GOAL := run

# Python tells of a Ctrl-C in its own first moments in a traceback. There it is for make alone,
# which cpor follows.
run: $(RUNTIME)
	@trap '' INT; exec $(BIN)/cpor up --follow-parent

demo: $(RUNTIME)
	@trap '' INT; exec $(BIN)/cpor demo --follow-parent

test: $(DEV)
	$(BIN)/python -m pytest -m "not browser and not long and not nemesis" $(ARGS)

# What needs a browser: Debian's, `apt-get install chromium`. Its pictures are in build/screenshots.
test-browser: $(DEV)
	$(BIN)/python -m pytest -m browser $(ARGS)

# The cases of docs/faults.md, whole: killed as often, stalled as long as they say.
faults: $(DEV)
	$(BIN)/python -m pytest -m "(fault or long) and not nemesis" $(ARGS)

# Everything mixed, by chance: `make nemesis MINUTES=60 SEED=7`; it says its seed, to be played again.
nemesis: $(DEV)
	$(BIN)/python -m pytest -m nemesis --minutes $(or $(MINUTES),10) --seed "$(SEED)" $(ARGS)

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright
	$(MAKE) test

bench: $(DEV)
	$(BIN)/python -m benchmarks $(ARGS)

bench-peers: $(DEV)
	$(BIN)/python -m benchmarks.peer

docs: $(DEV)
	$(BIN)/python -m tools.asyncapi
	$(BIN)/python -m tools.openapi
	$(BIN)/python -m tools.state_diagram
	$(BIN)/python -m tools.faults

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

requirements: $(DEV)
	$(COMPILE) --output-file requirements.txt requirements.in
	$(COMPILE) --output-file requirements-dev.txt requirements-dev.in
	$(COMPILE) --output-file benchmarks/peers/requirements.txt benchmarks/peers/requirements.in

clean-venv:
	rm -rf $(VENV)

$(RUNTIME): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'cpor needs Python 3.11 or newer: "$(PYTHON)" is missing or older; name another one, as in "make PYTHON=python3.12 $(MAKECMDGOALS)".' >&2; \
		exit 1; }
	@echo 'Preparing $(VENV) (once, about a minute) …' >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --no-index -e .
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.txt
	@$(PIP) -r requirements-dev.txt
	@touch $@
