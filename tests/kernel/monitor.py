#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The monitor by itself: a plain process stands for the container (monitor-one makes it)."""
import array
import atexit
import errno
import fcntl
import re
import select
import socket
import stat
import struct
import termios

from box import *

ONE = os.path.join(os.path.dirname(CTRCTL), '..', '..', 'tests', 'kernel', 'monitor-one')
READY, WAIT, REOPEN, ATTACH, CLOSE_STDIN, DONE, FAILED = range(1, 8)
IN, OUT, ERR, PATIENT = 1, 2, 4, 8
TIME = r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z'
LINE = re.compile(rb'(%s) (stdout|stderr) ([FP]) (.*)' % TIME.encode(), re.S)


def ended(pid, seconds=30):
    """Waits for the end of a process that is nobody's child here."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    finally:
        os.close(fd)


class One:
    """One monitor and its process."""

    def __init__(self, box, *command, options=(), log='c/0.log', fails=False):
        box.count += 1
        self.box, self.folder = box, os.path.join(box.folder, 'one%d' % box.count)
        self.data, self.run, self.logs = (os.path.join(self.folder, n) for n in ('data', 'run', 'logs'))
        for path in (self.folder, self.data, self.run, self.logs):
            os.makedirs(path, 0o700, exist_ok=True)
        os.mkfifo(self.run + '/gate')
        self.log = os.path.join(self.logs, log)
        self.command, self.options, self.name = command, list(options), log
        if not fails:
            self.begin()

    def call(self, **more):
        shell = ['sh', '-c', self.command[0]] if len(self.command) == 1 else list(self.command)
        log = ['--log', self.logs, self.name] if self.name else []
        return subprocess.run([ONE, *log, *self.options, self.data, self.run, *shell], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=20, check=False, **more)

    def begin(self):
        r = self.call()
        if r.returncode:
            fail('monitor-one: %s' % r.stderr.decode())
        self.monitor, self.init = (int(n) for n in r.stdout.split())
        atexit.register(self.kill)

    def open_gate(self):
        with open(self.run + '/gate', 'wb'):
            pass

    def end(self):
        if not ended(self.monitor):
            fail('the monitor goes on')
        return self.exit()

    def exit(self):
        with open(self.data + '/exit.json', encoding='utf-8') as f:
            return json.load(f)

    def text(self, path=None):
        with open(path or self.log, 'rb') as f:
            return f.read()

    def lines(self, path=None, grows=False):
        """(stream, tag, bytes) of each line; all must be well-formed. grows: a write may be half done."""
        text = self.text(path)
        if grows:
            text = text[:text.rfind(b'\n') + 1]
        if text and not text.endswith(b'\n'):
            fail('the log ends with %r' % text[-40:])
        found = []
        for line in text.split(b'\n')[:-1]:
            m = LINE.fullmatch(line)
            if not m:
                fail('bad line %r' % line[:100])
            found.append((m[2].decode(), m[3].decode(), m[4]))
        return found

    def output(self, stream='stdout', grows=False):
        """What the process wrote, put together again."""
        return b''.join(t + (b'\n' if tag == 'F' else b'') for s, tag, t in self.lines(grows=grows) if s == stream)

    def connect(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(30)
        s.connect(self.run + '/monitor')
        return s

    def ask(self, kind, value=0, fds=(), s=None):
        """The answer's kind and value, and the fds that came."""
        with contextless(s or self.connect(), keep=s is not None) as c:
            c.sendmsg([struct.pack('Ii', kind, value)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else [])
            data, got, _, _ = socket.recv_fds(c, 64, 4)
            if not data:
                return None, None, got
            return *struct.unpack('Ii', data), got

    def reopen(self):
        return self.ask(REOPEN)[:2]

    def attach(self, what, fds):
        """An attached socket, and the master if there is one."""
        s = self.connect()
        kind, value, got = self.ask(ATTACH, what, fds, s)
        if kind != DONE:
            fail('attach: %r %r' % (kind, value))
        return s, got

    def kill(self):
        for pid in (self.init, self.monitor):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class contextless:
    def __init__(self, s, keep):
        self.s, self.keep = s, keep

    def __enter__(self):
        return self.s

    def __exit__(self, *_):
        if not self.keep:
            self.s.close()


def private_kib(pid):
    with open('/proc/%d/smaps_rollup' % pid, encoding='ascii') as f:
        return sum(int(line.split()[1]) for line in f if line.startswith('Private_'))


def pipe_for_monitor():
    """(our end, the end for the monitor): that one never blocks."""
    r, w = os.pipe()
    os.set_blocking(w, False)
    return r, w


def read_all(fd):
    text = b''
    while True:
        part = os.read(fd, 1 << 16)
        if not part:
            os.close(fd)
            return text
        text += part


# -- the end -----------------------------------------------------------------------------------------------

def the_end_is_recorded(box):
    for command, wanted in (('exit 0', (0, 0, 'Completed')), ('exit 3', (3, 0, 'Error')), ('exit 255', (255, 0, 'Error')),
                            ('kill -9 $$', (137, 9, 'Error')), ('kill -TERM $$', (143, 15, 'Error'))):
        e = One(box, command).end()
        same(wanted, (e['exitCode'], e['signal'], e['reason']), command)
        same(False, e['oomKilled'])
        if not re.fullmatch(TIME, e['finishedAt']):
            fail(e['finishedAt'])
        with open('/proc/sys/kernel/random/boot_id', encoding='ascii') as f:
            same(f.read().strip(), e['bootId'])


def an_end_before_the_monitor_watches_is_seen(box):
    for _ in range(20):
        same(7, One(box, 'exit 7').end()['exitCode'])


def memory_events_decide_about_oom(box):
    for kills, code, wanted in ((0, 9, (False, 'Error')), (2, 9, (True, 'OOMKilled')), (1, 0, (True, 'Completed'))):
        group = os.path.join(box.folder, 'group%d%d' % (kills, code))
        os.mkdir(group)
        with open(group + '/memory.events', 'w', encoding='ascii') as f:
            f.write('low 0\nhigh 3\nmax 5\noom 7\noom_kill %d\noom_group_kill 9\n' % kills)
        e = One(box, 'exit %d' % code, options=['--events', group]).end()
        same(wanted, (e['oomKilled'], e['reason']))


def who_waits_is_told_when_the_record_is_there(box):
    one = One(box, 'exit 5', options=['--gate'])
    s = one.connect()
    s.send(struct.pack('Ii', WAIT, 0))
    same(([], [], []), select.select([s], [], [], 0.1))
    one.open_gate()
    same((DONE, 0), struct.unpack('Ii', s.recv(64)))
    same(5, one.exit()['exitCode'])
    same(b'', s.recv(64))
    s.close()


def who_is_told_finds_the_log_complete(box):
    one = One(box, 'seq 10000', options=['--gate'])
    s = one.connect()
    s.send(struct.pack('Ii', WAIT, 0))
    same((DONE, 0), one.reopen())
    os.kill(one.monitor, signal.SIGSTOP)
    one.open_gate()
    if not ended(one.init):
        fail('all fits into the pipe')
    os.kill(one.monitor, signal.SIGCONT)
    same((DONE, 0), struct.unpack('Ii', s.recv(64)))
    same(True, one.output().endswith(b'\n10000\n'))
    last = one.text().split(b'\n')[-2].split(b' ')[0].decode()
    same(True, last <= one.exit()['finishedAt'])
    s.close()


def a_record_that_cannot_be_written_is_tried_again(box):
    private_mounts()
    one = One(box, 'exit 4', options=['--gate'], fails=True)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'full', one.data], check=True)
    one.begin()
    with open(one.data + '/filler', 'wb', buffering=0) as f:
        try:
            while f.write(bytes(4096)):
                pass
        except OSError:
            pass
    one.open_gate()
    same(False, ended(one.monitor, 1.5))
    same(False, os.path.exists(one.data + '/exit.json'))
    os.unlink(one.data + '/filler')
    same(4, one.end()['exitCode'])
    same(['exit.json'], os.listdir(one.data))
    subprocess.run(['umount', one.data], check=True)


def a_removed_folder_does_not_keep_it(box):
    one = One(box, 'exit 0', options=['--gate'])
    os.rmdir(one.data)
    one.open_gate()
    if not ended(one.monitor):
        fail('it goes on')


def who_holds_the_pipe_after_the_end_is_not_waited_for(box):
    one = One(box, 'sleep 1000 & echo $!; exit 6')
    eventually(lambda: os.path.exists(one.data + '/exit.json'))
    same(6, one.end()['exitCode'])
    os.kill(int(one.output()), signal.SIGKILL)


def what_is_left_behind_still_reaches_the_log(box):
    one = One(box, '(sleep 0.3; echo late) & echo early')
    one.end()
    same(b'early\nlate\n', one.output())


def orphans_are_reaped(box):
    one = One(box, 'for i in 1 2 3 4 5; do (sh -c "exit 1" &); done; sleep 1000')
    with open('/proc/%d/task/%d/children' % (one.monitor, one.monitor), encoding='ascii') as f:
        f.seek(0)
        eventually(lambda: open(f.name, encoding='ascii').read().split() == [str(one.init)])  # pylint: disable=consider-using-with
    os.kill(one.init, signal.SIGKILL)
    same(137, one.end()['exitCode'])


# -- the log -------------------------------------------------------------------------------------------------

def lines_have_the_form_that_the_kubelet_reads(box):
    one = One(box, 'echo out; echo err >&2; echo; echo "a  b"')
    one.end()
    same([(b'out', 'F'), (b'', 'F'), (b'a  b', 'F')], [(t, tag) for s, tag, t in one.lines() if s == 'stdout'])
    same([('stderr', 'F', b'err')], [line for line in one.lines() if line[0] == 'stderr'])
    mode = os.stat(one.log)
    same((0o640, 0, 0), (stat.S_IMODE(mode.st_mode), mode.st_uid, mode.st_gid))
    same(0o755, stat.S_IMODE(os.stat(os.path.dirname(one.log)).st_mode))


def long_lines_come_in_parts(box):
    one = One(box, 'python3', '-c', r"""import os
for n in (16383, 16384, 16385, 40000, 3 * 16384):
    os.write(1, bytes([65 + n % 26]) * n + b'\n')""")
    one.end()
    got = [(tag, len(t)) for _, tag, t in one.lines()]
    same([('F', 16383), ('F', 16384), ('P', 16384), ('F', 1), ('P', 16384), ('P', 16384), ('F', 40000 - 2 * 16384),
          ('P', 16384), ('P', 16384), ('F', 16384)], got)
    same([16383, 16384, 16385, 40000, 3 * 16384], [len(t) for t in one.output().split(b'\n')[:-1]])


def a_line_that_comes_in_pieces_is_one(box):
    one = One(box, 'for i in 1 2 3 4 5; do printf $i; sleep 0.05; done; echo; printf end')
    one.end()
    same([('stdout', 'F', b'12345'), ('stdout', 'P', b'end')], one.lines())


def any_byte_passes(box):
    path = os.path.join(box.folder, 'bytes')
    text = bytes(range(256)) * 50 + os.urandom(300000) + b'\n' + b'\0' * 20000 + b'\r\n\x1b[31m'
    with open(path, 'wb') as f:
        f.write(text)
    one = One(box, 'cat %s; cat %s >&2' % (path, path))
    one.end()
    same(True, text == one.output())
    same(True, text == one.output('stderr'))


def a_hundred_thousand_lines_are_all_there(box):
    one = One(box, 'seq 100000')
    one.end()
    same(True, one.output() == b''.join(b'%d\n' % n for n in range(1, 100001)))
    times = [line.split(b' ', 1)[0] for line in one.text().split(b'\n')[:-1]]
    same(True, times == sorted(times))


def without_a_log_output_is_read_all_the_same(box):
    same(0, One(box, 'seq 100000', log='').end()['exitCode'])


def an_existing_log_is_continued(box):
    one = One(box, 'echo new', fails=True)
    os.mkdir(one.logs + '/c')
    with open(one.log, 'w', encoding='ascii') as f:
        f.write('2020-01-01T00:00:00.000000000Z stdout F old\n')
    one.begin()
    one.end()
    same(b'old\nnew\n', one.output())


def rotation_keeps_as_many_as_asked(box):
    one = One(box, 'seq 5000', options=['--max', '8192', '3'])
    one.end()
    names = [one.log + '.3', one.log + '.2', one.log + '.1', one.log]
    same(sorted(os.path.basename(n) for n in names), sorted(os.listdir(os.path.dirname(one.log))))
    numbers = []
    for name in names:
        if not 0 < os.path.getsize(name) <= 8192 + (20 << 10):
            fail('%s: %d bytes' % (name, os.path.getsize(name)))
        numbers += [int(t) for _, _, t in one.lines(name)]
    same(True, numbers == list(range(numbers[0], 5001)))


def rotation_goes_by_bytes(box):
    one = One(box, 'for i in $(seq 40); do echo $i; sleep 0.01; done', options=['--max', '500', '2'])
    one.end()
    for name in (one.log, one.log + '.1', one.log + '.2'):
        if os.path.getsize(name) > 500:
            fail('%s: %d bytes' % (name, os.path.getsize(name)))
    same(40, int(one.lines()[-1][2]))


def reopening_loses_nothing(box):
    one = One(box, 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; done; read x', options=['--gate', '--stdin'])
    one.open_gate()
    old = []
    for n in range(20):
        old.append(one.log + '.old%d' % n)
        os.rename(one.log, old[-1])
        same((DONE, 0), one.reopen())
        same(True, os.path.exists(one.log))
    eventually(lambda: b' 3000\n' in b''.join(one.text(p) for p in old + [one.log]))
    same([DONE, 0], list(one.ask(CLOSE_STDIN)[:2]))
    one.end()
    numbers = [int(t) for p in old + [one.log] for _, _, t in one.lines(p)]
    same(True, numbers == list(range(1, 3001)))


def a_full_disk_stops_neither_the_process_nor_the_record(box):
    private_mounts()
    one = One(box, 'seq 100000; echo x >%s; read x; echo after; exit 9' % os.path.join(box.folder, 'written'),
              options=['--gate', '--stdin'], fails=True)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=128k', 'full', one.logs], check=True)
    one.begin()
    one.open_gate()
    eventually(lambda: os.path.exists(os.path.join(box.folder, 'written')))
    numbers = [int(t) for _, _, t in one.lines(grows=True)]
    if not 100 < len(numbers) < 5000:
        fail('%d lines' % len(numbers))
    os.truncate(one.log, 0)
    one.ask(CLOSE_STDIN)
    e = one.end()
    same(9, e['exitCode'])
    same(('stdout', 'F', b'after'), one.lines()[-1])
    if e['logLinesLost'] < 90000:
        fail('%r' % e)
    subprocess.run(['umount', one.logs], check=True)


# -- where the log lies --------------------------------------------------------------------------------------

def a_log_path_that_leads_elsewhere_is_refused(box):
    target = os.path.join(box.folder, 'target')
    with open(target, 'w', encoding='ascii') as f:
        f.write('secret')

    def refused(prepare, name='c/0.log'):
        one = One(box, 'echo x', log=name, fails=True)
        prepare(one)
        r = one.call()
        same(1, r.returncode)
        has(r.stderr.decode(), 'log_path: ')
        same([], os.listdir(one.data))
        return r.stderr.decode()

    def folder(one):
        os.mkdir(one.logs + '/c')
        return one.logs + '/c'

    has(refused(lambda one: os.symlink(target, folder(one) + '/0.log')), 'symbolic link')
    has(refused(lambda one: os.symlink(box.folder, one.logs + '/c')), 'symbolic link')
    has(refused(lambda one: os.link(target, folder(one) + '/0.log')), 'hard links')
    refused(lambda one: os.mkfifo(folder(one) + '/0.log'))
    refused(lambda one: os.mkdir(folder(one) + '/0.log'))
    refused(lambda one: None, '../0.log')
    refused(lambda one: None, 'c/../../0.log')
    refused(lambda one: None, target)
    with open(target, encoding='ascii') as f:
        same('secret', f.read())
    same(False, os.path.exists(os.path.join(box.folder, '0.log')))


def a_path_that_was_swapped_is_refused_on_reopening(box):
    target = os.path.join(box.folder, 'target')
    with open(target, 'w', encoding='ascii') as f:
        f.write('secret')
    one = One(box, 'read x; echo last', options=['--stdin'])
    os.rename(one.log, one.log + '.old')
    for swap, code in ((lambda: os.symlink(target, one.log), 'ELOOP'), (lambda: os.link(target, one.log), 'EMLINK'),
                       (lambda: os.mkfifo(one.log), 'ENXIO')):
        swap()
        kind, value = one.reopen()
        same((FAILED, code), (kind, errno.errorcode[value]))
        os.unlink(one.log)
    one.ask(CLOSE_STDIN)
    one.end()
    same([('stdout', 'F', b'last')], one.lines(one.log + '.old'))
    with open(target, encoding='ascii') as f:
        same('secret', f.read())


# -- what it holds -------------------------------------------------------------------------------------------

def nothing_of_the_caller_stays_open(box):
    extra = os.open(box.folder, os.O_RDONLY)
    os.set_inheritable(extra, True)
    one = One(box, 'sleep 1000', options=['--stdin'], fails=True)
    # capture_output: this ends only when all have closed the pipe.
    r = one.call(close_fds=False, cwd=box.folder)
    one.monitor, one.init = (int(n) for n in r.stdout.split())
    eventually(lambda: not os.path.exists('/proc/%d/fd/3' % one.monitor))
    fds = {int(n): os.readlink('/proc/%d/fd/%s' % (one.monitor, n)) for n in os.listdir('/proc/%d/fd' % one.monitor)}
    same(['/dev/null'] * 3, [fds.pop(n) for n in range(3)])
    same(os.path.realpath(one.data), fds.pop(4))
    same(os.path.realpath(one.log), fds.pop(7))
    same(os.path.realpath(one.logs), fds.pop(6))
    same(['anon_inode', 'pipe', 'pipe', 'pipe', 'socket'], sorted(n.split(':')[0] for n in fds.values()))
    same('/', os.readlink('/proc/%d/cwd' % one.monitor))
    with open('/proc/%d/stat' % one.monitor, encoding='ascii') as f:
        name, rest = f.read().rsplit(')', 1)
    same('ctrctl-monitor', name.split('(')[1])
    same((str(one.monitor), '0'), (rest.split()[3], rest.split()[4]))
    with open('/proc/%d/cmdline' % one.monitor, encoding='ascii') as f:
        same(['ctrctl-monitor', 'one'], f.read().split('\0')[:2])
    os.close(extra)
    os.kill(one.init, signal.SIGKILL)
    one.end()


def it_needs_little_memory_whatever_happened(box):
    one = One(box, 'seq 200000; seq 200000 >&2; head -c 3000000 /dev/zero; sleep 1000')
    eventually(lambda: os.path.getsize(one.log) > 2 * 40 * 200000 + 3000000)
    same((DONE, 0), one.reopen())
    used = private_kib(one.monitor)
    if not 0 < used < 120:
        fail('%d KiB private' % used)
    os.kill(one.init, signal.SIGKILL)
    one.end()


def signals_that_end_others_do_not_end_it(box):
    one = One(box, 'read x; exit 2', options=['--stdin'])
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGPIPE, signal.SIGALRM):
        os.kill(one.monitor, s)
    one.ask(CLOSE_STDIN)
    same(2, one.end()['exitCode'])


def without_it_the_process_meets_a_broken_pipe(box):
    one = One(box, 'while :; do echo x; sleep 0.05; done')
    os.kill(one.monitor, signal.SIGKILL)
    if not ended(one.monitor) or not ended(one.init):
        fail('it goes on')
    same([], os.listdir(one.data))
    try:
        one.connect()
        fail('somebody listens')
    except ConnectionRefusedError:
        pass


def a_failed_make_is_told(box):
    one = One(box, 'true', options=['--fail'], fails=True)
    r = one.call()
    same(1, r.returncode)
    same(b'', r.stdout)
    has(r.stderr.decode(), 'the object: make was told to fail')
    has(r.stderr.decode(), 'this comes from the monitor')
    same([], os.listdir(one.data))
    same(b'', one.text())


def the_streams_belong_to_who_runs_there(box):
    one = One(box, 'echo again >/proc/self/fd/1; echo too >/dev/stderr', options=['--owner', '12345'])
    same(0, one.end()['exitCode'])
    same(b'again\n', one.output())
    same(b'too\n', one.output('stderr'))


def it_begins_where_executable_memfds_are_refused(box):
    one = One(box, 'exit 5', fails=True)
    shell = 'f=/proc/sys/vm/memfd_noexec; [ ! -e $f ] || echo 2 >$f; "$@" && until [ -e %s/exit.json ]; do sleep 0.05; done'
    r = subprocess.run(['unshare', '--pid', '--fork', '--mount-proc', 'sh', '-ec', shell % one.data, 'sh', ONE, '--log', one.logs,
                        one.name, one.data, one.run, 'sh', '-c', one.command[0]],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    same((0, b''), (r.returncode, r.stderr))
    same(5, one.exit()['exitCode'])


# -- the socket ----------------------------------------------------------------------------------------------

def as_nobody(fn):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgid(65534)
            os.setuid(65534)
            status = fn()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def only_root_may_talk_to_it(box):
    one = One(box, 'sleep 1000')
    same(0o600, stat.S_IMODE(os.stat(one.run + '/monitor').st_mode))

    def connects():
        try:
            s = one.connect()
        except PermissionError:
            return 10
        try:
            s.send(struct.pack('Ii', REOPEN, 0))
            return 0 if s.recv(64) else 11
        except OSError:
            return 11

    same(10, as_nobody(connects))
    # Even where file modes let somebody pass.
    for path in (box.folder, one.folder, one.run):
        os.chmod(path, 0o755)
    os.chmod(one.run + '/monitor', 0o777)
    same(11, as_nobody(connects))
    same(0, connects())
    one.kill()


def nonsense_is_refused_and_costs_nothing(box):
    one = One(box, 'sleep 1000')

    def count():
        return len(os.listdir('/proc/%d/fd' % one.monitor))

    same((DONE, 0), one.reopen())
    before = count()
    r, w = pipe_for_monitor()
    blocking = os.pipe()
    s = one.connect()
    for _ in range(30):
        for kind, value, fds in ((0, 0, []), (99, 0, []), (DONE, 0, []), (ATTACH, OUT, []), (ATTACH, OUT, [w, w]),
                                 (ATTACH, OUT, [w] * 5), (ATTACH, OUT, [blocking[1]]), (REOPEN + 100, 0, [w])):
            kind, value, _ = one.ask(kind, value, fds, s)
            same(FAILED, kind)
        s.send(b'short')
        same(FAILED, struct.unpack('Ii', s.recv(64))[0])
        s.send(b'x' * 5000)
        same(FAILED, struct.unpack('Ii', s.recv(64))[0])
    s.close()
    same((DONE, 0), one.reopen())
    eventually(lambda: count() <= before)
    for fd in (r, w, *blocking):
        os.close(fd)
    one.kill()


def connections_are_bounded(box):
    one = One(box, 'sleep 1000')
    held = [one.connect() for _ in range(16)]
    s = one.connect()
    same((FAILED, 16), struct.unpack('Ii', s.recv(64)))
    same(b'', s.recv(64))
    held.pop().close()
    same((DONE, 0), one.reopen())
    for h in held:
        h.close()
    s.close()
    one.kill()


# -- attaching -----------------------------------------------------------------------------------------------

def an_attached_client_gets_both_streams_apart(box):
    one = One(box, 'echo out; echo err >&2', options=['--gate'])
    out, err = pipe_for_monitor(), pipe_for_monitor()
    s, _ = one.attach(OUT | ERR, [out[1], err[1]])
    os.close(out[1])
    os.close(err[1])
    one.open_gate()
    same(b'out\n', read_all(out[0]))
    same(b'err\n', read_all(err[0]))
    same(b'', s.recv(1))
    s.close()
    one.end()
    same(b'out\n', one.output())


def a_patient_client_loses_nothing(box):
    one = One(box, 'seq 300000; exit 3', options=['--gate'])
    r, w = pipe_for_monitor()
    s, _ = one.attach(OUT | PATIENT, [w])
    os.close(w)
    one.open_gate()
    same(False, ended(one.monitor, 1.5))
    same((DONE, 0), one.reopen())
    same(True, read_all(r) == b''.join(b'%d\n' % n for n in range(1, 300001)))
    same(3, one.end()['exitCode'])
    same(True, one.output() == b''.join(b'%d\n' % n for n in range(1, 300001)))
    s.close()


def others_are_let_go_and_the_process_goes_on(box):
    one = One(box, 'seq 300000; exit 3', options=['--gate'])
    r, w = pipe_for_monitor()
    s, _ = one.attach(OUT, [w])
    os.close(w)
    one.open_gate()
    same(3, one.end()['exitCode'])
    same(True, one.output() == b''.join(b'%d\n' % n for n in range(1, 300001)))
    got = read_all(r)
    same(True, 0 < len(got) < 1 << 20 and got == b''.join(b'%d\n' % n for n in range(1, 300001))[:len(got)])
    same(b'', s.recv(1))
    s.close()


def a_reader_who_leaves_is_forgotten(box):
    one = One(box, 'while :; do echo x; sleep 0.01; done')
    r, w = pipe_for_monitor()
    s, _ = one.attach(OUT | PATIENT, [w])
    os.close(w)
    os.read(r, 1)
    os.close(r)
    same(b'', s.recv(1))
    s.close()
    one.kill()


def a_client_that_dies_is_forgotten(box):
    one = One(box, 'while :; do echo x; sleep 0.01; done')
    same((DONE, 0), one.reopen())
    before = len(os.listdir('/proc/%d/fd' % one.monitor))
    for _ in range(40):
        r, w = pipe_for_monitor()
        s, _ = one.attach(OUT | PATIENT, [w])
        s.close()
        os.close(w)
        os.close(r)
    same((DONE, 0), one.reopen())
    eventually(lambda: len(os.listdir('/proc/%d/fd' % one.monitor)) <= before)
    one.kill()


def eight_may_be_attached(box):
    one = One(box, 'read x; echo hello', options=['--stdin'])
    clients = []
    for _ in range(8):
        r, w = pipe_for_monitor()
        clients.append((r, one.attach(OUT, [w])[0]))
        os.close(w)
    r, w = pipe_for_monitor()
    same((FAILED, 16), one.ask(ATTACH, OUT, [w])[:2])
    one.ask(CLOSE_STDIN)
    for fd, s in clients:
        same(b'hello\n', read_all(fd))
        s.close()
    os.close(r)
    os.close(w)
    one.end()


def input_reaches_the_process_over_several_sessions(box):
    one = One(box, 'cat', options=['--stdin'])
    for text in (b'first\n', b'second\n'):
        r, w = os.pipe()
        os.set_blocking(r, False)
        s, _ = one.attach(IN, [r])
        os.write(w, text)
        os.close(w)
        same(b'', s.recv(1))
        s.close()
        os.close(r)
        eventually(lambda text=text: one.output(grows=True).endswith(text))
    same(None, None if not ended(one.init, 0.2) else fail('its input has ended'))
    one.ask(CLOSE_STDIN)
    same(0, one.end()['exitCode'])
    same(b'first\nsecond\n', one.output())


def stdin_once_ends_with_its_first_client(box):
    big = b''.join(b'%d\n' % n for n in range(100000))
    for close in ('end of file', 'disconnect'):
        one = One(box, 'cat', options=['--stdin-once'])
        ours, theirs = socket.socketpair()
        s, _ = one.attach(IN, [theirs.fileno()])
        theirs.close()
        ours.sendall(big)
        if close == 'end of file':
            ours.close()
        else:
            eventually(lambda one=one: len(one.output(grows=True)) == len(big))
            s.close()
            ours.close()
        same(0, one.end()['exitCode'])
        same(True, one.output() == big)
        s.close()


def input_that_nobody_reads_harms_nobody(box):
    one = One(box, 'exec <&-; read x <%s; exit 8' % os.path.join(box.folder, 'fifo'), options=['--stdin'])
    os.mkfifo(os.path.join(box.folder, 'fifo'))
    one.kill()
    one = One(box, 'exec <&-; sleep 0.3; echo alive', options=['--stdin'])
    ours, theirs = socket.socketpair()
    s, _ = one.attach(IN, [theirs.fileno()])
    theirs.close()
    try:
        for _ in range(200):
            ours.send(b'x' * 1000)
            time.sleep(0.001)
    except OSError:
        pass
    same(0, one.end()['exitCode'])
    same(b'alive\n', one.output())
    ours.close()
    s.close()


# -- terminal ------------------------------------------------------------------------------------------------

def a_terminal_has_one_stream(box):
    one = One(box, 'test -t 0 && test -t 1 && test -t 2 && echo out; echo err >&2; exit 4', options=['--tty'])
    same(4, one.end()['exitCode'])
    same([('stdout', 'F', b'out\r'), ('stdout', 'F', b'err\r')], one.lines())


def a_terminal_can_be_typed_at_and_sized(box):
    one = One(box, 'trap "stty size; exit 5" WINCH; echo ready; while :; do sleep 0.05; done', options=['--tty', '--gate'])
    r, w = pipe_for_monitor()
    s, got = one.attach(IN | OUT, [os.open('/dev/null', os.O_RDONLY | os.O_NONBLOCK), w])
    os.close(w)
    one.open_gate()
    same(b'ready\r\n', os.read(r, 100))
    fcntl.ioctl(got[0], termios.TIOCSWINSZ, struct.pack('HHHH', 33, 77, 0, 0))
    os.close(got[0])
    same(b'33 77\r\n', read_all(r))
    same(5, one.end()['exitCode'])
    s.close()


def a_terminal_that_nobody_has_open_comes_back(box):
    one = One(box, 'trap "" HUP; t=$(tty); exec <&- >&- 2>&-; sleep 0.5; exec >$t; echo back; exit 6', options=['--tty'])
    same(6, one.end()['exitCode'])
    same(b'back\r\n', one.output())


def the_end_of_input_is_typed_at_a_terminal(box):
    one = One(box, 'stty -echo; echo ready; cat; exit 7', options=['--tty', '--stdin-once'])
    eventually(lambda: os.path.exists(one.log) and b'ready' in one.text())
    ours, theirs = socket.socketpair()
    s, got = one.attach(IN, [theirs.fileno()])
    theirs.close()
    os.close(got[0])
    ours.sendall(b'typed\n')
    ours.close()
    same(7, one.end()['exitCode'])
    has(one.output().decode(), 'typed\r\n')
    s.close()


if __name__ == '__main__':
    main(globals())
