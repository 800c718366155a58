# SPDX-License-Identifier: Apache-2.0
# What the scripts of this folder share; sourced by bash, never run.
#
# After sourcing: $src is the source tree, $cache the folder for downloads and root filesystems that
# are made once (CTRCTL_CACHE, default <source tree>/.cache), $prog the script's name.

set -euo pipefail

prog=${0##*/}
src=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${CTRCTL_CACHE:-$src/.cache}

# die MESSAGE...: one line on stderr, exit status 1 ($die_status where a script sets it)
die() {
	echo "$prog: $*" >&2
	exit "${die_status:-1}"
}

# usage: the comment block at the top of the script, as help text
usage() {
	sed -n '2,/^$/{/SPDX/d;s/^# \{0,1\}//;p}' "$0"
}

need_root() {
	[ "$(id -u)" = 0 ] || die "must be run as root"
}

# locked FILE COMMAND...: runs COMMAND while holding an exclusive lock on FILE, so that two scripts
# that make the same thing don't meet. COMMAND may be a function.
locked() {
	local file=$1
	shift
	mkdir -p "$(dirname "$file")"
	(
		flock 9
		"$@" 9>&-
	) 9>"$file"
}

# debian_mirror [SUITE]: the mirror that this machine's apt uses for Debian SUITE
debian_mirror() {
	local suite=${1:-bookworm} uri
	uri=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk -v s="$suite" '$1 == s && $2 == "main" { print $3; exit }')
	[ -n "$uri" ] || die "apt has no source for Debian $suite main: see /etc/apt/sources.list*"
	echo "${uri%/}"
}

# apt_suite SUITE apt-get|apt-cache ARGUMENT...: apt with lists of its own in the cache, for a suite
# that the machine need not have configured. The machine's own apt isn't touched.
apt_suite() {
	local suite=$1 tool=$2 dir=$cache/apt/$1
	shift 2
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	echo "deb $(debian_mirror bookworm) $suite main" >"$dir/sources.list"
	"$tool" -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::PreferencesParts=/dev/null -o Dir::Etc::Preferences=/dev/null \
		-o Dir::State::Lists="$dir/lists" -o Dir::Cache::Archives="$dir/archives" \
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root \
		-o APT::Update::Post-Invoke::= -o APT::Update::Post-Invoke-Success::= "$@"
}

# apt_refresh: updates the machine's package lists, quietly, once per script
apt_refresh() {
	[ -z "${apt_refreshed:-}" ] || return 0
	apt-get -qq -o DPkg::Lock::Timeout=600 update
	apt_refreshed=1
}

# ctrctl_in BUILD: the program that a build folder holds
ctrctl_in() {
	local file
	for file in "$1/ctrctl" "$1/src/cli/ctrctl"; do
		if [ -x "$file" ]; then
			echo "$file"
			return 0
		fi
	done
	die "no ctrctl in $1: build it first"
}
