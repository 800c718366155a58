# SPDX-License-Identifier: Apache-2.0
"""Guests that are there: lists, state, start, stop, shutdown, reboot, destroy."""

import hashlib

from sim import auth, schema, tasks
from sim.tasks import Failed
from sim.world import Fault, die

CONFIG = schema.ENDPOINTS['PUT /nodes/{node}/lxc/{vmid}/config']['properties']


class Guest:
    def __init__(self, vmid, node, kind='lxc', config=None):
        self.vmid, self.node, self.kind = vmid, node, kind
        self.config = config or {}
        self.pending = {}        # key -> value, None: to be deleted
        self.running, self.since, self.pid = False, None, None
        self.oci = []            # its lxc.* lines
        self.pool = None
        self.honours_shutdown = None   # None: the knob
        self.shutdown_task = None
        self.ha = False           # the cluster's manager starts and stops it
        self.env_of_image = None

    def digest(self):
        text = ''.join('%s: %s\n' % (k, v) for k, v in sorted(self.config.items()))
        text += ''.join('%s: %s\n' % tuple(pair) for pair in self.oci)
        text += ''.join('[pve:pending]%s: %s\n' % (k, v) for k, v in sorted(self.pending.items()))
        return hashlib.sha1(text.encode('utf-8', 'surrogateescape')).hexdigest()

    def apply_pending(self):
        for key, value in self.pending.items():
            if value is None:
                self.config.pop(key, None)
            else:
                self.config[key] = value
        self.pending = {}

    def begin(self, world):
        self.running, self.since = True, world.mono()
        world.count += 1
        self.pid = 20000 + world.count

    def halt(self):
        self.running, self.since, self.pid = False, None, None

    def uptime(self, world):
        return int(world.mono() - self.since) if self.running else 0


def typed(key, text):
    """As PVE gives it: numbers where its schema says so."""
    kind = (schema.property_of(CONFIG, key) or {}).get('type')
    if kind in ('integer', 'boolean') and text.lstrip('+-').isdigit():
        return int(text)
    return text


def missing(node, vmid):
    die("Configuration file 'nodes/%s/lxc/%s.conf' does not exist" % (node, vmid))


def at(world, node, vmid):
    guest = world.guests.get(int(vmid))
    return guest if guest and guest.kind == 'lxc' and guest.node == node else None


def of(call):
    return at(call.world, call.params['node'], call.params['vmid']) or missing(call.params['node'], call.params['vmid'])


def need_unlocked(guest, *but):
    lock = guest.config.get('lock')
    if lock and lock not in but:
        die('CT is locked (%s)' % lock)


# -- what is known of one --------------------------------------------------------------------------------

def gib(text):
    number = text.rstrip('KMGT')
    return int(float(number) * {'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30, 'T': 1 << 40}.get(text[len(number):], 1))


def facts(world, g):
    """Of a list's row."""
    c = g.config
    disk = dict(p.partition('=')[::2] for p in c.get('rootfs', '').split(','))
    row = {'vmid': g.vmid, 'status': 'running' if g.running else 'stopped', 'name': c.get('hostname', 'CT%d' % g.vmid), 'type': 'lxc',
           'cpus': int(c.get('cores', 4)), 'cpu': 0.01 if g.running else 0, 'maxmem': int(c.get('memory', 512)) << 20,
           'maxswap': int(c.get('swap', 512)) << 20, 'mem': 12 << 20 if g.running else 0, 'disk': 300 << 20 if g.running else 0,
           'maxdisk': gib(disk.get('size', '4G')), 'uptime': g.uptime(world), 'netin': 1000, 'netout': 2000, 'diskread': 4096,
           'diskwrite': 8192, 'swap': 0}
    for key in 'tags', 'lock':
        if c.get(key):
            row[key] = c[key]
    if c.get('template') == '1':
        row['template'] = 1
    if g.running:
        row['pid'] = g.pid
    return row


def listing(call):
    w = call.world
    return [facts(w, g) for g in w.guests.values()
            if g.kind == 'lxc' and g.node == call.params['node'] and call.may('/vms/%d' % g.vmid, 'VM.Audit')]


def current(call):
    g = of(call)
    return {**facts(call.world, g), 'ha': {'managed': 1, 'state': 'started', 'group': None} if g.ha else {'managed': 0}}


def config(call):
    g = of(call)
    values = dict(g.config)
    if call.params.get('current') != '1':
        for key, value in g.pending.items():
            values.pop(key, None)
            if value is not None:
                values[key] = value
    found = {k: typed(k, v) for k, v in values.items()}
    if g.oci:
        found['lxc'] = [list(pair) for pair in g.oci]
    found['digest'] = g.digest()
    return found


def pending(call):
    g = of(call)
    rows = []
    for key in sorted({*g.config, *g.pending}):
        row = {'key': key}
        if key in g.config:
            row['value'] = typed(key, g.config[key])
        if key in g.pending:
            if g.pending[key] is None:
                row['delete'] = 1
            else:
                row['pending'] = typed(key, g.pending[key])
        rows.append(row)
    return rows


def interfaces(call):
    g = of(call)
    if not g.running:
        return None
    found = [{'name': 'lo', 'hwaddr': '00:00:00:00:00:00', 'hardware-address': '00:00:00:00:00:00', 'inet': '127.0.0.1/8',
              'inet6': '::1/128', 'ip-addresses': [{'ip-address': '127.0.0.1', 'ip-address-type': 'inet', 'prefix': 8}]}]
    for key in sorted(k for k in g.config if k.startswith('net') and k[3:].isdigit()):
        net = dict(p.partition('=')[::2] for p in g.config[key].split(','))
        mac = net.get('hwaddr', '').lower()
        row = {'name': net['name'], 'hwaddr': mac, 'hardware-address': mac, 'ip-addresses': []}
        ip = net.get('ip')
        if ip == 'dhcp':
            late = call.world.mono() - g.since < call.world.knobs['dhcp_delay']
            ip = None if late else '10.1.%d.%d/16' % (g.vmid // 250 % 250, g.vmid % 250 + 1)
        if ip and ip != 'manual':
            row['inet'] = ip
            address, _, bits = ip.partition('/')
            row['ip-addresses'].append({'ip-address': address, 'ip-address-type': 'inet', 'prefix': int(bits)})
        found.append(row)
    return found


# -- what is done to one ---------------------------------------------------------------------------------

def start_steps(world, node, vmid, skip=False):
    yield world.knobs['task_seconds']
    g = at(world, node, vmid) or missing(node, vmid)
    if not skip:
        need_unlocked(g, 'mounted')
    if g.running:
        raise Failed('CT %d already running' % g.vmid)
    for key in [k for k in g.config if k.startswith('net') and k[3:].isdigit()]:
        bridge = dict(p.partition('=')[::2] for p in g.config[key].split(',')).get('bridge')
        if not bridge or bridge not in world.knobs['bridges']:
            raise Failed("bridge '%s' does not exist" % (bridge or ''))
    for key in [k for k in g.config if k.startswith('mp') and g.config[k].startswith('/srv/missing')]:
        raise Failed("directory '%s' does not exist" % g.config[key].split(',')[0])
    if world.knobs['start_fails']:
        raise Failed("startup for container '%d' failed" % g.vmid)
    g.apply_pending()
    g.begin(world)


def by_manager(call, g, kind, change):
    """The task only tells the manager, which acts later."""
    w = call.world

    def steps():
        yield w.knobs['task_seconds']
        w.after(w.knobs['ha_seconds'], change)
    return tasks.begin(w, g.node, kind, g.vmid, call.user, steps())


def started(world, g):
    g.apply_pending()
    g.begin(world)


def start(call):
    w, p = call.world, call.params
    if call.flag('skiplock') and call.user != 'root@pam':
        raise Fault(403, 'Permission check failed (skiplock is only allowed for root@pam)\n')
    w.need_quorum()
    g = at(w, p['node'], p['vmid'])
    if g and g.running:
        die('CT %s already running' % p['vmid'])
    if g and g.ha:
        return by_manager(call, g, 'hastart', lambda: started(w, g))
    return tasks.begin(w, p['node'], 'vzstart', p['vmid'], call.user, start_steps(w, p['node'], p['vmid'], call.flag('skiplock')))


def need_running(call, what='CT'):
    g = at(call.world, call.params['node'], call.params['vmid'])
    if not g:
        missing(call.params['node'], call.params['vmid'])
    if not g.running:
        die('%s %s not running' % (what, call.params['vmid']))
    return g


def stop(call):
    w, p = call.world, call.params
    if call.flag('skiplock') and call.user != 'root@pam':
        raise Fault(403, 'Permission check failed (skiplock is only allowed for root@pam)\n')
    g = need_running(call)
    if g.ha:
        return by_manager(call, g, 'hastop', g.halt)
    skip = call.flag('skiplock')

    def steps():
        if g.shutdown_task and g.shutdown_task.running:
            if call.flag('overrule-shutdown'):
                g.shutdown_task.cancel()
            else:
                yield w.knobs['lock_wait_seconds']
                if g.shutdown_task.running:
                    raise Failed("can't lock file '/run/lock/lxc/pve-config-%d.lock' - got timeout" % g.vmid)
        if not skip:
            need_unlocked(g)
        yield w.knobs['task_seconds']
        if g.running:
            g.halt()
    return tasks.begin(w, p['node'], 'vzstop', p['vmid'], call.user, steps())


def ends(world, g, timeout):
    """How long a guest takes to end by itself; more than the time-out when it doesn't."""
    honours = world.knobs['honours_shutdown'] if g.honours_shutdown is None else g.honours_shutdown
    return world.knobs['shutdown_seconds'] if honours else timeout + 1


def shutdown(call):
    w, p = call.world, call.params
    g = need_running(call)
    if g.ha:
        return by_manager(call, g, 'hastop', g.halt)
    timeout, force = float(p.get('timeout', 60)), call.flag('forceStop')

    def steps():
        need_unlocked(g)
        yield min(ends(w, g, timeout), timeout)
        if ends(w, g, timeout) > timeout and g.running:
            if not force:
                raise Failed('container did not stop')
            g_say('hard stop after the time-out')
        g.halt()

    def g_say(text):
        g.shutdown_task.say(text)
    upid = tasks.begin(w, p['node'], 'vzshutdown', p['vmid'], call.user, steps())
    g.shutdown_task = w.tasks[upid]
    return upid


def restart(world, g):
    """Down, and up again after a while."""
    g.halt()
    g.apply_pending()
    if world.knobs['reboot_seconds']:
        yield world.knobs['reboot_seconds']
    g.begin(world)


def begin_reboot(world, g, user, timeout=60):
    def steps():
        need_unlocked(g)
        yield min(ends(world, g, timeout), timeout)
        yield from restart(world, g)
    return tasks.begin(world, g.node, 'vzreboot', g.vmid, user, steps())


def reboot(call):
    g = need_running(call, 'VM')
    return begin_reboot(call.world, g, call.user, float(call.params.get('timeout', 60)))


def freeze(call):
    need_running(call)

    def steps():
        yield call.world.knobs['task_seconds']
        raise Failed('suspending the container failed')
    return tasks.begin(call.world, call.params['node'], 'vzsuspend', call.params['vmid'], call.user, steps())


def resume(call):
    def steps():
        yield call.world.knobs['task_seconds']
        raise Failed('command \'systemd-run\' failed: exit code 1')
    return tasks.begin(call.world, call.params['node'], 'vzresume', call.params['vmid'], call.user, steps())


def remove(world, g):
    """Without traces."""
    if world.guests.get(g.vmid) is g:
        del world.guests[g.vmid]
    for members in world.pools.values():
        if g.vmid in members:
            members.remove(g.vmid)
    world.serial += 1


def destroy(call):
    w, p = call.world, call.params
    w.need_quorum()
    g = of(call)
    need_unlocked(g)
    if g.config.get('protection') == '1':
        die("can't remove CT %d - protection mode enabled" % g.vmid)
    if g.ha and not call.flag('purge'):
        die('unable to remove CT %d - used in HA resources and purge parameter not set.' % g.vmid)
    if g.running and not call.flag('force'):
        die('unable to destroy CT %d - container is running' % g.vmid)

    def steps():
        need_unlocked(g)
        if g.running:
            g.halt()
        g.config['lock'] = 'destroyed'
        yield w.knobs['task_seconds']
        remove(w, g)
    return tasks.begin(w, p['node'], 'vzdestroy', p['vmid'], call.user, steps())


def index(call):
    of(call)
    return [{'subdir': name} for name in ('config', 'pending', 'status', 'interfaces')]


def may_see(call):
    auth.need(call, '/vms/%s' % call.params['vmid'], 'VM.Audit')
    return index(call)


BASE = '/nodes/{node}/lxc'
CALLS = {
    'GET ' + BASE: listing,
    'GET ' + BASE + '/{vmid}': may_see,
    'GET ' + BASE + '/{vmid}/config': config,
    'GET ' + BASE + '/{vmid}/pending': pending,
    'GET ' + BASE + '/{vmid}/interfaces': interfaces,
    'GET ' + BASE + '/{vmid}/status/current': current,
    'POST ' + BASE + '/{vmid}/status/start': start,
    'POST ' + BASE + '/{vmid}/status/stop': stop,
    'POST ' + BASE + '/{vmid}/status/shutdown': shutdown,
    'POST ' + BASE + '/{vmid}/status/reboot': reboot,
    'POST ' + BASE + '/{vmid}/status/suspend': freeze,
    'POST ' + BASE + '/{vmid}/status/resume': resume,
    'DELETE ' + BASE + '/{vmid}': destroy,
}
