#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands on a container from a request, killed or failed at any of their system calls: the next command finishes or removes
what is there, and then nothing is left. Both processes are hit: the command's, and the one that becomes the monitor."""

import random
import re

from pods import *

# For one sweep; what isn't reached by then is left out. 60 is enough for all of them.
SECONDS = int(os.environ.get('SWEEP_SECONDS', '8'))
STRACE = shutil.which('strace')
BORING = {'execve', 'exit_group', 'exit', 'brk', 'mprotect', 'pread64', 'arch_prctl', 'set_tid_address', 'rseq', 'prlimit64',
          'getrandom', 'futex', 'munmap', 'set_robust_list', 'vfork', 'getpid', 'geteuid', 'uname', 'rt_sigaction'}


def works(strace):
    """The command itself is there: strace may go on with those that outlive it."""
    try:
        with open('/proc/%d/task/%d/children' % (strace, strace), encoding='ascii') as f:
            return f.read().strip() != ''
    except OSError:
        return False


def traced(box, options, argv):
    """Runs argv under strace until it has answered or ended; processes that outlive it are let go."""
    out = os.path.join(box.folder, 'answer')
    with open(out, 'wb') as f:
        strace = subprocess.Popen([STRACE, '-f', '-qq', *options, *argv], stdin=subprocess.DEVNULL, stdout=f,
                                  stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    begun = False
    while strace.poll() is None and not os.path.getsize(out) and time.monotonic() < end:
        if begun and not works(strace.pid):
            break
        begun = begun or works(strace.pid)
        time.sleep(0.002)
    if time.monotonic() >= end:
        strace.kill()
        strace.wait()
        fail('%s hangs with %s' % (argv[5:], options))
    if strace.poll() is None:
        time.sleep(0.005)
        strace.kill() # lets go of those that go on
    strace.wait(timeout=20)


def calls_of(box, argv):
    """(name, how many) of each process that a run of it has."""
    log = os.path.join(box.folder, 'calls')
    traced(box, ['-o', log], argv)
    most = {}
    count = {}
    with open(log, encoding='utf-8', errors='replace') as f:
        for line in f:
            found = re.match(r'(\d+) +(\w+)\(', line)
            if found and found.group(2) not in BORING:
                count[found.groups()] = count.get(found.groups(), 0) + 1
                most[found.group(2)] = max(most.get(found.group(2), 0), count[found.groups()])
    points = [(name, n) for name, times in most.items() for n in range(1, times + 1)]
    random.Random(1).shuffle(points)
    return points


def of_this_box(b):
    """Monitors and inits that live, of containers in this b."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/comm' % pid, encoding='ascii', errors='replace') as f:
                name = f.read().strip()
            if not name.startswith('ctrctl') and name != 'sleep':
                continue
            with open('/proc/%s/mountinfo' % pid, encoding='utf-8', errors='replace') as f:
                inside = 'lowerdir' in f.read()
            with open('/proc/%s/cmdline' % pid, 'rb') as f:
                words = f.read()
            with open('/proc/%s/cgroup' % pid, encoding='ascii') as f:
                group = f.read()
            with open('/proc/%s/stat' % pid, encoding='ascii', errors='replace') as f:
                zombie = f.read().rsplit(')', 1)[1].split()[0] in 'ZX'
        except OSError:
            continue
        mine = b.tag in group or any(id.encode() in words for id in b.made)
        if mine and not zombie:
            found.append((pid, name, inside))
    return found


def nothing_is_left(box, where, hosts):
    same([], os.listdir(os.path.join(box.data, 'containers')), 'folders after %s' % (where,))
    same([], [n for n in os.listdir(box.root) if not n.startswith('.')], 'live records after %s' % (where,))
    same(hosts, [m for m in mounts() if box.folder in m], 'mounts after %s' % (where,))
    eventually(lambda: not of_this_box(box), 10, 'the end of %s after %s' % (of_this_box(box), where))
    same(set(), {g for g in cgroups(box.tag) if 'ctrctl-' in os.path.basename(g) and 'test' not in os.path.basename(g)},
         'cgroups after %s' % (where,))


def stage(b):
    if not STRACE:
        skip('no strace')
    load(b)
    b.pod = sandbox(b, log_directory=os.path.join(b.folder, 'log'))
    b.req = write(b, request(b, b.pod, command=['sleep', '100'], log_path='main.log', security={
        'seccomp': {'profile_type': 0}, 'no_new_privs': True}), 'req.json')
    b.create = [CTRCTL, *b.globals, 'create', '--request', b.req]
    b.made = [made(b)]
    gone(b, b.made[0])
    return [m for m in mounts() if b.folder in m]


def made(b):
    """The container of the request, whatever has happened before."""
    r = b.call('create', '--request', b.req)
    if r.status != 0:
        fail('create afterwards: %s' % r.err)
    return json.loads(r.out)['containerId']


def gone(box, id):
    box.call('delete', '--force', id).ok()


def sweep(box, what, argv, before, after, options):
    """options(point): how strace hits it there; before() and after() around each hit."""
    hosts = [m for m in mounts() if box.folder in m]
    before()
    points = calls_of(box, argv)
    after()
    tried = 0
    end = time.monotonic() + SECONDS
    for point in points:
        if time.monotonic() > end:
            break
        before()
        traced(box, options(point), argv)
        after()
        nothing_is_left(box, '%s at %s:%d' % (what, *point), hosts)
        tried += 1
    print('# %s: %d of %d points' % (what, tried, len(points)))
    if tried < 10:
        fail('only %d points' % tried)


def kill(point):
    return ['-o', '/dev/null', '-e', 'trace=' + point[0], '-e', 'inject=%s:signal=KILL:when=%d' % point]


def nothing():
    pass


def create_killed_anywhere_can_be_done_again(box):
    stage(box)

    def again():
        id = made(box)
        # The call may have been init's own: then the container is there, and has ended.
        if box.status(id) != 'stopped':
            box.call('start', id).ok()
            same('running', box.status(id))
        gone(box, id)
    sweep(box, 'create killed', box.create, nothing, again, kill)


def what_a_killed_create_left_can_be_removed(box):
    stage(box)
    sweep(box, 'create killed, deleted', box.create, nothing, lambda: gone(box, box.made[0]), kill)


def delete_killed_anywhere_can_be_done_again(box):
    stage(box)

    def running():
        box.call('start', made(box)).ok()
    sweep(box, 'delete killed', [CTRCTL, *box.globals, 'delete', '--force', box.made[0]], running,
          lambda: gone(box, box.made[0]), kill)


def start_killed_anywhere_can_be_followed_by_delete(box):
    stage(box)
    sweep(box, 'start killed', [CTRCTL, *box.globals, 'start', box.made[0]], lambda: made(box), lambda: gone(box, box.made[0]), kill)


def removing_the_pod_removes_what_a_killed_create_left(box):
    stage(box)

    def away():
        box.call('sandbox', 'remove', box.pod).ok()
        same([], os.listdir(os.path.join(box.data, 'containers')))
        box.pod = sandbox(box, log_directory=os.path.join(box.folder, 'log'))
        write(box, {**json.load(open(box.req, encoding='utf-8')), 'pod_sandbox_id': box.pod}, 'req.json')
    hosts = [m for m in mounts() if box.folder in m]
    points = calls_of(box, box.create)
    away()
    end = time.monotonic() + SECONDS
    tried = 0
    for point in points:
        if time.monotonic() > end:
            break
        traced(box, kill(point), box.create)
        away()
        same(len(hosts), len([m for m in mounts() if box.folder in m]), 'mounts after %s:%d' % point)
        tried += 1
    print('# pods removed after a killed create: %d of %d points' % (tried, len(points)))


def create_that_fails_anywhere_leaves_nothing_or_a_whole_container(box):
    stage(box)
    random.seed(2)

    def fails(point):
        error = random.choice(['EIO', 'ENOSPC', 'ENOMEM', 'EMFILE', 'EACCES'])
        # Linux closes it whatever it says. Here it would stay open, and whoever waits for its end would wait for ever.
        if point[0] == 'close':
            return ['-o', '/dev/null', '-e', 'trace=close']
        return ['-o', '/dev/null', '-e', 'trace=' + point[0], '-e', 'inject=%s:error=%s:when=%d' % (point[0], error, point[1])]

    def whole_or_nothing():
        left = os.listdir(os.path.join(box.data, 'containers'))
        if os.path.getsize(os.path.join(box.folder, 'answer')):
            id = box.made[0]
            box.call('start', id).ok()
            status = box.call('exec', id, 'cat', '/proc/1/status').ok().out
            for line in 'Seccomp:\t2', 'NoNewPrivs:\t1':
                has(status, line)
            bound = int(re.search('CapBnd:\t(.*)', status).group(1), 16)
            same(0, bound & ~0xa80425fb, 'capabilities beyond those asked for')
            gone(box, id)
        elif left:
            gone(box, left[0])
    sweep(box, 'create failed', box.create, nothing, whole_or_nothing, fails)


main(globals())
