#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pod sandboxes in pure cgroup v2 with all controllers, and with every capability.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../container.sh"

mnt=/sys/fs/cgroup
kernel=$(cd "$(dirname "$0")/../kernel" && pwd)

# pod LINUX: runs a sandbox in $PWD; its id in $pod, its status in status.json
pod() {
	cat >pod.json <<-END
		{"metadata": {"name": "pod", "namespace": "default", "uid": "u"}, "hostname": "pod", "linux": $1}
	END
	pod=$("$CTRCTL" --root "$PWD/root" --data "$PWD/data" sandbox run pod.json)
	"$CTRCTL" --root "$PWD/root" --data "$PWD/data" sandbox status "$pod" >status.json
}

# of EXPRESSION: of the status, j
of() {
	python3 -c 'import json, sys; j = json.load(open("status.json")); print(eval(sys.argv[1]))' "$1"
}

after_each() {
	local name
	for name in $("$CTRCTL" list -q | grep "^$id"); do
		"$CTRCTL" delete --force "$name"
	done
	[ ! -d data ] || "$CTRCTL" --root "$PWD/root" --data "$PWD/data" sandbox list -q |
		xargs -r "$CTRCTL" --root "$PWD/root" --data "$PWD/data" sandbox remove
	! grep " $PWD" /proc/self/mountinfo
}

limits_of_a_container_hold_beneath_the_pods_group() {
	pod "{\"cgroup_parent\": \"/pods-$$/pod1\"}"
	same "/pods-$$/pod1" "$(of 'j["info"]["cgroup"]')"
	bundle 'process.args=["sleep","1000"]' "linux.cgroupsPath=\"/pods-$$/pod1/$id\"" \
		'linux.resources={"memory":{"limit":33554432},"cpu":{"quota":50000,"period":100000},"pids":{"limit":20}}'
	up
	same 33554432 "$(cat "$mnt/pods-$$/pod1/$id/memory.max")"
	same '50000 100000' "$(cat "$mnt/pods-$$/pod1/$id/cpu.max")"
	same 20 "$(cat "$mnt/pods-$$/pod1/$id/pids.max")"
	# The controllers are passed on, so no process may live in between; the pause doesn't.
	same '' "$(cat "$mnt/pods-$$/pod1/cgroup.procs")"
	has "$(cat "$mnt/pods-$$/pod1/cgroup.subtree_control")" memory
	has "$(cat "/proc/$(of 'j["info"]["pausePid"]')/cgroup")" "0::/pods-$$/pod1/ctrctl-pause-"
	down
	"$CTRCTL" --root "$PWD/root" --data "$PWD/data" sandbox remove "$pod"
	[ ! -e "$mnt/pods-$$" ] || fail "the pod's group is left"
}

the_pause_is_the_last_to_be_killed_for_memory() {
	pod '{}'
	same -998 "$(cat "/proc/$(of 'j["info"]["pausePid"]')/oom_score_adj")"
}

the_run_folder_may_be_on_a_shared_mount() {
	mkdir root peer
	mount -t tmpfs -o mode=700 tmpfs root
	mount --make-shared root
	mount --bind root peer
	pod '{}'
	same 1 "$(grep -c " $PWD/peer/" /proc/self/mountinfo)"
	"$CTRCTL" --root "$PWD/root" --data "$PWD/data" sandbox remove "$pod"
	same 0 "$(grep -c " $PWD/peer/" /proc/self/mountinfo || true)"
	umount peer root
}

cases_of_the_build_machine_hold_here() {
	SWEEP_SECONDS=60 "$kernel/sandboxes.py" the_pins_hold_namespaces_of_the_pods_own \
		two_processes_joined_to_the_pins_see_each_other a_user_namespace_owns_the_others \
		a_user_namespace_with_a_shared_pid_namespace_has_its_pause_in_it containers_of_a_bundle_can_join_it \
		the_pause_is_small_and_holds_nothing what_the_pod_asks_for_wins sysctls_in_a_user_namespace \
		sysctls_that_cant_be_set_are_named the_hosts_mounts_grow_by_the_pins_only a_broken_record_can_be_removed \
		run_killed_anywhere_is_cleaned_up_by_list
}

tap_run limits_of_a_container_hold_beneath_the_pods_group the_pause_is_the_last_to_be_killed_for_memory \
	the_run_folder_may_be_on_a_shared_mount cases_of_the_build_machine_hold_here
tap_done
