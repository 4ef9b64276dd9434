#!/usr/bin/env bash
# Runs every fuzz target for a while: scripts/fuzz.sh [DURATION [FOLDER...]], 4s by default. The time is that of each target.
# FOLDER limits it to the targets of these packages.
#
# Only our own packages are instrumented. `go test -fuzz` instruments whatever they import: it compiles the clouds' SDKs and the
# standard library anew, in 5 to 6 minutes on two cores where the cache has nothing of it, and runs a third as many inputs after
# that. So what guides the fuzzer is how far our own code gets with an answer; the SDKs are run as they are in the plugin.
# Inputs that fail are kept under testdata/fuzz of the target's package, to be committed with what mends them.
set -euo pipefail

duration=${1:-4s}
shift || true
[ "$#" -gt 0 ] || set -- backend
cd "$(dirname "${BASH_SOURCE[0]}")/.."
module=$(go list -m)
cache=$(go env GOCACHE)/fuzz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fuzz PACKAGE TARGET
fuzz() {
	# One try at making a failing input small: that takes far longer than finding it where an input takes long.
	if (cd "$1" && "$work/test" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "$duration" \
		-test.fuzzminimizetime 1x -test.fuzzcachedir "$cache/$module/$1" </dev/null) 2>&1 | tee "$work/log"; then
		return
	fi
	# Before Go 1.27 the end of the time may count as a failure (go.dev/issue/75804). A real one has an input.
	! grep -q 'Failing input written' "$work/log" && grep -qx '    context deadline exceeded' "$work/log"
}

grep -rlE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' "$@" | xargs -n 1 dirname | sort -u >"$work/packages"
while read -r package; do
	go test -c -gcflags="$module/...=-d=libfuzzer" -o "$work/test" "./$package"
	grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$package"/*_test.go | sort | while read -r _ target; do
		printf -- '-- %s %s\n' "$package" "$target"
		fuzz "$package" "$target"
	done
done <"$work/packages"
