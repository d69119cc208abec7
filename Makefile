# make demo    a synthetic portfolio through all five services     LOANS=5000 DAYS=60 SEED=1 SUMMARY=file.json
# make test    every test                                          PYTEST="-k vault"
# make stateful a long look for sequences that break what must hold   EXAMPLES=n
# make up      the same system, left running; Ctrl-C ends it
# make replay  a real card panel                                   FILE=credit_record.zip ACCOUNTS=n BROKER=kafka OUT=roll.csv
# make kafka   a real Kafka broker, left running; Ctrl-C ends it
# make migrate the databases of the services, brought up to date
# make lint    format, rules, types, import contracts

LOANS ?= 5000
DAYS ?= 60
SEED ?= 1
PYTHON ?= python3
WORKERS ?= 2
EXAMPLES ?= 1000
RUN = .venv/bin/python -m services

.PHONY: install demo up replay kafka migrate test stateful lint

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

stateful: install
	@STATEFUL_EXAMPLES="$(EXAMPLES)" .venv/bin/pytest tests/stateful $(PYTEST)

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
