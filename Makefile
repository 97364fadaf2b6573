# `make` alone lists what there is. Everything runs in a virtual environment, made when first needed:
#   make test PYTHON=python3.12 VENV=.venv-3.12 ARGS="-k plane"

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# Processes that the tests are shared out to; in each, a thread.
JOBS ?= auto

BIN := $(VENV)/bin
# A file's tests stay together: they share what they were set up with.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(JOBS) --dist loadfile
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Only warnings and errors; what a step installs is said before it.
INSTALL := $(PIP) install --quiet --constraint constraints.txt

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-slow docs check format

help:
	@echo 'make demo       train a network that gets lost, draw where it went, say what happened'
	@echo 'make test       the tests, without the slow ones      (ARGS="..." goes to pytest)'
	@echo 'make test-slow  the slow tests'
	@echo 'make docs       the documentation as a site, in build/site'
	@echo 'make check      linter, formatting, types'
	@echo 'make format     format the code and mend what the linter can'
	@echo
	@echo 'PYTHON=$(PYTHON)  VENV=$(VENV)'

# One thread for all trainings: with another number the same seed takes another course.
demo: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/landscape train --model cnn --data digits --depth 2 --batch-size 16 \
	    --lr 0.07 --momentum 0.95 --epochs 20 --seed 0 -o runs/demo --overwrite
	$(BIN)/landscape scan runs/demo --plane valley,event --size 31 --overwrite
	OMP_NUM_THREADS=1 $(BIN)/landscape diagnose runs/demo --epochs 2 --orders 10
	$(BIN)/landscape report runs/demo --only-what-is-there

test: $(VENV)/.installed-test
	$(PYTEST) -m 'not slow' $(ARGS)

# pytest exits with 5 when it finds no test to run: there may be no slow ones.
test-slow: $(VENV)/.installed-test
	$(PYTEST) -m slow $(ARGS) || test $$? -eq 5

docs: $(VENV)/.installed-docs
	$(BIN)/python docs/make_site.py build/site

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# Stamps: a step is done again only if what it depends on changed.

$(VENV)/.created: constraints.txt
	@command -v '$(PYTHON)' >/dev/null || { \
	    echo 'make: $(PYTHON) not found: install Python 3.11 or newer, or name one: PYTHON=python3.12' >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "make: landscape needs Python 3.11 or newer, $(PYTHON) is $$('$(PYTHON)' -V 2>&1): name another one: PYTHON=python3.12" >&2; exit 1; }
	@'$(PYTHON)' -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo 'make: $(PYTHON) lacks the venv module: install it (Debian, Ubuntu: apt-get install python3-venv)' >&2; exit 1; }
	@echo 'Making a virtual environment in $(VENV)'
	@'$(PYTHON)' -m venv '$(VENV)'
	@$(INSTALL) setuptools
	@touch $@

# Editable, so that changed sources need no new install; without build isolation, so that
# setuptools too is the pinned one.
$(VENV)/.installed: EXTRAS :=
$(VENV)/.installed-test: EXTRAS := [test]
$(VENV)/.installed-dev: EXTRAS := [dev]
$(VENV)/.installed-docs: EXTRAS := [docs]
$(VENV)/.installed $(VENV)/.installed-test $(VENV)/.installed-dev $(VENV)/.installed-docs: $(VENV)/.created setup.cfg constraints.txt
	@echo 'Installing landscape$(EXTRAS) into $(VENV) (the first time, PyTorch makes this a large download)'
	@$(INSTALL) --no-build-isolation --editable '.$(EXTRAS)'
	@touch $@
