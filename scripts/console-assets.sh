#!/usr/bin/env bash
# Compares the files of other people in the console (cmd/cloudpw/internal/console/assets/vendor) with those that npm publishes,
# byte by byte: what is embedded is what was published, at the versions and with the checksums of vendor/PACKAGES.
# With --update it copies them from npm instead. Needs npm and OpenSSL.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../cmd/cloudpw/internal/console/assets/vendor"

case "${1:-}" in
'' | --update) update=${1:-} ;;
*)
	printf 'usage: %s [--update]\n' "${0##*/}" >&2
	exit 1
	;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
differ=0

while read -r folder package version inside integrity; do
	case "$folder" in '' | '#'*) continue ;; esac
	archive=$(cd "$work" && npm pack --silent "$package@$version")
	got="sha512-$(openssl dgst -sha512 -binary "$work/$archive" | openssl base64 -A)"
	if [ "$got" != "$integrity" ]; then
		printf '%s@%s: npm publishes an archive with %s; PACKAGES says %s\n' "$package" "$version" "$got" "$integrity" >&2
		exit 1
	fi
	mkdir -p "$work/$folder"
	tar -xzf "$work/$archive" -C "$work/$folder"
	for file in "$folder"/*; do
		name=${file##*/}
		published=$work/$folder/package/$inside/$name
		[ "$name" != LICENSE ] || published=$work/$folder/package/LICENSE
		if [ -n "$update" ]; then
			cp "$published" "$file"
		elif cmp "$file" "$published"; then
			printf 'same as in %s@%s: %s\n' "$package" "$version" "$file"
		else
			differ=1
		fi
	done
done <PACKAGES
exit "$differ"
