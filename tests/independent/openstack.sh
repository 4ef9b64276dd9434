#!/usr/bin/env bash
# Debian's OpenStack clients against the simulated Keystone and Nova, as a user with a password and with an application
# credential. tests/independent/run.sh sets the environment it uses.
set -euo pipefail

: "${AUTH_URL:?run tests/independent/run.sh}" "${REGION:?}" "${USERNAME:?}" "${PASSWORD:?}" "${USER_DOMAIN:?}" "${PROJECT:?}" "${PROJECT_DOMAIN:?}"
: "${APPLICATION_CREDENTIAL_ID:?}" "${APPLICATION_CREDENTIAL_SECRET:?}" "${PROJECT_ID:?}" "${KEY_NAME:?}"
: "${WINDOWS:?}" "${WINDOWS_SSH:?}" "${LINUX:?}" "${LINUX_SSH:?}" "${PRIVATE_KEY:?}" "${CLOUDSIM_LOGIN:?}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(umask 077 && printf '%s' "$PRIVATE_KEY" >"$work/key.pem")

# Nothing of the user's own settings counts.
for name in $(compgen -e OS_ || true); do unset "$name"; done
export HOME=$work PYTHONWARNINGS=ignore OS_AUTH_URL=$AUTH_URL/v3 OS_REGION_NAME=$REGION OS_IDENTITY_API_VERSION=3
unknown=00000000-0000-4000-8000-000000000000

# shellcheck source=tests/independent/tap.sh
. "$(dirname "$0")/tap.sh"

by_password() {
	env OS_USERNAME="$USERNAME" OS_PASSWORD="$PASSWORD" OS_USER_DOMAIN_NAME="$USER_DOMAIN" \
		OS_PROJECT_NAME="$PROJECT" OS_PROJECT_DOMAIN_NAME="$PROJECT_DOMAIN" "$@"
}
by_credential() {
	env OS_AUTH_TYPE=v3applicationcredential OS_APPLICATION_CREDENTIAL_ID="$APPLICATION_CREDENTIAL_ID" \
		OS_APPLICATION_CREDENTIAL_SECRET="$APPLICATION_CREDENTIAL_SECRET" "$@"
}
# with NAME=VALUE WAY COMMAND...: by that way, but one variable is another.
with() {
	local assignment=$1
	shift
	"$1" env "$assignment" "${@:2}"
}
nova() { by_password /usr/bin/nova "$@" 2>/dev/null; } # it says on stderr that it is deprecated
login() { printf '%s' "$1" | $CLOUDSIM_LOGIN "$WINDOWS_SSH" Administrator; }
login_root() { printf '%s' "$1" | $CLOUDSIM_LOGIN "$LINUX_SSH" root; }

for as in by_password by_credential; do
	prints "$as: a token is issued for the project" "^$PROJECT_ID$" "$as" openstack token issue -f value -c project_id
	prints "$as: the servers are listed" "$LINUX.*$WINDOWS|$WINDOWS.*$LINUX" "$as" openstack server list -f value -c ID
	prints "$as: a server is shown with its key pair" "^$KEY_NAME$" "$as" openstack server show "$WINDOWS" -f value -c key_name
	fails_with "$as: an unknown server is not found" "No server with a name or ID" "$as" openstack server show "$unknown"
done
# novaclient's own command takes no application credential.
prints "the password is fetched and logs in" "login accepted" login "$(nova get-password "$WINDOWS" "$work/key.pem")"
prints "a Linux server has no password" '^$' nova get-password "$LINUX" "$work/key.pem"
fails_with "a wrong password is refused" "(HTTP 401)" with OS_PASSWORD=wrong by_password openstack token issue
fails_with "another project is refused" "(HTTP 401)" with OS_PROJECT_NAME=wrong by_password openstack token issue
fails_with "a wrong secret is refused" "(HTTP 401)" with OS_APPLICATION_CREDENTIAL_SECRET=wrong by_credential openstack token issue
fails_with "an unknown application credential is not found" "(HTTP 404)" with OS_APPLICATION_CREDENTIAL_ID=0123 by_credential openstack token issue

prints "servers are found by their tags" "$WINDOWS" by_password openstack --os-compute-api-version 2.26 server list --tags app=demo -f value -c ID
prints "the key pair has its fingerprint" "^([0-9a-f]{2}:){15}[0-9a-f]{2}$" by_password openstack keypair show "$KEY_NAME" -f value -c fingerprint
prints "an application credential is made" "True" by_password openstack application credential create --unrestricted other -f value -c unrestricted
prints "and listed" "other" by_credential openstack application credential list -f value -c Name
prints "and deleted" "^$" by_credential openstack application credential delete other

prints "a password is set" "^$" by_credential openstack server set --password Changed-Pa55word "$LINUX"
prints "and logs in" "login accepted" login_root Changed-Pa55word
prints "and was kept for the key pair" "^Changed-Pa55word$" nova get-password "$LINUX" "$work/key.pem"
prints "a server is stopped" '^$' by_credential openstack server stop "$LINUX"
fails_with "its password is not set" "while it is in vm_state stopped" by_credential openstack server set --password Other-Pa55word "$LINUX"
prints "it is started" '^$' by_credential openstack server start "$LINUX"
prints "and locked" '^$' by_credential openstack server lock "$LINUX"
fails_with "its password is not set, either" "is in an invalid state for 'changePassword'" \
	by_credential openstack server set --password Other-Pa55word "$LINUX"
prints "it is unlocked, and has the password still" "login accepted" eval 'by_credential openstack server unlock "$LINUX" && login_root Changed-Pa55word'
fails_with "the password of an unknown server is not set" "No server with a name or ID" \
	by_credential openstack server set --password Changed-Pa55word "$unknown"

prints "the password is cleared" "^$" nova clear-password "$WINDOWS"
prints "and then it is gone" '^$' nova get-password "$WINDOWS" "$work/key.pem"

exit "$failed"
