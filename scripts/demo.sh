#!/usr/bin/env bash
# All features of cloudpw, live: a real Vault, the real plugin, simulated clouds whose servers accept SSH logins, and a real SSH server.
#
#	make demo           runs it, shows every command and cleans up
#	make demo KEEP=1    leaves Vault and the clouds running, and says what to type next
#	make demo BAO=1     runs it with the OpenBao on the PATH (BAO_BIN names another)
#
# Needs Go, make and git; the real SSH server also Linux, root and Debian's openssh-server, openssh-client, sudo and sshpass, without
# which it is left out. It writes only to bin/, a temporary folder and the caches of Go and cloudpw.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

keep=${KEEP:-}
plugin=vault-plugin-secrets-cloudpw
work=$(mktemp -d "${TMPDIR:-/tmp}/cloudpw-demo.XXXXXX")
pids=()
sshd= # the process of the real SSH server
done=

finish() {
	local status=$?
	if [ "$status" != 0 ]; then
		printf '\nThe demo stopped with status %s.\n' "$status" >&2
		for log in playground vault sshd; do
			[ ! -s "$work/$log.log" ] || { printf 'The end of %s.log:\n' "$log" && tail -n 20 "$work/$log.log"; } >&2
		done
	fi
	[ -z "$done" ] || [ -z "$keep" ] || return 0
	for pid in ${pids[@]+"${pids[@]}"}; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	[ -z "$sshd" ] || { kill -KILL "$sshd" && wait "$sshd"; } 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

heading() { printf '\n\033[1m%s\033[0m\n' "$*"; }
note() { printf '\n# %s\n' "$*"; }

# run COMMAND...: shows a command, runs it, and keeps what it prints in $work/output.
run() {
	local word
	printf '$'
	for word; do
		case $word in
		*[[:space:]]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '\n'
	"$@" | tee "$work/output"
}

# quietly COMMAND...: run without the output.
quietly() { run "$@" >"$work/quiet" && head -n 1 "$work/quiet"; }

vault() { "$VAULT_BIN" "$@"; }

# field NAME: a value of the table that the last command printed.
field() { awk -v name="$1" '$1 == name { print $2 }' "$work/output"; }

# login EXPECTED SSH-ADDRESS USER PASSWORD: tries a password on a server; EXPECTED is accepted or refused.
login() {
	local expected=$1 address=$2 user=$3 password=$4 status=0
	printf '%s' "$password" | bin/cloudsim login "$address" "$user" >"$work/login" 2>&1 || status=$?
	case $expected:$status in
	accepted:0) printf '  SSH as %s on %s: accepted\n' "$user" "$address" ;;
	refused:1) printf '  SSH as %s on %s: refused\n' "$user" "$address" ;;
	*)
		printf '  SSH as %s on %s should have been %s:\n' "$user" "$address" "$expected" >&2
		cat "$work/login" >&2
		return 1
		;;
	esac
}

# real_login EXPECTED PORT USER PASSWORD: login, by OpenSSH's own client, on the real SSH server.
real_login() {
	local expected=$1 port=$2 user=$3 password=$4 status=0
	sshpass -d 3 ssh -F none -p "$port" -o UserKnownHostsFile="$work/known_hosts" -o StrictHostKeyChecking=yes -o HostKeyAlgorithms=ssh-ed25519 \
		-o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 "$user@127.0.0.1" 'id -un; hostname' \
		3<<<"$password" >"$work/login" 2>&1 || status=$?
	[ "$status" != 255 ] || ! grep -q 'Permission denied' "$work/login" || status=5
	case $expected:$status in
	accepted:0) printf '  ssh %s@127.0.0.1 -p %s: accepted; it says %s\n' "$user" "$port" "$(xargs <"$work/login")" ;;
	refused:5) printf '  ssh %s@127.0.0.1 -p %s: refused\n' "$user" "$port" ;;
	*)
		printf '  ssh %s@127.0.0.1 -p %s should have been %s:\n' "$user" "$port" "$expected" >&2
		cat "$work/login" >&2
		return 1
		;;
	esac
}

# until_true SECONDS WHAT COMMAND...
until_true() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			printf '%s: waited too long\n' "$what" >&2
			return 1
		fi
		sleep 0.1
	done
}

# free_port prints a port on which nobody listens.
free_port() {
	local port
	for port in $(seq 18200 18299); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
			printf '%s\n' "$port"
			return
		}
	done
	printf 'no free port between 18200 and 18299\n' >&2
	return 1
}

sha256() {
	if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# secret NAME VALUE keeps a secret in a file, so that no command line shows it.
secret() { (umask 077 && printf '%s' "$2" >"$work/$1"); }

heading "1. Get Vault, build the plugin and the cloud simulator"
VAULT_BIN=$(scripts/get-vault.sh)
make --no-print-directory build
version=$(make --no-print-directory version)
go build -o "$work/" ./scripts/simenv ./scripts/playground

heading "2. Start the simulated clouds and Vault"
nohup "$work/playground" -bare "$work" -vault "$VAULT_BIN" -version "$version" </dev/null >"$work/playground.log" 2>&1 &
playground=$!
pids+=("$playground")
up() { [ -s "$work/vault.env" ] || ! kill -0 "$playground"; }
until_true 90 "Vault and the clouds" up
"$work/simenv" <"$work/cloudsim.json" >"$work/env"
# shellcheck disable=SC1091 # written just above
. "$work/env"
# What the shell says of another Vault or OpenBao must not change what this one answers.
for name in "${!VAULT_@}" "${!BAO_@}"; do
	case $name in VAULT_BIN | VAULT_LICENSE*) ;; *) unset "$name" ;; esac
done
# shellcheck disable=SC1091 # written by the playground
. "$work/vault.env"
export VAULT_ADDR VAULT_TOKEN
echo "Vault is at $VAULT_ADDR; seven clouds are simulated on this machine."

heading "3. Register the plugin by checksum and version, and mount it"
run vault plugin register -sha256="$(sha256 "bin/$plugin")" -version="$version" secret "$plugin"
run vault secrets enable -path=cloudpw -plugin-version="$version" "$plugin"

heading "4. AWS EC2: the initial password of a Windows server"
note "The cloud keeps it encrypted for the launch key pair. Vault gets the account's credentials and that private key."
secret aws-secret "$SIM_AWS_SECRET_KEY"
secret aws.pem "$SIM_AWS_PRIVATE_KEY"
run vault write cloudpw/config/aws provider=aws region="$SIM_AWS_REGION" \
	access_key="$SIM_AWS_ACCESS_KEY" secret_key=@"$work/aws-secret" endpoints=ec2="$SIM_AWS_URL_EC2" endpoints=sts="$SIM_AWS_URL_STS" \
	endpoints=ssm="$SIM_AWS_URL_SSM" endpoints=iam="$SIM_AWS_URL_IAM"
quietly vault write cloudpw/keys/aws-key private_key=@"$work/aws.pem"
run vault write cloudpw/roles/aws connection=aws instance_ids="$SIM_AWS_WINDOWS_1_ID" key=aws-key
run vault read cloudpw/creds/aws
login accepted "$SIM_AWS_WINDOWS_1_SSH" "$(field username)" "$(field password)"

heading "5. Huawei Cloud ECS: the same with signed requests"
secret huawei-secret "$SIM_HUAWEICLOUD_SECRET_KEY"
secret huawei.pem "$SIM_HUAWEICLOUD_PRIVATE_KEY"
run vault write cloudpw/config/huawei provider=huaweicloud region="$SIM_HUAWEICLOUD_REGION" \
	project_id="$SIM_HUAWEICLOUD_PROJECT_ID" access_key="$SIM_HUAWEICLOUD_ACCESS_KEY" secret_key=@"$work/huawei-secret" \
	endpoints=ecs="$SIM_HUAWEICLOUD_URL_ECS" endpoints=iam="$SIM_HUAWEICLOUD_URL_IAM" endpoints=coc="$SIM_HUAWEICLOUD_URL_COC"
quietly vault write cloudpw/keys/huawei-key private_key=@"$work/huawei.pem"
run vault write cloudpw/roles/huawei connection=huawei instance_ids="$SIM_HUAWEICLOUD_WINDOWS_1_ID" key=huawei-key
run vault read cloudpw/creds/huawei
login accepted "$SIM_HUAWEICLOUD_WINDOWS_1_SSH" "$(field username)" "$(field password)"
note "Beside it a Linux server, which has no such password: the cloud's Operations Center runs a script there that sets one."
run vault write cloudpw/roles/huawei-linux connection=huawei instance_ids="$SIM_HUAWEICLOUD_LINUX_1_ID" source=reset
run vault read cloudpw/creds/huawei-linux wait=45s
login accepted "$SIM_HUAWEICLOUD_LINUX_1_SSH" "$(field username)" "$(field password)"

heading "6. Open Telekom Cloud ECS: the same with a user and password, and the cloud's copy deleted"
secret otc-password "$SIM_OPENTELEKOMCLOUD_PASSWORD"
secret otc.pem "$SIM_OPENTELEKOMCLOUD_PRIVATE_KEY"
run vault write cloudpw/config/otc provider=opentelekomcloud region="$SIM_OPENTELEKOMCLOUD_REGION" \
	auth_url="$SIM_OPENTELEKOMCLOUD_URL_IAM/v3" username="$SIM_OPENTELEKOMCLOUD_USERNAME" password=@"$work/otc-password" \
	user_domain_name="$SIM_OPENTELEKOMCLOUD_USER_DOMAIN_NAME" project_name="$SIM_OPENTELEKOMCLOUD_PROJECT_NAME" \
	endpoints=ecs="$SIM_OPENTELEKOMCLOUD_URL_ECS"
quietly vault write cloudpw/keys/otc-key private_key=@"$work/otc.pem"
run vault write cloudpw/roles/otc connection=otc instance_ids="$SIM_OPENTELEKOMCLOUD_WINDOWS_1_ID" key=otc-key clear_initial=true
run vault read cloudpw/creds/otc
login accepted "$SIM_OPENTELEKOMCLOUD_WINDOWS_1_SSH" "$(field username)" "$(field password)"

heading "7. OpenStack: the same with an application credential; compute is found in Keystone's catalogue"
secret openstack-secret "$SIM_OPENSTACK_APPLICATION_CREDENTIAL_SECRET"
secret openstack.pem "$SIM_OPENSTACK_PRIVATE_KEY"
run vault write cloudpw/config/openstack provider=openstack region="$SIM_OPENSTACK_REGION" auth_url="$SIM_OPENSTACK_URL_IDENTITY/v3" \
	application_credential_id="$SIM_OPENSTACK_APPLICATION_CREDENTIAL_ID" application_credential_secret=@"$work/openstack-secret"
quietly vault write cloudpw/keys/openstack-key private_key=@"$work/openstack.pem"
run vault write cloudpw/roles/openstack connection=openstack instance_ids="$SIM_OPENSTACK_WINDOWS_1_ID" key=openstack-key
run vault read cloudpw/creds/openstack
login accepted "$SIM_OPENSTACK_WINDOWS_1_SSH" "$(field username)" "$(field password)"

heading "8. Alibaba Cloud ECS: a command in the guest sets the password"
note "The cloud's own agent runs it. The command holds a hash of the password, and the server keeps running."
secret alibaba-secret "$SIM_ALIBABACLOUD_SECRET_KEY"
run vault write cloudpw/config/alibaba provider=alibabacloud region="$SIM_ALIBABACLOUD_REGION" \
	access_key="$SIM_ALIBABACLOUD_ACCESS_KEY" secret_key=@"$work/alibaba-secret" endpoints=ecs="$SIM_ALIBABACLOUD_URL_ECS" \
	endpoints=sts="$SIM_ALIBABACLOUD_URL_STS" endpoints=ram="$SIM_ALIBABACLOUD_URL_RAM"
run vault write cloudpw/roles/alibaba connection=alibaba instance_ids="$SIM_ALIBABACLOUD_LINUX_1_ID"
run vault read cloudpw/creds/alibaba wait=45s
login accepted "$SIM_ALIBABACLOUD_LINUX_1_SSH" "$(field username)" "$(field password)"

heading "9. Microsoft Azure: the same by a managed run command"
secret azure-secret "$SIM_AZURE_CLIENT_SECRET"
run vault write cloudpw/config/azure provider=azure subscription_id="$SIM_AZURE_SUBSCRIPTION_ID" tenant_id="$SIM_AZURE_TENANT_ID" \
	client_id="$SIM_AZURE_CLIENT_ID" client_secret=@"$work/azure-secret" endpoints=arm="$SIM_AZURE_URL_ARM" \
	endpoints=login="$SIM_AZURE_URL_LOGIN"
run vault write cloudpw/roles/azure connection=azure instance_ids="$SIM_AZURE_LINUX_1_ID"
run vault read cloudpw/creds/azure wait=45s
login accepted "$SIM_AZURE_LINUX_1_SSH" "$(field username)" "$(field password)"

heading "10. Tencent Cloud CVM: a password set through the cloud's API"
note "Vault sets a password through the cloud's reset API. force_stop=true allows the cloud to restart the server for that."
secret tencent-secret "$SIM_TENCENTCLOUD_SECRET_KEY"
run vault write cloudpw/config/tencent provider=tencentcloud region="$SIM_TENCENTCLOUD_REGION" \
	access_key="$SIM_TENCENTCLOUD_ACCESS_KEY" secret_key=@"$work/tencent-secret" \
	endpoints=cvm="$SIM_TENCENTCLOUD_URL_CVM" endpoints=sts="$SIM_TENCENTCLOUD_URL_STS" \
	endpoints=tat="$SIM_TENCENTCLOUD_URL_TAT" endpoints=cam="$SIM_TENCENTCLOUD_URL_CAM"
run vault write cloudpw/roles/tencent connection=tencent instance_ids="$SIM_TENCENTCLOUD_UBUNTU_1_ID" \
	force_stop=true min_reset_interval=0 ttl=15m max_ttl=8h
note "The first read starts the first reset; wait= lets it end."
run vault read cloudpw/creds/tencent wait=45s
user=$(field username) old=$(field password) lease=$(field lease_id)
tencent_user=$user account=cloudpw/accounts/tencent/$SIM_TENCENTCLOUD_UBUNTU_1_ID/$user
login accepted "$SIM_TENCENTCLOUD_UBUNTU_1_SSH" "$user" "$old"

heading "11. Revoke the lease: the password dies with it"
run vault lease revoke "$lease"
note "Vault has answered at once; the account is rotated in the background."
rotated() { [ "$(vault read -field=current_version "$account")" = 2 ] && [ "$(vault read -field=state "$account")" = ready ]; }
until_true 60 "the rotation" rotated
login refused "$SIM_TENCENTCLOUD_UBUNTU_1_SSH" "$user" "$old"
note "The new version waits in Vault, disclosed to nobody:"
run vault read "$account"
note "The next read hands it out without asking the cloud."
run vault read cloudpw/creds/tencent
login accepted "$SIM_TENCENTCLOUD_UBUNTU_1_SSH" "$(field username)" "$(field password)"

heading "12. SSH: a server that no cloud manages, and a real one"
missing=$(scripts/real-sshd.sh check) || true
command -v sshpass >/dev/null || missing="${missing:+$missing
}sshpass is missing: apt-get install sshpass"
if [ -n "$missing" ]; then
	note "It is left out, since this machine cannot run one:"
	printf '%s\n' "$missing"
	real="a real SSH server was left out"
else
	note "Vault makes a key pair. Its public half is for the server's authorized_keys."
	run vault write cloudpw/config/servers provider=ssh login_user=admin generate_key=true
	run vault read -field=public_key cloudpw/config/servers
	ssh_port=$(free_port)
	nohup scripts/real-sshd.sh run --name web-1 --admin admin --key "$(cat "$work/output")" --user app "$ssh_port" \
		</dev/null >"$work/sshd.log" 2>&1 &
	sshd=$!
	until_true 60 "sshd" grep -q "Server listening on" "$work/sshd.log"
	scripts/real-sshd.sh enter "$sshd" cat /etc/ssh/ssh_host_ed25519_key.pub >"$work/host_key"
	printf '[127.0.0.1]:%s %s\n' "$ssh_port" "$(cat "$work/host_key")" >"$work/known_hosts"
	note "Debian's sshd runs at port $ssh_port, with PAM, sudo and a shadow file of its own. Its host key is pinned: another server gets nothing."
	run vault write cloudpw/hosts/web-1 connection=servers address=127.0.0.1 port="$ssh_port" host_key="$(cat "$work/host_key")"
	run vault write cloudpw/roles/web connection=servers instance_ids=web-1 username=app ttl=15m max_ttl=8h min_reset_interval=0
	run vault read cloudpw/creds/web wait=45s
	user=$(field username) old=$(field password) lease=$(field lease_id)
	real_login accepted "$ssh_port" "$user" "$old"
	account=cloudpw/accounts/servers/web-1/$user
	run vault lease revoke "$lease"
	until_true 60 "the rotation" rotated
	real_login refused "$ssh_port" "$user" "$old"
	run vault read cloudpw/creds/web wait=45s
	real_login accepted "$ssh_port" "$(field username)" "$(field password)"
	real="a real SSH server too"
fi

done=yes
heading "Done in $SECONDS s: seven clouds read, every password proven by a login, the revoked ones dead; $real."
[ -n "$keep" ] || exit 0
printf -v VAULT_BIN %q "$VAULT_BIN"
printf -v cloudsim %q "$PWD/bin/cloudsim"
printf -v work %q "$work"
cat <<EOF

Vault and the clouds keep running. In another terminal:

  export VAULT_ADDR=$VAULT_ADDR VAULT_TOKEN=$VAULT_TOKEN
  $VAULT_BIN read cloudpw/creds/tencent
  $VAULT_BIN read cloudpw/accounts/tencent/$SIM_TENCENTCLOUD_UBUNTU_1_ID/$tencent_user
  $VAULT_BIN lease revoke -prefix cloudpw/creds/tencent
  $VAULT_BIN path-help cloudpw/roles/tencent
  $cloudsim login $SIM_TENCENTCLOUD_UBUNTU_1_SSH $tencent_user    # then type or paste a password

To end it all: kill ${pids[*]}${sshd:+; kill -KILL $sshd}; rm -rf $work
EOF
