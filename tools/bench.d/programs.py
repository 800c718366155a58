# SPDX-License-Identifier: Apache-2.0
"""The floor's two kernel programs, made from the same data as config.json: classic BPF for seccomp, eBPF for devices.

The filter is a balanced tree per architecture, the quickest to load that is known here: the floor must not
win or lose by a bad filter.
"""

import ctypes

from bundles import ARGUMENTS, DEVICES, ENOSYS, syscall_names

# ---- seccomp ------------------------------------------------------------------------------------------------

LD, AND, JA, JEQ, JGT, JGE, RET = 0x20, 0x54, 0x05, 0x15, 0x25, 0x35, 0x06
AT_NR, AT_ARCH, AT_ARGS = 0, 4, 16
ALLOW, ERRNO, KILL = 0x7fff0000, 0x00050000, 0
EPERM = 1
AUDIT_X86_64, AUDIT_I386 = 0xc000003e, 0x40000003
SCMP_X86_64, SCMP_X86, SCMP_X32 = 0xc000003e, 0x40000003, 0x4000003e
X32_BIT = 0x40000000


def resolver():
    lib = ctypes.CDLL('libseccomp.so.2')
    f = lib.seccomp_syscall_resolve_name_arch
    f.argtypes, f.restype = [ctypes.c_uint32, ctypes.c_char_p], ctypes.c_int
    return lambda arch, name: f(arch, name.encode())


def ret(value):
    return [(RET, 0, 0, value)]


def compare(op, index, value, two):
    """Instructions that allow the call where the argument compares so, else fall through."""
    low, high, at = value & 0xffffffff, value >> 32, AT_ARGS + 8 * index
    if op == 'SCMP_CMP_EQ':
        return [(LD, 0, 0, at + 4), (JEQ, 0, 3, high), (LD, 0, 0, at), (JEQ, 0, 1, low)] + ret(ALLOW)
    if op == 'SCMP_CMP_GT':
        return [(LD, 0, 0, at + 4), (JGT, 3, 0, high), (JEQ, 0, 3, high), (LD, 0, 0, at),
                (JGT, 0, 1, low)] + ret(ALLOW)
    if op == 'SCMP_CMP_LT':
        return [(LD, 0, 0, at + 4), (JGE, 0, 3, high), (JGT, 3, 0, high), (LD, 0, 0, at),
                (JGE, 1, 0, low)] + ret(ALLOW)
    if op == 'SCMP_CMP_MASKED_EQ':  # value is the mask, two the wanted bits
        return [(LD, 0, 0, at + 4), (AND, 0, 0, high), (JEQ, 0, 4, two >> 32), (LD, 0, 0, at),
                (AND, 0, 0, low), (JEQ, 0, 1, two & 0xffffffff)] + ret(ALLOW)
    raise ValueError(op)


def runs(verdicts):
    """[(first number, code)]: neighbours with the same code are one run; all else is refused with EPERM."""
    out = [(0, ret(ERRNO | EPERM))]
    for nr in sorted(verdicts):
        if out[-1][0] == nr:
            out.pop()
        if not out or out[-1][1] != verdicts[nr]:
            out.append((nr, verdicts[nr]))
        out.append((nr + 1, ret(ERRNO | EPERM)))
    merged = []
    for first, code in out:
        if not merged or merged[-1][1] != code:
            merged.append((first, code))
    return merged


def tree(intervals):
    """A balanced tree of comparisons whose leaves, one per verdict, are shared and stand at the end."""
    nodes, leaves = [], []

    def leaf(code):
        if code not in leaves:
            leaves.append(code)
        return ('leaf', leaves.index(code))

    def add(part):
        if len(part) == 1:
            return leaf(part[0][1])
        half, me = len(part) // 2, len(nodes)
        nodes.append(None)
        below = add(part[:half])
        nodes[me] = (part[half][0], add(part[half:]), below)
        return ('node', me)

    add(intervals)
    starts, end = [], len(nodes)
    for code in leaves:
        starts.append(end)
        end += len(code)
    place = {'node': lambda n: n, 'leaf': lambda n: starts[n]}
    out = []
    for at, (first, over, under) in enumerate(nodes):
        jt, jf = (place[kind](n) - at - 1 for kind, n in (over, under))
        if max(jt, jf) > 255:
            raise ValueError('the tree is too big for one jump')
        out.append((JGE, jt, jf, first))
    return out + [i for code in leaves for i in code]


def verdicts_of(arch, resolve):
    verdicts = {}
    for name in syscall_names():
        nr = resolve(arch, name)
        if nr >= 0:
            verdicts[nr] = ret(ALLOW)
    for name in dict.fromkeys(a[0] for a in ARGUMENTS):
        nr = resolve(arch, name)
        if nr >= 0:
            code = [i for a in ARGUMENTS if a[0] == name for i in compare(a[2], a[1], a[3], a[4])]
            verdicts[nr] = code + ret(ERRNO | EPERM)
    nr = resolve(arch, 'clone3')
    if nr >= 0:
        verdicts[nr] = ret(ERRNO | ENOSYS)
    return verdicts


def seccomp_program():
    resolve = resolver()
    wide = verdicts_of(SCMP_X86_64, resolve)
    wide.update(verdicts_of(SCMP_X32, resolve))  # told apart by a bit of the number
    wide, narrow = tree(runs(wide)), tree(runs(verdicts_of(SCMP_X86, resolve)))
    head = [(LD, 0, 0, AT_ARCH), (JEQ, 1, 0, AUDIT_X86_64), (JA, 0, 0, len(wide) + 1), (LD, 0, 0, AT_NR)]
    other = [(JEQ, 1, 0, AUDIT_I386)] + ret(KILL) + [(LD, 0, 0, AT_NR)]
    return head + wide + other + narrow


def seccomp_verdict(program, arch, nr, args=(0, 0, 0, 0, 0, 0)):
    """What the program answers: an interpreter, for the self-check."""
    words = {AT_NR: nr, AT_ARCH: arch}
    for i, a in enumerate(args):
        words[AT_ARGS + 8 * i], words[AT_ARGS + 8 * i + 4] = a & 0xffffffff, a >> 32
    at = acc = 0
    while True:
        code, jt, jf, k = program[at]
        at += 1
        if code == RET:
            return k
        if code == LD:
            acc = words[k]
        elif code == AND:
            acc &= k
        elif code == JA:
            at += k
        else:
            taken = {JEQ: acc == k, JGT: acc > k, JGE: acc >= k}[code]
            at += jt if taken else jf


# ---- devices ------------------------------------------------------------------------------------------------

LDX_W, MOV_R, MOV_K, AND_K, RSH_K, JNE_K, JNE_R, EXIT = 0x61, 0xbf, 0xb7, 0x57, 0x77, 0x55, 0x5d, 0x95
KIND = dict(b=1, c=2)
ACCESS = dict(m=1, r=2, w=4)


def device_program():
    """Rows of struct bpf_insn: code, dst, src, off, imm. The newest rule decides, nothing is allowed by default."""
    out = [(LDX_W, 2, 1, 0, 0), (MOV_R, 3, 2, 0, 0), (RSH_K, 3, 0, 0, 16), (AND_K, 2, 0, 0, 0xffff),
           (LDX_W, 4, 1, 4, 0), (LDX_W, 5, 1, 8, 0)]
    for kind, major, minor, access in reversed(DEVICES):
        allowed = sum(ACCESS[a] for a in access)
        tests = [[(JNE_K, 2, 0, KIND[kind])]]
        if allowed != 7:
            tests.append([(MOV_R, 6, 3, 0), (AND_K, 6, 0, allowed), (JNE_R, 6, 3, 0)])
        tests += [[(JNE_K, reg, 0, n)] for reg, n in ((4, major), (5, minor)) if n is not None]
        flat = [i for t in tests for i in t]
        for at, (code, dst, src, imm) in enumerate(flat):
            off = len(flat) - at + 1 if code in (JNE_K, JNE_R) else 0  # past mov and exit
            out.append((code, dst, src, off, imm))
        out += [(MOV_K, 0, 0, 0, 1), (EXIT, 0, 0, 0, 0)]
    return out + [(MOV_K, 0, 0, 0, 0), (EXIT, 0, 0, 0, 0)]


def bytes_of_filter(program):
    return b''.join(c.to_bytes(2, 'little') + bytes((t, f)) + k.to_bytes(4, 'little') for c, t, f, k in program)


def check():
    """Every number of each architecture, and the argument rules, against the data they came from."""
    program, resolve = seccomp_program(), resolver()
    names = set(syscall_names())
    for arch, audit, base in ((SCMP_X86_64, AUDIT_X86_64, 0), (SCMP_X32, AUDIT_X86_64, X32_BIT),
                              (SCMP_X86, AUDIT_I386, 0)):
        allowed = {resolve(arch, n) for n in names}
        special = {resolve(arch, n) for n in ('socket', 'personality', 'clone', 'clone3')}
        for nr in range(base, base + 1024):
            want = ALLOW if nr in allowed else ERRNO | EPERM
            if nr not in special and seccomp_verdict(program, audit, nr) != want:
                raise AssertionError('filter: number %d of %#x' % (nr, audit))
    for nr, first, want in ((41, 2, True), (41, 38, False), (41, 39, True), (41, 40, False), (41, 41, True),
                            (41, 1 << 32, True), (135, 0, True), (135, 1, False), (135, 0x20008, True),
                            (56, 0x11, True), (56, 0x10000011, False)):
        got = seccomp_verdict(program, AUDIT_X86_64, nr, (first, 0, 0, 0, 0, 0))
        if (got == ALLOW) != want:
            raise AssertionError('filter: call %d with %#x' % (nr, first))
    return len(program)


if __name__ == '__main__':
    print('%d filter instructions, %d device instructions' % (check(), len(device_program())))
