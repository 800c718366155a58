#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every door leads to the same guest: a request, crictl's pair of files, an engine's bundle; routed by the image's name, by the pod's
handler, by an annotation, by the flag."""
from pve import *

ENGINES = {
    'containerd': {'io.kubernetes.cri.container-type': 'container', 'io.kubernetes.cri.container-name': 'web',
                   'io.kubernetes.cri.sandbox-id': '0' * 64, 'io.kubernetes.cri.sandbox-name': 'web-0',
                   'io.kubernetes.cri.sandbox-namespace': 'default', 'io.kubernetes.cri.image-name': 'docker.io/lxc/debian-12:latest'},
    'crio': {'io.kubernetes.cri-o.ContainerType': 'container', 'io.kubernetes.cri-o.SandboxID': '0' * 64,
             'io.kubernetes.cri-o.ImageName': 'docker.io/lxc/debian-12:latest'},
}


def as_engine(annotations):
    def edit(config):
        config['annotations'] = dict(annotations)
        config['process']['args'] = ['/sbin/init']
        config['process'].pop('noNewPrivileges', None)
        config['process'].pop('capabilities', None)
    return edit


def whole_life(box, id):
    """create has been; start, state, list, kill, delete."""
    same('created', box.status(id))
    box.call('start', id).ok()
    same('running', box.status(id))
    listed = {c['id']: c for c in json.loads(box.call('list', '--format', 'json').ok().out)}
    same('proxmox', listed[id]['backend'])
    has(listed[id]['place'], 'pve')
    same(10, listed[id]['maxAgeSeconds'])
    box.call('kill', id, 'KILL').ok()
    eventually(lambda: box.status(id) == 'stopped')
    box.call('delete', id).ok()
    box.nothing_on_the_server()
    box.call('state', id).fails(1, 'does not exist')


# -- requests --------------------------------------------------------------------------------------------

def a_request_is_routed_by_the_name_of_its_image(box):
    # A pod with the host's network has none of its own that the guest could miss.
    pod = sandbox(box, {'metadata': {'name': 'p', 'namespace': 'default', 'uid': UID, 'attempt': 0},
                        'linux': {'security_context': {'namespace_options': {'network': 2, 'pid': 1}}}})
    id = json.loads(try_create(box, request(box, pod, image='lxc/debian-12')).ok().out)['containerId']
    state = box.state(id)
    same('proxmox', state['cri']['backend'])
    has(state['cri']['backendReason'], 'lxc/**')
    same(str(box.vmid(id)), state['guest']['vmid'])
    whole_life(box, id)


def a_request_is_routed_by_the_handler_of_its_pod(box):
    box.configure(images={'web': {'template': 'local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst'}},
                  others={'routing': {'runtimeHandlers': {'lxc': 'proxmox'}}})
    config = {'metadata': {'name': 'p', 'namespace': 'default', 'uid': UID, 'attempt': 0}}
    pod = box.call('sandbox', 'run', '--runtime-handler', 'lxc', write(box, config, 'p.json')).ok().out.strip()
    req = {'pod_sandbox_id': pod, 'config': {'metadata': {'name': 'main'}, 'image': {'image': 'lxc/debian-12'}}, 'sandbox_config': config}
    id = json.loads(box.call('create', '--request', write(box, req, 'r.json')).ok().out)['containerId']
    has(box.state(id)['cri']['backendReason'], 'handler is "lxc"')
    whole_life(box, id)
    box.call('sandbox', 'remove', pod).ok()


def a_request_is_routed_by_an_annotation_where_that_is_allowed(box):
    pod = sandbox(box, {'metadata': {'name': 'p', 'namespace': 'default', 'uid': UID, 'attempt': 0},
                        'linux': {'security_context': {'namespace_options': {'network': 2}}}})
    req = request(box, pod, image='lxc/debian-12', annotations={'org.ctrctl.backend': 'native'})
    box.configure(others={'routing': {'allowAnnotation': True}})
    try_create(box, req).fails(1, 'lxc/debian-12')  # there is no such image here
    req['config']['annotations'] = {'org.ctrctl.backend': 'proxmox'}
    req['config']['linux'] = {}
    box.configure(others={'routing': {'allowAnnotation': True, 'routes': [{'image': 'lxc/**', 'backend': 'native'}]}})
    id = json.loads(try_create(box, req).ok().out)['containerId']
    has(box.state(id)['cri']['backendReason'], 'annotation')
    whole_life(box, id)


def the_flag_goes_over_the_name(box):
    box.configure(others={'routing': {'routes': [{'image': 'lxc/**', 'backend': 'native'}]}})
    path = write(box, box.guest_request(), 'r.json')
    box.call('create', '--request', path, '--backend', 'native').fails(1, 'runtime handler')
    id = json.loads(box.call('create', '--request', path, '--backend', 'proxmox').ok().out)['containerId']
    whole_life(box, id)


def crictls_two_files_make_a_guest(box):
    """Their pod is made for it: nobody need say so."""
    pod = write(box, {'metadata': {'name': 'p', 'namespace': 'default'}}, 'pod.json')
    container = write(box, {'metadata': {'name': 'main'}, 'image': {'image': 'lxc/debian-12'}}, 'container.json')
    second = write(box, {'metadata': {'name': 'second'}, 'image': {'image': 'lxc/debian-12'}}, 'second.json')
    has(box.call('explain', '--pod', pod, '--container', container).ok().out, 'ostemplate')
    same([], box.server.requests('^POST'))
    made = box.call('create', '--pod', pod, '--container', container).ok()
    more = box.call('create', '--pod', pod, '--container', second).ok()
    one, = json.loads(box.call('sandbox', 'list', '--format', 'json').ok().out)
    same('proxmox', one['runtimeHandler'])
    box.call('delete', '--force', json.loads(more.out)['containerId']).ok()
    whole_life(box, json.loads(made.out)['containerId'])
    box.call('create', '--pod', pod, '--container', container, '--runtime-handler', 'native').fails(1, 'another runtime handler')
    box.call('sandbox', 'remove', one['id']).ok()


def crictls_two_files_are_routed_by_handler_and_annotations(box):
    box.configure(images={'web': {'template': 'debian-12'}}, others={'routing': {'allowAnnotation': True}})
    wish = {'annotations': {'org.ctrctl.backend': 'proxmox'}}
    for name, of_pod, of_container, options in (('handler', {}, {}, ['--runtime-handler', 'proxmox']), ('flag', {}, {}, ['--backend', 'proxmox']),
                                                ('container', {}, wish, []), ('pod', wish, {}, [])):
        pod = write(box, {'metadata': {'name': name, 'namespace': 'default'}, **of_pod}, name + '-pod.json')
        container = write(box, {'metadata': {'name': 'main'}, 'image': {'image': 'web'}, **of_container}, name + '.json')
        made = box.call('create', '--pod', pod, '--container', container, *options).ok()
        one, = json.loads(box.call('sandbox', 'list', '--format', 'json').ok().out)
        same('proxmox', one['runtimeHandler'], name)
        box.call('delete', json.loads(made.out)['containerId']).ok()
        box.call('sandbox', 'remove', one['id']).ok()


def run_of_a_request_follows_a_guest_to_its_end(box):
    path = write(box, box.guest_request(), 'r.json')
    child = subprocess.Popen([CTRCTL, *box.globals, 'run', '--request', path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    eventually(lambda: [g for g in box.server.ours() if g['running']], what='a guest that runs')
    child.terminate()
    same(0, child.wait(60))
    child.stdout.close()
    child.stderr.close()
    box.nothing_on_the_server()


def a_pod_with_namespaces_needs_a_waiver(box):
    pod = sandbox(box)
    req = request(box, pod, image='lxc/debian-12')
    try_create(box, req).fails(1, 'namespaces', 'pod-namespaces')
    same([], box.server.requests(), 'requests')
    box.configure(waive=['pod-namespaces'])
    id = json.loads(try_create(box, req).ok().out)['containerId']
    has(box.state(id)['guest']['waived'], 'pod-namespaces')
    whole_life(box, id)


def the_same_request_again_gives_the_same_guest(box):
    id = box.create_guest()
    same(id, box.create_guest())
    same(1, len(box.server.ours()))
    box.try_guest(image='lxc/alpine').fails(1, 'another request has made a container of this name')
    box.call('delete', '--force', id).ok()


def a_pod_ends_and_removes_its_guests(box):
    one, two = box.create_guest('one'), box.create_guest('two')
    box.call('start', one).ok()
    pod = box.pod()
    box.call('sandbox', 'stop', pod).ok()
    same(['stopped', 'stopped'], [box.status(one), box.status(two)])
    box.call('sandbox', 'remove', pod).ok()
    box.nothing_on_the_server()
    same('[]', box.call('list', '--format', 'json').ok().out.strip())


# -- bundles ---------------------------------------------------------------------------------------------

def engines_bundles_are_routed_by_the_name_of_their_image(box):
    box.configure(waive=['kubelet-mounts', 'pod-namespaces', 'capabilities', 'user', 'no-new-privileges'])
    for engine, annotations in ENGINES.items():
        box.create(edit=as_engine(annotations), id=engine).ok()
        state = box.state(engine)
        same('proxmox', state['backend'])
        if not os.path.exists('/proc/%d' % state['pid']):
            fail('no process stands for the guest: %s' % state)
        whole_life(box, engine)


def a_bundle_is_routed_by_the_flag(box):
    box.configure(waive=['kubelet-mounts', 'capabilities', 'user', 'no-new-privileges'], images={'quay.io/x/y': {'template': 'debian-12'}})
    r = box.create(edit=as_engine({'io.kubernetes.cri.image-name': 'quay.io/lxc/debian-12'}), id='c', options=['--backend', 'proxmox'])
    r.fails(1, 'lxc/')
    # The table leads this image nowhere.
    edit = as_engine({'io.kubernetes.cri.image-name': 'quay.io/x/y'})
    has_not(box.call('explain', '--bundle', box.bundle(edit=edit)).ok().out, 'backend proxmox')
    box.create(edit=edit, id='d', options=['--backend', 'proxmox']).ok()
    same('proxmox', box.state('d')['backend'])
    whole_life(box, 'd')


def a_bundle_is_routed_by_an_annotation_where_that_is_allowed(box):
    routing = {'routes': [{'image': 'lxc/**', 'backend': 'native'}]}
    edit = as_engine({**ENGINES['containerd'], 'org.ctrctl.backend': 'proxmox'})
    for allowed in False, True:
        box.configure(waive=['kubelet-mounts', 'pod-namespaces', 'capabilities', 'user', 'no-new-privileges'],
                      others={'routing': {**routing, 'allowAnnotation': allowed}})
        box.create(edit=edit, id='c').ok()
        same('proxmox' if allowed else 'native', box.state('c')['backend'])
        if allowed:
            whole_life(box, 'c')
        else:
            box.call('delete', '--force', 'c').ok()


def a_bundle_is_routed_by_its_engines_handler(box):
    """As the document has it: a program with settings of its own, whose rule is for all images."""
    box.configure(waive=['kubelet-mounts', 'pod-namespaces', 'capabilities', 'user', 'no-new-privileges'],
                  images={'busybox': {'template': 'debian-12'}}, others={'routing': {'routes': [{'image': '**', 'backend': 'proxmox'}]}})
    wrapper = os.path.join(box.folder, 'guests')
    with open(wrapper, 'w', encoding='utf-8') as f:
        f.write('#!/bin/sh\nexec %s --settings %s "$@"\n' % (CTRCTL, box.settings_file))
    os.chmod(wrapper, 0o755)
    at = box.globals.index('--settings')
    others = box.globals[:at] + box.globals[at + 2:]
    folder = box.bundle(edit=as_engine({'io.kubernetes.cri.container-type': 'container',
                                        'io.kubernetes.cri.image-name': 'docker.io/library/busybox:latest'}))
    subprocess.run([wrapper, *others, 'create', '--bundle', folder, 'c'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True, timeout=60)
    same('proxmox', box.state('c')['backend'])
    whole_life(box, 'c')


def an_id_is_one_containers_wherever_it_lives(box):
    box.configure(waive=['kubelet-mounts', 'capabilities', 'user', 'no-new-privileges'])
    box.create(id='both').ok()
    box.create(edit=as_engine(ENGINES['crio']), id='both').fails(1, 'already exists')
    box.nothing_on_the_server()
    box.call('delete', '--force', 'both').ok()


def another_root_is_another_world_of_ids(box):
    """What an engine does to an id under its root isn't done to another engine's guest of that id."""
    box.configure(waive=['kubelet-mounts', 'capabilities', 'user', 'no-new-privileges'])
    box.create(edit=as_engine(ENGINES['crio']), id='same-name').ok()
    box.call('start', 'same-name').ok()
    asked = box.create_guest()
    at = box.globals.index('--root') + 1
    own, other = box.globals[at], os.path.join(box.folder, 'other')
    box.globals[at] = other
    same(asked, box.call('list', '-q').ok().out.strip())
    box.call('state', 'same-name').fails(1, 'does not exist')
    box.call('kill', 'same-name', 'KILL').fails(1, 'does not exist')
    for annotations in ENGINES['crio'], {}:
        box.create(edit=as_engine(annotations), id='same-name').fails(1, 'already exists', '--root ' + own)
    box.call('delete', 'same-name').fails(1, 'does not exist')
    box.call('delete', '--force', 'same-name').ok()
    assert box.guest('same-name')['running']
    same('created', box.status(asked))
    box.globals[at] = own + '/'
    same('running', box.status('same-name'))
    every = box.globals[:at - 1] + box.globals[at + 1:]
    same('running', json.loads(subprocess.run([CTRCTL, *every, 'state', 'same-name'], capture_output=True, check=True).stdout)['status'])
    box.globals[at] = own
    box.call('delete', '--force', 'same-name').ok()
    box.call('delete', asked).ok()
    box.nothing_on_the_server()


# -- one list --------------------------------------------------------------------------------------------

def list_has_both_backends(box):
    guest = box.create_guest()
    box.start(id='here')
    rows = [line.split() for line in box.call('list').ok().out.splitlines()]
    same('BACKEND', rows[0][-1])
    same({'here': ['native'], guest: ['proxmox', 'pve1/%d' % box.vmid(guest)]},
         {row[0]: row[row.index('root') + 1:] for row in rows[1:]})
    has(box.call('list').err, 'may be 10 s old')
    has_not(box.call('list', '-q').err, 'old')


def list_without_a_server_knows_what_is_on_record(box):
    guest = box.create_guest()
    box.start(id='here')
    box.configure(endpoint='https://127.0.0.1:1')
    r = box.call('list', '--format', 'json').ok()
    same({'here': 'running', guest: 'unknown'}, {c['id']: c['status'] for c in json.loads(r.out)})
    box.call('state', guest).fails(1)
    box.call('delete', '--force', guest).fails(1)
    box.configure()
    same('created', box.status(guest))


def a_guest_that_isnt_on_record_is_found_and_deleted(box):
    id = box.create_guest()
    vmid = box.vmid(id)
    shutil.rmtree(os.path.join(box.data, 'guests', id))
    shutil.rmtree(os.path.join(box.data, 'containers', id))
    one, = [c for c in json.loads(box.call('list', '--format', 'json').ok().out) if c['id'] == id]
    same((True, 'pve1/%d' % vmid), (one.get('stray'), one['place']))
    has(box.call('list').ok().out, '(stray)')
    box.call('delete', id).fails(1, 'does not exist')
    box.call('delete', '--backend', 'proxmox', id).ok()
    box.nothing_on_the_server()


def one_whose_create_was_killed_early_is_listed_and_deleted(box):
    path = write(box, box.guest_request(), 'request.json')
    pid_file = os.path.join(box.folder, 'pid')
    for nth in 1, 2:
        box.server.clear_faults()
        box.server.fault('^GET', 'kill', nth=nth, pidfile=pid_file)
        subprocess.run(['sh', '-c', 'echo $$ >"$0"; exec "$@"', pid_file, CTRCTL, *box.globals, 'create', '--request', path],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        box.server.clear_faults()
        listed = box.call('list', '--format', 'json').ok()
        same('', listed.err)
        one, = json.loads(listed.out)
        same(('stopped', 'proxmox'), (one['status'], one['backend']))
        box.call('delete', one['id']).ok()
        same('', box.call('list', '-q').ok().out)
        box.nothing_on_the_server()


def explain_of_every_door_shows_the_parameters(box):
    path = write(box, box.guest_request(), 'r.json')
    before = len(box.server.requests('^(POST|PUT|DELETE)'))
    text = box.call('explain', path).ok().out
    for part in ('backend proxmox', 'ostemplate', 'vmbr0', 'hostname'):
        has(text, part)
    folder = box.bundle(edit=as_engine(ENGINES['containerd']))
    box.configure(waive=['kubelet-mounts', 'pod-namespaces', 'capabilities', 'user', 'no-new-privileges'])
    has(box.call('explain', '--bundle', folder).ok().out, 'ostemplate')
    same(before, len(box.server.requests('^(POST|PUT|DELETE)')))


def what_a_guest_cant_do_is_said(box):
    id = box.create_guest()
    box.call('start', id).ok()
    for words in (['exec', id, 'true'], ['ps', id], ['pause', id], ['attach', id]):
        r = box.call(*words)
        if r.status == 0:
            fail('%s: it did something' % words)
        has(r.err, 'pct enter %d' % box.vmid(id))
    box.call('kill', id, 'USR1').fails(1, 'USR1')


main(globals())
