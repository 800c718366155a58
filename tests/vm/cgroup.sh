#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every resource of config.json, read back from the kernel: a pure cgroup v2 with all controllers.
. "$(dirname "$0")/../tap.sh"

probe=$BUILD/tests/kernel/cgroup-probe
mnt=/sys/fs/cgroup
top=/ctrctl-test-$$
g=$mnt$top/a/c

after_each() {
	[ -d "$mnt$top" ] || return 0
	echo 1 >"$mnt$top/cgroup.kill"
	gone() {
		[ -d "$mnt$top" ] && find "$mnt$top" -depth -type d -exec rmdir {} \; 2>/dev/null
		[ ! -d "$mnt$top" ]
	}
	eventually gone
}

# fails_with CODE PART COMMAND...
fails_with() {
	local code=$1 part=$2 out status=0
	shift 2
	out=$("$@" 2>&1) || status=$?
	same 1 "$status" "status of $*: $out"
	has "$out" "$code: "
	has "$out" "$part"
	case $out in
	*[Nn]"o such file"* | *ermission\ denied*) fail "engines take this for a missing program: $out" ;;
	esac
}

# reads FILE WANTED
reads() {
	same "$2" "$(cat "$g/$1")" "$1"
}

create() {
	"$probe" create $top/a/c "$@"
}
limit() {
	"$probe" limit $top/a/c "$@"
}

a_disk() {
	local d
	for d in /sys/block/vd* /sys/block/sd* /sys/block/loop0; do
		if [ -e "$d/dev" ]; then
			cat "$d/dev"
			return
		fi
	done
	skip "no disk in this VM"
}

the_mount_point_is_the_unified_one() {
	same /sys/fs/cgroup "$("$probe" mountpoint)"
}

a_group_without_path_is_beside_the_callers() {
	mkdir -p "$mnt$top/shell"
	same "$top/ctrctl-web" "$(sh -c "echo \$\$ >$mnt$top/shell/cgroup.procs; exec $probe path web")"
	same "$top/x/y" "$(sh -c "echo \$\$ >$mnt$top/shell/cgroup.procs; exec $probe path web x/y")"
}

pids_are_limited() {
	create pids.limit=17
	reads pids.max 17
	limit pids.limit=-1
	reads pids.max max
}

a_limit_of_no_pids_lets_the_first_process_in() {
	create pids.limit=0
	reads pids.max 1
	"$probe" late $top/a/c pids.limit=0
	reads pids.max 0
}

memory_is_limited() {
	create memory.limit=67108864 memory.reservation=33554432 memory.swap=100663296
	reads memory.max 67108864
	reads memory.low 33554432
	reads memory.swap.max 33554432
	limit memory.limit=67108864 memory.swap=67108864
	reads memory.swap.max 0
	limit memory.limit=-1
	reads memory.max max
	reads memory.swap.max max
}

shrinking_memory_below_its_use_is_refused_when_asked() {
	create memory.limit=134217728
	"$probe" enter $top/a/c bash -c 'x=$(head -c 40000000 /dev/zero | tr "\0" x); echo ready >ready; sleep 1000; :' &
	eventually test -s ready
	fails_with state "more than the limit of 1048576" "$probe" limit $top/a/c memory.limit=1048576 memory.check=1
	reads memory.max 134217728
	"$probe" signal $top/a/c 9
}

cpu_shares_are_a_weight() {
	create cpu.shares=1024
	reads cpu.weight 100
	limit cpu.shares=2
	reads cpu.weight 1
	limit cpu.shares=262144
	reads cpu.weight 10000
}

an_idle_group_has_no_weight() {
	create cpu.idle=1 cpu.shares=2048
	reads cpu.idle 1
	fails_with state "idle" "$probe" limit $top/a/c cpu.shares=2048
	limit cpu.idle=0 cpu.shares=2048
	reads cpu.weight 174
}

cpu_time_is_limited() {
	create cpu.quota=50000 cpu.period=200000
	reads cpu.max "50000 200000"
	limit cpu.period=100000
	reads cpu.max "50000 100000"
	limit cpu.quota=20000
	reads cpu.max "20000 100000"
	limit cpu.quota=-1
	reads cpu.max "max 100000"
	fails_with invalid "1000 to 1000000" "$probe" limit $top/a/c cpu.quota=10 cpu.period=100000
}

burst_and_quota_may_grow_and_shrink_together() {
	create cpu.quota=50000 cpu.period=100000 cpu.burst=40000
	reads cpu.max.burst 40000
	limit cpu.quota=90000 cpu.burst=80000
	reads cpu.max "90000 100000"
	reads cpu.max.burst 80000
	limit cpu.quota=20000 cpu.burst=10000
	reads cpu.max "20000 100000"
	reads cpu.max.burst 10000
	fails_with invalid "must not be greater than the quota (20000)" "$probe" limit $top/a/c cpu.burst=30000
	fails_with invalid "not less than the burst (now 10000)" "$probe" limit $top/a/c cpu.quota=5000
}

cpus_and_memory_nodes_are_chosen() {
	create cpu.cpus=0 cpu.mems=0
	reads cpuset.cpus 0
	reads cpuset.mems 0
	fails_with invalid "this machine has the CPUs 0" "$probe" limit $top/a/c cpu.cpus=0-9999
	fails_with invalid "this machine has the memory nodes 0" "$probe" limit $top/a/c cpu.mems=63
}

io_is_weighted() {
	create blockIO.weight=500
	if [ -e "$g/io.bfq.weight" ]; then reads io.bfq.weight "default 500"; else reads io.weight "default 4950"; fi
}

a_disk_is_weighted_or_its_scheduler_named() {
	local d out
	d=$(a_disk)
	create blockIO.weight=100
	if out=$(limit weightDevice="$d 500" 2>&1); then
		grep -hqx "$d \(500\|4950\)" "$g"/io.bfq.weight "$g"/io.weight 2>&1
	else
		has "$out" "I/O scheduler without weights"
	fi
}

disks_are_throttled() {
	local d
	d=$(a_disk)
	create rbps="$d 1048576" wiops="$d 100"
	reads io.max "$d rbps=1048576 wbps=max riops=max wiops=100"
	limit rbps="$d 0" wbps="$d 4096" riops="$d 7" wiops="$d 0"
	reads io.max "$d rbps=max wbps=4096 riops=7 wiops=max"
	fails_with invalid "250:250 is not a whole disk" "$probe" limit $top/a/c rbps='250:250 1'
}

huge_pages_are_limited() {
	create hugetlb.2MB=4194304
	reads hugetlb.2MB.max 4194304
	reads hugetlb.2MB.rsvd.max 4194304
	fails_with invalid "only: " "$probe" limit $top/a/c hugetlb.4MB=1
}

rdma_devices_are_limited_or_missing() {
	create
	if ! grep -qw rdma $mnt/cgroup.controllers; then
		fails_with unsupported 'controller "rdma" is not available in /' "$probe" limit $top/a/c rdma.mlx5_0=3
	else
		"$probe" remove $top/a/c
		out=$(create rdma.mlx5_0=3 2>&1) && fail "there is no such device"
		has "$out" "rdma.mlx5_0"
	fi
}

unified_is_written_as_it_is() {
	local d
	d=$(a_disk)
	create unified.memory.high=5000000 unified.pids.max=9 unified.io.max="$d rbps=8192"$'\n'"$d wbps=4096" \
		unified.cgroup.max.depth=3
	reads memory.high 4997120
	reads pids.max 9
	reads io.max "$d rbps=8192 wbps=4096 riops=max wiops=max"
	reads cgroup.max.depth 3
	fails_with invalid 'unified["memory.high"]' "$probe" limit $top/a/c unified.memory.high=nonsense
	fails_with unsupported 'this kernel has no memory.nonsense' "$probe" limit $top/a/c unified.memory.nonsense=1
	fails_with unsupported "controller \"nonsense\" not available" "$probe" limit $top/a/c unified.nonsense.max=1
}

unified_wins_over_the_named_property() {
	create pids.limit=5 unified.pids.max=6
	reads pids.max 6
}

only_controllers_that_are_asked_for_are_enabled() {
	create pids.limit=5
	same pids "$(cat "$mnt$top/cgroup.subtree_control")"
	"$probe" create $top/a/d memory.limit=8388608
	same "memory pids" "$(cat "$mnt$top/a/cgroup.subtree_control")"
}

an_update_enables_what_create_did_not_need() {
	create
	[ ! -e "$g/memory.max" ]
	limit memory.limit=8388608 pids.limit=-1
	reads memory.max 8388608
	[ ! -e "$g/pids.max" ] # no limit needs no controller
	mkdir "$mnt$top/b"
	sleep 1000 &
	echo $! >"$mnt$top/b/cgroup.procs"
	"$probe" create $top/b/c
	fails_with state "parent has processes" "$probe" limit $top/b/c cpu.shares=100
}

a_parent_with_processes_is_told() {
	mkdir -p "$mnt$top/full"
	sleep 1000 &
	echo $! >"$mnt$top/full/cgroup.procs"
	fails_with state "parent has processes" "$probe" create $top/full/c memory.limit=8388608
	fails_with state "hint: " "$probe" create $top/full/c memory.limit=8388608
	# the kernel would take this one, and make the group unfit for processes
	fails_with state "parent has processes" "$probe" create $top/full/c pids.limit=9
	same domain "$(cat "$mnt$top/full/cgroup.type")"
	[ ! -e "$mnt$top/full/c" ]
	# and without limits it is no obstacle
	"$probe" create $top/full/c
}

a_full_hierarchy_is_told() {
	mkdir -p "$mnt$top"
	echo 1 >"$mnt$top/cgroup.max.depth"
	fails_with "" "" "$probe" create $top/a/b/c
	[ ! -e "$mnt$top/a" ]
}

limits_hold_for_a_process() {
	create pids.limit=3
	local out
	out=$("$probe" enter $top/a/c bash -c 'for i in 1 2 3 4 5; do sleep 0.2 & done; wait' 2>&1 || true)
	has "$out" "fork"
}

tap_run the_mount_point_is_the_unified_one a_group_without_path_is_beside_the_callers pids_are_limited \
	a_limit_of_no_pids_lets_the_first_process_in memory_is_limited \
	shrinking_memory_below_its_use_is_refused_when_asked cpu_shares_are_a_weight an_idle_group_has_no_weight \
	cpu_time_is_limited burst_and_quota_may_grow_and_shrink_together cpus_and_memory_nodes_are_chosen \
	io_is_weighted a_disk_is_weighted_or_its_scheduler_named disks_are_throttled huge_pages_are_limited \
	rdma_devices_are_limited_or_missing unified_is_written_as_it_is unified_wins_over_the_named_property \
	only_controllers_that_are_asked_for_are_enabled an_update_enables_what_create_did_not_need \
	a_parent_with_processes_is_told a_full_hierarchy_is_told \
	limits_hold_for_a_process
tap_done
