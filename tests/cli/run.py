#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Transcripts of the command line: run.py PROGRAM FILE...

A file holds commands ("$ ..."), each followed by what it must print ("| " standard output, "! " standard error) and its exit
status when it isn't 0 ("= 1"). Commands run in bash, in a fresh folder with a bundle B; `ctrctl` is PROGRAM on a root folder of
its own. UPDATE=1 rewrites the files with what is seen. Output: TAP.
"""
import ctypes
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CONFIG = {
    "ociVersion": "1.3.0",
    "process": {"cwd": "/", "user": {"uid": 0, "gid": 0}, "args": ["/bin/sleep", "50"],
                "env": ["PATH=/usr/bin:/bin"]},
    "root": {"path": "rootfs"},
    "annotations": {"org.example/key": "value"},
    "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]},
}

RULES = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r'"pid": ?[1-9]\d*', '"pid": PID'),
    (r"held by pid \d+", "held by pid PID"),
    (r"^commit: .*", "commit: COMMIT"),
    (r"ctrctl version [0-9.]+", "ctrctl version VERSION"),
]


# q EXPRESSION: a value out of the JSON on standard input (j); q STATEMENT: the JSON after it.
Q = f"""#!{sys.executable}
import json, sys
j = json.load(sys.stdin)
try:
    v = eval(sys.argv[1])
    print("\\n".join(v) if isinstance(v, list) else v if isinstance(v, str) else json.dumps(v))
except SyntaxError:
    exec(sys.argv[1])
    print(json.dumps(j))
"""


class Stage:
    """A folder with a bundle, a root folder, and ctrctl in the PATH."""

    def __init__(self, program):
        self.dir = tempfile.mkdtemp(prefix="ctrctl-cli-")
        top = pathlib.Path(self.dir)
        (top / "B/rootfs").mkdir(parents=True)
        (top / "B/config.json").write_text(json.dumps(CONFIG))
        (top / "bin").mkdir()
        wrapper = top / "bin/ctrctl"
        wrapper.write_text(f'#!/bin/sh\nexec {program} --root {self.dir}/R "$@"\n')
        wrapper.chmod(0o755)
        helper = top / "bin/q"
        helper.write_text(Q)
        helper.chmod(0o755)
        self.env = {"PATH": f"{top}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C"}

    def run(self, command):
        # files, not pipes: a container that outlives its command keeps them open
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            status = subprocess.run(["bash", "-c", command], cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=err, timeout=60).returncode
            out.seek(0)
            err.seek(0)
            return (status, out.read().decode(errors="backslashreplace"), err.read().decode(errors="backslashreplace"))

    def plain(self, text):
        text = text.replace(self.dir, "/T")
        for pattern, word in RULES:
            text = re.sub(pattern, word, text, flags=re.M)
        return text

    def close(self):
        self.run("for i in $(ctrctl list -q); do ctrctl delete --force $i; done")
        shutil.rmtree(self.dir)


def bury():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def play(program, text):
    """The transcript as it comes out now."""
    out = []
    stage = Stage(program)
    try:
        for line in text.splitlines():
            if line.startswith("#") or not line:
                out.append(line)
            if not line.startswith("$ "):
                continue
            (status, stdout, stderr) = stage.run(line[2:])
            bury()
            out.append(line)
            out += ["| " + l for l in stage.plain(stdout).splitlines()]
            out += ["! " + l for l in stage.plain(stderr).splitlines()]
            if status:
                out.append(f"= {status}")
    finally:
        stage.close()
    return "\n".join(out) + "\n"


def main():
    program = os.path.abspath(sys.argv[1])
    failed = 0
    # containers outlive the command that made them: they come to us
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    print(f"1..{len(sys.argv) - 2}")
    for n, name in enumerate(sys.argv[2:], 1):
        path = pathlib.Path(name)
        want = path.read_text()
        got = play(program, want)
        if os.environ.get("UPDATE") and got != want:
            path.write_text(got)
            want = got
        print(f"{'ok' if got == want else 'not ok'} {n} - {path.stem.replace('-', ' ')}")
        if got != want:
            failed = 1
            (a, b) = (want.splitlines(), got.splitlines())
            import difflib
            for line in difflib.unified_diff(a, b, "wanted", "got", lineterm="", n=2):
                print("# " + line)
    return failed


sys.exit(main())
