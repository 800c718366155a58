#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Groups, device programs, freezing and killing on this machine's cgroup v2 tree, in a group of our own.
. "$(dirname "$0")/../tap.sh"

probe=$BUILD/tests/kernel/cgroup-probe
mnt=$("$probe" mountpoint)
top=/ctrctl-test-$$

after_each() {
	local d=$mnt$top
	[ -d "$d" ] || return 0
	[ ! -e "$d/cgroup.kill" ] || echo 1 >"$d/cgroup.kill"
	find "$d" -depth -type d -exec rmdir {} \; 2>/dev/null
	eventually rmdir_all "$d"
}
rmdir_all() {
	[ ! -d "$1" ] && return
	find "$1" -depth -type d -exec rmdir {} \; 2>/dev/null
	[ ! -d "$1" ]
}

# fails_with CODE PART COMMAND...: status 1, and the error is of this kind and says that
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

# in_group GROUP COMMAND...: runs it in the group in the background and returns once it is there; $! is its pid
in_group() {
	"$probe" enter "$@" &
	eventually grep -q . "$mnt$1/cgroup.procs"
}

a_group_is_made_with_its_parents_and_goes_with_them() {
	same created "$("$probe" create $top/a/b/c)"
	[ -d "$mnt$top/a/b/c" ]
	"$probe" remove $top/a/b/c
	[ ! -e "$mnt$top" ]
}

parents_that_somebody_else_made_stay() {
	mkdir -p "$mnt$top/a"
	"$probe" create $top/a/b/c
	"$probe" remove $top/a/b/c
	[ -d "$mnt$top/a" ]
	[ ! -e "$mnt$top/a/b" ]
}

parents_stay_while_a_neighbour_lives() {
	"$probe" create $top/a/b
	"$probe" create $top/a/c
	"$probe" remove $top/a/b
	[ -d "$mnt$top/a/c" ]
	"$probe" remove $top/a/c
	[ ! -e "$mnt$top" ]
}

removing_an_absent_group_is_success() {
	"$probe" remove $top/nothing
	"$probe" remove $top
	same 1 "$("$probe" remove-empty $top/nothing)"
}

an_empty_group_is_taken_over() {
	mkdir "$mnt$top"
	same "taken over" "$("$probe" create $top)"
}

a_populated_group_is_refused() {
	"$probe" create $top
	in_group $top sleep 1000
	fails_with exists "not empty: 1 process" "$probe" create $top
	same 0 "$("$probe" remove-empty $top)"
}

a_frozen_group_is_refused() {
	"$probe" create $top
	echo 1 >"$mnt$top/cgroup.freeze"
	fails_with exists frozen "$probe" create $top
}

a_missing_group_is_told_without_the_words_that_engines_match() {
	fails_with not-found "does not exist" "$probe" freeze $top
}

a_file_in_the_way_is_an_error() {
	"$probe" create $top
	fails_with system "" "$probe" create $top/cgroup.procs
}

a_controller_that_is_missing_is_named() {
	local c=cpu
	if grep -qw $c "$mnt/cgroup.controllers"; then skip "this host has all controllers in v2"; fi
	fails_with unsupported 'controller "cpu" is not available in /' "$probe" create $top cpu.shares=100
	fails_with unsupported 'cpu.shares' "$probe" create $top cpu.shares=100
	fails_with unsupported 'hint' "$probe" create $top cpu.shares=100
	fails_with unsupported "unified resource \"cpu.weight\" can't be set: controller \"cpu\" not available" \
		"$probe" create $top unified.cpu.weight=100
	[ ! -e "$mnt$top" ]
	"$probe" create $top
	fails_with unsupported 'controller "cpu" is not available in /' "$probe" limit $top cpu.shares=100
}

no_limit_needs_no_controller() {
	"$probe" create $top memory.limit=-1 pids.limit=-1 cpu.quota=-1 cpu.idle=0 cpu.burst=0
}

a_failed_create_leaves_nothing() {
	fails_with unsupported 'controller "nonsense"' "$probe" create $top/a/b unified.nonsense.max=1
	[ ! -e "$mnt$top" ]
}

# nodes TYPE+MAJOR:MINOR...: made here, outside of the group
nodes() {
	local n
	for n; do
		local rest=${n#?}
		mknod "$n" "${n%"$rest"}" "${rest%:*}" "${rest#*:}"
	done
}
# access_in GROUP DEVICE: letters
access_in() {
	"$probe" enter "$1" "$probe" access "$2"
}

without_rules_only_the_defaults_can_be_opened() {
	nodes c1:3 c1:5 c1:7 c1:8 c1:9 c1:1 c1:11 c5:1 c10:200 c10:229 b7:0 b8:0
	"$probe" create $top
	for d in c1:3 c1:5 c1:7 c1:8 c1:9; do same rwm "$(access_in $top $d)" $d; done
	for d in c1:1 c1:11 c5:1 c10:200 c10:229 b7:0 b8:0; do same m "$(access_in $top $d)" $d; done
}

rules_open_what_they_say() {
	nodes c1:11 c10:200 c10:229 b7:0 b7:1
	"$probe" create $top device='deny a *:* rwm' device='allow b 7:* rw' device='deny b 7:1 w' \
		device='allow c 1:11 r' device='allow c 10:* rwm' device='deny c 10:229 rw'
	same rwm "$(access_in $top b7:0)" b7:0
	same rm "$(access_in $top b7:1)" b7:1
	same rm "$(access_in $top c1:11)" c1:11
	same rwm "$(access_in $top c10:200)" c10:200
	same m "$(access_in $top c10:229)" c10:229
}

allowing_all_allows_all() {
	nodes c1:11 b8:0
	"$probe" create $top device='deny a *:* rwm' device='allow a *:* rwm'
	same rwm "$(access_in $top c1:11)"
	same rwm "$(access_in $top b8:0)"
}

a_new_list_replaces_the_old_one() {
	nodes c1:11 c10:200
	"$probe" create $top device='allow c 1:11 rwm'
	same rwm "$(access_in $top c1:11)"
	"$probe" devices $top device='allow c 10:200 rwm'
	same m "$(access_in $top c1:11)"
	same rwm "$(access_in $top c10:200)"
	"$probe" devices $top device='allow a *:* rwm'
	same rwm "$(access_in $top c1:11)"
}

there_is_no_moment_without_rules_while_they_are_replaced() {
	nodes c1:11
	"$probe" create $top
	in_group $top bash -c 'while :; do : <c1:11 && echo through >>through; done' 2>/dev/null
	for ((i = 0; i < 100; i++)); do "$probe" devices $top device="allow c 10:$i rwm"; done
	"$probe" signal $top 9
	[ ! -e through ]
	# and the loop would have seen it
	in_group $top bash -c 'while [ ! -e through ]; do : <c1:11 && echo through >>through; done' 2>/dev/null
	"$probe" devices $top device='allow c 1:11 r'
	eventually test -e through
}

five_hundred_rules_load() {
	local args=() i
	for ((i = 0; i < 500; i++)); do args+=(device="allow c $((20 + i % 50)):$((i * 7)) rw"); done
	nodes c20:0 c20:1
	"$probe" create $top "${args[@]}"
	same m "$(access_in $top c20:1)"
}

rules_hold_in_sub_groups() {
	nodes c1:11
	"$probe" create $top
	mkdir "$mnt$top/sub"
	same m "$(access_in $top/sub c1:11)"
}

freezing_stops_and_thawing_goes_on() {
	"$probe" create $top
	in_group $top bash -c 'while :; do echo . >>dots; sleep 0.01; done'
	eventually test -s dots
	same 0 "$("$probe" frozen $top)"
	"$probe" freeze $top
	same 1 "$("$probe" frozen $top)"
	local before
	before=$(stat -c %s dots)
	sleep 0.2
	same "$before" "$(stat -c %s dots)" "size while frozen"
	"$probe" thaw $top
	same 0 "$("$probe" frozen $top)"
	grew() { [ "$(stat -c %s dots)" -gt "$before" ]; }
	eventually grew
}

kill_takes_sub_groups_too_even_frozen() {
	"$probe" create $top
	mkdir -p "$mnt$top/x/y"
	in_group $top sleep 1000
	in_group $top/x/y sleep 1000
	same 2 "$("$probe" pids $top | wc -l)"
	"$probe" freeze $top
	"$probe" signal $top 9
	"$probe" wait $top 5000
	same 0 "$("$probe" pids $top | wc -l)"
	"$probe" remove $top
	[ ! -e "$mnt$top" ]
}

kill_works_on_kernels_without_a_file_for_it() {
	"$probe" create $top
	mkdir "$mnt$top/x"
	in_group $top bash -c 'while :; do sleep 0.01 & done' # forks while it is killed
	in_group $top/x sleep 1000
	"$probe-old" signal $top 9
	"$probe" wait $top 5000
	"$probe" remove $top
}

another_signal_reaches_every_process() {
	"$probe" create $top
	mkdir -p "$mnt$top/x/y"
	for g in $top $top/x/y; do
		for i in 1 2 3; do "$probe" enter $g sleep 1000 & done
	done
	six() { [ "$("$probe" pids $top | xargs -I{} cat /proc/{}/comm | grep -c sleep)" = 6 ]; }
	eventually six
	"$probe" signal $top 15
	"$probe" wait $top 5000
}

waiting_names_who_is_left() {
	"$probe" create $top
	in_group $top sleep 1000
	fails_with timeout "(sleep) in state S" "$probe" wait $top 50
	fails_with timeout "(sleep) in state S" "$probe" remove $top
}

removal_goes_through_any_depth() {
	local d=$mnt$top/d i
	"$probe" create $top
	(
		cd "$mnt$top"
		for ((i = 0; i < 60; i++)); do mkdir "d$i" e && cd "d$i"; done
	)
	"$probe" remove $top
	[ ! -e "$mnt$top" ]
}

membership_is_seen() {
	"$probe" create $top
	mkdir "$mnt$top/sub"
	in_group $top/sub sleep 1000
	local pid
	pid=$(cat "$mnt$top/sub/cgroup.procs")
	same 1 "$("$probe" holds $top/sub "$pid")"
	same 1 "$("$probe" holds $top "$pid")"
	same 0 "$("$probe" holds "${top%?}" "$pid")"
	same 0 "$("$probe" holds $top $$)"
	same 0 "$("$probe" holds $top 4194303)"
}

delegation_gives_the_files_that_the_kernel_lists() {
	"$probe" create $top
	"$probe" delegate $top 1000 1001
	same 1000:1001 "$(stat -c %u:%g "$mnt$top")"
	same 1000:1001 "$(stat -c %u:%g "$mnt$top/cgroup.procs")"
	same 0:0 "$(stat -c %u:%g "$mnt$top/cgroup.freeze")" "a file that isn't delegated"
}

huge_pages_of_an_unknown_size_are_refused_with_the_sizes_there_are() {
	if ! grep -qw hugetlb "$mnt/cgroup.controllers"; then skip "no hugetlb controller in v2"; fi
	local had=1
	grep -qw hugetlb "$mnt/cgroup.subtree_control" || had=0
	local status=0
	(
		"$probe" create $top hugetlb.2MB=4194304
		same 4194304 "$(cat "$mnt$top/hugetlb.2MB.max")"
		same 4194304 "$(cat "$mnt$top/hugetlb.2MB.rsvd.max")"
		fails_with invalid "only: " "$probe" limit $top hugetlb.3MB=1
		fails_with invalid "hugepageLimits[0]" "$probe" limit $top hugetlb.3MB=1
	) || status=1
	"$probe" remove $top
	[ $had = 1 ] || echo -hugetlb >"$mnt/cgroup.subtree_control"
	return $status
}

tap_run a_group_is_made_with_its_parents_and_goes_with_them parents_that_somebody_else_made_stay \
	parents_stay_while_a_neighbour_lives removing_an_absent_group_is_success an_empty_group_is_taken_over \
	a_populated_group_is_refused a_frozen_group_is_refused \
	a_missing_group_is_told_without_the_words_that_engines_match a_file_in_the_way_is_an_error \
	a_controller_that_is_missing_is_named no_limit_needs_no_controller a_failed_create_leaves_nothing \
	without_rules_only_the_defaults_can_be_opened rules_open_what_they_say allowing_all_allows_all \
	a_new_list_replaces_the_old_one there_is_no_moment_without_rules_while_they_are_replaced \
	five_hundred_rules_load rules_hold_in_sub_groups freezing_stops_and_thawing_goes_on \
	kill_takes_sub_groups_too_even_frozen kill_works_on_kernels_without_a_file_for_it another_signal_reaches_every_process waiting_names_who_is_left \
	removal_goes_through_any_depth membership_is_seen delegation_gives_the_files_that_the_kernel_lists \
	huge_pages_of_an_unknown_size_are_refused_with_the_sizes_there_are
tap_done
