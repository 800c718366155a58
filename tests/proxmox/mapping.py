#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a request says arrives at the server as it was said, or is refused by name before anything is asked of the server."""
from pve import *

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
POST = 'POST /nodes/pve[12]/lxc$'
PUT = 'PUT /nodes/pve[12]/lxc/[0-9]+/config$'
# Every byte that a form, a property string, a shell or Perl could take for something else.
NASTY = ''.join(chr(c) for c in range(0x20, 0x7f)) + 'äß€😀' + '%41%00+%%' + 'a=b;c&d'
WORDS = ["it's", 'say "hi"', '$(id)', '`id`', '%41', 'a=b;c&d', '\\', 'ä €', 'tab\there', "both ' and \" here"]


def as_root(box, **over):
    box.configure(box.server.as_root(localNode='pve1', **over))


def untouched(box, _=None):
    """Nothing was asked of the server."""
    same([], box.server.requests(), 'requests')


def refused(box, *parts, **more):
    box.pod()
    box.server.clear_requests()
    box.try_guest(**more).fails(1, *parts)
    untouched(box)


def env_of(guest):
    return dict(v.split('=', 1) for v in guest['config']['env'].split('\0'))


def created(box, **more):
    id = box.create_guest(**more)
    return id, box.guest(id)


# -- there and back --------------------------------------------------------------------------------------

def variables_arrive_as_they_were_given(box):
    envs = [{'key': 'NASTY', 'value': NASTY}, {'key': 'EMPTY', 'value': ''}, {'key': 'TAB', 'value': '\tx'}, {'key': '_1', 'value': ' x'},
            {'key': 'TWICE', 'value': '1'}, {'key': 'TWICE', 'value': '2'}]
    id, guest = created(box, envs=envs)
    same({'NASTY': NASTY, 'EMPTY': '', 'TAB': '\tx', '_1': ' x', 'TWICE': '2'}, env_of(guest))
    box.call('start', id).ok()
    same('running', box.status(id))


def a_command_arrives_as_lxc_reads_it(box):
    _, guest = created(box, command=['/bin/x'], args=WORDS[:-1])
    same('/bin/x it\'s \'say "hi"\' $(id) `id` %41 a=b;c&d \\ "ä €" "tab\there"', guest['config']['entrypoint'])
    same('console', guest['config']['cmode'])
    has(guest['config']['net0'], 'host-managed=1')


def a_command_that_lxc_cannot_read_goes_through_a_shell(box):
    _, guest = created(box, command=['/bin/echo', *WORDS], working_dir='/tmp')
    same('/bin/sh -c "IFS=;set -f;eval $CTRCTL_CMD"', guest['config']['entrypoint'])
    # The line is a real shell's.
    done = subprocess.run(['sh', '-c', 'IFS=;set -f;eval $CTRCTL_CMD'], env={'CTRCTL_CMD': env_of(guest)['CTRCTL_CMD'].replace(
        '/bin/echo', 'printf').replace("'printf'", "'printf' '%s|'")}, capture_output=True, text=True, check=False)
    same(''.join(w + '|' for w in WORDS), done.stdout, done.stderr)


def labels_and_annotations_arrive_in_the_description(box):
    id, guest = created(box, labels={'l': 'x' + NASTY}, annotations={'a/b': 'line\nline\r\n' + NASTY})
    lines = guest['config']['description'].rstrip('\n').split('\n')
    same(2, len(lines), 'lines')
    said = json.loads(lines[1][len('ctrctl:v1:'):])
    same({'l': 'x' + NASTY}, said['labels'])
    same({'a/b': 'line\nline\r\n' + NASTY}, said['annotations'])
    same(id, said['id'])
    same(guest['vmid'], said['vmid'])
    same(box.state(id)['created'], said['created'])
    has(lines[0], 'main of pod default/pod')


def resolvers_and_resources_arrive(box):
    box.pod('dns', dns_config={'servers': ['10.0.0.1', '2001:db8::1'], 'searches': ['a.example.', 'b']})
    _, guest = created(box, pod='dns', resources={
        'memory_limit_in_bytes': 100000001, 'memory_swap_limit_in_bytes': 209715200, 'cpu_quota': 25000, 'cpu_period': 100000,
        'cpu_shares': 2048})
    c = guest['config']
    same('10.0.0.1 2001:db8::1', c['nameserver'])
    same('a.example b', c['searchdomain'])
    same(['96', '104', '0.25', '174'], [c['memory'], c['swap'], c['cpulimit'], c['cpuunits']])


# -- limits ----------------------------------------------------------------------------------------------

def a_description_keeps_to_the_servers_limit(box):
    # Two bytes a character: the limit is of characters.
    id, guest = created(box, annotations={'long': 'é' * 7000})
    has(guest['config']['description'], 'é' * 7000)
    box.call('delete', id).ok()
    id, guest = created(box, name='other', annotations={'long': 'é' * 9000}, labels={'kept': 'yes'})
    text = guest['config']['description']
    has_not(text, 'éé')
    has(text, '"kept":"yes"')
    has(text, '"cut":"sha256:')
    has(json.dumps(box.state(id), ensure_ascii=False), 'é' * 9000)
    box.call('start', id).ok()
    box.call('delete', '--force', id).ok()
    box.nothing_on_the_server()


def tags_are_given_up_where_they_are_not_free(box):
    id, guest = created(box)
    same('ctrctl;ctrctl-' + id[:16], guest['config']['tags'])
    box.server.set(free_tags=False)
    made = box.try_guest(name='other').ok()
    has(made.err, 'tags')
    id = json.loads(made.out)['containerId']
    has_not(box.guest(id)['config'].get('tags', ''), 'ctrctl')
    box.call('start', id).ok()
    same('running', box.status(id))
    box.call('delete', '--force', id).ok()


def hostnames_fit(box):
    for i, (name, want) in enumerate((('pod', 'pod'), ('a.b-c', 'a.b-c'), ('x' * 64, 'x' * 63))):
        pod = 'h%d' % i
        box.pod(pod, hostname=name)
        _, guest = created(box, pod=pod)
        same(want, guest['config']['hostname'])


# -- refused before any call -----------------------------------------------------------------------------

def paths_with_commas_and_equals_signs_are_refused_before_any_call(box):
    as_root(box)
    for path in ('/a,b', '/a=b'):
        refused(box, 'config.mounts[0].host_path', 'comma', mounts=[{'container_path': '/x', 'host_path': path}])
        refused(box, 'config.mounts[0].container_path', 'comma', mounts=[{'container_path': path, 'host_path': '/x'}])
        refused(box, 'config.devices[0].host_path', 'comma', devices=[{'container_path': path, 'host_path': path}])


def what_the_server_cannot_hold_is_refused_before_any_call(box):
    refused(box, 'config.envs[0]', 'A-B', envs=[{'key': 'A-B', 'value': 's3cret'}])
    refused(box, 'config.envs[0]', 'control', envs=[{'key': 'A', 'value': 's3cret\n'}])
    refused(box, 'config.envs[0]', 'blanks', envs=[{'key': 'A', 'value': 's3cret '}])
    refused(box, 'config.command[1]', command=['x', 'a\nb'])
    made = box.try_guest(envs=[{'key': 'A', 'value': 's3cret\n'}])
    has_not(made.err, 's3cret')


def a_token_is_told_before_any_call_what_it_may_not_give(box):
    box.configure(localNode='pve1')
    refused(box, 'config.mounts[0]', 'root@pam', 'API token', mounts=[{'container_path': '/x', 'host_path': '/y'}])
    refused(box, 'config.devices[0]', 'root@pam', devices=[{'container_path': '/dev/fuse', 'host_path': '/dev/fuse'}])
    box.configure(localNode='pve1', allowAnnotations=['features'])
    refused(box, 'features', 'root@pam', annotations={'org.ctrctl.proxmox/features': 'keyctl=1'})
    box.configure()
    refused(box, 'config.mounts[0]', 'proxmox.localNode', mounts=[{'container_path': '/x', 'host_path': '/y'}])


def all_that_is_wrong_is_said_at_once(box):
    made = box.try_guest(mounts=[{'container_path': '/x', 'host_path': '/y'}], tty=True,
                         security={'no_new_privs': True, 'run_as_user': {'value': 1000}})
    for field, waiver in (('config.mounts[0]', 'mounts'), ('config.tty', 'streams'), ('no_new_privs', 'no-new-privileges'),
                          ('run_as_user', 'user')):
        made.fails(1, field, '"%s" in proxmox.waive' % waiver)
    untouched(box)


# -- by root, on this host's node ------------------------------------------------------------------------

def what_a_form_could_break_arrives_whole(box):
    """hostname, searchdomain, mpN, tags, net0: the server splits a body at &, ; and each raw =, and decodes %XX and +."""
    as_root(box, allowAnnotations=['net0'])
    path = '/srv/%41%00+&;"\'\\$(x) #?:@äß€😀'
    box.pod('pod-1.a', dns_config={'searches': ['x-1.example', 'b']})
    id, guest = created(box, pod='pod-1.a', mounts=[{'container_path': '/d' + path, 'host_path': path}],
                        annotations={'org.ctrctl.proxmox/net0': 'bridge=vmbr1,ip6=fd00::7/64,gw6=fd00::1,hwaddr=02:00:00:00:00:01'})
    c = guest['config']
    same('pod-1.a', c['hostname'])
    same('x-1.example b', c['searchdomain'])
    same({path, 'mp=/d' + path}, set(c['mp0'].split(',')))
    same({'ctrctl', 'ctrctl-' + id[:16]}, set(c['tags'].split(';')))
    for part in ('bridge=vmbr1', 'ip6=fd00::7/64', 'gw6=fd00::1', 'hwaddr=02:00:00:00:00:01', 'ip=dhcp'):
        has(c['net0'].split(','), part)


def root_gives_host_paths_and_devices(box):
    as_root(box)
    box.server.set(nodes={'pve2': 'online'}, memory_used={'pve1': 30 << 30})
    _, guest = created(box, mounts=[
        {'container_path': '/data/inner', 'host_path': '/srv/two', 'readonly': True, 'mount_options': ['nosuid', 'nodev']},
        {'container_path': '/data', 'host_path': '/srv/öne two'}],
        devices=[{'container_path': '/dev/fuse', 'host_path': '/dev/fuse', 'permissions': 'r'}],
        security={'readonly_rootfs': True})
    c = guest['config']
    same('/srv/öne two', c['mp0'].split(',')[0])
    has(c['mp0'], 'mp=/data')
    same({'/srv/two', 'mp=/data/inner', 'ro=1', 'mountoptions=nosuid;nodev'}, set(c['mp1'].split(',')))
    same({'/dev/fuse', 'deny-write=1'}, set(c['dev0'].replace('path=', '').split(',')))
    has(c['rootfs'], 'ro=1')
    same('pve1', guest['node'])


def ports_of_a_host_lead_to_no_guest_but_can_be_waived(box):
    ports = [{'container_port': 80, 'host_port': 8080}]
    box.pod('web', port_mappings=ports)
    box.try_guest(pod='web').fails(1, 'sandbox_config.port_mappings.host_port', '"ports" in proxmox.waive')
    box.configure(waive=['ports'])
    id, _ = created(box, pod='web')
    same(['ports'], box.state(id)['guest']['waived'])
    config = {'metadata': {'name': 'native', 'namespace': 'default', 'uid': UID}, 'port_mappings': ports}
    box.call('sandbox', 'run', write(box, config, 'native.json')).fails(1, 'port_mappings[0].host_port', "can't be mapped")


def privileged_guests_need_the_configurations_word(box):
    pod = {'linux': {'security_context': {'privileged': True}}}
    box.pod('priv', **pod)
    box.try_guest(pod='priv', security={'privileged': True}).fails(1, 'privileged', 'allowPrivileged')
    as_root(box, allowPrivileged=True)
    _, guest = created(box, pod='priv', security={'privileged': True})
    same('0', guest['config'].get('unprivileged', '0'))
    _, guest = created(box, name='plain', pod='priv')
    same('1', guest['config']['unprivileged'])


def options_by_annotation(box):
    options = {'org.ctrctl.proxmox/' + k: v for k, v in {
        'storage': 'shared', 'rootfs': '3', 'cores': '2', 'onboot': '1', 'protection': '0', 'startup': 'order=2,up=5',
        'net0': 'bridge=vmbr1,ip=10.9.0.7/24,gw=10.9.0.1', 'ostype': 'debian', 'timezone': 'host', 'pool': 'ctrctl'}.items()}
    refused(box, 'storage', 'allowAnnotations', annotations=options)
    box.configure(allowAnnotations=[k.split('/')[1] for k in options])
    refused(box, 'no such option', annotations={'org.ctrctl.proxmox/hookscript': 'local:snippets/x'})
    _, guest = created(box, annotations=options)
    c = guest['config']
    has(c['rootfs'], 'shared:')
    has(c['rootfs'], 'size=3G')
    same(['2', '1', 'order=2,up=5'], [c['cores'], c['onboot'], c['startup']])
    same({'name=eth0', 'bridge=vmbr1', 'ip=10.9.0.7/24', 'gw=10.9.0.1', 'type=veth'},
         {p for p in c['net0'].split(',') if not p.startswith('hwaddr=')})
    same('ctrctl', guest['pool'])


# -- OCI archives ----------------------------------------------------------------------------------------

def an_oci_archives_environment_and_command_are_merged_in_a_second_step(box):
    box.server.template('app-1.tar', oci={'Entrypoint': ['/entry', "it's"], 'Cmd': ['a b'], 'Env': ['PATH=/app', 'MODE=image'],
                                          'WorkingDir': '/srv'})
    box.configure(images={'db-app': {'template': 'local:vztmpl/app-1.tar'}})
    box.pod()
    box.server.clear_requests()
    id, guest = created(box, image='db-app', envs=[{'key': 'MODE', 'value': 'mine'}, {'key': 'NEW', 'value': NASTY}],
                        working_dir='/srv')
    sent = box.server.requests(POST)[0]['params']
    for key in ('entrypoint', 'env', 'start'):
        if key in sent:
            fail('%s was sent with the first request' % key)
    put = box.server.requests(PUT)
    same(1, len(put), 'second requests')
    same({'entrypoint', 'env', 'digest'}, set(put[0]['params']) - {'node', 'vmid'})
    same({'PATH': '/app', 'MODE': 'mine', 'NEW': NASTY}, env_of(guest))
    # The server wrote it as for a shell, which LXC misreads.
    same('/entry it\'s "a b"', guest['config']['entrypoint'])
    box.call('start', id).ok()


def root_isnt_had_from_an_archive_whose_image_has_another_user(box):
    box.pod()
    root = {'security': {'run_as_user': {'value': 0}}}
    box.try_guest(image='lxc/postgres-16', **root).fails(
        1, "run_as_user: root is asked for, but the image's program runs as user 999", '"user" in proxmox.waive would let it go')
    box.nothing_on_the_server()
    box.configure(waive=['user'])
    id, _ = created(box, image='lxc/postgres-16', **root)
    same(['user'], box.state(id)['guest']['waived'])
    id, _ = created(box, image='lxc/debian-12', name='other', **root)
    same([], box.state(id)['guest'].get('waived', []))


def an_oci_archive_that_is_right_as_it_is_takes_no_second_step(box):
    box.configure(images={'db-box': {'template': 'local:vztmpl/busybox-1.tar'}})
    _, guest = created(box, image='db-box')
    same('sh', guest['config']['entrypoint'])
    same([], box.server.requests(PUT), 'second requests')


def arguments_without_a_command_are_refused_for_an_oci_archive(box):
    box.configure(images={'db-box': {'template': 'local:vztmpl/busybox-1.tar'}})
    box.try_guest(image='db-box', args=['-x']).fails(1, 'config.args', 'entrypoint')
    same([], box.server.requests(POST), 'requests')
    _, guest = created(box, args=['--show-status=1'])
    same('/sbin/init --show-status=1', guest['config']['entrypoint'])


def arguments_go_behind_the_entrypoint_that_the_configuration_names(box):
    box.configure(images={'db-box': {'template': 'local:vztmpl/busybox-1.tar', 'entrypoint': ['/bin/entry', 'a b']}})
    _, guest = created(box, image='db-box', args=['-x'])
    same('/bin/entry "a b" -x', guest['config']['entrypoint'])
    _, guest = created(box, name='own', image='db-box', command=['/bin/y'], args=['-x'])
    same('/bin/y -x', guest['config']['entrypoint'])
    _, guest = created(box, name='none', image='db-box')
    same('sh', guest['config']['entrypoint'])


def older_servers_are_not_asked_for_what_they_do_not_know(box):
    box.server.set(version='9.0')
    box.try_guest(command=['/bin/x']).fails(1, 'needs Proxmox VE 9.1', '9.0')
    box.try_guest(envs=[{'key': 'A', 'value': '1'}]).fails(1, 'needs Proxmox VE 9.1')
    same([], box.server.requests(POST), 'requests')
    _, guest = created(box)
    has_not(guest['config']['net0'], 'host-managed')


# -- kubelets --------------------------------------------------------------------------------------------

def kubelets_pod(box, _=None):
    with open(os.path.join(ROOT, 'tests/data/proxmox/kubelet-pod.json'), encoding='utf-8') as f:
        req = json.load(f)
    req['sandbox_config']['log_directory'] = os.path.join(box.folder, 'logs')
    os.makedirs(os.path.join(box.folder, 'logs', 'pg'))
    req['pod_sandbox_id'] = box.call('sandbox', 'run', '--runtime-handler', 'proxmox',
                                     write(box, req['sandbox_config'], 'pod.json')).ok().out.strip()
    return write(box, req, 'request.json')


def a_kubelets_pod_passes_with_its_waivers_which_are_in_the_state(box):
    path = kubelets_pod(box)
    made = box.call('create', '--request', path)
    for waiver in ('kubelet-mounts', 'resources', 'logs', 'dns-options'):
        made.fails(1, '"%s" in proxmox.waive' % waiver)
    untouched(box)
    box.configure(waive=['kubelet-mounts', 'resources', 'logs', 'dns-options'])
    id = json.loads(box.call('create', '--request', path).ok().out)['containerId']
    same({'kubelet-mounts', 'resources', 'logs', 'dns-options'}, set(box.state(id)['guest']['waived']))
    same('10.96.0.1', env_of(box.guest(id))['KUBERNETES_SERVICE_HOST'])
    with open(os.path.join(box.folder, 'logs', 'pg', '1.log'), encoding='utf-8') as f:
        same(1, len(f.readlines()), 'lines of the log')
    box.call('start', id).ok()
    same('running', box.status(id))
    # What isn't needed isn't in the state.
    box.configure(waive=['kubelet-mounts', 'resources', 'logs', 'dns-options', 'user', 'ports', 'profiles'])
    plain = box.create_guest()
    same([], box.state(plain)['guest'].get('waived', []))


main(globals())
