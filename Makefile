# Two commands do everything: `make demo` and `make test`. Both make the same environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# libgomp reads this once, before torch: threads that wait must not burn the core that another one needs.
export OMP_WAIT_POLICY ?= passive

.PHONY: demo test test-full lint clean

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/.ready
	$(BIN)/modelwright check recipes/demo.yaml
	$(BIN)/modelwright run recipes/demo.yaml
	$(BIN)/modelwright verify runs/demo/release
	$(BIN)/modelwright predict runs/demo/release recipes/examples/digit.png
	$(BIN)/modelwright serve runs/demo/release port=0 --ask recipes/examples/digit.png
	@echo
	@echo "The report:  runs/demo/report.html"
	@echo "The release: runs/demo/release"
	@echo "Next:        $(BIN)/modelwright init YOUR_DATA --out my.yaml && $(BIN)/modelwright run my.yaml"

test: $(VENV)/.ready
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile -m "not full and not gpu"

test-full: $(VENV)/.ready
	$(BIN)/pytest --timeout=3600

lint: $(VENV)/.ready
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/mypy

clean:
	rm -rf $(VENV) runs build dist .mypy_cache .ruff_cache .pytest_cache
