# SPDX-License-Identifier: Apache-2.0
# TAP for test programs in bash: source it, write cases as functions, name them with tap_run, end with
# tap_done.
#
#	. "$(dirname "$0")/../tap.sh"
#	starts_twice_is_an_error() { ...; }
#	tap_run starts_twice_is_an_error ...
#	tap_done
#
# A case is a function whose name is the sentence that it proves. It runs in a subshell under set -e, in
# a fresh folder ($PWD, removed afterwards) on a file system where overlays work, and fails by a command
# that fails. What it prints goes to stderr, shown if it fails. `skip WHY` ends it as skipped. A
# function `after_each`, if there is one, runs in that folder after each case, passed or not.

tap_n=0
tap_failed=0
tap_log=$(mktemp)
tap_dir=$(mktemp -d)
trap 'cd /; rm -rf "$tap_log" "$tap_dir"' EXIT

# fail MESSAGE: ends the case
fail() {
	echo "FAIL: $*" >&2
	exit 1
}

# skip WHY: ends the case as skipped
skip() {
	echo "SKIP: $*" >&2
	exit 77
}

# same WANTED GOT [WHAT]: fails unless both texts are equal
same() {
	[ "$1" = "$2" ] || fail "${3:-value}: wanted \"$1\", got \"$2\""
}

# has TEXT PART: fails unless TEXT contains PART
has() {
	case $1 in
	*"$2"*) ;;
	*) fail "no \"$2\" in: $1" ;;
	esac
}

# status_of COMMAND...: prints its exit status; its output goes to stderr
status_of() {
	local status=0
	"$@" >&2 || status=$?
	echo "$status"
}

# eventually COMMAND...: tries until it succeeds, at most some 30 seconds
eventually() {
	local n
	for ((n = 0; n < 300; n++)); do
		"$@" && return 0
		sleep 0.1
	done
	fail "never came true: $*"
}

tap_run() {
	local name status
	for name; do
		tap_n=$((tap_n + 1))
		mkdir "$tap_dir/$tap_n"
		set +e # a subshell on the left of && or || would ignore its own set -e
		(
			set -eu
			cd "$tap_dir/$tap_n"
			"$name"
		) >"$tap_log" 2>&1 </dev/null
		status=$?
		if declare -F after_each >/dev/null; then
			(cd "$tap_dir/$tap_n" && after_each) >>"$tap_log" 2>&1 </dev/null || status=1
		fi
		case $status in
		0) echo "ok $tap_n - ${name//_/ }" ;;
		77) echo "ok $tap_n - ${name//_/ } # SKIP $(sed -n 's/^SKIP: //p' "$tap_log" | tail -n 1)" ;;
		*)
			tap_failed=$((tap_failed + 1))
			echo "not ok $tap_n - ${name//_/ }"
			sed 's/^/#   /' "$tap_log"
			;;
		esac
		rm -rf "${tap_dir:?}/$tap_n"
	done
}

tap_done() {
	echo "1..$tap_n"
	[ $tap_failed = 0 ]
	exit
}
