#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pods with a user namespace of their own: root in them is nobody on the host."""

from pods import *

HOST = 200000
MAPS = [{'host_id': HOST, 'container_id': 0, 'length': 65536}]
USERNS = {'mode': 0, 'uids': MAPS, 'gids': MAPS}


def userns_pod(box, **more):
    os.chmod(box.folder, 0o755)
    context = {'namespace_options': {'pid': 1, 'userns_options': USERNS}}
    return sandbox(box, pod_config('mapped', {'security_context': context}, **more))


def mapped():
    return {'namespace_options': {'pid': 1, 'userns_options': USERNS}}


def root_in_the_pod_is_nobody_on_the_host(box):
    load(box)
    pod = userns_pod(box)
    id = create(box, pod, command='sleep 100', security=mapped())
    box.call('start', id).ok()
    same('0', box.call('exec', id, 'id', '-u').ok().out.strip())
    with open('/proc/%d/status' % box.state(id)['pid'], encoding='utf-8') as f:
        has(f.read(), 'Uid:\t%d' % HOST)
    has(box.call('exec', id, 'cat', '/proc/self/uid_map').ok().out, '%d' % HOST)


def files_of_the_image_belong_to_its_root(box):
    load(box)
    pod = userns_pod(box)
    id = create(box, pod, command='sleep 100', security=mapped())
    box.call('start', id).ok()
    same('0 0\n', box.call('exec', id, 'stat', '-c', '%u %g', '/bin/busybox').ok().out)
    box.call('exec', id, 'sh', '-c', 'echo x >/new && chown 5:6 /new && rm /bin/ls').ok()
    upper = os.path.join(box.data, 'containers', id, 'upper', 'new')
    same((HOST + 5, HOST + 6), (os.stat(upper).st_uid, os.stat(upper).st_gid))


def files_of_the_pod_and_its_shared_memory_are_usable(box):
    load(box)
    pod = userns_pod(box)
    id = create(box, pod, command='sleep 100', security=mapped())
    box.call('start', id).ok()
    same('mapped\n', box.call('exec', id, 'cat', '/etc/hostname').ok().out)
    box.call('exec', id, 'sh', '-c', 'echo x >/dev/shm/x && echo y >>/etc/hosts').ok()


def standard_output_can_be_opened_again(box):
    load(box)
    pod = userns_pod(box, log_directory=os.path.join(box.folder, 'log'))
    id, code = run(box, pod, command='echo hello >/dev/stdout', security=mapped(), log_path='l')
    same((0, 'hello\n'), (code, logs(box, id)))


def another_user_of_the_pod_is_mapped_too(box):
    load(box)
    pod = userns_pod(box, log_directory=os.path.join(box.folder, 'log'))
    id, code = run(box, pod, command='id -u; id -g; echo out >/dev/stdout', log_path='l',
                   security={**mapped(), 'run_as_user': {'value': 1000}, 'run_as_group': {'value': 1001}})
    same((0, '1000\n1001\nout\n'), (code, logs(box, id)))


main(globals())
