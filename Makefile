# The two commands: `make app` and `make test`. TORCH=system keeps the torch that the host's Python already has.
PYTHON ?= python3
TORCH ?= pinned
PORT ?= 8501
# One for each of two cores; files in their order, for the browser tests, which come first, take longest.
WORKERS ?= 2
BIN := .venv/bin

.PHONY: app test soak cuda check browser clean

app: .venv/app-$(TORCH)
	@$(BIN)/python -m moola_core doctor --host --port $(PORT)
	$(BIN)/streamlit run app.py --server.port $(PORT)

# Without bytecode, each of the processes that the tests start would compile the project anew.
test soak: export PYTHONDONTWRITEBYTECODE :=
test: .venv/test-$(TORCH)
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder -p no:cacheprovider $(PYTEST)

# The long forms of tests that `make test` has short ones of; MOOLA_FAULTS=1 runs benchmarks/faults.py whole, in place of a tenth of it.
soak: .venv/test-$(TORCH)
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder -p no:cacheprovider -m soak --timeout 3600 $(PYTEST)

# What needs a card: parity tests there, and its figures. Without one it says so.
cuda: .venv/test-$(TORCH)
	$(BIN)/python benchmarks/card.py

check: .venv/test-$(TORCH)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest tests/test_architecture.py -p no:cacheprovider

# What the browser tests need (Debian and Ubuntu).
browser:
	command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium)

.venv/constraints-pinned.txt: constraints.txt
	$(PYTHON) -m venv .venv
	cp constraints.txt $@

.venv/constraints-system.txt: constraints.txt
	$(PYTHON) -m venv --system-site-packages .venv
	grep -v '^torch==' constraints.txt > $@

.venv/app-%: .venv/constraints-%.txt pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -c $< -e .
	touch $@

.venv/test-%: .venv/constraints-%.txt pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -c $< -e '.[test,ray]'
	touch $@ .venv/app-$*

clean:
	rm -rf .venv
