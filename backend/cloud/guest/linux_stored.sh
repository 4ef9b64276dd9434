# shellcheck shell=sh disable=SC2154 # a part of a script, whose variables stand in the others
# receive takes the values as the cloud hands them over: put in their place above, or in the environment.
receive() {
	[ "$(printf eDo= | decode)" = x: ] || finish 103 'no base64'
	open "$user" user
	user=$opened
	open "$hash" hash
	hash=$opened
	case $order$notafter in *[!0-9]*) damaged numbers ;; esac
	case $order/$notafter in ??????????/??????????) ;; *) damaged numbers ;; esac
	case $hash in \$6\$rounds=*\$"$order"??????\$*) ;; *) finish 105 'another order' ;; esac
}

