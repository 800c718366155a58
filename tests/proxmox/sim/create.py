# SPDX-License-Identifier: Apache-2.0
"""Guests that are made and changed: POST /nodes/N/lxc and PUT .../config."""

import re

from sim import auth, guests, schema, tasks
from sim.guests import CONFIG, Guest
from sim.tasks import Failed
from sim.world import Fault, bad, die

NOT_KEPT = {'node', 'vmid', 'ostemplate', 'storage', 'start', 'pool', 'password', 'ssh-public-keys', 'force', 'restore', 'unique',
            'bwlimit', 'ignore-unpack-errors', 'ha-managed', 'digest', 'delete', 'revert'}
AT_ONCE = re.compile(r'(?:description|onboot|startup|protection|hostname|hookscript|cores|tags|lock|memory|swap|cpulimit|cpuunits'
                     r'|net\d+|mp\d+|dev\d+)$')
CPU, MEMORY = {'cores', 'cpulimit', 'cpuunits'}, {'memory', 'swap'}
NETWORK = {'nameserver', 'searchdomain', 'hostname'}
ALLOCATES = re.compile(r'([a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]):(\d+(?:\.\d+)?)$')
VOLUME = re.compile(r'([a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]):(.+)$')


def parts_of(key, text):
    return schema.parse_property(schema.property_of(CONFIG, key), text)


def volume_kind(text):
    if text.startswith('/dev/'):
        return 'device'
    return 'bind' if text.startswith('/') else 'volume'


# -- who may change which key ----------------------------------------------------------------------------

def need_bridge(call, text):
    net = parts_of('net0', text)
    if net.get('bridge') and call.world.at_least(8, 0):
        path = '/sdn/zones/localnetwork/' + net['bridge']
        auth.need(call, path + ('/' + net['tag'] if net.get('tag') else ''), 'SDN.Use')


def need_vm(call, pool, privilege):
    path = '/vms/%s' % call.params['vmid']
    if not (pool and call.may('/pool/' + pool, privilege)):
        auth.need(call, path, privilege)


def features_are_allowed(call, text, unprivileged):
    if not unprivileged:
        auth.denied('changing feature flags for privileged container is only allowed for root@pam')
    if set(parts_of('features', text)) - {'nesting'}:
        auth.denied('changing feature flags (except nesting) is only allowed for root@pam')


def need_tags(call, text, before=''):
    if call.world.knobs['free_tags']:
        return
    for tag in set(schema.words(text)) - set(schema.words(before)):
        auth.denied("/, Sys.Modify for tag '%s'" % tag)


def need_keys(call, keys, values, pool, unprivileged, before=None):
    """values: what is to be set; keys without one are deleted."""
    if call.user == 'root@pam':
        return
    for key in keys:
        value = values.get(key)
        if key in CPU:
            need_vm(call, pool, 'VM.Config.CPU')
        elif key == 'rootfs' or re.match(r'mp\d+$', key):
            need_vm(call, pool, 'VM.Config.Disk')
            if value is not None and volume_kind(parts_of(key, value)['volume']) != 'volume':
                auth.denied('mount point type %s is only allowed for root@pam' % volume_kind(parts_of(key, value)['volume']))
        elif key in MEMORY:
            need_vm(call, pool, 'VM.Config.Memory')
        elif key in NETWORK or re.match(r'net\d+$', key):
            need_vm(call, pool, 'VM.Config.Network')
            if value is not None and key not in NETWORK:
                need_bridge(call, value)
        elif key == 'features' and value is not None:
            features_are_allowed(call, value, unprivileged)
        elif key == 'hookscript':
            auth.denied('changing the hookscript is only allowed for root@pam')
        elif re.match(r'dev\d+$', key):
            auth.denied('configuring device passthrough is only allowed for root@pam')
        else:
            need_vm(call, pool, 'VM.Config.Options')
            if key == 'tags' and value is not None:
                need_tags(call, value, before or '')


# -- values as they are kept -----------------------------------------------------------------------------

def mac_of(world):
    return 'BC:24:11:%02X:%02X:%02X' % tuple(world.random.randrange(256) for _ in range(3))


def kept_net(world, text, before=None):
    net = parts_of('net0', text)
    old = parts_of('net0', before) if before else {}
    net['hwaddr'] = (net.get('hwaddr') or old.get('hwaddr') or mac_of(world)).upper()
    net['type'] = 'veth'
    return schema.print_property(CONFIG['net[n]'], net)


def kept(world, key, text, before=None):
    if re.match(r'net\d+$', key):
        return kept_net(world, text, before)
    if key == 'tags':
        return ';'.join(sorted({t.lower() for t in schema.words(text)}))
    if key == 'description':
        return text.rstrip('\n') + '\n' if text else ''
    if key in ('nameserver', 'searchdomain'):
        return ' '.join(schema.words(text))
    if key == 'env':
        return '\0'.join(v.rstrip() for v in text.split('\0'))
    if key == 'entrypoint':
        return text.strip()
    if key == 'features':
        return schema.print_property(CONFIG['features'], parts_of(key, text))
    return text


def allocate(world, guest, key, text, number):
    """A disk's value: what was to be allocated is, under a name."""
    parts = parts_of(key, text)
    found = ALLOCATES.match(parts['volume'])
    if found:
        store = world.storages[found.group(1)]
        size = float(found.group(2))
        if size * (1 << 30) > store.free:
            raise Failed("unable to create CT %d - not enough space on storage '%s'" % (guest.vmid, store.name))
        name = 'vm-%d-disk-%d' % (guest.vmid, number)
        parts['volume'] = '%s:%s' % (store.name, '%d/%s.raw' % (guest.vmid, name) if store.kind in ('dir', 'nfs') else name)
        parts['size'] = '%gG' % size
    return schema.print_property(schema.property_of(CONFIG, key), parts)


# -- create ----------------------------------------------------------------------------------------------

def need_id_unused(world, vmid):
    taken = world.guests.get(vmid)
    if not taken:
        return
    text = '%s %d already exists on node \'%s\'' % ('CT' if taken.kind == 'lxc' else 'VM', vmid, taken.node)
    # The second text is that of a race lost a little later, under the lock.
    die('unable to create CT %d - %s' % (vmid, text) if world.random.random() < 0.3 else text)


def need_pool(call, pool):
    if pool is not None and pool not in call.world.pools:
        auth.denied("pool '%s' does not exist" % pool)
    if call.may('/vms/%s' % call.params['vmid'], 'VM.Allocate') or pool and call.may('/pool/' + pool, 'VM.Allocate'):
        return
    auth.denied()


def need_template(call, text):
    if not VOLUME.match(text):
        if call.user != 'root@pam':
            die('Only root can pass arbitrary filesystem paths')
        die("unable to create CT %s - no such file '%s'" % (call.params['vmid'], text))
    store, _, rest = text.partition(':')
    s = call.world.need_storage(store, call.params['node'])
    if not rest.startswith('vztmpl/') or '/' in rest[7:]:
        die("unable to parse directory volume name '%s'" % rest)
    auth.need(call, '/storage/' + s.name, 'Datastore.Audit', 'Datastore.AllocateSpace', some=True)


def need_disks(call, disks):
    for key, text in disks.items():
        volume = parts_of(key, text)['volume']
        if volume_kind(volume) != 'volume':
            continue
        store = VOLUME.match(volume)
        if not store:
            die("unable to parse volume ID '%s'" % volume)
        s = call.world.need_storage(store.group(1), call.params['node'])
        if call.user != 'root@pam':
            auth.need(call, '/storage/' + s.name, 'Datastore.AllocateSpace')
        if 'rootdir' not in s.content:
            bad(storage="storage '%s' does not support container directories" % s.name)


def need_nets(world, values):
    for key, text in values.items():
        if re.match(r'net\d+$', key):
            net = parts_of(key, text)
            if net.get('mtu') and net.get('bridge') not in world.knobs['bridges']:
                die("bridge '%s' does not exist" % net.get('bridge', ''))
            if net.get('host-managed') == '1' and net.get('ip6') == 'auto':
                die("SLAAC is not supported with host-managed interfaces")


def shell_quote(word):
    """As Perl's String::ShellQuote does it."""
    if word and re.fullmatch(r'[\w!%+,\-./:=@^]+', word, re.ASCII):
        return word
    text = "'%s'" % re.sub("'+", lambda m: "'\\''" if m.group() == "'" else "'\"%s\"'" % m.group(), word)
    return re.sub("^''(?!$)|(?<!^)''$", '', text) if word else text


def image_values(guest, oci):
    """What an OCI image's configuration makes of the guest's."""
    c = guest.config
    command = (oci.get('Entrypoint') or []) + (oci.get('Cmd') or [])
    if command:
        c['entrypoint'] = ' '.join(shell_quote(w) for w in command)
        c['cmode'] = 'console'
        if command[0] != '/sbin/init':
            for key in [k for k in c if re.match(r'net\d+$', k)]:
                net = parts_of(key, c[key])
                net.setdefault('host-managed', '1')
                c[key] = schema.print_property(CONFIG['net[n]'], net)
    if oci.get('Env'):
        c['env'] = '\0'.join(oci['Env'])
    if oci.get('User'):
        uid, _, gid = oci['User'].partition(':')
        guest.oci += [['lxc.init.uid', uid], ['lxc.init.gid', gid or '0']]
    if oci.get('WorkingDir'):
        guest.oci.append(['lxc.init.cwd', oci['WorkingDir']])
    guest.oci.append(['lxc.signal.halt', oci.get('StopSignal', 'SIGTERM')])


def create_steps(world, guest, values, disks, volid, pool):
    vmid = guest.vmid
    yield world.knobs['task_seconds'] / 2
    template = world.template(volid, guest.node)
    task = next(t for t in reversed(world.tasks.values()) if t.kind == 'vzcreate' and t.id == str(vmid))
    try:
        if not template:
            raise Failed("unable to create CT %d - volume '%s' does not exist" % (vmid, volid))
        kept_disks = {}
        for number, (key, text) in enumerate(disks.items()):
            kept_disks[key] = allocate(world, guest, key, text, number)
            task.say("Logical volume \"vm-%d-disk-%d\" created." % (vmid, number))
        task.say("extracting archive '/var/lib/vz/template/cache/%s'" % template.name)
        yield world.knobs['task_seconds'] / 2
        if template.broken or template.oci is not None and not world.at_least(9, 1):
            task.say('tar: This does not look like a tar archive')
            task.say('tar: Exiting with failure status due to previous errors')
            raise Failed("unable to create CT %d - command 'tar xpf - --zstd --totals' failed: exit code 2" % vmid)
        task.say('Total bytes read: %d (500MiB, 310MiB/s)' % template.size)
        if world.guests.get(vmid) is not guest:
            raise Failed("unable to create CT %d - Configuration file 'nodes/%s/lxc/%d.conf' does not exist" % (
                vmid, guest.node, vmid))
    except Failed:
        guests.remove(world, guest)
        raise
    c = {'arch': 'amd64', 'hostname': 'CT%d' % vmid, 'memory': '512', 'swap': '512', 'unprivileged': '1',
         'ostype': template.ostype if template.oci is None else 'unmanaged'}
    c.update({k: kept(world, k, v) for k, v in values.items()})
    if values.get('ostype') and values['ostype'] not in ('unmanaged', template.ostype) and template.oci is None:
        task.say("got mismatching ostype '%s', using '%s'" % (values['ostype'], template.ostype))
        c['ostype'] = template.ostype
    c.update(kept_disks)
    guest.config = {k: v for k, v in c.items() if v != ''}
    if pool:
        guest.pool = pool
        world.pools[pool].append(guest.vmid)
    if template.oci is not None:
        image_values(guest, template.oci)


def create(call):
    w, p = call.world, call.params
    vmid, node, pool = int(p['vmid']), p['node'], p.get('pool')
    values = {k: v for k, v in p.items() if k not in NOT_KEPT and not k.startswith('unused')}
    disks = {k: values.pop(k) for k in list(values) if k == 'rootfs' or re.match(r'mp\d+$', k)}
    unprivileged = values.get('unprivileged', '1') == '1'
    w.need_quorum()
    if not unprivileged:
        auth.need(call, '/', 'Sys.Modify')
    need_id_unused(w, vmid)
    for line in p.get('ssh-public-keys', '').splitlines():
        if line.strip() and not re.match(r'(?:ssh-|ecdsa-|sk-)\S+ [A-Za-z0-9+/=]{16,}', line):
            die('SSH public key validation error')
    need_pool(call, pool)
    need_keys(call, [*values, *disks], {**values, **disks}, pool, unprivileged)
    need_template(call, p['ostemplate'])
    if disks and 'rootfs' not in disks:
        die("mount points configured, but 'rootfs' not set")
    disks.setdefault('rootfs', '%s:4' % p.get('storage', 'local'))
    need_disks(call, disks)
    need_nets(w, values)
    guest = Guest(vmid, node, config={'lock': 'create'})
    w.guests[vmid] = guest
    w.serial += 1

    def start():
        tasks.begin(w, node, 'vzstart', vmid, call.user, guests.start_steps(w, node, vmid))
    return tasks.begin(w, node, 'vzcreate', vmid, call.user, create_steps(w, guest, values, disks, p['ostemplate'], pool),
                       undo=lambda: guests.remove(w, guest), then=start if call.flag('start') else None)


# -- update ----------------------------------------------------------------------------------------------

def update(call):
    w, p = call.world, call.params
    w.need_quorum()
    g = guests.of(call)
    values = {k: v for k, v in p.items() if k not in NOT_KEPT}
    deleted = schema.words(p.get('delete', ''))
    for key in deleted:
        if not schema.property_of(CONFIG, key) or key in NOT_KEPT:
            bad(delete="unknown option '%s'" % key)
        if key in values:
            bad(delete="you can't use '-%s' and -delete %s' at the same time" % (key, key))
    if not values and not deleted and not p.get('revert'):
        die('no options specified')
    need_keys(call, [*values, *deleted], values, g.pool, g.config.get('unprivileged', '0') == '1', g.config.get('tags'))
    guests.need_unlocked(g)
    if p.get('digest') and p['digest'] != g.digest():
        die('detected modified configuration - file changed by other user? Try again.')
    if 'unprivileged' in values and values['unprivileged'] != g.config.get('unprivileged', '0'):
        die("unable to modify read-only option: 'unprivileged'")
    if g.running and 'memory' in values and int(values['memory']) < 16:
        bad(memory='unable to hotplug memory')
    need_nets(w, values)
    for key in schema.words(p.get('revert', '')):
        g.pending.pop(key, None)
    changes = {**{k: None for k in deleted}, **{k: kept(w, k, v, g.config.get(k)) or None for k, v in values.items()}}
    for key, value in changes.items():
        if g.running and not AT_ONCE.match(key):
            g.pending[key] = value
        elif value is None:
            g.config.pop(key, None)
        else:
            g.config[key] = value
    w.serial += 1


def resize(call):
    g = guests.of(call)
    guests.need_unlocked(g)
    disk, size = call.params['disk'], call.params['size']
    if disk not in g.config:
        bad(disk="no disk '%s'" % disk)
    parts = parts_of(disk, g.config[disk])
    old = guests.gib(parts.get('size', '0'))
    new = guests.gib(size.lstrip('+')) + (old if size.startswith('+') else 0)
    if new < old:
        raise Fault(500, 'unable to shrink disk size\n')
    parts['size'] = '%gG' % (new / (1 << 30))
    g.config[disk] = schema.print_property(schema.property_of(CONFIG, disk), parts)


CALLS = {
    'POST /nodes/{node}/lxc': create,
    'PUT /nodes/{node}/lxc/{vmid}/config': update,
    'PUT /nodes/{node}/lxc/{vmid}/resize': resize,
}
