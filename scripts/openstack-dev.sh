#!/usr/bin/env bash
# Runs a real Keystone, Nova, Placement and Glance from Debian's packages, on the loopback interface alone and without
# systemd, to test the provider openstack against:
#
#	scripts/openstack-dev.sh install          # once, as root: Debian 12's packages
#	scripts/openstack-dev.sh up DIRECTORY     # some minutes; everything it writes is in DIRECTORY
#	CLOUDPW_OPENSTACK_RC=DIRECTORY/user.rc CLOUDPW_OPENSTACK_KEY=DIRECTORY/key.pem make test-openstack
#	CLOUDPW_OPENSTACK_RC=DIRECTORY/application-credential.rc ... make test-openstack
#	scripts/openstack-dev.sh down DIRECTORY   # ends the processes; remove DIRECTORY to start again
#
# Nova's compute service runs with the virtualization driver `fake`, which Nova's own tests use: its servers are records
# without a guest. This script does what a Windows guest does at its first boot, with the same request to Nova's
# metadata service. An empty list of ports replaces the network service, since Nova asks for the ports of every server;
# servers are made with `--nic none`.
#
# It runs its own instances of MariaDB and RabbitMQ. If Debian starts those that it installs, they are not used.
# Its ports begin at OPENSTACK_DEV_PORT, by default 25000. The passwords in DIRECTORY are random and good for nothing else.
set -euo pipefail

base=${OPENSTACK_DEV_PORT:-25000}
keystone=http://127.0.0.1:$base
nova=http://127.0.0.1:$((base + 1))
metadata=http://127.0.0.1:$((base + 2))
placement=http://127.0.0.1:$((base + 3))
glance=http://127.0.0.1:$((base + 4))
network=http://127.0.0.1:$((base + 8))
amqp_port=$((base + 5)) erlang_port=$((base + 6)) epmd_port=$((base + 7))
region=RegionOne
python=/usr/bin/python3

usage() {
	sed -n '2,19s/^#\t\{0,1\} \{0,1\}//p' "$0"
	exit 2
}

# The Python parts alone, where a service's package would start it and ask for a database.
install_packages() {
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		python3-keystone python3-nova python3-placement python3-glance python3-waitress python3-pymysql \
		python3-openstackclient python3-novaclient mariadb-server rabbitmq-server curl openssl
}

# start NAME COMMAND...: in the background; its output is in log/NAME.
start() {
	local name=$1
	shift
	"$@" >>"$dir/log/$name" 2>&1 </dev/null 3>&- 4>&- &
	echo $! >"$dir/pid/$name"
}

# await NAME COMMAND...: until the command succeeds.
await() {
	local name=$1
	shift
	for _ in $(seq 300); do
		if "$@" >/dev/null 2>&1; then return; fi
		if [ -e "$dir/pid/$name" ] && ! kill -0 "$(cat "$dir/pid/$name")" 2>/dev/null; then break; fi
		sleep 0.3
	done
	echo "$name does not answer; see $dir/log/$name" >&2
	exit 1
}

# entry MODULE NAME: the Python text of the script NAME that the service's own package would bring.
entry() { echo "import sys; from $1 import main; sys.argv[0] = '$2'; sys.exit(main())"; }

# serve URL MODULE FUNCTION: the Python text that serves an application which other installations run under a web server.
serve() { echo "import waitress; from $2 import $3 as make; waitress.serve(make(), listen='${1#http://}')"; }

# none URL: the Python text that answers every question about networks with "none".
none() {
	cat <<-END
		import waitress
		def none(environ, start):
		    start('200 OK', [('Content-Type', 'application/json')])
		    return [b'{"ports": [], "networks": [], "extensions": [], "security_groups": [], "floatingips": []}']
		waitress.serve(none, listen='${1#http://}')
	END
}

nova_manage() { "$python" -c "$(entry nova.cmd.manage nova-manage)" --config-file "$dir/etc/nova.conf" "$@"; }
keystone_manage() { keystone-manage --config-file "$dir/etc/keystone.conf" "$@"; }
database() { echo "mysql+pymysql://root@localhost/$1?unix_socket=$dir/db/socket"; }
service_user() {
	cat <<-END
		auth_url = $keystone/v3
		auth_type = password
		user_domain_name = Default
		project_domain_name = Default
		project_name = service
		username = nova
		password = $secret
		region_name = $region
	END
}

configure() {
	cat >"$dir/etc/keystone.conf" <<-END
		[database]
		connection = $(database keystone)
		[fernet_tokens]
		key_repository = $dir/state/fernet
		[credential]
		key_repository = $dir/state/credential
	END
	cat >"$dir/etc/placement.conf" <<-END
		[placement_database]
		connection = $(database placement)
		[keystone_authtoken]
		$(service_user)
	END
	cat >"$dir/etc/glance.conf" <<-END
		[DEFAULT]
		bind_host = 127.0.0.1
		bind_port = ${glance##*:}
		workers = 0
		[database]
		connection = $(database glance)
		[glance_store]
		stores = file
		default_store = file
		filesystem_store_datadir = $dir/state/images
		[paste_deploy]
		flavor = keystone
		config_file = $dir/package/usr/share/glance-common/glance-api-paste.ini
		[keystone_authtoken]
		www_authenticate_uri = $keystone
		$(service_user)
	END
	cat >"$dir/etc/nova.conf" <<-END
		[DEFAULT]
		host = loopback
		my_ip = 127.0.0.1
		state_path = $dir/state
		compute_driver = fake.FakeDriver
		transport_url = rabbit://guest:guest@127.0.0.1:$amqp_port/
		enabled_apis = osapi_compute,metadata
		osapi_compute_listen = 127.0.0.1
		osapi_compute_listen_port = ${nova##*:}
		osapi_compute_workers = 1
		metadata_listen = 127.0.0.1
		metadata_listen_port = ${metadata##*:}
		metadata_workers = 1
		[conductor]
		workers = 1
		[scheduler]
		workers = 1
		[api_database]
		connection = $(database nova_api)
		[database]
		connection = $(database nova)
		[wsgi]
		api_paste_config = $dir/package/usr/share/nova-common/api-paste.ini
		[oslo_concurrency]
		lock_path = $dir/state/lock
		[neutron]
		service_metadata_proxy = true
		metadata_proxy_shared_secret = $secret
		$(service_user)
		[keystone_authtoken]
		www_authenticate_uri = $keystone
		service_type = compute
		$(service_user)
		[oslo_policy]
		enforce_new_defaults = true
		enforce_scope = true
		[placement]
		$(service_user)
		[glance]
		$(service_user)
	END
}

# The two services that the others share: a database on a socket, and a broker whose ports are on the loopback interface.
start_backing() {
	local user
	user=$(id -un)
	if [ ! -e "$dir/db/mysql" ]; then
		mariadb-install-db --no-defaults --user="$user" --datadir="$dir/db" --auth-root-authentication-method=normal >"$dir/log/mariadb-install"
	fi
	start mariadb mariadbd --no-defaults --user="$user" --datadir="$dir/db" --socket="$dir/db/socket" --skip-networking
	export HOME=$dir/state/rabbitmq ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$epmd_port \
		RABBITMQ_NODENAME=cloudpw@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT=$amqp_port \
		RABBITMQ_DIST_PORT=$erlang_port RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}" \
		RABBITMQ_MNESIA_BASE=$dir/state/rabbitmq RABBITMQ_LOG_BASE=$dir/log RABBITMQ_CONFIG_FILE=$dir/etc/rabbitmq.conf \
		RABBITMQ_CONF_ENV_FILE=$dir/etc/rabbitmq-env.conf RABBITMQ_ENABLED_PLUGINS_FILE=$dir/etc/enabled_plugins
	: >"$RABBITMQ_CONFIG_FILE"
	: >"$RABBITMQ_CONF_ENV_FILE"
	echo "[]." >"$RABBITMQ_ENABLED_PLUGINS_FILE"
	start rabbitmq /usr/lib/rabbitmq/bin/rabbitmq-server
	await mariadb mariadb --no-defaults -u root -S "$dir/db/socket" -e ""
	for name in keystone placement glance nova nova_api nova_cell0; do
		mariadb --no-defaults -u root -S "$dir/db/socket" -e "create database if not exists $name character set utf8mb3"
	done
	await rabbitmq bash -c "</dev/tcp/127.0.0.1/$amqp_port"
}

start_keystone() {
	keystone_manage db_sync
	keystone_manage fernet_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
	keystone_manage credential_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
	keystone_manage bootstrap --bootstrap-password "$secret" --bootstrap-region-id "$region" --bootstrap-admin-url "$keystone/v3" \
		--bootstrap-internal-url "$keystone/v3" --bootstrap-public-url "$keystone/v3"
	OS_KEYSTONE_CONFIG_FILES=$dir/etc/keystone.conf start keystone "$python" -c "$(serve "$keystone" keystone.server.wsgi initialize_public_application)"
	await keystone curl -sf "$keystone/v3"
}

# rc FILE NAME=VALUE...: writes an rc file and sets its variables.
rc() {
	local file=$1
	shift
	printf 'export OS_%s\n' "AUTH_URL=$keystone/v3" IDENTITY_API_VERSION=3 "REGION_NAME=$region" "$@" >"$file"
}
as() {
	local file=$1
	shift
	(
		# shellcheck disable=SC1090 # written by rc
		. "$file"
		"$@"
	)
}
admin() { as "$dir/admin.rc" "$@"; }

# register NAME TYPE URL: puts a service into the catalogue.
register() {
	admin openstack service create --name "$1" "$2"
	admin openstack endpoint create --region "$region" "$2" public "$3"
}

start_rest() {
	rc "$dir/admin.rc" USERNAME=admin "PASSWORD=$secret" PROJECT_NAME=admin USER_DOMAIN_NAME=Default PROJECT_DOMAIN_NAME=Default
	admin openstack project create service
	admin openstack user create --password "$secret" nova
	admin openstack role add --user nova --project service admin
	register placement placement "$placement"
	register glance image "$glance"
	register neutron network "$network"
	start network "$python" -c "$(none "$network")"
	register nova compute "$nova/v2.1"

	placement-manage --config-file "$dir/etc/placement.conf" db sync
	OS_PLACEMENT_CONFIG_DIR=$dir/etc start placement "$python" -c "$(serve "$placement" placement.wsgi init_application)"
	"$python" -c "$(entry glance.cmd.manage glance-manage)" --config-file "$dir/etc/glance.conf" db_sync
	start glance "$python" -c "$(entry glance.cmd.api glance-api)" --config-file "$dir/etc/glance.conf"
	nova_manage api_db sync
	nova_manage cell_v2 map_cell0 --database_connection "$(database nova_cell0)"
	nova_manage db sync
	nova_manage cell_v2 create_cell --name cell1
	for name in conductor scheduler compute api; do
		start "nova-$name" "$python" -c "$(entry "nova.cmd.$name" "nova-$name")" --config-file "$dir/etc/nova.conf"
	done
	await glance curl -s "$glance"
	await nova-api curl -sf "$nova/v2.1/"
	await nova-compute eval "nova_manage cell_v2 discover_hosts && admin openstack hypervisor show loopback"
}

# server RC NAME OPTION...: makes a server and prints its id.
server() {
	local file=$1 name=$2
	shift 2
	as "$file" openstack --os-compute-api-version 2.37 server create --flavor tiny --image image --nic none --wait -f value -c id "$@" "$name" | tr -d '\n'
}

# deliver SERVER PROJECT PASSWORD: does what Cloudbase-Init does at a server's first boot.
deliver() {
	printf %s "$3" | openssl pkeyutl -encrypt -pubin -inkey "$dir/key.pub.pem" | base64 -w 0 | curl -sf -X POST --data-binary @- \
		-H "X-Forwarded-For: 127.0.0.1" -H "X-Instance-ID: $1" -H "X-Tenant-ID: $2" \
		-H "X-Instance-ID-Signature: $(printf %s "$1" | openssl dgst -sha256 -hmac "$secret" -r | cut -d' ' -f1)" \
		"$metadata/openstack/latest/password"
}

# What the tests need: two projects with users and servers, a key pair, and the rc files.
populate() {
	local project
	: >"$dir/state/image"
	admin openstack image create --disk-format raw --container-format bare --public --file "$dir/state/image" image
	admin openstack flavor create --ram 64 --disk 1 --vcpus 1 tiny
	openssl genrsa -traditional -out "$dir/key.pem" 2048
	openssl rsa -in "$dir/key.pem" -pubout -out "$dir/key.pub.pem"
	chmod 600 "$dir/key.pem"
	ssh-keygen -y -f "$dir/key.pem" >"$dir/key.pub"
	for name in cloudpw other; do
		admin openstack project create "$name"
		for role in member reader; do
			admin openstack user create --password "$secret" "$name-$role"
			admin openstack role add --user "$name-$role" --project "$name" "$role"
			rc "$dir/$name-$role.rc" "USERNAME=$name-$role" "PASSWORD=$secret" "PROJECT_NAME=$name" USER_DOMAIN_NAME=Default PROJECT_DOMAIN_NAME=Default
		done
		as "$dir/$name-member.rc" openstack keypair create --public-key "$dir/key.pub" key
	done
	project=$(admin openstack project show -f value -c id cloudpw)
	windows=$(server "$dir/cloudpw-member.rc" windows-1 --key-name key --property os_type=Windows --property env=prod)
	server "$dir/cloudpw-member.rc" linux-1 --key-name key --property os_type=Linux --property env=test
	server "$dir/other-member.rc" windows-other --key-name key
	deliver "$windows" "$project" "First-boot-1"
	{
		read -r id
		read -r applied
	} < <(as "$dir/cloudpw-member.rc" openstack application credential create --unrestricted cloudpw -f value -c id -c secret)
	rc "$dir/application-credential.rc" AUTH_TYPE=v3applicationcredential "APPLICATION_CREDENTIAL_ID=$id" "APPLICATION_CREDENTIAL_SECRET='$applied'"
	cp "$dir/cloudpw-member.rc" "$dir/user.rc"
}

up() {
	dir=$1
	[ ! -e "$dir/user.rc" ] || { echo "$dir holds one already; end it with: $0 down $dir, and remove the directory" >&2; exit 1; }
	umask 077
	mkdir -p "$dir"/{db,etc,log,package,pid,state/images,state/rabbitmq}
	dir=$(cd "$dir" && pwd)
	secret=$(openssl rand -hex 16)
	echo "$secret" >"$dir/secret"
	echo "$epmd_port" >"$dir/epmd-port"
	# Two files of the services' packages, without installing these.
	(cd "$dir/package" && apt-get download -q nova-common glance-common && for package in *.deb; do dpkg-deb -x "$package" .; done) >"$dir/log/package" 2>&1
	configure
	exec 3>&1 4>&2 >>"$dir/log/up" 2>&1
	trap 'echo "It did not come up; see $dir/log/up, and then: $0 down $dir" >&4' EXIT
	start_backing
	start_keystone
	start_rest
	populate
	trap - EXIT
	exec >&3 2>&4 3>&- 4>&-
	echo "Run: CLOUDPW_OPENSTACK_RC=$dir/user.rc CLOUDPW_OPENSTACK_KEY=$dir/key.pem make test-openstack"
}

down() {
	local pids=()
	for file in "$1"/pid/*; do
		[ -e "$file" ] || continue
		pids+=("$(cat "$file")")
		rm -f "$file"
	done
	[ "${#pids[@]}" -gt 0 ] || return 0
	kill "${pids[@]}" 2>/dev/null || true
	for _ in $(seq 100); do # the broker's name server ends only after the broker
		kill -0 "${pids[@]}" 2>/dev/null || break
		sleep 0.2
	done
	ERL_EPMD_PORT=$(cat "$1/epmd-port") epmd -kill >/dev/null
}

case ${1:-} in
install) [ $# = 1 ] || usage; install_packages ;;
up) [ $# = 2 ] || usage; up "$2" ;;
down) [ $# = 2 ] || usage; down "$2" ;;
*) usage ;;
esac
