# Developer commands of cloudpw; `make` alone lists them. Needs Go, make and git (the tests also openssl).

SHELL := /bin/bash
.DEFAULT_GOAL := help

MODULE  := github.com/cloudpw/vault-plugin-secrets-cloudpw
PLUGIN  := vault-plugin-secrets-cloudpw
# The newest heading of the changelog. Vault requires that the version a plugin reports is the one it is registered with.
VERSION ?= v$(shell sed -n 's/^## \([0-9][0-9A-Za-z.+-]*\).*/\1/p' CHANGELOG.md | head -n 1)

# Further flags for go test, such as -v.
TESTFLAGS ?=

BIN     := $(CURDIR)/bin
DIST    := $(CURDIR)/dist
GOFLAGS_BUILD := -trimpath -buildvcs=false -ldflags "-s -w -X $(MODULE)/backend.Version=$(VERSION) -X $(MODULE)/cmd/cloudpw/internal/cli.Version=$(VERSION)"

export CGO_ENABLED := 0
# A go.work around the checkout must not change what is built.
export GOWORK := off

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## build the plugin, the command cloudpw and the cloud simulator into bin/
	go build $(GOFLAGS_BUILD) -o "$(BIN)/$(PLUGIN)" ./cmd/$(PLUGIN)
	go build $(GOFLAGS_BUILD) -o "$(BIN)/cloudpw" ./cmd/cloudpw
	go build $(GOFLAGS_BUILD) -o "$(BIN)/cloudsim" ./tests/cloudsim/cmd/cloudsim

.PHONY: test
test: vet test-unit test-e2e ## run go vet, the unit tests, the simulator's tests, and the end-to-end tests in a real Vault

.PHONY: vet
vet:
	go vet ./...
	go vet -tags e2e ./tests/e2e/...
	go vet -tags e2e,ha ./tests/e2e/...
	go vet -tags e2e,monitoring ./tests/e2e
	go vet -tags e2e ./tests/command
	go vet -tags bench ./tests/bench/... ./tests/scale
	go vet -tags console ./tests/console
	go vet -tags console,bench ./tests/console
	go vet -tags openapi ./tests/openapi
	go vet -tags terraform ./tests/terraform
	go vet -tags playground ./tests/playground
	go vet -tags openstack ./tests/openstack/...
	go vet -tags openstack ./tests/openstack
	go vet -tags realssh ./tests/realssh
	go vet -tags realssh,bench ./tests/realssh

.PHONY: test-unit
test-unit: ## run the tests that need no Vault, including the simulator's
	go test -timeout 30m $(TESTFLAGS) ./...

.PHONY: test-sim
test-sim: ## run the cloud simulator's own tests
	go test $(TESTFLAGS) ./tests/cloudsim/...

.PHONY: test-rotation
test-rotation: ## simulate the rotation core: a crash at every step, RUNS=100000 random schedules
	go test -count=1 -timeout 60m $(TESTFLAGS) -run '^(TestRandomSchedules|TestEveryCrash.*)$$' ./backend/rotation -sim.runs=$(or $(RUNS),100000)

.PHONY: test-mutants
test-mutants: ## break the code in many places, one at a time: a test must fail each time (ONLY=regexp, SAMPLE=n for some)
	go run ./scripts/mutants $(if $(ONLY),-only '$(ONLY)') $(if $(SAMPLE),-sample $(SAMPLE) -by "$$(git rev-parse HEAD)")

.PHONY: test-fuzz
test-fuzz: ## fuzz everything that parses external input (FUZZTIME=5m for each target; FUZZ="backend/text ..." for some packages)
	scripts/fuzz.sh $(or $(FUZZTIME),4s) $(FUZZ)

.PHONY: test-e2e
test-e2e: build ## run the end-to-end tests in a real Vault (RUN=TestName for some of them, BAO=1 with OpenBao)
	vault=$$(scripts/get-vault.sh) && \
	VAULT_BIN="$$vault" CLOUDPW_BIN="$(BIN)/$(PLUGIN)" CLOUDPW_VERSION="$(VERSION)" CLOUDSIM_BIN="$(BIN)/cloudsim" \
		go test -tags e2e -count=1 -timeout 30m -parallel 4 $(TESTFLAGS) $(if $(RUN),-v -run '$(RUN)') ./tests/e2e
	$(MAKE) test-command

.PHONY: test-command
test-command: build ## run the command cloudpw against a real Vault (RUN=TestName for some tests)
	vault=$$(scripts/get-vault.sh) && \
	VAULT_BIN="$$vault" CLOUDPW_BIN="$(BIN)/$(PLUGIN)" CLOUDPW_VERSION="$(VERSION)" CLOUDSIM_BIN="$(BIN)/cloudsim" CLOUDPW_COMMAND="$(BIN)/cloudpw" \
		go test -tags e2e -count=1 -timeout 20m -parallel 4 $(TESTFLAGS) $(if $(RUN),-v -run '$(RUN)') ./tests/command

# What the tests of the console and its benchmark need besides what those of the command do: a Chromium, npm.
CONSOLE_TEST = VAULT_BIN="$$vault" CLOUDPW_BIN="$(BIN)/$(PLUGIN)" CLOUDPW_VERSION="$(VERSION)" CLOUDSIM_BIN="$(BIN)/cloudsim" \
	CLOUDPW_COMMAND="$(BIN)/cloudpw"

.PHONY: test-console
test-console: build ## run cloudpw console in a headless Chromium against a real Vault (needs chromium and npm; RUN=TestConsole/take)
	scripts/console-assets.sh
	vault=$$(scripts/get-vault.sh) && $(CONSOLE_TEST) \
		go test -tags console -count=1 -timeout 20m $(TESTFLAGS) $(if $(RUN),-v -run '$(RUN)') ./tests/console

.PHONY: console-pictures
console-pictures: build ## take the pictures of the console in docs/images
	vault=$$(scripts/get-vault.sh) && $(CONSOLE_TEST) PICTURES="$(CURDIR)/docs/images" \
		go test -tags console -count=1 -timeout 20m $(TESTFLAGS) -run '^TestConsole$$' ./tests/console

.PHONY: bench-console
bench-console: build ## measure the console with 100,000 accounts in a real Vault: first rows, scrolling, memory (ACCOUNTS=n)
	vault=$$(scripts/get-vault.sh) && $(CONSOLE_TEST) SCALE_ACCOUNTS="$(ACCOUNTS)" \
		go test -tags console,bench -count=1 -timeout 60m -v -run '^TestScale$$' $(TESTFLAGS) ./tests/console

.PHONY: test-openapi
test-openapi: build ## validate the OpenAPI document with Redocly CLI and use a client generated from it (needs Node.js)
	vault=$$(scripts/get-vault.sh) && \
	VAULT_BIN="$$vault" CLOUDPW_BIN="$(BIN)/$(PLUGIN)" CLOUDPW_VERSION="$(VERSION)" CLOUDSIM_BIN="$(BIN)/cloudsim" \
		go test -tags openapi -count=1 -timeout 15m $(TESTFLAGS) ./tests/openapi

.PHONY: test-ssh
test-ssh: build ## test SSH with real OpenSSH servers, PAM and sudo (Linux, root; needs openssh-server, openssh-client, sudo, sshpass)
	scripts/real-sshd.sh check
	vault=$$(scripts/get-vault.sh) && \
	VAULT_BIN="$$vault" CLOUDPW_BIN="$(BIN)/$(PLUGIN)" CLOUDPW_VERSION="$(VERSION)" CLOUDSIM_BIN="$(BIN)/cloudsim" CLOUDPW_REAL_SSH=required \
		go test -tags realssh -count=1 -timeout 10m -parallel 8 $(TESTFLAGS) $(if $(RUN),-v -run '$(RUN)') ./tests/realssh

.PHONY: test-azure
test-azure: build ## have Azure's own Go clients work with the cloud simulator (a module of its own: it fetches them)
	cd tests/azuresdk && go vet ./... && CLOUDSIM_BIN="$(BIN)/cloudsim" go test -count=1 -timeout 10m $(TESTFLAGS) ./...

.PHONY: test-monitoring
test-monitoring: build ## have a real Prometheus scrape a real Vault; test the alerts and the dashboard (needs prometheus and promtool)
	cd examples/monitoring && promtool check rules rules.yml && promtool test rules rules_test.yml
	vault=$$(scripts/get-vault.sh) && \
	VAULT_BIN="$$vault" CLOUDPW_BIN="$(BIN)/$(PLUGIN)" CLOUDPW_VERSION="$(VERSION)" CLOUDSIM_BIN="$(BIN)/cloudsim" \
		go test -tags e2e,monitoring -count=1 -timeout 10m -v $(TESTFLAGS) -run '^TestMonitoring$$' ./tests/e2e

.PHONY: test-terraform
test-terraform: build ## apply, change and destroy examples/terraform in a real Vault with OpenTofu (first builds OpenTofu, which takes minutes)
	tofu=$$(scripts/get-tofu.sh) && vault=$$(scripts/get-vault.sh) && \
	TOFU_DIR="$$tofu" VAULT_BIN="$$vault" CLOUDPW_BIN="$(BIN)/$(PLUGIN)" CLOUDPW_VERSION="$(VERSION)" CLOUDSIM_BIN="$(BIN)/cloudsim" \
		go test -tags terraform -count=1 -timeout 10m -v $(TESTFLAGS) -run '^TestApply$$' ./tests/terraform

.PHONY: test-ha
test-ha: build build-next ## run a cluster of three Vault nodes through failures (ROUNDS=3 for more of them)
	vault=$$(scripts/get-vault.sh) && \
	VAULT_BIN="$$vault" CLOUDPW_BIN="$(BIN)/$(PLUGIN)" CLOUDPW_VERSION="$(VERSION)" CLOUDSIM_BIN="$(BIN)/cloudsim" \
	CLOUDPW_NEXT_BIN="$(BIN)/$(PLUGIN)-$(VERSION)-next" CLOUDPW_NEXT_VERSION="$(VERSION)-next" CLOUDPW_ROUNDS="$(ROUNDS)" \
		go test -tags e2e,ha -count=1 -timeout 120m -v -exec "\"$(CURDIR)/scripts/own-network.sh\"" -run '^TestHighAvailability$$' $(TESTFLAGS) ./tests/e2e

# The same plugin under another version, for the upgrade.
.PHONY: build-next
build-next:
	go build $(subst backend.Version=$(VERSION),backend.Version=$(VERSION)-next,$(GOFLAGS_BUILD)) -o "$(BIN)/$(PLUGIN)-$(VERSION)-next" ./cmd/$(PLUGIN)

.PHONY: test-openstack
test-openstack: ## test the provider openstack against a real cloud (CLOUDPW_OPENSTACK_RC=openrc.sh)
	@test -n "$(CLOUDPW_OPENSTACK_RC)" || { echo "CLOUDPW_OPENSTACK_RC is not set: it names the rc file of a real cloud, from Horizon under API Access. Run: CLOUDPW_OPENSTACK_RC=openrc.sh make test-openstack" >&2; exit 1; }
	CLOUDPW_ALLOW_LOOPBACK_HTTP=true CLOUDPW_OPENSTACK_RC="$(abspath $(CLOUDPW_OPENSTACK_RC))" CLOUDPW_OPENSTACK_KEY="$(abspath $(CLOUDPW_OPENSTACK_KEY))" \
		go test -tags openstack -count=1 -v $(TESTFLAGS) -run TestAgainstARealCloud ./tests/openstack

.PHONY: docs
docs: ## update the API pages and the command's page from the code, and the policies of examples/terraform from docs/vault-policies.md
	go test -count=1 -run '^(TestAPIPagesSayWhatTheCodeSays|TestTerraformPolicies)$$' ./backend -update
	go test -count=1 -run '^TestCommandPage$$' ./cmd/cloudpw/internal/cli -update

.PHONY: demo
demo: ## show all features in a real Vault with simulated clouds (KEEP=1 leaves it running, BAO=1 takes OpenBao)
	@scripts/demo.sh

.PHONY: demo-docs
demo-docs: ## write docs/demo.md from a run of the demo
	scripts/demo.sh >"$(BIN)/demo.txt" && scripts/demo-docs.sh <"$(BIN)/demo.txt" >"$(BIN)/demo.md" && mv "$(BIN)/demo.md" docs/demo.md

.PHONY: playground
playground: build ## a Vault with 40 servers in simulated clouds, to try every command (CONSOLE=0: no browser page; SHELL_AT_END=0: no shell)
	@vault=$$(scripts/get-vault.sh) && go build -o "$(BIN)/playground" ./scripts/playground && \
		exec "$(BIN)/playground" -vault "$$vault" -version "$(VERSION)" -bin "$(BIN)" \
			-console=$(if $(filter 0,$(CONSOLE)),false,true) -shell=$(if $(filter 0,$(SHELL_AT_END)),false,true)

.PHONY: test-playground
test-playground: build ## start the playground as a user does, type docs/playground.md there, and follow a campaign (Linux, macOS; needs ssh, curl, jq)
	vault=$$(scripts/get-vault.sh) && \
		VAULT_BIN="$$vault" go test -tags playground -count=1 -timeout 30m $(TESTFLAGS) ./tests/playground

.PHONY: bench
bench: build build-bench ## compare the engine's speed with other engines in a real Vault (also OpenLDAP if slapd is installed)
	@mkdir -p "$(BIN)/bench"
	vault=$$(scripts/get-vault.sh) && \
	VAULT_BIN="$$vault" CLOUDPW_BIN="$(BIN)/$(PLUGIN)" CLOUDPW_VERSION="$(VERSION)" CLOUDSIM_BIN="$(BIN)/cloudsim" BENCH_OUT="$(BIN)/bench" \
		go test -tags bench -count=1 -timeout 20m -v -run '^TestBench$$' $(TESTFLAGS) ./tests/bench
	@cat "$(BIN)/bench/table.md"

.PHONY: bench-docs
bench-docs: bench ## run the benchmark and update docs/benchmarks.md and docs/benchmarks.json
	awk -v table="$(BIN)/bench/table.md" '/^<!-- end of the table -->/ { skip = 0 } !skip { print } \
		/^<!-- table -->/ { skip = 1; while ((getline line < table) > 0) print line }' docs/benchmarks.md >"$(BIN)/bench/benchmarks.md"
	mv "$(BIN)/bench/benchmarks.md" docs/benchmarks.md
	cp "$(BIN)/bench/result.json" docs/benchmarks.json

.PHONY: build-bench
build-bench:
	go build $(GOFLAGS_BUILD) -o "$(BIN)/cloudpw-bench-floor" ./tests/bench/floor
	cd tests/bench/openldap && go build -trimpath -buildvcs=false -ldflags "-s -w" -o "$(BIN)/vault-plugin-secrets-openldap" \
		github.com/hashicorp/vault-plugin-secrets-openldap/cmd/vault-plugin-secrets-openldap || \
		{ rm -f "$(BIN)/vault-plugin-secrets-openldap"; echo "The OpenLDAP plugin could not be built; the comparison goes without it." >&2; }

.PHONY: bench-go
bench-go: ## run the Go benchmarks (for benchstat: TESTFLAGS=-count=10)
	go test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./backend/...

.PHONY: bench-scale
bench-scale: build ## measure 100,000 accounts: start in a real Vault, schedule, memory, rate limit, the command (ACCOUNTS=n)
	go test -run '^$$' -bench '^Benchmark(Accounts|Limit)$$' -benchtime 1x $(TESTFLAGS) ./backend ./backend/rotation
	vault=$$(scripts/get-vault.sh) && \
	VAULT_BIN="$$vault" CLOUDPW_BIN="$(BIN)/$(PLUGIN)" CLOUDPW_VERSION="$(VERSION)" CLOUDSIM_BIN="$(BIN)/cloudsim" SCALE_ACCOUNTS="$(ACCOUNTS)" \
	CLOUDPW_COMMAND="$(BIN)/cloudpw" \
		go test -tags bench -count=1 -timeout 60m -v -run '^TestScale$$' $(TESTFLAGS) ./tests/scale

.PHONY: bench-ssh
bench-ssh: build ## measure how fast 1,000 hosts rotate on 200 real OpenSSH servers, a tenth of them dead (needs what test-ssh needs)
	scripts/real-sshd.sh check
	vault=$$(scripts/get-vault.sh) && \
	VAULT_BIN="$$vault" CLOUDPW_BIN="$(BIN)/$(PLUGIN)" CLOUDPW_VERSION="$(VERSION)" CLOUDSIM_BIN="$(BIN)/cloudsim" CLOUDPW_REAL_SSH=required \
		go test -tags realssh,bench -count=1 -timeout 60m -v -run '^TestFleet$$' ./tests/realssh $(TESTFLAGS)

.PHONY: lint
lint: ## check formatting, go vet and the linters of .golangci.yml
	scripts/lint.sh

# Package backend holds the paths, which its own list of them ties together.
KNOT ?= 5

.PHONY: knots
knots: ## show which files of each package need each other; fail where too many do (TESTFLAGS=-v for the files)
	go run ./scripts/knots -max $(KNOT) -except backend $(TESTFLAGS) ./backend/... ./cmd/...

.PHONY: fmt
fmt: ## format the Go code
	gofmt -w $$(git ls-files '*.go')

.PHONY: vault
vault: ## find a Vault, or build one into the cache, and print its path
	@scripts/get-vault.sh

.PHONY: version
version:
	@echo $(VERSION)

.PHONY: release
release: ## build the release into dist/: a zip for each platform, checksums, signatures with COSIGN_KEY or GPG_KEY (TARGETS=linux/amd64 for some)
	rm -rf "$(DIST)"
	go run ./scripts/release -version $(VERSION) -out "$(DIST)" $(if $(TARGETS),-targets '$(TARGETS)') -- $(GOFLAGS_BUILD)
	@cat "$(DIST)/PLUGIN_SHA256SUMS"

.PHONY: release-check
release-check: ## build the release twice in different environments and compare (TARGETS as above; REUSE=1 is faster)
	REUSE=$(REUSE) scripts/release-check.sh $(TARGETS)

.PHONY: clean
clean: ## delete the build results (the cached Vault stays)
	rm -rf "$(BIN)" "$(DIST)"
