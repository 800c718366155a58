#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Terminals of real containers: in the foreground, handed to a console socket, and what an image may put in their way."""
import array
import fcntl
import select
import socket
import struct
import termios

from box import *


def terminal(config):
    config['process']['terminal'] = True


def sized(height, width):
    def edit(config):
        terminal(config)
        config['process']['consoleSize'] = {'height': height, 'width': width}
    return edit


class Foreground:
    """ctrctl in the foreground of a pty of ours."""

    def __init__(self, *args, size=(33, 99)):
        self.master, self.slave = os.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b''
        self.process = subprocess.Popen([CTRCTL, *args], stdin=self.slave, stdout=self.slave, stderr=subprocess.PIPE,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, height, width):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack('HHHH', height, width, 0, 0))

    def until(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.seen:
            left = end - time.monotonic()
            if left <= 0:
                fail('no %r in %r %r' % (text, self.seen[-300:], self.process.poll()))
            if select.select([self.master], [], [], left)[0]:
                # Its own new lines: those of the container's terminal aren't doubled.
                self.seen += os.read(self.master, 65536).replace(b'\r\n', b'\n')

    def type(self, text):
        os.write(self.master, text)

    def end(self):
        status = self.process.wait(20)
        self.errors = self.process.stderr.read().decode()
        return status

    def restored(self):
        same(self.before, termios.tcgetattr(self.slave), 'terminal settings')

    def ticks(self):
        with open('/proc/%d/stat' % self.process.pid, encoding='ascii') as f:
            fields = f.read().rsplit(')', 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        os.close(self.master)
        os.close(self.slave)


def foreground(box, args, edit=terminal, rootfs=None, size=(33, 99)):
    return Foreground('--root', box.root, 'run', '--bundle', box.bundle(edit, args, rootfs), 'c', size=size)


class ConsoleSocket:
    def __init__(self, box):
        box.count += 1
        self.path = os.path.join(box.folder, 'console%d' % box.count)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(self.path)
        self.socket.listen(5)
        self.socket.settimeout(10)

    def take(self):
        """The one message: (name, master)."""
        peer, _ = self.socket.accept()
        peer.settimeout(10)
        with peer:
            data, control, _, _ = peer.recvmsg(4096, socket.CMSG_SPACE(16))
            fds = array.array('i')
            for level, kind, value in control:
                same((socket.SOL_SOCKET, socket.SCM_RIGHTS), (level, kind))
                fds.frombytes(value[:len(value) - len(value) % fds.itemsize])
            same(1, len(fds), 'fds')
            same(b'', peer.recv(10), 'what follows')
        return data.decode(), fds[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def read_until(fd, text, seconds=20):
    seen, end = b'', time.monotonic() + seconds
    while text not in seen:
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            fail('no %r in %r' % (text, seen))
        try:
            seen += os.read(fd, 65536)
        except OSError:
            fail('no %r in %r before the end' % (text, seen))
    return seen


# -- the foreground --------------------------------------------------------------------------------------

def run_carries_both_ways_and_answers_the_status(box):
    with foreground(box, 'read x; echo "got $x"; exit 7') as f:
        f.type(b'hello\r')
        f.until(b'got hello')
        same(7, f.end())
        f.restored()


def the_terminal_of_the_caller_is_raw_meanwhile_and_restored(box):
    with foreground(box, 'echo up; sleep 100') as f:
        f.until(b'up')
        now = termios.tcgetattr(f.slave)
        if now[3] & (termios.ICANON | termios.ECHO | termios.ISIG):
            fail('it is not raw')
        box.call('kill', 'c', 'KILL').ok()
        same(137, f.end())
        f.restored()


def it_is_restored_when_ctrctl_is_told_to_end(box):
    with foreground(box, "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done") as f:
        f.until(b'up')
        f.process.terminate()
        same(3, f.end())
        f.restored()


def it_is_restored_when_the_container_cannot_be_made(box):
    with foreground(box, ['nosuch']) as f:
        same(1, f.end())
        has(f.errors, 'executable file not found in $PATH')
        f.restored()


def the_window_size_is_passed_with_its_changes(box):
    with foreground(box, "trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done") as f:
        f.until(b'33 99')
        f.resize(44, 111)
        f.process.send_signal(signal.SIGWINCH)
        f.until(b'44 111')
        box.call('kill', 'c', 'KILL').ok()
        f.end()


def console_size_is_set(box):
    with ConsoleSocket(box) as console:
        box.create('stty size; sleep 100', sized(17, 71), options=['--console-socket', console.path]).ok()
        _, master = console.take()
        box.call('start', 'c').ok()
        read_until(master, b'17 71')
        os.close(master)


def control_c_goes_to_the_container(box):
    with foreground(box, "trap 'echo caught; exit 9' INT; echo up; while :; do sleep 0.05; done") as f:
        f.until(b'up')
        f.type(b'\x03')
        f.until(b'caught')
        same(9, f.end())


def it_is_a_session_of_its_own_with_that_terminal(box):
    script = 'tty; cut -d" " -f5-8 /proc/self/stat; cut -d" " -f6 /proc/$$/stat; for n in 0 1 2; do readlink ' \
             '/proc/$$/fd/$n; done; echo x > /dev/tty && echo has-tty'
    with foreground(box, script) as f:
        f.until(b'has-tty')
        lines = f.seen.decode().split('\n')
        same('/dev/pts/0', lines[0].strip())
        same(['1', '1', '34816', '1'], lines[1].split())
        same('1', lines[2].strip())
        same(['/dev/pts/0'] * 3, [x.strip() for x in lines[3:6]])
        same(0, f.end())


def dev_console_is_that_terminal(box):
    script = 'echo to-console > /dev/console; stat -c %t:%T /dev/console; stat -c %t:%T /dev/pts/0; grep -c " /dev/console " ' \
             '/proc/self/mountinfo; echo end'
    with foreground(box, script) as f:
        f.until(b'end\n')
        lines = [x.strip() for x in f.seen.decode().split('\n')]
        same(['to-console', '88:0', '88:0', '1'], lines[:4])
        f.end()


def new_lines_are_not_doubled(box):
    with ConsoleSocket(box) as console:
        box.create('printf "a\\nb\\n"; stty -a; sleep 100', terminal, options=['--console-socket', console.path]).ok()
        _, master = console.take()
        box.call('start', 'c').ok()
        seen = read_until(master, b'-onlcr')
        has(seen, b'a\nb\n')
        has_not(seen, b'\r')
        os.close(master)


def a_reader_that_stops_costs_no_time_and_loses_nothing(box):
    with foreground(box, 'i=0; while [ $i -lt 40000 ]; do echo "line number $i"; i=$((i+1)); done; echo the-end') as f:
        f.until(b'line number 10\n')
        time.sleep(0.5)
        before = f.ticks()
        time.sleep(2)
        if f.ticks() - before > 3:
            fail('%d ticks in 2 s' % (f.ticks() - before))
        f.until(b'the-end', 30)
        for n in range(0, 40000, 997):
            has(f.seen, b'line number %d\n' % n)
        same(0, f.end())


def a_terminal_nobody_reads_does_not_keep_it_from_being_killed(box):
    with foreground(box, 'yes') as f:
        f.until(b'y\n')
        time.sleep(0.3)
        box.call('kill', 'c', 'KILL').ok()
        # What is under way may be shown first: somebody reads again.
        end = time.monotonic() + 20
        while f.process.poll() is None and time.monotonic() < end:
            if select.select([f.master], [], [], 0.1)[0]:
                os.read(f.master, 65536)
        same(137, f.end())
        f.restored()


def typing_into_the_terminal_of_the_caller_is_impossible(box):
    """TIOCSTI and TIOCLINUX on the terminal that the caller handed over as stdin."""
    rootfs = box.rootfs()
    source = os.path.join(box.folder, 'sti.c')
    with open(source, 'w', encoding='ascii') as f:
        f.write('#include <errno.h>\n#include <stdio.h>\n#include <sys/ioctl.h>\n#include <unistd.h>\n'
                '#include <fcntl.h>\nint main(void){int bad=0;for(int fd=0;fd<3;fd++)bad|=ioctl(fd,TIOCSTI,"x")==0;'
                'int t=open("/dev/tty",O_RDWR);printf("%s %s\\n",bad?"typed":"refused",t<0?"no-tty":"tty");return 0;}\n')
    subprocess.run(['gcc', '-static', '-o', rootfs + '/bin/sti', source], check=True)
    with foreground(box, ['/bin/sti'], edit=None, rootfs=rootfs) as f:
        f.until(b'\n')
        same(b'refused no-tty', f.seen.strip())
        f.end()
    box.start('sleep 100', rootfs=rootfs)
    with Foreground('--root', box.root, 'exec', 'c', '/bin/sti') as f:
        f.until(b'\n')
        same(b'refused no-tty', f.seen.strip())
        f.end()


# -- the console socket ----------------------------------------------------------------------------------

def create_hands_the_master_to_the_console_socket(box):
    with ConsoleSocket(box) as console:
        box.create('read x; echo "got $x"; sleep 100', terminal, options=['--console-socket', console.path]).ok()
        name, master = console.take()
        has(name, 'pts/')
        if not os.isatty(master):
            fail('no terminal')
        box.call('start', 'c').ok()
        os.write(master, b'hello\r')
        read_until(master, b'got hello')
        os.close(master)


def exec_has_a_terminal_of_its_own(box):
    box.start()
    with ConsoleSocket(box) as console:
        r = box.exec('sh', '-c', 'tty; stty size; echo x > /dev/tty; ls -l /dev/console; sleep 100',
                     options=['--detach', '--tty', '--console-socket', console.path]).ok()
        same('', r.out + r.err)
        _, master = console.take()
        seen = read_until(master, b'/dev/console')
        has(seen, b'/dev/pts/0')
        has_not(seen, b'\r')
        os.close(master)


def exec_in_the_foreground_of_a_terminal(box):
    box.start()
    with Foreground('--root', box.root, 'exec', '--tty', 'c', 'sh', '-c', 'stty size; read x; echo "got $x"; exit 5') as f:
        f.until(b'33 99')
        f.type(b'hello\r')
        f.until(b'got hello')
        same(5, f.end())
        f.restored()


def exec_into_a_container_with_a_terminal_leaves_its_console_alone(box):
    with ConsoleSocket(box) as console:
        box.create('sleep 100', terminal, options=['--console-socket', console.path]).ok()
        _, first = console.take()
        box.call('start', 'c').ok()
        box.exec('sh', '-c', 'tty; echo to-console > /dev/console; sleep 100',
                 options=['--detach', '--tty', '--console-socket', console.path]).ok()
        _, second = console.take()
        read_until(second, b'/dev/pts/1')
        read_until(first, b'to-console')
        os.close(first)
        os.close(second)


def a_terminal_and_a_console_socket_need_each_other(box):
    said = 'cannot allocate tty if ctrctl will detach without setting console socket'
    other = 'cannot use console socket if ctrctl will not detach or allocate tty'
    box.create(edit=terminal).fails(1, said)
    box.call('run', '--detach', '--bundle', box.bundle(terminal), 'c').fails(1, said)
    with ConsoleSocket(box) as console:
        box.create(options=['--console-socket', console.path]).fails(1, other)
        box.call('run', '--console-socket', console.path, '--bundle', box.bundle(terminal), 'c').fails(1, other)
        box.call('run', '--detach', '--console-socket', console.path, '--bundle', box.bundle(), 'c').fails(1, other)
        box.start()
        box.exec('true', options=['--detach', '--tty']).fails(255, said)
        box.exec('true', options=['--detach', '--console-socket', console.path]).fails(255, other)


def a_console_socket_that_is_none_is_named(box):
    regular = os.path.join(box.folder, 'file')
    open(regular, 'w', encoding='ascii').close()
    for path in ('/nowhere/socket', regular, '/dev/null', '/' + 'x' * 200):
        r = box.create(edit=terminal, options=['--console-socket', path]).fails(1, 'socket')
        has_not(r.err.lower(), 'no such file or directory')
        box.call('state', 'c').fails(1, 'does not exist')


def a_console_socket_nobody_accepts_at_does_not_hang(box):
    with ConsoleSocket(box) as console:
        box.create(edit=terminal, options=['--console-socket', console.path]).ok()
        name, master = console.take()
        has(name, 'pts')
        os.close(master)


# -- what an image may put in the way --------------------------------------------------------------------

def pts_of_the_image(box, put):
    """/dev isn't mounted over: the image's own /dev/pts/ptmx is what is there."""
    rootfs = box.rootfs()
    os.makedirs(rootfs + '/dev/pts', exist_ok=True)
    put(rootfs + '/dev/pts/ptmx')

    def edit(config):
        terminal(config)
        config['mounts'] = [m for m in config['mounts'] if not m['destination'].startswith('/dev')]
    begin = time.monotonic()
    with ConsoleSocket(box) as console:
        r = box.create(edit=edit, rootfs=rootfs, options=['--console-socket', console.path])
        if time.monotonic() - begin > 5:
            fail('%.1f s' % (time.monotonic() - begin))
        r.fails(1, 'process.terminal', '/dev/pts')
    box.call('state', 'c').fails(1, 'does not exist')


def a_fifo_for_ptmx_is_refused_without_hanging(box):
    pts_of_the_image(box, os.mkfifo)


def a_file_or_a_link_for_ptmx_is_refused(box):
    pts_of_the_image(box, lambda p: open(p, 'w', encoding='ascii').close())
    pts_of_the_image(box, lambda p: os.symlink('/dev/ptmx', p))
    pts_of_the_image(box, lambda p: os.symlink('../../../../../../dev/pts/ptmx', p))


def the_ptmx_of_a_host_in_the_image_is_refused(box):
    pts_of_the_image(box, lambda p: os.mknod(p, 0o20666, os.makedev(5, 2)))


def a_link_for_dev_console_stays_in_the_image(box):
    for target in ('/etc/victim', '../../../../../etc/victim', '/nowhere/x'):
        rootfs = box.rootfs()
        with open(rootfs + '/etc/victim', 'w', encoding='ascii') as f:
            f.write('untouched')
        os.makedirs(rootfs + '/dev/pts', exist_ok=True)
        os.symlink(target, rootfs + '/dev/console')

        def edit(config):
            terminal(config)
            config['mounts'] = [m for m in config['mounts'] if m['destination'] not in ('/dev', '/dev/shm', '/dev/mqueue')]
        with ConsoleSocket(box) as console:
            r = box.create('cat /etc/victim; grep console /proc/self/mountinfo; echo end; sleep 100', edit, rootfs=rootfs,
                           options=['--console-socket', console.path])
            if r.status == 0:
                _, master = console.take()
                box.call('start', 'c').ok()
                has(read_until(master, b'end'), b'untouched')
                os.close(master)
                box.delete()
        with open(rootfs + '/etc/victim', encoding='ascii') as f:
            same('untouched', f.read())
        if os.path.exists('/etc/victim') or os.path.exists('/nowhere'):
            fail('something was made on the host')


main(globals())
