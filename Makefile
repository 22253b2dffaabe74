# Everything that a person or a machine does with this repository. A target is a
# few lines; what is longer is a script in .ci/ or a program in bench/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: build demo test bench accuracy fuzz golden lint deps clean

build:
	$(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/penstock ./cmd/penstock

# What a newcomer runs first. The gate must block here: that is the product at work.
demo: deps build
	@.ci/demo

# What .ci/run runs: every check, in order, with its seconds.
test: deps
	@.ci/stages

bench: build
	$(GO) run ./bench all

accuracy:
	$(GO) test -count=1 -run Accuracy -v ./internal/engine/...

# make fuzz FUZZTIME=1h
FUZZTIME ?= 30s
fuzz:
	@.ci/fuzz $(FUZZTIME)

golden:
	@.ci/golden

lint:
	@.ci/stages gofmt vet staticcheck tidy

deps:
	@.ci/deps

clean:
	rm -rf bin
