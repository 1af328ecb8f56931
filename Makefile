# Two commands matter: `make demo` and `make test`. Both make .venv where it is missing.
#   PYTHON=python3.12 make demo     another interpreter (3.11 or later)
#   TORCH_INDEX=URL make demo       the package index of another build of torch (see README, "CPU or CUDA")
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: demo test test-full lab bench

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "workbench needs Python 3.11 or later, $(PYTHON) is older"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet --constraint constraints.txt --index-url $(TORCH_INDEX) torch)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[offline,test]'
	@touch $(READY)

demo: $(READY)
	@$(BIN)/workbench run length_collapse --scale smoke

# Notebooks run two at a time with one thread each; the browser and the simulations have workers of their own.
test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not gpu"

test-full: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lab: $(READY)
	$(BIN)/workbench lab

# Every benchmark runs, also behind one that missed its bound; about 45 minutes.
bench: $(READY)
	@missed=0; for script in tests/benchmarks/bench_*.py; do \
		echo "== $$script"; $(BIN)/python $$script || missed=1; \
	done; exit $$missed
