# Two commands: `make run` to use it, `make test` to check it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install run test lint types contracts unit test-engines test-faults bench fuzz lock docs clean

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mailfold needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

run: install
	$(BIN)/mailfold demo

test: lint types contracts unit

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/basedpyright --level error --pythonpath $(BIN)/python

contracts: install
	$(BIN)/lint-imports

unit: install
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not engine and not slow"

test-engines: install
	$(BIN)/python -m pytest -m "engine and not slow"

test-faults: install
	$(BIN)/python -m pytest -m "slow" --timeout 7200

bench: install
	$(BIN)/python -m tests.bench

fuzz: install
	$(BIN)/python -m tests.fuzz.run --all --seconds 60

lock: install
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header \
	  --extra dev pyproject.toml -o requirements.lock --quiet

docs: install
	$(BIN)/python -m schemas.dictionary docs
	$(BIN)/python -m mailfold.settings_table docs/operating.md

clean:
	rm -rf $(VENV) build dist *.egg-info
