#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Filters in real containers: denied in run and exec, taken from the cache, answered for by an agent.
. "$(dirname "$0")/../tap.sh"

helper=$SOURCE/tests/kernel/seccomp-helper.py
facts=$SOURCE/tests/data/seccomp_default_facts.json
id=seccomp-test-$$

ctr() {
	"$CTRCTL" --root "$PWD/root" "$@"
}

after_each() {
	[ ! -d root ] || ctr delete --force "$id"
}

# bundle: a root filesystem and a config.json here, in no cgroup that needs a controller
bundle() {
	cp -a "$CACHE/rootfs/busybox" rootfs
	"$CTRCTL" spec --bundle .
}

a_profile_denies_what_it_does_not_name() {
	local out
	bundle
	python3 "$helper" profile "$facts" config.json sh -c \
		'grep Seccomp: /proc/self/status; unshare -U true; mount -t tmpfs x /proc; echo ended'
	out=$(ctr run --bundle . "$id" 2>&1)
	has "$out" "Seccomp:	2"
	has "$out" "unshare(0x10000000): Operation not permitted"
	has "$out" "mount: permission denied"
	has "$out" "ended"
}

without_no_new_privileges_the_filter_is_the_same() {
	local out
	bundle
	python3 "$helper" profile "$facts" config.json sh -c 'grep -e NoNewPrivs -e Seccomp: /proc/self/status; unshare -U true'
	sed -i 's/"noNewPrivileges": *true/"noNewPrivileges": false/' config.json
	out=$(ctr run --bundle . "$id" 2>&1) || true
	has "$out" "NoNewPrivs:	0"
	has "$out" "Seccomp:	2"
	has "$out" "unshare(0x10000000): Operation not permitted"
}

exec_gets_the_filter_too() {
	local out
	bundle
	python3 "$helper" profile "$facts" config.json sleep 60
	ctr create --bundle . "$id" >/dev/null </dev/null
	ctr start "$id"
	out=$(ctr exec "$id" sh -c 'grep Seccomp /proc/self/status; unshare -U true' 2>&1) || true
	has "$out" "Seccomp:	2"
	has "$out" "Seccomp_filters:	1"
	has "$out" "Operation not permitted"
}

the_second_run_takes_the_filter_from_the_cache() {
	local first
	bundle
	python3 "$helper" profile "$facts" config.json true
	ctr run --bundle . "$id"
	first=$(stat -c '%n %i %Y %a' root/.cache/seccomp/*)
	has "$first" " 600"
	ctr run --bundle . "$id"
	same "$first" "$(stat -c '%n %i %Y %a' root/.cache/seccomp/*)" "entry"
}

an_agent_answers_for_a_call() {
	local out
	bundle
	python3 "$helper" notify "$PWD/agent" config.json mkdir /tmp/x
	python3 "$helper" agent "$PWD/agent" >told &
	eventually test -S agent
	out=$(ctr run --bundle . "$id" 2>&1) && fail "mkdir succeeded"
	wait $!
	has "$out" "Invalid cross-device link"
	same "['seccompFd'] m $id created True" "$(cat told)" "message"
}

without_an_agent_nothing_starts() {
	local out
	bundle
	python3 "$helper" notify "$PWD/agent" config.json mkdir /tmp/x
	out=$(ctr run --bundle . "$id" 2>&1) && fail "ran without its agent"
	has "$out" "linux.seccomp: $PWD/agent: the seccomp agent can't be reached there"
	case $out in
	*[Nn]"o such file"*) fail "engines take this for a missing program: $out" ;;
	esac
	same "" "$(ctr list -q)" "containers left"
}

tap_run a_profile_denies_what_it_does_not_name without_no_new_privileges_the_filter_is_the_same \
	exec_gets_the_filter_too the_second_run_takes_the_filter_from_the_cache an_agent_answers_for_a_call \
	without_an_agent_nothing_starts
tap_done
