#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctrctl update on pure cgroup v2: flags, files, both; what is read back, and what a refusal leaves.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../container.sh"

# a_container [PATH=JSON...]: runs, and its cgroup's folder is in $group
a_container() {
	bundle 'process.args=["sleep","1000"]' "$@"
	up
	group=$(cgroup_of "$(cat pid)")
}

# reads FILE WANTED
reads() {
	same "$2" "$(cat "$group/$1")" "$1"
}

flags_change_memory() {
	a_container
	"$CTRCTL" update --memory 64m --memory-reservation 32M --memory-swap 96MiB "$id"
	reads memory.max 67108864
	reads memory.low 33554432
	reads memory.swap.max 33554432
	"$CTRCTL" update --memory 128m --memory-swap 128m "$id"
	reads memory.max 134217728
	reads memory.swap.max 0
	"$CTRCTL" update --memory -1 --memory-swap -1 "$id"
	reads memory.max max
	reads memory.swap.max max
}

flags_change_cpu() {
	a_container 'linux.resources.cpu={"quota":50000,"period":100000}'
	"$CTRCTL" update --cpu-share 262144 --cpu-quota 20000 "$id"
	reads cpu.weight 10000
	reads cpu.max '20000 100000'
	"$CTRCTL" update --cpu-period 50000 --cpu-burst 5000 "$id"
	reads cpu.max '20000 50000'
	reads cpu.max.burst 5000
	"$CTRCTL" update --cpu-quota -1 "$id"
	reads cpu.max 'max 50000'
	"$CTRCTL" update --cpu-idle 1 "$id"
	reads cpu.idle 1
	"$CTRCTL" update --cpu-idle 0 --cpu-share 1024 "$id"
	reads cpu.idle 0
	reads cpu.weight 100
}

flags_change_cpus_pids_and_io() {
	a_container
	"$CTRCTL" update --cpuset-cpus 1 --cpuset-mems 0 --pids-limit 33 --blkio-weight 500 "$id"
	reads cpuset.cpus.effective 1
	reads cpuset.mems.effective 0
	reads pids.max 33
	if [ -e "$group/io.bfq.weight" ]; then
		reads io.bfq.weight 'default 500'
	else
		reads io.weight 'default 4950'
	fi
	"$CTRCTL" update --pids-limit -1 "$id"
	reads pids.max max
	"$CTRCTL" update --pids-limit 0 "$id"
	reads pids.max 0
}

a_file_is_applied_and_flags_go_over_it() {
	a_container
	echo '{"memory":{"limit":33554432},"pids":{"limit":12},"unified":{"cgroup.max.depth":"5"}}' >r.json
	"$CTRCTL" update -r r.json "$id"
	reads memory.max 33554432
	reads pids.max 12
	reads cgroup.max.depth 5
	"$CTRCTL" update --resources - --pids-limit 13 "$id" <r.json
	reads pids.max 13
}

a_running_container_gets_controllers_that_it_did_not_need() {
	a_container "linux.cgroupsPath=\"/late-$$/$id\""
	[ ! -e "$group/memory.max" ] || fail "the controller is there already: nothing to be seen here"
	"$CTRCTL" update --memory 64m "$id"
	reads memory.max 67108864
}

a_refused_update_names_the_value_and_changes_nothing() {
	a_container 'linux.resources.pids={"limit":20}' 'linux.resources.cpu={"shares":1024}'
	refused 'this machine has the CPUs' "$CTRCTL" update --cpuset-cpus 77 "$id"
	refused period "$CTRCTL" update --cpu-quota 10000 --cpu-period 7 "$id"
	echo '{"pids":{"limit":"many"}}' >r.json
	refused limit "$CTRCTL" update -r r.json "$id"
	refused missing "$CTRCTL" update -r absent.json "$id"
	reads pids.max 20
	reads cpu.weight 100
	same running "$("$CTRCTL" state "$id" | sed -n 's/.*"status": "\(.*\)".*/\1/p')"
}

less_memory_than_is_used_is_refused_when_asked() {
	bundle 'linux.resources.memory={"limit":134217728}'
	script 'dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2>/dev/null; echo full; sleep 1000'
	up
	eventually grep -q full output
	group=$(cgroup_of "$(cat pid)")
	echo '{"memory":{"limit":1048576,"checkBeforeUpdate":true}}' >r.json
	refused 1048576 "$CTRCTL" update -r r.json "$id"
	reads memory.max 134217728
}

devices_can_be_allowed_later() {
	bundle 'linux.resources.devices=[{"allow":false,"access":"rwm"}]'
	capabilities MKNOD
	script 'mknod /dev/port c 1 4; until head -c 1 /dev/port >/dev/null 2>&1; do sleep 0.1; done; echo opened; sleep 1000'
	edit process.capabilities='{"bounding":["CAP_MKNOD","CAP_SYS_RAWIO"],"effective":["CAP_MKNOD","CAP_SYS_RAWIO"],"permitted":["CAP_MKNOD","CAP_SYS_RAWIO"]}'
	up
	echo '{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":4,"access":"rm"}]}' >r.json
	same '' "$(cat output)"
	"$CTRCTL" update -r r.json "$id"
	eventually grep -q opened output
}

a_created_and_a_paused_container_can_be_updated() {
	bundle 'process.args=["sleep","1000"]'
	"$CTRCTL" create --pid-file pid "$id" >output 2>&1
	group=$(cgroup_of "$(cat pid)")
	"$CTRCTL" update --pids-limit 5 "$id"
	reads pids.max 5
	"$CTRCTL" start "$id"
	"$CTRCTL" pause "$id"
	"$CTRCTL" update --pids-limit 6 "$id"
	reads pids.max 6
	"$CTRCTL" resume "$id"
}

a_stopped_container_cannot_be_updated() {
	bundle 'process.args=["true"]'
	up
	stopped() { "$CTRCTL" state "$id" | grep -q '"stopped"'; }
	eventually stopped
	refused "not running" "$CTRCTL" update --pids-limit 5 "$id"
}

what_update_set_outlives_an_exec() {
	a_container
	"$CTRCTL" update --memory 64m "$id"
	same 67108864 "$("$CTRCTL" exec "$id" cat /sys/fs/cgroup/memory.max)"
}

tap_run flags_change_memory flags_change_cpu flags_change_cpus_pids_and_io \
	a_file_is_applied_and_flags_go_over_it a_running_container_gets_controllers_that_it_did_not_need \
	a_refused_update_names_the_value_and_changes_nothing less_memory_than_is_used_is_refused_when_asked \
	devices_can_be_allowed_later a_created_and_a_paused_container_can_be_updated \
	a_stopped_container_cannot_be_updated what_update_set_outlives_an_exec
tap_done
