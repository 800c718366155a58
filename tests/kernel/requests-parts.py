#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests with the rarer parts: volumes from images, a target's pid namespace, users of their own; records that broke."""

from pods import *

IDS = [{'host_id': 100000, 'container_id': 0, 'length': 65536}]


def image_mount(name, path='/vol', **more):
    return {'container_path': path, 'readonly': True, 'image': {'image': name}, **more}


def kept(of):
    folder = os.path.join(of.data, 'containers')
    return os.listdir(folder) if os.path.isdir(folder) else []


# -- volumes -----------------------------------------------------------------------------------------------


def an_image_can_be_a_volume(box):
    load(box)
    load(box, tar_with(('content', None), ('content/file', 'from the image')), name='data:1')
    pod = sandbox(box)
    id = create(box, pod, command='cat /vol/content/file; cat /part/file; echo x > /vol/new || echo refused; sleep 100',
                mounts=[image_mount('data:1'), image_mount('data:1', '/part', image_sub_path='content')],
                log_path='0.log')
    box.call('start', id).ok()
    same('from the image', box.call('exec', id, 'cat', '/vol/content/file').ok().out)
    same('from the image', box.call('exec', id, 'cat', '/part/file').ok().out)
    box.call('exec', id, 'touch', '/vol/new').fails(1, 'Read-only')
    box.call('image', 'remove', 'data:1')
    box.call('delete', '--force', id).ok()
    same([], kept(box))


def a_volume_of_an_image_that_is_missing_undoes_all(box):
    load(box)
    pod = sandbox(box)
    req = request(box, pod, command='true', mounts=[image_mount('absent:1')])
    try_create(box, req).fails(1, 'config.mounts[0].image', 'ImageVolumeMountFailed')
    same([], kept(box))


def a_part_of_a_volume_that_is_missing_undoes_all(box):
    load(box)
    pod = sandbox(box)
    req = request(box, pod, command='true', mounts=[image_mount('busybox', image_sub_path='not/there')])
    try_create(box, req).fails(1, 'config.mounts[0]')
    same([], kept(box))


def explain_of_an_image_volume_mounts_nothing(box):
    load(box)
    pod = sandbox(box)
    at = mounts()
    req = request(box, pod, command='true', mounts=[image_mount('busybox')])
    has(box.call('explain', write(box, req, 'r.json')).ok().out, '/images/0')
    same(at, mounts())
    same([], kept(box))


def volumes_and_the_working_folder_are_made(box):
    load(box, config={'Volumes': {'/deep/down/here': {}, '/': {}, '/tmp': {}}, 'Env': ['PATH=/bin:/usr/bin']})
    pod = sandbox(box)
    id = create(box, pod, command='sleep 100', working_dir='/not/there/yet')
    box.call('start', id).ok()
    same('/not/there/yet\n', box.call('exec', id, 'pwd').ok().out)
    box.call('exec', id, 'test', '-d', '/deep/down/here').ok()


def a_volume_below_a_file_is_refused(box):
    load(box, tar_with(('file', 'x')), config={'Volumes': {'/file/below': {}}, 'Env': ['PATH=/bin']})
    pod = sandbox(box)
    try_create(box, request(box, pod, command='true')).fails(1, '/file/below')
    same([], kept(box))


def a_link_in_the_image_does_not_lead_the_working_folder_out(box):
    link = tarfile.TarInfo('out')
    link.type, link.linkname = tarfile.SYMTYPE, '/../../../..' + box.folder
    load(box, tar_with(link))
    pod = sandbox(box)
    made = try_create(box, request(box, pod, command='true', working_dir='/out/escaped'))
    if os.path.exists(os.path.join(box.folder, 'escaped')):
        fail('made on the host (status %d)' % made.status)


# -- namespaces --------------------------------------------------------------------------------------------


def target(id):
    return {'namespace_options': {'pid': 3, 'target_id': id}}


def a_container_can_join_the_processes_of_another(box):
    load(box)
    pod = sandbox(box)
    first = create(box, pod, name='first', command='exec sleep 12345')
    try_create(box, request(box, pod, name='early', command='true', security=target(first))).fails(1, "doesn't run")
    box.call('start', first).ok()
    id = create(box, pod, name='second', command='sleep 100', security=target(first))
    box.call('start', id).ok()
    has(box.call('exec', id, 'ps').ok().out, 'sleep 12345')
    same(os.readlink('/proc/%d/ns/pid' % box.state(first)['pid']), os.readlink('/proc/%d/ns/pid' % box.state(id)['pid']))


def a_target_must_be_of_the_same_pod(box):
    load(box)
    one, two = sandbox(box, pod_config('one')), sandbox(box, pod_config('two'))
    first = create(box, one, command='sleep 100')
    box.call('start', first).ok()
    try_create(box, request(box, two, command='true', security=target(first))).fails(1, 'target_id', "isn't in this pod")
    try_create(box, request(box, two, command='true', security=target('f' * 64))).fails(1, 'target_id')
    same([first], kept(box))


def users_of_their_own_see_the_image_as_theirs(box):
    os.chmod(box.folder, 0o755)
    load(box, config={'Volumes': {'/made/here': {}}, 'Env': ['PATH=/bin:/usr/bin']})
    users = {'pid': 1, 'userns_options': {'mode': 0, 'uids': IDS, 'gids': IDS}}
    pod = sandbox(box, pod_config('mapped', {'security_context': {'namespace_options': users}}))
    made = try_create(box, request(box, pod, command='sleep 100', security={'namespace_options': users},
                                   mounts=[image_mount('busybox')])).ok()
    id = json.loads(made.out)['containerId']
    box.call('start', id).ok()
    same('0 0\n', box.call('exec', id, 'stat', '-c', '%u %g', '/bin').ok().out)
    same('0 0\n', box.call('exec', id, 'stat', '-c', '%u %g', '/made/here').ok().out)
    same('0 0\n', box.call('exec', id, 'stat', '-c', '%u %g', '/vol/bin').ok().out)
    with open('/proc/%d/uid_map' % box.state(id)['pid'], encoding='utf-8') as f:
        same(['0', '100000', '65536'], f.read().split())


# -- records -----------------------------------------------------------------------------------------------


def a_kept_record_broken_anyhow_is_said_and_removed(box):
    load(box)
    pod = sandbox(box)
    for n, text in enumerate(('', '{', '[]', '{"version": 1}', '{"version": 99, "id": "x"}', '{"version": 1, "id": "other"}')):
        id = create(box, pod, command='sleep 100', attempt=n)
        path = os.path.join(box.data, 'containers', id, 'container.json')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        box.call('list').ok()
        # The live record still has what is needed; without it, only force removes.
        box.call('delete', '--force', id).ok()
        same([], kept(box), 'left of a record %r' % text)


def without_its_live_record_it_is_stopped(box):
    load(box)
    pod = sandbox(box)
    id, status = run(box, pod, command='exit 4')
    same(4, status)
    shutil.rmtree(os.path.join(box.root, id))
    # As after a reboot, which takes the cgroup, too.
    os.rmdir(os.path.join(cgroup_mount(), box.tag, 'ctrctl-' + id))
    same('stopped', box.status(id))
    same(4, box.state(id)['cri']['exitCode'])
    same('4\n', box.call('wait', id).ok().out)
    has(box.call('list').ok().out, id[:12])
    box.call('start', id).fails(1, 'stopped')
    box.call('kill', id).fails(1)
    box.call('exec', id, 'true').fails(255, 'stopped')
    box.call('delete', id).ok()
    same([], kept(box))


def a_broken_exit_file_is_an_error_not_a_status(box):
    load(box)
    pod = sandbox(box)
    id, _ = run(box, pod, command='exit 4')
    with open(os.path.join(box.data, 'containers', id, 'exit.json'), 'w', encoding='utf-8') as f:
        f.write('{"exitCode": "')
    box.call('wait', id).fails(1, 'exit.json')
    box.call('delete', '--force', id).ok()


def an_intent_without_a_maker_is_removed(box):
    load(box)
    pod = sandbox(box)
    id = create(box, pod, command='sleep 100')
    folder = os.path.join(box.data, 'containers', id)
    os.rename(os.path.join(folder, 'container.json'), os.path.join(folder, 'intent.json'))
    same(id, create(box, pod, command='sleep 100'))
    box.call('start', id).ok()
    same('running', box.status(id))


# -- logs --------------------------------------------------------------------------------------------------


def a_log_file_that_is_none_is_refused(box):
    load(box)
    logs_ = os.path.join(box.folder, 'log')
    os.makedirs(os.path.join(logs_, 'folder'))
    canary = os.path.join(box.folder, 'canary')
    with open(canary, 'w', encoding='utf-8') as f:
        f.write('untouched')
    os.symlink(canary, os.path.join(logs_, 'link'))
    os.link(canary, os.path.join(logs_, 'hard'))
    os.symlink(box.folder, os.path.join(logs_, 'away'))
    pod = sandbox(box, log_directory=logs_)
    for path, why in ('link', 'symbolic link'), ('hard', 'hard links'), ('folder', 'log file'), ('away/0.log', 'log_path'), \
            ('link/0.log', 'log_path'):
        try_create(box, request(box, pod, command='echo x', log_path=path)).fails(1, why)
        same([], kept(box), 'left of a log at ' + path)
    with open(canary, encoding='utf-8') as f:
        same('untouched', f.read())


main(globals())
