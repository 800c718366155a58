#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# AppArmor profiles: applied as asked for, or an error. Here because the engines' root has the parser.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../container.sh"

profile=ctrctl-test
other=ctrctl-test-other
if ! apparmor_parser -r <<-END; then
	profile $profile flags=(attach_disconnected,mediate_deleted) {
		file,
		capability,
		signal,
		deny /etc/hosts r,
	}
	profile $other flags=(attach_disconnected,mediate_deleted) {
		file,
		capability,
		signal,
		deny /etc/passwd r,
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

it_is_enforced_with_and_without_new_privileges() {
	bundle "process.apparmorProfile=\"$profile\"" process.noNewPrivileges=true
	script 'grep NoNewPrivs /proc/self/status; cat /proc/self/attr/current'
	same $'NoNewPrivs:\t1\n'"$profile (enforce)" "$(run)"
	edit process.noNewPrivileges=false
	same $'NoNewPrivs:\t0\n'"$profile (enforce)" "$(run)"
}

it_is_enforced_for_another_user_without_capabilities() {
	bundle "process.apparmorProfile=\"$profile\"" process.user='{"uid":1000,"gid":1000}' \
		'process.capabilities={}'
	script 'id -u; cat /proc/self/attr/current; cat /etc/hosts || echo denied'
	same $'1000\n'"$profile (enforce)"$'\ndenied' "$(run 2>/dev/null)"
}

it_is_enforced_in_a_user_namespace() {
	local map='[{"containerID":0,"hostID":100000,"size":65536}]'
	bundle "process.apparmorProfile=\"$profile\"" 'linux.namespaces.6={"type":"user"}' \
		root.path='"rootfs"' "linux.uidMappings=$map" "linux.gidMappings=$map"
	cp -a "$CACHE/rootfs/busybox" rootfs
	chown -R -h 100000:100000 rootfs
	chmod 755 . ..
	script 'cat /proc/self/attr/current; cat /etc/hosts || echo denied; sleep 1000'
	up
	eventually grep -q denied output
	has "$(cat output)" "$profile (enforce)"
	same "$profile (enforce)" "$("$CTRCTL" exec "$id" cat /proc/self/attr/current)"
	down
}

it_is_enforced_where_proc_is_not_mounted() {
	bundle "process.apparmorProfile=\"$profile\"" 'mounts=[{"destination":"/dev","type":"tmpfs","source":"tmpfs"}]' \
		linux.maskedPaths= linux.readonlyPaths= 'process.args=["sleep","1000"]'
	up
	same "$profile (enforce)" "$(cat "/proc/$(cat pid)/attr/current")"
	down
}

exec_can_be_under_another_profile() {
	bundle "process.apparmorProfile=\"$profile\"" 'process.args=["sleep","1000"]'
	up
	same "$other (enforce)" "$("$CTRCTL" exec --apparmor $other "$id" cat /proc/self/attr/current)"
	same denied "$("$CTRCTL" exec --apparmor $other "$id" sh -c 'cat /etc/passwd 2>/dev/null || echo denied')"
	echo "{\"args\":[\"cat\",\"/proc/self/attr/current\"],\"cwd\":\"/\",\"apparmorProfile\":\"$other\"}" >process.json
	same "$other (enforce)" "$("$CTRCTL" exec --process process.json "$id")"
	same "$profile (enforce)" "$(cat "/proc/$(cat pid)/attr/current")"
	down
}

exec_under_an_unknown_profile_is_refused() {
	local status=0
	bundle "process.apparmorProfile=\"$profile\"" 'process.args=["sleep","1000"]'
	up
	"$CTRCTL" exec --apparmor no-such-profile "$id" echo it runs >out 2>&1 || status=$?
	same 255 "$status" status
	has "$(cat out)" no-such-profile
	same '' "$(grep 'it runs' out || true)"
	down
}

unconfined_can_be_asked_for() {
	bundle 'process.apparmorProfile="unconfined"'
	script 'cat /proc/self/attr/current'
	same unconfined "$(run)"
}

an_unknown_profile_is_refused_and_nothing_runs() {
	bundle 'process.apparmorProfile="no-such-profile"'
	script 'echo it runs'
	refused no-such-profile run
	run >out 2>&1 && fail "it ran"
	has "$(cat out)" '`/proc/thread-self/attr/apparmor/exec`'
	has "$(cat out)" 'hint: '
	has "$(cat out)" aa-status
	same '' "$(grep 'it runs' out || true)"
	nothing_left
}

the_default_profile_denies_mounts_and_writes_to_proc_and_sys() {
	apparmor_parser -r "$SOURCE/data/apparmor/ctrctl-default"
	bundle 'process.apparmorProfile="ctrctl-default"' linux.readonlyPaths= linux.maskedPaths= \
		'mounts.5.options=["rw"]' 'mounts.6.options=["rw"]'
	capabilities SYS_ADMIN SYS_RESOURCE
	script 'cat /proc/self/attr/current
		mount -t tmpfs tmpfs /tmp 2>/dev/null || echo no mount
		umount /dev/shm 2>/dev/null || echo no umount
		(echo x >/proc/sys/kernel/domainname) 2>/dev/null || echo no write to /proc/sys
		(: >/sys/kernel/mm/transparent_hugepage/enabled) 2>/dev/null || echo no write to /sys
		mkdir /sys/fs/cgroup/below && rmdir /sys/fs/cgroup/below && echo a cgroup of its own
		sleep 1000 &
		kill $! && echo a signal
		echo 1 >/proc/self/oom_score_adj && echo a write to its own'
	same 'ctrctl-default (enforce)
no mount
no umount
no write to /proc/sys
no write to /sys
a cgroup of its own
a signal
a write to its own' "$(run 2>/dev/null)"
	edit process.apparmorProfile=
	same 'unconfined
a cgroup of its own
a signal
a write to its own' "$(run 2>/dev/null)"
}

requests_get_the_default_profile_once_it_is_loaded() {
	apparmor_parser -r "$SOURCE/data/apparmor/ctrctl-default"
	"$SOURCE/tests/kernel/examples.py" example_01_minimal example_03_restricted_nonroot \
		example_05_privileged_node_debug >out 2>&1 || fail "$(cat out)"
	same 3 "$(grep -c '^ok' out)"
	apparmor_parser -R "$SOURCE/data/apparmor/ctrctl-default"
}

tap_run a_profile_is_enforced exec_is_under_the_same_profile without_a_profile_a_container_is_unconfined \
	it_is_enforced_with_and_without_new_privileges it_is_enforced_for_another_user_without_capabilities \
	it_is_enforced_in_a_user_namespace it_is_enforced_where_proc_is_not_mounted \
	exec_can_be_under_another_profile exec_under_an_unknown_profile_is_refused unconfined_can_be_asked_for \
	an_unknown_profile_is_refused_and_nothing_runs \
	the_default_profile_denies_mounts_and_writes_to_proc_and_sys \
	requests_get_the_default_profile_once_it_is_loaded
apparmor_parser -R <<<"profile $profile {} profile $other {}"
tap_done
