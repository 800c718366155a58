#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the monitor records of a container that ran out of memory, and where it stands itself: for that the host needs
# the memory controller in cgroup v2 and CAP_SYS_RESOURCE.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../container.sh"

# own ARG...: ctrctl with folders of the case's own
own() {
	"$CTRCTL" --root "$PWD/run" --data "$PWD/data" "$@"
}

# image: busybox, from an archive as docker has it
image() {
	mkdir -p image
	tar -C "$CACHE/rootfs/busybox" --owner 0 --group 0 -cf image/layer.tar .
	printf '{"architecture":"%s","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
		"$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')" "$(sha256sum image/layer.tar | cut -d' ' -f1)" >image/config.json
	echo '[{"Config":"config.json","RepoTags":["busybox:latest"],"Layers":["layer.tar"]}]' >image/manifest.json
	tar -C image -cf image.tar manifest.json config.json layer.tar
	own image load image.tar >/dev/null
}

# pod: a sandbox; its id in ./pod
pod() {
	image
	printf '{"metadata":{"name":"p","namespace":"d","uid":"u-%s"},"linux":{"cgroup_parent":"/%s"}}' "$$" "$id" >pod.json
	own sandbox run pod.json >pod
}

# up_with MEMORY COMMAND...: a container of it, started; its id in $made
up_with() {
	local memory=$1 word command=
	shift
	for word; do
		command+=,\"$word\"
	done
	printf '{"pod_sandbox_id":"%s","config":{"metadata":{"name":"c"},"image":{"image":"busybox"},"command":[%s],
		"linux":{"resources":{"memory_limit_in_bytes":%s},"security_context":{"apparmor":{"profile_type":1}}}},"sandbox_config":%s}' \
		"$(cat pod)" "${command#,}" "$memory" "$(cat pod.json)" >request.json
	made=$(own create --request request.json | sed 's/.*: *"\(.*\)".*/\1/')
	own start "$made"
}

# removes the sandbox with its containers
after_each() {
	[ -e pod ] || return 0
	own sandbox stop "$(cat pod)"
	own sandbox remove "$(cat pod)"
}

# member NAME: of exit.json
member() {
	sed -n "s/.*\"$1\": *\"\{0,1\}\([^,\"}]*\).*/\1/p" "data/containers/$made/exit.json"
}

the_end_of_init_for_want_of_memory_is_told() {
	pod
	up_with 16777216 tail /dev/zero
	same 137 "$(own wait "$made")"
	same '137 9 true OOMKilled' "$(member exitCode) $(member signal) $(member oomKilled) $(member reason)"
}

another_process_that_was_killed_is_told_beside_the_status() {
	pod
	up_with 16777216 sh -c 'tail /dev/zero; exit 3'
	own wait "$made" >/dev/null
	same 'true OOMKilled' "$(member oomKilled) $(member reason)"
}

a_kill_that_was_none_for_want_of_memory_is_not_told() {
	pod
	up_with 16777216 sleep 1000
	own kill "$made" KILL
	same 137 "$(own wait "$made")"
	same 'false Error' "$(member oomKilled) $(member reason)"
}

the_monitor_is_spared_and_the_container_is_not() {
	local monitor init
	pod
	up_with 16777216 sleep 1000
	monitor=$(sed -n 's/.*"monitorPid": *\([0-9]*\).*/\1/p' "run/$made/state.json")
	same -999 "$(cat "/proc/$monitor/oom_score_adj")"
	init=$(own state "$made" | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
	same 0 "$(cat "/proc/$init/oom_score_adj")"
	same "$(cat /proc/self/cgroup)" "$(cat "/proc/$monitor/cgroup")"
}

tap_run the_end_of_init_for_want_of_memory_is_told another_process_that_was_killed_is_told_beside_the_status \
	a_kill_that_was_none_for_want_of_memory_is_not_told the_monitor_is_spared_and_the_container_is_not
tap_done
