# SPDX-License-Identifier: Apache-2.0
"""A simulated Proxmox VE server beside each test case, on top of box.py.

    from pve import *

    def a_sentence_that_is_true(box):
        id = box.create_guest(image='lxc/debian-12')          # a CRI request with --runtime-handler proxmox; its id
        box.call('start', id).ok()
        same('running', box.status(id))
        same(1, len(box.server.guests()))

    main(globals())

Each case gets a fresh server (box.server), a settings file whose section "proxmox" points to it, and its own --root and --data. Afterwards
nothing may be left locally; box.nothing_on_the_server() says the same of the server.

box.server, a Server:
  .port .origin .fingerprint .ca_file .token_file (0600) .token ("USER@REALM!ID=SECRET") .password_file (root@pam's) .password
  .settings(**over)    the configuration's section "proxmox"; a value of None takes a key away
  .requests()          a list of {method, path, params, user, status, connection, at, seconds}; the path is below
                       /api2/json, decoded; seconds: that the server worked on it
  .tasks()             a list of {upid, type, id, user, status, exit, log}
  .guests(), .guest(vmid), .ours()     {vmid, node, kind, running, config, pending, lxc, pool, uptime}; ours: with the tag "ctrctl"
  .control(op, **args) any op of sim/control.py
  .set(knob=value)     stat_lag (10 s: so old may /cluster/resources be; a new guest is "unknown" there till then; 0: never stale),
                       task_seconds, quorum, version ("7.4" "8.2" "8.4" "9.0" "9.1" "9.2"), old_errors, auth401_delay (0.05; the real
                       server's is 3), typing (numbers as texts and back), ticket_seconds, shutdown_seconds, reboot_seconds, honours_shutdown,
                       lock_wait_seconds, start_fails, ha_seconds, dhcp_delay, free_tags, skopeo, nextid_fixed, bridges, keep_alive_seconds,
                       keep_alive_requests, gzip, cert ("leaf" "other" "expired"), seed, nodes={'pve2': 'offline'},
                       memory_used={'pve1': bytes}, storages={'data': {'enabled': False, 'online':, 'free':}}
  .migrate(vmid, node) .remove(vmid) .recreate_by_stranger(vmid) .strip_tags(vmid) .edit_description(vmid, text) .edit(vmid, key=value)
  .reboot_node(node) .ha(vmid) .lock(vmid, kind, seconds=None) .make_qemu(vmid) .make_many(first, n, tags=, description=) .advance(seconds)
  .template(name, storage='local', node='pve1', oci=None, broken=False, remove=False) .revoke() .privileges({path: [...]})
  .fault(match, do, nth=1, count=1, **args)     count=0: always; probability=, seed=. `match` is a regex, searched for in

    "METHOD /path", e.g. 'POST /nodes/pve1/lxc$':
      not carried out:  status (code, text, errors={}, empty=True, body='...'; perform=True: carried out all the same), close, rst,
                        redirect (to, code), kill (pidfile: the client gets SIGKILL)
      carried out:      drop (no answer), rst_after, close_after_headers, truncate (bytes), drip_headers, drip_body (seconds),
                        wrong_length (more), invalid_json, html, null_data, twice (a key doubled), huge (mib), gzip_garbage, body (text),
                        delay (seconds; before it is), hold (before it is, until clear_faults()), kill_after (pidfile),
                        gather (n; with count=n: the answers wait until n such requests have been carried out)
      control (op, args={}, after=False)        something else happens first (or right after it): quorum lost, a migration, the id taken:
                        do='control', op='make_qemu', args={'vmid': '$vmid'}    ($vmid: that of the request)
    "TASK kind id", e.g. 'TASK vzcreate': fail (text, log=[]), fail_first (before it has done anything), warn (warnings=n, text), never,
                        vanish (exit status "unexpected status", as after a reboot of the node), slow (seconds)
    "CONNECT":          rst, close, delay (seconds), stall (seconds; in the TLS handshake), cert (cert='other'), control

Nodes: pve1 (the one that answers), pve2. Storages: local (templates), data (root file systems), shared (both), off, full, offline.
Templates on local: debian-12-standard 12.7-1 and 12.12-1, alpine-3.22-default, postgres-16.tar and busybox-1.tar (OCI archives),
plain-1.tar (one without a command), broken-1.tar. Pools: ctrctl, other. Users: the token ctrctl@pve!ctrl, root@pam, ops@pve."""

import fcntl
import glob
import os
import re
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'kernel'))

from pods import *  # noqa: E402,F403 pylint: disable=wrong-import-position
import box as box_module  # noqa: E402 pylint: disable=wrong-import-position

BUILD = os.environ.get('BUILD', '')
SAN = 'subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost,DNS:pve1,DNS:pve1.example\nbasicConstraints=CA:FALSE\n'


# -- keys and certificates -------------------------------------------------------------------------------

def openssl(*args, text=None):
    done = subprocess.run(['openssl', *args], input=text, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise RuntimeError('openssl %s: %s' % (' '.join(args), done.stderr))


def make_certificates(folder):
    """A CA, and three leaves of it: the server's, another, one that has expired."""
    def path(name):
        return os.path.join(folder, name)
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', path('ca.key'))
    openssl('req', '-x509', '-new', '-key', path('ca.key'), '-days', '3650', '-out', path('ca.pem'),
            '-subj', '/CN=Proxmox Virtual Environment/OU=sim/O=PVE Cluster Manager CA')
    with open(path('ext'), 'w', encoding='ascii') as f:
        f.write(SAN)
    for serial, (name, days) in enumerate((('leaf', '3650'), ('other', '3650'), ('expired', '-1')), 2):
        openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', path(name + '.key'))
        openssl('req', '-new', '-key', path(name + '.key'), '-subj', '/OU=PVE Cluster Node/CN=pve1.example', '-out', path('csr'))
        openssl('x509', '-req', '-in', path('csr'), '-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-set_serial', str(serial),
                '-days', days, '-extfile', path('ext'), '-out', path(name + '.pem'))


def certificates():
    """Their folder: made once per build folder, where there is one."""
    folder = os.path.join(BUILD or tempfile.gettempdir(), 'proxmox-certificates')
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'lock'), 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(folder, 'whole')):
            make_certificates(folder)
            with open(os.path.join(folder, 'whole'), 'w', encoding='ascii'):
                pass
    return folder


# -- the server ------------------------------------------------------------------------------------------

class Server:
    """A process of its own, which ends with this one or with close()."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        certs = certificates()
        self.child = subprocess.Popen([sys.executable, os.path.join(HERE, 'sim.py'), folder, certs], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)
        said = json.loads(self.child.stdout.readline())
        self.port, self.fingerprint = said['port'], said['fingerprint']
        self.token, self.password = said['token'], said['password']
        self.origin = 'https://127.0.0.1:%d' % self.port
        self.ca_file = os.path.join(certs, 'ca.pem')
        self.token_file = self.secret('token', self.token)
        self.password_file = self.secret('password', self.password)
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.door.connect(os.path.join(folder, 'control'))
        self.lines = self.door.makefile('rw', encoding='utf-8', errors='surrogateescape')

    def secret(self, name, text):
        path = os.path.join(self.folder, name)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w') as f:
            f.write(text + '\n')
        return path

    def close(self):
        if self.child.poll() is None:
            self.lines.close()
            self.door.close()
            self.child.stdin.close()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def settings(self, **over):
        section = {
            'endpoint': self.origin, 'fingerprint': self.fingerprint, 'tokenFile': self.token_file, 'vmids': [200000, 299999],
            'storage': 'data', 'templateStorages': ['local'], 'network': {'bridge': 'vmbr0', 'ip': 'dhcp'},
            'timeouts': {'rebootSeconds': 2}, **over}
        return {k: v for k, v in section.items() if v is not None}

    def as_root(self, **over):
        """The section for a login as root@pam."""
        return self.settings(**{'tokenFile': None, 'user': 'root@pam', 'passwordFile': self.password_file, **over})

    # -- its other door --

    def control(self, op, /, **args):
        self.lines.write(json.dumps({'op': op, 'args': args}) + '\n')
        self.lines.flush()
        answer = json.loads(self.lines.readline())
        if 'error' in answer:
            raise RuntimeError('%s: %s' % (op, answer['error']))
        return answer['result']

    def set(self, **knobs):
        self.control('set', **knobs)

    def fault(self, match, do, **args):
        self.control('fault', match=match, do=do, **args)

    def clear_faults(self):
        self.control('clear_faults')

    def faults(self):
        return self.control('faults')

    def requests(self, pattern=None):
        """All, or those whose "METHOD /path" has the pattern."""
        return [r for r in self.control('requests') if not pattern or re.search(pattern, '%s %s' % (r['method'], r['path']))]

    def clear_requests(self):
        self.control('clear_requests')

    def tasks(self, kind=None):
        return [t for t in self.control('tasks') if not kind or t['type'] == kind]

    def guests(self):
        return self.control('guests')

    def guest(self, vmid):
        return self.control('guest', vmid=vmid)

    def ours(self):
        return [g for g in self.guests() if 'ctrctl' in g['config'].get('tags', '').split(';')]

    def migrate(self, vmid, node):
        self.control('migrate', vmid=vmid, node=node)

    def remove(self, vmid):
        self.control('remove', vmid=vmid)

    def recreate_by_stranger(self, vmid, running=False):
        self.control('recreate', vmid=vmid, running=running)

    def edit(self, vmid, **values):
        self.control('edit', vmid=vmid, **values)

    def strip_tags(self, vmid):
        self.edit(vmid, tags=None)

    def edit_description(self, vmid, text):
        self.edit(vmid, description=text)

    def lock(self, vmid, kind, seconds=None):
        self.control('lock', vmid=vmid, kind=kind, seconds=seconds)

    def make_qemu(self, vmid, node='pve1'):
        self.control('make_qemu', vmid=vmid, node=node)

    def make_many(self, first, n, **more):
        self.control('make_many', first=first, n=n, **more)

    def ha(self, vmid):
        self.control('ha', vmid=vmid)

    def reboot_node(self, node):
        self.control('reboot_node', node=node)

    def advance(self, seconds):
        self.control('advance', seconds=seconds)

    def template(self, name, **more):
        self.control('template', name=name, **more)

    def revoke(self):
        self.control('token', revoked=True)

    def finish(self):
        """Waits until it has dealt with all that clients, which have ended, have sent: connections are accepted in their order."""
        with socket.create_connection(('127.0.0.1', self.port)) as last:
            port = last.getsockname()[1]
        while self.control('connections') != {'open': 0, 'last': port}:
            time.sleep(0.01)

    def privileges(self, by_path):
        self.control('token', privileges=by_path)


# -- boxes -----------------------------------------------------------------------------------------------

class PveBox(box_module.Box):
    def __init__(self, folder):
        super().__init__(folder)
        self.server = Server(os.path.join(folder, 'server'))
        self.settings_file = os.path.join(folder, 'settings.json')
        self.configure()
        self.globals += ['--settings', self.settings_file]
        self.reports = os.path.join(folder, 'sanitizer')
        os.mkdir(self.reports)
        self.sanitizer(leaks=True)

    def sanitizer(self, leaks):
        """What a build with sanitizers finds goes to files, and fails the case. Under strace leaks can't be looked for."""
        os.environ['ASAN_OPTIONS'] = 'detect_leaks=%d:exitcode=99:log_path=%s' % (leaks, os.path.join(self.reports, 'address'))
        os.environ['UBSAN_OPTIONS'] = 'print_stacktrace=1:halt_on_error=1:exitcode=99:log_path=' + os.path.join(
            self.reports, 'undefined')

    def configure(self, section=None, **over):
        """Writes the settings file: the server's section with these keys changed, or another section. More: other sections."""
        others = over.pop('others', {})
        with open(self.settings_file, 'w', encoding='utf-8') as f:
            json.dump({'proxmox': section or self.server.settings(**over), **others}, f)

    def pod(self, name='pod', **more):
        """A pod for guests: its id. One per name."""
        self.pods = getattr(self, 'pods', {})
        self.by_name = getattr(self, 'by_name', {})
        if name not in self.by_name:
            config = {'metadata': {'name': name, 'namespace': 'default', 'uid': UID, 'attempt': 0}, 'hostname': name, **more}
            id = self.call('sandbox', 'run', '--runtime-handler', 'proxmox', write(self, config, name + '.json')).ok().out.strip()
            self.by_name[name] = id
            self.pods[id] = config
        return self.by_name[name]

    def guest_request(self, name='main', image='lxc/debian-12', pod='pod', **more):
        """A CreateContainerRequest for a guest, in a pod that is run for it; more: as request() of pods.py."""
        return request(self, self.pod(pod), name=name, image=image, **more)

    def try_guest(self, name='main', image='lxc/debian-12', **more):
        """ctrctl create; its Result."""
        path = write(self, self.guest_request(name, image, **more), 'request-%s.json' % name)
        return self.call('create', '--request', path)

    def create_guest(self, name='main', image='lxc/debian-12', **more):
        return json.loads(self.try_guest(name, image, **more).ok().out)['containerId']

    def vmid(self, id):
        """What the server knows a container by: asked of the server."""
        found = [g for g in self.server.guests() if id in g['config'].get('description', '')]
        same(1, len(found), 'guests of %s' % id)
        return found[0]['vmid']

    def guest(self, id):
        return self.server.guest(self.vmid(id))

    def let_time_pass(self, seconds=60):
        """As if what was sent had been so long ago: delete waits for what may come late. Whoever has sent it has ended."""
        self.server.finish()
        for path in glob.glob(os.path.join(self.data, 'guests', '*', 'guest.json')):
            with open(path, encoding='utf-8') as f:
                journal = json.load(f)
            journal['sent'] = max(0, journal.get('sent', 0) - seconds)
            with open(path, 'w', encoding='utf-8') as f:
                json.dump(journal, f)

    def nothing_on_the_server(self):
        same([], self.server.ours(), 'guests on the server')

    # -- the end --

    def clean(self):
        self.server.clear_faults()
        guests = os.path.join(self.data, 'guests')
        if os.path.isdir(guests):
            for id in sorted(os.listdir(guests)):
                if not id.startswith('.'):
                    self.call('delete', '--force', id)
        super().clean()

    def left(self):
        """Local traces, what sanitizers have found, and what the simulation stumbled over."""
        found = ['simulation: ' + bug for bug in self.server.control('bugs')]
        guests = os.path.join(self.data, 'guests')
        if os.path.isdir(guests) and [n for n in os.listdir(guests) if not n.startswith('.')]:
            found.append('records: %s' % os.listdir(guests))
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open('/proc/%s/cmdline' % pid, 'rb') as f:
                    words = f.read()
            except OSError:
                continue
            if self.folder.encode() in words and int(pid) != self.server.child.pid:
                found.append('process %s: %s' % (pid, words.replace(b'\0', b' ').decode(errors='replace')))
        for name in sorted(os.listdir(self.reports)):
            with open(os.path.join(self.reports, name), encoding='utf-8', errors='replace') as f:
                text = f.read()
            # Killed with the process that it served, while it looked for leaks at its own end: that says nothing.
            if not re.fullmatch(r'==\d+==Unable to get registers from thread \d+\.\s*', text):
                found.append('sanitizer: ' + text)
        return found

    def close(self):
        self.server.close()


def clone_guests(box, id, n):
    """Makes it n guests on record: the others' records are copies of its own under other ids. Returns these."""
    vmid = box.vmid(id)
    config = box.server.guest(vmid)['config']
    folder = os.path.join(box.data, 'guests')
    ids = []
    for i in range(1, n):
        new_id, new_vmid = '%016x' % (0xabc0000000000000 + i) + id[16:], 500000 + i

        def renamed(text):
            return text.replace(id, new_id).replace(id[:16], new_id[:16]).replace(str(vmid), str(new_vmid))  # pylint: disable=cell-var-from-loop
        shutil.copytree(os.path.join(folder, id), os.path.join(folder, new_id))
        for name in os.listdir(os.path.join(folder, new_id)):
            path = os.path.join(folder, new_id, name)
            with open(path, encoding='utf-8') as f:
                text = f.read()
            with open(path, 'w', encoding='utf-8') as f:
                f.write(renamed(text))
        box.server.control('make_guest', vmid=new_vmid, config={k: renamed(config[k]) for k in ('tags', 'description')})
        ids.append(new_id)
    return ids


def forget(box, ids):
    """Removes records without asking ctrctl."""
    for id in ids:
        shutil.rmtree(os.path.join(box.data, 'guests', id))


def main(names):
    box_module.main(names, PveBox)
