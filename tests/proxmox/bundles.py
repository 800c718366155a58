#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Guests from bundles, as engines make them, and the process that stands for each: its pid, its signals, its end."""
import array
import ctypes
import hashlib
import itertools
import select
import signal
import ssl

from pve import *

BUNDLES = os.path.join(os.environ['SOURCE'], 'tests', 'data', 'oci')
SUBREAPER = 36
# Under strace: leaks can't be looked for there.
ORDINARY = os.path.join(BUILD, 'src/cli/ctrctl')
KILLED = ORDINARY if BUILD and os.path.exists(ORDINARY) else CTRCTL


def become_subreaper():
    """As an engine's shim: what a command leaves behind becomes this process's child."""
    if ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), 'PR_SET_CHILD_SUBREAPER')


class Guest:
    """A bundle made a guest, with the process that stands for it."""

    def __init__(self, box, name='ctr', id='c', start=True, edit=None, before=(), options=(), **more):
        become_subreaper()
        self.box, self.id = box, id
        path = bundle(box, name, edit)
        self.pid_file = os.path.join(box.folder, id + '.pid')
        box.call(*before, 'create', '--bundle', path, '--pid-file', self.pid_file, *options, id, **more).ok()
        with open(self.pid_file, encoding='ascii') as f:
            self.pid = int(f.read())
        self.vmid = box.vmid(id)
        if start:
            box.call('start', id).ok()

    def signal(self, signo):
        os.kill(self.pid, signo)

    def runs(self):
        """Is its process still there?"""
        return os.waitpid(self.pid, os.WNOHANG) == (0, 0)

    def touch(self):
        """A change in its folder makes it look at once."""
        try:
            with open(os.path.join(self.box.data, 'guests', self.id, 'touched'), 'w', encoding='ascii'):
                pass
        except FileNotFoundError:
            pass

    def ends(self, status, seconds=20):
        """Its exit status, or the negative signal."""
        deadline = time.monotonic() + seconds
        for n in itertools.count(1):
            pid, got = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                same(status, os.waitstatus_to_exitcode(got), 'exit status of the process')
                return
            if time.monotonic() > deadline:
                break
            if n % 3 == 0:
                self.touch()
            time.sleep(0.05)
        fail('the process that stands for the guest goes on')

    def looks(self):
        """How often the guest was looked at."""
        return len(self.box.server.requests('GET /nodes/[a-z0-9]+/lxc/%d/status/current' % self.vmid))

    def look_again(self, times=1):
        for _ in range(times):
            before = self.looks()
            eventually(lambda: self.touch() or self.looks() > before, what='a look at the guest')  # pylint: disable=cell-var-from-loop

    def is_seen_running(self):
        """A look since the start; the second one says that the first has been judged."""
        self.look_again(2)

    def delete(self, *options):
        self.box.call('delete', *options, self.id).ok()
        self.box.nothing_on_the_server()


def bundle(box, name='ctr', edit=None):
    box.count += 1
    path = os.path.join(box.folder, 'bundle%d' % box.count)
    os.makedirs(os.path.join(path, 'rootfs'))
    with open(os.path.join(BUNDLES, name + '.json'), encoding='utf-8') as f:
        config = json.load(f)
    config['root']['path'] = 'rootfs'
    if edit:
        edit(config)
    with open(os.path.join(path, 'config.json'), 'w', encoding='utf-8') as f:
        json.dump(config, f)
    return path


def ctr(box, **more):
    box.configure(waive=['no-new-privileges', 'resources'])
    return Guest(box, **more)


# -- from the bundle to the guest ------------------------------------------------------------------------

def what_ctr_writes_becomes_a_guest_and_goes(box):
    g = ctr(box, start=False)
    state = box.state('c')
    same(('created', g.pid), (state['status'], state['pid']))
    has(box.guest('c')['config']['description'], 'lxc/debian-12:latest')
    box.call('start', 'c').ok()
    same('running', box.status('c'))
    box.call('kill', 'c', 'TERM').ok()
    g.ends(0)
    same('stopped', box.status('c'))
    g.delete()


def a_kubelets_pods_become_guests_with_documented_waivers(box):
    for name in ('containerd', 'crio'):
        box.configure(waive=['pod-namespaces', 'kubelet-mounts', 'resources'], images={
            'db-postgres:16': {'template': 'debian-12'}, 'lxc/redis:7': {'template': 'debian-12'}})
        g = Guest(box, name, id=name)
        same(sorted(['pod-namespaces', 'kubelet-mounts', 'resources']), sorted(box.state(name)['guest']['waived']))
        box.call('kill', name, 'KILL').ok()
        g.ends(137)
        g.delete()


def without_waivers_the_bundle_is_refused_and_nothing_is_made(box):
    box.call('create', '--bundle', bundle(box), 'c').fails(1, 'process.noNewPrivileges', '"no-new-privileges" in proxmox.waive', 'and 1 more')
    same([], box.server.requests('POST'))
    box.call('state', 'c').fails(1, 'does not exist')


def a_pods_own_container_stays_native(box):
    def pause(config):
        config['annotations'] = {'io.kubernetes.cri.container-type': 'sandbox', 'io.kubernetes.cri.image-name': 'lxc/pause'}
    text = box.call('explain', '--bundle', bundle(box, edit=pause)).out
    has(text, "backend native: a pod's sandbox is always native")


# -- the process -----------------------------------------------------------------------------------------

def open_files(pid):
    """Without those of a connection to the server."""
    links = [os.readlink('/proc/%d/fd/%s' % (pid, fd)) for fd in os.listdir('/proc/%d/fd' % pid)]
    return sorted(l for l in links if not l.startswith(('socket:', '/memfd:stderr', 'anon_inode:[pidfd]')))


def the_process_keeps_nothing_of_the_engines(box):
    become_subreaper()
    box.configure(waive=['no-new-privileges', 'resources'])
    read, write_ = os.pipe()
    pid_file = os.path.join(box.folder, 'pid')
    done = subprocess.run([CTRCTL, *box.globals, '--log', os.path.join(box.folder, 'log'), 'create', '--bundle', bundle(box), '--pid-file',
                           pid_file, 'c'], stdin=write_, stdout=write_, stderr=write_, pass_fds=[write_], timeout=60, check=False)
    same(0, done.returncode, 'status')
    os.close(write_)
    same(b'', os.read(read, 100), 'the end of the pipe')
    os.close(read)
    with open(pid_file, encoding='ascii') as f:
        pid = int(f.read())
    own = ['/dev/null'] * 3 + [os.path.join(box.data, 'guests', 'c'), 'anon_inode:[signalfd]', 'anon_inode:inotify']
    eventually(lambda: sorted(own) == open_files(pid), what='%s, and nothing else open: %s' % (own, open_files(pid)))
    same('/', os.readlink('/proc/%d/cwd' % pid), 'folder')
    same(pid, os.getsid(pid), 'session')
    with open('/proc/%d/comm' % pid, encoding='ascii') as f:
        same('ctrctl-guest', f.read().strip(), 'name')
    with open('/proc/%d/limits' % pid, encoding='ascii') as f:
        has(f.read(), 'Max core file size        0                    0')
    box.call('delete', '--force', 'c').ok()
    os.waitpid(pid, 0)


def a_signal_to_the_process_shuts_the_guest_down(box):
    for signo in (15, 2, 3, 1, signal.SIGPWR, 37, 38):
        g = ctr(box, id='c%d' % signo)
        g.is_seen_running()
        g.signal(signo)
        g.ends(0)
        same(1, len([t for t in box.server.tasks('vzshutdown') if t['id'] == str(g.vmid)]))
        g.delete()


def other_signals_have_no_meaning(box):
    g = ctr(box)
    for signo in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGTSTP, 40):
        g.signal(signo)
    g.is_seen_running()
    assert g.runs()
    same([], box.server.tasks('vzshutdown'))
    box.call('kill', 'c', 'KILL').ok()
    g.ends(137)
    g.delete()


def a_second_signal_stops_it_at_once(box):
    box.server.set(honours_shutdown=False)
    g = ctr(box)
    g.is_seen_running()
    g.signal(15)
    eventually(lambda: box.server.tasks('vzshutdown'))
    g.signal(15)
    g.ends(137)
    g.delete()


def before_start_a_signal_ends_the_process_alone(box):
    g = ctr(box, start=False)
    g.signal(15)
    g.ends(128 + 15)
    same([], box.server.tasks('vzshutdown'))
    g.delete('--force')


def a_kill_before_start_ends_it_with_that_signal(box):
    for name, status in ('TERM', 128 + 15), ('HUP', 128 + 1), ('KILL', -9):
        g = ctr(box, start=False)
        box.call('kill', 'c', 'USR1').fails(1, 'USR1')
        same('created', box.status('c'))
        box.call('kill', 'c', name).ok()
        same('stopped', box.status('c'))
        g.ends(status)
        same([], box.server.tasks('vzshutdown') + box.server.tasks('vzstop'))
        g.delete()


def while_a_start_is_at_work_a_signal_waits_for_it(box):
    g = ctr(box, start=False)
    box.server.fault('POST .*/status/start', 'hold')
    with subprocess.Popen([CTRCTL, *box.globals, 'start', 'c'], stdin=subprocess.DEVNULL) as start:
        eventually(lambda: box.server.faults()[0]['hits'], what='a start on its way')
        g.signal(15)
        g.look_again(3)
        assert g.runs()
        box.server.clear_faults()
        same(0, start.wait(60))
    g.ends(0)
    same(1, len(box.server.tasks('vzshutdown')))
    g.delete()


def a_kill_is_seen_by_the_process(box):
    g = ctr(box)
    box.call('kill', 'c', 'KILL').ok()
    g.ends(137)
    same('stopped', box.status('c'))
    g.delete()


def a_guest_that_ends_by_itself_leaves_an_unknown_status(box):
    g = ctr(box)
    g.is_seen_running()
    box.server.control('state', vmid=g.vmid, running=False)
    g.ends(255)
    g.delete()


def a_shutdown_that_failed_isnt_the_cause_of_a_later_end(box):
    box.server.set(honours_shutdown=False)
    box.configure(waive=['no-new-privileges', 'resources'], timeouts={'graceSeconds': 1, 'rebootSeconds': 2})
    g = Guest(box)
    g.is_seen_running()
    box.call('kill', 'c', 'TERM').ok()
    eventually(lambda: [t for t in box.server.tasks('vzshutdown') if t['status'] == 'stopped'], what='a shutdown that has ended')
    box.server.control('state', vmid=g.vmid, running=False)
    g.ends(255)
    g.delete()


def a_guest_that_ended_before_any_look_is_noticed(box):
    g = ctr(box, start=False)
    g.signal(signal.SIGSTOP)
    box.call('start', 'c').ok()
    box.server.control('state', vmid=g.vmid, running=False)
    g.signal(signal.SIGCONT)
    g.ends(255, seconds=30)
    g.delete()


def under_high_availability_an_early_end_is_noticed_too(box):
    g = ctr(box, start=False)
    box.server.ha(g.vmid)
    g.signal(signal.SIGSTOP)
    box.call('start', 'c').ok()
    assert box.server.tasks('hastart') and not box.server.tasks('vzstart')
    box.server.control('state', vmid=g.vmid, running=False)
    g.signal(signal.SIGCONT)
    g.ends(255)
    g.delete()


def a_guest_that_was_never_started_doesnt_end_it(box):
    g = ctr(box, start=False)
    g.look_again(4)
    assert g.runs()
    box.call('start', 'c').ok()
    box.call('kill', 'c', 'KILL').ok()
    g.ends(137)
    g.delete()


def the_start_of_an_earlier_guest_of_that_number_isnt_its_own(box):
    g = ctr(box)
    box.call('kill', 'c', 'KILL').ok()
    g.ends(137)
    g.delete()
    time.sleep(1.1)  # tasks are told apart by the second
    again = ctr(box, start=False)
    same(g.vmid, again.vmid, 'number')
    again.look_again(4)
    assert again.runs()
    again.delete('--force')
    again.ends(-9)


def a_reboot_from_inside_doesnt_end_it(box):
    g = ctr(box)
    g.is_seen_running()
    box.server.control('restart', vmid=g.vmid)
    g.is_seen_running()
    assert g.runs()
    box.call('kill', 'c', 'KILL').ok()
    g.ends(137)
    g.delete()


def a_reboot_that_takes_its_time_doesnt_end_it(box):
    """From inside, and by an administrator's task."""
    box.server.set(reboot_seconds=3600)
    for how, seconds in ('restart', 30), ('reboot', 2):
        box.configure(waive=['no-new-privileges', 'resources'], timeouts={'rebootSeconds': seconds})
        g = Guest(box)
        g.is_seen_running()
        box.server.control(how, vmid=g.vmid)
        eventually(lambda: not box.server.guest(g.vmid)['running'], what='the guest down')  # pylint: disable=cell-var-from-loop
        g.look_again(5)
        assert g.runs(), how
        box.server.advance(3600)
        assert box.server.guest(g.vmid)['running']
        g.is_seen_running()
        box.call('kill', 'c', 'KILL').ok()
        g.ends(137)
        g.delete()


def one_that_runs_again_after_its_end_was_seen_needs_force(box):
    g = ctr(box)
    g.is_seen_running()
    box.server.control('state', vmid=g.vmid, running=False)
    g.look_again(1)
    g.ends(255)
    box.server.control('state', vmid=g.vmid, running=True)
    box.call('delete', 'c').fails(1, 'not stopped: running')
    assert box.server.guest(g.vmid)['running']
    g.delete('--force')


def a_backup_that_stops_it_for_a_while_doesnt_end_it(box):
    g = ctr(box)
    g.is_seen_running()
    box.server.lock(g.vmid, 'backup')
    box.server.control('state', vmid=g.vmid, running=False)
    g.look_again(4)
    assert g.runs()
    box.server.control('state', vmid=g.vmid, running=True)
    box.server.lock(g.vmid, None)
    box.call('kill', 'c', 'KILL').ok()
    g.ends(137)
    g.delete()


def a_server_that_doesnt_answer_doesnt_end_it(box):
    g = ctr(box)
    g.is_seen_running()
    box.server.fault('GET .*/status/current', 'status', code=595, empty=True, count=0)
    before = len(box.server.requests('GET .*/status/current'))
    eventually(lambda: len(box.server.requests('GET .*/status/current')) > before + 5)
    assert g.runs()
    box.server.clear_faults()
    box.call('kill', 'c', 'KILL').ok()
    g.ends(137, seconds=45)
    g.delete()


def a_migration_is_followed(box):
    g = ctr(box)
    g.is_seen_running()
    box.server.migrate(g.vmid, 'pve2')
    eventually(lambda: box.server.requests('GET /nodes/pve2/lxc/%d/status/current' % g.vmid))
    assert g.runs()
    box.call('kill', 'c', 'TERM').ok()
    g.ends(0)
    g.delete()


def a_guest_that_was_removed_ends_it(box):
    g = ctr(box)
    g.is_seen_running()
    box.server.remove(g.vmid)
    g.ends(255)
    g.delete('--force')


def another_guest_of_that_number_isnt_taken_for_it(box):
    g = ctr(box)
    g.is_seen_running()
    box.server.recreate_by_stranger(g.vmid, running=True)
    g.ends(255, seconds=80)
    box.call('delete', '--force', 'c')
    assert box.server.guest(g.vmid)['running']


def one_whose_notes_were_edited_is_watched_on(box):
    g = ctr(box)
    g.is_seen_running()
    box.server.edit_description(g.vmid, 'my notes')
    box.server.control('restart', vmid=g.vmid)
    proofs = len(box.server.requests('GET .*/config'))
    g.look_again(31)
    assert len(box.server.requests('GET .*/config')) > proofs
    assert g.runs()
    box.server.control('state', vmid=g.vmid, running=False)
    g.ends(255)
    box.call('delete', 'c').fails(1, "isn't touched")
    box.server.remove(g.vmid)
    g.delete()


def a_secret_that_came_by_fd_serves_the_process_too(box):
    become_subreaper()
    box.configure(waive=['no-new-privileges', 'resources'], tokenFile=None, credential='fd')

    def by_pipe(*args):
        read, write_ = os.pipe()
        os.write(write_, box.server.token.encode())
        os.close(write_)
        done = box.call('--credential-fd', str(read), *args, pass_fds=[read])
        os.close(read)
        return done.ok()

    def by_file(*args):
        with open(box.server.token_file, 'rb') as f:
            return box.call('--credential-fd', str(f.fileno()), *args, pass_fds=[f.fileno()]).ok()
    for call in by_pipe, by_file:
        pid_file = os.path.join(box.folder, 'pid')
        call('create', '--bundle', bundle(box), '--pid-file', pid_file, 'c')
        with open(pid_file, encoding='ascii') as f:
            pid = int(f.read())
        call('start', 'c')
        vmid = box.vmid('c')
        box.server.clear_requests()
        eventually(lambda: len(box.server.requests('GET .*/lxc/%d/status/current' % vmid)) > 1, what='a look by the process')
        os.kill(pid, 15)
        same(0, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 'exit status')
        call('delete', 'c')
        box.nothing_on_the_server()


def a_renewed_certificate_is_read_of_in_the_settings(box):
    g = ctr(box)
    g.is_seen_running()
    box.server.set(cert='other', keep_alive_requests=1)
    box.call('state', 'c').fails(1, 'fingerprint')
    with open(os.path.join(certificates(), 'other.pem'), encoding='ascii') as f:
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest().upper()
    box.configure(fingerprint=':'.join(digest[i:i + 2] for i in range(0, 64, 2)))
    g.look_again(2)
    g.signal(15)
    g.ends(0)
    g.delete()


def one_that_cant_ask_any_more_ends_by_a_kill_that_was_seen(box):
    become_subreaper()
    box.configure(waive=['no-new-privileges', 'resources'], tokenFile=None, credential='fd')
    with open(box.server.token_file, 'rb') as f:
        g = Guest(box, start=False, before=('--credential-fd', str(f.fileno())), pass_fds=[f.fileno()])
    box.server.revoke()
    box.configure(box.server.as_root())
    box.call('start', 'c').ok()
    g.touch()
    box.call('kill', 'c', 'KILL').ok()
    g.ends(137)
    g.delete()


# -- its own death ---------------------------------------------------------------------------------------

def killed_it_leaves_the_guest_and_delete_removes_it(box):
    g = ctr(box)
    same(g.pid, box.state('c')['pid'])
    g.signal(9)
    g.ends(-9)
    state = box.state('c')
    same(('running', 0), (state['status'], state['pid']))
    assert box.server.guest(g.vmid)['running']
    g.delete()


def after_a_reboot_of_this_host_no_pid_is_shown(box):
    g = ctr(box)
    path = os.path.join(box.data, 'guests', 'c', 'state.json')
    with open(path, encoding='utf-8') as f:
        text = f.read()
    boot = json.loads(text)['bootId']
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text.replace(boot, '0' * 8 + boot[8:]))
    same(0, box.state('c')['pid'])
    same([0], [one['pid'] for one in json.loads(box.call('list', '--format', 'json').ok().out)])
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)
    same(g.pid, box.state('c')['pid'])
    g.delete('--force')
    g.ends(-9)


def a_forced_delete_ends_it(box):
    for start in (False, True):
        g = ctr(box, start=start)
        box.call('delete', '--force', 'c').ok()
        g.ends(-9)
        box.nothing_on_the_server()


def processes(its):
    """Those that stand for guests of a box."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/comm' % pid, encoding='ascii', errors='replace') as f:
                name = f.read().strip()
            with open('/proc/%s/cmdline' % pid, 'rb') as f:
                words = f.read()
        except OSError:
            continue
        if name == 'ctrctl-guest' and its.folder.encode() in words:
            found.append(int(pid))
    return found


def create_killed_once_the_process_is_there_leaves_nothing(box):
    """At each of its system calls from the fork on."""
    strace = shutil.which('strace')
    if not strace:
        skip('no strace')
    box.configure(waive=['no-new-privileges', 'resources'])
    log = os.path.join(box.folder, 'calls')
    argv = [KILLED, *box.globals, 'create', '--bundle', bundle(box), '--pid-file', os.path.join(box.folder, 'pid'), 'c']

    def run_(*options):
        subprocess.run([strace, '-qq', *options, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=60, check=False)

    def remove():
        # Calls of the same name before the fork aren't always as many.
        box.call('delete', '--force', 'c').ok()
        same('', box.call('list', '-q').ok().out)
        box.nothing_on_the_server()
        eventually(lambda: not processes(box), what='end of the processes')

    run_('-o', log)
    eventually(lambda: len(processes(box)) == 1, what='one process that stands for a guest')
    remove()
    count, points = {}, []
    with open(log, encoding='utf-8', errors='replace') as f:
        for line in f:
            name = line.split('(')[0]
            count[name] = count.get(name, 0) + 1
            if points or (name == 'clone' and 'CLONE_PIDFD' not in line):
                points.append((name, count[name]))
    points = [point for point in points[1:] if point[0] not in ('exit_group', 'brk', 'munmap', 'mmap', 'mprotect', '+++ exited with 0 +++\n')]
    for point in points:
        run_('-o', '/dev/null', '-e', 'trace=' + point[0], '-e', 'inject=%s:signal=KILL:when=%d' % point)
        remove()
    print('# killed at %d points' % len(points))
    assert len(points) > 10


# -- terminals, foreground -------------------------------------------------------------------------------

def a_terminal_stays_silent_until_the_end(box):
    box.configure(waive=['no-new-privileges', 'resources', 'streams'])
    path = os.path.join(box.folder, 'console')
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(path)
        door.listen(1)

        def edit(config):
            config['process']['terminal'] = True
        g = Guest(box, edit=edit, options=('--console-socket', path))
        conn, _ = door.accept()
        fds = array.array('i')
        _, ancillary, _, _ = conn.recvmsg(4096, socket.CMSG_SPACE(4))
        fds.frombytes(ancillary[0][2][:4])
        conn.close()
    has(os.read(fds[0], 1000).decode(), 'pct console %d' % g.vmid)
    same(([], [], []), select.select([fds[0]], [], [], 0.3), 'what is on the terminal')
    g.is_seen_running()
    box.call('kill', 'c', 'TERM').ok()
    g.ends(0)
    try:
        same(b'', os.read(fds[0], 10))
    except OSError as e:
        same(5, e.errno, 'errno of a terminal that has ended')
    os.close(fds[0])
    g.delete()


def run_waits_in_the_foreground(box):
    box.configure(waive=['no-new-privileges', 'resources'])
    with subprocess.Popen([CTRCTL, *box.globals, 'run', '--bundle', bundle(box), 'c'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as run_:
        eventually(lambda: box.server.tasks('vzstart') and box.server.tasks('vzstart')[0]['status'] == 'stopped')
        same(None, run_.poll())
        box.call('kill', 'c', 'TERM').ok()
        out, err = run_.communicate(timeout=30)
        same((0, b'', b''), (run_.returncode, out, err))
    box.nothing_on_the_server()


main(globals())
