# SPDX-License-Identifier: Apache-2.0
"""The tests' own door: one JSON object per line over a Unix socket, one back."""

import json
import os
import socket
import threading

from sim import auth, cluster, create, guests, tasks
from sim.world import Storage, Template


def the(world, vmid):
    guest = world.guests.get(int(vmid))
    if not guest:
        raise KeyError('no guest %s' % vmid)
    return guest


def described(world, g):
    return {'vmid': g.vmid, 'node': g.node, 'kind': g.kind, 'running': g.running, 'config': g.config, 'pending': g.pending,
            'lxc': g.oci, 'pool': g.pool, 'uptime': g.uptime(world)}


def set_knobs(world, **values):
    for name, value in values.items():
        if name == 'seed':
            world.random.seed(value)
        elif name == 'nodes':
            for node, state in value.items():
                world.nodes[node].online = state == 'online'
        elif name == 'memory_used':
            for node, used in value.items():
                world.nodes[node].used = used
        elif name == 'storages':
            for store, changes in value.items():
                vars(world.storages[store]).update(changes)
        else:
            if name not in world.knobs:
                raise KeyError('no knob %s' % name)
            world.knobs[name] = value
            if name == 'stat_lag':
                cluster.watch(world)


def make_guest(world, vmid, node='pve1', kind='lxc', config=None, running=False, pool=None):
    g = guests.Guest(int(vmid), node, kind, {'arch': 'amd64', 'hostname': 'CT%s' % vmid, 'memory': '512', 'swap': '512',
                                             'ostype': 'debian', 'rootfs': 'data:vm-%s-disk-0,size=8G' % vmid, 'unprivileged': '1',
                                             **(config or {})})
    g.pool = pool
    if pool:
        world.pools[pool].append(g.vmid)
    world.guests[g.vmid] = g
    if running:
        g.begin(world)


def make_many(world, first, n, tags='', description='', running=True, node='pve1'):
    """n guests from a VMID on; %d in tags and description is the VMID."""
    for vmid in range(first, first + n):
        config = {'hostname': 'ct-%d' % vmid}
        if tags:
            config['tags'] = tags.replace('%d', str(vmid))
        if description:
            config['description'] = description.replace('%d', str(vmid)) + '\n'
        make_guest(world, vmid, node, config=config, running=running)


def migrate(world, vmid, node):
    the(world, vmid).node = node


def remove(world, vmid):
    if int(vmid) in world.guests:
        guests.remove(world, the(world, vmid))


def recreate(world, vmid, running=False):
    """Somebody else's guest with the same id."""
    old = world.guests.get(int(vmid))
    node = old.node if old else 'pve1'
    remove(world, vmid)
    make_guest(world, vmid, node, config={'description': 'somebody else\'s\n', 'tags': 'other'}, running=running)


def edit(world, vmid, **values):
    """Configuration keys; None takes one away."""
    g = the(world, vmid)
    for key, value in values.items():
        if value is None:
            g.config.pop(key, None)
        else:
            g.config[key] = create.kept(world, key, value) if key in ('tags', 'description') else str(value)


def lock(world, vmid, kind, seconds=None):
    g = the(world, vmid)
    g.config['lock'] = kind
    if seconds is not None:
        world.after(seconds, lambda: g.config.pop('lock', None) if g.config.get('lock') == kind else None)


def state(world, vmid, running, honours=None):
    g = the(world, vmid)
    if running and not g.running:
        g.begin(world)
    if not running:
        g.halt()
    if honours is not None:
        g.honours_shutdown = honours


def ha(world, vmid, managed=True):
    the(world, vmid).ha = managed


def restart(world, vmid):
    """Rebooted from inside: its uptime begins anew."""
    steps = guests.restart(world, the(world, vmid))
    for seconds in steps:
        world.after(seconds, lambda: next(steps, None))
        break


def reboot(world, vmid):
    """By an administrator's vzreboot."""
    guests.begin_reboot(world, the(world, vmid), 'root@pam')


def token(world, id='ctrctl@pve!ctrl', secret=None, privileges=None, revoked=None, expires=None):  # pylint: disable=redefined-builtin
    t = world.users.tokens.get(id)
    if not t:
        t = auth.Token(id, secret, privileges)
        world.users.add(t)
    for name, value in (('secret', secret), ('privileges', privileges), ('revoked', revoked), ('expires', expires)):
        if value is not None:
            setattr(t, name, value)


def template(world, name, storage='local', node='pve1', oci=None, broken=False, remove=False, size=1 << 20):  # pylint: disable=redefined-outer-name
    s = world.storages[storage]
    for where in [node] if node else list(world.nodes):
        if remove:
            s.files.pop(s.key(where, name), None)
        else:
            s.files[s.key(where, name)] = Template(name, size, oci, broken)


def storage(world, name, kind='dir', content=('rootdir',), **more):
    world.storages[name] = Storage(name, kind, list(content), **more)


def advance(world, seconds, wall_only=False):
    """The clock; what becomes due is done."""
    if wall_only:
        world.jump += seconds
    else:
        world.skip += seconds
        world.tick()


def reboot_node(world, node='pve1'):
    """Its tasks are cut off, and what they have half done stays; its guests have ended."""
    for t in world.tasks.values():
        if t.running and t.node == node:
            t.steps.close()
            t.finish('unexpected status')
    for g in world.guests.values():
        if g.node == node:
            g.halt()


def task_list(world):
    return [{**tasks.entry(t), 'user': t.user, 'status': 'running' if t.running else 'stopped', 'exit': t.exit, 'log': t.log}
            for t in world.tasks.values()]


OPS = {
    'set': set_knobs, 'knobs': lambda world: world.knobs, 'fault': lambda world, **rule: world.rules.add(**rule),
    'clear_faults': lambda world: world.rules.clear(world.changed),
    'faults': lambda world: [{'match': r['match'], 'do': r['do'], 'hits': r['hits'], 'seen': r['seen']} for r in world.rules.rules],
    'requests': lambda world: world.log, 'clear_requests': lambda world: world.log.clear(),
    'guests': lambda world: [described(world, g) for g in world.guests.values()],
    'guest': lambda world, vmid: described(world, the(world, vmid)), 'tasks': task_list, 'make_guest': make_guest,
    'make_many': make_many, 'migrate': migrate, 'remove': remove, 'recreate': recreate, 'edit': edit, 'lock': lock, 'state': state,
    'restart': restart, 'reboot': reboot, 'ha': ha, 'reboot_node': reboot_node, 'token': token, 'template': template, 'storage': storage, 'advance': advance,
    'make_qemu': lambda world, vmid, node='pve1': make_guest(world, vmid, node, 'qemu'),
    'held': lambda world, id: world.users.tokens[id].privileges,  # pylint: disable=redefined-builtin
    'bugs': lambda world: world.bugs,
    'connections': lambda world: {'open': world.server.open, 'last': world.server.last},
    'logins': lambda world: world.users.logins,
    'cancel_tasks': lambda world: [t.cancel('unexpected status') for t in world.tasks.values() if t.running],
}


def perform(world, op, args):
    return OPS[op](world, **args)


def listen(path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(64)
    return listener


def serve(world, listener):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=talk, args=(world, sock), daemon=True).start()


def talk(world, sock):
    with sock, sock.makefile('rw', encoding='utf-8', errors='surrogateescape') as f:
        for line in f:
            asked = json.loads(line)
            try:
                with world.lock:
                    world.tick()
                    answer = {'result': perform(world, asked['op'], asked.get('args', {}))}
                    world.serial += 1
                    text = json.dumps(answer)
            except Exception as e:  # pylint: disable=broad-except
                text = json.dumps({'error': '%s: %s' % (type(e).__name__, e)})
            f.write(text + '\n')
            f.flush()
