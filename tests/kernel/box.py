# SPDX-License-Identifier: Apache-2.0
"""Containers for test programs: bundles from a base config, ctrctl as a user would call it, TAP on stdout.

    from box import *

    def a_sentence_that_is_true(box):
        r = box.run('echo hello')
        same('hello\\n', r.out)

    main(globals())

Each case is a function whose only parameter is `box`; it gets a fresh one: its own --root, bundle folders, and a check
afterwards that nothing is left (mounts, cgroups, state, processes)."""

import copy
import ctypes
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

CTRCTL = os.environ['CTRCTL']
CACHE = os.environ.get('CACHE', '')
BUSYBOX = os.path.join(CACHE, 'rootfs', 'busybox')
DEBIAN = os.path.join(CACHE, 'rootfs', 'debian')

PROBE = os.path.join(os.path.dirname(CTRCTL), '..', '..', 'tests', 'kernel', 'probe')

DEFAULT_CAPS = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID',
                'CAP_SETUID', 'CAP_SETFCAP', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL',
                'CAP_AUDIT_WRITE']

BASE = {
    'ociVersion': '1.2.0',
    'process': {
        'user': {'uid': 0, 'gid': 0},
        'args': ['true'],
        'env': ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
        'cwd': '/',
        'capabilities': {kind: DEFAULT_CAPS for kind in ('bounding', 'effective', 'permitted')},
        'noNewPrivileges': True,
    },
    'root': {'path': 'rootfs'},
    'hostname': 'box',
    'mounts': [
        {'destination': '/proc', 'type': 'proc', 'source': 'proc', 'options': ['nosuid', 'noexec', 'nodev']},
        {'destination': '/dev', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['nosuid', 'strictatime', 'mode=755', 'size=65536k']},
        {'destination': '/dev/pts', 'type': 'devpts', 'source': 'devpts',
         'options': ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']},
        {'destination': '/dev/shm', 'type': 'tmpfs', 'source': 'shm',
         'options': ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k']},
        {'destination': '/dev/mqueue', 'type': 'mqueue', 'source': 'mqueue', 'options': ['nosuid', 'noexec', 'nodev']},
        {'destination': '/sys', 'type': 'sysfs', 'source': 'sysfs', 'options': ['nosuid', 'noexec', 'nodev', 'ro']},
        {'destination': '/sys/fs/cgroup', 'type': 'cgroup', 'source': 'cgroup',
         'options': ['nosuid', 'noexec', 'nodev', 'relatime', 'ro']},
    ],
    'linux': {
        'namespaces': [{'type': t} for t in ('pid', 'network', 'ipc', 'uts', 'mount', 'cgroup')],
        'maskedPaths': ['/proc/acpi', '/proc/asound', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list',
                        '/proc/timer_stats', '/proc/sched_debug', '/sys/firmware', '/proc/scsi'],
        'readonlyPaths': ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
}


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def fail(text):
    raise Failed(text)


def skip(why):
    raise Skipped(why)


def same(wanted, got, what='value'):
    if wanted != got:
        fail('%s: wanted %r, got %r' % (what, wanted, got))


def has(text, part):
    if part not in text:
        fail('no %r in %r' % (part, text))


def has_not(text, part):
    if part in text:
        fail('%r in %r' % (part, text))


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def ok(self):
        if self.status != 0:
            fail('status %d: %s%s' % (self.status, self.out, self.err))
        return self

    def fails(self, status, *parts):
        """Ended with that status and one line of error that holds all the parts."""
        if self.status != status:
            fail('status %d instead of %d: %s%s' % (self.status, status, self.out, self.err))
        for part in parts:
            has(self.err, part)
        return self


class Box:
    def __init__(self, folder):
        self.folder = folder
        self.root = os.path.join(folder, 'root')
        self.data = os.path.join(folder, 'data')
        self.globals = ['--root', self.root, '--data', self.data]
        self.count = 0
        self.tag = os.path.basename(folder)

    # -- bundles --

    def rootfs(self, source=BUSYBOX):
        """A copy of a root filesystem (hard links where that is possible); its path."""
        self.count += 1
        path = os.path.join(self.folder, 'rootfs%d' % self.count)
        subprocess.run(['cp', '-a', source, path], check=True)
        return path

    def bundle(self, edit=None, args=None, rootfs=None, **process):
        """A folder with config.json; edit(config) changes it."""
        self.count += 1
        path = os.path.join(self.folder, 'bundle%d' % self.count)
        os.mkdir(path)
        config = copy.deepcopy(BASE)
        config['root']['path'] = rootfs or self.rootfs()
        config['linux']['cgroupsPath'] = '/%s/%d' % (self.tag, self.count)
        if args is not None:
            config['process']['args'] = ['sh', '-c', args] if isinstance(args, str) else args
        config['process'].update(process)
        if edit:
            edit(config)
        with open(os.path.join(path, 'config.json'), 'w', encoding='utf-8') as f:
            json.dump(config, f)
        return path

    # -- calls --

    def call(self, *args, stdin=subprocess.DEVNULL, timeout=60, env=None, cwd=None, pass_fds=(), text=None):
        more = {'stdin': stdin} if text is None else {'input': text.encode()}
        done = subprocess.run([CTRCTL, *self.globals, *args], capture_output=True, timeout=timeout, env=env, cwd=cwd,
                              pass_fds=pass_fds, check=False, **more)
        return Result(done.returncode, done.stdout.decode(errors='replace'), done.stderr.decode(errors='replace'))

    def run(self, args=None, edit=None, id='c', rootfs=None, **process):
        """ctrctl run in the foreground of a shell command (or an argv)."""
        return self.call('run', '--bundle', self.bundle(edit, args, rootfs, **process), id)

    def create(self, args='sleep 100', edit=None, id='c', rootfs=None, options=(), **process):
        """ctrctl create; a create's stdio stays open in the container, so it goes to files."""
        bundle = self.bundle(edit, args, rootfs, **process)
        out = os.path.join(self.folder, id + '.out')
        with open(out, 'wb') as f:
            done = subprocess.run([CTRCTL, *self.globals, 'create', '--bundle', bundle, *options, id],
                                  stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT, timeout=60, check=False)
        with open(out, encoding='utf-8', errors='replace') as f:
            return Result(done.returncode, '', f.read())

    def output(self, id='c'):
        with open(os.path.join(self.folder, id + '.out'), encoding='utf-8', errors='replace') as f:
            return f.read()

    def start(self, args='sleep 100', edit=None, id='c', **more):
        self.create(args, edit, id, **more).ok()
        self.call('start', id).ok()

    def exec(self, *args, id='c', options=()):
        return self.call('exec', *options, id, *args)

    def state(self, id='c'):
        return json.loads(self.call('state', id).ok().out)

    def status(self, id='c'):
        return self.state(id)['status']

    def delete(self, id='c'):
        return self.call('delete', '--force', id).ok()

    # -- the end --

    def left(self):
        """What a kind of box finds beside leftovers()."""
        return []

    def close(self):
        """After all else: what a kind of box has beside its folder."""

    def clean(self):
        if os.path.isdir(os.path.join(self.data, 'containers')):
            for id in sorted(os.listdir(os.path.join(self.data, 'containers'))):
                self.call('delete', '--force', id)
        if os.path.isdir(os.path.join(self.data, 'sandboxes')):
            for id in self.call('sandbox', 'list', '-q').out.split():
                self.call('sandbox', 'remove', id)
        if os.path.isdir(self.root):
            for id in sorted(os.listdir(self.root)):
                if not id.startswith('.'):
                    self.call('delete', '--force', id)


def eventually(test, seconds=20, what='condition'):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if test():
            return
        time.sleep(0.05)
    fail('%s never came true' % what)


# -- changes of a config.json ----------------------------------------------------------------------------

MAP = [{'containerID': 0, 'hostID': 100000, 'size': 65536}]


def both(*edits):
    """One after the other."""
    def edit(config):
        for e in edits:
            e(config)
    return edit


def mount(destination, type=None, source=None, options=(), **more):
    """One more mount at the end."""
    def edit(config):
        m = {'destination': destination, 'type': type, 'source': source, 'options': list(options), **more}
        config['mounts'].append({k: v for k, v in m.items() if v is not None})
    return edit


def without(*kinds):
    """Inherits these kinds of namespace."""
    def edit(config):
        config['linux']['namespaces'] = [n for n in config['linux']['namespaces'] if n['type'] not in kinds]
        if 'uts' in kinds:
            config.pop('hostname', None)
    return edit


def linux(**values):
    return lambda config: config['linux'].update(values)


def user_namespace(config):
    """Root in it is 100000 on the host; the root filesystem and the box's folder must allow that (mapped_rootfs)."""
    config['linux']['namespaces'].append({'type': 'user'})
    config['linux'].update(uidMappings=MAP, gidMappings=MAP)


def mapped_rootfs(box, owner='100000:100000'):
    path = box.rootfs()
    subprocess.run(['chown', '-R', '-h', owner, path], check=True)
    os.chmod(box.folder, 0o755)
    return path


# -- what the kernel says --------------------------------------------------------------------------------

class Mount:
    """A line of mountinfo: point, root, options and fs_options (sets), peers ('shared:3 master:1'), type, source."""

    def __init__(self, line):
        own, fs = (part.split() for part in line.split(' - ', 1))
        self.number, self.device, self.root, self.point = own[0], own[2], own[3], own[4]
        self.options, self.peers = set(own[5].split(',')), ' '.join(own[6:])
        self.type, self.source, self.fs_options = fs[0], fs[1], set(fs[2].split(','))


def mountinfo(text):
    """By mount point; of several on one point, the uppermost."""
    return {m.point: m for m in map(Mount, text.splitlines())}


def mountinfo_of(pid):
    with open('/proc/%s/mountinfo' % pid, encoding='utf-8') as f:
        return mountinfo(f.read())


def private_mounts():
    """For a test program that mounts: from here on in a mount namespace of its own, which ends with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x20000) < 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    subprocess.run(['mount', '--make-rprivate', '/'], check=True)


# -- what must not be left -------------------------------------------------------------------------------

def cgroup_mount():
    unified = '/sys/fs/cgroup/unified'
    return unified if os.path.isdir(unified) else '/sys/fs/cgroup'


def cgroups(tag):
    """Those of one box; and, if a test leaves the path to ctrctl, what it names after its ids."""
    return {os.path.join(d, n) for d, names, _ in os.walk(cgroup_mount()) for n in names
            if tag in os.path.join(d, n) or n in ('ctrctl-a', 'ctrctl-b', 'ctrctl-c')}


def mounts():
    with open('/proc/self/mountinfo', encoding='utf-8') as f:
        return sorted(line.split(' - ')[0].split()[4] for line in f)


def leftovers(box, before):
    found = []
    # Other programs' tests may run beside this one.
    new = [m for m in mounts() if m not in before and (box.folder in m or not m.startswith('/tmp/'))]
    if new:
        found.append('mounts: %s' % new)
    if cgroups(box.tag):
        found.append('cgroups: %s' % sorted(cgroups(box.tag)))
    return found + box.left()


def main(names, kind=Box):
    cases = [f for f in names.values() if inspect.isfunction(f) and list(inspect.signature(f).parameters) == ['box']
             and f.__module__ == '__main__']
    wanted = sys.argv[1:]
    failed = 0
    number = 0
    print('1..%d' % len([c for c in cases if not wanted or c.__name__ in wanted]), flush=True)
    for case in cases:
        if wanted and case.__name__ not in wanted:
            continue
        number += 1
        name = case.__name__.replace('_', ' ')
        folder = tempfile.mkdtemp(prefix='ctrctl-test-')
        before = mounts()
        box = kind(folder)
        line, detail = 'ok', ''
        try:
            case(box)
        except Skipped as s:
            line, name = 'ok', '%s # SKIP %s' % (name, s)
        except Failed as f:
            line, detail = 'not ok', str(f)
        except Exception:  # pylint: disable=broad-except
            line, detail = 'not ok', traceback.format_exc()
        try:
            box.clean()
            left = leftovers(box, before)
            if left:
                line, detail = 'not ok', detail + '\nleft behind: ' + '; '.join(left)
        finally:
            box.close()
            shutil.rmtree(folder, ignore_errors=True)
        if line != 'ok':
            failed += 1
        print('%s %d - %s' % (line, number, name), flush=True)
        for text in detail.splitlines():
            print('#   ' + text, flush=True)
    sys.exit(1 if failed else 0)
