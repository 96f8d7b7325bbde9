# TargetVision's verbs. Everything lives in .venv; data in var (DATA_DIR), which nothing here deletes.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help install install-dev browser demo run test check bench screenshots clean

help: ## say what there is
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

install: .venv/installed ## make .venv and install what TargetVision runs on
.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "TargetVision needs Python 3.11 or newer; name one with PYTHON=python3.12 make …")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch .venv/installed

install-dev: .venv/installed-dev ## and what tests and checks need
.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch .venv/installed-dev

browser: install-dev ## and a Chromium for the browser tests
	@$(BIN)/python tests/browser/install.py

demo: install ## try it: a stand-in SmugMug and real photos (ONCE=1 stops after the summary)
	@$(BIN)/python manage.py demo --with-parent $(if $(ONCE),--once)

run: install ## run it for a real account
	@$(BIN)/python manage.py up --with-parent

test: browser ## run all tests (ARGS="…" are pytest's)
	$(BIN)/python -m pytest $(ARGS)

check: install-dev ## format, lint, types, templates, migrations, deployment
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	git ls-files -z 'templates/*.html' | xargs -0 $(BIN)/djade --target-version 5.2 --check
	$(BIN)/python manage.py makemigrations --check --dry-run
	SITE_URL=https://photos.example.org $(BIN)/python manage.py check --deploy --fail-level WARNING

bench: install-dev ## print the figures that are claimed
	for script in bench/*.py; do $(BIN)/python "$$script" || exit 1; done

screenshots: browser ## photograph every page, in both widths and themes, into var/screenshots
	$(BIN)/python -m pytest -m screenshots -n 0 --screenshots var/screenshots

clean: ## remove .venv and caches, never data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
