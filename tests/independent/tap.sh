# shellcheck shell=bash
# The Test Anything Protocol for shell scripts, which read this file and end with: exit "$failed"

number=0
failed=0
# report NAME STATUS DETAIL
report() {
	number=$((number + 1))
	if [ "$2" = 0 ]; then
		printf 'ok %d - %s\n' "$number" "$1"
	else
		printf 'not ok %d - %s\n# %s\n' "$number" "$1" "${3//$'\n'/$'\n'# }"
		# shellcheck disable=SC2034 # the script's exit status
		failed=1
	fi
}

# prints NAME PATTERN COMMAND...: the command succeeds and its output matches the extended regular expression.
prints() {
	local name=$1 pattern=$2 output status=0
	shift 2
	output=$("$@" 2>&1) || status=$?
	[ "$status" != 0 ] || [[ $output =~ $pattern ]] || status=1
	report "$name" "$status" "wanted $pattern, got: $output"
}

# fails_with NAME TEXT COMMAND...: the command fails and says the text.
fails_with() {
	local name=$1 text=$2 output status=1
	shift 2
	if ! output=$("$@" 2>&1) && [[ $output == *"$text"* ]]; then status=0; fi
	report "$name" "$status" "wanted $text, got: $output"
}
