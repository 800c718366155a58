#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Bundles that others wrote, run unchanged.
. "$(dirname "$0")/../tap.sh"

a_bundle_of_runc_spec_runs_in_a_terminal() {
	local out
	cp -a "$CACHE/rootfs/busybox" rootfs
	runc spec
	# its process is sh in a terminal, on a read-only root
	out=$(printf 'hostname; id -u; touch /x || echo status $((40 + 2)); exit\n' |
		script -qec "stty -echo; $CTRCTL run spec1" /dev/null)
	has "$out" runc
	has "$out" 'status 42'
}

a_bundle_of_crun_spec_runs_in_a_terminal() {
	local out
	cp -a "$CACHE/rootfs/busybox" rootfs
	crun spec
	out=$(printf 'echo status $((40 + 2)); exit\n' | script -qec "stty -echo; $CTRCTL run spec2" /dev/null)
	has "$out" 'status 42'
}

# Podman calls a runtime that keeps a copy of the config.json and gives up. The root stays mounted.
a_bundle_of_podman_runs() {
	"$SOURCE/tools/pack-image" --env FROM_IMAGE=yes "$CACHE/rootfs/busybox" localhost/busybox:spec image.tar
	podman load -q -i image.tar >&2
	cat >recorder <<-END
		#!/bin/bash
		while [ \$# -gt 0 ]; do
			[ "\$1" != --bundle ] || cp "\$2/config.json" "$PWD/"
			shift
		done
		exit 1
	END
	chmod +x recorder
	podman --runtime "$PWD/recorder" create --name spec3 --network none localhost/busybox:spec sh -c 'echo from $container; exit 8' >&2
	podman mount spec3 >&2
	podman start spec3 && fail "the recorder ran it"
	local out status=0
	out=$("$CTRCTL" run --bundle . spec3) || status=$?
	same 8 "$status" status
	same 'from podman' "$out" output
}

after_each() {
	podman umount -a
	podman rm -af -t 0
}

tap_run a_bundle_of_runc_spec_runs_in_a_terminal a_bundle_of_crun_spec_runs_in_a_terminal a_bundle_of_podman_runs
tap_done
