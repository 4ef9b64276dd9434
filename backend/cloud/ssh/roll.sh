#!/bin/sh
# cloudpw: adds or removes one line of this user's authorized_keys. It has no secret in it.
action='@ACTION@'
old='@OLD@'
new='@NEW@'
comment='@COMMENT@'
dir=$HOME/.ssh
file=$dir/authorized_keys
temp=$dir/authorized_keys.cloudpw

# finish ends the script. Its line tells the outcome.
finish() {
	printf '\ncloudpw: exit %s %s\n' "$1" "$2"
	exit "$1"
}

# blanks skips those at the start of rest.
blanks() {
	while case $rest in ' '* | "$tab"*) true ;; *) false ;; esac do rest=${rest#?}; done
}

# options skips those at the start of rest: up to a blank outside of quotation marks.
options() {
	quoted=
	while [ -n "$rest" ]; do
		case $rest in
		'\"'*) rest=${rest#?} ;;
		'"'*) if [ -n "$quoted" ]; then quoted=; else quoted=1; fi ;;
		' '* | "$tab"*) [ -n "$quoted" ] || break ;;
		esac
		rest=${rest#?}
	done
}

# split takes a line apart as sshd does: what stands before the key, and the key's type and base64. Without a key, key is empty.
split() {
	rest=$1 key=
	blanks
	case $rest in '' | '#'*) return ;; esac
	case $rest in
	ssh-* | ecdsa-* | sk-*) ;;
	*)
		options
		blanks
		;;
	esac
	before=${1%"$rest"}
	type=${rest%%[" $tab"]*}
	rest=${rest#"$type"}
	blanks
	key="$type ${rest%%[" $tab$cr"]*}"
}

# look goes through the file: whether the lines of the two keys are there, and what stands before the first of the old one.
look() {
	had_old='' had_new='' prefix='' dropped=0
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in *"${old#* }"* | *"${new#* }"*) split "$line" ;; *) continue ;; esac
		case $key in
		"$new") had_new=1 ;;
		"$old")
			[ -n "$had_old" ] || prefix=$before
			had_old=1 dropped=$((dropped + ${#line} + 1))
			;;
		esac
	done
}

# without copies all lines but those of the old key.
without() {
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		*"${old#* }"*)
			split "$line"
			[ "$key" != "$old" ] || continue
			;;
		esac
		printf '%s\n' "$line" || return
	done
}

# state sets mode and owner of a file.
state() {
	# shellcheck disable=SC2046 # the words are wanted
	set -- $(ls -ldn "$1" 2>/dev/null)
	mode=$1 owner=$3
}

# size is that of a file, in bytes.
size() { wc -c <"$1" 2>/dev/null; }

# check refuses a file that is not plainly this user's own.
check() {
	[ -n "$HOME" ] || finish 61 'no home'
	if [ -L "$dir" ] || [ -L "$file" ]; then finish 62 'a symbolic link'; fi
	if [ ! -d "$dir" ] || [ ! -f "$file" ] || [ ! -r "$file" ]; then finish 64 'no file'; fi
	me=$(id -u)
	state "$dir"
	[ "$owner" = "$me" ] || finish 63 'of another owner'
	state "$file"
	[ "$owner" = "$me" ] || finish 63 'of another owner'
}

# lock keeps other runs of this script away until this one has ended, and its children.
lock() {
	command -v flock >/dev/null 2>&1 || finish 65 'no flock'
	[ -r "$dir" ] || finish 64 'no directory to read'
	exec 9<"$dir"
	tries=0
	until flock -n 9 2>/dev/null; do
		tries=$((tries + 1))
		[ "$tries" -lt 8 ] || finish 66 'the lock is taken'
		sleep 1
	done
}

# replace puts the temporary file in place, once it is whole, on disk, and made of what the file still is.
replace() {
	[ "$(($(size "$temp")))" = "$1" ] || finish 71 'the copy is another than planned'
	case $mode in ??w*) ;; *) chmod u-w "$temp" 2>/dev/null || finish 69 'the mode cannot be kept' ;; esac
	sync "$temp" 2>/dev/null || sync
	[ "$(cksum <"$file" 2>/dev/null)" = "$seen" ] || finish 70 'changed meanwhile'
	mv -f "$temp" "$file" 2>/dev/null || finish 69 'the file cannot be replaced'
	sync "$dir" 2>/dev/null || sync
}

main() {
	set +eux
	# Without names of files, words are split at blanks only.
	set -f
	umask 077
	LC_ALL=C
	export LC_ALL
	tab=$(printf '\t')
	cr=$(printf '\r')
	check
	lock
	check
	seen=$(cksum <"$file" 2>/dev/null)
	look <"$file"
	case $action in
	add) [ -z "$had_new" ] || finish 0 'there already' ;;
	drop) [ -n "$had_old" ] || finish 0 'gone already' ;;
	*) finish 72 'no such action' ;;
	esac
	# Each is what the other one is to be believed for: where the old key's line is elsewhere, so is the file that sshd reads.
	[ -n "$had_old" ] || finish 67 'no line of the old key'
	[ "$action" = add ] || [ -n "$had_new" ] || finish 68 'no line of the new key'
	trap 'rm -f "$temp"' EXIT
	trap 'exit 1' HUP INT PIPE TERM
	rm -f "$temp"
	# The copy takes over owner, mode and access list.
	{ cp -p "$file" "$temp" && chmod u+w "$temp"; } 2>/dev/null || finish 69 'no copy can be made'
	length=$(($(size "$file")))
	[ -z "$(tail -c 1 "$file")" ] || length=$((length + 1))
	if [ "$action" = drop ]; then
		without 2>/dev/null <"$file" >"$temp" || finish 69 'the copy cannot be written'
		replace $((length - dropped))
		finish 0 'removed'
	fi
	line="$prefix$new $comment"
	{
		[ -z "$(tail -c 1 "$file")" ] || printf '\n'
		printf '%s\n' "$line"
	} 2>/dev/null >>"$temp" || finish 69 'the copy cannot be written'
	replace $((length + ${#line} + 1))
	finish 0 'added'
}

# Last, so that of a script that was cut short nothing is run.
main
