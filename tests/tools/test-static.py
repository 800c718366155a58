#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program is one file that needs no other: static, at any address, hardened.

usage: test-static.py CTRCTL
"""
import struct
import sys

ET_DYN = 3
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK, PT_GNU_RELRO = 1, 2, 3, 0x6474E551, 0x6474E552
DT_NEEDED, DT_TEXTREL, DT_FLAGS, DT_FLAGS_1 = 1, 22, 30, 0x6FFFFFFB
DF_TEXTREL, DF_BIND_NOW, DF_1_NOW, DF_1_PIE = 4, 8, 1, 0x08000000
PF_X, PF_W = 1, 2


def read_elf(path):
    with open(path, "rb") as f:
        elf = f.read()
    assert elf[:6] == b"\x7fELF\x02\x01", "not a 64-bit little-endian ELF file"
    kind = struct.unpack_from("<H", elf, 16)[0]
    phoff = struct.unpack_from("<Q", elf, 32)[0]
    size, count = struct.unpack_from("<HH", elf, 54)
    segments = [struct.unpack_from("<IIQQQQQQ", elf, phoff + i * size) for i in range(count)]
    tags = {}
    for what, _, offset, _, _, length, _, _ in segments:
        if what == PT_DYNAMIC:
            for at in range(offset, offset + length, 16):
                tag, value = struct.unpack_from("<qQ", elf, at)
                if tag == 0:
                    break
                tags.setdefault(tag, []).append(value)
    return kind, segments, tags


def main():
    kind, segments, tags = read_elf(sys.argv[1])
    kinds = {s[0] for s in segments}
    flags_1 = tags.get(DT_FLAGS_1, [0])[0]
    checks = {
        "asks for no interpreter": PT_INTERP not in kinds,
        "needs no library": tags != {} and DT_NEEDED not in tags,
        "runs at any address": kind == ET_DYN and bool(flags_1 & DF_1_PIE),
        "has no relocation in its code": DT_TEXTREL not in tags and not tags.get(DT_FLAGS, [0])[0] & DF_TEXTREL,
        "makes its tables read-only": PT_GNU_RELRO in kinds and bool(flags_1 & DF_1_NOW),
        "has no stack to execute": any(s[0] == PT_GNU_STACK and not s[1] & PF_X for s in segments),
        "has no segment to write and execute": not any(s[0] == PT_LOAD and s[1] & PF_X and s[1] & PF_W for s in segments),
    }
    print("1..%d" % len(checks))
    for i, (name, good) in enumerate(checks.items(), 1):
        print("%s %d - %s" % ("ok" if good else "not ok", i, name))
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
