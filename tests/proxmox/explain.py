#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""explain: what create would send is shown before, field by field, and nothing but questions reaches the server."""
from pve import *


class Shown:
    """What explain printed: .calls = {'POST': (path, {name: (value, from)}), 'PUT': ...}."""

    def __init__(self, box, *args):
        self.result = box.call('explain', *args)
        self.out, self.calls, at = self.result.out, {}, None
        for line in self.out.splitlines():
            call = re.match(r'(POST|PUT) (/[^\s,]*)', line)
            param = re.match(r'  (\S+) = (.*?)    <- (.*)$', line)
            if call:
                at = {}
                self.calls[call.group(1)] = (call.group(2), at)
            elif param and at is not None:
                at[param.group(1)] = (plain(param.group(2)), param.group(3))


def plain(text):
    return re.sub(r'\\(n|\\|x[0-9a-f]{2})', lambda m: {'n': '\n', '\\': '\\'}.get(m.group(1)) or chr(int(m.group(1)[1:], 16)), text)


def size_of(text):
    return len(text.encode('utf-8', 'surrogateescape'))


def timeless(text):
    """A description has the time when its guest was made."""
    return re.sub(r'"created":"[^"]{20,35}"', '"created":"now"', text)


def same_call(shown, sent, also=()):
    """A call that was shown is the one that was sent: each parameter, and no other."""
    path, params = shown
    same(path, sent['path'])
    same(sorted(set(params) | set(also)), sorted(sent['params']))
    for name, (value, source) in params.items():
        got = str(sent['params'][name])
        hidden = re.match(r'\(hidden, (\d+) bytes\)$', value)
        if hidden:
            same(int(hidden.group(1)), size_of(got), name)
        else:
            same(timeless(value), timeless(got), name)
        if not source or source == 'request':
            fail('%s comes from nowhere' % name)


def only_questions(it):
    same({'GET'}, {r['method'] for r in it.server.requests()})
    same([], it.server.tasks())
    same([], it.server.guests())


RICH = {'command': ['/usr/bin/app'], 'args': ['--name', 'a b'], 'envs': [{'key': 'PASSWORD', 'value': 'hunter2-\u00fc'}, {'key': 'B', 'value': '1'}],
        'linux': {'resources': {'memory_limit_in_bytes': 300 << 20, 'cpu_quota': 150000, 'cpu_period': 100000, 'cpu_shares': 512}},
        'labels': {'app': 'web'}}


def request_file(box, name='r', **more):
    return write(box, box.guest_request(**more), name + '.json')


def post_of(it):
    return it.server.requests(r'POST /nodes/\w+/lxc$')[-1]


# -- what is shown is what is sent -----------------------------------------------------------------------

def a_template_is_created_as_it_was_explained(box):
    path = request_file(box, **RICH)
    shown = Shown(box, path)
    shown.result.ok()
    only_questions(box)
    box.call('create', '--request', path).ok()
    same_call(shown.calls['POST'], post_of(box))
    if 'PUT' in shown.calls:
        fail('a template needs no second step')
    has(shown.out, 'template local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst')
    has(shown.out, 'node pve1: it has the most free memory, 57344 of 65536 MiB, and the guest gets 300 (2 nodes are up)')
    has(shown.out, 'VMID %s: the first to be tried of 200000 to 299999' % shown.calls['POST'][1]['vmid'][0])
    has(shown.out, 'server %s, Proxmox VE 9.2' % box.server.origin)
    for name, source in (('memory', 'config.linux.resources.memory_limit_in_bytes'), ('cpulimit', 'config.linux.resources.cpu_quota'),
                         ('hostname', 'sandbox_config.hostname'), ('env', 'config.envs'), ('ostemplate', 'config.image'),
                         ('rootfs', 'proxmox.storage, rootfsGiB'), ('vmid', 'ctrctl')):
        same(source, shown.calls['POST'][1][name][1], name)


def an_archive_is_created_in_two_steps_as_it_was_explained(box):
    path = request_file(box, image='lxc/postgres-16', **RICH)
    shown = Shown(box, path)
    shown.result.ok()
    only_questions(box)
    box.call('create', '--request', path).ok()
    same_call(shown.calls['POST'], post_of(box))
    put = box.server.requests(r'PUT /nodes/pve1/lxc/\d+/config')[0]
    same(shown.calls['PUT'][0], put['path'])
    same({'entrypoint', 'env'}, set(shown.calls['PUT'][1]))
    same(shown.calls['PUT'][1]['entrypoint'][0], put['params']['entrypoint'])
    same(set(put['params']) - {'digest'}, set(shown.calls['PUT'][1]))


def an_image_that_would_be_pulled_is_explained_without_pulling_it(box):
    box.configure(pull=['oci', 'aplinfo', 'url'], images={'db-pg': {'oci': 'docker.io/library/postgres:16', 'memoryMiB': 2048, 'rootfsGiB': 20},
                                                          'vm-old': {'url': 'https://example.net/old.tar.gz', 'sha512': 'ab' * 64}})
    path = request_file(box, image='db-pg')
    shown = Shown(box, path)
    has(shown.out, 'it would be fetched from a registry: docker.io/library/postgres:16')
    has(Shown(box, request_file(box, 'u', image='lxc/ubuntu-24.04')).out,
        'it would be fetched from the index of templates: ubuntu-24.04-standard_24.04-2_amd64.tar.zst')
    has(Shown(box, request_file(box, 'o', image='vm-old')).out, 'it would be fetched from its address: https://example.net/old.tar.gz')
    only_questions(box)
    box.call('create', '--request', path).ok()
    same_call(shown.calls['POST'], post_of(box))
    same(('2048', 'data:20'), (shown.calls['POST'][1]['memory'][0], shown.calls['POST'][1]['rootfs'][0]))


def every_setting_is_explained_as_it_is_sent(box):
    box.configure(pool='ctrctl', memoryMiB=640, swapMiB=64, rootfsGiB=3, cores=2, onboot=True, nesting=True,
                  network={'bridge': 'vmbr1', 'ip': '10.0.0.5/24', 'gateway': '10.0.0.1', 'ip6': 'auto', 'vlan': 7, 'rate': 10, 'firewall': True})
    path = request_file(box)
    shown = Shown(box, path)
    shown.result.ok()
    box.call('create', '--request', path).ok()
    same_call(shown.calls['POST'], post_of(box))
    same('proxmox.memoryMiB', shown.calls['POST'][1]['memory'][1])


def options_of_the_request_are_explained(box):
    box.configure(allowAnnotations=['cores', 'timezone'])
    path = request_file(box, annotations={'org.ctrctl.proxmox/cores': '3', 'org.ctrctl.proxmox/timezone': 'Europe/Berlin'})
    shown = Shown(box, path)
    shown.result.ok()
    box.call('create', '--request', path).ok()
    same_call(shown.calls['POST'], post_of(box))
    same('3', shown.calls['POST'][1]['cores'][0])


def a_vmid_that_is_used_is_passed_over(box):
    path = request_file(box)
    first = int(Shown(box, path).calls['POST'][1]['vmid'][0])
    box.server.make_qemu(first)
    again = Shown(box, path)
    same(str(first + 1), again.calls['POST'][1]['vmid'][0])
    box.call('create', '--request', path).ok()
    same_call(again.calls['POST'], post_of(box))


def what_only_the_archive_knows_is_said_with_its_ifs(box):
    path = request_file(box, image='lxc/postgres-16', working_dir='/srv')
    out = Shown(box, path).out
    has(out, "then, once the image is unpacked:\n  where /srv isn't the image's own folder, a shell goes there and starts the image's command; "
             "create fails where it has none\n  the image's command is kept, but written anew")
    has(out, "  the image's environment is kept\n")
    out = Shown(box, request_file(box, image='lxc/postgres-16', working_dir='/srv', command=['/bin/x'],
                                  security={'run_as_user': {'value': 0}})).out
    has(out, "  no shell goes to /srv where that is the image's own folder\n")
    has(out, '  where the image has another user than root, create fails\n')
    has_not(out, "the image's command")
    box.configure(waive=['working-dir'])
    out = Shown(box, request_file(box, working_dir='/srv')).out
    has(out, 'waived, by proxmox.waive: working-dir\n')


def a_bundle_is_explained_like_a_request(box):
    def edit(config):
        config['annotations'] = {'io.kubernetes.cri.image-name': 'docker.io/lxc/debian-12:latest'}
        config['process']['args'] = ['/sbin/init']
        config['process']['env'] = ['TOKEN=hunter2']
    box.configure(waive=['capabilities', 'user', 'no-new-privileges'])
    bundle = box.bundle(edit)
    shown = Shown(box, '--bundle', bundle)
    shown.result.ok()
    only_questions(box)
    has(shown.out, 'template local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst')
    has_not(shown.out, 'hunter2')
    same(('(hidden, 13 bytes)', 'process.env'), shown.calls['POST'][1]['env'])


def a_handler_whose_images_are_all_guests(box):
    """docs/proxmox.md: the engine's handler runs ctrctl with settings of its own."""
    box.configure(pull=['oci'], waive=['capabilities', 'user', 'no-new-privileges'], others={'routing': {'routes': [
        {'image': '**', 'backend': 'proxmox'}]}})

    def engine(kind, image):
        def edit(config):
            config['annotations'] = {'io.kubernetes.cri.container-type': kind, 'io.kubernetes.cri.image-name': image}
        return edit
    shown = Shown(box, '--bundle', box.bundle(engine('container', 'docker.io/library/postgres:16')))
    shown.result.ok()
    has(shown.out, 'it would be fetched from a registry: docker.io/library/postgres:16')
    same('process.args, cwd', shown.calls['PUT'][1]['entrypoint'][1])
    shown = Shown(box, '--bundle', box.bundle(engine('sandbox', 'registry.k8s.io/pause:3.10')))
    has(shown.out, 'backend native: ')


# -- secrets ---------------------------------------------------------------------------------------------

def values_of_the_environment_are_not_shown(box):
    path = request_file(box, **RICH)
    r = box.call('--log-level', 'debug', 'explain', path).ok()
    for secret in ('hunter2', box.server.token.partition('=')[2]):
        has_not(r.out + r.err, secret)
    has(r.out, 'env = (hidden, ')


def what_could_break_the_terminal_is_escaped(box):
    path = request_file(box, labels={'a': 'x\x1b[31m\u0007y'})
    r = box.call('explain', path).ok()
    has_not(r.out, '\x1b')
    has_not(r.out, '\x07')


# -- nodes, waivers --------------------------------------------------------------------------------------

def the_node_is_the_one_that_create_takes(box):
    box.server.set(memory_used={'pve1': 60 << 30})
    path = request_file(box)
    shown = Shown(box, path)
    has(shown.out, 'node pve2: it has the most free memory')
    box.call('create', '--request', path).ok()
    same('/nodes/pve2/lxc', post_of(box)['path'])


def paths_of_the_host_are_on_the_local_node(box):
    box.configure(box.server.as_root(localNode='pve2'))
    folder = os.path.join(box.folder, 'shared')
    os.mkdir(folder)
    path = request_file(box, mounts=[{'container_path': '/data', 'host_path': folder}])
    shown = Shown(box, path)
    shown.result.ok()
    has(shown.out, 'node pve2: proxmox.localNode')
    box.call('create', '--request', path).ok()
    same_call(shown.calls['POST'], post_of(box))


def what_is_waived_is_said(box):
    box.configure(waive=['user', 'working-dir'])
    path = request_file(box, linux={'security_context': {'run_as_user': {'value': 1000}}})
    has(Shown(box, path).out, 'waived, by proxmox.waive: user\n')


def what_isnt_waived_is_refused_as_create_does(box):
    path = request_file(box, linux={'security_context': {'run_as_user': {'value': 1000}}})
    r = box.call('explain', path)
    same(1, r.status)
    has(r.err, '"user" in proxmox.waive')
    same([], box.server.requests())


# -- servers that don't answer, or can't -----------------------------------------------------------------

def without_the_server_the_rest_is_explained(box):
    box.configure(endpoint='https://127.0.0.1:1')
    begun = time.monotonic()
    shown = Shown(box, request_file(box, **RICH))
    shown.result.ok()
    if time.monotonic() - begun > 5:
        fail('it waited for the server')
    has(shown.out, "server https://127.0.0.1:1 can't be asked: ")
    has(shown.out, 'node: not asked; the one with the most free memory of all')
    has(shown.out, 'template: not asked; the newest template debian-12')
    has(shown.out, "which ones are used isn't asked")
    params = shown.calls['POST'][1]
    same('300', params['memory'][0])
    same('/nodes/NODE/lxc', shown.calls['POST'][0])
    box.configure(endpoint='https://127.0.0.1:1', nodes=['pve2'], images={'db-x': {'template': 'local:vztmpl/x_1.tar.zst'}})
    shown = Shown(box, request_file(box, 'x', image='db-x'))
    has(shown.out, 'node pve2: the only one that is allowed')
    has(shown.out, 'template local:vztmpl/x_1.tar.zst')


def a_server_that_goes_away_in_between_is_an_error(box):
    path = request_file(box)
    box.server.fault('GET /cluster/resources', 'status', code=500, text='something broke', count=0)
    r = box.call('explain', path)
    same(1, r.status)
    has(r.out, 'server %s, Proxmox VE 9.2' % box.server.origin)
    has(r.err, 'something broke')


def a_server_that_isnt_trusted_is_an_error(box):
    box.configure(fingerprint='AB:' * 31 + 'CD')
    path = request_file(box)
    r = box.call('explain', path)
    same(1, r.status)
    has(r.out, "can't be asked")
    has(r.err, box.server.fingerprint)
    same([], box.server.requests())


def an_old_server_is_told_apart(box):
    box.server.set(version='8.4')
    r = box.call('explain', request_file(box, **RICH))
    same(1, r.status)
    has(r.err, '9.1')
    shown = Shown(box, request_file(box, 'plain'))
    shown.result.ok()
    has(shown.out, 'Proxmox VE 8.4')


def no_image_is_an_error_that_lists_what_there_is(box):
    r = box.call('explain', request_file(box, image='lxc/nothing'))
    same(1, r.status)
    has(r.err, 'debian-12-standard_12.12-1_amd64.tar.zst')
    only_questions(box)


def what_follows_from_an_id_isnt_made_up(box):
    """Before the pod is there, or a bundle has a name, nothing that create wouldn't take is shown."""
    box.configure(waive=['no-new-privileges', 'resources', 'user', 'capabilities'])
    pod = write(box, {'metadata': {'name': 'p', 'namespace': 'default'}}, 'pod.json')
    container = write(box, {'metadata': {'name': 'main'}, 'image': {'image': 'lxc/postgres'}, 'command': ['a']}, 'container.json')

    def edit(config):
        config['annotations'] = {'io.kubernetes.cri.image-name': 'lxc/postgres'}
        config.pop('hostname', None)
    folder = box.bundle(edit=edit)
    for words in ['--pod', pod, '--container', container], ['--bundle', folder]:
        shown = Shown(box, *words)
        shown.result.ok()
        for name in 'vmid', 'tags', 'description':
            same("(by the container's id)", shown.calls['POST'][1][name][0])
        same([], [n for n in re.findall(r'\b2[0-9]{5}\b', shown.out) if n not in ('200000', '299999')])
        has_not(shown.out, 'explained')
        has_not(shown.out, '0' * 16)
        has(shown.calls['PUT'][0], '/VMID/config')
    has(box.call('explain', '--bundle', folder, 'named').ok().out, 'the first to be tried')
    only_questions(box)


main(globals())
