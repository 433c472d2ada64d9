.DEFAULT_GOAL := help
SHELL := /bin/bash
bin := .venv/bin
share := .venv/share

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.installed: scripts/install scripts/requirements/build.txt scripts/requirements/dev.txt services/sample-data/data.txt $(wildcard libs/*/pyproject.toml)
	@scripts/install

.PHONY: install
install: .venv/.installed ## Make .venv from the hashed locks

.PHONY: demo
demo: install ## Run everything on this machine, send mails by name, show what came of them (no Docker)
	@$(bin)/python scripts/demo.py

.PHONY: dev
dev: install ## The same stack, kept running; services restart when code changes (no Docker): make dev only="gateway beat"
	@$(bin)/python scripts/dev.py $(if $(only),--only $(only))

.PHONY: triggers
triggers: install ## List what beat runs, and what `make trigger-<task>` takes
	@$(bin)/python scripts/trigger.py

trigger-%: install ## Run now what beat runs later: make trigger-nightly (broker: TASK_BROKER_URL, or docker compose's)
	@$(bin)/python scripts/trigger.py $*

.PHONY: new-worker
new-worker: install ## Make a new worker: make new-worker purpose=billing
	@$(bin)/python scripts/new_worker.py $(if $(purpose),$(purpose),$(error name its purpose: make new-worker purpose=billing))

.PHONY: remove-worker
remove-worker: install ## Remove a worker: make remove-worker purpose=billing
	@$(bin)/python scripts/remove_worker.py $(if $(force),--force) $(if $(purpose),$(purpose),$(error name its purpose: make remove-worker purpose=billing))

.PHONY: test-fast
test-fast: install ## Tests that need no server, in seconds
	@scripts/test fast

.PHONY: test
test: install ## The tests that need no Docker: real servers, real workers, real kills
	@scripts/test all

.PHONY: test-more
test-more: install ## What takes its time: both own pools in every detail, the tools, producers in Node.js, the dashboard in a browser
	@scripts/test more

.PHONY: test-compose
test-compose: install images ## Build the images and test them with docker compose
	@scripts/test compose

.PHONY: test-rabbitmq
test-rabbitmq: install images ## Delivery, and the images, on RabbitMQ instead of Redis (needs Docker)
	@scripts/test rabbitmq

.PHONY: chaos
chaos: install ## One fault after the other, to this template and to plain Celery: what is lost or doubled
	@PYTHONPATH=scripts $(bin)/python -m chaos $(addprefix --only ,$(only)) $(if $(pools),--pools)

.PHONY: chaos-compose
chaos-compose: install images ## The faults that containers have, to the images themselves (needs Docker)
	@PYTHONPATH=scripts $(bin)/python -m chaos.compose $(if $(only),--only $(only))

.PHONY: soak
soak: install ## A million tasks in half an hour, a random fault every 10 s: make soak tasks=... minutes=... seed=...
	@PYTHONPATH=scripts $(bin)/python -m chaos.soak $(if $(tasks),--tasks $(tasks)) $(if $(minutes),--minutes $(minutes)) $(if $(seed),--seed $(seed))

.PHONY: pictures
pictures: install ## Take the pictures of the dashboard in docs/images anew (needs Chromium)
	@cd services/gateway && PICTURES=1 ../../$(bin)/python -m pytest -c ../../pyproject.toml --rootdir . -q tests/browser/test_looks.py -k pictures

.PHONY: fuzz
fuzz: install ## Send mutated messages to real workers: make fuzz minutes=10 seed=1
	@$(bin)/python scripts/fuzz.py --minutes $(or $(minutes),10) $(if $(seed),--seed $(seed)) $(if $(replay),--replay $(replay))

.PHONY: bench
bench: install $(share)/bench/.installed ## Beside plain Celery and other task queues (35 min): make bench only="noop celery" rounds=1
	@PYTHONPATH=scripts $(bin)/python -m compare $(addprefix --only ,$(only)) $(if $(rounds),--rounds $(rounds))

.PHONY: bench-quick
bench-quick: install $(share)/bench/.installed ## A few of them, one round, in 90 s
	@PYTHONPATH=scripts $(bin)/python -m compare --quick

.PHONY: bench-costs
bench-costs: install ## What each guarantee costs of a task that does nothing (15 min): make bench-costs only="log events" rounds=1
	@PYTHONPATH=scripts $(bin)/python -m compare.costs $(addprefix --only ,$(only)) $(if $(rounds),--rounds $(rounds))

.PHONY: bench-growth
bench-growth: install ## What a task costs with up to 8 processes, 1,000,000 queued, 100,000 delayed, 10,000 dead messages
	@PYTHONPATH=scripts $(bin)/python -m compare.growth $(if $(rounds),--rounds $(rounds))

$(share)/bench/.installed: scripts/requirements/bench.txt scripts/requirements/bench-arq.txt
	@scripts/compare/install_peers

.PHONY: bench-limits
bench-limits: install ## How late a hard time limit ends a task that stops for nothing, and how late a busy worker answers (2 min)
	@$(bin)/python scripts/bench/limits.py

.PHONY: bench-floors
bench-floors: install ## What the parts of a worker cost alone: Redis, Celery's tracer and pool, imports (1 min)
	@$(bin)/python scripts/bench/floors.py $(if $(rounds),--rounds $(rounds))

.PHONY: bench-load
bench-load: install ## The etl worker's load beside a plain COPY, and its memory for ten times the rows
	@$(bin)/python scripts/bench/load_flights.py

.PHONY: lint
lint: install ## Style and common mistakes
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .

.PHONY: format
format: install ## Mend what `make lint` can mend by itself
	@$(bin)/ruff check --fix-only .
	@$(bin)/ruff format .

.PHONY: types
types: install ## mypy --strict, one run for each library and service
	@scripts/types

.PHONY: lock
lock: install ## Write all hashed locks again (UPGRADE=1 takes newer versions)
	@scripts/lock $(if $(UPGRADE),--upgrade)

export VERSION ?= dev
export REVISION ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

.PHONY: images
images: ## Build all images
	@docker compose build --quiet

.PHONY: image
image: ## Build one image: make image service=worker-celery-email
	@docker compose build --quiet $(if $(service),$(service),$(error name one: make image service=worker-celery-email))

.PHONY: up
up: images ## Start everything with docker compose and wait until it is healthy
	@docker compose up --detach --wait

.PHONY: scale
scale: install ## Set how many workers run, idle ones go first: make scale service=worker-celery-email workers=2
	@$(bin)/python scripts/scale.py $(if $(service),$(service),$(error name one: make scale service=worker-celery-email workers=2)) $(if $(workers),$(workers),$(error how many: make scale service=$(service) workers=2)) $(if $(patience),--patience $(patience))

.PHONY: down
down: ## Stop what `make up` started; queued tasks stay in their volume
	@docker compose down

.PHONY: changed
changed: ## Services whose image changes since a commit, as JSON: make changed base=origin/main
	@python3 scripts/changed_services.py $(if $(base),$(base),--all)

.PHONY: contracts
contracts: install ## Write contract.json beside each worker's code: what its tasks take and return
	@$(bin)/python scripts/contracts.py

.PHONY: check-contracts
check-contracts: install ## Say what breaks for callers since a commit: make check-contracts base=origin/main
	@$(bin)/python scripts/check_contracts.py $(if $(base),$(base),$(error name a commit: make check-contracts base=origin/main))

.PHONY: stubs
stubs: install ## Write a typed Python function for each task: make stubs out=task_stubs.py
	@mkdir -p $(dir $(or $(out),build/task_stubs.py))
	@$(bin)/tasks stubs --contract services > $(or $(out),build/task_stubs.py)

.PHONY: producers
producers: install ## Write a typed TypeScript function for each task: make producers out=tasks.ts
	@mkdir -p $(dir $(or $(out),build/tasks.ts))
	@$(bin)/tasks producers --language typescript --contract services > $(or $(out),build/tasks.ts)

.PHONY: docs
docs: install ## Write the generated parts of the documents
	@python3 scripts/service_table.py
	@python3 scripts/redis_users.py
	@$(bin)/python scripts/command_reference.py
