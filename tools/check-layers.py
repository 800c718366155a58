#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Includes go one way: cli -> flow -> store, image -> model -> base; backends know neither flow nor store nor each other.

usage: check-layers.py [ROOT]

Also: each third-party header has one file that includes it.
"""
import collections
import os
import re
import sys

# room -> rooms it may include besides itself and the public headers
ALLOWED = {
    "src/base": (),
    "src/model": ("base",),
    "src/init": (),
    "src/store": ("base", "model"),
    "src/image": ("base", "model"),
    "src/pause": ("init/sys.h",),
    "src/monitor": ("init/sys.h", "init/sys-x86_64.h", "init/sys-aarch64.h"),
    "src/backend/native": ("base", "model", "init/wire.h", "init/image.h", "pause/image.h"),
    "src/https": ("base",),
    "src/backend/proxmox": ("base", "model", "https/wire.h", "https/image.h"),
    "src/flow": ("base", "model", "store", "image", "monitor/image.h", "monitor/wire.h"),
    "src/cli": ("base", "model", "store", "image", "flow"),
    "src/cri": ("base", "model", "store", "image", "flow"),
}
# public headers a room may use; None: all
PUBLIC = {"src/base": {"ctrctl/err.h", "ctrctl/fault.h", "ctrctl/map.h"}, "src/init": set(), "src/pause": set(), "src/monitor": set()}
# third-party header -> how many files may include it
OWNED = re.compile(r"^(yajl/|seccomp\.h|libmnl/|sys/capability\.h|curl/|openssl/|selinux/|archive|nettle/|zlib\.h|zstd\.h)")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def room_of(path):
    for room in sorted(ALLOWED, key=len, reverse=True):
        if path.startswith(room + "/"):
            return room
    return None


def check_quoted(path, room, name, root):
    own = room[len("src/"):]
    if "/" not in name:  # a neighbour, or a generated header
        return None
    if name.startswith("ctrctl/"):
        allowed = PUBLIC.get(room)
        if allowed is None or name in allowed:
            return None
        return f"{path}: {room} must not include {name}"
    if name.startswith(own + "/"):
        return None
    for other in ALLOWED[room]:
        if name == other or name.startswith(other + "/"):
            return None
    return f"{path}: {room} must not include {name}"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    problems, owners, files = [], collections.defaultdict(set), 0
    for top in ("src", "include"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in names:
                if not name.endswith((".c", ".h", ".S")):
                    continue
                path = os.path.relpath(os.path.join(folder, name), root)
                with open(os.path.join(root, path), encoding="utf-8") as f:
                    includes = INCLUDE.findall(f.read())
                files += 1
                room = room_of(path)
                if room is None and not path.startswith("include/ctrctl/") and os.path.dirname(path) != "src":
                    problems.append(f"{path}: in no known room")
                for mark, header in includes:
                    if OWNED.match(header):
                        owners[header.split("/")[0]].add(path)
                    if path.startswith("include/") and mark == '"' and not header.startswith("ctrctl/"):
                        problems.append(f"{path}: a public header includes {header}")
                    if room and mark == '"':
                        problem = check_quoted(path, room, header, root)
                        if problem:
                            problems.append(problem)
    for header, users in sorted(owners.items()):
        if len(users) > 1:
            problems.append(f"{header}: has more than one owner: {', '.join(sorted(users))}")
    if files < 20:
        problems.append(f"only {files} files found: wrong folder?")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{files} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
