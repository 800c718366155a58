#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A clean clone on a minimal Debian 12 that has never seen this project: tools/demo, tools/setup and the
# unit tests must find or install all that they need. The root is made by debootstrap, with a tmpfs
# above it, in mount and pid namespaces of its own.

if [ -z "${FRESH_NAMESPACE:-}" ]; then
	FRESH_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$@"
fi
. "$(dirname "$0")/../tap.sh"

# inside COMMAND: runs it with bash in the fresh root, in the clone
inside() {
	unshare --mount --pid --fork --kill-child bash -eu -c '
		cd "$1"
		mount -t proc proc proc
		mount --rbind /sys sys
		mount --rbind /dev dev
		pivot_root . mnt
		cd /
		umount -l /mnt
		cd /root/ctrctl
		exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
			bash -c "$2"' inside "$root" "$1" </dev/null
}

the_demo_runs() {
	inside tools/demo >out 2>&1 || {
		cat out
		fail "tools/demo failed"
	}
	same 'no mount, no cgroup, no record, no process' "$(tail -n 1 out)" 'last line'
}

setup_installs_all_and_starts_nothing() {
	local processes
	inside 'tools/setup >/tmp/setup.log 2>&1 || { tail -n 20 /tmp/setup.log >&2; exit 1; }
		for f in /proc/[0-9]*/comm; do read -r name <$f; echo $name; done' >processes
	processes=$(sort -u processes)
	same bash "$processes" 'processes that run afterwards'
	[ ! -e "$root/usr/sbin/policy-rc.d" ] || fail "the guard against services is left"
}

setup_a_second_time_needs_no_network() {
	inside 'ln -s /bin/false /usr/local/bin/apt-get; tools/setup; rm /usr/local/bin/apt-get' >out
	same '' "$(cat out)" output
}

the_unit_tests_pass() {
	inside 'tools/test unit' >out 2>&1 || {
		tail -n 60 out
		fail "tools/test failed"
	}
	has "$(tail -n 1 out)" ' passed, 0 failed'
}

"$SOURCE/tools/rootfs" debian >/dev/null || exit 1
root=$(mktemp -d)
mount -t tmpfs -o size=80%,mode=700 fresh "$root"
mkdir "$root/upper" "$root/work" "$root/root"
mount -t overlay -o "lowerdir=$CACHE/rootfs/debian,upperdir=$root/upper,workdir=$root/work" overlay "$root/root"
outer=$root
root=$root/root
# layers of images need another file system than an overlay beneath theirs
mkdir -m 700 "$root/var/lib/ctrctl"
mount -t tmpfs -o mode=700 data "$root/var/lib/ctrctl"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
cp /etc/resolv.conf "$root/etc/resolv.conf"
git -c safe.directory='*' clone -q "$SOURCE" "$root/root/ctrctl"

tap_run the_demo_runs setup_installs_all_and_starts_nothing setup_a_second_time_needs_no_network the_unit_tests_pass
umount "$root/tmp" "$root/var/lib/ctrctl" "$root" "$outer"
rmdir "$outer"
tap_done
