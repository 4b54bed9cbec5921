# Two commands do everything: `make demo` and `make test`. `make env` makes the environment alone.
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: help env demo lab notebook test lint bench stream-env stream-demo stream-cluster

help:
	@echo "make demo   photos (or drawn pictures) in; a chosen, exported and explained model out"
	@echo "make notebook   open the notebooks in JupyterLab"
	@echo "make lab    build the notebooks from lab/src and run their solutions"
	@echo "make test   every test, after a lint"
	@echo "make env    the environment (.venv) from the pinned versions of requirements.txt"
	@echo "make lint   ruff"
	@echo "make stream-demo   photos through Apache Flink; make stream-cluster: through a small cluster"
	@echo "make bench  speed and memory, as ratios within one run"

env:
	@$(PYTHON) -m src_mindspore.environment

demo: env
	@$(PY) -m src_mindspore.demo

notebook: env
	@$(PY) -m jupyterlab --LabApp.default_url=/lab/tree/lab

lab: env
	@$(PY) -m lab.build --execute

lint: env
	@$(PY) -m ruff check .

test: env lint
	@$(PY) -m pytest -n 2 --dist loadfile

bench: env
	@$(PY) -m bench.street
	@$(PY) -m bench.extraction
	@$(PY) -m bench.head
	@$(PY) -m bench.latency

stream-env:
	@$(PYTHON) -m src_mindspore.environment flink

stream-demo: env stream-env
	@$(PY) -m src_mindspore.deploy.streaming.demo

stream-cluster: env stream-env
	@$(PY) -m src_mindspore.deploy.streaming.demo --cluster
