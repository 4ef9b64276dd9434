#!/usr/bin/env bash
# Runs the clouds' own clients against the cloud simulator: a simulator that only cloudpw's code can talk to would prove
# little. Checks the PowerShell scripts by a grammar, too, for want of a Windows. Needs Go, Node.js with npm, OpenSSL, and
# Debian's AWS and OpenStack clients; .ci/run installs what is missing.
#
# Results are in the form of the Test Anything Protocol: "ok N - what was checked" or "not ok ...".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

scripts=$(cd ../../backend/cloud/guest && pwd)
work=$(mktemp -d)
simulator=
cleanup() {
	[ -z "$simulator" ] || { kill "$simulator" && wait "$simulator"; } 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

(cd ../.. && go build -o "$work/" ./tests/cloudsim/cmd/cloudsim ./scripts/simenv)
# Not in the checkout: some npm packages hold Go files, which "./..." would find.
cp ./*.mjs package.json package-lock.json .npmrc "$work/"
(cd "$work" && npm ci --silent)

"$work/cloudsim" >"$work/ready" &
simulator=$!
for _ in $(seq 100); do
	[ -s "$work/ready" ] && break
	kill -0 "$simulator" || exit 1
	sleep 0.1
done
"$work/simenv" <"$work/ready" >"$work/env"
# shellcheck disable=SC1091 # written just above
. "$work/env"
printf '%s' "$SIM_TLS_CA" >"$work/ca.pem"

failed=0
# client NAME COMMAND...
client() {
	printf '# %s\n' "$1"
	shift
	"$@" || failed=1
}

export CLOUDSIM_LOGIN="$work/cloudsim login"
client "AWS CLI" env \
	EC2_URL="$SIM_AWS_URL_EC2" STS_URL="$SIM_AWS_URL_STS" ACCESS_KEY="$SIM_AWS_ACCESS_KEY" SECRET_KEY="$SIM_AWS_SECRET_KEY" \
	REGION="$SIM_AWS_REGION" WINDOWS="$SIM_AWS_WINDOWS_1_ID" WINDOWS_SSH="$SIM_AWS_WINDOWS_1_SSH" LINUX="$SIM_AWS_LINUX_1_ID" \
	LINUX_SSH="$SIM_AWS_LINUX_1_SSH" SSM_URL="$SIM_AWS_URL_SSM" SCRIPTS="$scripts" PRIVATE_KEY="$SIM_AWS_PRIVATE_KEY" ./aws.sh
client "the AWS SDK for JavaScript" env AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true \
	EC2_URL="$SIM_AWS_URL_EC2" STS_URL="$SIM_AWS_URL_STS" IAM_URL="$SIM_AWS_URL_IAM" SSM_URL="$SIM_AWS_URL_SSM" \
	ACCESS_KEY="$SIM_AWS_ACCESS_KEY" SECRET_KEY="$SIM_AWS_SECRET_KEY" REGION="$SIM_AWS_REGION" ROLE_ARN="$SIM_AWS_ROLE_ARN" \
	EXTERNAL_ID="$SIM_AWS_EXTERNAL_ID" WINDOWS="$SIM_AWS_WINDOWS_1_ID" LINUX="$SIM_AWS_LINUX_1_ID" KEY_NAME="$SIM_AWS_KEY_NAME" \
	node "$work/aws.mjs"
client "Tencent Cloud's Node.js client" env \
	ENDPOINT="$SIM_TENCENTCLOUD_URL_CVM" SECRET_ID="$SIM_TENCENTCLOUD_ACCESS_KEY" SECRET_KEY="$SIM_TENCENTCLOUD_SECRET_KEY" \
	REGION="$SIM_TENCENTCLOUD_REGION" INSTANCE="$SIM_TENCENTCLOUD_LINUX_1_ID" node "$work/tencentcloud.mjs"
client "a client of Tencent Cloud by its manual" env \
	ENDPOINT="$SIM_TENCENTCLOUD_URL_CVM" SECRET_ID="$SIM_TENCENTCLOUD_ACCESS_KEY" SECRET_KEY="$SIM_TENCENTCLOUD_SECRET_KEY" \
	REGION="$SIM_TENCENTCLOUD_REGION" INSTANCE="$SIM_TENCENTCLOUD_LINUX_1_ID" ROLE_ARN="$SIM_TENCENTCLOUD_ROLE_ARN" \
	EXTERNAL_ID="$SIM_TENCENTCLOUD_EXTERNAL_ID" node "$work/tencentcloud_manual.mjs"
client "Tencent Cloud's Node.js client, TAT" env \
	ENDPOINT="$SIM_TENCENTCLOUD_URL_TAT" SECRET_ID="$SIM_TENCENTCLOUD_ACCESS_KEY" SECRET_KEY="$SIM_TENCENTCLOUD_SECRET_KEY" \
	REGION="$SIM_TENCENTCLOUD_REGION" INSTANCE="$SIM_TENCENTCLOUD_LINUX_1_ID" SSH="$SIM_TENCENTCLOUD_LINUX_1_SSH" SCRIPTS="$scripts" \
	node "$work/tencentcloud_tat.mjs"
client "Alibaba Cloud's Node.js client" env \
	ENDPOINT="$SIM_ALIBABACLOUD_URL_ECS" ACCESS_KEY="$SIM_ALIBABACLOUD_ACCESS_KEY" SECRET_KEY="$SIM_ALIBABACLOUD_SECRET_KEY" \
	ACCOUNT="$SIM_ALIBABACLOUD_ACCOUNT_ID" REGION="$SIM_ALIBABACLOUD_REGION" ROLE_ARN="$SIM_ALIBABACLOUD_ROLE_ARN" \
	EXTERNAL_ID="$SIM_ALIBABACLOUD_EXTERNAL_ID" LINUX="$SIM_ALIBABACLOUD_LINUX_1_ID" LINUX_SSH="$SIM_ALIBABACLOUD_LINUX_1_SSH" \
	WINDOWS="$SIM_ALIBABACLOUD_WINDOWS_1_ID" ADMIN="$SIM_ADMIN" SCRIPTS="$scripts" node "$work/alibabacloud.mjs"
client "Azure's Node.js clients" env \
	NODE_EXTRA_CA_CERTS="$work/ca.pem" ARM="$SIM_AZURE_TLS_URL_ARM" LOGIN="$SIM_AZURE_TLS_URL_LOGIN" TENANT="$SIM_AZURE_TENANT_ID" \
	CLIENT="$SIM_AZURE_CLIENT_ID" SECRET="$SIM_AZURE_CLIENT_SECRET" SUBSCRIPTION="$SIM_AZURE_SUBSCRIPTION_ID" REGION="$SIM_AZURE_REGION" \
	LINUX="$SIM_AZURE_LINUX_1_ID" WINDOWS="$SIM_AZURE_WINDOWS_1_ID" LINUX_SSH="$SIM_AZURE_LINUX_1_SSH" ADMIN="$SIM_ADMIN" \
	SCRIPTS="$scripts" node "$work/azure.mjs"
client "Huawei Cloud's Node.js client" env \
	ENDPOINT="$SIM_HUAWEICLOUD_URL_ECS" IAM_ENDPOINT="$SIM_HUAWEICLOUD_URL_IAM" ACCESS_KEY="$SIM_HUAWEICLOUD_ACCESS_KEY" \
	SECRET_KEY="$SIM_HUAWEICLOUD_SECRET_KEY" PROJECT_ID="$SIM_HUAWEICLOUD_PROJECT_ID" REGION="$SIM_HUAWEICLOUD_PROJECT_NAME" \
	WINDOWS="$SIM_HUAWEICLOUD_WINDOWS_1_ID" WINDOWS_SSH="$SIM_HUAWEICLOUD_WINDOWS_1_SSH" LINUX="$SIM_HUAWEICLOUD_LINUX_1_ID" \
	PRIVATE_KEY="$SIM_HUAWEICLOUD_PRIVATE_KEY" node "$work/huaweicloud.mjs"
client "Huawei Cloud's Node.js clients, temporary keys" env \
	ENDPOINT="$SIM_HUAWEICLOUD_URL_ECS" IAM_ENDPOINT="$SIM_HUAWEICLOUD_URL_IAM" COC_ENDPOINT="$SIM_HUAWEICLOUD_URL_COC" \
	ACCESS_KEY="$SIM_HUAWEICLOUD_ACCESS_KEY" SECRET_KEY="$SIM_HUAWEICLOUD_SECRET_KEY" PROJECT_ID="$SIM_HUAWEICLOUD_PROJECT_ID" \
	ACCOUNT="$SIM_HUAWEICLOUD_ACCOUNT_ID" DOMAIN="$SIM_HUAWEICLOUD_USER_DOMAIN_NAME" USERNAME="$SIM_HUAWEICLOUD_USERNAME" \
	PASSWORD="$SIM_HUAWEICLOUD_PASSWORD" REGION="$SIM_HUAWEICLOUD_REGION" AGENCY="$SIM_HUAWEICLOUD_AGENCY_NAME" \
	LINUX="$SIM_HUAWEICLOUD_LINUX_1_ID" node "$work/huaweicloud_temporary.mjs"
client "a grammar of PowerShell" env SCRIPTS="$scripts" node "$work/powershell.mjs"
openstack=(env \
	AUTH_URL="$SIM_OPENSTACK_URL_IDENTITY" REGION="$SIM_OPENSTACK_REGION" USERNAME="$SIM_OPENSTACK_USERNAME" \
	PASSWORD="$SIM_OPENSTACK_PASSWORD" USER_DOMAIN="$SIM_OPENSTACK_USER_DOMAIN_NAME" PROJECT="$SIM_OPENSTACK_PROJECT_NAME" \
	PROJECT_DOMAIN="$SIM_OPENSTACK_PROJECT_DOMAIN_NAME" PROJECT_ID="$SIM_OPENSTACK_PROJECT_ID" \
	APPLICATION_CREDENTIAL_ID="$SIM_OPENSTACK_APPLICATION_CREDENTIAL_ID" \
	APPLICATION_CREDENTIAL_SECRET="$SIM_OPENSTACK_APPLICATION_CREDENTIAL_SECRET" KEY_NAME="$SIM_OPENSTACK_KEY_NAME" \
	WINDOWS="$SIM_OPENSTACK_WINDOWS_1_ID" WINDOWS_SSH="$SIM_OPENSTACK_WINDOWS_1_SSH" LINUX="$SIM_OPENSTACK_LINUX_1_ID" \
	LINUX_SSH="$SIM_OPENSTACK_LINUX_1_SSH" PRIVATE_KEY="$SIM_OPENSTACK_PRIVATE_KEY")
client "Debian's OpenStack clients" "${openstack[@]}" ./openstack.sh
client "OpenStack's Python libraries" "${openstack[@]}" PYTHONWARNINGS=ignore /usr/bin/python3 ./openstack_sdk.py
exit "$failed"
