#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# linux.resources on pure cgroup v2: what is written where, and that the kernel enforces it.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../container.sh"

# files NAME...: these files of the cgroup, as a container with ./config.json sees them
files() {
	script "cd /sys/fs/cgroup && cat $*"
	run
}

memory_limits() {
	bundle 'linux.resources.memory={"limit":67108864,"swap":100663296,"reservation":33554432}'
	same $'67108864\n33554432\n33554432' "$(files memory.max memory.swap.max memory.low)"
}

memory_beyond_the_limit_kills() {
	local status=0
	bundle 'linux.resources.memory={"limit":16777216,"swap":16777216}'
	script 'dd if=/dev/zero of=/dev/shm/x bs=1M count=40'
	run || status=$?
	same 137 "$status" status
}

cpu_limits() {
	bundle 'linux.resources.cpu={"shares":262144,"quota":50000,"period":100000}'
	same $'10000\n50000 100000' "$(files cpu.weight cpu.max)"
}

cpu_burst() {
	bundle 'linux.resources.cpu={"quota":50000,"period":100000,"burst":10000}'
	same 10000 "$(files cpu.max.burst)"
}

cpus_and_memory_nodes() {
	bundle 'linux.resources.cpu={"cpus":"1","mems":"0"}'
	same $'1\n0' "$(files cpuset.cpus.effective cpuset.mems.effective)"
}

a_cpu_that_is_not_there_is_refused() {
	bundle 'linux.resources.cpu={"cpus":"77"}'
	refused '"77"' run
	nothing_left
}

a_limit_of_processes_stops_forks() {
	local out
	bundle 'linux.resources.pids={"limit":4}'
	script 'for i in 1 2 3 4 5 6; do sleep 100 & done; wait'
	out=$(run 2>&1) || true
	has "$out" "can't fork"
}

a_limit_of_no_processes_lets_the_container_itself_live() {
	local out
	bundle 'linux.resources.pids={"limit":0}'
	script 'cat /sys/fs/cgroup/pids.max; :'
	out=$(run 2>&1) || true
	has "$out" "can't fork"
	script 'read -r max </sys/fs/cgroup/pids.max; echo "$max"'
	same 0 "$(run)"
}

an_idle_container_gets_what_others_leave() {
	bundle 'linux.resources.cpu={"idle":1}'
	same 1 "$(files cpu.idle)"
}

disks_are_weighted_and_throttled() {
	local disk='"major":'$(stat -c %Hr /dev/vda)',"minor":'$(stat -c %Lr /dev/vda)
	bundle "linux.resources.blockIO={\"weight\":500,\"throttleReadBpsDevice\":[{$disk,\"rate\":1048576}],
\"throttleWriteIOPSDevice\":[{$disk,\"rate\":100}]}"
	has "$(files io.max)" 'rbps=1048576 wbps=max riops=max wiops=100'
	script 'cd /sys/fs/cgroup; cat io.bfq.weight 2>/dev/null || cat io.weight'
	has 'default 500 default 4950' "$(run)"
}

huge_pages() {
	bundle 'linux.resources.hugepageLimits=[{"pageSize":"2MB","limit":4194304}]'
	same $'4194304\n4194304' "$(files hugetlb.2MB.max hugetlb.2MB.rsvd.max)"
}

unified_values_are_written_as_they_are() {
	bundle 'linux.resources.unified={"memory.high":"50331648","cgroup.max.descendants":"7"}'
	same $'50331648\n7' "$(files memory.high cgroup.max.descendants)"
}

an_unknown_unified_file_is_refused() {
	bundle 'linux.resources.unified={"nonsense.max":"1"}'
	refused nonsense run
	nothing_left
}

devices_are_denied_unless_allowed() {
	local major minor deny='{"allow":false,"access":"rwm"}'
	major=$(stat -c %Hr /dev/vda)
	minor=$(stat -c %Lr /dev/vda)
	bundle
	capabilities MKNOD
	edit "linux.resources.devices=[$deny]"
	script "mknod /dev/disk b $major $minor; head -c 1 /dev/disk"
	has "$(run 2>&1)" 'Operation not permitted'
	edit "linux.resources.devices=[$deny,{\"allow\":true,\"type\":\"b\",\"major\":$major,\"minor\":$minor,\"access\":\"rm\"}]"
	script "mknod /dev/disk b $major $minor && head -c 1 /dev/disk >/dev/null && echo read; : >/dev/disk"
	run >out 2>&1 || true
	has "$(cat out)" read
	has "$(cat out)" "can't create /dev/disk: Operation not permitted"
}

a_given_cgroup_is_used_and_removed() {
	bundle "linux.cgroupsPath=\"/given-$$/$id\""
	script 'sleep 1000'
	up
	same "/sys/fs/cgroup/given-$$/$id" "$(cgroup_of "$(cat pid)")"
	"$CTRCTL" exec "$id" sh -c 'grep -c . /sys/fs/cgroup/cgroup.procs' >count
	down
	[ ! -d "/sys/fs/cgroup/given-$$/$id" ] || fail "the cgroup is left"
	[ ! -d "/sys/fs/cgroup/given-$$" ] || rmdir "/sys/fs/cgroup/given-$$"
	[ "$(cat count)" -ge 2 ] || fail "exec was in another cgroup"
}

the_cgroup_namespace_hides_the_path() {
	bundle
	script 'cat /proc/self/cgroup'
	has "$(run)" 0::/
	same 1 "$(run | grep -c '^0::/$')"
}

deletion_kills_what_shares_the_hosts_pids() {
	bundle
	edit 'linux.namespaces=[{"type":"mount"},{"type":"cgroup"}]' 'mounts=[]' hostname=
	script 'trap "" TERM; (while :; do sleep 100; done) & while :; do sleep 100; done'
	up
	eventually test "$(wc -l <"$(cgroup_of "$(cat pid)")/cgroup.procs")" -ge 2
	cgroup_of "$(cat pid)" >group
	down
	[ ! -d "$(cat group)" ] || fail "the cgroup is left"
	nothing_left
}

tap_run memory_limits memory_beyond_the_limit_kills cpu_limits cpu_burst cpus_and_memory_nodes \
	a_cpu_that_is_not_there_is_refused a_limit_of_processes_stops_forks \
	a_limit_of_no_processes_lets_the_container_itself_live an_idle_container_gets_what_others_leave \
	disks_are_weighted_and_throttled huge_pages \
	unified_values_are_written_as_they_are an_unknown_unified_file_is_refused \
	devices_are_denied_unless_allowed a_given_cgroup_is_used_and_removed \
	the_cgroup_namespace_hides_the_path deletion_kills_what_shares_the_hosts_pids
tap_done
