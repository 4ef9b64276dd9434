#!/bin/sh
# Runs a command in a network namespace of its own, as root or in a user namespace, and sets CLOUDPW_OWN_NETWORK=yes for
# it. The command may change the namespace, which ends with it. If this machine allows neither, or has no iproute2 or
# util-linux, the command is run without one.
#
#   scripts/own-network.sh COMMAND...
set -eu

for tool in unshare nsenter ip sleep; do
	command -v "$tool" >/dev/null || exec "$@"
done
for how in "--net" "--user --map-root-user --net"; do
	# shellcheck disable=SC2086 # several flags
	if unshare $how ip link add probe type veth peer name eborp 2>/dev/null; then
		CLOUDPW_OWN_NETWORK=yes
		export CLOUDPW_OWN_NETWORK
		exec unshare $how -- "$@"
	fi
done
exec "$@"
