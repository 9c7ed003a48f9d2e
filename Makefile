# Everything a person or CI types. Each target sets up what it needs first.
SHELL := bash
.DEFAULT_GOAL := help
.SUFFIXES:

PY := .venv/bin/python
AUTOGRADER := .venv/bin/autograder
# Two workers, a file each: more would only share the two cores this is meant to run on.
WORKERS ?= 2
TESTS ?= tests
PYTEST_ARGS ?=
# The oldest torch that students may have, and the newest.
TORCHES ?= 2.6.0 newest

# The programs of .venv are found first: nbgrader and Jupyter start others by name.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help
help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/.ready  ## make .venv with the pinned dependencies (at once if nothing changed)

# The stamp holds the folder it was made in: programs of a .venv that was moved are dead.
ifneq ($(shell cat .venv/.ready 2>/dev/null),$(CURDIR))
MOVED := moved
endif
.PHONY: moved
.venv/.ready: requirements.lock pyproject.toml litcourse/pyproject.toml tools/setup.sh $(MOVED)
	@tools/setup.sh

.PHONY: demo
demo: setup  ## build the labs, grade classes of made-up submissions, print the scores (no network)
	@$(AUTOGRADER) demo

.PHONY: test
test: setup  ## all tests that this machine can run, and a list of those it can't
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS) $(TESTS)

.PHONY: check
check: format lint types test  ## format, lint, types, test: what CI runs

# Hours on two cores. Each part can be run by itself; a verify that was stopped goes on where it was.
.PHONY: check-release
check-release: check  ## before a release: the long tests, five draws of every bank, other versions of torch (hours)
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile -m release $(PYTEST_ARGS) $(TESTS)
	@$(AUTOGRADER) verify --seeds 5
	@for version in $(TORCHES); do tools/try_torch.sh $$version || exit; done

.PHONY: format
format: setup  ## fail where `ruff format` would change a file (`make fix` changes it)
	@$(PY) -m ruff format --check .

.PHONY: lint
lint: setup  ## ruff with nearly all of its rules
	@$(PY) -m ruff check .

.PHONY: types
types: setup  ## mypy, strict
	@$(PY) -m mypy

.PHONY: fix
fix: setup  ## format, and mend what ruff can mend by itself
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

.PHONY: release
release: setup  ## compile source/ into release/, with the students' archive and otter bundles in dist/
	@$(AUTOGRADER) build

# SOLUTIONS=1 writes elsewhere, so that nothing that publishes site/ can carry them.
SITE := $(if $(SOLUTIONS),dist/site-solutions,site)
SPHINX := .venv/bin/sphinx-build -q -c autograder/pages/sphinx
.PHONY: site
site: setup  ## the lessons as a web site, site/html/index.html (SOLUTIONS=1: dist/site-solutions/html)
	@$(AUTOGRADER) pages $(if $(SOLUTIONS),--solutions)
	@$(SPHINX) -W --keep-going -n $(SITE)/content $(SITE)/html
	@echo "open $(SITE)/html/index.html"

.PHONY: site-outputs
site-outputs: setup  ## run the demonstrations whose code has changed, and keep their outputs for the site (ALL=1: all)
	@$(AUTOGRADER) pages --outputs $(if $(ALL),--all)

.PHONY: site-pdf
site-pdf: site  ## the whole site as one file, site/lesson.pdf, printed by Chromium
	@$(SPHINX) -b singlehtml $(SITE)/content $(SITE)/singlehtml
	@$(PY) tools/site_pictures.py pdf $(SITE)/singlehtml/index.html $(SITE)/lesson.pdf

.PHONY: site-links
site-links: site  ## look at every external link of the site (needs a network)
	@$(SPHINX) -b linkcheck $(SITE)/content $(SITE)/links || { cat $(SITE)/links/output.txt; exit 1; }

.PHONY: verify
verify: setup  ## hold every question against its bank of right and wrong answers (LAB=... Q=... SEEDS=... FRESH=1)
	@$(AUTOGRADER) verify $(LAB) $(if $(Q),--question $(Q)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FRESH),--fresh)

.PHONY: mutate
mutate: setup  ## change right answers a little, and list the changes that no judge notices (LAB=... Q=... MINUTES=...)
	@test -n "$(LAB)" || { echo "usage: make mutate LAB=lab1_mnist [Q=wrap] [MINUTES=20]" >&2; exit 2; }
	@$(AUTOGRADER) mutate $(LAB) $(Q) $(if $(MINUTES),--budget $(MINUTES))

.PHONY: bench
bench: setup  ## measure the times that the documentation promises
	@$(AUTOGRADER) bench

.PHONY: bench-grade
bench-grade: setup  ## grade a class with ours, stock nbgrader and otter, in one run (about 20 minutes)
	@$(AUTOGRADER) bench --grade

.PHONY: bench-reference
bench-reference: setup  ## Lightning against the plain torch loop, on the networks of reference/
	@$(PY) -m reference.bench --out bench/results/reference.json

.PHONY: new
new: setup  ## make the files of a new question (LAB=... Q=... AFTER=... KIND=function|class|callback|file NAME=...)
	@test -n "$(LAB)" -a -n "$(Q)" || { echo "usage: make new LAB=lab1_mnist Q=my_question" \
		"[AFTER=wrap] [KIND=function|class|callback|file] [NAME=MyClass]" >&2; exit 2; }
	@$(AUTOGRADER) new $(LAB) $(Q) $(if $(AFTER),--after $(AFTER)) $(if $(KIND),--kind $(KIND)) $(if $(NAME),--name $(NAME))

.PHONY: lock
lock: setup  ## resolve the ranges of both pyproject files anew into requirements.lock
	@tools/lock.sh

.PHONY: clean
clean:  ## remove caches and what builds, demo and grading left; keeps .venv and the secret
	@rm -rf dist site demo runs .verify lightning_logs .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
