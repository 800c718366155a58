#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The VM itself: what the other programs of this folder, and tests/engines, rely on.
. "$(dirname "$0")/../tap.sh"

root_has_every_capability() {
	local last
	last=$(cat /proc/sys/kernel/cap_last_cap)
	same "$(printf '%016x' $(((1 << (last + 1)) - 1)))" "$(awk '/^CapEff:/ { print $2 }' /proc/self/status)"
}

cgroups_are_pure_v2_with_all_controllers() {
	same cgroup2fs "$(stat -f -c %T /sys/fs/cgroup)"
	for c in cpuset cpu io memory pids; do
		has " $(cat /sys/fs/cgroup/cgroup.subtree_control) " " $c "
	done
	same 0 "$(grep -c ' cgroup ' /proc/self/mounts || true)"
}

the_security_module_is_apparmor() {
	has "$(cat /sys/kernel/security/lsm)" apparmor
	same Y "$(cat /sys/module/apparmor/parameters/enabled)"
}

changes_stay_in_the_guest() {
	echo changed >/etc/changed-in-the-guest
	same overlay "$(awk '$2 == "/" { print $3 }' /proc/self/mounts)"
}

an_overlay_can_be_mounted_in_tmp() {
	mkdir l u w m
	mount -t overlay -o lowerdir=l,upperdir=u,workdir=w overlay m
	umount m
}

no_network_but_loopback() {
	same lo "$(ls /sys/class/net)"
	same 'nothing' "$(ip route 2>/dev/null | grep . || echo nothing)"
}

tap_run root_has_every_capability cgroups_are_pure_v2_with_all_controllers the_security_module_is_apparmor \
	changes_stay_in_the_guest an_overlay_can_be_mounted_in_tmp no_network_but_loopback
tap_done
