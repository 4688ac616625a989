# Every target is one or two commands. They need make and Python >= 3.11; the rest comes as locked packages into .venv.
.POSIX:
.PHONY: help setup setup-stack up down status demo test torture check format bench bench-matching screenshots demo-check lock schemas
VENV = .venv
PY = $(VENV)/bin/python
SETUP = VENV=$(VENV) sh libs/common/devstack/setup.sh
RELANCE = $(PY) -m libs.common.cli
COMPILE = $(PY) -m uv pip compile -q --generate-hashes --no-emit-index-url --universal --python-version 3.11

help:
	@echo "make demo    start everything with a believable company and two months of its life"
	@echo "make up      start the same stack empty; its data stays between runs"
	@echo "make down    stop it, and nothing else"
	@echo "make test    every test but the torture · make check  lint, types, house rules · make bench  measured figures"
	@echo "make torture kills, freezes and cuts off every part while invoices flow, replays every topic, races stops against"
	@echo "             sends, and plants twelve faults that the tests must find (half an hour)"

setup:
	@$(SETUP) requirements-dev.lock

setup-stack:
	@$(SETUP) requirements-stack.lock

up: setup-stack
	@$(RELANCE) up

down: setup-stack
	@$(RELANCE) down

status: setup-stack
	@$(RELANCE) status

demo: setup-stack
	@$(RELANCE) demo

test: setup
	@$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder --ignore=tests/torture --ignore=tests/demo

torture: setup
	@$(PY) -m pytest tests/torture

check: setup
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) -m pytest -q tests/test_house_rules.py
	$(PY) -m libs.common.events.asyncapi --check

format: setup
	$(PY) -m ruff format
	$(PY) -m ruff check --fix

bench: setup
	@$(PY) -m bench

bench-matching: setup
	@$(PY) -m bench.worlds $(SIZE)

demo-check: setup
	@$(PY) -m pytest tests/demo

screenshots: setup
	@$(PY) -m tests.browser.pictures

schemas: setup
	$(PY) -m libs.common.events.asyncapi

lock: setup
	$(COMPILE) requirements.in -o requirements.lock
	$(COMPILE) -c requirements.lock requirements-stack.in -o requirements-stack.lock
	$(COMPILE) -c requirements-stack.lock requirements-dev.in -o requirements-dev.lock
	$(PY) -m libs.common.devstack.jars
