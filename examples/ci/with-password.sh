#!/usr/bin/env bash
# Runs a command with the password of a server, and gives the password back when the command has ended, whatever its end.
#
#   with-password.sh [--end-token] cloudpw/creds/web COMMAND [ARGUMENT...]
#
# The command has SSHPASS (the password), SERVER_USER and SERVER_ADDRESS in its environment, as for
#   with-password.sh cloudpw/creds/web sh -c 'sshpass -e ssh "$SERVER_USER@$SERVER_ADDRESS" uptime'
# VAULT_ADDR and VAULT_TOKEN come from the environment; the command does not get the token. With --end-token the token, which is the
# job's own, is revoked at the end as well, and with it whatever lease is left. Needs vault and jq.
#
# SIGTERM, SIGINT and SIGHUP end the command and give the password back. The exit code is the command's own; 1 if there is no password,
# and 3 if the command succeeded and something could not be given back.
set -euo pipefail
set +x # the password is in variables

end_token=
if [ "${1:-}" = --end-token ]; then
	end_token=yes
	shift
fi
if [ $# -lt 2 ]; then
	echo "usage: with-password.sh [--end-token] PATH COMMAND [ARGUMENT...], where PATH is such as cloudpw/creds/web" >&2
	exit 1
fi
path=$1
shift
lease=
child=

give_back() {
	local code=$? left=
	trap - EXIT
	trap '' INT TERM HUP # whoever ends a job sends one after the other
	if [ -n "$child" ]; then
		kill -TERM -- "-$child" 2>/dev/null || true
		wait "$child" || true
	fi
	if [ -n "$lease" ] && ! vault write -force "sys/leases/revoke/$lease" >/dev/null; then
		echo "with-password.sh: the lease was not given back; it ends after its ttl, or by: vault lease revoke $lease" >&2
		left=yes
	fi
	if [ -n "$end_token" ] && ! vault token revoke -self >/dev/null; then
		echo "with-password.sh: the token was not revoked; it ends after its ttl" >&2
		left=yes
	fi
	if [ -n "$left" ] && [ "$code" -eq 0 ]; then
		code=3
	fi
	exit "$code"
}
trap give_back EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

answer=$(vault read -format=json "$path" wait=45s)
lease=$(jq -r '.lease_id // ""' <<<"$answer")
SERVER_USER=$(jq -r .data.username <<<"$answer")
SERVER_ADDRESS=$(jq -r '.data | [.private_ip, .public_ip] | map(select(. != null and . != ""))[0] // ""' <<<"$answer")
SSHPASS=$(jq -r .data.password <<<"$answer")
answer=

# In the background, since a signal would else be handled only after the command's end; and in a process group of its own, so that
# the end reaches all that it has started.
set -m
SSHPASS=$SSHPASS SERVER_USER=$SERVER_USER SERVER_ADDRESS=$SERVER_ADDRESS env -u VAULT_TOKEN "$@" <&0 &
child=$!
set +m
SSHPASS=
code=0
wait "$child" || code=$?
child=
exit "$code"
