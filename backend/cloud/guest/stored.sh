# shellcheck shell=sh disable=SC2154 # a part of a script, whose variables stand in the others
# decode reads base64.
decode() {
	if command -v base64 >/dev/null; then
		base64 -d
	elif command -v openssl >/dev/null; then
		openssl base64 -d -A
	else
		busybox base64 -d
	fi 2>/dev/null
}

damaged() {
	finish 104 "$1 did not arrive"
}

# open sets opened to what $1 is in base64, without the colon that ends it and shows that it is whole. $2 is its name.
open() {
	case $1 in '' | *[!0-9A-Za-z+/=]*) damaged "$2" ;; esac
	opened=$(printf %s "$1" | decode)
	what=$2
	case $opened in *:) ;; *) damaged "$what" ;; esac
	IFS=:
	set -- $opened
	[ $# -eq 1 ] && [ -n "$1" ] || damaged "$what"
	opened=$1
}

