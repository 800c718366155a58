#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Out of memory is said as what it is, wherever it happens; and a limit of no processes is one of none.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../container.sh"

# too_low LIMIT: neither create nor run get that far, both say why, and nothing stays
too_low() {
	bundle "linux.resources.memory={\"limit\":$1,\"swap\":$1}" 'process.args=["true"]'
	"$CTRCTL" create "$id" >said 2>&1 && fail "it was created"
	has "$(cat said)" memory
	nothing_left
	refused "$1" run
	run >said 2>&1 && fail "it ran"
	has "$(cat said)" 'hint: raise linux.resources.memory.limit'
	nothing_left
}

a_limit_too_low_for_init_is_named() {
	too_low 40960
	has "$(cat said)" 'init: ended for want of memory'
}

a_limit_too_low_for_the_first_exec_is_named() {
	too_low 4096
}

# the container's own process can't be killed for it, and so what exec adds is
an_out_of_memory_kill_is_seen_by_engines() {
	local group
	bundle 'linux.resources.memory={"limit":16777216,"swap":16777216}'
	script 'dd if=/dev/zero of=/dev/shm/x bs=1M count=40; sleep 1000'
	up
	group=$(cgroup_of "$(cat pid)")
	eventually grep -q '^oom_kill [1-9]' "$group/memory.events"
	same running "$("$CTRCTL" state "$id" | sed -n 's/.*"status": "\(.*\)".*/\1/p')"
	down
}

memory_oom_group_kills_all() {
	local status=0
	bundle 'linux.resources.memory={"limit":16777216,"swap":16777216}' \
		'linux.resources.unified={"memory.oom.group":"1"}'
	script 'dd if=/dev/zero of=/dev/shm/x bs=1M count=40; echo survived'
	run >out || status=$?
	same 137 "$status" status
	same '' "$(cat out)"
}

tap_run a_limit_too_low_for_init_is_named a_limit_too_low_for_the_first_exec_is_named \
	an_out_of_memory_kill_is_seen_by_engines memory_oom_group_kills_all
tap_done
