# The one entry point for people and CI. `make help` lists what there is.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
# grpc's traces link html/template, which calls methods by name: the linker then keeps every method
# of the program, 4 MB of the binary.
TAGS := grpcnotrace
FUZZ_SECONDS ?= 20

.DEFAULT_GOAL := help
.PHONY: help build serve run test night fuzz bench bench-engine doors generate proto

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

build: ## build the static binaries bin/kstone and bin/kstone-server
	CGO_ENABLED=0 go build -tags $(TAGS) -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/kstone ./cmd/kstone-server

serve: build ## build and start a server on localhost:8000, data in ./kstone.keystone
	./bin/kstone serve

run: serve ## the same as serve

test: ## all checks and tests, quickest first; CI runs the same
	@scripts/ci/test

night: ## the long fuzz, crash and model runs, at most 60 minutes
	@scripts/ci/night

fuzz: ## every fuzz target for FUZZ_SECONDS (20)
	@KSTONE_FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/ci/night fuzz

bench: ## benchmarks of the hot paths, with allocations
	go test -run '^$$' -bench . -benchmem ./engine/... ./expr/... ./dynamowire/... ./grpcapi/... ./cmd/...

bench-engine: ## the storage engine beside Pebble and Badger; 15 minutes, its requirements are fetched
	@scripts/bench/engine

doors: ## what gRPC costs the server beside bare servers and HTTP, and its feeds and scans; 3 minutes
	go run -tags $(TAGS) ./cmd/internal/doorbench calls feed memory

generate: ## make the generated code anew from scripts/gen/model.json
	go run ./scripts/gen

proto: ## make the generated code anew from keystone.proto (needs protoc)
	@scripts/ci/proto
