#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Cases of tests/kernel that older kernels answer differently, on this VM's: those with namespaces of all
# kinds, detached and idmapped mounts, and what needs more capabilities than a build machine may have.
set -u
here=$(cd "$(dirname "$0")/../kernel" && pwd)
n=0

# cases PROGRAM NAME...: runs them and goes on with the numbers
cases() {
	local program=$1 line lines=0 wanted
	shift
	wanted=$#
	while IFS= read -r line; do
		case $line in
		'1..'*) continue ;;
		'ok '* | 'not ok '*)
			n=$((n + 1))
			lines=$((lines + 1))
			line="${line%%ok *}ok $n - $program:${line#*-}"
			;;
		esac
		echo "$line"
	done < <("$here/$program" "$@" 2>&1)
	if [ $lines != $wanted ]; then
		n=$((n + 1))
		echo "not ok $n - $program: $lines of $wanted cases have an outcome: is one renamed?"
	fi
}

# ext4: before 6.3 a tmpfs can't be idmapped, before 6.6 it has no extended attributes of users
export TMPDIR=/mnt/disk

cases namespaces.py each_kind_that_is_listed_is_new each_kind_can_be_joined \
	user_pid_network_and_ipc_can_be_joined_together exec_enters_a_user_namespace \
	clocks_have_the_offsets_that_were_asked_for a_time_namespace_is_entered_by_exec
cases mounts.py each_flag_is_on_a_new_file_system each_flag_is_on_a_bind_mount \
	noexec_nosuid_nodev_and_nosymfollow_work recursive_read_only_holds_on_a_submount_and_plain_does_not \
	an_idmapped_mount_follows_the_user_namespace a_mount_has_maps_of_its_own \
	idmap_is_for_the_mount_and_ridmap_for_those_below_too \
	tmpcopyup_keeps_contents_modes_owners_links_and_attributes tmpcopyup_works_in_a_user_namespace \
	each_kind_of_file_system_can_be_mounted the_cgroup_mount_shows_only_the_containers_own \
	without_a_cgroup_namespace_only_the_own_group_can_be_written \
	sysfs_of_the_host_is_shown_read_only_in_a_user_namespace_without_network
cases process.py the_five_sets_of_root each_limit_is_set each_policy_is_set the_io_priority_is_set \
	the_memory_policy_is_set sysctls_work_in_a_user_namespace_and_without_a_pid_namespace \
	the_program_is_never_init_itself
cases review.py a_symlink_of_the_image_leads_no_mount_into_proc \
	exec_reaches_a_container_that_manages_its_own_cgroups
cases lifecycle.py a_paused_container_is_killed_and_deleted \
	delete_takes_what_a_dead_init_left_in_a_shared_pid_namespace groups_within_the_cgroup_go_with_it
cases images.py layers_whiteouts_and_links_are_seen_as_one_tree an_image_may_have_128_layers \
	ids_are_mapped_for_a_user_namespace a_layer_may_come_twice changes_go_to_the_containers_own_folder \
	a_store_on_an_overlay_is_refused_with_a_hint
echo "1..$n"
