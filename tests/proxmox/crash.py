#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ctrctl killed at any system call that touches files, sockets or processes, and at any request: then `ctrctl list` and `ctrctl delete
--force` leave no guest and no record."""

import random

from pve import *

# For one sweep; what isn't reached by then is left out.
SECONDS = int(os.environ.get('SWEEP_SECONDS', '25'))
STRACE = shutil.which('strace')
# The one that is killed: leaks can't be looked for under strace, and it is the same program. What comes after it has the sanitizers.
ORDINARY = os.path.join(BUILD, 'src/cli/ctrctl')
KILLED = ORDINARY if BUILD and os.path.exists(ORDINARY) else CTRCTL
TOUCHING = re.compile(r'(open|openat|openat2|mkdir\w*|rename\w*|unlink\w*|link\w*|symlink\w*|write|writev|pwrite\w*|read|fsync|fdatasync|'
                      r'ftruncate|fallocate|fchmod\w*|fchown\w*|flock|fcntl|memfd_create|socket|socketpair|connect|bind|listen|send\w+|recv\w+|'
                      r'poll|ppoll|epoll_\w+|clone3?|fork|vfork|execve|execveat|wait4|waitid|kill|pidfd_\w+|dup\d?|close|pipe2|statx|'
                      r'newfstatat|getdents64|setsockopt|shutdown)$')
LASTING = re.compile(r'(mkdir\w*|rename\w*|unlink\w*|write|writev|pwrite\w*|fsync|fdatasync|send\w+|recv\w+)$')


def points_of(box, argv):
    """(name, number) of each touching call of any process of it. First those around which something lasting changes: what the main
    process writes, syncs, names, sends and gets. Of these, and of the others, those that were left out are other ones each time."""
    log = os.path.join(box.folder, 'calls')
    subprocess.run([STRACE, '-f', '-qq', '-o', log, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=60, check=True)
    count, first, others, main_pid = {}, set(), set(), None
    with open(log, encoding='utf-8', errors='replace') as f:
        for line in f:
            found = re.match(r'(\d+) +(\w+)\(', line)
            if not found or not TOUCHING.match(found.group(2)):
                continue
            pid, name = found.groups()
            main_pid = main_pid or pid
            count[pid, name] = count.get((pid, name), 0) + 1
            (first if pid == main_pid and LASTING.match(name) else others).add((name, count[pid, name]))
    seed = random.randrange(1 << 32)
    print('# SWEEP_SEED=%d' % int(os.environ.get('SWEEP_SEED', seed)))
    shuffle = random.Random(int(os.environ.get('SWEEP_SEED', seed))).shuffle
    first, others = sorted(first), sorted(others - first)
    shuffle(first)
    shuffle(others)
    return first + others, len(first)


def killed_at(point, argv):
    subprocess.run([STRACE, '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', 'trace=' + point[0], '-e', 'inject=%s:signal=KILL:when=%d' % point,
                    *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=150, check=False)


def killed_by_the_server(box, argv):
    """The command with its pid in a file, for the rules kill and kill_after."""
    return subprocess.run(['sh', '-c', 'echo $$ >"$0"; exec "$@"', os.path.join(box.folder, 'pid'), *argv], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False).returncode


def records(b):
    folder = os.path.join(b.data, 'guests')
    return [n for n in os.listdir(folder) if not n.startswith('.')] if os.path.isdir(folder) else []


def remove_all(box, where):
    """As a user would: list, and delete what it names. A folder that has no record yet is named by a warning."""
    box.let_time_pass()
    r = box.call('list', '--format', 'json').ok()
    listed = {one['id']: one for one in json.loads(r.out)}
    for id in records(box):
        has(r.out + r.err, id)
    for id in {*listed, *records(box)}:
        r = box.call('delete', '--force', *(['--backend', 'proxmox'] if listed.get(id, {}).get('stray') else []), id)
        if r.status != 0:
            fail('delete after %s: %s' % (where, r.err))


def nothing_is_left(box, where):
    same([], [(g['vmid'], g['config']) for g in box.server.guests()], 'guests after %s' % (where,))
    same([], records(box), 'records after %s' % (where,))
    same([], box.call('list', '-q').ok().out.split(), 'list after %s' % (where,))


def stage(box, image='lxc/debian-12', **more):
    if not STRACE:
        skip('no strace')
    # A point that each new connection reaches again is one at which a verb tries until its deadline.
    box.configure(timeouts={'startSeconds': 10, 'stopSeconds': 20, 'destroySeconds': 10})
    path = write(box, box.guest_request(image=image, **more), 'request.json')
    argv = [KILLED, *box.globals, 'create', '--request', path]
    box.made = json.loads(box.call('create', '--request', path).ok().out)['containerId']
    box.call('delete', '--force', box.made).ok()
    return argv


def sweep(box, what, argv, before, seconds=None):
    """before(): what the killed command finds; afterwards all is removed."""
    before()
    points, n_first = points_of(box, argv)
    remove_all(box, what)
    nothing_is_left(box, what)
    tried, end = 0, time.monotonic() + (seconds or SECONDS)
    for point in points:
        if time.monotonic() > end and tried >= 5:
            break
        before()
        killed_at(point, argv)
        where = '%s killed at %s:%d' % (what, *point)
        remove_all(box, where)
        nothing_is_left(box, where)
        tried += 1
    print('# %s: %d of %d points, %d of them come first' % (what, tried, len(points), n_first))
    if tried < 5:
        fail('only %d points' % tried)


def at_requests(box, what, argv, before):
    """Killed by the server, before and after each request in turn, until one isn't reached any more."""
    for do in 'kill', 'kill_after':
        for nth in range(1, 40):
            before()
            box.server.clear_faults()
            box.server.fault('.', do, nth=nth, pidfile=os.path.join(box.folder, 'pid'))
            status = killed_by_the_server(box, argv)
            hit = [r for r in box.server.faults() if r['match'] == '.'][0]['hits']
            box.server.clear_faults()
            where = '%s: %s at request %d (%d)' % (what, do, nth, status)
            remove_all(box, where)
            nothing_is_left(box, where)
            if not hit:
                break
        if nth < 3:
            fail('%s: only %d requests' % (what, nth))
        print('# %s: %s at %d requests' % (what, do, nth - 1))


def nothing():
    pass


def create_killed_at_any_system_call(box):
    sweep(box, 'create', stage(box), nothing)


def create_killed_at_any_request(box):
    at_requests(box, 'create', stage(box), nothing)


def create_from_an_archive_killed_at_any_request(box):
    argv = stage(box, 'lxc/postgres-16', command=['/bin/mine'], envs=[{'key': 'A', 'value': '1'}])
    at_requests(box, 'create', argv, nothing)


def create_from_an_archive_killed_at_any_system_call(box):
    sweep(box, 'create from an archive', stage(box, 'lxc/postgres-16', command=['/bin/mine']), nothing)


def create_killed_while_its_task_is_slow(box):
    argv = stage(box)
    box.server.set(task_seconds=1)
    for do in 'kill', 'kill_after':
        box.server.fault('POST /nodes/pve./lxc$', do, pidfile=os.path.join(box.folder, 'pid'))
        killed_by_the_server(box, argv)
        box.server.clear_faults()
        remove_all(box, do)
        nothing_is_left(box, do)


def a_killed_create_can_be_done_again(box):
    argv = stage(box)
    for do in 'kill', 'kill_after':
        for nth in range(1, 6):
            box.server.fault('.', do, nth=nth, pidfile=os.path.join(box.folder, 'pid'))
            killed_by_the_server(box, argv)
            box.server.clear_faults()
            box.let_time_pass()
            again = subprocess.run([CTRCTL, *argv[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
            same(0, again.returncode, 'create again after %s at request %d: %s' % (do, nth, again.stderr))
            same(1, len(box.server.guests()), 'guests')
            box.call('start', box.made).ok()
            same('running', box.status(box.made))
            remove_all(box, do)
            nothing_is_left(box, do)


def delete_killed_anywhere(box):
    create = stage(box)

    def running():
        same(0, subprocess.run([CTRCTL, *create[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False).returncode)
        box.call('start', box.made).ok()
    argv = [KILLED, *box.globals, 'delete', '--force', box.made]
    at_requests(box, 'delete', argv, running)
    sweep(box, 'delete', argv, running, SECONDS / 2)


def start_killed_anywhere(box):
    create = stage(box)

    def created():
        same(0, subprocess.run([CTRCTL, *create[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False).returncode)
    argv = [KILLED, *box.globals, 'start', box.made]
    at_requests(box, 'start', argv, created)
    sweep(box, 'start', argv, created, SECONDS / 2)


main(globals())
