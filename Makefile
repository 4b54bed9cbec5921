# Two commands do everything: `make demo` and `make test`. `make env` makes the environment alone.
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: help env demo test lint bench

help:
	@echo "make demo   photos (or drawn pictures) in; a chosen, exported and explained model out"
	@echo "make test   every test, after a lint"
	@echo "make env    the environment (.venv) from the pinned versions of requirements.txt"
	@echo "make lint   ruff"
	@echo "make bench  speed and memory, as ratios within one run"

env:
	@$(PYTHON) -m src_mindspore.environment

demo: env
	@$(PY) -m src_mindspore.demo

lint: env
	@$(PY) -m ruff check .

test: env lint
	@$(PY) -m pytest

bench: env
	@$(PY) -m bench.street
