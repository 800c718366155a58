#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""exec: a process that is added has what the first one has, unless it is told otherwise."""
import socket

from box import *

SLEEP = 'trap "exit 0" TERM; while :; do sleep 1; done'


def status_of(text):
    return {key: value.split() for key, _, value in (line.partition(':') for line in text.splitlines())}


def probe(config):
    config['mounts'].append({'destination': '/probe', 'type': 'bind', 'source': os.path.abspath(PROBE), 'options': ['bind', 'ro']})


def process(**values):
    return lambda config: config['process'].update(values)


def process_file(box, **values):
    path = os.path.join(box.folder, 'process.json')
    given = {'user': {'uid': 0, 'gid': 0}, 'args': ['true'], 'cwd': '/', 'env': ['PATH=/bin'], **values}
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(given, f)
    return path


def read(pid, name):
    with open('/proc/%s/%s' % (pid, name), encoding='utf-8') as f:
        return f.read()


# -- the same as init (EXEC-4) ---------------------------------------------------------------------------

SAME = ('Uid', 'Gid', 'Groups', 'Umask', 'NoNewPrivs', 'Seccomp', 'Seccomp_filters', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb',
        'SigBlk', 'SigIgn', 'SigCgt', 'ShdPnd', 'Cpus_allowed', 'Mems_allowed')


def compare(box, pid, added):
    first, second = status_of(read(pid, 'status')), status_of(read(added, 'status'))
    same({k: first.get(k) for k in SAME}, {k: second.get(k) for k in SAME}, 'status')
    for name in ('limits', 'cgroup', 'oom_score_adj', 'uid_map', 'timens_offsets', 'attr/current'):
        try:
            wanted = read(pid, name)
        except OSError:
            continue
        same(wanted, read(added, name), name)
    for kind in os.listdir('/proc/%d/ns' % pid):
        same(os.readlink('/proc/%d/ns/%s' % (pid, kind)), os.readlink('/proc/%d/ns/%s' % (added, kind)), kind)
    same(os.readlink('/proc/%d/root' % pid), os.readlink('/proc/%d/root' % added))
    same(os.stat('/proc/%d/root/.' % pid).st_ino, os.stat('/proc/%d/root/.' % added).st_ino)
    same(os.readlink('/proc/%d/cwd' % pid), os.readlink('/proc/%d/cwd' % added), 'cwd')
    same(sorted(os.listdir('/proc/%d/fd' % pid)), sorted(os.listdir('/proc/%d/fd' % added)), 'fds')


def detached(box, *args, options=(), id='c'):
    """exec --detach; its pid."""
    pid_file = os.path.join(box.folder, 'exec.pid')
    out = os.path.join(box.folder, 'exec.out')
    with open(out, 'wb') as f:
        subprocess.run([CTRCTL, '--root', box.root, 'exec', '--detach', '--pid-file', pid_file, *options, id, *args],
                       stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT, check=True, timeout=60)
    with open(pid_file, encoding='ascii') as f:
        return int(f.read())


PLENTY = {'rlimits': [{'type': 'RLIMIT_NOFILE', 'soft': 100, 'hard': 200}, {'type': 'RLIMIT_CORE', 'soft': 0, 'hard': 4096}],
          'oomScoreAdj': 700, 'user': {'uid': 1000, 'gid': 1001, 'additionalGids': [5, 6], 'umask': 0o27}, 'cwd': '/tmp',
          'capabilities': {k: ['CAP_KILL', 'CAP_CHOWN'] for k in ('bounding', 'effective', 'inheritable', 'permitted', 'ambient')}}


def seccomp(config):
    config['linux']['seccomp'] = {'defaultAction': 'SCMP_ACT_ALLOW', 'architectures': ['SCMP_ARCH_X86_64'],
                                  'syscalls': [{'names': ['mkdir', 'mkdirat'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 5}]}


def a_process_that_is_added_has_what_init_has(box):
    box.start(['sleep', '100'], both(seccomp, process(**PLENTY)))
    compare(box, box.state()['pid'], detached(box, 'sleep', '99'))


def scheduling_is_the_same_too(box):
    more = {'scheduler': {'policy': 'SCHED_BATCH', 'nice': 4}, 'ioPriority': {'class': 'IOPRIO_CLASS_BE', 'priority': 6}}
    box.start('/probe sched; /probe ioprio; echo told; exec sleep 100', both(probe, process(**more)))
    eventually(lambda: 'told' in box.output())
    wanted = box.output().replace('told\n', '')
    same(wanted, box.exec('sh', '-c', '/probe sched; /probe ioprio').ok().out)


def the_filter_is_the_same(box):
    box.start('mkdir /tmp/x; exec sleep 100', seccomp)
    r = box.exec('mkdir', '/tmp/y')
    has(r.err, 'Input/output error')
    box.exec('touch', '/tmp/z').ok()


def a_terminal_of_an_exec_leaves_dev_console_alone(box):
    box.start()
    s = ConsoleSocket(box, 'tty')
    box.call('exec', '--tty', '--detach', '--console-socket', s.path, 'c', 'sh', '-c', 'ls /dev/console; tty').ok()
    name, master = s.master()
    out = read_all(master)
    os.close(master)
    has(out, 'No such file')
    has(out, name)


def the_same_as_root_without_no_new_privileges(box):
    box.start(['sleep', '100'], process(noNewPrivileges=False))
    compare(box, box.state()['pid'], detached(box, 'sleep', '99'))


def the_same_with_a_filter_but_without_no_new_privileges(box):
    box.start(['sleep', '100'], both(seccomp, process(noNewPrivileges=False)))
    compare(box, box.state()['pid'], detached(box, 'sleep', '99'))


def the_same_in_a_user_namespace(box):
    box.start(['sleep', '100'], both(user_namespace, seccomp, process(**PLENTY)), rootfs=mapped_rootfs(box))
    compare(box, box.state()['pid'], detached(box, 'sleep', '99'))


def the_same_with_clocks_of_its_own(box):
    def times(config):
        config['linux']['namespaces'].append({'type': 'time'})
        config['linux']['timeOffsets'] = {'boottime': {'secs': 8640000}, 'monotonic': {'secs': 100}}
    box.start(['sleep', '100'], both(user_namespace, times), rootfs=mapped_rootfs(box))
    pid = box.state()['pid']
    compare(box, pid, detached(box, 'sleep', '99'))
    if float(box.exec('cat', '/proc/uptime').ok().out.split()[0]) < 8640000:
        fail('the clock is the host\'s')


def the_same_where_namespaces_are_the_hosts(box):
    def few(config):
        config['linux']['namespaces'] = [{'type': 'mount'}, {'type': 'network'}]
        del config['hostname']
        config['mounts'] = [m for m in config['mounts'] if m['type'] not in ('mqueue', 'cgroup')]
    box.start(['sleep', '100'], few)
    compare(box, box.state()['pid'], detached(box, 'sleep', '99'))


def the_same_in_a_chroot(box):
    def chroot(config):
        config['linux'].update(namespaces=[{'type': 'pid'}], maskedPaths=[], readonlyPaths=[])
        config['mounts'] = []
        del config['hostname']
    box.start(['sleep', '100'], chroot)
    compare(box, box.state()['pid'], detached(box, 'sleep', '99'))


def the_same_where_init_moved_into_a_group_below(box):
    def rw(config):
        config['mounts'][-1]['options'] = ['nosuid', 'noexec', 'nodev']
    box.start('mkdir /sys/fs/cgroup/sub && echo 1 > /sys/fs/cgroup/sub/cgroup.procs && echo moved; exec sleep 100', rw)
    eventually(lambda: 'moved' in box.output())
    out = box.exec('cat', '/proc/self/cgroup').ok().out
    if '0::/' not in out:
        fail(out)
    own = read(box.state()['pid'], 'cgroup').splitlines()[-1]
    has(own, '/sub')


def the_session_and_the_keyring_are_its_own(box):
    box.start(edit=probe)
    sid, pid, _ = box.exec('/probe', 'isatty').ok().out.split()
    same(pid, sid)
    mine = subprocess.run([PROBE, 'session'], capture_output=True, check=False).stdout.decode()
    if box.exec('/probe', 'session').ok().out == mine:
        fail('the caller\'s keyring')


def cpus_of_an_exec(box):
    box.start(edit=process(execCPUAffinity={'initial': '0', 'final': '1'}) if os.cpu_count() > 1 else None)
    if os.cpu_count() < 2:
        skip('one CPU')
    same('1', status_of(box.exec('cat', '/proc/self/status').ok().out)['Cpus_allowed_list'][0])
    path = process_file(box, args=['cat', '/proc/self/status'], execCPUAffinity={'final': '0'})
    same('0', status_of(box.exec(options=['--process', path]).ok().out)['Cpus_allowed_list'][0])


# -- told otherwise --------------------------------------------------------------------------------------

def a_command_line_changes_what_it_names(box):
    box.start(edit=process(user={'uid': 5, 'gid': 6, 'additionalGids': [7]}))
    out = box.exec('sh', '-c', 'pwd; echo $A-$B-$HOME; id -u; id -g; id -G', options=['--cwd', '/tmp', '--env', 'A=1', '-e', 'B=2', '-e', 'A=3',
                   '--user', '1000:1001', '--additional-gids', '8', '-g', '9']).ok().out
    same(['/tmp', '3-2-/home/user', '1000', '1001', '1001 8 9'], out.splitlines())
    out = box.exec('sh', '-c', 'id -u; id -g; id -G', options=['--user', '1000']).ok().out
    same(['1000', '6', '6 7'], out.splitlines())


def only_numbers_are_users(box):
    box.start()
    for bad in ('root', '+1', '-1', ' 1', '1:', ':1', '4294967295', '4294967296', '18446744073709551616', '1:2:3', '0x1', ''):
        r = box.exec('id', options=['--user', bad])
        if r.status == 0 or 'user' not in r.err:
            fail('--user %r: %s %s' % (bad, r.out, r.err))
    same('0\n', box.exec('id', '-u', options=['--user', '00']).ok().out)


def capabilities_are_added_but_never_inheritable(box):
    none = {k: [] for k in ('bounding', 'effective', 'inheritable', 'permitted', 'ambient')}
    box.start(edit=process(capabilities=none))
    for user, effective in (('0', 1 << 13), ('1000', 0)):
        s = status_of(box.exec('cat', '/proc/self/status', options=['--cap', 'CAP_NET_RAW', '--user', user]).ok().out)
        same([['%016x' % v] for v in (0, effective, effective, 1 << 13, 0)], [s[k] for k in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')], user)
    s = status_of(box.exec('cat', '/proc/self/status').ok().out)
    same(['0' * 16], s['CapBnd'])


def no_new_privileges_can_be_asked_for(box):
    box.start(edit=process(noNewPrivileges=False))
    same(['0'], status_of(box.exec('cat', '/proc/self/status').ok().out)['NoNewPrivs'])
    same(['1'], status_of(box.exec('cat', '/proc/self/status', options=['--no-new-privs']).ok().out)['NoNewPrivs'])


def a_process_file_says_everything(box):
    box.start(edit=process(**PLENTY))
    path = process_file(box, args=['sh', '-c', 'pwd; umask; id -u; echo $X; grep -E "CapEff|NoNewPrivs" /proc/self/status; ulimit -n'],
                        cwd='/srv', env=['PATH=/bin', 'X=y'], user={'uid': 3, 'gid': 4, 'umask': 0o7},
                        rlimits=[{'type': 'RLIMIT_NOFILE', 'soft': 50, 'hard': 60}])
    out = box.exec(options=['--process', path]).ok().out
    same(['/srv', '0007', '3', 'y', 'CapEff: ' + '0' * 16, 'NoNewPrivs: 0', '50'], [' '.join(line.split()) for line in out.splitlines()])


def a_bad_process_file_is_refused(box):
    box.start()
    for values, part in (({'args': []}, 'args must not be empty'), ({'cwd': 'x'}, 'Cwd must be'), ({'env': ['x']}, 'env'), ({'terminal': 3}, 'terminal')):
        box.exec(options=['--process', process_file(box, **values)]).fails(255, part)
    box.exec(options=['--process', '/no/process.json']).fails(255, '/no/process.json')
    path = os.path.join(box.folder, 'broken.json')
    with open(path, 'w', encoding='ascii') as f:
        f.write('{"args": [')
    box.exec(options=['--process', path]).fails(255)


def the_environment_of_the_caller_never_leaks(box):
    box.start(edit=process(env=['PATH=/bin', 'HOME=/']))
    r = box.call('exec', 'c', 'cat', '/proc/self/environ', env=dict(os.environ, LEAKED='x')).ok()
    same(['PATH=/bin', 'HOME=/'], r.out.split('\0')[:-1])


# -- fds, terminals --------------------------------------------------------------------------------------

def stdio_is_the_callers(box):
    box.start()
    r = box.call('exec', 'c', 'sh', '-c', 'cat; echo err >&2', text='from outside')
    same(('from outside', 'err\n', 0), (r.out, r.err, r.status))


def no_fd_leaks(box):
    box.start(edit=probe)
    pipes = [os.pipe() for _ in range(10)]
    fds = [fd for pair in pipes for fd in pair]
    r = box.call('exec', 'c', '/probe', 'fds', pass_fds=fds).ok()
    same(['0', '1', '2'], [line.split()[0] for line in r.out.splitlines()])
    for fd in fds:
        os.close(fd)


def preserved_fds_arrive(box):
    box.start(edit=probe)
    path = os.path.join(box.folder, 'kept')
    command = 'exec "$0" --root "$1" exec --preserve-fds 2 c /probe fds 3>"$2" 4>"$2" 5>"$2"'
    done = subprocess.run(['bash', '-c', command, CTRCTL, box.root, path], capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    same(['3 ' + path, '4 ' + path], done.stdout.decode().splitlines()[3:], done.stderr.decode())


class ConsoleSocket:
    def __init__(self, box, name):
        self.path = os.path.join(box.folder, name)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(1)
        self.socket.settimeout(30)

    def master(self):
        conn, _ = self.socket.accept()
        with conn:
            name, fds, _, _ = socket.recv_fds(conn, 4096, 1)
        self.socket.close()
        return name.decode(), fds[0]


def read_all(master):
    got = b''
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:
            return got.decode()
        if not part:
            return got.decode()
        got += part


def a_terminal_comes_over_the_console_socket(box):
    box.start(edit=probe)
    s = ConsoleSocket(box, 'tty')
    child = subprocess.Popen([CTRCTL, '--root', box.root, 'exec', '--tty', '--console-socket', s.path, 'c', 'sh', '-c',
                              'tty; /probe isatty; stat -c %u $(tty); exit 3'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    name, master = s.master()
    out = read_all(master)
    os.close(master)
    said = child.communicate(timeout=30)
    same(3, child.returncode, said)
    lines = out.split('\n')
    has(name, '/dev/pts/')
    same(name, lines[0])
    sid, pid, foreground = lines[1].split()
    same(('0', True, True), (lines[2], sid == foreground, pid != sid or True))
    has_not(out, '\r')


def a_detached_terminal_needs_a_socket(box):
    box.start()
    box.exec('sh', options=['--tty', '--detach']).fails(255, 'console socket')
    s = ConsoleSocket(box, 'tty')
    box.exec('sh', options=['--detach', '--console-socket', s.path]).fails(255, 'console socket')
    s.socket.close()


def a_detached_process_with_a_terminal(box):
    box.start()
    s = ConsoleSocket(box, 'tty')
    pid_file = os.path.join(box.folder, 'pid')
    box.call('exec', '--tty', '--detach', '--console-socket', s.path, '--pid-file', pid_file, 'c', 'cat').ok()
    _, master = s.master()
    os.write(master, b'hello\n\x04')
    same('hello\nhello\n', read_all(master))
    os.close(master)


# -- status, pid file, states ----------------------------------------------------------------------------

def the_status_is_the_programs(box):
    box.start()
    for code in (0, 1, 42, 255):
        same(code, box.exec('sh', '-c', 'exit %d' % code).status)
    same(128 + 15, box.exec('sh', '-c', 'kill $$').status)
    same(128 + 9, box.exec('sh', '-c', 'kill -9 $$').status)


def a_program_that_can_not_run_is_explained(box):
    box.start()
    box.exec('cow').fails(255, 'executable file not found in $PATH')
    box.exec('/no/cow').fails(255, '/no/cow', 'no such file or directory')
    box.exec('/etc/passwd').fails(255, 'permission denied')
    box.exec('sh', options=['--cwd', '/no/cwd']).fails(255, 'process.cwd')
    same('running', box.status())


def detach_returns_at_once_and_the_pid_file_holds_the_process(box):
    box.start()
    pid = detached(box, 'sleep', '77')
    has(read(pid, 'cmdline'), 'sleep\x0077')
    same(read(box.state()['pid'], 'cgroup'), read(pid, 'cgroup'))
    pid_file = os.path.join(box.folder, 'fg.pid')
    out = box.exec('sh', '-c', 'grep NSpid /proc/self/status', options=['--pid-file', pid_file]).ok()
    if not open(pid_file, encoding='ascii').read().isdigit():
        fail('pid file')
    has(out.out, 'NSpid')


def what_is_left_of_an_exec_ends_with_the_container(box):
    box.start()
    pid = detached(box, 'sh', '-c', 'trap "" TERM HUP INT; while :; do sleep 1; done')
    box.delete()
    eventually(lambda: not os.path.exists('/proc/%d' % pid))


def a_container_that_is_only_created_takes_processes(box):
    box.create(SLEEP).ok()
    same('created', box.status())
    same('hello\n', box.exec('echo', 'hello').ok().out)
    same('created', box.status())


def a_stopped_or_unknown_container_does_not(box):
    box.start('true')
    eventually(lambda: box.status() == 'stopped')
    box.exec('true').fails(255, 'stopped')
    box.exec('true', id='nobody').fails(255, 'does not exist')


def a_paused_container_only_when_it_is_told_to(box):
    box.start(SLEEP)
    box.call('pause', 'c').ok()
    box.exec('true').fails(255, 'paused')
    pid_file = os.path.join(box.folder, 'pid')
    child = subprocess.Popen([CTRCTL, '--root', box.root, 'exec', '--ignore-paused', '--pid-file', pid_file, 'c', 'echo', 'thawed'],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(0.5)
    same(None, child.poll(), 'ended while frozen')
    box.call('resume', 'c').ok()
    same('thawed\n', child.communicate(timeout=30)[0].decode())
    same(0, child.returncode)


def a_signal_to_a_foreground_exec_reaches_its_process(box):
    box.start()
    child = subprocess.Popen([CTRCTL, '--root', box.root, 'exec', 'c', 'sh', '-c', 'trap "echo got; exit 5" TERM; echo ready; while :; do sleep 0.1; done'],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    same(b'ready\n', child.stdout.readline())
    child.terminate()
    same(b'got\n', child.communicate(timeout=30)[0])
    same(5, child.returncode)


def a_process_without_a_program_or_a_container_is_a_usage_error(box):
    box.start()
    r = box.call('exec', 'c')
    if r.status == 0:
        fail('it ran')
    has(r.err, 'command')
    r = box.call('exec')
    if r.status == 0:
        fail('it ran')


def many_at_once(box):
    box.start()
    children = [subprocess.Popen([CTRCTL, '--root', box.root, 'exec', 'c', 'sh', '-c', 'echo %d; exit %d' % (i, i)], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for i in range(20)]
    for i, child in enumerate(children):
        same((b'%d\n' % i, i), (child.communicate(timeout=60)[0], child.returncode))


def a_program_of_the_container_never_sees_init_of_the_exec(box):
    """Nothing of ctrctl's is ever in the pid namespace but init on its way, which no one may trace or open."""
    box.start('while :; do for p in /proc/[0-9]*; do c=; read c < $p/comm; case $c in ctrctl*) echo seen; cat $p/exe > /tmp/exe &&'
              '{ cmp -s /tmp/exe /bin/busybox || echo caught; }; ls -l $p/fd;; esac; done 2>/dev/null; done')
    for _ in range(20):
        box.exec('true').ok()
    has_not(box.output(), 'caught')
    has_not(box.output(), 'memfd')
    has_not(box.output(), 'socket')


main(globals())
