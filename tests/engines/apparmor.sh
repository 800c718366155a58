#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# AppArmor profiles: applied as asked for, or an error. Here because the engines' root has the parser.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../container.sh"

profile=ctrctl-test
if ! apparmor_parser -r <<-END; then
	profile $profile flags=(attach_disconnected,mediate_deleted) {
		file,
		capability,
		signal,
		deny /etc/hosts r,
	}
END
	echo "Bail out! apparmor_parser can't load a profile"
	exit 1
fi

a_profile_is_enforced() {
	bundle "process.apparmorProfile=\"$profile\""
	script 'cat /proc/self/attr/current; cat /etc/group >/dev/null && cat /etc/hosts || echo denied'
	same "$profile (enforce)"$'\ndenied' "$(run 2>/dev/null)"
}

exec_is_under_the_same_profile() {
	bundle "process.apparmorProfile=\"$profile\""
	script 'sleep 1000'
	up
	same "$profile (enforce)" "$("$CTRCTL" exec "$id" cat /proc/self/attr/current)"
	down
}

without_a_profile_a_container_is_unconfined() {
	bundle
	script 'cat /proc/self/attr/current'
	same unconfined "$(run)"
}

an_unknown_profile_is_refused_and_nothing_runs() {
	bundle 'process.apparmorProfile="no-such-profile"'
	script 'echo it runs'
	run >out 2>&1 && fail "it ran"
	has "$(cat out)" no-such-profile
	same '' "$(grep 'it runs' out || true)"
	nothing_left
}

tap_run a_profile_is_enforced exec_is_under_the_same_profile without_a_profile_a_container_is_unconfined \
	an_unknown_profile_is_refused_and_nothing_runs
apparmor_parser -R <<<"profile $profile {}"
tap_done
