# make demo    see it work          make lint    style and types       make warm    compile every kernel now
# make test    run every test       make venv    only set up           make lock    resolve the dependencies anew
# make demo SITE=water    hours of a simulated plant that is attacked, instead (substation, packaging; SEED= another plant, HOURS=6, ARGS="--store FOLDER")
# make fuzz SECONDS=600 SEED=1   hostile input for every kernel; what shows something is kept in fuzz-findings/
# make bench   packets a second beside other tools (SEED= PACKETS=; ARGS="--keep FOLDER")    make bench-stores   both stores (ROWS=10000000: ten million, an hour)    make soak    memory over 100M packets and over a simulated week under attack, Elasticsearch away for minutes, the long versions of the tests
# make bench-rules   1,000 rules over 100,000 activities, back-tests over 10M (SEED=); fails where one is slower than it has to be
# make bench-judging   every detector over a day of a 100-controller plant (ARGS="--site water --hours 6"); fails where the day takes more than a minute
# make bench-report   the report of a month of a 100-controller plant (ARGS="--url http://…" for an Elasticsearch); fails where it takes more than 10 s
# make bench-dashboard   every page over a month of 10M activities, in a session and in a fresh browser (ARGS="--rounds 2 --store FOLDER", or some pages: "--page situation alert"); fails where one is slow
# make screenshots   every page as a picture (FOLDER=, ARGS="situation zh-dark"); whoever changes a page looks at them
# make bench-live    what a live sensor loses, and what it takes of a core (root; ARGS="--paste README.md README.zh.md"); fails beyond its limits
# make generated  every file that is made of others (docs, golden rows, what the READMEs show): look at the difference before committing it; minutes
# make evaluate   how many labelled attacks are found, and how often nothing is: docs/evaluation.md (ARGS="--seeds 1 2 --kept FOLDER": goes on where it was stopped)
# ARGS goes on to the program: make demo ARGS="--language zh"    make test ARGS="tests/test_cli.py -x"

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(firstword $(foreach name,python3 python3.11 python3.12 python3.13 python3.14 python,$(shell command -v $(name) >/dev/null && $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# uv takes a fifth of pip's time. pip does it where it was told whence packages come, which uv would not know, and where uv is not to be had or fails.
install = echo "installing what $(1) names" && if $(BIN)/python -m pip config list | grep -qE 'index|host|proxy' || ! { $(PIP) install --only-binary :all: --require-hashes -r requirements-setup.txt \
	&& $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r $(1); } 2> /dev/null; then $(PIP) install --require-hashes -r $(1); fi
LOCK := $(BIN)/uv pip compile pyproject.toml - --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
SECONDS := 600
STREAM := $(if $(SEED),--seed $(SEED)) $(if $(PACKETS),--packets $(PACKETS))
BUILD := 'hatchling>=1.27\neditables\n'

.DEFAULT_GOAL := demo
.PHONY: demo test lint screenshots bench bench-live bench-stores bench-rules bench-judging bench-report bench-dashboard generated evaluate soak fuzz warm venv reports lock

demo: $(VENV)/$(if $(SITE),development,runtime).stamp
ifdef SITE
	@set -o pipefail; $(BIN)/python -m tests.plant.works --site $(SITE) $(if $(SEED),--seed $(SEED)) --hours $(or $(HOURS),6) --attack all -o - | $(BIN)/balefire replay - $(ARGS)
else
	@$(BIN)/balefire demo $(ARGS)
endif

# A test that ends its process ends the run: pytest-xdist would wait for ever for the file that it had.
test: $(VENV)/development.stamp
	@$(BIN)/python deploy/elasticsearch/server.py --fetch || echo "no Elasticsearch to be had: its tests are skipped" >&2
	@$(BIN)/python -m pytest $(or $(ARGS),--numprocesses auto --maxprocesses 4 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder)

lint: $(VENV)/development.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

bench: $(VENV)/bench.stamp
	@$(BIN)/python -m tests.bench $(STREAM) $(ARGS)
	@$(MAKE) --no-print-directory bench-stores ARGS=

bench-stores: $(VENV)/development.stamp
	@$(BIN)/python -m tests.bench.elastic --rows $(or $(ROWS),1000000) $(ARGS)

bench-live: $(VENV)/development.stamp
	@$(BIN)/python -m tests.bench.live $(ARGS)

bench-rules: $(VENV)/development.stamp
	@$(BIN)/python -m tests.bench.rules $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m tests.bench.backtest $(if $(SEED),--seed $(SEED))

bench-judging: $(VENV)/development.stamp
	@$(BIN)/python -m tests.bench.judging $(if $(SEED),--seed $(SEED)) $(ARGS)

bench-report: $(VENV)/development.stamp
	@$(BIN)/python -m tests.bench.report $(ARGS)

bench-dashboard: $(VENV)/development.stamp
	@$(BIN)/python -m tests.bench.dashboard $(ARGS)

# The page or table that a module prints; an old one stays where it fails.
printed = $(BIN)/python -m $(1) > $(2).new && mv $(2).new $(2)

generated: $(VENV)/development.stamp
	@$(call printed,records.docs,docs/schema.md)
	@$(call printed,sensors.docs,docs/protocols.md)
	@$(BIN)/python -m records.store.kibana deploy/kibana
	@$(BIN)/python -m tests.format
	@$(BIN)/python -m tests.golden
	@$(BIN)/python -m tests.cli
	@$(call printed,tests.firing,tests/firing.txt)
	@$(call printed,tests.detection,docs/detection.md)
	@$(call printed,tests.conformance,docs/conformance.md)

evaluate: $(VENV)/development.stamp
	@$(BIN)/python -m tests.evaluate $(ARGS)

screenshots: $(VENV)/development.stamp
	@$(BIN)/python -m tests.browser.screenshots $(or $(FOLDER),screenshots) $(ARGS)

soak: $(VENV)/development.stamp
	@$(BIN)/python -m tests.bench.soak $(STREAM) $(ARGS)
	@$(BIN)/python -m tests.bench.soak $(if $(SEED),--seed $(SEED)) --site water
	@BALEFIRE_AWAY_S=300 BALEFIRE_FAILOVER_COMMITS=400 $(BIN)/python -m pytest tests/test_elastic_holds.py tests/test_elastic_failover.py -k "away or node or killed_anywhere"
	@BALEFIRE_SOAK=1 $(BIN)/python -m pytest tests/test_killed.py tests/test_serve.py tests/test_seams.py tests/test_hours.py
	@BALEFIRE_SOAK=1 BALEFIRE_FLOOD=1000000 $(BIN)/python -m pytest tests/test_modes.py tests/test_ageing.py tests/test_fuzz.py -k "interpreted or flood or planted"
	@BALEFIRE_EXAMPLES=10 $(BIN)/python -m pytest $$(grep -l as_many tests/test_*.py)

fuzz: $(VENV)/development.stamp
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS) --seed $(or $(SEED),$(shell date +%s)) $(ARGS)

warm: $(VENV)/runtime.stamp
	@$(BIN)/balefire warm

venv: $(VENV)/runtime.stamp

# What PDF, workbooks, deliveries by SFTP and notifications take beside: the extra `reports`, as the container has it.
reports: $(VENV)/runtime.stamp
	@$(call install,requirements-container.txt)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Balefire needs Python 3.11 or newer; name it with make PYTHON=/path/to/python3" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# Exactly what the lock says, by hash, and nothing else; then this checkout itself, in place.
$(VENV)/runtime.stamp: requirements.txt pyproject.toml | $(BIN)/python
	@$(call install,requirements.txt)
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/development.stamp: requirements-dev.txt pyproject.toml | $(BIN)/python
	@$(call install,requirements-dev.txt)
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# The other tools that a benchmark compares with; nothing else needs them.
$(VENV)/bench.stamp: requirements-bench.txt | $(VENV)/development.stamp
	@$(call install,requirements-bench.txt)
	@touch $@

lock: $(VENV)/development.stamp
	printf $(BUILD) | $(LOCK) --output-file requirements.txt
	printf $(BUILD)'pytest-xdist\nuv\n' | $(LOCK) --extra dev --extra oidc --extra reports --constraint requirements.txt --output-file requirements-dev.txt
	printf $(BUILD) | $(LOCK) --extra oidc --extra reports --constraint requirements-dev.txt --output-file requirements-container.txt
	printf '' | $(LOCK) --extra bench --constraint requirements-dev.txt --output-file requirements-bench.txt
	printf 'uv\n' | $(BIN)/uv pip compile - --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --constraint requirements-dev.txt --output-file requirements-setup.txt
