# study · test (its parts: lint walls types unit batch browser tools twice nbval/…) · lab · book · explore · data ·
# notebooks · wheel · lock · clean. Each makes the virtual environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Copies and others that lie beside these are no part of the study: cifar_utils/outline.py.
NOTEBOOKS := $(patsubst %,notebooks/%.ipynb,01_baseline 02_deeper_batchnorm 03_pooling \
	04_optimizers 05_dropout 06_augmentation 07_final)
PARTS := lint walls unit types batch browser twice tools $(NOTEBOOKS:notebooks/%.ipynb=nbval/%)

.PHONY: study test unit batch browser tools twice types walls lint lab book explore data notebooks wheel lock clean
.DEFAULT_GOAL := study

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@echo "making the environment in $(VENV) (half a minute to a few minutes, once)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check $$(grep ^uv== requirements.txt)

# requirements.lock, given as constraints, pins every package and has its hash checked. An installed
# CPU build of PyTorch satisfies the pins and stays, and what only the GPU build needs is left out.
$(READY): requirements.lock requirements.txt pyproject.toml | $(BIN)/uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python \
		--requirement requirements.txt \
		--constraint requirements.lock --build-constraint requirements.lock
	@touch $@

study: $(READY)
	@$(BIN)/python -m cifar_utils run

# Two jobs of one thread each: faster than one of two, and the threads the notebooks were run with.
test: $(READY)
	@echo "$(words $(PARTS)) parts, two at a time: $(PARTS)"
	@$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target $(PARTS)

# Run a part of the tests on one thread: name it, and say at its end how long it took.
part = @echo "── $@"; export OMP_NUM_THREADS=1; start=$$(date +%s); { $(1); }; code=$$?; \
	echo "── $@: $$(($$(date +%s) - start)) s$$([ $$code = 0 ] || echo , FAILED)"; exit $$code

lint: $(READY)
	$(call part,$(BIN)/ruff check . && $(BIN)/ruff format --check .)

types: $(READY)
	$(call part,$(BIN)/mypy)

# Who may import whom: [tool.importlinter] in pyproject.toml.
walls: $(READY)
	$(call part,$(BIN)/lint-imports --no-logo --no-cache)

unit: $(READY)
	$(call part,$(BIN)/pytest tests --ignore tests/batch -m "not browser and not tools and not twice")

# Command lines, kernels, clusters: tests that start processes.
batch: $(READY)
	$(call part,$(BIN)/pytest tests/batch -m "not tools")

browser: $(READY)
	$(call part,$(BIN)/pytest tests -m browser)

tools: $(READY)
	$(call part,$(BIN)/pytest tests -m tools)

# Every cell of every notebook, run twice in place: the second time says what the first did.
twice: $(READY)
	$(call part,$(BIN)/pytest tests/project/test_cells_twice.py)

nbval/%: $(READY)
	$(call part,$(BIN)/pytest --nbval --nbval-current-env --nbval-cell-timeout 600 notebooks/$*.ipynb)

# Begins a line of commands: kernels work in notebooks/, where a relative CIFAR_ROOT names no folder.
root = case "$$CIFAR_ROOT" in [!/~]*) export CIFAR_ROOT="$$PWD/$$CIFAR_ROOT";; esac;

# Opens on notebooks/start.md, rendered (lab/overrides.json). Jupyter lets root in only on request.
lab: $(READY)
	@$(root) $(BIN)/jupyter lab --ip=127.0.0.1 "--LabApp.app_settings_dir=$(CURDIR)/lab" \
		--LabApp.default_url=/lab/tree/start.md $(if $(filter 0,$(shell id -u)),--allow-root) \
		notebooks

# The notebooks as committed, the results page and the reference, as pages to read in a browser.
book: $(READY)
	@$(BIN)/sphinx-build --quiet --fail-on-warning docs _site
	@echo "Open _site/index.html"

# The figures that answer a hand, a page each; their paths are printed, and a browser opens them.
explore: $(READY)
	@$(BIN)/python -m cifar_utils.explore

# From another place: make data URL=https://…/cifar-10-python.tar.gz
data: $(READY)
	@$(BIN)/python -m cifar_utils data $(if $(URL),--url '$(URL)')

# For Colab, or any place without a checkout: what the notebooks import, their sample and evidence.
wheel: $(READY)
	@rm -rf build dist
	@$(BIN)/pip --quiet wheel --no-deps --no-build-isolation --wheel-dir dist .
	@echo dist/*.whl

# Execute the notebooks in place: the outputs that nbval then compares.
notebooks: $(READY)
	@$(root) OMP_NUM_THREADS=1 MPLBACKEND=module://matplotlib_inline.backend_inline \
		$(BIN)/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False $(NOTEBOOKS)

# Pin anew, with hashes, all that requirements.txt and pyproject.toml bring, for every system.
lock: $(BIN)/uv
	@$(BIN)/uv pip compile --quiet --upgrade --python $(BIN)/python --python-version 3.11 \
		--universal --generate-hashes \
		--no-emit-package cifar_utils --no-emit-index-url --custom-compile-command "make lock" \
		requirements.txt --output-file requirements.lock

clean:
	rm -rf $(VENV) runs _site build dist docs/notebooks docs/reference
