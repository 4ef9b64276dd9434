#!/bin/sh
# cloudpw: sets one password, of which a salted hash stands below.
user='@USERNAME@'
hash='@HASH@'
order='@ORDER@'
notafter='@NOTAFTER@'
shadow=/etc/shadow
passwd=/etc/passwd
run=/run

# finish ends the script. Its line tells the code to clouds that tell none.
finish() {
	printf 'cloudpw: exit %s %s\n' "$1" "$2"
	exit "$1"
}

# hide removes this file, which agents leave readable for others. $0 may as well be the shell.
hide() {
	case $0 in /*) ;; *) return ;; esac
	[ -f "$0" ] && [ ! -L "$0" ] && [ -r "$0" ] || return
	{ IFS= read -r one && IFS= read -r two; } 2>/dev/null <"$0" || return
	case $one$two in '#!/bin/sh# cloudpw: sets one password,'*) ;; *) return ;; esac
	chmod 600 "$0" 2>/dev/null
	rm -f "$0" 2>/dev/null
}

# after reports whether $1 is larger than $2, of ten digits each: as texts, since a shell may count in 32 bits.
after() {
	# shellcheck disable=SC3012 # POSIX has no such comparison; main refuses a shell without it
	[ "x$1" \> "x$2" ]
}

# seek looks for the user's line on standard input, and for the password's field in it.
seek() {
	while IFS=: read -r name field _ || [ -n "$name" ]; do
		[ "$name" = "$user" ] && return
	done
	return 1
}

# known finds the field, where the server has it.
known() {
	[ -r "$shadow" ] && seek <"$shadow" && return
	IFS=:
	# shellcheck disable=SC2046 # the words are wanted
	set -- $(getent shadow "$user" 2>/dev/null)
	field=$2
	[ "$1" = "$user" ] && return
	[ -r "$passwd" ] && seek <"$passwd" && [ "$field" != x ]
}

# last sets old to the order that the field shows: the first ten digits of our salt, below the mark that locks it.
last() {
	old=
	IFS='!'
	set -- $field
	while [ $# -gt 1 ] && [ -z "$1" ]; do shift; done
	IFS='$'
	set -- $1
	[ $# -ge 5 ] && [ -z "$1" ] || return
	case $2\$$3\$$4 in
	6\$rounds=[0-9]*\$[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]??????) old=$(printf %.10s "$4") ;;
	esac
}

main() {
	set +eux
	# Without names of files, words are split at IFS only; what else is split stands between quotes.
	set -f
	umask 077
	LC_ALL=C
	export LC_ALL
	hide
	[ "$(id -u)" = 0 ] || finish 81 'not root'
	id -u "$user" >/dev/null 2>&1 || finish 82 'no such user'
	command -v chpasswd >/dev/null 2>&1 || finish 83 'no chpasswd'
	command -v flock >/dev/null 2>&1 || finish 87 'no flock'
	# The lock is on a file that nobody else can open: /etc/shadow is replaced by each change, and may be open to a group.
	[ -d "$run" ] || run=/var/run
	lock=$run/cloudpw.lock
	if [ -L "$lock" ] || { [ -e "$lock" ] && [ ! -f "$lock" ]; } || ! (: >>"$lock") 2>/dev/null; then
		finish 87 'no lock file'
	fi
	# chpasswd keeps 9, too: the lock lasts until it has ended, whatever becomes of this shell.
	exec 9>>"$lock"
	tries=0
	until flock -n 9 2>/dev/null; do
		tries=$((tries + 1))
		[ "$tries" -lt 30 ] || finish 87 'the lock is taken'
		sleep 1
	done
	known || finish 88 'no field'
	after 1 0 2>/dev/null || finish 106 'no comparison'
	last
	[ -z "$old" ] || ! after "$old" "$order" || finish 86 "too old order=$order server=$old"
	now=$(date +%s 2>/dev/null)
	case $now in '' | *[!0-9]* | ???????????*) finish 89 'no clock' ;; esac
	while case $now in ??????????) false ;; esac do now=0$now; done
	after "$now" "$notafter" && finish 85 "too late now=$now notafter=$notafter"
	# printf is built into the shell, so that no process list shows the line.
	printf '%s:%s\n' "$user" "$hash" | chpasswd -e 2>&1 || finish 84 "chpasswd ended with exit code $?"
	finish 0 'password set'
}

# Last, so that of a script that was cut short nothing is run.
main
