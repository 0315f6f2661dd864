# Each target works from a fresh clone: it sets up what it needs first, and only once.
# `make help` lists the targets.

PYTHON := .venv/bin/python
STAMP := .venv/.setup-stamp
# Two workers halve the time of tests that wait for tools. A file stays on one worker: what its tests share is made once.
WORKERS ?= 2
BENCH ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench wheel image clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install what is missing: packages, .venv, development tools

$(STAMP): pyproject.toml scripts/setup.sh scripts/packages.sh scripts/shop_rootfs.sh
	@sh scripts/setup.sh
	@touch $@

demo: $(STAMP) ## Build examples/shop, change files, and show that only the right stages run
	@$(PYTHON) scripts/demo.py

test: $(STAMP) ## Run the whole test suite
	@$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile

lint: $(STAMP) ## Check style, types, imports and the changelog
	@sh scripts/lint.sh

bench: $(STAMP) ## Measure against buildah and BuildKit (BENCH='--quick' for a short run)
	@sh scripts/packages.sh bench
	@$(PYTHON) benchmarks/bench.py $(BENCH)

wheel: $(STAMP) ## Build zbuild's wheel into dist/
	@rm -f dist/*.whl
	@$(PYTHON) -m build --wheel --no-isolation --outdir dist . >/dev/null 2>&1

image: wheel ## Build zbuild's own image with zbuild, and run it
	@sh scripts/own_image.sh

clean: ## Remove what can be made again (the venv stays)
	@rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis benchmarks/out
