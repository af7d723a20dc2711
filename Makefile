# The few verbs a person types. PYTHON makes the environment (3.11 or newer): make demo PYTHON=python3.12
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

# The comment behind a verb is its help.
.PHONY: help demo check test browser lint docs notebooks wheel-test lower-test clean

help:                         ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

# A thread for each of two trainings, also on one GPU: several threads of so small a network wait for each other.
demo: $(VENV)/installed       ## the embedded experiment, from phantoms to results/report.html
	snakemake --cores all --set-threads train=1 reconstruct=1 --resources gpu=2 -- all

check: lint                   ## laws, contracts, types and lint, in two minutes
	OMP_NUM_THREADS=1 pytest --numprocesses 2 --dist loadfile -m "not slow and not archive"

test: $(VENV)/installed       ## everything
	OMP_NUM_THREADS=1 pytest --numprocesses 2 --dist loadfile

browser: $(VENV)/installed    ## `dx2ct serve` and the documentation in Chromium (apt install chromium); axe-core comes from npm
	$(VENV)/bin/python -m pip install --quiet playwright==1.65.2
	npm install --silent --no-save --prefix $(VENV)/axe axe-core@4.14.1 || echo "warning: no npm: accessibility is not checked" >&2
	OMP_NUM_THREADS=1 pytest tests/serve/browser tests/docs/browser

lint: $(VENV)/installed       ## style, types, and the rules' own linter
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile rules
	snakemake --lint

docs: $(VENV)/installed       ## the documentation as pages in docs/_build/html
	python -m sphinx -b html -q -W --keep-going docs docs/_build/html

notebooks: $(VENV)/installed  ## runs docs/notebooks and writes into them what they show, one core: minutes
	python -m docs.notebooks.execute

# TORCH=torch==2.13.0 takes a certain build: without it pip takes the newest, on Linux one for CUDA of several GB.
TORCH ?=

wheel-test:                   ## installs the built wheel in an empty environment, and uses it: minutes
	tests/wheel.sh $(PYTHON) $(TORCH)

lower-test:                   ## the same with the lower ends of the ranges in pyproject.toml
	tests/wheel.sh $(PYTHON) $$($(PYTHON) tests/lower_ends.py)

clean:                        ## removes the environment; data/ and results/ stay
	rm -rf $(VENV)

# Written last, so that an interrupted installation is done again; a new lock file updates the environment.
$(VENV)/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed, $(PYTHON) is %d.%d: make PYTHON=python3.12" % sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "error: $(PYTHON) can not make environments: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --requirement requirements.lock
	$(VENV)/bin/python -m pip install --quiet --no-deps --editable .
	@# The ray-caster is compiled here once; a machine without a C++ compiler gets one from PyPI.
	$(VENV)/bin/python -m drr._build || $(VENV)/bin/python -m pip install --quiet "ziglang==0.17.1"
	$(VENV)/bin/python -m drr._build || echo "warning: X-rays will be rendered by the slow NumPy reference" >&2
	touch $@
