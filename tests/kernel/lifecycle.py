#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The verbs: what each does in each state, what it prints, what it leaves."""
import re

from box import *

NO_PID_NS = [{'type': t} for t in ('mount', 'ipc', 'uts', 'network', 'cgroup')]
IGNORES_TERM = 'trap "" TERM; while :; do sleep 0.1; done'


def shared_pids(config):
    config['linux']['namespaces'] = NO_PID_NS


def alive(pid):
    try:
        with open('/proc/%d/stat' % pid, encoding='ascii', errors='replace') as f:
            return f.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


def read(path):
    with open(path, encoding='utf-8', errors='replace') as f:
        return f.read()


def record(box, id='c'):
    return os.path.join(box.root, id, 'state.json')


def cgroup_of(box, id='c'):
    return cgroup_mount() + json.loads(read(record(box, id)))['cgroup']


def spawn(box, *args, **more):
    return subprocess.Popen([CTRCTL, '--root', box.root, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **more)


# -- states ----------------------------------------------------------------------------------------------

def state_has_the_shape_that_engines_read(box):
    def edit(config):
        config['annotations'] = {'a.b/c': 'd e'}
    box.create(edit=edit).ok()
    r = box.call('state', 'c').ok()
    same('', r.err, 'stderr')
    if not r.out.endswith('}\n'):
        fail('no newline at the end')
    s = json.loads(r.out)
    same({'ociVersion', 'id', 'pid', 'status', 'bundle', 'rootfs', 'created', 'annotations', 'owner', 'backend'}, set(s))
    same(('1.2.0', 'c', 'created', {'a.b/c': 'd e'}), (s['ociVersion'], s['id'], s['status'], s['annotations']))
    if not alive(s['pid']):
        fail('pid %r' % s['pid'])
    if not os.path.isfile(s['bundle'] + '/config.json') or not os.path.isdir(s['rootfs']):
        fail('%r' % s)
    if not re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z', s['created']):
        fail(s['created'])


def states_follow_each_other(box):
    box.create().ok()
    same('created', box.status())
    box.call('start', 'c').ok()
    same('running', box.status())
    box.call('pause', 'c').ok()
    same('paused', box.status())
    box.call('resume', 'c').ok()
    same('running', box.status())
    box.call('kill', 'c', 'KILL').ok()
    eventually(lambda: box.status() == 'stopped')
    same(0, box.state()['pid'])
    box.call('delete', 'c').ok()
    box.call('state', 'c').fails(1, 'container does not exist')


def an_unknown_id_is_said_to_be_unknown(box):
    box.create(id='a').ok()
    for verb in (['state', 'x'], ['start', 'x'], ['kill', 'x'], ['kill', 'x', '9'], ['kill', '--all', 'x'], ['delete', 'x'],
                 ['pause', 'x'], ['resume', 'x'], ['ps', 'x'], ['update', '--pids-limit', '5', 'x']):
        r = box.call(*verb).fails(1, 'container does not exist')
        same(1, len(r.err.splitlines()), 'lines of %s' % verb)
    box.exec('true', id='x').fails(255, 'container does not exist')


def a_created_container_refuses_what_needs_a_running_one(box):
    box.create().ok()
    box.call('resume', 'c').fails(1, 'container not paused')
    box.create().fails(1, 'container with given ID already exists')
    same('created', box.status())


def a_running_container_refuses_start_delete_and_create(box):
    box.start()
    box.call('start', 'c').fails(1, 'cannot start an already running container')
    box.call('delete', 'c').fails(1, 'cannot delete container c that is not stopped: running')
    box.call('resume', 'c').fails(1, 'container not paused')
    box.create().fails(1, 'container with given ID already exists')
    same('running', box.status())
    box.exec('true').ok()


def a_paused_container_refuses_exec_pause_and_delete(box):
    box.start()
    box.call('pause', 'c').ok()
    box.call('pause', 'c').fails(1, 'container paused')
    box.exec('true').fails(255, 'cannot exec in a paused container (use --ignore-paused to override)')
    box.call('start', 'c').fails(1, 'cannot start an already running container')
    box.call('delete', 'c').fails(1, 'cannot delete container c that is not stopped: paused')
    box.call('resume', 'c').ok()
    box.exec('echo', 'x').ok()


def a_stopped_container_refuses_everything_but_delete(box):
    box.start('true')
    eventually(lambda: box.status() == 'stopped')
    box.call('start', 'c').fails(1, 'cannot start a container that has stopped')
    box.call('kill', 'c', 'TERM').fails(1, 'container not running')
    box.call('kill', 'c', 'KILL').fails(1, 'container not running')
    box.exec('true').fails(255, 'cannot exec in a stopped container', 'container not running')
    box.call('pause', 'c').fails(1, 'container not running')
    box.call('resume', 'c').fails(1, 'container not paused')
    box.call('update', '--pids-limit', '5', 'c').fails(1, 'container not running')
    box.call('kill', '--all', 'c', 'KILL').ok()
    box.create().fails(1, 'container with given ID already exists')
    box.call('delete', 'c').ok()


def a_paused_container_is_killed_and_deleted(box):
    box.start()
    box.call('pause', 'c').ok()
    box.call('kill', 'c', 'KILL').ok()
    eventually(lambda: box.status() == 'stopped')
    box.call('delete', 'c').ok()
    box.start()
    box.call('pause', 'c').ok()
    box.delete()


def exec_in_a_paused_container_is_possible_when_asked_for(box):
    box.start()
    box.call('pause', 'c').ok()
    p = spawn(box, 'exec', '--ignore-paused', '--detach', 'c', 'touch', '/dev/shm/here')
    box.call('resume', 'c').ok()
    p.communicate(timeout=20)
    same(0, p.returncode)
    eventually(lambda: box.exec('ls', '/dev/shm').out == 'here\n')


# -- what create and run leave ---------------------------------------------------------------------------

def the_pid_file_is_there_when_create_returns(box):
    path = os.path.join(box.folder, 'pid')
    box.create(options=['--pid-file', path]).ok()
    same(str(box.state()['pid']), read(path))
    same(['pid'], [n for n in os.listdir(box.folder) if n.startswith('pid')])


def a_pid_file_that_cannot_be_written_fails_the_create(box):
    box.create(options=['--pid-file', '/nowhere/pid']).fails(1, '/nowhere/')
    box.call('state', 'c').fails(1, 'does not exist')


def exec_writes_a_pid_file(box):
    path = os.path.join(box.folder, 'pid')
    box.start()
    with open(os.devnull, 'wb') as null:
        subprocess.run([CTRCTL, '--root', box.root, 'exec', '--detach', '--pid-file', path, 'c', 'sleep', '50'], stdin=null,
                       stdout=null, check=True, timeout=20)
    same('sleep\x0050\x00', read('/proc/%s/cmdline' % read(path)))


def list_shows_all_of_them(box):
    same('[]', box.call('list', '--format', 'json').ok().out.strip())
    box.create(id='a').ok()
    box.start(id='b')
    box.start('true', id='c')
    eventually(lambda: box.status() == 'stopped')
    items = json.loads(box.call('list', '-f', 'json').ok().out)
    same([('a', 'created'), ('b', 'running'), ('c', 'stopped')], [(i['id'], i['status']) for i in items])
    same('a\nb\nc\n', box.call('list', '-q').ok().out)
    head, *lines = box.call('list').ok().out.splitlines()
    same(['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER', 'BACKEND'], head.split())
    same([['a', 'created'], ['b', 'running'], ['c', 'stopped']], [[x.split()[0], x.split()[2]] for x in lines])


def ps_shows_the_processes(box):
    box.start('sleep 51 & sleep 52; true')
    eventually(lambda: len(json.loads(box.call('ps', '--format', 'json', 'c').ok().out)) == 3)
    pids = json.loads(box.call('ps', '-f', 'json', 'c').ok().out)
    if box.state()['pid'] not in pids:
        fail('%s' % pids)
    out = box.call('ps', 'c').ok().out
    has(out, 'sleep 51')
    has(out, 'sleep 52')


# -- stats -----------------------------------------------------------------------------------------------

def stats_show_what_a_container_uses(box):
    box.start('while :; do :; done')
    def used():
        one, = json.loads(box.call('stats', '--format', 'json', 'c').ok().out)
        return one
    first = used()
    same('c', first['id'])
    eventually(lambda: used()['cpuNanoseconds'] > first['cpuNanoseconds'] + 100000000, what='CPU time')
    has(box.call('stats', 'c').ok().out, 'CPU MS')
    box.call('kill', 'c', 'KILL').ok()
    eventually(lambda: box.status() == 'stopped')
    box.call('stats', 'c').fails(1, 'container not running')
    box.call('stats', 'nobody').fails(1, 'does not exist')


# -- the log ---------------------------------------------------------------------------------------------

def each_failure_adds_one_line_to_the_log(box):
    path = os.path.join(box.folder, 'log')
    calls = [['state', 'x'], ['delete', 'x'], ['create', '--bundle', '/nowhere', 'x'], ['kill', 'x', 'NOSUCH'],
             ['no-such-verb'], ['state'], ['start', '--no-such-option', 'x'], ['run', '--bundle', box.folder, 'a/b'],
             ['exec', 'x', 'true']]
    for n, words in enumerate(calls):
        r = box.call('--log', path, '--log-format', 'json', *words)
        if not r.status:
            fail('%s is a success' % words)
        lines = read(path).splitlines()
        same(n + 1, len(lines), 'lines after %s' % words)
        line = json.loads(lines[-1])
        same('error', line['level'])
        has(r.err, line['msg'])
        if not re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)', line['time']):
            fail(line['time'])
    box.create(options=[]).ok()
    box.call('--log', path, '--log-format', 'json', 'state', 'c').ok()
    same(len(calls), len(read(path).splitlines()), 'lines after a success')


# -- start -----------------------------------------------------------------------------------------------

def of_two_starts_at_once_one_wins(box):
    for _ in range(5):
        box.create('echo started >> /dev/shm/n; sleep 60').ok()
        both = [spawn(box, 'start', 'c') for _ in range(2)]
        said = [p.communicate(timeout=20)[1].decode() for p in both]
        same([0, 1], sorted(p.returncode for p in both), 'statuses')
        has(''.join(said), 'cannot start an already running container')
        eventually(lambda: box.exec('cat', '/dev/shm/n').out == 'started\n')
        box.delete()


def a_start_whose_init_died_says_so(box):
    box.create().ok()
    pid = box.state()['pid']
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))
    box.call('start', 'c').fails(1, 'cannot start a container that has stopped')
    box.call('delete', 'c').ok()


def a_program_that_ends_at_once_was_started(box):
    for _ in range(10):
        box.create(['true']).ok()
        box.call('start', 'c').ok()
        eventually(lambda: box.status() == 'stopped')
        box.call('delete', 'c').ok()


# -- kill ------------------------------------------------------------------------------------------------

def kill_takes_names_and_numbers(box):
    traps = ' '.join("trap 'echo %s >> /dev/shm/got' %s;" % (s, s) for s in ('HUP', 'USR1', 'USR2', 'TERM'))
    box.start(traps + ' echo ready > /dev/shm/got; while :; do sleep 0.02; done')
    eventually(lambda: 'ready' in box.exec('cat', '/dev/shm/got').out)
    wanted = 'ready\n'
    for word, name in (('HUP', 'HUP'), ('SIGUSR1', 'USR1'), ('12', 'USR2'), ('usr1', 'USR1'), ('sigusr2', 'USR2'),
                       (None, 'TERM')):
        box.call('kill', 'c', *([word] if word else [])).ok()
        wanted += name + '\n'
        eventually(lambda wanted=wanted: box.exec('cat', '/dev/shm/got').out == wanted, 5, 'the signal %s' % word)


def kill_of_an_unknown_signal_is_refused(box):
    box.start()
    for word in ('NOSUCH', '65', '9x', '', 'SIG', '0x9', '99999999999999999999'):
        box.call('kill', 'c', word).fails(1, 'unknown signal "%s"' % word)
    same('running', box.status())


def an_init_that_ignores_term_lives_on_and_dies_of_kill(box):
    box.start(IGNORES_TERM + '')
    eventually(lambda: int(re.search('SigIgn:\t(\\w+)', read('/proc/%d/status' % box.state()['pid'])).group(1), 16) >> 14 & 1)
    box.call('kill', 'c', 'TERM').ok()
    time.sleep(0.3)
    same('running', box.status())
    box.call('kill', 'c', '9').ok()
    eventually(lambda: box.status() == 'stopped')
    box.call('delete', 'c').ok()


def kill_all_reaches_every_process(box):
    box.start('sleep 300 & sleep 300 & wait', edit=shared_pids)
    eventually(lambda: len(json.loads(box.call('ps', '-f', 'json', 'c').out)) == 3)
    pids = json.loads(box.call('ps', '-f', 'json', 'c').out)
    box.call('kill', '--all', 'c', 'KILL').ok()
    eventually(lambda: not any(alive(p) for p in pids))


def kill_all_of_another_signal_reaches_every_process(box):
    box.start('sleep 300 & sleep 300 & wait', edit=shared_pids)
    eventually(lambda: len(json.loads(box.call('ps', '-f', 'json', 'c').out)) == 3)
    pids = json.loads(box.call('ps', '-f', 'json', 'c').out)
    box.call('kill', '--all', 'c', 'TERM').ok()
    eventually(lambda: not any(alive(p) for p in pids))


def a_created_container_can_be_killed(box):
    box.create().ok()
    box.call('kill', 'c', 'KILL').ok()
    eventually(lambda: box.status() == 'stopped')
    box.call('delete', 'c').ok()


# -- delete ----------------------------------------------------------------------------------------------

def delete_of_a_created_container_kills_it(box):
    box.create().ok()
    pid = box.state()['pid']
    box.call('delete', 'c').ok()
    if alive(pid):
        fail('init lives')


def delete_force_takes_everything_and_can_be_repeated(box):
    box.start(IGNORES_TERM + '')
    pid, group = box.state()['pid'], cgroup_of(box)
    for _ in range(3):
        box.call('delete', '--force', 'c').ok()
    if alive(pid) or os.path.exists(group):
        fail('something is left')
    box.call('delete', '--force', 'never-was').ok()


def delete_takes_what_a_dead_init_left_in_a_shared_pid_namespace(box):
    box.start('(trap "" TERM HUP; sleep 300) & echo', edit=shared_pids)
    eventually(lambda: box.status() == 'stopped')
    pids = json.loads(box.call('ps', '-f', 'json', 'c').ok().out)
    if not pids:
        fail('no process is left over')
    box.call('delete', 'c').ok()
    if [p for p in pids if alive(p)]:
        fail('%s live on' % pids)


def the_others_run_on_when_one_is_removed(box):
    for id in 'ab':
        box.start(id=id)
    box.start()
    box.delete('a')
    box.delete('c')
    same('running', box.status('b'))
    box.exec('true', id='b').ok()


def groups_within_the_cgroup_go_with_it(box):
    box.start()
    group = cgroup_of(box)
    os.makedirs(group + '/x/y')
    subprocess.run(['sh', '-c', 'echo %d > %s/x/y/cgroup.procs' % (box.state()['pid'], group)], check=True)
    box.delete()
    if os.path.exists(group):
        fail('%s is left' % group)


# -- run -------------------------------------------------------------------------------------------------

def run_answers_the_status_of_the_program(box):
    for code in (0, 1, 7, 127, 255):
        same(code, box.run('exit %d' % code).status)
    for number in (9, 15, 11):
        same(128 + number, box.run('ulimit -c 0; kill -%d $$' % number, shared_pids).status)


def run_deletes_its_container(box):
    box.run('true').ok()
    box.call('state', 'c').fails(1, 'does not exist')


def run_keep_keeps_it(box):
    r = box.call('run', '--keep', '--bundle', box.bundle(None, 'exit 3'), 'c')
    same(3, r.status)
    same('stopped', box.status())
    box.call('delete', 'c').ok()


def run_detach_returns_at_once(box):
    with open(os.path.join(box.folder, 'out'), 'wb') as f:
        done = subprocess.run([CTRCTL, '--root', box.root, 'run', '--detach', '--pid-file', box.folder + '/pid', '--bundle',
                               box.bundle(None, 'sleep 100'), 'c'], stdin=subprocess.DEVNULL, stdout=f, stderr=f, timeout=20,
                              check=False)
    same(0, done.returncode, read(os.path.join(box.folder, 'out')))
    same('running', box.status())
    same(str(box.state()['pid']), read(box.folder + '/pid'))


def run_passes_signals_on(box):
    p = spawn(box, 'run', '--bundle', box.bundle(None, "trap 'exit 42' TERM; echo up; while :; do sleep 0.05; done"), 'c')
    same(b'up\n', p.stdout.readline())
    p.terminate()
    p.communicate(timeout=20)
    same(42, p.returncode)


def run_passes_stdin_stdout_and_stderr(box):
    r = box.call('run', '--bundle', box.bundle(None, 'cat; echo err >&2; exit 2'), 'c', text='in\n')
    same((2, 'in\n', 'err\n'), (r.status, r.out, r.err))


def run_does_not_wait_for_the_children_of_a_shared_pid_namespace_it_was_not_asked_for(box):
    begin = time.monotonic()
    box.run('sleep 300 > /dev/null 2>&1 & exit 0', shared_pids).ok()
    if time.monotonic() - begin > 20:
        fail('it waited')


def a_program_that_is_not_there_fails_create_and_run(box):
    box.create(['nosuch']).fails(1, 'exec: "nosuch": executable file not found in $PATH')
    box.run(['nosuch']).fails(1, 'exec: "nosuch": executable file not found in $PATH')
    box.run(['/nosuch']).fails(1, '/nosuch', 'no such file or directory')
    box.run(['/etc/passwd']).fails(1, 'permission denied')
    box.call('state', 'c').fails(1, 'does not exist')


# -- many ------------------------------------------------------------------------------------------------

def twenty_creates_of_different_names_all_succeed(box):
    rootfs = box.rootfs()
    bundles = [box.bundle(None, ['sleep', '100'], rootfs) for _ in range(20)]
    running = [spawn(box, 'run', '--detach', '--bundle', b, 'n%d' % n) for n, b in enumerate(bundles)]
    # What runs detached keeps the pipes; so the process is waited for, not the end of its output.
    same([0] * 20, [p.wait(60) for p in running])
    same(['running'] * 20, [box.status('n%d' % n) for n in range(20)])
    ends = [spawn(box, 'delete', '--force', 'n%d' % n) for n in range(20)]
    same([0] * 20, [p.wait(60) for p in ends])


def of_twenty_creates_of_one_name_one_wins(box):
    rootfs = box.rootfs()
    bundles = [box.bundle(None, ['sleep', '100'], rootfs) for _ in range(20)]
    running = []
    for n, bundle in enumerate(bundles):
        with open('%s/err%d' % (box.folder, n), 'wb') as f:
            running.append(subprocess.Popen([CTRCTL, '--root', box.root, 'create', '--bundle', bundle, 'c'],
                                            stdin=subprocess.DEVNULL, stdout=f, stderr=f))
    statuses = [p.wait(60) for p in running]
    same([0] + [1] * 19, sorted(statuses))
    for n, status in enumerate(statuses):
        if status:
            has(read('%s/err%d' % (box.folder, n)), 'container with given ID already exists')
    same('created', box.status())


def create_and_delete_at_once_leave_nothing(box):
    rootfs = box.rootfs()
    for _ in range(10):
        bundle = box.bundle(None, ['sleep', '100'], rootfs)
        with open(box.folder + '/err', 'wb') as f:
            p = subprocess.Popen([CTRCTL, '--root', box.root, 'create', '--bundle', bundle, 'c'], stdin=subprocess.DEVNULL,
                                 stdout=f, stderr=f)
        time.sleep(0.002 * _)
        box.call('delete', '--force', 'c').ok()
        p.wait(30)
        box.call('delete', '--force', 'c').ok()
        same([], [n for n in os.listdir(box.root) if not n.startswith('.')] if os.path.isdir(box.root) else [])
        same(set(), cgroups(box.tag))


def fifty_execs_in_one_container_all_succeed(box):
    box.start()
    for _ in range(5):
        ps = [spawn(box, 'exec', 'c', 'echo', str(n)) for n in range(10)]
        same([b'%d\n' % n for n in range(10)], [p.communicate(timeout=30)[0] for p in ps])


def exec_while_the_container_is_killed_ends(box):
    for n in range(8):
        box.start()
        ps = [spawn(box, 'exec', 'c', 'sleep', '100') for _ in range(3)]
        time.sleep(0.01 * n)
        box.call('kill', 'c', 'KILL').ok()
        for p in ps:
            p.communicate(timeout=20)
            if p.returncode == 0:
                fail('exec answers 0')
        box.delete()


# -- the record ------------------------------------------------------------------------------------------

def a_container_of_another_boot_is_stopped_and_can_be_deleted(box):
    box.start()
    pid = box.state()['pid']
    path = record(box)
    old = json.loads(read(path))
    with open(path, 'w', encoding='utf-8') as f:
        json.dump({**old, 'bootId': '00000000-0000-0000-0000-000000000000'}, f)
    same('stopped', box.status())
    box.call('kill', 'c', 'KILL').fails(1, 'container not running')
    box.call('start', 'c').fails(1, 'stopped')
    box.call('delete', 'c').ok()
    if not alive(pid):
        fail('a process of "another boot" was killed')
    group = cgroup_mount() + old['cgroup']
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))
    eventually(lambda: 'populated 0' in read(group + '/cgroup.events'))
    while group.rsplit('/', 1)[0] != cgroup_mount():
        os.rmdir(group)
        group = group.rsplit('/', 1)[0]
    os.rmdir(group)


def a_pid_of_somebody_else_is_not_believed(box):
    box.start()
    path = record(box)
    text = read(path)
    old = json.loads(text)
    time.sleep(0.05)  # start times are told in ticks of 10 ms: not the same one
    with subprocess.Popen(['sleep', '100']) as other:
        with open(path, 'w', encoding='utf-8') as f:
            json.dump({**old, 'pid': other.pid}, f)
        same('stopped', box.status())
        box.call('kill', 'c', 'KILL').fails(1, 'container not running')
        same(None, other.poll())
        box.delete()
        same(None, other.poll())
        other.kill()


def a_record_cut_off_anywhere_can_be_deleted(box):
    box.start(id='a')
    text = read(record(box, 'a')).encode()
    for n in range(0, len(text) - 1, 7):
        os.mkdir(box.root + '/x', 0o700)
        with open(record(box, 'x'), 'wb') as f:
            f.write(text[:n])
        if n % 70 == 0:
            box.call('state', 'x').fails(1, 'x')
            box.call('list').ok()
        box.call('delete', '--force', 'x').ok()
        if os.path.exists(box.root + '/x'):
            fail('cut at %d: it is there' % n)
    same('running', box.status('a'))


def a_running_container_whose_record_is_broken_is_found_and_deleted(box):
    box.start()
    pid, group = box.state()['pid'], cgroup_of(box)
    with open(record(box), 'w', encoding='utf-8') as f:
        f.write('{"version":1,"id":"c"')
    box.call('state', 'c').fails(1)
    box.call('delete', '--force', 'c').ok()
    if alive(pid) or os.path.exists(group):
        fail('something is left')


def without_a_cgroup_everything_still_works(box):
    def edit(config):
        config['linux'].pop('cgroupsPath')
        config['mounts'] = [m for m in config['mounts'] if m['type'] != 'cgroup']
    before = read('/proc/self/cgroup')
    bundle = box.bundle(edit, 'echo x; sleep 100')
    with open(box.folder + '/out', 'wb') as f:
        subprocess.run([CTRCTL, '--root', box.root, '--cgroup-manager', 'disabled', 'run', '--detach', '--bundle', bundle, 'c'],
                       stdin=subprocess.DEVNULL, stdout=f, stderr=f, timeout=20, check=True)
    pid = box.state()['pid']
    same(before, read('/proc/%d/cgroup' % pid))
    box.exec('true').ok()
    box.call('pause', 'c').fails(1)
    box.call('kill', 'c', 'KILL').ok()
    eventually(lambda: box.status() == 'stopped')
    box.call('delete', 'c').ok()
    if alive(pid):
        fail('it lives')


main(globals())
