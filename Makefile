# make demo    a synthetic portfolio through all five services     LOANS=5000 DAYS=60 SEED=1 SUMMARY=file.json
# make test    every test                                          PYTEST="-k vault"
# make up      the same system, left running; Ctrl-C ends it
# make replay  a real card panel                                   FILE=credit_record.zip ACCOUNTS=n BROKER=kafka OUT=roll.csv
# make kafka   a real Kafka broker, left running; Ctrl-C ends it
# make migrate the databases of the services, brought up to date
# make agree   two evaluators of the contact rules, on many made-up histories        HISTORIES=100000
# make verdicts  how many verdicts a second one core gives
# make lint    format, rules, types, import contracts

LOANS ?= 5000
DAYS ?= 60
SEED ?= 1
PYTHON ?= python3
WORKERS ?= 2
HISTORIES ?= 100000
RUN = .venv/bin/python -m services

.PHONY: install demo up replay kafka migrate test agree verdicts lint

install: .venv/installed
	@:

demo: install
	@$(RUN) demo --loans "$(LOANS)" --days "$(DAYS)" --seed "$(SEED)" $(if $(SUMMARY),--summary "$(SUMMARY)")

up: install
	@exec $(RUN) up

replay: install
	@$(RUN) replay --file "$(FILE)" $(if $(ACCOUNTS),--accounts "$(ACCOUNTS)") $(if $(BROKER),--broker "$(BROKER)") $(if $(OUT),--out "$(OUT)")

kafka: install
	@exec .venv/bin/python -m shared.embedded.kafka_server

migrate: install
	@$(RUN) migrate

test: install
	@.venv/bin/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST)

agree: install
	@TEST_HISTORIES="$(HISTORIES)" .venv/bin/pytest -n $(WORKERS) -q tests/unit/outreach/compliance/test_two_evaluators.py

verdicts: install
	@.venv/bin/python -m benchmarks.verdicts

lint: install
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

.venv/installed: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Fairdue needs Python 3.11 or newer")'
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch .venv/installed
