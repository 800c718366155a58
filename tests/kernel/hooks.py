#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hooks: when each kind runs, where, with what, and what becomes of a container whose hook fails."""
from box import *

EARLY = ['prestart', 'createRuntime', 'createContainer']
KINDS = EARLY + ['startContainer', 'poststart', 'poststop']
SHELL = '/bin/sh'


def hook(script, **more):
    return {'path': SHELL, 'args': ['sh', '-c', script], **more}


def hooks(**kinds):
    def edit(config):
        config['hooks'] = {kind: h if isinstance(h, list) else [h] for kind, h in kinds.items()}
    return edit


def shared(box):
    """A folder that the host and the container know by the same name."""
    path = os.path.join(box.folder, 'shared')
    os.makedirs(path, exist_ok=True)

    def edit(config):
        config['mounts'].append({'destination': path, 'type': 'bind', 'source': path, 'options': ['bind']})
    return path, edit


def both(*edits):
    def edit(config):
        for e in edits:
            e(config)
    return edit


def read(path):
    with open(path, encoding='utf-8', errors='replace') as f:
        return f.read()


def alive(pid):
    try:
        with open('/proc/%s/stat' % pid, encoding='ascii', errors='replace') as f:
            return f.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


def gone(box):
    box.call('state', 'c').fails(1, 'container does not exist')
    same(set(), cgroups(box.tag), 'cgroups')


def all_six_kinds_run_in_order(box):
    where, mount = shared(box)
    edit = both(mount, hooks(**{k: [hook('echo %s %d >> %s/log' % (k, n, where)) for n in range(2)] for k in KINDS}))
    box.create(edit=edit).ok()

    def logged():
        return read(where + '/log').split('\n')[:-1]

    def of(kinds):
        return ['%s %d' % (k, n) for k in kinds for n in range(2)]
    same(of(EARLY), logged(), 'after create')
    box.call('start', 'c').ok()
    same(of(KINDS[:5]), logged(), 'after start')
    box.delete()
    same(of(KINDS), logged(), 'after delete')


def each_gets_the_state_on_its_stdin(box):
    where, mount = shared(box)

    def annotate(config):
        config['annotations'] = {'a/b': 'c "d"\n'}
    script = 'cat > %s/%s; '
    box.create(edit=both(mount, annotate, hooks(**{k: hook(script % (where, k)) for k in KINDS}))).ok()
    pid, bundle = box.state()['pid'], box.state()['bundle']
    box.call('start', 'c').ok()
    box.delete()
    want = {'prestart': ('creating', pid), 'createRuntime': ('creating', pid), 'createContainer': ('creating', 1),
            'startContainer': ('created', 1), 'poststart': ('running', pid), 'poststop': ('stopped', None)}
    for kind in KINDS:
        text = read('%s/%s' % (where, kind))
        state = json.loads(text)
        same((want[kind][0], 'c', bundle, {'a/b': 'c "d"\n'}),
             (state['status'], state['id'], state['bundle'], state['annotations']), kind)
        same('1.2.0', state['ociVersion'])
        if want[kind][1]:
            same(want[kind][1], state['pid'], kind + ' pid')


def each_runs_in_its_namespaces_and_root(box):
    where, mount = shared(box)
    script = ('for n in pid mnt uts ipc net cgroup; do readlink /proc/self/ns/$n; done > %(w)s/%(k)s.ns; '
              'LC_ALL=C ls / > %(w)s/%(k)s.root; pwd > %(w)s/%(k)s.cwd; hostname > %(w)s/%(k)s.host')
    edit = both(mount, hooks(**{k: hook(script % {'w': where, 'k': k}, env=['PATH=/bin:/usr/bin']) for k in KINDS}))
    box.create(edit=edit).ok()
    pid = box.state()['pid']
    inside = [os.readlink('/proc/%d/ns/%s' % (pid, n)) for n in ('pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup')]
    outside = [os.readlink('/proc/self/ns/%s' % n) for n in ('pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup')]
    rootfs, outer = (sorted(n for n in os.listdir(d) if n[0] != '.') for d in (box.state()['rootfs'], '/'))
    box.call('start', 'c').ok()
    box.delete()
    for kind in KINDS:
        here = kind in ('createContainer', 'startContainer')
        same(inside if here else outside, read('%s/%s.ns' % (where, kind)).split(), kind)
        if kind not in ('createContainer', 'startContainer'):
            same('/\n', read('%s/%s.cwd' % (where, kind)), kind + ' cwd')
    # createContainer: the container's namespaces, but the runtime's root: not pivoted yet.
    for kind in KINDS:
        same(rootfs if kind == 'startContainer' else outer, read('%s/%s.root' % (where, kind)).split(), kind + ' root')
    same('box\n', read(where + '/startContainer.host'))


def the_environment_is_only_the_hook_s(box):
    where, mount = shared(box)
    busy = ['A=1', 'B=two words', 'PATH=/bin:/usr/bin']
    edit = both(mount, hooks(**{k: hook('exec /bin/cat /proc/self/environ > %s/%s' % (where, k), env=busy) for k in KINDS}))
    os.environ['SECRET'] = 'secret'
    try:
        box.start(edit=edit)
        box.delete()
    finally:
        del os.environ['SECRET']
    for kind in KINDS:
        got = [x for x in read('%s/%s' % (where, kind)).split('\0') if x and x.split('=')[0] not in ('PWD', 'SHLVL', '_', 'OLDPWD')]
        same(sorted(busy), sorted(got), kind)


def no_environment_means_an_empty_one_outside_and_the_program_s_inside(box):
    where, mount = shared(box)
    edit = both(mount, hooks(**{k: {'path': '/bin/cp', 'args': ['cp', '/proc/self/environ', '%s/%s' % (where, k)]}
                                for k in KINDS}))
    box.start(edit=edit)
    box.delete()
    for kind in KINDS:
        same(BASE['process']['env'][0] + '\0' if kind == 'startContainer' else '', read('%s/%s' % (where, kind)), kind)


def a_hook_has_only_three_fds_and_normal_signals(box):
    where, mount = shared(box)
    script = 'exec 2>&1; ls -l /proc/self/fd > %s/%s; exec grep -E "Sig(Blk|Ign)" /proc/self/status >> %s/%s'
    edit = both(mount, hooks(**{k: hook(script % (where, k, where, k), env=['PATH=/bin:/usr/bin']) for k in KINDS}))
    bundle = box.bundle(edit, 'sleep 100')
    fds = [os.open('/etc', os.O_RDONLY) for _ in range(30)]
    out = os.open(box.folder + '/c.out', os.O_WRONLY | os.O_CREAT)
    done = subprocess.run(['sh', '-c', 'trap "" HUP PIPE INT; exec "$@"', 'x', CTRCTL, '--root', box.root, 'run', '--detach',
                           '--bundle', bundle, 'c'], stdin=subprocess.DEVNULL, stdout=out, stderr=out, pass_fds=fds, check=False)
    for fd in fds + [out]:
        os.close(fd)
    same(0, done.returncode, read(box.folder + '/c.out'))
    box.delete()
    for kind in KINDS:
        lines = read('%s/%s' % (where, kind)).splitlines()
        numbers = [int(x.split(' -> ')[0].split()[-1]) for x in lines if ' -> ' in x]
        if set(numbers) - {0, 1, 2, 3}:
            fail('%s has the fds %s' % (kind, lines))
        has_not('\n'.join(lines), '-> /etc')
        for line in lines:
            if line.startswith('Sig'):
                same(0, int(line.split()[1], 16), '%s %s' % (kind, line.split()[0]))


def a_failing_early_hook_fails_create_and_leaves_nothing(box):
    for kind in EARLY:
        r = box.create(edit=hooks(**{kind: [hook('true'), hook('echo out; echo err >&2; exit 3')]}))
        r.fails(1, 'hooks.%s[1]: ' % kind, 'exit status 3', 'err')
        same(1, len(r.err.splitlines()), 'lines')
        gone(box)


def a_failing_start_container_hook_fails_start(box):
    box.create(edit=hooks(startContainer=hook('echo why >&2; exit 4'))).ok()
    box.call('start', 'c').fails(1, 'hooks.startContainer[0]: ', 'exit status 4', 'why')
    eventually(lambda: box.status() == 'stopped')
    box.call('delete', 'c').ok()


def a_failing_poststart_hook_fails_start_and_stops_the_container(box):
    box.create(edit=hooks(poststart=hook('echo why >&2; exit 5'))).ok()
    box.call('start', 'c').fails(1, 'hooks.poststart[0]: ', 'exit status 5', 'why')
    same('stopped', box.status())
    box.call('delete', 'c').ok()


def run_fails_with_any_of_them_and_leaves_nothing(box):
    for kind in KINDS[:5]:
        box.run('true', hooks(**{kind: hook('exit 6')})).fails(1, 'hooks.%s[0]: ' % kind, 'exit status 6')
        gone(box)


def a_failing_poststop_hook_only_warns_and_the_next_one_runs(box):
    where, mount = shared(box)
    box.start(edit=both(mount, hooks(poststop=[hook('exit 7'), hook('echo ran > %s/ran' % where)])))
    r = box.call('delete', '--force', 'c').ok()
    has(r.err, 'poststop')
    has(r.err, 'exit status 7')
    same('ran\n', read(where + '/ran'))
    gone(box)


def poststop_runs_after_a_failed_create_and_a_failed_start(box):
    where, mount = shared(box)
    stop = hook('echo x >> %s/ran' % where)
    box.create(edit=both(mount, hooks(createRuntime=hook('exit 1'), poststop=stop))).fails(1)
    same('x\n', read(where + '/ran'))
    box.create(edit=both(mount, hooks(startContainer=hook('exit 1'), poststop=stop))).ok()
    box.call('start', 'c').fails(1)
    eventually(lambda: box.status() == 'stopped')
    box.call('delete', 'c').ok()
    same('x\nx\n', read(where + '/ran'))
    box.create(edit=both(mount, hooks(poststart=hook('exit 1'), poststop=stop))).ok()
    box.call('start', 'c').fails(1)
    box.call('delete', 'c').ok()
    same('x\nx\nx\n', read(where + '/ran'))
    box.run(['true'], both(mount, hooks(poststop=stop))).ok()
    same('x\nx\nx\nx\n', read(where + '/ran'))


def the_cgroup_and_the_record_are_gone_when_poststop_runs(box):
    where, mount = shared(box)
    script = 'find %s -path "*%s*" > %s/left; ls %s >> %s/left' % (cgroup_mount(), box.tag, where, box.root, where)
    box.start(edit=both(mount, hooks(poststop=hook(script, env=['PATH=/bin:/usr/bin']))))
    box.delete()
    same('', read(where + '/left'))


def a_hook_that_takes_too_long_is_killed(box):
    where, mount = shared(box)
    for kind in KINDS[:5]:
        script = "trap '' TERM INT HUP; echo $$ > %s/pid; sleep 300 & while :; do sleep 0.1; done" % where
        begin = time.monotonic()
        box.run('sleep 100', both(mount, hooks(**{kind: hook(script, timeout=1)}))).fails(
            1, 'hooks.%s[0]: ' % kind, "didn't end within 1 s")
        if not 0.9 < time.monotonic() - begin < 10:
            fail('%s: %.1f s' % (kind, time.monotonic() - begin))
        if kind not in ('createContainer', 'startContainer') and alive(read(where + '/pid').strip()):
            fail('%s: the hook lives' % kind)
        gone(box)


def a_hook_within_its_timeout_is_left_alone(box):
    box.run('true', hooks(**{k: hook('sleep 0.1', timeout=20) for k in KINDS})).ok()


def a_hook_that_never_reads_its_stdin_holds_nobody_up(box):
    def annotate(config):
        config['annotations'] = {'big%d' % n: 'x' * 4096 for n in range(100)}
    for kind in KINDS:
        box.run('true', both(annotate, hooks(**{kind: hook('exec <&-; true')}))).ok()
        box.run('true', both(annotate, hooks(**{kind: hook('sleep 0.1')}))).ok()


def a_state_of_half_a_mib_arrives_whole(box):
    where, mount = shared(box)

    def annotate(config):
        config['annotations'] = {'big%d' % n: 'x' * 4096 for n in range(100)}
    box.start(edit=both(mount, annotate, hooks(**{k: hook('cat > %s/%s' % (where, k)) for k in KINDS})))
    box.delete()
    for kind in KINDS:
        same(100, len(json.loads(read('%s/%s' % (where, kind)))['annotations']), kind)


def a_hook_that_prints_a_mib_holds_nobody_up(box):
    flood = 'head -c 1048576 /dev/zero | tr "\\0" x; head -c 1048576 /dev/zero | tr "\\0" y >&2; '
    for kind in KINDS:
        box.run('true', hooks(**{kind: hook(flood, env=['PATH=/bin:/usr/bin'])})).ok()
    for kind in KINDS[:5]:
        r = box.run('true', hooks(**{kind: hook(flood + 'echo the end; exit 1', env=['PATH=/bin:/usr/bin'])}))
        r.fails(1, 'exit status 1', 'the end')
        if len(r.err) > 8192:
            fail('%d bytes of error' % len(r.err))


def a_grandchild_that_keeps_the_pipe_holds_nobody_up(box):
    where, mount = shared(box)
    for kind in KINDS:
        script = 'sleep 30 & echo $! > %s/pid; exit 0' % where
        begin = time.monotonic()
        box.run('true', both(mount, hooks(**{kind: hook(script, env=['PATH=/bin:/usr/bin'])}))).ok()
        if time.monotonic() - begin > 10:
            fail('%s: %.1f s' % (kind, time.monotonic() - begin))
        if kind not in ('createContainer', 'startContainer'):
            os.kill(int(read(where + '/pid')), signal.SIGKILL)


def a_grandchild_that_floods_the_pipe_of_a_failed_hook_holds_nobody_up(box):
    where, mount = shared(box)
    for kind in KINDS[:5]:
        script = 'yes & echo $! > %s/pid; exit 1' % where
        begin = time.monotonic()
        try:
            box.call('run', '--bundle', box.bundle(both(mount, hooks(**{kind: hook(script, env=['PATH=/bin:/usr/bin'])})), 'true'),
                     'c', timeout=10).fails(1, 'exit status 1')
        finally:
            if kind not in ('createContainer', 'startContainer'):
                try:
                    os.kill(int(read(where + '/pid')), signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if time.monotonic() - begin > 8:
            fail('%s: %.1f s' % (kind, time.monotonic() - begin))
        gone(box)


def a_hook_that_is_missing_or_no_program_is_named(box):
    for kind in KINDS[:5]:
        for path in ('/nowhere/hook', '/etc/passwd', '/tmp'):
            r = box.run('true', hooks(**{kind: {'path': path}}))
            r.fails(1, 'hooks.%s[0]: ' % kind, path)
            for trap in ('no such file or directory', 'permission denied', 'executable file not found'):
                has_not(r.err.lower(), trap)
            gone(box)


def a_hook_that_is_killed_says_by_which_signal(box):
    for kind in KINDS[:5]:
        box.run('true', hooks(**{kind: hook('kill -9 $$')})).fails(1, 'hooks.%s[0]: ' % kind, 'signal 9')
        gone(box)


def the_argv_of_the_hook_is_used(box):
    where, mount = shared(box)
    edit = both(mount, hooks(**{k: {'path': '/bin/sh', 'args': ['sh', '-c', 'echo "$0 $1 $#" > %s/%s' % (where, k), 'a', 'b c']}
                                for k in KINDS}))
    box.start(edit=edit)
    box.delete()
    for kind in KINDS:
        same('a b c 1\n', read('%s/%s' % (where, kind)), kind)


def ctrctl_dying_in_a_hook_leaves_what_delete_force_removes(box):
    for kind in ('prestart', 'createRuntime'):
        bundle = box.bundle(hooks(**{kind: hook('kill -9 $PPID; sleep 0.2')}), 'sleep 100')
        done = subprocess.run([CTRCTL, '--root', box.root, 'create', '--bundle', bundle, 'c'], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, check=False)
        same(-9, done.returncode)
        box.call('start', 'c').fails(1)
        box.call('delete', '--force', 'c').ok()
        gone(box)


main(globals())
