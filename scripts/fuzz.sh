#!/usr/bin/env bash
# Runs every fuzz target for a while: scripts/fuzz.sh [DURATION [FOLDER...]], 4s by default. The time is that of each target.
# FOLDER limits it to the targets of these packages. Those of backend itself take answers of clouds through the real SDKs, which
# are all compiled anew for fuzzing: that takes many minutes the first time.
# Inputs that fail are kept under testdata/fuzz of the target's package.
set -euo pipefail

duration=${1:-4s}
shift || true
[ "$#" -gt 0 ] || set -- backend
cd "$(dirname "${BASH_SOURCE[0]}")/.."
grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' "$@" | sort | while IFS=: read -r file function; do
	target=${function#func }
	# One try at making a failing input small: that takes far longer than finding it where an input takes long.
	go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "$duration" -fuzzminimizetime 1x </dev/null
done
