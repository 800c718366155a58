#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where containers are in pure cgroup v2: run, exec, user namespaces, parents, nesting, and what is left.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../container.sh"

mnt=/sys/fs/cgroup
map='[{"containerID":0,"hostID":100000,"size":65536}]'

# group_of PID: as the host sees it
group_of() {
	sed -n 's/^0:://p' "/proc/$1/cgroup"
}

# own_rootfs: a root filesystem that the ids of a user namespace can enter
own_rootfs() {
	cp -a "$CACHE/rootfs/busybox" rootfs
	chown -R -h 100000:100000 rootfs
	chmod 755 . ..
}

# all_in GROUP: the container's init and one that exec added, both told from the outside
all_in() {
	local exec_pid
	same "$1" "$(group_of "$(cat pid)")" init
	"$CTRCTL" exec --detach --pid-file exec-pid "$id" sleep 1000
	exec_pid=$(cat exec-pid)
	same "$1" "$(group_of "$exec_pid")" exec
}

without_a_path_the_group_is_beside_the_callers() {
	local own
	bundle 'process.args=["sleep","1000"]' 'linux.cgroupsPath=""'
	up
	own=$(group_of self)
	all_in "${own%/*}/ctrctl-$id"
	down
	nothing_left
}

an_absolute_path_is_taken_as_it_is() {
	bundle 'process.args=["sleep","1000"]' "linux.cgroupsPath=\"/above-$$/between/$id\""
	up
	all_in "/above-$$/between/$id"
	down
	nothing_left
	[ ! -e "$mnt/above-$$" ] || fail "a parent that was made for it is left"
}

a_relative_path_is_beside_the_callers() {
	local own
	bundle 'process.args=["sleep","1000"]' "linux.cgroupsPath=\"rel-$$/$id\""
	up
	own=$(group_of self)
	all_in "${own%/*}/rel-$$/$id"
	down
	nothing_left
	[ ! -e "$mnt${own%/*}/rel-$$" ] || fail "a parent that was made for it is left"
}

with_a_user_namespace_all_are_in_the_group_too() {
	bundle 'process.args=["sleep","1000"]' "linux.cgroupsPath=\"/users-$$/$id\"" root.path='"rootfs"' \
		'linux.namespaces.6={"type":"user"}' "linux.uidMappings=$map" "linux.gidMappings=$map" \
		'linux.resources.pids={"limit":9}' 'linux.resources.memory={"limit":67108864}'
	own_rootfs
	up
	all_in "/users-$$/$id"
	same 9 "$(cat "$mnt/users-$$/$id/pids.max")"
	same 67108864 "$(cat "$mnt/users-$$/$id/memory.max")"
	down
	nothing_left
}

joined_namespaces_do_not_change_the_group() {
	bundle 'process.args=["sleep","1000"]' "linux.cgroupsPath=\"/first-$$/$id\""
	up
	cp pid first
	mkdir second
	cd second
	bundle 'process.args=["sleep","1000"]' "linux.cgroupsPath=\"/second-$$/${id}2\"" \
		"linux.namespaces=[{\"type\":\"mount\"},{\"type\":\"cgroup\"},{\"type\":\"pid\",\"path\":\"/proc/$(cat ../first)/ns/pid\"},
{\"type\":\"network\",\"path\":\"/proc/$(cat ../first)/ns/net\"},{\"type\":\"ipc\",\"path\":\"/proc/$(cat ../first)/ns/ipc\"},{\"type\":\"uts\",\"path\":\"/proc/$(cat ../first)/ns/uts\"}]" \
		hostname= 'linux.resources.pids={"limit":9}'
	"$CTRCTL" create --pid-file pid "${id}2" >output 2>&1
	"$CTRCTL" start "${id}2"
	same "/second-$$/${id}2" "$(group_of "$(cat pid)")"
	same 9 "$(cat "$mnt/second-$$/${id}2/pids.max")"
	"$CTRCTL" delete --force "${id}2"
	same "/first-$$/$id" "$(group_of "$(cat ../first)")"
}

exec_into_a_sub_group() {
	bundle 'process.args=["sleep","1000"]' "linux.cgroupsPath=\"/subs-$$/$id\""
	up
	mkdir "$mnt/subs-$$/$id/sub"
	"$CTRCTL" exec --detach --cgroup sub --pid-file exec-pid "$id" sleep 1000
	same "/subs-$$/$id/sub" "$(group_of "$(cat exec-pid)")"
	"$CTRCTL" exec --cgroup /elsewhere "$id" echo ran >said 2>&1 && fail "a path from the root"
	has "$(cat said)" relative
	"$CTRCTL" exec --cgroup ../.. "$id" echo ran >said 2>&1 && fail "a path out of the container"
	has "$(cat said)" '".."'
	down
	nothing_left
}

exec_obeys_the_limits() {
	local out
	bundle 'process.args=["sleep","1000"]' 'linux.resources.pids={"limit":4}'
	up
	out=$("$CTRCTL" exec "$id" sh -c 'for i in 1 2 3 4 5 6; do sleep 100 >/dev/null 2>&1 & done; wait' 2>&1) || true
	has "$out" "can't fork"
}

a_full_group_refuses_exec_and_says_so() {
	local out
	bundle 'linux.resources.pids={"limit":3}'
	script 'sleep 1000 & sleep 1000 & echo full; wait'
	up
	eventually grep -q full output
	out=$("$CTRCTL" exec "$id" true 2>&1) && fail "exec got through"
	has "$out" pids
}

a_parent_with_processes_is_told() {
	mkdir "$mnt/busy-$$"
	sleep 1000 &
	echo $! >"$mnt/busy-$$/cgroup.procs"
	bundle "linux.cgroupsPath=\"/busy-$$/$id\"" 'linux.resources.memory={"limit":67108864}'
	refused "/busy-$$" run
	run >said 2>&1 || true
	has "$(cat said)" processes
	has "$(cat said)" 'hint: '
	kill %1
	wait
	nothing_left
	rmdir "$mnt/busy-$$"
}

a_group_in_use_is_refused_and_left_alone() {
	bundle 'process.args=["sleep","1000"]' "linux.cgroupsPath=\"/shared-$$\""
	up
	refused 'not empty' "$CTRCTL" run "${id}2"
	same "/shared-$$" "$(group_of "$(cat pid)")"
	down
	[ ! -e "$mnt/shared-$$" ] || fail "the cgroup is left"
}

what_the_container_made_below_goes_too() {
	bundle 'process.args=["sleep","1000"]' "linux.cgroupsPath=\"/deep-$$/$id\""
	up
	mkdir -p "$mnt/deep-$$/$id/a/b/c"
	sleep 1000 &
	echo $! >"$mnt/deep-$$/$id/a/b/c/cgroup.procs"
	down
	nothing_left
	[ ! -e "$mnt/deep-$$" ] || fail "a parent is left"
}

systemd_properties_are_no_path() {
	bundle 'linux.cgroupsPath="system.slice:ctrctl:web"'
	refused systemd run --systemd-cgroup
	nothing_left
}

# a container whose cgroup namespace is writable, as systemd or a runtime inside needs it
with_a_writable_group_containers_can_be_nested() {
	bundle "linux.cgroupsPath=\"/outer-$$/$id\"" "root.path=\"$PWD/rootfs\"" root.readonly=false \
		'mounts.6.options=["nosuid","noexec","nodev","rw"]' \
		'linux.resources.devices=[{"allow":true,"access":"rwm"}]' linux.maskedPaths= linux.readonlyPaths= \
		'linux.resources.pids={"limit":100}' process.noNewPrivileges=false "mounts.7={\"destination\":\"/tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}" \
		"mounts.8={\"destination\":\"/usr\",\"type\":\"bind\",\"source\":\"/usr\",\"options\":[\"rbind\",\"ro\"]}" \
		"mounts.9={\"destination\":\"/inner\",\"type\":\"bind\",\"source\":\"$PWD/inner\",\"options\":[\"bind\"]}" \
		"mounts.10={\"destination\":\"/box\",\"type\":\"bind\",\"source\":\"$CACHE/rootfs/busybox\",\"options\":[\"bind\"]}" \
		"mounts.11={\"destination\":\"/ctrctl\",\"type\":\"bind\",\"source\":\"$CTRCTL\",\"options\":[\"bind\",\"ro\"]}"
	mkdir -p rootfs/{bin,dev,proc,sys,tmp,usr,inner,box,run,etc} inner
	: >rootfs/ctrctl
	ln -s usr/lib rootfs/lib
	ln -s usr/lib64 rootfs/lib64
	cp /etc/ld.so.cache rootfs/etc/
	cp "$CACHE/rootfs/busybox/bin/busybox" rootfs/bin/
	ln -s busybox rootfs/bin/sh
	# shellcheck disable=SC2046
	capabilities $("$CTRCTL" features | python3 -c 'import json, sys
print(" ".join(c[4:] for c in json.load(sys.stdin)["linux"]["capabilities"]))')
	cp config.json outer.json
	bundle 'linux.cgroupsPath="/leaf"' 'linux.resources.pids={"limit":7}' root.path='"/box"'
	script 'cat /sys/fs/cgroup/pids.max; cat /proc/self/cgroup'
	mv config.json inner/
	mv outer.json config.json
	script 'busybox=/bin/busybox; $busybox mkdir /sys/fs/cgroup/main; echo $$ >/sys/fs/cgroup/main/cgroup.procs
/ctrctl run --bundle /inner nested; echo status $?; $busybox ls /sys/fs/cgroup | $busybox grep leaf'
	run >said 2>&1 || true
	cat said
	same $'7\n0::/\nstatus 0' "$(cat said)"
	nothing_left
	[ ! -e "$mnt/outer-$$" ] || fail "the outer cgroup is left"
}

tap_run without_a_path_the_group_is_beside_the_callers an_absolute_path_is_taken_as_it_is \
	a_relative_path_is_beside_the_callers with_a_user_namespace_all_are_in_the_group_too \
	joined_namespaces_do_not_change_the_group exec_into_a_sub_group exec_obeys_the_limits \
	a_full_group_refuses_exec_and_says_so a_parent_with_processes_is_told \
	a_group_in_use_is_refused_and_left_alone what_the_container_made_below_goes_too \
	systemd_properties_are_no_path with_a_writable_group_containers_can_be_nested
tap_done
