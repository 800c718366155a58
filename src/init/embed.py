#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks a program that is carried inside ctrctl (init, the monitor) and turns it into a C array, padded to whole pages.

usage: embed.py ELF OUTPUT.c [ROOM]

The array is ROOM_image of src/ROOM/image.h; ROOM is init unless given.

Refused: an interpreter, dynamic linking, an executable stack, memory that is writable and executable, more than MAX bytes.
"""
import struct
import sys

PAGE = 4096
MAX = 24 * 1024
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 1, 2, 3, 0x6474E551
PF_X, PF_W = 1, 2


def problems(elf):
    if elf[:5] != b"\x7fELF\x02" or elf[5] != 1:
        yield "not a 64-bit little-endian ELF file"
        return
    (kind,) = struct.unpack_from("<H", elf, 16)
    (phoff,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    if kind != 2:
        yield "not a program at a fixed address (ELF type %d)" % kind
    stack = None
    for i in range(count):
        what, flags = struct.unpack_from("<II", elf, phoff + i * size)
        if what == PT_INTERP:
            yield "it asks for an interpreter"
        elif what == PT_DYNAMIC:
            yield "it is linked dynamically"
        elif what == PT_GNU_STACK:
            stack = flags
        elif what == PT_LOAD and flags & PF_X and flags & PF_W:
            yield "a segment is writable and executable"
    if stack is None or stack & PF_X:
        yield "its stack is executable"
    if len(elf) > MAX:
        yield "%d bytes, more than %d" % (len(elf), MAX)


def main():
    with open(sys.argv[1], "rb") as f:
        elf = f.read()
    found = list(problems(elf))
    if found:
        sys.exit("%s: %s" % (sys.argv[1], "; ".join(found)))
    room = sys.argv[3] if len(sys.argv) > 3 else "init"
    elf += bytes(-len(elf) % PAGE)
    with open(sys.argv[2], "w", encoding="ascii") as out:
        out.write('/* Made by embed.py. */\n#include "%s/image.h"\n\n' % room)
        out.write("const size_t %s_image_size = %d;\n" % (room, len(elf)))
        out.write("const unsigned char %s_image[%d] __attribute__((aligned(%d))) = {\n" % (room, len(elf), PAGE))
        for i in range(0, len(elf), 20):
            out.write("\t%s,\n" % ",".join(str(b) for b in elf[i : i + 20]))
        out.write("};\n")


if __name__ == "__main__":
    main()
