#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""System calls that fail, one after the other: what was begun is undone, it is said, and the next attempt works."""

from pods import *


def with_failing(box, call, nth, *args):
    """ctrctl, in which the nth such call of each process fails. Its tracer ends with the last of them."""
    out = os.path.join(box.folder, 'traced')
    with open(out, 'wb') as f:
        done = subprocess.run(['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=' + call, '-e',
                               'inject=%s:error=EIO:when=%d' % (call, nth), CTRCTL, *box.globals, *args],
                              stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT, timeout=60, check=False)
    with open(out, encoding='utf-8', errors='replace') as f:
        return done.returncode, f.read()


def each(calls):
    return [(call, nth) for call, times in calls.items() for nth in range(1, times + 1)]


def said_so(call, nth, status, text):
    """Whether it failed; if so, with a sentence."""
    if status not in (0, 1):
        fail('%s %d: status %d: %s' % (call, nth, status, text))
    if status == 1:
        has(text, 'ctrctl: ')
    return status == 1


def folders(box, name):
    path = os.path.join(box.data, name)
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def layers(of):
    return [name for name in folders(of, 'layers') if not name.startswith('.')]


def an_image_is_loaded_whole_or_not_at_all(box):
    path = layout(os.path.join(box.folder, 'in'), [tar_with(('a', None), ('a/b', 'x')), tar_with(('a/.wh..wh..opq', ''))])
    calls = {'mkdirat': 7, 'renameat': 4, 'fsync': 8, 'syncfs': 2, 'flock': 3, 'getrandom': 3, 'socketpair': 2, 'unshare': 1,
             'chroot': 1, 'capset': 1, 'setrlimit,prlimit64': 3, 'fchown': 1, 'sendmsg': 2, 'recvmsg': 2, 'fsetxattr': 1,
             'prctl': 4, 'dup2,dup3': 3, 'close_range': 1, 'fchdir': 1}
    failures = 0
    for call, nth in each(calls):
        status, text = with_failing(box, call, nth, 'image', 'load', '--name', 'busybox:latest', path)
        failures += said_so(call, nth, status, text)
        # The record is there or not; a half one would be an error here.
        listed = box.call('image', 'list', '-q').ok().out.split()
        if status == 0 and not listed:
            fail('%s %d: loaded, and not there' % (call, nth))
        box.call('image', 'load', '--name', 'busybox:latest', path).ok()
        same(2, len(layers(box)), 'layers after %s %d' % (call, nth))
        box.call('image', 'remove', 'busybox').ok()
        same([], layers(box), 'layers left after %s %d' % (call, nth))
        same([], box.call('image', 'list', '-q').ok().out.split())
    if failures < 10:
        fail('only %d attempts failed' % failures)


def a_container_is_made_or_undone(box):
    load(box)
    logs_ = os.path.join(box.folder, 'log')
    pod = sandbox(box, log_directory=logs_)
    req = write(box, request(box, pod, command='sleep 100', stdin=True, log_path='a/b/0.log',
                             mounts=[{'container_path': '/vol', 'readonly': True, 'image': {'image': 'busybox'}}]), 'r.json')
    calls = {'mkdirat': 9, 'renameat': 3, 'fsopen': 2, 'fsconfig': 3, 'fsmount': 2, 'move_mount': 3, 'open_tree': 3,
             'mount_setattr': 2, 'socketpair': 2, 'socket': 2, 'pipe2': 4, 'memfd_create': 2, 'setsid': 1, 'bind': 2, 'listen': 1,
             'fchown': 4, 'execveat': 1, 'close_range': 1, 'clone,vfork,fork': 1, 'clone3': 1, 'openat2': 4,
             'prctl': 1, 'dup2,dup3': 4, 'pidfd_open': 1}
    failures = 0
    for call, nth in each(calls):
        status, text = with_failing(box, call, nth, 'create', '--request', req)
        failed = said_so(call, nth, status, text)
        failures += failed
        if failed:
            same([], folders(box, 'containers'), 'left after %s %d (%s)' % (call, nth, text))
            same([], box.call('list', '-q').ok().out.split(), 'after %s %d' % (call, nth))
        else:
            box.call('delete', '--force', json.loads(text.splitlines()[-1])['containerId']).ok()
    id = json.loads(box.call('create', '--request', req).ok().out)['containerId']
    box.call('start', id).ok()
    box.call('delete', '--force', id).ok()
    if failures < 20:
        fail('only %d attempts failed' % failures)


def a_sandbox_is_made_or_undone(box):
    config = pod_config()
    config['linux']['cgroup_parent'] = '/' + box.tag
    path = write(box, config, 'p.json')
    failures = 0
    for call, nth in each({'mkdirat': 5, 'renameat': 4, 'fsync': 4, 'getrandom': 2, 'mount': 3, 'open_tree': 2,
                           'move_mount': 3, 'clone3': 2, 'unshare': 1, 'fchown': 3}):
        status, text = with_failing(box, call, nth, 'sandbox', 'run', path)
        failures += said_so(call, nth, status, text)
        if status == 0:
            box.call('sandbox', 'remove', text.split()[-1]).ok()
        same([], [n for n in folders(box, 'sandboxes') if n != 'names'], 'left after %s %d (%s)' % (call, nth, text))
    if failures < 10:
        fail('only %d attempts failed' % failures)


main(globals())
