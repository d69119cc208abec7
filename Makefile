# make demo      a synthetic portfolio through all five services   LOANS=5000 DAYS=60 SEED=1 SUMMARY=file.json
# make test      every test                                        PYTEST="-k vault"
# make up        the same system, left running; Ctrl-C ends it
# make replay    a real card panel                                 FILE=credit_record.zip ACCOUNTS=n BROKER=kafka OUT=roll.csv
# make kafka     a real Kafka broker, left running; Ctrl-C ends it
# make migrate   the databases of the services, brought up to date
# make doctor    what is wrong with the system that `make up` runs, or with the one that the environment names
# make lint      format, rules, types, import contracts
#
# Proofs, each as long as one likes; `make test` and the CI run a short form of every one.
# make simulate  all services on parts in memory, under every crash point   SEEDS=10000 FIRST=0
# make mutants   the protocol broken on purpose, each time caught
# make stateful  real PostgreSQL, and sequences of events and misfortunes   EXAMPLES=1000
# make chaos     faults on the real processes, then the verdict             MINUTES=60 SEED=1 BROKERS=1 (or 3); QUICK=1
# make fuzz      bytes for every decoder, led by coverage                   MINUTES=10
# make fuzz-api  odd requests for every route, as every caller              EXAMPLES=200
# make image-steps  the Dockerfile, judged and carried out without an engine
# make audit     locks, what is installed, licences; known vulnerabilities   ADVISORIES=file.json REQUIRE_ADVISORIES=1
# make agree     two evaluators of the contact rules, on made-up histories  HISTORIES=100000
#
# make bench     how fast, on this machine: against the floor of the hardware and the peers   QUICK=1 PANEL=credit_record.zip RESULT=file.json
# make verdicts  how many verdicts a second one core gives

LOANS ?= 5000
DAYS ?= 60
SEED ?= 1
PYTHON ?= python3
WORKERS ?= 2
# Of tests, which wait for servers half of their time.
TESTERS ?= 4
SEEDS ?= 10000
FIRST ?= 0
BROKERS ?= 1
HISTORIES ?= 100000
RUN = .venv/bin/python -m services

.PHONY: install demo up replay kafka migrate doctor test simulate mutants stateful chaos fuzz fuzz-api image-steps audit agree bench verdicts lint

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

doctor: install
	@FAIRDUE_MODE="$${FAIRDUE_MODE:-demo}" $(RUN) doctor

test: install
	@.venv/bin/pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder $(PYTEST)

simulate: install
	@.venv/bin/python -m tests.simulator --seeds "$(SEEDS)" --first "$(FIRST)" --processes "$(WORKERS)"

mutants: install
	@.venv/bin/python -m tests.simulator --mutants

stateful: install
	@STATEFUL_EXAMPLES="$(or $(EXAMPLES),1000)" .venv/bin/pytest tests/stateful $(PYTEST)

chaos: install
	@.venv/bin/python -m tests.chaos --minutes "$(or $(MINUTES),60)" --seed "$(SEED)" --brokers "$(BROKERS)" $(if $(QUICK),--quick)

fuzz: install
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	@.venv/bin/python -m tests.unit.fuzz.follow_coverage --minutes "$(or $(MINUTES),10)"

fuzz-api: install
	@FAIRDUE_API_EXAMPLES="$(or $(EXAMPLES),200)" .venv/bin/pytest -n $(TESTERS) --dist loadfile -rA tests/integration/fuzz $(PYTEST)

image-steps: install
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-image.lock
	@.venv/bin/python -m tests.image

audit: install
	@ADVISORIES="$(ADVISORIES)" REQUIRE_ADVISORIES="$(REQUIRE_ADVISORIES)" .venv/bin/python -m deploy.dependencies

agree: install
	@TEST_HISTORIES="$(HISTORIES)" .venv/bin/pytest -n $(WORKERS) -q tests/unit/outreach/compliance/test_two_evaluators.py

bench: install
	@.venv/bin/python -m benchmarks $(if $(QUICK),--quick) $(if $(PANEL),--panel "$(PANEL)") $(if $(RESULT),--result "$(RESULT)")

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
