# SPDX-License-Identifier: Apache-2.0
"""What is asked of the cluster as a whole, and of its nodes."""

from sim import guests
from sim.world import Fault, bad, die


def version(call):
    release, full = call.world.release()
    return {'version': full, 'release': release, 'repoid': '1dc0e2ab5a2f7ee3'}


def node_row(call, n):
    row = {'node': n.name, 'id': 'node/' + n.name, 'type': 'node', 'status': 'online' if n.online else 'offline', 'level': '',
           'ssl_fingerprint': call.world.fingerprint}
    if n.online:
        row.update(cpu=0.05, maxcpu=16, mem=n.used, maxmem=n.memory, disk=10 << 30, maxdisk=90 << 30, uptime=100000)
    return row


def nodes(call):
    return [node_row(call, n) for n in call.world.nodes.values()]


def node_status(call):
    n = call.world.nodes[call.params['node']]
    release, full = call.world.release()
    return {'pveversion': 'pve-manager/%s/1dc0e2ab5a2f7ee3' % full, 'uptime': 100000, 'loadavg': ['0.10', '0.20', '0.30'],
            'memory': {'total': n.memory, 'used': n.used, 'free': n.memory - n.used, 'available': n.memory - n.used},
            'cpuinfo': {'cpus': 16, 'cores': 8, 'sockets': 1, 'model': 'Simulated CPU'}, 'kversion': 'Linux 6.17.2-1-pve',
            'rootfs': {'total': 90 << 30, 'used': 10 << 30, 'avail': 80 << 30, 'free': 80 << 30}}


def cluster_status(call):
    w = call.world
    rows = [{'type': 'cluster', 'id': 'cluster', 'name': 'sim', 'nodes': len(w.nodes), 'quorate': int(w.knobs['quorum']), 'version': 3}]
    return rows + [{'type': 'node', 'id': 'node/' + n.name, 'name': n.name, 'nodeid': n.number + 1, 'online': int(n.online),
                    'local': int(n.name == w.self_node), 'ip': '127.0.0.1', 'level': ''} for n in w.nodes.values()]


def nextid(call):
    w, wanted = call.world, call.params.get('vmid')
    if wanted:
        taken = w.guests.get(int(wanted))
        if taken:
            bad(vmid="%s %s already exists" % ('CT' if taken.kind == 'lxc' else 'VM', wanted))
        return str(wanted)
    if w.knobs['nextid_fixed']:
        return str(w.knobs['nextid_fixed'])
    return str(next(n for n in range(100, 1000000) if n not in w.guests)) or die('unable to get any free VMID')


# -- /cluster/resources ----------------------------------------------------------------------------------

def look(world):
    """What the statistics daemon notes about every ten seconds."""
    world.seen = {g.vmid: (g, g.running, g.uptime(world), world.mono()) for g in world.guests.values()}


def watch(world):
    """Notes it now and from now on."""
    world.seen_at = mine = object()

    def again():
        if world.seen_at is mine:
            look(world)
            world.after(world.knobs['stat_lag'], again)
    look(world)
    if world.knobs['stat_lag'] > 0:
        world.after(world.knobs['stat_lag'], again)


def guest_row(world, g):
    row = {'id': '%s/%d' % (g.kind, g.vmid), 'vmid': g.vmid, 'node': g.node, 'type': g.kind, 'template': 0, 'status': 'unknown'}
    for key in 'tags', 'lock':
        if g.config.get(key):
            row[key] = g.config[key]
    if g.pool:
        row['pool'] = g.pool
    seen = world.seen.get(g.vmid)
    if world.knobs['stat_lag'] <= 0:
        seen = (g, g.running, g.uptime(world), 0)
    if not world.nodes[g.node].online or not seen or seen[0] is not g:
        return row
    facts = guests.facts(world, g)
    row.update({k: facts[k] for k in ('name', 'maxmem', 'maxdisk', 'mem', 'disk', 'cpu', 'netin', 'netout', 'diskread', 'diskwrite')},
               maxcpu=facts['cpus'], status='running' if seen[1] else 'stopped', uptime=seen[2])
    return row


def resources(call):
    w, kind = call.world, call.params.get('type')
    rows = []
    if kind in (None, 'vm'):
        rows += [guest_row(w, g) for g in w.guests.values() if call.may('/vms/%d' % g.vmid, 'VM.Audit')]
    if kind in (None, 'node'):
        rows += [node_row(call, n) for n in w.nodes.values()]
    if kind in (None, 'storage'):
        rows += [{'id': 'storage/%s/%s' % (n, s.name), 'type': 'storage', 'storage': s.name, 'node': n, 'shared': int(s.shared),
                  'content': ','.join(s.content), 'plugintype': s.kind, 'status': 'available' if s.online else 'unknown',
                  'disk': s.total - s.free, 'maxdisk': s.total}
                 for s in w.storages.values() if s.enabled for n in w.nodes
                 if call.may('/storage/' + s.name, 'Datastore.Audit', 'Datastore.AllocateSpace', some=True)]
    return rows


def pools(call):
    return [{'poolid': p} for p in call.world.pools if call.may('/pool/' + p, 'Pool.Audit')]


def pool(call):
    members = call.world.pools.get(call.params['poolid'])
    if members is None:
        die("no such pool '%s'" % call.params['poolid'])
    return {'poolid': call.params['poolid'],
            'members': [guest_row(call.world, call.world.guests[m]) for m in members if m in call.world.guests]}


def options(call):
    seen = {'keyboard': 'en-us', 'mac_prefix': 'BC:24:11'}
    if not call.world.knobs['free_tags']:
        seen['user-tag-access'] = {'user-allow': 'none'}
    return {**(seen if call.may('/', 'Sys.Audit') else {}), 'allowed-tags': []}


def clock(call):
    w, zone = call.world, 7200
    return {'time': int(w.now()), 'localtime': int(w.now()) + zone, 'timezone': 'Europe/Vienna'}


def network(call):
    w, kind = call.world, call.params.get('type')
    rows = [{'iface': b, 'type': 'bridge', 'active': 1, 'autostart': 1, 'bridge_ports': '', 'method': 'manual', 'families': ['inet']}
            for b in w.knobs['bridges']]
    if kind in ('any_bridge', 'any_local_bridge'):
        return [r for r in rows if call.may('/sdn/zones/localnetwork/' + r['iface'], 'SDN.Audit', 'SDN.Use', some=True)]
    if kind in (None, 'eth'):
        rows.append({'iface': 'eno1', 'type': 'eth', 'active': 1, 'exists': 1, 'method': 'manual', 'families': ['inet']})
    return [r for r in rows if kind is None or r['type'] == kind]


def closed(call):
    raise Fault(501, "Method '%s %s' not implemented\n" % (call.method, call.path))


CALLS = {
    'GET /version': version,
    'GET /nodes/{node}/version': version,
    'GET /nodes': nodes,
    'GET /nodes/{node}/status': node_status,
    'GET /nodes/{node}/time': clock,
    'GET /nodes/{node}/network': network,
    'GET /cluster/status': cluster_status,
    'GET /cluster/nextid': nextid,
    'GET /cluster/resources': resources,
    'GET /cluster/options': options,
    'GET /pools': pools,
    'GET /pools/{poolid}': pool,
}
