#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which backend makes a bundle's container: by the annotations of containerd and CRI-O, and by --backend."""
import subprocess

from box import *

MISSING = 'no Proxmox VE server is configured'
CONTAINERD = {'io.kubernetes.cri.container-type': 'container', 'io.kubernetes.cri.container-name': 'web',
              'io.kubernetes.cri.sandbox-id': '0123456789abcdef', 'io.kubernetes.cri.sandbox-name': 'web-0',
              'io.kubernetes.cri.sandbox-namespace': 'default'}
CRIO = {'io.kubernetes.cri-o.ContainerType': 'container', 'io.kubernetes.cri-o.SandboxID': '0123456789abcdef',
        'io.kubernetes.cri-o.Image': '0' * 64}


def annotated(*maps, **more):
    def edit(config):
        config['annotations'] = {}
        for one in (*maps, more):
            config['annotations'].update(one)
    return edit


def by_containerd(image, **more):
    return annotated(CONTAINERD, {'io.kubernetes.cri.image-name': image}, more)


def by_crio(image):
    return annotated(CRIO, {'io.kubernetes.cri-o.ImageName': image})


def refused(box, edit, options=()):
    """Not made, and nothing is left of the attempt, not even the folder of records."""
    r = box.create(edit=edit, options=options)
    same(1, r.status, 'status')
    has(r.err, MISSING)
    for path in os.listdir(box.root) if os.path.isdir(box.root) else ():
        if not path.startswith('.'):
            fail('%s is left' % path)
    return r


def settings(box, value):
    path = os.path.join(box.folder, 'settings.json')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(value if isinstance(value, str) else json.dumps(value))
    return path


def made(box, edit, *global_options, options=()):
    bundle = box.bundle(edit, ['true'])
    return box.call(*global_options, 'run', '--bundle', bundle, *options, 'c')


def an_image_of_proxmox_is_refused_by_its_name(box):
    for image in ('lxc/debian:12', 'docker.io/lxc/debian:latest', 'docker.io/library/db-pg:17', 'localhost/vm-x:1',
                  'lxc/debian@sha256:' + '0' * 64):
        r = refused(box, by_containerd(image))
        has(r.err, 'rule ')
        has(r.err, 'of the routing table')
        refused(box, by_crio(image))


def an_image_of_another_registry_is_native(box):
    for image in ('registry.example.net/lxc/debian:12', 'docker.io/library/busybox:latest', 'docker.io/dbx/db-1:1',
                  'sha256:' + '0' * 64):
        made(box, by_containerd(image)).ok()
        made(box, by_crio(image)).ok()


def a_sandbox_is_native_whatever_its_image(box):
    made(box, by_containerd('lxc/pause', **{'io.kubernetes.cri.container-type': 'sandbox'})).ok()
    made(box, annotated({'io.kubernetes.cri-o.ContainerType': 'sandbox', 'io.kubernetes.cri-o.ImageName': 'lxc/pause'})).ok()


def a_name_without_a_rest_is_invalid(box):
    made(box, by_containerd('lxc/')).fails(1, 'annotations["io.kubernetes.cri.image-name"]: lxc/: a part of the name is empty')


def the_error_has_its_kind_for_programs(box):
    log = os.path.join(box.folder, 'log')
    made(box, by_containerd('lxc/x'), '--log', log, '--log-format', 'json').fails(1, MISSING)
    with open(log, encoding='utf-8') as f:
        entry = json.loads(f.read().split('\n')[0])
    same('unsupported', entry['code'])
    has(entry['msg'], MISSING)


def the_flag_goes_over_the_annotation(box):
    made(box, by_containerd('lxc/x'), options=('--backend', 'native')).ok()
    refused(box, None, options=('--backend', 'proxmox'))
    made(box, None, options=('--backend', 'kvm')).fails(1, '--backend: kvm: there is no such backend')


def the_table_can_be_extended_and_replaced(box):
    path = settings(box, {'routing': {'routes': [{'image': 'lxc/test-*', 'backend': 'native'},
                                                 {'image': 'quay.io/guests/**', 'backend': 'proxmox'}]}})
    made(box, by_containerd('docker.io/lxc/test-1:1'), '--settings', path).ok()
    made(box, by_containerd('docker.io/lxc/other:1'), '--settings', path).fails(1, MISSING)
    made(box, by_containerd('quay.io/guests/a/b:1'), '--settings', path).fails(1, MISSING)
    path = settings(box, {'routing': {'replaceDefaults': True}})
    made(box, by_containerd('docker.io/lxc/other:1'), '--settings', path).ok()


def an_annotation_asks_in_vain_unless_allowed(box):
    wish = {'org.ctrctl.backend': 'native'}
    made(box, by_containerd('lxc/x', **wish)).fails(1, MISSING, 'has no effect')
    path = settings(box, {'routing': {'allowAnnotation': True}})
    made(box, by_containerd('lxc/x', **wish), '--settings', path).ok()


def broken_settings_stop_only_what_needs_them(box):
    path = settings(box, '{"routing": {"routs": []}}')
    made(box, by_containerd('busybox'), '--settings', path).fails(1, 'settings.json: routing: routs: unknown property')
    made(box, None, '--settings', path).ok()
    box.create(id='seen').ok()
    r = box.call('--settings', path, 'list', '-q').ok()
    same('seen\n', r.out)
    has(r.err, 'unknown property')


def explain_shows_the_route(box):
    r = box.call('explain', '--bundle', box.bundle(by_containerd('lxc/x'))).fails(1, MISSING)
    same('backend proxmox: image lxc/x matches "lxc/**", rule 1 of the routing table\n', r.out)
    r = box.call('explain', '--bundle', box.bundle(by_containerd('busybox'))).ok()
    same('backend native: image busybox matches no rule of the routing table', r.out.split('\n')[0])
    has(r.out, 'spawn')
    if os.path.isdir(box.root):
        fail('explain made %s' % box.root)


def a_plain_bundle_reads_no_settings(box):
    """Start-up cost is part of the product."""
    bundle = box.bundle(annotated({'org.example/x': 'y'}), ['true'])
    seen = []
    for edit in (annotated({'org.example/x': 'y'}), by_containerd('busybox')):
        bundle = box.bundle(edit, ['true'])
        trace = os.path.join(box.folder, 'strace')
        subprocess.run(['strace', '-f', '-e', 'trace=open,openat,openat2', '-o', trace, CTRCTL, '--root', box.root, 'run',
                        '--bundle', bundle, 'c'], check=True, stdin=subprocess.DEVNULL, timeout=60)
        with open(trace, encoding='utf-8') as f:
            seen.append('/etc/ctrctl/config.json' in f.read())
    same([False, True], seen)


main(globals())
