#!/usr/bin/env bash
# Finds or builds the Vault that the demo and the end-to-end tests run against, and prints its absolute path.
#
# Order: VAULT_BIN, `vault` on the PATH, the cache, a build of tests/vault into the cache (see the README there).
# Only the path goes to stdout, everything else to stderr, so that `VAULT_BIN=$(scripts/get-vault.sh)` works.
set -euo pipefail

readonly min_major=1 min_minor=16
readonly tags=minimal

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
src=$root/tests/vault

say() { printf '%s\n' "$*" >&2; }
die() {
	say "get-vault: $*"
	exit 1
}

# version_of BINARY prints "1.21.2", or nothing if BINARY is no Vault.
version_of() {
	{ "$1" version 2>/dev/null || true; } | sed -n '1s/^Vault v\([0-9][0-9.]*\).*/\1/p'
}

# supported VERSION
supported() {
	local major minor
	IFS=. read -r major minor _ <<<"$1"
	[ -n "$major" ] && [ -n "$minor" ] || return 1
	[ "$major" -gt "$min_major" ] || { [ "$major" -eq "$min_major" ] && [ "$minor" -ge "$min_minor" ]; }
}

absolute() {
	printf '%s/%s\n' "$(cd "$(dirname "$1")" && pwd)" "$(basename "$1")"
}

# use BINARY VERSION: the end of every successful way through this script.
use() {
	say "Vault v$2: $1"
	printf '%s\n' "$1"
	exit 0
}

from_environment() {
	local bin=$VAULT_BIN version
	{ [ -x "$bin" ] && [ ! -d "$bin" ]; } || die "VAULT_BIN=$bin is not an executable file; correct it, or unset it to have Vault built"
	version=$(version_of "$bin")
	[ -n "$version" ] || die "VAULT_BIN=$bin is not a Vault binary; correct it, or unset it to have Vault built"
	supported "$version" ||
		die "VAULT_BIN=$bin is Vault v$version, and v$min_major.$min_minor or later is needed; install a newer one, or unset VAULT_BIN to have Vault built"
	use "$(absolute "$bin")" "$version"
}

from_path() {
	local bin version
	bin=$(command -v vault) || return 0
	version=$(version_of "$bin")
	if [ -z "$version" ]; then
		say "Ignoring $bin: it does not answer as Vault does."
	elif ! supported "$version"; then
		say "Ignoring $bin: it is Vault v$version, and v$min_major.$min_minor or later is needed."
	else
		use "$(absolute "$bin")" "$version"
	fi
}

# cache_key covers everything that decides what the build makes.
cache_key() {
	{
		go env GOVERSION GOOS GOARCH
		printf '%s\n' "$tags"
		cd "$src"
		find . -type f ! -name '*.md' | LC_ALL=C sort | while read -r file; do
			printf '%s %s\n' "$file" "$(git hash-object --no-filters -- "$file")"
		done
	} | git hash-object --stdin | cut -c 1-16
}

# progress TOTAL reads what `go list` and `go build -v` print. It counts downloads and packages, and lets through
# whatever else appears, which is errors.
progress() {
	local tty=0
	[ -t 2 ] && tty=1
	awk -v total="$1" -v tty="$tty" '
		function show(text) {
			if (tty) printf "\r  %-60s", text
			else if (++shown % 100 == 1) print "  " text
			fflush()
		}
		/^go: downloading / { downloads++; show(downloads " modules downloaded, now " $3); next }
		/^[A-Za-z0-9_.\/~-]+$/ { built++; show(built " of at most " total " packages compiled"); next }
		{ if (tty) printf "\r"; print }
		END { if (tty && NR) printf "\r  %-60s\n", "done" }
	' >&2
}

build() {
	local target=$1 tmp list total started=$SECONDS
	say "Building Vault from Go modules into $target."
	say "This happens once. With nothing cached it takes 4 to 6 minutes on two cores (more on a slow line), about 2 GB of"
	say "modules, 2.5 GB of memory and 6 minutes of CPU time. To avoid it, set VAULT_BIN to a Vault you have."
	tmp=$(mktemp -d "$(dirname "$target")/build.XXXXXX")
	# shellcheck disable=SC2064 # the folder's name is wanted now
	trap "rm -rf '$tmp' '$lock'" EXIT
	export CGO_ENABLED=0 GOWORK=off GOFLAGS=-mod=readonly
	cd "$src"
	list=$tmp/packages
	go list -tags "$tags" -deps . 2>&1 >"$list" | progress 0 || die "its packages could not be listed; see the error above"
	total=$(wc -l <"$list" | tr -d ' ')
	go build -v -buildvcs=false -tags "$tags" -trimpath -ldflags '-s -w' -o "$tmp/vault" . 2>&1 | progress "$total" ||
		die "the build failed; see the error above"
	"$tmp/vault" version >/dev/null || die "the binary just built does not run"
	mv -f "$tmp/vault" "$target"
	say "Built in $((SECONDS - started)) s."
}

# take_lock waits until no other build runs, then holds the lock. If two waiters find the same dead builder's lock at
# once, both may build: that wastes time, and nothing more, since the result is moved into place whole.
take_lock() {
	local holder waited=0
	until mkdir "$lock" 2>/dev/null; do
		holder=$(cat "$lock/pid" 2>/dev/null || true)
		if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
			rm -rf "$lock"
		elif [ -z "$holder" ] && [ "$waited" -ge 10 ]; then
			rm -rf "$lock" # its holder died before it wrote its number
		else
			[ "$waited" -gt 0 ] || say "Waiting for another build of the same Vault (process ${holder:-unknown}, lock $lock)."
			waited=$((waited + 1))
			sleep 1
		fi
	done
	trap 'rm -rf "$lock"' EXIT
	echo $$ >"$lock/pid"
}

[ -z "${VAULT_BIN:-}" ] || from_environment
from_path

for tool in go git; do
	command -v "$tool" >/dev/null || die "Vault has to be built, and there is no $tool command on the PATH; install it, or set VAULT_BIN"
done
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cloudpw
target=$cache/vault-$(cache_key)
lock=$target.lock
mkdir -p "$cache"
if [ ! -x "$target" ]; then
	take_lock
	[ -x "$target" ] || build "$target"
fi
version=$(version_of "$target")
[ -n "$version" ] || die "the cached $target does not run; delete it and try again"
use "$target" "$version"
