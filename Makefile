# Two commands on a fresh machine with Python >= 3.11: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint types docs unit clean

demo: .venv/demo
	$(BIN)/python examples/demo.py

test: lint types docs unit

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: .venv/dev
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/sphinx-build -W -q -b doctest docs docs/_build/doctest

unit: .venv/dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# The environment is made again where what it is made from has changed.
.venv/demo: pyproject.toml constraints.txt $(shell find kernels -name '*.[ch]*' -o -name '*.py' -o -name '*.toml' -o -name CMakeLists.txt)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt ./kernels -e '.[all]'
	touch $@

.venv/dev: .venv/demo
	$(BIN)/python -m pip install -q -c constraints.txt ./kernels -e '.[dev]'
	[ "$$(uname)" != Linux ] || $(BIN)/python -m pip install -q -c constraints.txt --no-deps --target .venv/triton triton
	touch $@

clean:
	rm -rf .venv .pytest_cache demo docs/_build docs/_generated
