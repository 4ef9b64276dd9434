#!/usr/bin/env bash
# Prints docs/demo.md from a run of scripts/demo.sh, whose output it reads from standard input. What differs from run to run or only the
# simulator needs is left out or replaced: passwords, keys, ids of leases and requests, checksums, ports, files.
#
#	make demo-docs
set -euo pipefail

# part NUMBER...: these parts of the demo, as they were printed.
part() {
	awk -v wanted=" $* " '/^[0-9]+\. / { number = $1; sub(/\./, "", number); show = index(wanted, " " number " ") }
		/^Done in / { show = 0 } show' <<<"$run"
}

# shown: a part without what a reader has no use for.
shown() {
	sed -E \
		-e 's/^(password +).*/\1********/' \
		-e 's|^(lease_id +cloudpw/creds/[^/]+/).*|\1E3FrieBx2la2iLXc96qtA0WU|' \
		-e 's|(lease revoke cloudpw/creds/[^/]+/)[^ ]+|\1E3FrieBx2la2iLXc96qtA0WU|' \
		-e 's|(revoke[^:]*: cloudpw/creds/[^/]+/)[^ ]+|\1E3FrieBx2la2iLXc96qtA0WU|' \
		-e 's/ endpoints=[^ ]+//g' -e 's/(access_key=)[^ ]+/\1.../' -e 's|(_key=@)[^ ]*/|\1|g' -e 's/(-sha256=)[0-9a-f]+/\1.../' \
		-e 's/(request_id:)[^] ,]+/\1.../g' -e 's/^(versions +).*/\1.../' -e 's/ on 127\.0\.0\.1:[0-9]+//' -e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.../g' |
		cat -s | sed -e '${/^$/d;}'
}

# The demo writes headings in bold.
run=$(sed -E 's/\x1b\[[0-9;]*m//g')
grep -q '^Done in ' <<<"$run" || { echo "demo-docs: the demo did not come to its end" >&2; exit 1; }

cat <<'END'
# What the demo shows

<!-- make demo-docs writes this page from a run of the demo. -->

Parts of what `make demo` prints, from a real run with simulated clouds. Passwords, ids and checksums are replaced, and the URLs of the
simulator left out. Run it yourself: it needs Go, make and git, and [no cloud](../README.md#try-it). In [the playground](playground.md) you
can go on from here.

END
printf '## Register the plugin, and read the first password of a Windows server\n\n```text\n'
part 3 4 | shown
printf '```\n\n## A password under a lease\n\n```text\n'
part 10 | shown
printf '```\n\n## The lease ends, and the password with it\n\n```text\n'
part 11 | shown
printf '```\n\nThe last line of the run: %s\n' "$(grep '^Done in ' <<<"$run" | sed 's/^Done in/done in/')"
