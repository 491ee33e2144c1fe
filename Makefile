# The index of every task. `make` alone lists them; each is a short script in scripts/ that sets up what it needs.
# Works as root or with sudo, on Debian 12 and later, from a clone with nothing but git and make.
.DEFAULT_GOAL := help
.PHONY: help run test check bench fuzz soak doc setup clean-root clean

# Bash's own SECONDS would be set by ours: the script gets it as an argument.
unexport SECONDS
SECONDS ?=
ROUNDS ?=
DIR ?=
TARGET ?=
SUITE ?= bookworm
TARGETS ?= check test

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

run: ## the main job here: virtual cameras, the recorder, a volume  [SECONDS=30] [DIR=./run]
	@scripts/run.sh $(if $(SECONDS),--seconds '$(SECONDS)') $(if $(DIR),--dir '$(DIR)')

test: ## every test
	@scripts/test.sh

check: ## format, rules, shellcheck, clippy, documentation, dependencies
	@scripts/check.sh

bench: ## Holdfast, ffmpeg and gst-launch side by side: CPU, memory, writes  [SECONDS=60] [ROUNDS=2]
	@scripts/bench.sh $(if $(SECONDS),--seconds '$(SECONDS)') $(if $(ROUNDS),--rounds '$(ROUNDS)')

soak: ## new worlds of the simulation, a month each  [SECONDS=600] [MOST_SECONDS=20 for each]
	@scripts/soak.sh $(if $(SECONDS),--seconds '$(SECONDS)') $(if $(MOST_SECONDS),--most-seconds '$(MOST_SECONDS)')

fuzz: ## bytes that Holdfast did not write, into everything that reads  [SECONDS=600 for each target] [TARGET=mp4]
	@scripts/fuzz.sh $(if $(SECONDS),--seconds '$(SECONDS)') $(if $(TARGET),--target '$(TARGET)')

doc: ## the crates' documentation, into target/doc
	@scripts/doc.sh

setup: ## install all that any task needs (each task also does it for itself)
	@scripts/setup.sh all

clean-root: ## tasks in an empty Debian made for them, as root  [SUITE=bookworm] [TARGETS='check test']
	@scripts/clean-root.sh '$(SUITE)' $(TARGETS)

clean: ## remove target/ and ./run, with the footage in it
	@rm -rf target run
