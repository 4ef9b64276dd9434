#!/usr/bin/env bash
# Builds OpenTofu and the provider for Vault, which `make test-terraform` runs, into the cache, and prints the folder that has both:
# tofu and terraform-provider-vault. Only the path goes to stdout.
#
# TOFU_DIR names a folder that has them already. Otherwise they are built from the modules tests/terraform/tofu and
# tests/terraform/provider: with nothing cached that takes several CPU minutes and 2.2 GB of unpacked modules.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
die() {
	say "get-tofu: $*"
	exit 1
}

# both FOLDER: whether it has both programs.
both() { [ -x "$1/tofu" ] && [ -x "$1/terraform-provider-vault" ]; }

if [ -n "${TOFU_DIR:-}" ]; then
	both "$TOFU_DIR" || die "TOFU_DIR=$TOFU_DIR has no tofu or no terraform-provider-vault; unset it to build them"
	(cd "$TOFU_DIR" && pwd)
	exit
fi
command -v go >/dev/null || die "there is no go command on the PATH; install Go, or set TOFU_DIR"

export CGO_ENABLED=0 GOWORK=off GOFLAGS=-mod=readonly
key=$({
	go env GOVERSION GOOS GOARCH
	cat "$root"/tests/terraform/*/go.mod "$root"/tests/terraform/*/go.sum
} | git hash-object --stdin | cut -c 1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cloudpw
target=$cache/tofu-$key
if ! both "$target"; then
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/build.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	say "Building OpenTofu and the provider for Vault into $target. This happens once, and takes some minutes."
	build() { # MODULE PACKAGE
		(cd "$root/tests/terraform/$1" && go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$tmp/" "$2") >&2 ||
			die "$2 could not be built; see the error above"
	}
	build tofu github.com/opentofu/opentofu/cmd/tofu
	build provider github.com/hashicorp/terraform-provider-vault
	# Another build of the same may have been faster: then its result stays.
	mv -T "$tmp" "$target" 2>/dev/null || both "$target" || die "$target could not be written"
fi
printf '%s\n' "$target"
