#!/usr/bin/env bash
# Checks formatting and runs golangci-lint at the version of scripts/tools/go.mod, with .golangci.yml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

unformatted=$(git ls-files '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'Not formatted; run "make fmt":\n%s\n' "$unformatted" >&2
	exit 1
fi

# The tools are no requirement of the project's own module. The first run builds them, which takes some minutes. Another
# checkout's run is waited for.
exec go tool -modfile=scripts/tools/go.mod golangci-lint run --allow-serial-runners "$@" ./...
