#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What only a runtime with all capabilities can give, and what kernel 6.1 does differently.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../container.sh"

a_negative_oom_score_adj_is_set() {
	bundle process.oomScoreAdj=-500
	script 'cat /proc/self/oom_score_adj'
	same -500 "$(run)"
}

a_hard_limit_above_ours_is_raised() {
	bundle 'process.rlimits=[{"type":"RLIMIT_NOFILE","soft":70000,"hard":80000}]'
	script 'ulimit -Sn; ulimit -Hn'
	same $'70000\n80000' "$(run)"
}

exec_has_them_too() {
	bundle process.oomScoreAdj=-500 'process.args=["sleep","1000"]' \
		'process.rlimits=[{"type":"RLIMIT_NOFILE","soft":70000,"hard":80000}]'
	up
	same $'-500\n70000\n80000' \
		"$("$CTRCTL" exec "$id" sh -c 'cat /proc/self/oom_score_adj; ulimit -Sn; ulimit -Hn')"
	echo '{"cwd":"/","args":["sh","-c","cat /proc/self/oom_score_adj; ulimit -Sn; ulimit -Hn"],
"oomScoreAdj":-1000,"rlimits":[{"type":"RLIMIT_NOFILE","soft":90000,"hard":1000000}]}' >process.json
	same $'-1000\n90000\n1000000' "$("$CTRCTL" exec --process process.json "$id")"
	same -500 "$(cat "/proc/$(cat pid)/oom_score_adj")"
}

in_a_user_namespace_they_are_set_from_outside() {
	bundle process.oomScoreAdj=-400 'linux.namespaces.6={"type":"user"}' root.path='"rootfs"' \
		'process.rlimits=[{"type":"RLIMIT_NOFILE","soft":70000,"hard":80000}]' \
		'linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]' \
		'linux.gidMappings=[{"containerID":0,"hostID":100000,"size":65536}]' 'process.args=["sleep","1000"]'
	cp -a "$CACHE/rootfs/busybox" rootfs
	chmod 755 . ..
	up
	same -400 "$(cat "/proc/$(cat pid)/oom_score_adj")"
	same $'-400\n70000\n80000' \
		"$("$CTRCTL" exec "$id" sh -c 'cat /proc/self/oom_score_adj; ulimit -Sn; ulimit -Hn')"
}

what_a_process_may_not_ask_for_is_refused() {
	bundle process.oomScoreAdj=-1001
	refused '-1000 to 1000' run
	bundle 'process.rlimits=[{"type":"RLIMIT_NOFILE","soft":70000,"hard":60000}]'
	refused RLIMIT_NOFILE run
	bundle 'process.rlimits=[{"type":"RLIMIT_NOFILE","soft":1,"hard":18446744073709551615}]'
	refused RLIMIT_NOFILE run
	nothing_left
}

all_capabilities_can_be_given() {
	local all
	all=$("$CTRCTL" features | python3 -c 'import json, sys
print(" ".join(c[4:] for c in json.load(sys.stdin)["linux"]["capabilities"]))')
	bundle
	# shellcheck disable=SC2086
	capabilities $all
	script 'grep CapEff /proc/self/status'
	same "$(grep CapEff /proc/self/status)" "$(run)"
}

a_user_namespace_maps_ids() {
	bundle 'linux.namespaces.6={"type":"user"}' root.path='"rootfs"' \
		'linux.uidMappings=[{"containerID":0,"hostID":100000,"size":1000}]' \
		'linux.gidMappings=[{"containerID":0,"hostID":100000,"size":1000}]'
	cp -a "$CACHE/rootfs/busybox" rootfs
	chmod 755 . ..
	script 'id -u; tr -s " " </proc/self/uid_map; stat -c %u /proc/1'
	same $'0\n 0 100000 1000\n0' "$(run)"
}

time_offsets_are_set() {
	local out
	bundle 'linux.namespaces.6={"type":"time"}' 'linux.timeOffsets={"boottime":{"secs":1000000,"nanosecs":0}}'
	script 'cut -d . -f 1 /proc/uptime'
	out=$(run)
	[ "$out" -ge 1000000 ] || fail "uptime is $out"
}

a_network_namespace_is_joined() {
	ip netns add "$id"
	ip -n "$id" link add marker type dummy
	bundle
	edit "linux.namespaces.1={\"type\":\"network\",\"path\":\"/run/netns/$id\"}"
	script 'ls /sys/class/net'
	run >out || true
	ip netns del "$id"
	has "$(cat out)" marker
}

an_idmapped_mount_shows_other_owners() {
	mkdir /mnt/disk/"$id"
	chown 5:5 /mnt/disk/"$id"
	bundle 'linux.namespaces.6={"type":"user"}' root.path='"rootfs"' \
		'linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]' \
		'linux.gidMappings=[{"containerID":0,"hostID":100000,"size":65536}]' \
		"mounts.7={\"destination\":\"/mnt\",\"type\":\"bind\",\"source\":\"/mnt/disk/$id\",\"options\":[\"bind\"],
\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}],
\"gidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}]}"
	cp -a "$CACHE/rootfs/busybox" rootfs
	chmod 755 . ..
	script 'stat -c %u:%g /mnt'
	same 5:5 "$(run)"
}

tap_run a_negative_oom_score_adj_is_set a_hard_limit_above_ours_is_raised \
	exec_has_them_too in_a_user_namespace_they_are_set_from_outside what_a_process_may_not_ask_for_is_refused \
	all_capabilities_can_be_given \
	a_user_namespace_maps_ids time_offsets_are_set a_network_namespace_is_joined \
	an_idmapped_mount_shows_other_owners
tap_done
