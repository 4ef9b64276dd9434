#!/usr/bin/env bash
# The AWS CLI against the simulated EC2, STS and Systems Manager APIs. tests/independent/run.sh sets the environment it uses.
set -euo pipefail

: "${EC2_URL:?run tests/independent/run.sh}" "${STS_URL:?}" "${SSM_URL:?}" "${SCRIPTS:?}" "${LINUX_SSH:?}" "${ACCESS_KEY:?}" "${SECRET_KEY:?}" "${REGION:?}"
: "${WINDOWS:?}" "${WINDOWS_SSH:?}" "${LINUX:?}" "${PRIVATE_KEY:?}" "${CLOUDSIM_LOGIN:?}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(umask 077 && printf '%s' "$PRIVATE_KEY" >"$work/key.pem")

# Nothing of the user's own AWS settings counts, and a refused request is not tried again.
export HOME=$work AWS_CONFIG_FILE=$work/none AWS_SHARED_CREDENTIALS_FILE=$work/none AWS_EC2_METADATA_DISABLED=true
export AWS_ACCESS_KEY_ID=$ACCESS_KEY AWS_SECRET_ACCESS_KEY=$SECRET_KEY AWS_DEFAULT_REGION=$REGION AWS_DEFAULT_OUTPUT=text
export AWS_MAX_ATTEMPTS=1 AWS_PAGER=
unset AWS_PROFILE AWS_SESSION_TOKEN

aws=/usr/bin/aws # Debian's, where it is installed
[ -x "$aws" ] || aws=aws
ec2() { "$aws" --endpoint-url "$EC2_URL" ec2 "$@"; }
sts() { "$aws" --endpoint-url "$STS_URL" sts "$@"; }
ssm() { "$aws" --endpoint-url "$SSM_URL" ssm "$@"; }
with_key() { AWS_ACCESS_KEY_ID=$1 AWS_SECRET_ACCESS_KEY=$2 "${@:3}"; }

# shellcheck source=tests/independent/tap.sh
. "$(dirname "$0")/tap.sh"
# refused_with NAME CODE COMMAND...: the command fails with the cloud's error code.
refused_with() { fails_with "$1" "($2)" "${@:3}"; }

prints "sts: the right key is accepted" "arn:aws:iam::[0-9]{12}:user/" sts get-caller-identity
refused_with "sts: a wrong secret is refused" SignatureDoesNotMatch with_key "$ACCESS_KEY" "${SECRET_KEY}x" sts get-caller-identity
refused_with "sts: an unknown key is refused" InvalidClientTokenId with_key AKIA0000000000000000 "$SECRET_KEY" sts get-caller-identity
refused_with "ec2: a wrong secret is refused" AuthFailure with_key "$ACCESS_KEY" "${SECRET_KEY}x" ec2 describe-instances
refused_with "ec2: an unknown key is refused" AuthFailure with_key AKIA0000000000000000 "$SECRET_KEY" ec2 describe-instances

prints "ec2: describe-instances finds the server" "^$WINDOWS$" \
	ec2 describe-instances --instance-ids "$WINDOWS" --query 'Reservations[].Instances[].InstanceId'
prints "ec2: describe-instances filters by platform" "^$WINDOWS$" \
	ec2 describe-instances --filters Name=platform,Values=windows --query 'Reservations[].Instances[].InstanceId'
prints "ec2: describe-instances reads all pages" "$LINUX" \
	ec2 describe-instances --page-size 5 --filters Name=tag:app,Values=demo --query 'Reservations[].Instances[].InstanceId'
refused_with "ec2: an unknown id is refused" InvalidInstanceID.NotFound ec2 get-password-data --instance-id i-00000000000000000
refused_with "ec2: a malformed id is refused" InvalidInstanceID.Malformed ec2 get-password-data --instance-id i-xyz
refused_with "ec2: a dry run reports the permission" DryRunOperation ec2 get-password-data --instance-id "$WINDOWS" --dry-run
prints "ec2: a Linux server has no password" '^$' ec2 get-password-data --instance-id "$LINUX" --query PasswordData

password=$(ec2 get-password-data --instance-id "$WINDOWS" --priv-launch-key "$work/key.pem" --query PasswordData)
login() { printf '%s' "$1" | $CLOUDSIM_LOGIN "$WINDOWS_SSH" Administrator; }
prints "ec2: the decrypted password logs in" "login accepted" login "$password"
refused=0
login "$password-wrong" >/dev/null 2>&1 || refused=$?
report "ec2: another password does not" $((refused == 1 ? 0 : 1)) "cloudsim login should end with 1, and ended with $refused"

fails_with "ssm: a wrong secret is refused" InvalidSignatureException with_key "$ACCESS_KEY" "${SECRET_KEY}x" ssm list-commands
fails_with "ssm: an unknown key is refused" UnrecognizedClientException with_key AKIA0000000000000000 "$SECRET_KEY" ssm list-commands
prints "ssm: describe-instance-information finds the server" "Online" \
	ssm describe-instance-information --filters "Key=InstanceIds,Values=$LINUX" --query 'InstanceInformationList[].PingStatus'
fails_with "ssm: an unknown instance is refused" InvalidInstanceId \
	ssm send-command --document-name AWS-RunShellScript --instance-ids i-00000000000000000 --parameters commands=true
fails_with "ssm: a document without its commands is refused" InvalidParameters \
	ssm send-command --document-name AWS-RunShellScript --instance-ids "$LINUX"
fails_with "ssm: a document for another system is refused" UnsupportedPlatformType \
	ssm send-command --document-name AWS-RunShellScript --instance-ids "$WINDOWS" --parameters commands=true

# cloudpw's own script, with a hash that OpenSSL has made, one element of a JSON list for each line.
fresh=Fresh-1-Horse-Battery
hash=$(openssl passwd -6 "$fresh")
now=$(date +%s)
sed -e 's|@USERNAME@|root|' -e "s|@HASH@|$hash|" -e "s|@ORDER@|$now|" -e "s|@NOTAFTER@|$((now + 600))|" "$SCRIPTS/linux.sh" |
	sed -e 's|\\|\\\\|g; s|"|\\"|g; s|\t|\\t|g; s|^|"|; s|$|",|' -e '1s|^|{"executionTimeout": ["60"], "commands": [|; $s|,$|]}|' >"$work/parameters.json"
command=$(ssm send-command --document-name AWS-RunShellScript --instance-ids "$LINUX" --comment "the AWS CLI" \
	--timeout-seconds 60 --parameters "file://$work/parameters.json" --query Command.CommandId)
prints "ssm: wait command-executed waits for the command" '^$' ssm wait command-executed --command-id "$command" --instance-id "$LINUX"
prints "ssm: get-command-invocation shows its end" $'^Success\t0\t.*password set' \
	ssm get-command-invocation --command-id "$command" --instance-id "$LINUX" --query '[Status,ResponseCode,StandardOutputContent]'
login_linux() { printf '%s' "$1" | $CLOUDSIM_LOGIN "$LINUX_SSH" root; }
prints "ssm: the password that it has set logs in" "login accepted" login_linux "$fresh"
prints "ssm: list-commands shows the command" "the AWS CLI" ssm list-commands --command-id "$command" --query 'Commands[].Comment'
prints "ssm: list-command-invocations shows its output" "password set" \
	ssm list-command-invocations --details --instance-id "$LINUX" --query 'CommandInvocations[].CommandPlugins[].Output'
clear=0
ssm list-commands --output json | grep -q -F -e "$fresh" && clear=1
report "ssm: the history does not hold the password" "$clear" "list-commands shows the password"
fails_with "ssm: an unknown command is refused" InvocationDoesNotExist \
	ssm get-command-invocation --command-id 00000000-0000-0000-0000-000000000000 --instance-id "$LINUX"

exit "$failed"
