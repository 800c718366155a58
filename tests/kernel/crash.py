#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ctrctl killed at any point: what remains can be seen, and delete --force takes it away."""
import random
import re

from box import *

# For one sweep; what isn't reached by then is left out. 60 is enough for all of them.
SECONDS = int(os.environ.get('SWEEP_SECONDS', '5'))
STRACE = shutil.which('strace')


def alive(pid):
    try:
        with open('/proc/%s/stat' % pid, encoding='ascii', errors='replace') as f:
            return f.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


def ours(box):
    """Processes that were born of this box: told by a word in their environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/environ' % pid, 'rb') as f:
                env = f.read()
            with open('/proc/%s/cmdline' % pid, 'rb') as f:
                words = f.read().split(b'\0')
            with open('/proc/%s/mountinfo' % pid, 'rb') as f:
                seen = f.read()
        except OSError:
            continue
        if box.tag.encode() in env or (words[0] == b'ctrctl-init' and box.tag.encode() in seen) or box.tag.encode() in b' '.join(words):
            if alive(pid) and int(pid) != os.getpid():
                found.append((pid, words))
    return found


def tagged(box):
    def edit(config):
        config['process']['env'].append('BOX=' + box.tag)
    return edit


def calls_of(box, argv):
    """What system calls a run of it makes, in order: [(name, how many before it), ...]."""
    log = os.path.join(box.folder, 'calls')
    done = subprocess.run([STRACE, '-qq', '-o', log, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, timeout=60, check=False)
    same(0, done.returncode, 'status of %s' % argv)
    points, count = [], {}
    with open(log, encoding='utf-8', errors='replace') as f:
        for line in f:
            name = re.match(r'(?:\d+ +)?(\w+)\(', line)
            if not name or name.group(1) in ('execve', 'exit_group', 'brk', 'mprotect', 'pread64', 'arch_prctl',
                                             'set_tid_address', 'rseq', 'prlimit64', 'getrandom', 'futex', 'munmap',
                                             'set_robust_list', 'vfork'):
                continue
            count[name.group(1)] = count.get(name.group(1), 0) + 1
            points.append((name.group(1), count[name.group(1)]))
    return points


def killed_at(point, argv):
    """Runs it and kills it at its n-th call of that name; True if it got so far."""
    name, n = point
    done = subprocess.run([STRACE, '-qq', '-o', '/dev/null', '-e', 'trace=' + name, '-e',
                           'inject=%s:signal=KILL:when=%d' % (name, n), *argv], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
    return done.returncode != 0


def spread(points):
    """In an order in which a part of them is an even part."""
    points = list(points)
    random.Random(1).shuffle(points)
    return points


def nothing_is_left(box, where):
    if os.path.isdir(box.root):
        left = [n for n in os.listdir(box.root) if not n.startswith('.')]
        same([], left, 'records after a kill at %s:%d' % where)
    same(set(), cgroups(box.tag), 'cgroups after a kill at %s:%d' % where)
    eventually(lambda: not ours(box), 5, 'the end of %s after a kill at %s:%d' % (ours(box), *where))


def sweep(box, argv, before, check=None):
    """Kills argv at each of its calls; before() makes what it works on; delete --force must be enough."""
    if not STRACE:
        skip('no strace')
    before()
    points = calls_of(box, argv)
    box.call('delete', '--force', 'c').ok()
    tried = records = 0
    hosts = mounts()
    end = time.monotonic() + SECONDS
    for point in spread(points):
        if time.monotonic() > end:
            break
        before()
        if killed_at(point, argv):
            tried += 1
        records += os.path.isdir(box.root + '/c')
        if check:
            check(point)
        box.call('delete', '--force', 'c', timeout=30).ok()
        nothing_is_left(box, point)
        same(hosts, mounts(), 'mounts after a kill at %s:%d' % point)
    print('# killed at %d of %d points of %s; %d times something was left to delete' % (tried, len(points), argv[3], records))
    if tried < 10 or records < 5:
        fail('killed %d times only, %d times with something left' % (tried, records))


def full(box):
    """A config with a bit of everything: hooks, masks, a tmpfs with the image's files, devices, seccomp."""
    def edit(config):
        tagged(box)(config)
        config['hooks'] = {k: [{'path': '/bin/true'}] for k in ('prestart', 'createRuntime', 'createContainer',
                                                                'startContainer', 'poststart', 'poststop')}
        config['mounts'].append({'destination': '/etc', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['tmpcopyup']})
        config['mounts'].append({'destination': '/mnt', 'type': 'bind', 'source': box.folder, 'options': ['rbind', 'ro']})
        config['linux']['resources'] = {'devices': [{'allow': False, 'access': 'rwm'},
                                                    {'allow': True, 'type': 'c', 'major': 1, 'minor': 3, 'access': 'rwm'}]}
        config['linux']['seccomp'] = {'defaultAction': 'SCMP_ACT_ALLOW',
                                      'syscalls': [{'names': ['acct'], 'action': 'SCMP_ACT_ERRNO'}]}
    return edit


def command(box, *args):
    return [CTRCTL, '--root', box.root, *args]


def create_killed_anywhere(box):
    bundle = box.bundle(tagged(box), ['sleep', '100'])
    sweep(box, command(box, 'create', '--bundle', bundle, 'c'), lambda: None)


def create_with_everything_killed_anywhere(box):
    bundle = box.bundle(full(box), ['sleep', '100'])
    sweep(box, command(box, 'create', '--bundle', bundle, 'c'), lambda: None)


def create_in_a_user_namespace_killed_anywhere(box):
    rootfs = box.rootfs()
    subprocess.run(['chown', '-R', '-h', '100000:100000', rootfs], check=True)
    os.chmod(box.folder, 0o755)

    def edit(config):
        tagged(box)(config)
        config['linux']['namespaces'].append({'type': 'user'})
        config['linux']['uidMappings'] = config['linux']['gidMappings'] = [{'containerID': 0, 'hostID': 100000, 'size': 65536}]
    bundle = box.bundle(edit, ['sleep', '100'], rootfs)
    sweep(box, command(box, 'create', '--bundle', bundle, 'c'), lambda: None)


def start_killed_anywhere(box):
    bundle = box.bundle(full(box), ['sleep', '100'])

    def before():
        subprocess.run(command(box, 'create', '--bundle', bundle, 'c'), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=30, check=True)

    def check(point):
        if box.status() not in ('created', 'running'):
            fail('%s after a kill of start at %s:%d' % (box.status(), *point))
    sweep(box, command(box, 'start', 'c'), before, check)


def a_start_that_was_killed_can_be_repeated(box):
    if not STRACE:
        skip('no strace')
    bundle = box.bundle(tagged(box), ['sleep', '100'])

    def before():
        subprocess.run(command(box, 'create', '--bundle', bundle, 'c'), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=30, check=True)
    before()
    points = calls_of(box, command(box, 'start', 'c'))
    box.delete()
    for point in spread(points)[:20]:
        before()
        killed_at(point, command(box, 'start', 'c'))
        if box.status() == 'created':
            box.call('start', 'c', timeout=20).ok()
        same('running', box.status(), 'status after %s:%d' % point)
        box.exec('true').ok()
        box.delete()


def delete_killed_anywhere(box):
    bundle = box.bundle(full(box), ['sleep', '100'])

    def before():
        with open(os.devnull, 'r+b') as null:
            subprocess.run(command(box, 'run', '--detach', '--bundle', bundle, 'c'), stdin=null, stdout=null, stderr=null,
                           timeout=30, check=True)
    sweep(box, command(box, 'delete', '--force', 'c'), before)


def exec_killed_anywhere(box):
    bundle = box.bundle(tagged(box), ['sleep', '100'])
    with open(os.devnull, 'r+b') as null:
        subprocess.run(command(box, 'run', '--detach', '--bundle', bundle, 'c'), stdin=null, stdout=null, stderr=null,
                       timeout=30, check=True)
    argv = command(box, 'exec', '--detach', 'c', 'sleep', '99')
    points = calls_of(box, argv)
    end = time.monotonic() + SECONDS
    for point in spread(points)[:50]:
        if time.monotonic() > end:
            break
        killed_at(point, argv)
        same('running', box.status(), 'status after %s:%d' % point)
        box.exec('true').ok()
    # Nothing half-made stays in it: only programs that were really started.
    def half():
        return [w for _, w in ours(box) if w[0] == b'ctrctl-init']
    eventually(lambda: not half(), 10, 'the end of %s' % half())
    box.delete()
    nothing_is_left(box, ('exec', 0))


def run_killed_leaves_what_delete_force_takes(box):
    bundle = box.bundle(tagged(box), 'echo up; sleep 100')
    for wait in (0, 0.005, 0.01, 0.02, 0.03, None):
        p = subprocess.Popen(command(box, 'run', '--bundle', bundle, 'c'), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        if wait is None:
            same(b'up\n', p.stdout.readline())
        else:
            time.sleep(wait)
        p.kill()
        p.wait()
        box.call('delete', '--force', 'c').ok()
        p.stdout.close()
        nothing_is_left(box, ('run', 0))


def init_killed_right_after_create_is_seen_as_stopped(box):
    for _ in range(5):
        box.create(edit=tagged(box)).ok()
        os.kill(box.state()['pid'], signal.SIGKILL)
        eventually(lambda: box.status() == 'stopped', 5)
        box.call('start', 'c').fails(1, 'cannot start a container that has stopped')
        box.call('delete', 'c').ok()


def init_killed_while_create_works_fails_it_at_once(box):
    bundle = box.bundle(tagged(box), ['sleep', '100'])
    with open(bundle + '/config.json', encoding='utf-8') as f:
        config = json.load(f)
    pidfile = os.path.join(box.folder, 'hook-pid')
    config['hooks'] = {'createRuntime': [{'path': '/bin/sh', 'args': [
        'sh', '-c', 'sed "s/.*\\"pid\\":\\([0-9]*\\).*/\\1/" > %s; kill -9 $(cat %s)' % (pidfile, pidfile)],
        'env': ['PATH=/bin:/usr/bin']}]}
    with open(bundle + '/config.json', 'w', encoding='utf-8') as f:
        json.dump(config, f)
    begin = time.monotonic()
    r = box.call('create', '--bundle', bundle, 'c', timeout=30)
    r.fails(1)
    if time.monotonic() - begin > 5:
        fail('%.1f s' % (time.monotonic() - begin))
    box.call('state', 'c').fails(1, 'does not exist')
    nothing_is_left(box, ('init', 0))


def a_stopped_starter_holds_up_nobody_but_says_who_it_is(box):
    """A ctrctl that hangs with the lock: others give up with a clear error, and go on once it is gone."""
    bundle = box.bundle(lambda c: (tagged(box)(c), c.update({'hooks': {'createRuntime': [
        {'path': '/bin/sleep', 'args': ['sleep', '60']}]}})), ['sleep', '100'])
    p = subprocess.Popen(command(box, 'create', '--bundle', bundle, 'c'), stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: box.call('state', 'c').status == 0)
    same('creating', box.status())
    r = box.call('delete', '--force', 'c', timeout=30)
    r.fails(1, str(p.pid))
    p.kill()
    p.wait()
    box.call('delete', '--force', 'c').ok()
    nothing_is_left(box, ('lock', 0))


main(globals())
