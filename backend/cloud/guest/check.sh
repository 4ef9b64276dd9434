#!/bin/sh
# cloudpw: look whether the password of one account is still right. This only reads; nothing in it is secret.
user='@USERNAME@'
nonce='@NONCE@'
shadow=/etc/shadow
sshd=/usr/sbin/sshd

# finish ends the script. Its line tells the code to clouds that tell none.
finish() {
	printf 'cloudpw: exit %s %s\n' "$1" "$2"
	exit "$1"
}

say() {
	printf 'cloudpw: %s=%s\n' "$1" "$2"
}

number() {
	case $2 in
	'' | *[!0-9-]*) ;;
	*) say "$1" "$2" ;;
	esac
}

# digest prints the SHA-256 of standard input, and more behind it; nothing if there is no tool for it.
digest() {
	if command -v sha256sum >/dev/null 2>&1; then
		sha256sum
	elif command -v openssl >/dev/null 2>&1; then
		openssl dgst -sha256 -r
	elif command -v busybox >/dev/null 2>&1; then
		busybox sha256sum
	fi 2>/dev/null
}

# password tells what kind of field $1 is. Of a hash it prints all but its last part, and a digest of it.
password() {
	entry=$1
	IFS='!'
	set -- $entry
	while [ $# -gt 0 ] && [ -z "$1" ]; do shift; done
	bare="$*"
	# Splitting loses what no hash has: a mark further behind, and an end that is empty.
	case $entry in
	*[!!]*'!'* | *\$) bare=other ;;
	esac
	IFS='$'
	set -- $bare
	case $entry in
	'!'*) say locked yes ;;
	esac
	setting=
	case $bare in
	'')
		if [ -n "$entry" ]; then
			say password off
		else
			say password empty
		fi
		;;
	'*'*) say password off ;;
	\$[156]\$?*\$?* | \$[56]\$\$?* | \$1\$\$?* | \$y\$?*\$?*\$?*)
		while [ $# -gt 2 ]; do
			shift
			setting=$setting\$$1
		done
		;;
	\$2[aby]\$[0-9][0-9]\$?????????????????????????????????????????????????????) setting=$(printf %.29s "$bare") ;;
	*)
		scheme=other
		for known in 2x 3 7 argon2d argon2i argon2id gy md5 sha1; do
			case $bare in
			"\$$known"[\$,]*) scheme=$known ;;
			esac
		done
		say password "$scheme"
		;;
	esac
	[ -n "$setting" ] || return 0
	say password hash
	say setting "$setting"
	# printf is built into the shell, so that no process list shows the hash.
	printf '%s:%s' "$nonce" "$bare" | digest | {
		IFS=' ' read -r sum _
		say digest "$sum"
	}
}

# logins tells what sshd makes of passwords, where it says so itself.
logins() {
	[ -x "$sshd" ] || return 0
	"$sshd" -T -C "user=$user,host=client.invalid,addr=192.0.2.1,laddr=192.0.2.2,lport=22" 2>/dev/null | while IFS=' ' read -r key value; do
		case $key in
		passwordauthentication | kbdinteractiveauthentication | challengeresponseauthentication | usepam | permitrootlogin | \
			authenticationmethods) say "sshd $key" "$value" ;;
		esac
	done
}

main() {
	set +x
	# Without names of files, words are split at IFS only; what else is split stands between quotes.
	set -f
	[ "$(id -u)" = 0 ] || finish 101 'not root'
	[ -r "$shadow" ] || finish 102 'the shadow file cannot be read'
	found=''
	opened=''
	{
		opened=yes
		while IFS=: read -r name field changed _ max _ inactive expires _ || [ -n "$name" ]; do
			[ "$name" = "$user" ] && found=yes && break
		done
	} <"$shadow"
	[ -n "$opened" ] || finish 102 'the shadow file cannot be read'
	uid=$(id -u "$user" 2>/dev/null)
	if [ -z "$uid" ]; then
		say user none
	elif [ -z "$found" ]; then
		say user foreign
	else
		say user local
		number uid "$uid"
		number now "$(date +%s 2>/dev/null)"
		number changed "$changed"
		number max "$max"
		number inactive "$inactive"
		number expires "$expires"
		password "$field"
		logins
	fi
	echo 'cloudpw: exit 0 checked'
}

# Last, so that of a script that was cut short nothing is run.
main
