# SPDX-License-Identifier: Apache-2.0
"""Storages: what they hold, and what fetches more."""

import re

from sim import auth, tasks
from sim.tasks import Failed
from sim.world import IMAGE, Fault, Template, bad, die

APLINFO = [
    {'template': 'debian-13-standard_13.1-2_amd64.tar.zst', 'package': 'debian-13-standard', 'os': 'debian-13', 'version': '13.1-2',
     'section': 'system', 'type': 'lxc', 'sha512sum': '5a' * 64, 'headline': 'Debian 13 (standard)'},
    {'template': 'ubuntu-24.04-standard_24.04-2_amd64.tar.zst', 'package': 'ubuntu-24.04-standard', 'os': 'ubuntu-24.04',
     'version': '24.04-2', 'section': 'system', 'type': 'lxc', 'sha512sum': '6b' * 64, 'headline': 'Ubuntu 24.04 LTS (standard)'},
    {'template': 'debian-12-standard_12.12-1_amd64.tar.zst', 'package': 'debian-12-standard', 'os': 'debian-12', 'version': '12.12-1',
     'section': 'system', 'type': 'lxc', 'sha512sum': '7c' * 64, 'headline': 'Debian 12 (standard)'},
]
REGISTRY = {'docker.io/library/postgres:16': IMAGE, 'postgres:16': IMAGE, 'docker.io/library/busybox:latest': {'Cmd': ['sh']},
            'quay.io/org/app:v1': {'Entrypoint': ['/app', '--port', '80'], 'Env': ['A=b c', 'X=1']}}
ENDS = ('.tar.gz', '.tar.xz', '.tar.zst', '.tar.bz2', '.tar')


def row(s, node):
    return {'storage': s.name, 'type': s.kind, 'content': ','.join(s.content), 'enabled': int(s.enabled),
            'active': int(s.enabled and s.online), 'shared': int(s.shared), 'total': s.total if s.online else 0,
            'avail': s.free if s.online else 0, 'used': s.total - s.free if s.online else 0,
            'used_fraction': 1 - s.free / s.total if s.online else 0}


def may_use(call, s):
    return call.may('/storage/' + s.name, 'Datastore.Audit', 'Datastore.AllocateSpace', some=True)


def listing(call):
    p = call.params
    return [row(s, p['node']) for s in call.world.storages.values()
            if s.on(p['node']) and may_use(call, s) and (not p.get('content') or p['content'] in s.content)
            and (not p.get('storage') or p['storage'] == s.name) and (not call.flag('enabled') or s.enabled)]


def status(call):
    s = call.world.need_storage(call.params['storage'], call.params['node'])
    return row(s, call.params['node'])


def volumes(call):
    """Of guests: vmid= asks for those of one."""
    found = []
    for g in call.world.guests.values():
        for key, value in g.config.items():
            volid = value.split(',')[0]
            if re.match(r'rootfs$|mp\d+$', key) and volid.startswith(call.params['storage'] + ':'):
                found.append({'volid': volid, 'content': 'rootdir', 'format': 'raw', 'size': 8 << 30, 'vmid': g.vmid})
    return [v for v in found if not call.params.get('vmid') or v['vmid'] == int(call.params['vmid'])]


def content(call):
    w, p = call.world, call.params
    s = w.need_storage(p['storage'], p['node'])
    found = []
    if p.get('content', 'vztmpl') == 'vztmpl' and 'vztmpl' in s.content and not p.get('vmid'):
        found += [{'volid': '%s:vztmpl/%s' % (s.name, t.name), 'format': t.format, 'size': t.size, 'ctime': t.ctime, 'content': 'vztmpl'}
                  for (node, _), t in s.files.items() if node in ('', p['node'])]
    if p.get('content', 'rootdir') == 'rootdir':
        found += volumes(call)
    return found


def one(call):
    w, p = call.world, call.params
    s = w.need_storage(p['storage'], p['node'])
    auth.need(call, '/storage/' + s.name, 'Datastore.Audit', 'Datastore.AllocateSpace', some=True)
    t = w.template(p['volume'] if ':' in p['volume'] else '%s:%s' % (s.name, p['volume']), p['node'])
    if not t:
        die("volume_size_info on '%s' failed - no such file" % p['volume'])
    return {'path': '/var/lib/vz/template/cache/' + t.name, 'size': t.size, 'used': t.size, 'format': 'raw'}


def delete(call):
    w, p = call.world, call.params
    s = w.need_storage(p['storage'], p['node'])
    auth.need(call, '/storage/' + s.name, 'Datastore.Allocate')
    name = p['volume'].rpartition('/')[2]

    def steps():
        yield w.knobs['task_seconds']
        s.files.pop(s.key(p['node'], name), None)
    return tasks.begin(w, p['node'], 'imgdel', '%s@%s' % (name, s.name), call.user, steps())


# -- what fetches ----------------------------------------------------------------------------------------

def target(call):
    s = call.world.need_storage(call.params['storage'], call.params['node'])
    if 'vztmpl' not in s.content:
        bad(storage="storage '%s' is not configured for content-type 'vztmpl'" % s.name)
    return s


def fetch(call, kind, ident, s, template, before=(), failure=None):
    w, node = call.world, call.params['node']

    def steps():
        task = next(t for t in reversed(w.tasks.values()) if t.kind == kind and t.id == ident)
        for line in before:
            task.say(line)
        yield w.knobs['task_seconds']
        if failure:
            raise Failed(failure)
        key = s.key(node, template.name)
        if key in s.files:
            raise Failed("refusing to override existing file '%s'" % template.name)
        if template.size > s.free:
            raise Failed("not enough space on storage '%s'" % s.name)
        s.files[key] = template
        task.say("finished: '%s'" % template.name)
    # The task's first part must find it among the tasks.
    return tasks.begin(w, node, kind, ident, call.user, later(steps))


def later(steps):
    yield 0.0
    yield from steps()


def aplinfo(call):
    return APLINFO


def aplinfo_fetch(call):
    s = target(call)
    name = call.params['template']
    if not any(a['template'] == name for a in APLINFO):
        bad(template='no such template')
    if s.key(call.params['node'], name) in s.files:
        # As the real one: it is there already, which its task only says.
        def steps():
            yield call.world.knobs['task_seconds']
        return tasks.begin(call.world, call.params['node'], 'download', name, call.user, steps())
    return fetch(call, 'download', name, s, Template(name), ['downloading http://download.proxmox.com/images/system/' + name])


def url_fetch(call):
    s, p = target(call), call.params
    if p['content'] != 'vztmpl' or not p['filename'].endswith(ENDS) or '/' in p['filename']:
        bad(filename='wrong file extension' if '/' not in p['filename'] else 'invalid filename')
    if s.key(p['node'], p['filename']) in s.files:
        die("refusing to override existing file '%s'" % p['filename'])
    failure = None
    if 'nowhere' in p['url']:
        failure = "download failed: command 'wget' failed: exit code 4"
    elif p.get('checksum') and p['checksum'].startswith('bad'):
        failure = "checksum mismatch: got '%s' != expect '%s'" % ('0' * 128, p['checksum'])
    return fetch(call, 'download', p['filename'], s, Template(p['filename'], 50 << 20), ['downloading %s to %s' % (
        p['url'], p['filename'])], failure)


def oci_fetch(call):
    w, p = call.world, call.params
    s = target(call)
    if not w.knobs['skopeo']:
        die("Install 'skopeo' to pull images from OCI registries.")
    if not w.at_least(9, 1):
        raise Fault(501, "Method 'POST /nodes/%s/storage/%s/oci-registry-pull' not implemented\n" % (p['node'], s.name))
    # The real one adds it to whatever it is given.
    name = (p.get('filename') or p['reference'].rpartition('/')[2].replace(':', '_')) + '.tar'
    if '/' in name:
        bad(filename='invalid filename')
    if s.key(p['node'], name) in s.files:
        die("refusing to override existing file '%s'" % name)
    found = REGISTRY.get(p['reference'])
    failure = None if found is not None else 'command \'skopeo copy docker://%s\' failed: exit code 1' % p['reference']
    return fetch(call, 'ociregistrypull', name, s, Template(name, 80 << 20, oci=found, ostype='unmanaged'),
                 ['Getting image source signatures'], failure)


def oci_tags(call):
    found = [r.rpartition(':')[2] for r in REGISTRY if r.rpartition(':')[0] == call.params['reference']]
    return found or die("command 'skopeo list-tags docker://%s' failed: exit code 1" % call.params['reference'])


def url_facts(call):
    name = call.params['url'].rpartition('/')[2]
    return {'filename': name, 'size': 50 << 20, 'mimetype': 'application/octet-stream'}


BASE = '/nodes/{node}/storage'
CALLS = {
    'GET ' + BASE: listing,
    'GET ' + BASE + '/{storage}/status': status,
    'GET ' + BASE + '/{storage}/content': content,
    'GET ' + BASE + '/{storage}/content/{volume}': one,
    'DELETE ' + BASE + '/{storage}/content/{volume}': delete,
    'GET /nodes/{node}/aplinfo': aplinfo,
    'POST /nodes/{node}/aplinfo': aplinfo_fetch,
    'POST ' + BASE + '/{storage}/download-url': url_fetch,
    'POST ' + BASE + '/{storage}/oci-registry-pull': oci_fetch,
    'GET /nodes/{node}/query-oci-repo-tags': oci_tags,
    'GET /nodes/{node}/query-url-metadata': url_facts,
}
