# SPDX-License-Identifier: Apache-2.0
"""The two bundles that are measured, as data: written as config.json and as tables for the floor."""

import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
SIX = ('pid', 'network', 'ipc', 'uts', 'mount', 'cgroup')
ENV = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm']

CAPS = ('CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP',
        'SETPCAP', 'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE')
CAP_NUMBERS = dict(CHOWN=0, DAC_OVERRIDE=1, FOWNER=3, FSETID=4, KILL=5, SETGID=6, SETUID=7, SETPCAP=8,
                   NET_BIND_SERVICE=10, NET_RAW=13, SYS_CHROOT=18, MKNOD=27, AUDIT_WRITE=29, SETFCAP=31)

# Destination, type, source, flags, data. The bare bundle has the first two: /dev must be new for each
# container, since runc doesn't accept links that are there already.
MOUNTS = (
    ('/proc', 'proc', 'proc', ('nosuid', 'noexec', 'nodev'), ()),
    ('/dev', 'tmpfs', 'tmpfs', ('nosuid', 'strictatime'), ('mode=755', 'size=65536k')),
    ('/dev/pts', 'devpts', 'devpts', ('nosuid', 'noexec'),
     ('newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5')),
    ('/dev/shm', 'tmpfs', 'shm', ('nosuid', 'noexec', 'nodev'), ('mode=1777', 'size=65536k')),
    ('/dev/mqueue', 'mqueue', 'mqueue', ('nosuid', 'noexec', 'nodev'), ()),
    ('/sys', 'sysfs', 'sysfs', ('nosuid', 'noexec', 'nodev', 'ro'), ()),
    ('/sys/fs/cgroup', 'cgroup', 'cgroup', ('nosuid', 'noexec', 'nodev', 'relatime', 'ro'), ()),
)
MASKED = ('/proc/acpi', '/proc/asound', '/proc/kcore', '/proc/keys', '/proc/latency_stats',
          '/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug', '/proc/scsi', '/sys/firmware',
          '/sys/devices/virtual/powercap')
READONLY = ('/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger')

# type, major, minor, access; None is any; after a rule that denies everything
DEVICES = (('c', None, None, 'm'), ('b', None, None, 'm'), ('c', 1, 3, 'rwm'), ('c', 1, 5, 'rwm'),
           ('c', 1, 7, 'rwm'), ('c', 1, 8, 'rwm'), ('c', 1, 9, 'rwm'), ('c', 5, 0, 'rwm'),
           ('c', 5, 1, 'rwm'), ('c', 5, 2, 'rwm'), ('c', 136, None, 'rwm'), ('c', 10, 200, 'rwm'))

SIX_FLAGS = 0x7e020000  # CLONE_NEWNS and the other namespace flags that clone takes
ARGUMENTS = (  # name, argument, comparison, value, value two
    ('socket', 0, 'SCMP_CMP_LT', 38, 0), ('socket', 0, 'SCMP_CMP_EQ', 39, 0),
    ('socket', 0, 'SCMP_CMP_GT', 40, 0), ('personality', 0, 'SCMP_CMP_EQ', 0, 0),
    ('personality', 0, 'SCMP_CMP_EQ', 8, 0), ('personality', 0, 'SCMP_CMP_EQ', 0x20000, 0),
    ('personality', 0, 'SCMP_CMP_EQ', 0x20008, 0), ('personality', 0, 'SCMP_CMP_EQ', 0xffffffff, 0),
    ('clone', 0, 'SCMP_CMP_MASKED_EQ', SIX_FLAGS, 0))
ENOSYS = 38


def mounts_of(flavour):
    return MOUNTS if flavour == 'default' else MOUNTS[:2]


def syscall_names():
    with open(os.path.join(HERE, 'syscalls.txt'), encoding='ascii') as f:
        return [w for line in f if not line.startswith('#') for w in line.split()]


def seccomp():
    def rule(names, action, **more):
        return dict(names=names, action=action, **more)

    rules = [rule(syscall_names(), 'SCMP_ACT_ALLOW')]
    for name, index, op, value, two in ARGUMENTS:
        rules.append(rule([name], 'SCMP_ACT_ALLOW',
                          args=[dict(index=index, value=value, valueTwo=two, op=op)]))
    rules.append(rule(['clone3'], 'SCMP_ACT_ERRNO', errnoRet=ENOSYS))
    return dict(defaultAction='SCMP_ACT_ERRNO', defaultErrnoRet=1,
                architectures=['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'], syscalls=rules)


def device_rules():
    rules = [dict(allow=False, access='rwm')]
    for kind, major, minor, access in DEVICES:
        rule = dict(allow=True, type=kind, access=access)
        if major is not None:
            rule['major'] = major
        if minor is not None:
            rule['minor'] = minor
        rules.append(rule)
    return rules


def config(flavour, args, rootfs, cgroup):
    """config.json of a flavour, 'bare' or 'default'."""
    engine = flavour == 'default'
    caps = ['CAP_' + c for c in CAPS] if engine else []
    linux = dict(namespaces=[dict(type=n) for n in SIX], cgroupsPath='%s/%s' % (cgroup, flavour))
    process = dict(user=dict(uid=0, gid=0), args=args, env=ENV, cwd='/',
                   capabilities=dict(bounding=caps, effective=caps, permitted=caps))
    if engine:
        process['noNewPrivileges'] = True
        process['rlimits'] = [dict(type='RLIMIT_NOFILE', hard=1024, soft=1024)]
        linux.update(resources=dict(devices=device_rules()), seccomp=seccomp(), maskedPaths=MASKED,
                     readonlyPaths=READONLY)
    mounts = [dict(destination=d, type=t, source=s, options=list(flags + data))
              for d, t, s, flags, data in (mounts_of(flavour))]
    spec = dict(ociVersion='1.0.2', process=process, root=dict(path=rootfs, readonly=False),
                mounts=mounts, linux=linux)
    if engine:
        spec['hostname'] = 'bench'
    return spec


def write_bundle(folder, flavour, args, rootfs, cgroup):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'config.json'), 'w', encoding='ascii') as f:
        json.dump(config(flavour, args, rootfs, cgroup), f, indent='\t')


# ---- the same as tables in C --------------------------------------------------------------------------

MS = dict(ro='MS_RDONLY', nosuid='MS_NOSUID', nodev='MS_NODEV', noexec='MS_NOEXEC', relatime='MS_RELATIME',
          strictatime='MS_STRICTATIME')


def c_strings(name, strings):
    return 'static const char *const %s[] = { %sNULL };\n' % (
        name, ''.join('"%s", ' % s for s in strings))


def floor_tables(flavour, rootfs, cgroup, device_program, filter_program):
    """A header for floor.c: what config() asks for, ready to be handed to the kernel."""
    engine = flavour == 'default'
    out = ['#define ENGINE %d\n' % engine, '#define ROOTFS "%s"\n' % rootfs,
           '#define CGROUP "/sys/fs/cgroup%s/%s"\n' % (cgroup, flavour),
           '#define CAPS 0x%xull\n' % sum(1 << CAP_NUMBERS[c] for c in CAPS if engine),
           c_strings('environment', ENV),
           c_strings('masked', MASKED if engine else ()), c_strings('readonly', READONLY if engine else ()),
           'static const struct fs mounts[] = {\n']
    for d, t, s, flags, data in mounts_of(flavour):
        kind = 'cgroup2' if t == 'cgroup' else t
        out.append('\t{ "%s", "%s", "%s", %s, %s },\n' % (
            d[1:], kind, s, ' | '.join(MS[f] for f in flags),
            '"%s"' % ','.join(x for x in data if x != 'newinstance') if data else 'NULL'))
    out.append('};\n')
    for name, kind, program in (('device_program', 'struct bpf_insn', device_program),
                                ('filter', 'struct sock_filter', filter_program)):
        out.append('static const %s %s[] __attribute__((unused)) = {\n' % (kind, name))
        out.extend('\t{ %s },\n' % ', '.join(str(x) for x in i) for i in program if engine)
        out.append('\t{ 0 },\n};\n')
    return ''.join(out)
