#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Podman, as Debian packages it, with ctrctl as its runtime, on a kernel with AppArmor.
. "$(dirname "$0")/../tap.sh"
image=localhost/busybox:test
work=$(mktemp -d)

pod() {
	podman --runtime "$CTRCTL" "$@"
}

# run OPTION... IMAGE COMMAND...: in the foreground, removed afterwards, no network
run() {
	pod run --rm --network none "$@"
}

output_and_exit_status_come_back() {
	local out status=0
	out=$(run $image sh -c 'echo from inside; echo $FROM_IMAGE; exit 5') || status=$?
	same 5 "$status" status
	same $'from inside\nyes' "$out" output
	same '' "$(podman ps -aq)" containers
}

a_detached_container_runs_execs_stops_and_goes() {
	local out status=0 cgroup
	pod run -d --name d1 --network none $image sh -c 'trap "exit 9" TERM; touch /ready; while :; do sleep 0.1; done'
	eventually pod exec d1 test -e /ready
	cgroup=/sys/fs/cgroup$(sed 's/^0:://' "/proc/$(podman inspect -f '{{.State.Pid}}' d1)/cgroup")
	[ -d "$cgroup" ]
	out=$(pod exec -e A=b d1 sh -c 'echo $A; exit 6') || status=$?
	same 6 "$status" status
	same b "$out" output
	pod stop -t 20 d1
	same 9 "$(podman inspect -f '{{.State.ExitCode}}' d1)" 'exit status'
	pod start d1
	same running "$(podman inspect -f '{{.State.Status}}' d1)" status
	pod rm -f -t 0 d1
	same '' "$(podman ps -aq)" containers
	[ ! -d "$cgroup" ]
}

a_terminal_is_given() {
	has "$(run -t $image tty)" /dev/pts/0
	has "$(run -t $image stat -c '%a %t' /dev/console)" '620 88'
}

a_missing_program_is_127_and_one_that_cannot_run_126() {
	same 127 "$(status_of run $image nosuchprogram)"
	same 126 "$(status_of run $image /etc/passwd)"
}

exec_of_a_missing_program_is_127() {
	pod run -d --name d2 --network none $image sleep 1000
	same 127 "$(status_of pod exec d2 nosuchprogram)"
	pod rm -f -t 0 d2
}

the_default_profile_of_apparmor_is_enforced() {
	has "$(run $image cat /proc/self/attr/current)" '(enforce)'
}

the_default_seccomp_profile_is_applied() {
	has "$(run $image grep Seccomp: /proc/self/status)" 2
}

limits_are_in_the_cgroup() {
	local out
	out=$(run --memory 64m --pids-limit 50 --cpus 0.5 $image \
		cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max)
	same $'67108864\n50\n50000 100000' "$out"
}

another_user_a_read_only_root_and_no_capabilities() {
	local out
	out=$(run --read-only --user 1000:1000 --cap-drop all --security-opt no-new-privileges $image \
		sh -c 'id -u; grep -E "CapEff|NoNewPrivs" /proc/self/status; touch /x 2>/dev/null || echo read-only')
	same $'1000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nread-only' "$out"
}

a_volume_is_mounted() {
	local dir=$PWD
	echo outside >"$dir/file"
	same outside "$(run -v "$dir:/data:ro" $image cat /data/file)"
	run -v "$dir:/data" $image sh -c 'echo inside >/data/file'
	same inside "$(cat "$dir/file")"
}

a_user_namespace_maps_root() {
	local out
	out=$(run --uidmap 0:100000:1000 --gidmap 0:100000:1000 $image \
		sh -c 'id -u; awk "{ print \$1, \$2, \$3 }" /proc/self/uid_map')
	same $'0\n0 100000 1000' "$out"
}

the_default_network_has_an_address() {
	local out
	out=$(pod run --rm $image ip -o -4 addr show dev eth0)
	has "$out" 10.88.0.
}

a_paused_container_resumes() {
	pod run -d --name d3 --network none $image sleep 1000
	pod pause d3
	same paused "$(podman inspect -f '{{.State.Status}}' d3)"
	pod unpause d3
	same running "$(podman inspect -f '{{.State.Status}}' d3)"
	pod rm -f -t 0 d3
}

containers_of_a_pod_share_its_namespaces() {
	local infra
	# Without systemd, Podman 4.3 itself attaches a program that denies all devices to a pod's own
	# cgroup, so that no runtime can start a container in there.
	pod pod create --name p1 --network none --share-parent=false >&2
	pod run -d --pod p1 --name m1 $image sleep 1000 >&2
	infra=$(podman pod inspect -f '{{.InfraContainerID}}' p1)
	same running "$(podman inspect -f '{{.State.Status}}' "$infra")" 'status of the infra container'
	infra=$(podman inspect -f '{{.State.Pid}}' "$infra")
	same "$(readlink "/proc/$infra/ns/net")" "$(pod exec m1 readlink /proc/self/ns/net)" 'network namespace'
	same "$(readlink "/proc/$infra/ns/ipc")" "$(pod exec m1 readlink /proc/self/ns/ipc)" 'ipc namespace'
	pod pod rm -f -t 0 p1
	same '' "$(podman ps -aq)" containers
}

an_image_is_built() {
	tar -cf rootfs.tar -C "$CACHE/rootfs/busybox" .
	printf 'FROM scratch\nADD rootfs.tar /\nRUN echo built >/built\nCMD ["cat", "/built"]\n' >Containerfile
	pod build --network none -t localhost/built . >&2
	same built "$(run localhost/built)"
}

after_each() {
	podman pod rm -af -t 0
	podman rm -af -t 0
}

"$SOURCE/tools/pack-image" --env FROM_IMAGE=yes "$CACHE/rootfs/busybox" $image "$work/image.tar"
podman load -i "$work/image.tar" >&2
tap_run output_and_exit_status_come_back a_detached_container_runs_execs_stops_and_goes a_terminal_is_given \
	a_missing_program_is_127_and_one_that_cannot_run_126 exec_of_a_missing_program_is_127 \
	the_default_profile_of_apparmor_is_enforced the_default_seccomp_profile_is_applied \
	limits_are_in_the_cgroup another_user_a_read_only_root_and_no_capabilities a_volume_is_mounted \
	a_user_namespace_maps_root the_default_network_has_an_address containers_of_a_pod_share_its_namespaces \
	a_paused_container_resumes an_image_is_built
rm -rf "$work"
tap_done
