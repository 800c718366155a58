#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# containerd, as Debian packages it, with ctrctl as the runtime behind its runc shim.
. "$(dirname "$0")/../tap.sh"
image=localhost/busybox:test
work=$(mktemp -d)

# run OPTION... IMAGE ID COMMAND...: ctr run with the runtime under test
run() {
	ctr run --runtime io.containerd.runc.v2 --runc-binary "$CTRCTL" "$@"
}

# status_is TASK STATUS
status_is() {
	[ "$(ctr task ls | awk -v t="$1" '$1 == t { print $3 }')" = "$2" ]
}

# remove TASK...: kills and removes tasks and their containers
remove() {
	for t; do
		ctr task kill -s KILL "$t"
		eventually status_is "$t" STOPPED
		ctr task rm "$t" || true # warns of the status 137
		ctr container rm "$t"
	done
}

no_cgroup_of() {
	[ ! -e "/sys/fs/cgroup/default/$1" ]
}

output_and_exit_status_come_back() {
	local out status=0
	out=$(run --rm $image c1 sh -c 'echo from inside; echo $FROM_IMAGE; exit 3') || status=$?
	same 3 "$status" status
	same $'from inside\nyes' "$out" output
	no_cgroup_of c1
}

a_detached_container_runs_execs_stops_and_goes() {
	local out status=0
	run -d $image c2 sleep 1000
	status_is c2 RUNNING
	out=$(ctr task exec --exec-id e1 c2 sh -c 'tr "\0" " " </proc/1/cmdline; exit 4') || status=$?
	same 4 "$status" status
	same 'sleep 1000 ' "$out" 'process 1'
	has "$(ctr task ps c2)" "$(ctr task ls | awk '$1 == "c2" { print $2 }')"
	remove c2
	no_cgroup_of c2
	same '' "$(ctr container ls -q)" containers
}

a_terminal_is_given() {
	local out
	out=$(script -qec "ctr run --rm -t --runc-binary $CTRCTL $image c3 tty" /dev/null)
	has "$out" /dev/pts/0
}

a_signal_reaches_the_process() {
	local out
	run -d $image c4 sh -c 'trap "exit 9" TERM; touch /ready; while :; do sleep 0.1; done'
	eventually ctr task exec --exec-id "e$RANDOM" c4 test -e /ready
	ctr task kill -s TERM c4
	eventually status_is c4 STOPPED
	out=$(ctr task rm c4 2>&1) || true
	has "$out" 'exit code 9'
	ctr container rm c4
}

a_paused_container_resumes() {
	run -d $image c5 sleep 1000
	ctr task pause c5
	status_is c5 PAUSED
	ctr task resume c5
	status_is c5 RUNNING
	remove c5
}

a_missing_program_is_an_error_that_names_it() {
	local out
	out=$(run --rm $image c6 nosuchprogram 2>&1) && fail "it ran"
	has "$out" nosuchprogram
	ctr container rm c6 2>/dev/null || true
	no_cgroup_of c6
}

limits_are_in_the_cgroup() {
	run -d --memory-limit 50000000 --cpu-quota 20000 --cpu-period 100000 $image c7 sleep 1000
	same 49999872 "$(cat /sys/fs/cgroup/default/c7/memory.max)" memory.max
	same '20000 100000' "$(cat /sys/fs/cgroup/default/c7/cpu.max)" cpu.max
	remove c7
}

printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >"$work/config.toml"
"$SOURCE/tools/pack-image" --env FROM_IMAGE=yes "$CACHE/rootfs/busybox" $image "$work/image.tar"
containerd -c "$work/config.toml" -l warn >"$work/log" 2>&1 </dev/null &
daemon=$!
for _ in $(seq 100); do
	ctr version >/dev/null 2>&1 && break
	sleep 0.3
done
ctr image import "$work/image.tar" >&2

tap_run output_and_exit_status_come_back a_detached_container_runs_execs_stops_and_goes a_terminal_is_given \
	a_signal_reaches_the_process a_paused_container_resumes a_missing_program_is_an_error_that_names_it \
	limits_are_in_the_cgroup
cat "$work/log" >&2
kill $daemon
wait $daemon
rm -rf "$work"
tap_done
