#!/usr/bin/env bash
# Finds or builds the Vault that the demo and the end-to-end tests run against, and prints its absolute path.
#
# Order: VAULT_BIN, `vault` on the PATH, the cache, a build of tests/vault into the cache (see the README there).
# With BAO_BIN it is that OpenBao instead, with BAO=1 the `bao` on the PATH. OpenBao is never built here.
# Only the path goes to stdout, everything else to stderr, so that `VAULT_BIN=$(scripts/get-vault.sh)` works.
set -euo pipefail

readonly min_vault=1.16 min_bao=2.0
readonly tags=minimal

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
src=$root/tests/vault

say() { printf '%s\n' "$*" >&2; }
die() {
	say "get-vault: $*"
	exit 1
}

# version_of NAME BINARY prints "1.21.2", or nothing if BINARY does not say that it is NAME: Vault or OpenBao.
version_of() {
	{ "$2" version 2>/dev/null || true; } | sed -n "1s/^$1 v\\([0-9][0-9.]*\\).*/\\1/p"
}

# at_least MINIMUM VERSION
at_least() {
	local min_major min_minor major minor
	IFS=. read -r min_major min_minor <<<"$1"
	IFS=. read -r major minor _ <<<"$2"
	[ -n "$major" ] && [ -n "$minor" ] || return 1
	[ "$major" -gt "$min_major" ] || { [ "$major" -eq "$min_major" ] && [ "$minor" -ge "$min_minor" ]; }
}

absolute() {
	printf '%s/%s\n' "$(cd "$(dirname "$1")" && pwd)" "$(basename "$1")"
}

# use BINARY NAME VERSION: the end of every successful way through this script.
use() {
	say "$2 v$3: $1"
	printf '%s\n' "$1"
	exit 0
}

executable() { [ -x "$1" ] && [ ! -d "$1" ]; }

from_environment() {
	local bin=$VAULT_BIN version
	executable "$bin" || die "VAULT_BIN=$bin is not an executable file; correct it, or unset it to have Vault built"
	version=$(version_of OpenBao "$bin")
	[ -z "$version" ] || die "VAULT_BIN=$bin is OpenBao v$version; name it with BAO_BIN instead"
	version=$(version_of Vault "$bin")
	[ -n "$version" ] || die "VAULT_BIN=$bin is not a Vault binary; correct it, or unset it to have Vault built"
	at_least "$min_vault" "$version" ||
		die "VAULT_BIN=$bin is Vault v$version, and v$min_vault or later is needed; install a newer one, or unset VAULT_BIN to have Vault built"
	use "$(absolute "$bin")" Vault "$version"
}

from_path() {
	local bin version
	bin=$(command -v vault) || return 0
	version=$(version_of Vault "$bin")
	if [ -z "$version" ]; then
		say "Ignoring $bin: it does not answer as Vault does."
	elif ! at_least "$min_vault" "$version"; then
		say "Ignoring $bin: it is Vault v$version, and v$min_vault or later is needed."
	else
		use "$(absolute "$bin")" Vault "$version"
	fi
}

# Whoever asks for OpenBao never gets Vault instead.
openbao() {
	local bin name version
	[ -z "${VAULT_BIN:-}" ] || die "VAULT_BIN asks for Vault, and BAO or BAO_BIN for OpenBao; unset one of them"
	if [ -n "${BAO_BIN:-}" ]; then
		bin=$BAO_BIN name=BAO_BIN=$bin
		executable "$bin" || die "$name is not an executable file; correct it, or unset it and use BAO=1 for the bao on the PATH"
	else
		bin=$(command -v bao) ||
			die "BAO=1 asks for OpenBao, and there is no bao on the PATH; install OpenBao v$min_bao or later, or name its binary with BAO_BIN"
		name=$bin
	fi
	version=$(version_of OpenBao "$bin")
	[ -n "$version" ] || die "$name is not an OpenBao binary: its \"version\" does not begin with OpenBao v; correct it"
	at_least "$min_bao" "$version" || die "$name is OpenBao v$version, and v$min_bao or later is needed; install a newer one"
	use "$(absolute "$bin")" OpenBao "$version"
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

[ -z "${BAO:-}${BAO_BIN:-}" ] || openbao
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
version=$(version_of Vault "$target")
[ -n "$version" ] || die "the cached $target does not run; delete it and try again"
use "$target" Vault "$version"
