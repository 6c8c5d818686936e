# What a person does with Myrmidon. Every target stands on `make env`, which needs Python >= 3.11, pip and a network.
PYTHON ?= python3
FEED ?=
V := .venv/bin

.PHONY: run test lint types arch bench faults golden docs env clean

run: env                       ## the generated attack story, or your own logs: make run FEED=zeek:PATH
ifeq ($(FEED),)
	$(V)/myrmidon demo
else
	$(V)/myrmidon run --feed '$(FEED)' --until-eof
endif

test: env                      ## all tests, real PostgreSQL included (from a wheel, on a free port)
	$(V)/python -m pytest -q -m "not faults" -n auto --maxprocesses 4 --dist loadfile

faults: env                    ## the long kill -9 campaign: 50 random moments on each store
	$(V)/python -m pytest -q -m faults --timeout 0

lint: env                      ## style, unused and undeclared dependencies
	$(V)/ruff check .
	$(V)/ruff format --check .
	$(V)/deptry .

types: env                     ## mypy, strict
	$(V)/mypy

arch: env                      ## imports run downwards only
	$(V)/lint-imports

bench: env                     ## the figures of docs/figures.md
	$(V)/myrmidon bench throughput

golden: env                    ## write the golden history of this version (never edit an old one)
	$(V)/python -m tests.golden.record

docs: env                      ## the tables in docs/ that are drawn from the code
	$(V)/python -m config.tables

env: .venv/ready               ## the environment alone, in .venv

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Myrmidon needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(V)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(V)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(V)/python -m compileall -q domain agents projections engine config adapters scheduler bench cli
	$(V)/python -m engine.kernels
	touch $@

clean:                         ## everything that was built or written here
	rm -rf .venv .myrmidon .mypy_cache .ruff_cache .hypothesis build dist
