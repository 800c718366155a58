#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The foreground with a terminal: terminal.py PROGRAM. PROGRAM's backend is the fake one. Output: TAP."""
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

PROGRAM = os.path.abspath(sys.argv[1])


class Session:
    """ctrctl run of a shell script with a terminal, on a pty of ours (or on what stdio says)."""

    def __init__(self, script, **stdio):
        self.dir = tempfile.mkdtemp(prefix="ctrctl-tty-")
        top = pathlib.Path(self.dir)
        (top / "rootfs").mkdir()
        (top / "config.json").write_text(json.dumps({
            "ociVersion": "1.3.0", "root": {"path": "rootfs"},
            "process": {"terminal": True, "cwd": "/", "user": {"uid": 0, "gid": 0}, "args": ["/bin/bash", "-c", script],
                        "env": ["PATH=/usr/bin:/bin"]}}))
        (self.master, slave) = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen([PROGRAM, "--root", f"{self.dir}/R", "run", "--bundle", self.dir, "c1"],
                                        stdin=stdio.get("stdin", slave), stdout=stdio.get("stdout", slave),
                                        stderr=subprocess.PIPE, start_new_session=True)
        self.seen = b""

    def until(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], left)[0]:
                self.seen += os.read(self.master, 65536)

    def type(self, text):
        os.write(self.master, text)

    def end(self):
        status = self.process.wait(20)
        self.errors = self.process.stderr.read().decode()
        return status

    def restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        subprocess.run([PROGRAM, "--root", f"{self.dir}/R", "delete", "--force", "c1"], check=False)
        os.close(self.master)
        os.close(self.slave)
        shutil.rmtree(self.dir)


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def carries_both_ways_and_answers_the_status():
    s = Session("read x; echo got:$x; exit 9")
    try:
        time.sleep(0.2)
        s.type(b"hello\r")
        s.until(b"got:hello")
        assert s.end() == 9
        assert s.restored()
    finally:
        s.close()


def passes_the_window_size_and_its_changes():
    s = Session("trap 'stty size; exit 0' WINCH; stty size; while :; do sleep 0.05; done")
    try:
        s.until(b"33 99")
        fcntl.ioctl(s.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 34, 0, 0))
        s.process.send_signal(signal.SIGWINCH)
        s.until(b"12 34")
        assert s.end() == 0
    finally:
        s.close()


def gives_control_c_to_the_container():
    s = Session("trap 'echo interrupted; exit 4' INT; echo ready; while :; do sleep 0.05; done")
    try:
        s.until(b"ready")
        s.type(b"\x03")
        s.until(b"interrupted")
        assert s.end() == 4
        assert s.restored()
    finally:
        s.close()


def restores_the_terminal_when_the_container_is_killed():
    s = Session("echo ready; kill -9 $$")
    try:
        s.until(b"ready")
        assert s.end() == 137
        assert s.restored()
    finally:
        s.close()


def loses_nothing_of_a_long_output():
    s = Session("seq 1 60000; echo the end", stdout=subprocess.PIPE)
    try:
        time.sleep(0.5)  # the pipe fills up
        out = s.process.stdout.read()
        assert s.end() == 0
        lines = out.replace(b"\r", b"").split(b"\n")
        assert lines[:-1] == [b"%d" % i for i in range(1, 60001)] + [b"the end"], (len(lines), lines[-3:])
    finally:
        s.close()


def sleeps_while_nobody_reads_and_still_passes_signals():
    s = Session("trap 'exit 6' TERM; while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done", stdout=subprocess.PIPE)
    try:
        time.sleep(1)
        before = cpu_ticks(s.process.pid)
        time.sleep(1)
        assert cpu_ticks(s.process.pid) - before <= 5, "busy while nobody reads"
        s.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        s.process.stdout.close()
        assert s.end() in (6, 143)
    finally:
        s.close()


def goes_on_when_the_reader_is_gone():
    (r, w) = os.pipe()
    s = Session("seq 1 20000; exit 5", stdout=w)
    try:
        os.close(w)
        os.close(r)
        assert s.end() == 5
    finally:
        s.close()


def sleeps_while_the_container_has_closed_its_terminal():
    s = Session("exec </dev/null >/dev/null 2>&1; sleep 1.5; exit 3")
    try:
        time.sleep(0.4)
        before = cpu_ticks(s.process.pid)
        time.sleep(0.8)
        assert cpu_ticks(s.process.pid) - before <= 5, "busy while the terminal is closed"
        assert s.end() == 3
    finally:
        s.close()


def says_end_of_file_when_standard_input_ends():
    (r, w) = os.pipe()
    s = Session("cat; exit 8", stdin=r)
    try:
        os.close(r)
        os.write(w, b"line\n")
        s.until(b"line")
        os.close(w)
        assert s.end() == 8
    finally:
        s.close()


CASES = [v for (k, v) in list(globals().items()) if callable(v) and k not in ("Session", "cpu_ticks")]
failed = 0
print(f"1..{len(CASES)}")
for n, case in enumerate(CASES, 1):
    try:
        case()
        print(f"ok {n} - {case.__name__.replace('_', ' ')}")
    except Exception as e:  # a failed case, whatever it was
        failed = 1
        print(f"not ok {n} - {case.__name__.replace('_', ' ')}\n# {type(e).__name__}: {e}")
    sys.stdout.flush()
sys.exit(failed)
