#!/bin/sh
# A real OpenSSH server on a loopback port of this machine: Debian's sshd, PAM, sudo and shadow files, with users of its own. It has a
# private /etc, /home, /root, /run, /tmp and /var/log in memory, and its own processes and host name. Nothing of the machine's is
# changed, and everything ends with the process of `run`. Needs root.
#
#	scripts/real-sshd.sh check                      prints what is missing here; fails if anything is
#	scripts/real-sshd.sh run [OPTION...] PORT       the server, until it is killed (by SIGKILL: it ignores others)
#	scripts/real-sshd.sh enter PID COMMAND...       a command in the server whose `run` has this process id
#
# Options of run:
#	--name NAME         the host name (server)
#	--address ADDRESS   where it listens (127.0.0.1)
#	--admin USER        who may log in with --key, and use sudo without a password unless --sudo says otherwise (admin); root may be
#	--key LINE          a line of the admin's authorized_keys; may be repeated
#	--user USER         makes a user; may be repeated
#	--sudo LINE         a line of sudoers instead of the admin's usual one; may be repeated; an empty one: no sudo
#	--option LINE       a line at the beginning of sshd_config, where it wins; may be repeated
#	--faillock          pam_faillock locks a user after three wrong passwords, as Debian's manual page has it
#	--etc-size SIZE     the size of the file system under /etc (4m)
#
# First passwords come on standard input, as lines of chpasswd: user:password.
set -eu

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")

missing() {
	[ "$(id -u)" = 0 ] || echo "It needs root: a server of one's own has users and mounts."
	for tool in unshare:util-linux nsenter:util-linux mount:mount sshd:openssh-server ssh-keygen:openssh-client sudo:sudo chpasswd:passwd useradd:passwd flock:util-linux; do
		command -v "${tool%%:*}" >/dev/null || echo "${tool%%:*} is missing: apt-get install ${tool##*:}"
	done
	if [ "$(id -u)" = 0 ] && command -v unshare >/dev/null && ! unshare --mount --pid --fork --uts true 2>/dev/null; then
		echo "This machine gives no namespaces (unshare --mount --pid --uts)."
	fi
}

check() {
	reasons=$(missing)
	[ -n "$reasons" ] || return 0
	printf '%s\n' "$reasons"
	return 1
}

# run leaves the rest to the process in the namespaces, which ends with this one.
run() {
	check >&2
	exec unshare --mount --pid --uts --fork --kill-child --mount-proc -- "$self" serve "$@"
}

enter() {
	server=$1
	shift
	exec nsenter --target "$server" --mount --uts "--pid=/proc/$server/ns/pid_for_children" -- "$@"
}

# memory SIZE MODE PATH: an empty file system there.
memory() { mount -t tmpfs -o "size=$1,mode=$2,nosuid,nodev" cloudpw "$3"; }

# etc makes a private /etc of what sshd, PAM and sudo read of the machine's, with the accounts that packages have made.
etc() {
	memory 4m 755 /mnt
	for file in alternatives bash.bashrc debian_version default/locale environment host.conf ld.so.cache ld.so.conf ld.so.conf.d localtime \
		login.defs networks nsswitch.conf os-release pam.conf pam.d profile profile.d protocols security selinux services shells skel ssl/openssl.cnf; do
		[ -e "/etc/$file" ] || continue
		mkdir -p "/mnt/$(dirname "$file")"
		cp -a "/etc/$file" "/mnt/$file"
	done
	mkdir -p /mnt/ssh /mnt/sudoers.d
	awk -F: '$3 < 1000 || $3 == 65534' /etc/passwd >/mnt/passwd
	awk -F: '$3 < 1000 || $3 == 65534' /etc/group >/mnt/group
	cut -d : -f 1 /mnt/passwd | sed 's/$/:*:19700:0:99999:7:::/' >/mnt/shadow
	chmod 640 /mnt/shadow
	printf '127.0.0.1 localhost %s\n' "$1" >/mnt/hosts
	printf '%s\n' "$1" >/mnt/hostname
	mount --move /mnt /etc
	mount -o "remount,size=$etc_size" /etc
}

# faillock turns pam_faillock on for whatever logs in with a password.
faillock() {
	cat >/etc/pam.d/common-auth <<-'END'
		auth required pam_faillock.so preauth
		auth [success=1 default=ignore] pam_unix.so nullok
		auth [default=die] pam_faillock.so authfail
		auth sufficient pam_faillock.so authsucc
		auth required pam_deny.so
	END
	sed -i '1i account required pam_faillock.so' /etc/pam.d/common-account
	printf 'deny = 3\nunlock_time = 600\neven_deny_root\n' >/etc/security/faillock.conf
}

serve() {
	name=server address=127.0.0.1 admin=admin etc_size=4m
	keys='' users='' options='' sudoers='' faillock=''
	newline='
'
	while [ $# -gt 1 ]; do
		case $1 in
		--name) name=$2 ;;
		--address) address=$2 ;;
		--admin) admin=$2 ;;
		--key) keys=$keys$2$newline ;;
		--user) users="$users $2" ;;
		--sudo) sudoers=$sudoers$2$newline ;;
		--option) options=$options$2$newline ;;
		--etc-size) etc_size=$2 ;;
		--faillock)
			faillock=yes
			shift
			continue
			;;
		*)
			echo "$0: unknown option $1" >&2
			exit 2
			;;
		esac
		shift 2
	done
	port=$1

	mount --make-rprivate /
	hostname "$name"
	etc "$name"
	memory 8m 755 /run
	memory 8m 755 /home
	memory 8m 700 /root
	memory 8m 755 /var/log
	[ ! -d /var/lib/sudo ] || memory 1m 700 /var/lib/sudo
	mkdir -p /run/sshd /run/lock
	touch /var/log/btmp /var/log/wtmp /var/log/lastlog /run/utmp
	chmod 660 /var/log/btmp

	[ "$admin" = root ] || users="$users $admin"
	for user in $users; do useradd --create-home --shell /bin/bash "$user"; done
	# An account that has never had a password must still be one that logs in by key: "*" is not locked, "!" is.
	[ "$admin" = root ] || usermod --password '*' "$admin"
	home=$(getent passwd "$admin" | cut -d : -f 6)
	mkdir -p "$home/.ssh"
	printf %s "$keys" >"$home/.ssh/authorized_keys"
	chmod 700 "$home/.ssh"
	chmod 600 "$home/.ssh/authorized_keys"
	chown -R "$admin:" "$home/.ssh"
	[ -n "$sudoers" ] || sudoers="$admin ALL=(ALL) NOPASSWD: ALL$newline"
	printf '%s' "Defaults env_reset${newline}Defaults secure_path=\"$PATH\"${newline}root ALL=(ALL:ALL) ALL$newline$sudoers" >/etc/sudoers
	chmod 440 /etc/sudoers
	chpasswd
	[ -z "$faillock" ] || faillock

	for type in ed25519 ecdsa; do ssh-keygen -q -t "$type" -N '' -C "$name" -f "/etc/ssh/ssh_host_${type}_key"; done
	printf '%s' "$options" >/etc/ssh/sshd_config
	cat >>/etc/ssh/sshd_config <<-END
		ListenAddress $address
		Port $port
		HostKey /etc/ssh/ssh_host_ed25519_key
		HostKey /etc/ssh/ssh_host_ecdsa_key
		UsePAM yes
		KbdInteractiveAuthentication no
		PermitRootLogin prohibit-password
		PrintMotd no
		PrintLastLog no
		MaxStartups 200
		AcceptEnv LANG LC_*
	END
	# OpenSSH 9.8 and later shut out an address that often fails; here all clients have one.
	! echo 'PerSourcePenalties no' | sshd -t -f /dev/stdin 2>/dev/null || echo 'PerSourcePenalties no' >>/etc/ssh/sshd_config
	memory 8m 1777 /tmp
	cd /
	exec /usr/sbin/sshd -D -e
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
check | run | enter | serve) "$command" "$@" ;;
*)
	echo "usage: $0 check | run [OPTION...] PORT | enter PID COMMAND..." >&2
	exit 2
	;;
esac
