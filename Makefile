# What one can do here: `make` lists it. Each target makes the environment that it needs.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-postgres campaigns oracle remote clients cluster exporters fuzz bench lint lock dist docs licenses sbom format messages coverage clean

VENV := .venv
BIN := $(VENV)/bin
ORACLE_VENV := .venv-mxnet
REMOTE_VENV := .venv-kserve
EXPORTERS_VENV := .venv-exporters
CLIENTS_VENV := .venv-clients
CLUSTER_VENV := .venv-ray
DOCS_VENV := .venv-docs
PYTEST_ARGS ?=
# Worker processes of the tests: one more than there are cores, for tests often wait for a server; 0 for one process.
JOBS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1) + 1)))
# Suites that need an environment of their own, and long ones: kills, failures, fuzzing, the bench.
SUITES := tests/oracle tests/remote tests/clients tests/cluster
CAMPAIGNS := tests/faults tests/fuzz tests/packaging tests/project/test_conformance.py tests/bench/test_parts.py tests/bench/test_soak.py
BENCH_ARGS ?=

# Variables, for a comma in the text of $(call) would end its argument.
ANY_PYTHON := python3 python3.14 python3.13 python3.12 python3.11
NO_PYTHON = No Python 3.11 or newer was found. Install one, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)
ORACLE_PYTHON := python3.11 python3
NO_ORACLE_PYTHON = MXNet 1.9.1 needs Python 3.11, and none was found. Install it, or name it: make PYTHON=/path/to/python3.11 oracle
REMOTE_PYTHON := python3 python3.13 python3.12 python3.11
NO_REMOTE_PYTHON = KServe needs Python 3.11 to 3.13, and none was found. Install it, or name it: make PYTHON=/path/to/python3.12 remote
NO_CLUSTER_PYTHON = Ray needs Python 3.11 to 3.13, and none was found. Install it, or name it: make PYTHON=/path/to/python3.12 cluster
NO_CLIENTS_PYTHON = The clients need Python 3.11 to 3.13, and none was found. Install it, or name it: make PYTHON=/path/to/python3.12 clients
EXPORTERS_PYTHON := python3.11 python3.12 python3.13 python3
NO_EXPORTERS_PYTHON = PyTorch and the exporters need Python 3.11 to 3.13, and none was found. Install it, or name it: make PYTHON=/path/to/python3.12 exporters
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

# Extras that go beside any other; each has a list of its own. requirements-dev.txt locks them all, and the tools.
EXTRAS := remote tracing parquet sources video
AS_IN_DEV := --universal --constraint requirements-dev.txt
LOCK_ARGS ?=
# $(call lock,NAME,SOURCES): requirements-NAME.txt, with the versions that it has already
lock = UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes \
	--no-emit-index-url --output-file requirements$(addprefix -,$(1)).txt pyproject.toml $(2) $(LOCK_ARGS)

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

clients: $(VENV)/.tools-installed $(CLIENTS_VENV)/.installed ## Clients of other servers against ours, in an environment of their own (Python and Node.js)
	CLIENTS_PYTHON=$(CURDIR)/$(CLIENTS_VENV)/bin/python CLIENTS_NODE=$(CURDIR)/$(CLIENTS_VENV) $(BIN)/python -m pytest tests/clients $(PYTEST_ARGS)

cluster: $(VENV)/.tools-installed $(CLUSTER_VENV)/.installed ## detect --ray on a Ray cluster of three nodes, our detector in Ray Data, Dask and Daft, in an environment of its own
	RAY_PYTHON=$(CURDIR)/$(CLUSTER_VENV)/bin/python $(BIN)/python -m pytest tests/cluster $(PYTEST_ARGS)

exporters: $(VENV)/.tools-installed $(EXPORTERS_VENV)/.installed ## Export with the projects' own packages (PyTorch: 7 GB), record what they find, compare
	$(EXPORTERS_VENV)/bin/python -m tests.exporters.record $(EXPORTERS)
	$(BIN)/python -m pytest tests/exporters $(PYTEST_ARGS)

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

lock: $(VENV)/.tools-installed ## Write requirements*.txt from pyproject.toml (LOCK_ARGS=--upgrade: the newest versions)
	$(call lock,dev,--universal $(addprefix --extra ,cpu $(EXTRAS)) --group dev)
	$(call lock,,--extra cpu $(AS_IN_DEV))
	$(call lock,gpu,--extra gpu $(AS_IN_DEV))
	$(foreach extra,$(EXTRAS),$(call lock,$(extra),--extra $(extra) $(AS_IN_DEV)) &&) true
	$(call lock,ray,--extra ray $(AS_IN_DEV))
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --universal \
		--no-emit-index-url --output-file requirements-docs.txt --group docs $(LOCK_ARGS)
	$(call lock,mxnet,--python-platform linux --extra cpu --extra mxnet --group oracle)

dist: $(VENV)/.tools-installed ## Build the source distribution and the wheel into dist/
	$(BIN)/python -m build --no-isolation

docs: $(DOCS_VENV)/.installed ## Build the site of docs/ into dist/docs/, in an environment of its own; a warning is an error
	$(DOCS_VENV)/bin/sphinx-build -n -W --keep-going -q -c docs -d dist/docs-cache . dist/docs
	@echo "Open dist/docs/docs/index.html."

licenses: $(VENV)/.tools-installed ## Write THIRD_PARTY_LICENSES.txt, for the packages of the wheel and the image
	$(BIN)/python -m tools.licenses

sbom: $(VENV)/.tools-installed ## Write dist/sbom.json: the software bill of materials of the locked packages (CycloneDX)
	mkdir -p dist
	awk '/^[a-z0-9]/ { new = !seen[$$1]++ } new' requirements.txt $(foreach extra,$(EXTRAS),requirements-$(extra).txt) \
		| $(BIN)/cyclonedx-py requirements - --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json

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
	rm -rf $(VENV) $(ORACLE_VENV) $(REMOTE_VENV) $(EXPORTERS_VENV) $(CLIENTS_VENV) $(CLUSTER_VENV) $(DOCS_VENV) .venv-bench-* .coverage .coverage.* htmlcov staticfiles dist .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.service-installed: requirements.txt $(BIN)/python
	@echo "Installing requirements.txt into $(VENV): a minute or two at the first time."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.tools-installed: requirements-dev.txt $(BIN)/python
	@echo "Installing requirements-dev.txt into $(VENV): a minute or two at the first time."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $(VENV)/.service-installed $@

$(BIN)/python:
	$(call make_venv,$(VENV),$(ANY_PYTHON),v >= (3, 11),$(NO_PYTHON))

$(ORACLE_VENV)/.installed: requirements-mxnet.txt $(ORACLE_VENV)/bin/python
	@echo "Installing requirements-mxnet.txt into $(ORACLE_VENV): a minute or two at the first time."
	@$(ORACLE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-mxnet.txt
	@touch $@

$(ORACLE_VENV)/bin/python:
	$(call make_venv,$(ORACLE_VENV),$(ORACLE_PYTHON),v == (3, 11),$(NO_ORACLE_PYTHON))

$(REMOTE_VENV)/.installed: tests/remote/requirements.txt $(REMOTE_VENV)/bin/python
	@echo "Installing tests/remote/requirements.txt into $(REMOTE_VENV): a minute or two at the first time."
	@$(REMOTE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/remote/requirements.txt
	@touch $@

$(REMOTE_VENV)/bin/python:
	$(call make_venv,$(REMOTE_VENV),$(REMOTE_PYTHON),(3, 11) <= v <= (3, 13),$(NO_REMOTE_PYTHON))

$(CLIENTS_VENV)/.installed: tests/clients/requirements.txt $(CLIENTS_VENV)/bin/python
	@echo "Installing tests/clients/requirements.txt and @huggingface/inference into $(CLIENTS_VENV): a minute or two at the first time."
	@$(CLIENTS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
	@npm install --silent --no-fund --no-audit --no-package-lock --prefix $(CLIENTS_VENV) @huggingface/inference@4.13.30
	@touch $@

$(CLIENTS_VENV)/bin/python:
	$(call make_venv,$(CLIENTS_VENV),$(REMOTE_PYTHON),(3, 11) <= v <= (3, 13),$(NO_CLIENTS_PYTHON))

$(DOCS_VENV)/.installed: requirements-docs.txt $(DOCS_VENV)/bin/python
	@echo "Installing requirements-docs.txt into $(DOCS_VENV): half a minute at the first time."
	@$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.txt
	@touch $@

$(DOCS_VENV)/bin/python:
	$(call make_venv,$(DOCS_VENV),$(ANY_PYTHON),v >= (3, 11),$(NO_PYTHON))

CLUSTER_LISTS := requirements.txt requirements-sources.txt requirements-ray.txt

$(CLUSTER_VENV)/.installed: $(CLUSTER_LISTS) tests/cluster/requirements.txt $(CLUSTER_VENV)/bin/python
	@echo "Installing requirements-ray.txt and tests/cluster/requirements.txt into $(CLUSTER_VENV): a minute or two at the first time."
	@$(CLUSTER_VENV)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes $(addprefix -r ,$(CLUSTER_LISTS))
	@$(CLUSTER_VENV)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check -r tests/cluster/requirements.txt
	@touch $@

$(CLUSTER_VENV)/bin/python:
	$(call make_venv,$(CLUSTER_VENV),$(REMOTE_PYTHON),(3, 11) <= v <= (3, 13),$(NO_CLUSTER_PYTHON))

$(EXPORTERS_VENV)/.installed: tests/exporters/requirements.txt tests/exporters/requirements-without-their-own.txt $(EXPORTERS_VENV)/bin/python
	@echo "Installing tests/exporters/requirements.txt into $(EXPORTERS_VENV): several gigabytes, minutes at the first time."
	@$(EXPORTERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/exporters/requirements.txt
	@$(EXPORTERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/exporters/requirements-without-their-own.txt
	@touch $@

$(EXPORTERS_VENV)/bin/python:
	$(call make_venv,$(EXPORTERS_VENV),$(EXPORTERS_PYTHON),(3, 11) <= v <= (3, 13),$(NO_EXPORTERS_PYTHON))
