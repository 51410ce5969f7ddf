# What one can do here: `make` lists it. Each target makes the environment that it needs.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-postgres campaigns oracle remote fuzz bench lint format messages coverage clean

VENV := .venv
BIN := $(VENV)/bin
ORACLE_VENV := .venv-mxnet
REMOTE_VENV := .venv-kserve
PYTEST_ARGS ?=
# Worker processes of the tests: one more than there are cores, for tests often wait for a server; 0 for one process.
JOBS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1) + 1)))
# Suites that need an environment of their own, and long ones: kills, failures, fuzzing, the bench.
SUITES := tests/oracle tests/remote
CAMPAIGNS := tests/faults tests/fuzz tests/project/test_conformance.py tests/bench/test_parts.py tests/bench/test_soak.py
BENCH_ARGS ?=

# Variables, for a comma in the text of $(call) would end its argument.
ANY_PYTHON := python3 python3.14 python3.13 python3.12 python3.11
NO_PYTHON = No Python 3.11 or newer was found. Install one, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)
ORACLE_PYTHON := python3.11 python3
NO_ORACLE_PYTHON = MXNet 1.9.1 needs Python 3.11, and none was found. Install it, or name it: make PYTHON=/path/to/python3.11 oracle
REMOTE_PYTHON := python3 python3.13 python3.12 python3.11
NO_REMOTE_PYTHON = KServe needs Python 3.11 to 3.13, and none was found. Install it, or name it: make PYTHON=/path/to/python3.12 remote
NO_VENV = cannot make environments. On Debian and Ubuntu, run: sudo apt install python3-venv

# $(call make_venv,FOLDER,CANDIDATES,TEST OF THE VERSION v,SENTENCE WHERE NO CANDIDATE PASSES)
define make_venv
@found=; for python in $(PYTHON) $(2); do \
	if "$$python" -c 'import sys; v = sys.version_info[:2]; sys.exit(not $(3))' 2>/dev/null; then found=$$python; break; fi; \
done; \
if [ -z "$$found" ]; then echo "$(4)" >&2; exit 1; fi; \
if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then echo "$$found $(NO_VENV)" >&2; exit 1; fi; \
echo "Making $(1) with $$("$$found" --version)."; \
"$$found" -m venv --clear $(1) || { rm -rf $(1); exit 1; }
endef

help: ## List what one can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.service-installed ## Serve on http://127.0.0.1:8080 (REST_HOST, REST_PORT)
	$(BIN)/python manage.py serve

test: lint ## Style, types, tests (side by side, a file a worker), branch coverage
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(addprefix --ignore=,$(SUITES) $(CAMPAIGNS)) --cov --cov-fail-under=90 $(PYTEST_ARGS)

campaigns: $(VENV)/.tools-installed ## The long tests, one after the other: kills, failures, fuzzing, schemathesis, the bench
	$(BIN)/python -m pytest $(CAMPAIGNS) $(PYTEST_ARGS)

test-postgres: $(VENV)/.tools-installed ## The tests that use the database, on PostgreSQL at TEST_DATABASE_URL
	@[ -n "$$TEST_DATABASE_URL" ] || { \
		echo "Set TEST_DATABASE_URL to a role that may make databases, such as postgres://me@127.0.0.1/detector." >&2; exit 1; }
	@DATABASE_URL="$$TEST_DATABASE_URL" $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(addprefix --ignore=,$(SUITES) $(CAMPAIGNS) tests/inference) \
		-m "not browser" $(PYTEST_ARGS)

oracle: $(ORACLE_VENV)/.installed ## Compare with MXNet 1.9.1, in an environment of its own (Python 3.11)
	$(ORACLE_VENV)/bin/python -m pytest -c tests/oracle/pytest.ini -p tests.support.strict_skips tests/oracle $(PYTEST_ARGS)

remote: $(VENV)/.tools-installed $(REMOTE_VENV)/.installed ## Our model on KServe's model server, in an environment of its own
	KSERVE_PYTHON=$(CURDIR)/$(REMOTE_VENV)/bin/python $(BIN)/python -m pytest tests/remote $(PYTEST_ARGS)

fuzz: $(VENV)/.tools-installed ## Damaged files for all readers, then a search by coverage (hours; FUZZ_CASES, FUZZ_RUNS)
	$(BIN)/python -m tests.fuzz.campaign $(FUZZ_ARGS)
	$(BIN)/python -m tests.fuzz.search $(FUZZ_ARGS)

bench: $(VENV)/.tools-installed ## Measure: engines, service, rivals, memory, ... (a quarter of an hour; BENCH_ARGS)
	$(BIN)/python -m bench $(BENCH_ARGS)

lint: $(VENV)/.tools-installed ## Style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.tools-installed ## Format the code, mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

messages: $(VENV)/.tools-installed ## Collect the texts of pages and scripts for detection/locale (needs gettext), and compile them
	for domain in django djangojs; do \
		$(BIN)/python manage.py makemessages --locale=ru --domain=$$domain --no-wrap --no-obsolete --add-location=file \
			--ignore=bench --ignore=docs --ignore=tests --ignore=staticfiles --ignore=var && \
		$(BIN)/pybabel --quiet compile --locale=ru --domain=$$domain --directory=detection/locale || exit 1; \
	done

coverage: test ## The tests, and which branches they took, line by line
	$(BIN)/coverage html
	@echo "Open htmlcov/index.html."

clean: ## Remove environments, caches and reports; var/ (photos, database, models) stays
	rm -rf $(VENV) $(ORACLE_VENV) $(REMOTE_VENV) .venv-bench-* .coverage .coverage.* htmlcov staticfiles .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.service-installed: requirements.txt $(BIN)/python
	@echo "Installing requirements.txt into $(VENV): a minute or two at the first time."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.tools-installed: requirements-dev.txt requirements.txt requirements-remote.txt requirements-tracing.txt $(BIN)/python
	@echo "Installing requirements-dev.txt into $(VENV): a minute or two at the first time."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $(VENV)/.service-installed $@

$(BIN)/python:
	$(call make_venv,$(VENV),$(ANY_PYTHON),v >= (3, 11),$(NO_PYTHON))

$(ORACLE_VENV)/.installed: requirements-mxnet.txt $(ORACLE_VENV)/bin/python
	@echo "Installing requirements-mxnet.txt into $(ORACLE_VENV): a minute or two at the first time."
	@$(ORACLE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-mxnet.txt
	@touch $@

$(ORACLE_VENV)/bin/python:
	$(call make_venv,$(ORACLE_VENV),$(ORACLE_PYTHON),v == (3, 11),$(NO_ORACLE_PYTHON))

$(REMOTE_VENV)/.installed: tests/remote/requirements.txt $(REMOTE_VENV)/bin/python
	@echo "Installing tests/remote/requirements.txt into $(REMOTE_VENV): a minute or two at the first time."
	@$(REMOTE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/remote/requirements.txt
	@touch $@

$(REMOTE_VENV)/bin/python:
	$(call make_venv,$(REMOTE_VENV),$(REMOTE_PYTHON),(3, 11) <= v <= (3, 13),$(NO_REMOTE_PYTHON))
