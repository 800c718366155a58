# SPDX-License-Identifier: Apache-2.0
# For test programs in bash that run containers; source it after tap.sh.
#
# Each case has ids of its own, $id (and ${id}2 and so on, by the case's wish): containers with these ids
# are deleted after it, by after_each. It works in a fresh folder, its bundle.

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
id=test-$$

# bundle PATH=JSON...: makes ./config.json: what `ctrctl spec` writes, without a terminal, on the busybox
# root (read-only), with these changes (see tools/edit-json)
bundle() {
	rm -f config.json
	"$CTRCTL" spec
	edit process.terminal=false "root.path=\"$CACHE/rootfs/busybox\"" "$@"
}

# edit PATH=JSON...: changes ./config.json
edit() {
	"$tests/../tools/edit-json" config.json "$@"
}

# script TEXT: the container's program becomes sh with this text
script() {
	local text=${1//\\/\\\\}
	text=${text//\"/\\\"}
	text=${text//$'\n'/\\n}
	edit "process.args=[\"sh\",\"-c\",\"${text//$'\t'/\\t}\"]"
}

# capabilities NAME...: exactly these, in all sets that a program that isn't root's needs
capabilities() {
	local list
	list="[$(printf '"CAP_%s",' "$@" | sed 's/,$//')]"
	edit "process.capabilities={\"bounding\":$list,\"effective\":$list,\"permitted\":$list}"
}

# run [OPTION...]: runs ./config.json in the foreground
run() {
	"$CTRCTL" run "$@" "$id"
}

# up: the container of ./config.json is created and started; its output is in ./output
up() {
	"$CTRCTL" create --pid-file pid "$id" >output 2>&1 </dev/null || {
		cat output
		fail "create failed"
	}
	"$CTRCTL" start "$id"
}

# down: deletes it, whatever it does
down() {
	"$CTRCTL" delete --force "$id"
}

# cgroup_of PID: the folder of its cgroup, on a machine with cgroup v2
cgroup_of() {
	echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")"
}

# refused PART COMMAND...: it ends with 1, says PART, and nothing that engines take for something else
refused() {
	local part=$1 out status=0
	shift
	out=$("$@" 2>&1) || status=$?
	same 1 "$status" "status of $*, which said: $out"
	has "$out" "$part"
	case $out in
	*[Nn]"o such file or directory"* | *"ermission denied"*)
		fail "engines take this for a missing program: $out"
		;;
	esac
}

# nothing_left: no record, cgroup or mount of $id
nothing_left() {
	[ ! -e "/run/ctrctl/$id" ] || fail "a record is left"
	[ -z "$(find /sys/fs/cgroup -name "*$id*" -print -quit 2>/dev/null)" ] || fail "a cgroup is left"
	! grep -F "$PWD" /proc/self/mountinfo || fail "a mount is left"
}

after_each() {
	local name
	for name in $("$CTRCTL" list -q | grep "^$id"); do
		"$CTRCTL" delete --force "$name"
	done
}
