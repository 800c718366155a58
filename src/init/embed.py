#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks a program that is carried inside ctrctl (init, the monitor) and turns it into a C array, padded to whole pages.

usage: embed.py [--dynamic] [--max=BYTES] ELF OUTPUT.c [ROOM]

The array is ROOM_image of src/ROOM/image.h; ROOM is init unless given.

Refused: an interpreter, dynamic linking, an executable stack, memory that is writable and executable, more than MAX bytes.
--dynamic: both are needed, and a path of its own to look for libraries in is refused.
"""
import struct
import sys

PAGE = 4096
MAX = 24 * 1024
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 1, 2, 3, 0x6474E551
PF_X, PF_W = 1, 2
ET_EXEC, ET_DYN = 2, 3
DT_RPATH, DT_RUNPATH = 15, 29


def library_paths(elf, offset, size):
    """Does the dynamic section at that place name folders?"""
    return any(tag in (DT_RPATH, DT_RUNPATH) for tag, _ in struct.iter_unpack("<QQ", elf[offset : offset + size // 16 * 16]))


def problems(elf, dynamic, most):
    if elf[:5] != b"\x7fELF\x02" or elf[5] != 1:
        yield "not a 64-bit little-endian ELF file"
        return
    (kind,) = struct.unpack_from("<H", elf, 16)
    (phoff,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    if kind != (ET_DYN if dynamic else ET_EXEC):
        yield "not a program at %s address (ELF type %d)" % ("any" if dynamic else "a fixed", kind)
    stack, seen = None, set()
    for i in range(count):
        what, flags = struct.unpack_from("<II", elf, phoff + i * size)
        seen.add(what)
        if what == PT_INTERP and not dynamic:
            yield "it asks for an interpreter"
        elif what == PT_DYNAMIC and not dynamic:
            yield "it is linked dynamically"
        elif what == PT_DYNAMIC:
            place, _, _, length = struct.unpack_from("<QQQQ", elf, phoff + i * size + 8)
            if library_paths(elf, place, length):
                yield "it has a path for libraries"
        elif what == PT_GNU_STACK:
            stack = flags
        elif what == PT_LOAD and flags & PF_X and flags & PF_W:
            yield "a segment is writable and executable"
    if stack is None or stack & PF_X:
        yield "its stack is executable"
    if dynamic and not {PT_INTERP, PT_DYNAMIC} <= seen:
        yield "it isn't linked dynamically"
    if len(elf) > most:
        yield "%d bytes, more than %d" % (len(elf), most)


def main():
    options = [a for a in sys.argv[1:] if a.startswith("--")]
    names = [a for a in sys.argv[1:] if not a.startswith("--")]
    most = [int(o.split("=")[1]) for o in options if o.startswith("--max=")]
    with open(names[0], "rb") as f:
        elf = f.read()
    found = list(problems(elf, "--dynamic" in options, most[0] if most else MAX))
    if found:
        sys.exit("%s: %s" % (names[0], "; ".join(found)))
    room = names[2] if len(names) > 2 else "init"
    elf += bytes(-len(elf) % PAGE)
    with open(names[1], "w", encoding="ascii") as out:
        out.write('/* Made by embed.py. */\n#include "%s/image.h"\n\n' % room)
        out.write("const size_t %s_image_size = %d;\n" % (room, len(elf)))
        out.write("const unsigned char %s_image[%d] __attribute__((aligned(%d))) = {\n" % (room, len(elf), PAGE))
        for i in range(0, len(elf), 20):
            out.write("\t%s,\n" % ",".join(str(b) for b in elf[i : i + 20]))
        out.write("};\n")


if __name__ == "__main__":
    main()
