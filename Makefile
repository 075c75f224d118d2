# study · test · lab · book · data; each makes the virtual environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NOTEBOOKS := $(wildcard notebooks/0*.ipynb)

.PHONY: study test unit browser lab book data notebooks clean
.DEFAULT_GOAL := study

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@echo "making the environment in $(VENV) (a few minutes, once)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --requirement requirements.txt
	@touch $@

study: $(READY)
	@$(BIN)/python -m cifar_utils data --optional
	@$(BIN)/python -m cifar_utils run

# Two jobs of one thread each: faster than one of two, and the threads the notebooks were run with.
test: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@OMP_NUM_THREADS=1 $(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target \
		unit browser $(NOTEBOOKS:notebooks/%.ipynb=nbval/%)

unit: $(READY)
	@$(BIN)/pytest tests -m "not browser"

browser: $(READY)
	@$(BIN)/pytest tests/test_browser.py

nbval/%: $(READY)
	@$(BIN)/pytest --nbval --nbval-current-env --nbval-cell-timeout 600 notebooks/$*.ipynb

# Opens on notebooks/start.md, rendered (lab/overrides.json). Jupyter lets root in only on request.
lab: $(READY)
	@$(BIN)/jupyter lab --ip=127.0.0.1 --LabApp.app_settings_dir=$(CURDIR)/lab \
		--LabApp.default_url=/lab/tree/start.md $(if $(filter 0,$(shell id -u)),--allow-root) \
		notebooks

# The executed notebooks as pages to read in a browser.
book: $(READY)
	@$(BIN)/python -m cifar_utils.book _site

data: $(READY)
	@$(BIN)/python -m cifar_utils data

# Execute the notebooks in place: the outputs that nbval then compares.
notebooks: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False notebooks/0*.ipynb

clean:
	rm -rf $(VENV) runs _site
