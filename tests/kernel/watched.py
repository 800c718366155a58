#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Containers made from requests, as those see them who watch: wait, stop, logs, attach."""
import fcntl
import pty
import re
import select
import struct
import termios

from pods import *

TIME = r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z'


def pod(box, **more):
    """A sandbox with a log folder; its id."""
    if not getattr(box, 'logs', None):
        load(box)
        box.logs = os.path.join(box.folder, 'logs')
    return sandbox(box, log_directory=box.logs, **more)


def made(box, in_pod, command, name='c', **more):
    return create(box, in_pod, name=name, command=command, log_path=name + '/0.log', **more)


def started(box, in_pod, command, name='c', **more):
    id = made(box, in_pod, command, name, **more)
    box.call('start', id).ok()
    return id


def log_of(box, name='c'):
    return os.path.join(box.logs, name, '0.log')


def settings(box, **values):
    """From here on ctrctl reads these."""
    box.globals += ['--settings', write(box, values, 'settings.json')]


def spawned(box, *args, **more):
    return subprocess.Popen([CTRCTL, *box.globals, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def monitor_of(box, id):
    with open(os.path.join(box.root, id, 'state.json'), encoding='utf-8') as f:
        return json.load(f)['monitorPid']


# -- wait --------------------------------------------------------------------------------------------------

def wait_prints_each_status_in_the_order_asked(box):
    p = pod(box)
    a = started(box, p, 'sleep 0.3; exit 3', 'a')
    b = started(box, p, 'exit 0', 'b')
    c = started(box, p, 'kill -9 $$; exit 0', 'c')
    same('3\n0\n0\n', box.call('wait', a, b, c).ok().out)
    same('3\n', box.call('wait', a[:10]).ok().out)
    d = started(box, p, 'sleep 1000', 'd')
    box.call('kill', d, 'KILL').ok()
    same('137\n', box.call('wait', d).ok().out)


def wait_comes_back_when_the_time_is_over(box):
    id = started(box, pod(box), 'sleep 1000')
    box.call('wait', '--time', '1', id).fails(1, "it hasn't ended after 1 s")
    box.call('wait', '--time', 'x', id).fails(1, 'no number')


def wait_names_the_one_that_fails(box):
    p = pod(box)
    a = started(box, p, 'exit 7', 'a')
    r = box.call('wait', 'nobody', a, 'noone').fails(1, 'wait nobody: container does not exist')
    same('7\n', r.out)
    has(r.err, 'noone: container does not exist')


def an_end_that_nobody_saw_is_255(box):
    p = pod(box)
    id = started(box, p, 'sleep 1000')
    waits = spawned(box, 'wait', id)
    time.sleep(0.2)
    os.kill(monitor_of(box, id), signal.SIGKILL)
    eventually(lambda: box.state(id)['cri']['monitor'] == 'lost')
    same('running', box.status(id))
    box.call('kill', id, 'KILL').ok()
    same((b'255\n', b''), waits.communicate(timeout=30))
    same('255\n', box.call('wait', id).ok().out)
    same(('Unknown', 255), (box.state(id)['cri']['reason'], box.state(id)['cri']['exitCode']))
    box.call('delete', id).ok()


def who_waits_for_a_bundle_learns_of_its_end(box):
    box.start('sleep 0.3; exit 4')
    same('255\n', box.call('wait', 'c').ok().out)


# -- stop --------------------------------------------------------------------------------------------------

def stop_sends_the_signal_that_the_container_wants(box):
    p = pod(box)
    id = started(box, p, 'trap "echo usr1; exit 21" USR1; trap "exit 22" TERM; echo up; while :; do sleep 0.05; done',
                 stop_signal='SIGNAL_SIGUSR1')
    eventually(lambda: logs(box, id) == 'up\n')
    box.call('stop', id).ok()
    same('21\n', box.call('wait', id).ok().out)
    same('up\nusr1\n', logs(box, id))


def stop_sends_term_otherwise(box):
    id = started(box, pod(box), 'trap "exit 22" TERM; echo up; while :; do sleep 0.05; done')
    eventually(lambda: logs(box, id) == 'up\n')
    box.call('stop', id).ok()
    same('22\n', box.call('wait', id).ok().out)
    box.call('stop', id).ok()
    same('stopped', box.status(id))


def stop_kills_who_does_not_listen(box):
    p = pod(box)
    id = started(box, p, 'trap "" TERM; echo up; while :; do sleep 0.05; done')
    eventually(lambda: logs(box, id) == 'up\n')
    began = time.monotonic()
    box.call('stop', '--time', '1', id).ok()
    if time.monotonic() - began < 1:
        fail('too early')
    same('137\n', box.call('wait', id).ok().out)
    other = started(box, p, 'trap "" TERM; while :; do sleep 0.05; done', 'other')
    box.call('stop', '-t', '0', other).ok()
    same('137\n', box.call('wait', other).ok().out)


def stop_ends_what_was_not_started(box):
    id = made(box, pod(box), 'sleep 1000')
    box.call('stop', id).ok()
    same('stopped', box.status(id))
    same('137\n', box.call('wait', id).ok().out)


def stop_ends_a_paused_container(box):
    id = started(box, pod(box), 'trap "exit 23" TERM; echo up; while :; do sleep 0.05; done')
    eventually(lambda: logs(box, id) == 'up\n')
    box.call('pause', id).ok()
    box.call('stop', id).ok()
    same('23\n', box.call('wait', id).ok().out)


def stop_ends_a_bundle_and_several(box):
    box.start('trap "exit 0" TERM; while :; do sleep 0.05; done', id='a')
    box.start('sleep 1000', id='b')
    box.call('stop', '--time', '1', 'a', 'b').ok()
    same(['stopped', 'stopped'], [box.status('a'), box.status('b')])


def what_outlives_init_in_a_shared_pid_namespace_is_killed(box):
    config = pod_config(log_directory=None, linux_={'security_context': {'namespace_options': {'pid': 0}}})
    del config['log_directory']
    load(box)
    p = sandbox(box, config)
    id = create(box, p, command='trap "" TERM; sleep 1000 & echo up; wait; wait', security={'namespace_options': {'pid': 0}})
    box.call('start', id).ok()
    eventually(lambda: len(box.call('ps', id, '-o', 'pid').ok().out.split()) >= 3)
    box.call('stop', '--time', '1', id).ok()
    same('stopped', box.status(id))
    box.call('delete', id).ok()


# -- logs --------------------------------------------------------------------------------------------------

def logs_keep_the_streams_apart(box):
    id = started(box, pod(box), 'echo one; sleep 0.05; echo two >&2; sleep 0.05; printf three')
    box.call('wait', id).ok()
    r = box.call('logs', id).ok()
    same(('one\nthree', 'two\n'), (r.out, r.err))


def logs_put_long_lines_together(box):
    id = started(box, pod(box), 'head -c 100000 /dev/zero | tr "\\0" x; echo; echo end')
    box.call('wait', id).ok()
    same('x' * 100000 + '\nend\n', box.call('logs', id).ok().out)
    out = box.call('logs', '--timestamps', id).ok().out
    if not re.fullmatch('%s x{100000}\n%s end\n' % (TIME, TIME), out):
        fail(out[:100] + out[-100:])


def logs_show_the_last_lines(box):
    id = started(box, pod(box), 'for i in 1 2 3; do echo $i; head -c 40000 /dev/zero | tr "\\0" $i; echo; done; printf 4')
    box.call('wait', id).ok()
    whole = ''.join('%d\n%s\n' % (i, str(i) * 40000) for i in (1, 2, 3)) + '4'
    same(whole, box.call('logs', id).ok().out)
    same('4', box.call('logs', '--tail', '1', id).ok().out)
    same('3' * 40000 + '\n4', box.call('logs', '--tail', '2', id).ok().out)
    same('', box.call('logs', '--tail', '0', id).ok().out)
    same(whole, box.call('logs', '--tail', '7', id).ok().out)
    same(whole, box.call('logs', '--tail', '700', id).ok().out)
    same(whole, box.call('logs', '--tail', 'all', id).ok().out)
    box.call('logs', '--tail', 'some', id).fails(1, 'no number of lines')


def logs_follow_to_the_end(box):
    p = pod(box)
    id = made(box, p, 'for i in $(seq 20); do echo $i; sleep 0.02; done')
    follows = spawned(box, 'logs', '-f', id)
    box.call('start', id).ok()
    same((''.join('%d\n' % i for i in range(1, 21)).encode(), b''), follows.communicate(timeout=30))
    same(0, follows.returncode)
    same('20\n', box.call('logs', '-f', '--tail', '1', id).ok().out)


def logs_follow_over_reopening(box):
    p = pod(box)
    id = made(box, p, 'for i in $(seq 400); do echo $i; sleep 0.005; done')
    follows = spawned(box, 'logs', '-f', id)
    box.call('start', id).ok()
    for n in range(8):
        os.rename(log_of(box), '%s.2026010%d' % (log_of(box), n))
        box.call('logs', '--reopen', id).ok()
        time.sleep(0.1)
    same(b''.join(b'%d\n' % i for i in range(1, 401)), follows.communicate(timeout=60)[0])


def logs_follow_over_rotation(box):
    p = pod(box)
    settings(box, logs={'maxBytes': 4000, 'maxFiles': 50})
    id = made(box, p, 'for i in $(seq 1000); do echo $i; done; sleep 0.2; for i in $(seq 1001 1100); do echo $i; sleep 0.005; done')
    follows = spawned(box, 'logs', '-f', id)
    box.call('start', id).ok()
    wanted = ''.join('%d\n' % i for i in range(1, 1101))
    same(wanted, follows.communicate(timeout=60)[0].decode())
    same(wanted, logs(box, id))
    if len(os.listdir(os.path.dirname(log_of(box)))) < 3:
        fail('nothing was rotated')


def logs_end_when_their_reader_does(box):
    id = started(box, pod(box), 'echo x; sleep 1000')
    follows = spawned(box, 'logs', '-f', id)
    same(b'x\n', follows.stdout.readline())
    follows.stdout.close()
    follows.wait(timeout=20)
    follows.stderr.close()


def reopening_needs_somebody_who_writes(box):
    id = started(box, pod(box), 'true')
    box.call('wait', id).ok()
    box.call('logs', '--reopen', id).fails(1, 'monitor')


def without_a_log_path_there_is_no_log(box):
    load(box)
    id, code = run(box, sandbox(box), command='seq 100000 >&2; exit 3')
    same(3, code)
    box.call('logs', id).fails(1, 'no log is kept')
    box.start('true', id='bundle')
    box.call('logs', 'bundle').fails(1, 'no log is kept of a container made from a bundle')
    box.delete('bundle')


# -- attach ------------------------------------------------------------------------------------------------

def attach_shows_both_streams_and_returns_the_status(box):
    id = made(box, pod(box), 'sleep 0.2; echo out; echo err >&2; exit 9')
    attached = spawned(box, 'attach', id, stdin=subprocess.DEVNULL)
    time.sleep(0.2)
    box.call('start', id).ok()
    same((b'out\n', b'err\n'), attached.communicate(timeout=30))
    same(9, attached.returncode)


def attach_passes_input_on(box):
    p = pod(box)
    once = started(box, p, 'cat; echo end', 'once', stdin=True, stdin_once=True)
    same('typed\nend\n', box.call('attach', once, text='typed\n').ok().out)
    more = started(box, p, 'while read x; do echo got $x; done', 'more', stdin=True)
    for n in range(3):
        attached = spawned(box, 'attach', more, stdin=subprocess.PIPE)
        attached.stdin.write(b'%d\n' % n)
        attached.stdin.flush()
        same(b'got %d\n' % n, attached.stdout.readline())
        attached.send_signal(signal.SIGINT)
        attached.communicate(timeout=20)
        same(0, attached.returncode)
    same('running', box.status(more))
    attached = spawned(box, 'attach', '--no-stdin', more, stdin=subprocess.PIPE)
    attached.stdin.write(b'unheard\n')
    attached.stdin.close()
    time.sleep(0.2)
    attached.send_signal(signal.SIGTERM)
    attached.wait(timeout=20)
    attached.stdout.close()
    attached.stderr.close()
    same('got 0\ngot 1\ngot 2\n', logs(box, more))


def attach_makes_a_terminal_of_ours_theirs(box):
    id = made(box, pod(box), 'read x; stty size; echo "got $x"; exit 5', tty=True, stdin=True)
    box.call('start', id).ok()
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 41, 99, 0, 0))
    attached = subprocess.Popen([CTRCTL, *box.globals, 'attach', id], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    before = termios.tcgetattr(slave)
    eventually(lambda: termios.tcgetattr(slave)[3] & termios.ICANON == 0, what='raw mode')
    os.write(master, b'hello\r')
    same(5, attached.wait(timeout=30))
    text = b''
    while select.select([master], [], [], 0.2)[0]:
        text += os.read(master, 4096)
    has(text.decode(), '41 99\r\n')
    has(text.decode(), 'got hello\r\n')
    same(before, termios.tcgetattr(slave))
    os.close(master)
    os.close(slave)
    same(True, all(' stdout F ' in line for line in open(log_of(box), encoding='utf-8')))  # pylint: disable=consider-using-with


def attach_needs_somebody_to_attach_to(box):
    id = started(box, pod(box), 'true')
    box.call('wait', id).ok()
    box.call('attach', id).fails(1, 'monitor')
    box.start('sleep 100', id='bundle')
    box.call('attach', 'bundle').fails(1, 'made from a bundle')
    box.delete('bundle')


def a_slow_client_does_not_stop_the_container(box):
    id = started(box, pod(box), 'i=0; while [ $i -lt 200000 ]; do echo $i; i=$((i+1)); done; exit 6', 'c')
    attached = spawned(box, 'attach', id, stdin=subprocess.DEVNULL)
    same('6\n', box.call('wait', id).ok().out)
    attached.communicate(timeout=30)
    same('199999\n', box.call('logs', '--tail', '1', id).ok().out)


# -- the container and its monitor -------------------------------------------------------------------------

def the_monitor_lives_outside_of_the_container(box):
    id = started(box, pod(box), 'sleep 1000')
    pid = monitor_of(box, id)
    with open('/proc/%d/cgroup' % pid, encoding='ascii') as f, open('/proc/self/cgroup', encoding='ascii') as own:
        same(own.read(), f.read())
    for ns in ('pid', 'net', 'mnt', 'ipc', 'uts', 'user', 'cgroup'):
        same(os.readlink('/proc/self/ns/' + ns), os.readlink('/proc/%d/ns/%s' % (pid, ns)))
    fds = sorted(os.readlink('/proc/%d/fd/%s' % (pid, n)) for n in os.listdir('/proc/%d/fd' % pid))
    for fd in fds:
        if not (fd == '/dev/null' or fd.startswith(('pipe:', 'socket:', 'anon_inode:[signalfd]', box.folder)) or
                fd.endswith('memory.events')):
            fail('it holds %s' % fd)
    with open('/proc/%d/smaps_rollup' % pid, encoding='ascii') as f:
        used = sum(int(line.split()[1]) for line in f if line.startswith('Private_'))
    if not 0 < used < 300:
        fail('%d KiB' % used)
    same('0\n', box.call('exec', id, 'cat', '/proc/1/oom_score_adj').ok().out)


def create_holds_nothing_of_its_caller(box):
    req = write(box, request(box, pod(box), command='sleep 1000', log_path='c/0.log'), 'r.json')
    r, w = os.pipe()
    done = subprocess.run([CTRCTL, *box.globals, 'create', '--request', req], stdin=subprocess.DEVNULL, stdout=w, stderr=w,
                          timeout=60, check=True)
    os.close(w)
    text = b''
    while part := os.read(r, 4096):
        text += part
    os.close(r)
    same(0, done.returncode)
    has(text.decode(), 'containerId')


def a_container_survives_the_death_of_who_made_it(box):
    load(box)
    id = create(box, sandbox(box), command='sleep 0.5; exit 11')
    starts = spawned(box, 'start', id, start_new_session=True)
    starts.communicate(timeout=30)
    same('11\n', box.call('wait', id).ok().out)


def nothing_stays_of_a_removed_one(box):
    id = started(box, pod(box), 'sleep 1000')
    pid = monitor_of(box, id)
    box.call('delete', '--force', id).ok()
    eventually(lambda: gone(pid))


def gone(pid):
    try:
        with open('/proc/%d/stat' % pid, encoding='ascii') as f:
            return f.read().rsplit(')', 1)[1].split()[0] == 'Z'
    except OSError:
        return True


if __name__ == '__main__':
    main(globals())
