#!/bin/sh
# cloudpw: set the password of one account. What stands below is a salted hash and no password.
user='@USERNAME@'
hash='@HASH@'

fail() {
	printf 'cloudpw: %s\n' "$2"
	exit "$1"
}

main() {
	set +x
	[ "$(id -u)" = 0 ] || fail 81 'not root'
	id -u "$user" >/dev/null 2>&1 || fail 82 'no such user'
	command -v chpasswd >/dev/null 2>&1 || fail 83 'no chpasswd'
	# printf is built into the shell, so that no process list shows the line.
	printf '%s:%s\n' "$user" "$hash" | chpasswd -e 2>&1 || fail 84 "chpasswd ended with exit code $?"
	echo 'cloudpw: password set'
}

# Last, so that of a script that was cut short nothing is run.
main
