# SPDX-License-Identifier: Apache-2.0
"""The cluster: its clock, nodes, storages, users, knobs; what all calls share."""

import heapq
import random
import re
import threading
import time
import traceback

RELEASES = {'7.4': '7.4-17', '8.2': '8.2.7', '8.4': '8.4.14', '9.0': '9.0.11', '9.1': '9.1.4', '9.2': '9.2.11'}


class Fault(Exception):
    """An answer of the API that is an error: its status, its words, and by parameter."""

    def __init__(self, status, message='', errors=None):
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors


class Gone(Exception):
    """No answer at all: the connection ends."""


def die(text):
    raise Fault(500, text + '\n')


def bad(**errors):
    raise Fault(400, 'Parameter verification failed.\n', {k.replace('_', '-'): v + '\n' for k, v in errors.items()})


class Template:
    """A file of a storage that guests can be made from. oci: the image's configuration, or None."""

    def __init__(self, name, size=126 << 20, oci=None, broken=False, ostype='debian'):
        self.name, self.size, self.oci, self.broken, self.ostype = name, size, oci, broken, ostype
        self.ctime = 1760000000 + sum(name.encode())

    @property
    def format(self):
        for end, name in ('.tar.zst', 'tzst'), ('.tar.xz', 'txz'), ('.tar.gz', 'tgz'), ('.tar.bz2', 'tbz2'):
            if self.name.endswith(end):
                return name
        return 'tar'


class Storage:
    def __init__(self, name, kind, content, enabled=True, online=True, free=100 << 30, shared=False, nodes=None):
        self.name, self.kind, self.content, self.enabled, self.online = name, kind, content, enabled, online
        self.total, self.free, self.shared, self.nodes = 200 << 30, free, shared, nodes
        self.files = {}   # (node or '', name) -> Template

    def key(self, node, name):
        return ('' if self.shared else node, name)

    def on(self, node):
        return not self.nodes or node in self.nodes


IMAGE = {'Entrypoint': ['docker-entrypoint.sh'], 'Cmd': ['postgres'], 'Env': ['PATH=/usr/local/bin:/usr/bin:/bin', 'PG_MAJOR=16'],
         'User': '999:999', 'WorkingDir': '/var/lib/postgresql', 'StopSignal': 'SIGINT', 'Volumes': {'/var/lib/postgresql/data': {}}}

TEMPLATES = [Template('debian-12-standard_12.7-1_amd64.tar.zst'), Template('debian-12-standard_12.12-1_amd64.tar.zst'),
             Template('alpine-3.22-default_20250617_amd64.tar.xz', 3 << 20, ostype='alpine'),
             Template('postgres-16.tar', 160 << 20, oci=IMAGE),
             Template('busybox-1.tar', 4 << 20, oci={'Cmd': ['sh'], 'Env': ['PATH=/bin']}),
             Template('plain-1.tar', 4 << 20, oci={}),
             Template('broken-1.tar', 1 << 20, broken=True)]


class Node:
    def __init__(self, name, number):
        self.name, self.online, self.number = name, True, number
        self.memory, self.used = 64 << 30, (8 + 4 * number) << 30
        self.boot = time.time() - 100000


class World:
    def __init__(self, seed=1):
        self.lock = threading.RLock()
        self.random = random.Random(seed)
        self.knobs = {
            'stat_lag': 10.0, 'task_seconds': 0.03, 'quorum': True, 'version': '9.2', 'old_errors': False, 'auth401_delay': 0.05,
            'typing': True, 'keep_alive_seconds': 5.0, 'keep_alive_requests': 100, 'header_seconds': 0.3, 'gzip': True,
            'ticket_seconds': 7200.0, 'shutdown_seconds': 0.05, 'reboot_seconds': 0, 'honours_shutdown': True, 'lock_wait_seconds': 0.1,
            'dhcp_delay': 0.2, 'ha_seconds': 0.2, 'free_tags': True, 'skopeo': True, 'nextid_fixed': None, 'cert': 'leaf', 'start_fails': False,
            'bridges': ['vmbr0', 'vmbr1'],
        }
        self.skip = 0.0     # how far the virtual clock was put forward
        self.jump = 0.0     # and the wall's beside it
        self.events = []    # heap of (when, number, call)
        self.due = None     # when what is being done was due: what it leads to counts from there
        self.count = 0
        self.nodes = {n.name: n for n in (Node('pve1', 0), Node('pve2', 1))}
        self.self_node = 'pve1'
        self.pools = {'ctrctl': [], 'other': []}
        local = Storage('local', 'dir', ['vztmpl', 'iso', 'backup'])
        for node in self.nodes:
            for t in TEMPLATES:
                local.files[local.key(node, t.name)] = t
        self.storages = {s.name: s for s in (
            local, Storage('data', 'lvmthin', ['rootdir', 'images']), Storage('shared', 'nfs', ['vztmpl', 'rootdir'], shared=True),
            Storage('off', 'dir', ['vztmpl', 'rootdir'], enabled=False),
            Storage('full', 'lvmthin', ['rootdir', 'images'], free=0),
            Storage('offline', 'nfs', ['vztmpl', 'rootdir'], online=False, shared=True))}
        self.guests = {}
        self.tasks = {}
        self.rules = None   # Faults
        self.seen = {}      # /cluster/resources as of the last tick: vmid -> (status, uptime, ...)
        self.seen_at = None
        self.log = []
        self.bugs = []      # what the simulation itself stumbled over
        self.changed = threading.Condition(self.lock)
        self.serial = 0     # of changes

    # -- time --

    def mono(self):
        return time.monotonic() + self.skip

    def now(self):
        return time.time() + self.skip + self.jump

    def after(self, seconds, call):
        self.count += 1
        heapq.heappush(self.events, ((self.mono() if self.due is None else self.due) + seconds, self.count, call))

    def tick(self):
        """What has become due, in its order. With the lock held."""
        while self.events and self.events[0][0] <= self.mono():
            self.due, _, call = heapq.heappop(self.events)
            try:
                call()
            except Exception: # pylint: disable=broad-except
                self.bugs.append(traceback.format_exc())
            self.due = None
            self.serial += 1

    # -- what calls begin with --

    def release(self):
        full = RELEASES.get(self.knobs['version'], self.knobs['version'])
        return '.'.join(re.split(r'[.-]', full)[:2]), full

    def at_least(self, major, minor):
        release = self.release()[0].split('.')
        return (int(release[0]), int(release[1])) >= (major, minor)

    def need_node(self, name):
        """Passes a call on to its node."""
        if name not in self.nodes:
            die("hostname lookup '%s' failed - failed to get address info for: %s: Name or service not known" % (name, name))
        if not self.nodes[name].online:
            raise Fault(595, 'Connection refused')

    def need_quorum(self):
        if not self.knobs['quorum']:
            die('cluster not ready - no quorum?')

    def need_storage(self, name, node=None):
        s = self.storages.get(name)
        if not s:
            die("storage '%s' does not exist" % name)
        if not s.enabled:
            die("storage '%s' is disabled" % name)
        if node and not s.on(node):
            die("storage '%s' is not available on node '%s'" % (name, node))
        if not s.online:
            die("storage '%s' is not online" % name)
        return s

    def template(self, volid, node):
        """Of a volume's name: None when there is no such file."""
        store, _, rest = volid.partition(':')
        s = self.storages.get(store)
        return s and s.files.get(s.key(node, rest.partition('/')[2]))


