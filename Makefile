.DEFAULT_GOAL := help
SHELL := /bin/bash
bin := .venv/bin

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.installed: scripts/install scripts/requirements/build.txt scripts/requirements/dev.txt $(wildcard libs/*/pyproject.toml)
	@scripts/install

.PHONY: install
install: .venv/.installed ## Make .venv from the hashed locks

.PHONY: lock
lock: install ## Write all hashed locks again (UPGRADE=1 takes newer versions)
	@scripts/lock $(if $(UPGRADE),--upgrade)
