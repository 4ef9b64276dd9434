#!/usr/bin/env bash
# Builds the release twice and fails unless both are the same, byte for byte. The second build has another folder, another
# umask, time zone and language, no version control, empty caches, and Go settings that would change the code if they
# were used.
#
# Usage: release-check.sh [TARGET...], such as linux/amd64; all platforms by default. Nothing compiled is reused for the
# second build, so each target costs a compilation of all dependencies. With REUSE=1 it may use what the first build left
# in Go's build cache; a difference that the compiler itself makes is then not detected.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
targets=$*

# A signature is another one each time.
unset COSIGN_KEY GPG_KEY

work=$(mktemp -d)
cleanup() {
	chmod -R u+w "$work" # Go's modules are read-only
	rm -rf "$work"
}
trap cleanup EXIT

# The checkout's files, with changes that are not committed.
(cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf "$work/sources.tar")

# unpack FOLDER: the sources, with the modes that the umask allows.
unpack() {
	mkdir -p "$1"
	tar --no-same-permissions -xf "$work/sources.tar" -C "$1"
}

(
	umask 022
	unpack "$work/first"
	cd "$work/first"
	git init --quiet .
	TZ=UTC LC_ALL=C make --no-print-directory release TARGETS="$targets"
)
modules=$(go env GOMODCACHE)
cache=$work/cache
[ -z "${REUSE:-}" ] || cache=$(go env GOCACHE)
(
	umask 077
	unpack "$work/elsewhere/and deeper"
	cd "$work/elsewhere/and deeper"
	mkdir "$work/home" "$work/tmp"
	env HOME="$work/home" TMPDIR="$work/tmp" TZ=Asia/Kathmandu LC_ALL=C.UTF-8 USER=somebody \
		GOCACHE="$cache" GOMODCACHE="$work/modules" GOPROXY="file://$modules/cache/download" GOSUMDB=off \
		GOAMD64=v3 GOARM64=v9.0 GOFIPS140=latest GOFLAGS=-ldflags=-compressdwarf=false SOURCE_DATE_EPOCH=1234567890 \
		make --no-print-directory release TARGETS="$targets"
)

if ! diff -r "$work/first/dist" "$work/elsewhere/and deeper/dist"; then
	echo "The two builds differ: the release is not reproducible." >&2
	exit 1
fi
(cd "$work/first/dist" && sha256sum --check --quiet SHA256SUMS)
echo "Both builds are the same:"
cat "$work/first/dist/SHA256SUMS"
