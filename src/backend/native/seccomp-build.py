#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a header with one number for all that makes a seccomp filter: the hash of the given files.

usage: seccomp-build.py OUTPUT.h FILE...
"""
import hashlib
import sys


def main():
    digest = hashlib.sha256()
    for path in sys.argv[2:]:
        with open(path, "rb") as f:
            digest.update(hashlib.sha256(f.read()).digest())
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write('/* Made by seccomp-build.py. */\n#define SECCOMP_BUILD "%s"\n' % digest.hexdigest())


if __name__ == "__main__":
    main()
