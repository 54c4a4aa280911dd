# Every target sets up what it needs in .venv, from pinned versions, once.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= python3
PORT ?= 8000
PLAN ?= studies/first.toml
JOBS ?= 2
# What is written after these is data: neither make nor the shell looks inside.
DATA := NB P PLAN PORT WORKERS
$(foreach name,$(DATA),$(eval override $(name) := $$(value $(name))))
export $(DATA)

# Inside the conda environment of environment.yml, that environment; else .venv.
VENV := $(if $(filter $(CONDA_DEFAULT_ENV),hia),$(CONDA_PREFIX),.venv)
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
FANOVA := $(VENV)/.fanova

# pip install, showing on one line where it is.
define pip_install
install() { "$$1" -m pip --disable-pip-version-check install --progress-bar off "$${@:2}" | \
  awk '/^(Collecting|Processing|Requirement already)/ {what = /^R/ ? $$4 : $$2; sub(".*/", "", what); \
      printf "\r\033[K  %d: %s", ++n, what} \
    /^ +Downloading.*\([0-9.]+ MB\)/ {printf " %s %s", $$(NF - 1), $$NF} \
    /^(Installing|Building)/ {printf "\r\033[K  %s %d packages", tolower($$1), n} \
    {fflush()} END {if (n) print ""}'; }; install
endef

# The longest first; the lists look at the other pages.
EXECUTED := $(patsubst notebooks/%.py,book/%.ipynb,$(shell ls -S notebooks/*.py 2> /dev/null))
LISTS := book/items.ipynb book/claims.ipynb
PAGES := $(filter-out $(LISTS),$(EXECUTED))
STALE = $(shell $(MAKE) -n --no-print-directory $(PAGES) | sed -n 's/.*run_notebooks.py run //p')
BOOK := _build/html/index.html

# For what checks the environment from outside, one of its own.
TOOLS := .venv-tools/.ready
UV := .venv-tools/bin/uv
MUTMUT := .venv-mutants/.ready

# As many processes as there are cores, four at most, with one thread each.
PARALLEL := -n logical --maxprocesses 4 --dist worksteal
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest $(PARALLEL)

.PHONY: help book check test test-min test-latest coverage torture mutants audit notebook study bench
.PHONY: serve free-port pdf picture lint clean distclean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 13

book: $(FANOVA) ## build the book, JOBS=2 pages at a time
	@stale="$(STALE)"; test -z "$$stale" || $(PY) book/run_notebooks.py run -j$(JOBS) $$stale \
	  --last $(LISTS:book/%.ipynb=notebooks/%.py)
	@$(MAKE) --no-print-directory $(BOOK)
	@echo "The book is at $(BOOK)"

check: lint ## check style and types and run all quick tests: after every edit
	@$(PYTEST) -q -m "not (slow or browser)"

test: $(FANOVA) ## run all tests, the built book in a browser among them
	@$(PYTEST)

test-min: ## run tests with the oldest packages that pyproject.toml allows: PYTHON=python3.13
test-latest: ## run tests with the newest packages there are: PYTHON=python3.13

# In the environment .venv-$*, made anew each time. "min": the lowest versions that pyproject.toml
# allows, exactly, which must fit each other; warnings are no errors then, as no code here could
# mend them. "latest": the newest, but for torch. Of what only the tests need, the newest either
# way. The book, which `make test` builds, is left out. TESTS: which, or options of pytest.
TESTS := tests
test-min test-latest: test-%: $(TOOLS)
	@echo "Setting up .venv-$*"
	@$(UV) venv -q --clear --python "$(PYTHON)" .venv-$*
	@$(if $(filter min,$*),$(UV) pip compile -q --python .venv-$*/bin/python --no-deps --no-header \
	  --resolution lowest-direct pyproject.toml --extra book -o .venv-$*/limits.txt > /dev/null, \
	  grep '^torch' requirements.in > .venv-$*/limits.txt)
	@sed 's/^numpy<.*/numpy/' requirements.in | $(UV) pip install --python .venv-$*/bin/python \
	  -r pyproject.toml --extra book -r - -c .venv-$*/limits.txt
	@$(UV) pip install -q --python .venv-$*/bin/python --no-deps -e .
	@.venv-$*/bin/python -V; $(UV) pip list -q --python .venv-$*/bin/python
	@.venv-$*/bin/python -m pytest -m "not browser" $(if $(filter min,$*),-W default) $(TESTS) \
	  --ignore tests/pages/test_book.py --ignore tests/pages/test_environment.py

coverage: $(FANOVA) ## run all tests and list the lines that none of them runs: of hia 3 % at most
	@$(PY) -m coverage erase
	@OMP_NUM_THREADS=1 $(PY) -m coverage run -m pytest $(PARALLEL) $(TESTS)
	@$(PY) -m coverage combine -q
	@$(PY) -m coverage report --include "notebooks/hia_book/*" --fail-under 0
	@$(PY) -m coverage report

torture: $(FANOVA) ## kill studies, disks and servers at random, and fuzz: half an hour or more
	@$(PY) -m pytest tests/torture -s
	@HIA_EXAMPLES=$(or $(HIA_EXAMPLES),20) $(PY) -m pytest $(shell find tests -name "test_fuzz*")

# In a copy: mutmut puts its mutants beside the package. It finds itself and its own packages in
# .venv-mutants, which has no others than they are in .venv, and everything else in .venv.
mutants: $(READY) $(MUTMUT) ## break relief, neighbours, fanova and screening in many places: do tests see it?
	@rm -rf _build/mutants && mkdir -p _build/mutants
	@cp -r hia notebooks/hia_book book tests data pyproject.toml _build/mutants
	@python="$$(cd $(VENV)/bin && pwd)/python"; export PYTHONPATH="$$PWD/.venv-mutants" OMP_NUM_THREADS=1; \
	cd _build/mutants && "$$python" -m mutmut run && \
	"$$python" -m mutmut results --all true > results.txt && \
	awk -F '[.:]' '{n[$$2 ":" $$NF]++} END {for (k in n) print k, n[k]}' results.txt | sort
	@echo "All are in _build/mutants/results.txt; one is shown there by: mutmut show NAME"

# One that does no harm here: --ignore-vuln ID at the end of the command, and why, and until when.
audit: $(TOOLS) ## look for known vulnerabilities of the pinned packages
	@worst=0; for lock in requirements*.lock; do echo "== $$lock"; \
	  .venv-tools/bin/python -m pip_audit -s osv --disable-pip --progress-spinner off -r $$lock || worst=1; \
	done; exit $$worst

notebook: $(FANOVA) ## run one notebook with other parameters: NB=importance P="n_neighbors=50 sigma=10"
	@$(PY) book/run_notebooks.py rerun "$$NB" "$$P"

study: $(READY) ## train the CNNs of a plan, or go on with it: PLAN=studies/first.toml WORKERS=2
	@$(VENV)/bin/hia study "$$PLAN" $${WORKERS:+--workers "$$WORKERS"}

bench: $(FANOVA) ## measure how long things take
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(PY) "$$script"; done

serve: free-port book ## show the built book on localhost: PORT=8000
	@echo "http://localhost:$$PORT/ (Ctrl-C ends)"
	@(sleep 1; $(PY) -m webbrowser "http://localhost:$$PORT/" > /dev/null 2>&1 || true) &
	@$(PY) -m http.server "$$PORT" --bind 127.0.0.1 --directory _build/html

free-port:
	@[[ "$$PORT" =~ ^[0-9]{1,5}$$ ]] && ((10#$$PORT < 65536)) || \
	  { echo "error: PORT=$$PORT is no port; a number below 65536 is" >&2; exit 1; }
	@! (: < "/dev/tcp/127.0.0.1/$$PORT") 2> /dev/null || \
	  { echo "error: port $$PORT is taken; another one: make serve PORT=8001" >&2; exit 1; }

pdf: book ## print the book: _build/book.pdf, by Chromium
	@$(PY) book/printed.py pdf _build/html -o _build/book.pdf
	@echo "The book is at _build/book.pdf"

picture: book/intro.ipynb ## make the README's picture anew, and the card for pages that are shared
	@$(PY) book/run_notebooks.py picture $< fig-headline -o picture.svg
	@$(PY) book/printed.py card picture.svg -o book/_static/card.png

lint: $(READY) ## check style and types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

clean: ## remove what was built; the set-up stays, a failed compilation of fanova is tried again
	@rm -rf _build book/*.ipynb book/_static/data .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis $(FANOVA)

distclean: clean ## remove the set-up as well
	@rm -rf .venv .venv-tools .venv-mutants .venv-min .venv-latest hia.egg-info

$(TOOLS): requirements-tools.lock
	@echo "Setting up .venv-tools"
	@$(PYTHON) -m venv --clear .venv-tools
	@$(pip_install) .venv-tools/bin/python --require-hashes -r $<
	@touch $@

$(MUTMUT): requirements-mutants.lock $(READY)
	@echo "Setting up .venv-mutants"
	@rm -rf .venv-mutants
	@$(pip_install) $(PY) --target .venv-mutants --require-hashes -r $<
	@touch $@

# A set-up that was cut short has left no stamp. It goes on with what is installed, but for the package
# that pip was at, which has no INSTALLER yet; with another Python it starts afresh.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV) (once, some minutes)"
ifeq ($(VENV),.venv)
	@version='import sys; print(sys.version)'; clear=; \
	[[ "$$($(PY) -c "$$version" 2> /dev/null)" == "$$($(PYTHON) -c "$$version")" ]] || clear=--clear; \
	for info in $(VENV)/lib/python*/site-packages/*.dist-info; do \
	  [[ -f "$$info/INSTALLER" ]] || rm -rf "$$info"; done; \
	test -f $@ || $(PYTHON) -m venv $$clear $(VENV)
	@rm -f $@
	@$(pip_install) $(PY) --require-hashes -r requirements.lock
endif
	@$(pip_install) $(PY) -q --no-deps --no-build-isolation -e .
	@touch $@

# pyrfr, which fanova needs, has to be compiled, with this swig and no other: hence no cache. The
# book does without where that fails.
$(FANOVA): requirements-fanova.lock $(READY)
	@echo "Compiling fanova (once, about a minute)"
	@export PATH="$$(cd $(VENV)/bin && pwd):$$PATH"; log=$(VENV)/fanova.log; \
	pip="$(PY) -m pip --disable-pip-version-check install --require-hashes"; \
	awk '/^[a-z]/ {on = /^swig==/} on' $< > $(VENV)/swig.lock; \
	{ $$pip -r $(VENV)/swig.lock && $$pip --no-build-isolation --no-cache-dir -r $<; } > $$log 2>&1 || \
	{ why="is there a C++ compiler?"; \
	! grep -qE "No matching distribution|Connection|Max retries" $$log || why="no package index answers"; \
	echo "fanova could not be installed ($$why); the book does without it. Log: $$log"; }
	@touch $@

# The book's own copies. A notebook runs again when it, the package or the recorded data changed.
book/%.ipynb: notebooks/%.py $(wildcard hia/*.* hia/*/*.* notebooks/hia_book/*.* data/*.* data/*/*.*) $(FANOVA)
	@$(PY) book/run_notebooks.py run $<

$(LISTS): $(PAGES) $(wildcard book/*.md)
$(LISTS) book/intro.ipynb: book/_toc.yml
book/claims.ipynb: book/items.ipynb

# Always all pages: a warning is an error only on pages that are read again, and it takes seconds.
$(BOOK): _config.yml $(wildcard book/*.md book/*.yml book/*.bib book/_static/* book/_ext/*.py book/references.py) $(EXECUTED)
	@rm -rf _build/html _build/.doctrees $(filter-out $(EXECUTED),$(wildcard book/*.ipynb))
	@echo "Making $(words $(EXECUTED)) pages of notebooks, and those of prose (a minute)"
	@$(VENV)/bin/jupyter-book build book --config _config.yml --toc "$$PWD/book/_toc.yml" \
	  --path-output . -W -n --keep-going --quiet 2> >(sed '/^Traceback/,$$d' >&2) > /dev/null || \
	  { rm -rf _build/html; echo "error: the book is not built" >&2; exit 1; }
	@touch $@
