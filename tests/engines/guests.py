#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Engines make guests of a (simulated) Proxmox VE server of images named lxc/...: containerd (ctr), with ctrctl behind its runc shim, and
Podman."""
import os
import sys
import tempfile

# What the engines' root lacks is this machine's; the build folder can't be written to in the VM.
os.environ['BUILD'] = work = tempfile.mkdtemp()
os.environ['PATH'] += ':/host/usr/bin'
os.environ.setdefault('OPENSSL_CONF', '/host/etc/ssl/openssl.cnf')
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), '..', 'proxmox'))
from pve import *  # noqa: E402,F403

IMAGE = 'docker.io/lxc/debian-12:latest'  # as engines complete the name lxc/debian-12
NAMED = ['--annotation', 'io.kubernetes.cri.container-type=container', '--annotation', 'io.kubernetes.cri.image-name=' + IMAGE]
WAIVED = ['no-new-privileges', 'resources']


def ctr(*args, ok=True):
    done = subprocess.run(['ctr', *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    if ok and done.returncode:
        fail('ctr %s: %d: %s%s' % (' '.join(args), done.returncode, done.stdout, done.stderr))
    return done


class Containerd:
    """One for all cases, with a placeholder image of the guest's name."""

    def __init__(self, folder):
        config = os.path.join(folder, 'config.toml')
        with open(config, 'w', encoding='ascii') as f:
            f.write('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        self.log = open(os.path.join(folder, 'log'), 'wb')
        self.child = subprocess.Popen(['containerd', '-c', config, '-l', 'warn'], stdin=subprocess.DEVNULL, stdout=self.log,
                                      stderr=self.log)
        eventually(lambda: ctr('version', ok=False).returncode == 0, 30, 'containerd')
        empty = os.path.join(folder, 'rootfs')
        os.mkdir(empty)
        for image, rootfs, command in ((IMAGE, empty, '/sbin/init'), ('localhost/busybox:test', BUSYBOX, '/bin/sh')):
            archive = os.path.join(folder, 'guest.tar' if image == IMAGE else 'image.tar')
            subprocess.run([os.path.join(os.environ['SOURCE'], 'tools/pack-image'), rootfs, image, archive, command], check=True,
                           timeout=120)
            ctr('image', 'import', archive)

    def close(self):
        self.child.terminate()
        self.child.wait()
        self.log.close()


def settings(box, **more):
    """The shim gives no --settings: the usual file. What it says is the VM's alone."""
    box.configure(waive=WAIVED, **more)
    os.makedirs('/etc/ctrctl', exist_ok=True)
    shutil.copy(box.settings_file, '/etc/ctrctl/config.json')


def run(*args, image=IMAGE, command=(), named=NAMED, ok=True):
    return ctr('run', '-d', '--runtime', 'io.containerd.runc.v2', '--runc-binary', CTRCTL, *named, *args[:-1], image, args[-1], *command,
               ok=ok)


def tasks():
    """By id: pid and status."""
    return {words[0]: (int(words[1]), words[2]) for words in map(str.split, ctr('task', 'ls').stdout.splitlines()[1:])}


def state(id, root='/run/containerd/runc/default'):
    done = subprocess.run([CTRCTL, '--root', root, 'state', id], capture_output=True, text=True, timeout=60, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def ended(id, code):
    """The task has ended, and goes with this exit status."""
    eventually(lambda: tasks()[id][1] == 'STOPPED', 30, 'end of the task')
    done = ctr('task', 'rm', id, ok=False)
    if code:
        has(done.stderr, 'exit code %d' % code)
    else:
        same((0, ''), (done.returncode, done.stderr), 'ctr task rm')
    ctr('container', 'rm', id)


# -- cases -----------------------------------------------------------------------------------------------

def ctr_makes_runs_and_ends_a_guest(box):
    settings(box)
    run('g1')
    pid, status = tasks()['g1']
    same('RUNNING', status)
    found = state('g1')
    same(('proxmox', 'running', pid), (found['backend'], found['status'], found['pid']))
    with open('/proc/%d/comm' % pid, encoding='ascii') as f:
        same('ctrctl-guest', f.read().strip())
    guest = box.server.guest(int(found['guest']['vmid']))
    assert guest['running']
    has(guest['config']['description'], '"id":"g1"')
    ctr('task', 'kill', '-s', 'TERM', 'g1')
    ended('g1', 0)
    box.nothing_on_the_server()
    same(None, state('g1'))


def a_kill_is_status_137(box):
    settings(box)
    run('g2')
    ctr('task', 'kill', '-s', 'KILL', 'g2')
    ended('g2', 137)
    box.nothing_on_the_server()


def a_guest_that_ends_by_itself_ends_the_task(box):
    settings(box)
    run('g3')
    box.server.control('state', vmid=int(state('g3')['guest']['vmid']), running=False)
    ended('g3', 255)
    box.nothing_on_the_server()


def a_command_and_variables_reach_the_guest(box):
    settings(box)
    run('--env', 'A=b c', 'g4', command=('/usr/bin/sleep', '1000'))
    config = box.server.guest(int(state('g4')['guest']['vmid']))['config']
    same(('/usr/bin/sleep 1000', 'A=b c'), (config['entrypoint'], config['env']))
    ctr('task', 'kill', '-s', 'KILL', 'g4')
    ended('g4', 137)


def a_killed_shim_process_leaves_a_guest_that_delete_removes(box):
    settings(box)
    run('g5')
    os.kill(tasks()['g5'][0], 9)
    ended('g5', 137)
    box.nothing_on_the_server()


def a_pods_own_container_is_native_and_its_guest_needs_a_waiver(box):
    settings(box)
    run('pause', image='localhost/busybox:test', command=('sleep', '1000'),
        named=['--annotation', 'io.kubernetes.cri.container-type=sandbox', '--annotation', 'io.kubernetes.cri.image-name=' + IMAGE])
    same('native', state('pause')['backend'])
    same([], box.server.requests(), 'requests')
    share = ['--with-ns', 'network:/proc/%d/ns/net' % tasks()['pause'][0]]
    done = run(*share, 'g6', ok=False)
    has(done.stderr, "can't share a pod's")
    has(done.stderr, 'pod-namespaces')
    same([], box.server.requests('POST'), 'requests')
    ctr('container', 'rm', 'g6', ok=False)
    WAIVED.append('pod-namespaces')
    try:
        settings(box)
        run(*share, 'g6')
    finally:
        WAIVED.remove('pod-namespaces')
    has(state('g6')['guest']['waived'], 'pod-namespaces')
    ctr('task', 'kill', '-s', 'TERM', 'g6')
    ended('g6', 0)
    ctr('task', 'kill', '-s', 'KILL', 'pause')
    ended('pause', 137)


def what_cant_be_given_is_said_by_ctr(box):
    settings(box)
    done = run('--mount', 'type=bind,src=/srv,dst=/srv,options=rbind:ro', 'g7', ok=False)
    assert done.returncode
    has(done.stderr, 'mounts[')
    has(done.stderr, 'proxmox.localNode')
    same([], box.server.requests('POST'), 'requests')
    ctr('container', 'rm', 'g7', ok=False)


# -- Podman ----------------------------------------------------------------------------------------------

def podman(*args, ok=True):
    done = subprocess.run(['podman', '--runtime', CTRCTL, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          check=False)
    if ok and done.returncode:
        fail('podman %s: %d: %s%s' % (' '.join(args), done.returncode, done.stdout, done.stderr))
    return done


def podman_makes_runs_stops_and_removes_a_guest(box):
    """conmon waits for the process that stands for it."""
    WAIVED.extend(['kubelet-mounts', 'pod-namespaces', 'sysctls'])
    try:
        settings(box)
    finally:
        del WAIVED[-3:]
    podman('run', '-d', '--name', 'p1', '--network', 'none', '--systemd', 'false', *NAMED[2:], IMAGE)
    same('running', podman('inspect', '-f', '{{.State.Status}}', 'p1').stdout.strip())
    same([True], [g['running'] for g in box.server.ours()])
    podman('stop', '-t', '20', 'p1')
    same('0', podman('inspect', '-f', '{{.State.ExitCode}}', 'p1').stdout.strip())
    podman('rm', 'p1')
    box.nothing_on_the_server()


daemon = Containerd(work)
try:
    podman('load', '-i', os.path.join(work, 'guest.tar'))
    main(globals())
finally:
    daemon.close()
    sys.stderr.write(open(os.path.join(work, 'log'), encoding='utf-8', errors='replace').read())
    shutil.rmtree(work)
