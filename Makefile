# `make demo` and `make test` do all the set-up. Every target works from a clean clone with Python 3.11 or newer.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PLUGINS := $(sort $(dir $(wildcard plugins/*/pyproject.toml)))
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)

.PHONY: help demo test lint docs bench compiled build browser clean

help:            ## what there is to make
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24"

# One stamp for each set of extras, so that a second `make` installs nothing.
$(VENV)/.run: $(BIN)/python $(PROJECTS)
	$(BIN)/python -m pip install --quiet -e . $(foreach p,$(PLUGINS),-e ./$(p))
	@touch $@

$(VENV)/.test $(VENV)/.lint $(VENV)/.docs $(VENV)/.bench $(VENV)/.sbom: $(VENV)/.%: $(VENV)/.run
	$(BIN)/python -m pip install --quiet -e ".[$*]"
	@touch $@

demo: $(VENV)/.run                    ## read synthetic people from twins of every system; writes demo/
	$(BIN)/mpftconnect demo --out demo

# axe-core and a driver for Chromium. Without npm or Chromium the page tests skip and say why.
tests/browser/node_modules/.package-lock.json: tests/browser/package-lock.json
	@if command -v npm >/dev/null; then cd tests/browser && npm ci --silent --no-audit --no-fund; fi

test: $(VENV)/.test $(VENV)/.docs tests/browser/node_modules/.package-lock.json   ## the whole test suite
	$(BIN)/python -m pytest -q -n 2

lint: $(VENV)/.lint $(VENV)/.test     ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src conformance $(foreach p,$(PLUGINS),$(p)src)

docs: $(VENV)/.docs                   ## the documentation site, strict, in site/
	$(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.bench                 ## speed, as ratios beside a peer in the same run
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/restated_rules.py
	$(BIN)/python benchmarks/fuzz_hl7v2.py
	$(BIN)/python benchmarks/fuzz_mllp.py
	$(BIN)/python benchmarks/inbox_kills.py

compiled: $(VENV)/.test               ## the mapping of HL7 v2, compiled: compared with its source, and tested
	$(BIN)/python benchmarks/compiled_mapping.py --check

browser: $(VENV)/.test tests/browser/node_modules/.package-lock.json   ## only the pages, in headless Chromium
	$(BIN)/python -m pytest -q tests/browser

# pip prefers the wheel of its own platform, in which the mapping of HL7 v2 is compiled, to the one that runs anywhere.
build: $(VENV)/.sbom                  ## wheels, and a CycloneDX SBOM of all that they install, in dist/
	rm -rf dist && $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist . $(foreach p,$(PLUGINS),./$(p))
	if command -v cc >/dev/null; then \
	  HATCH_BUILD_HOOK_ENABLE_CUSTOM=true $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .; fi
	$(PYTHON) -m venv dist/.installed
	dist/.installed/bin/python -m pip install --quiet dist/*-none-any.whl
	$(BIN)/cyclonedx-py environment dist/.installed/bin/python --output-file dist/mpftconnect.cdx.json
	rm -rf dist/.installed

clean:
	rm -rf $(VENV) dist site demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
