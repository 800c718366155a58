#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Namespaces: made, joined by path, and the arrangements that come of mixing the two."""
from box import *

MAP = [{'containerID': 0, 'hostID': 100000, 'size': 65536}]
NAMES = {'network': 'net', 'mount': 'mnt'}


def user(config):
    config['linux']['namespaces'].append({'type': 'user'})
    config['linux']['uidMappings'] = MAP
    config['linux']['gidMappings'] = MAP


def join(kind, pid):
    def edit(config):
        for ns in config['linux']['namespaces']:
            if ns['type'] == kind:
                ns['path'] = '/proc/%d/ns/%s' % (pid, NAMES.get(kind, kind))
                break
        else:
            config['linux']['namespaces'].append({'type': kind, 'path': '/proc/%d/ns/%s' % (pid, kind)})
        if kind == 'uts':
            del config['hostname']
    return edit


def both(*edits):
    def edit(config):
        for e in edits:
            e(config)
    return edit


def mapped_rootfs(box, owner='100000:100000'):
    path = box.rootfs()
    subprocess.run(['chown', '-R', '-h', owner, path], check=True)
    os.chmod(box.folder, 0o755)
    return path


def namespace(pid, kind):
    return os.readlink('/proc/%s/ns/%s' % (pid, NAMES.get(kind, kind)))


def each_kind_that_is_listed_is_new(box):
    box.start()
    pid = box.state()['pid']
    for kind in ('pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'):
        if namespace(pid, kind) == namespace('self', kind):
            fail('%s is the host\'s' % kind)
    same(namespace('self', 'user'), namespace(pid, 'user'), 'user')
    same(namespace('self', 'time'), namespace(pid, 'time'), 'time')


def a_kind_that_is_not_listed_is_inherited(box):
    def edit(config):
        config['linux']['namespaces'] = [{'type': 'mount'}, {'type': 'pid'}]
        del config['hostname']
        config['mounts'] = [m for m in config['mounts'] if m['type'] not in ('sysfs', 'cgroup', 'mqueue')]
    box.start(edit=edit)
    pid = box.state()['pid']
    for kind in ('network', 'ipc', 'uts', 'cgroup', 'user'):
        same(namespace('self', kind), namespace(pid, kind), kind)


def loopback_is_up_in_a_new_network_namespace(box):
    has(box.run('ip addr show lo').ok().out, '127.0.0.1')


def hostname_and_domainname_are_set(box):
    def edit(config):
        config['hostname'] = 'first'
        config['domainname'] = 'second'
    same('first\nsecond\n', box.run('hostname; cat /proc/sys/kernel/domainname', edit).ok().out)


def each_kind_can_be_joined(box):
    box.start(id='a')
    pid = box.state('a')['pid']
    for kind in ('network', 'ipc', 'uts', 'cgroup', 'pid'):
        out = box.run('readlink /proc/self/ns/%s' % NAMES.get(kind, kind), join(kind, pid), id='b').ok().out
        same(namespace(pid, kind), out.strip(), kind)


def a_joined_pid_namespace_shows_both(box):
    box.start('sleep 77', id='a')
    out = box.run('ps', join('pid', box.state('a')['pid']), id='b').ok().out
    has(out, 'sleep 77')


def a_namespace_of_another_kind_is_refused(box):
    box.start(id='a')
    pid = box.state('a')['pid']

    def edit(config):
        config['linux']['namespaces'][1]['path'] = '/proc/%d/ns/ipc' % pid
    box.run('true', edit, id='b').fails(1, 'linux.namespaces[1]', 'another kind')


def what_is_no_namespace_is_refused_without_hanging(box):
    fifo = os.path.join(box.folder, 'fifo')
    os.mkfifo(fifo)
    for path in (fifo, '/etc/passwd', '/dev/null', '/nowhere'):
        def edit(config, path=path):
            config['linux']['namespaces'][1]['path'] = path
        box.run('true', edit, id='b').fails(1, 'linux.namespaces[1]')


def a_user_namespace_has_its_maps_and_all_capabilities(box):
    out = box.run('id -u; cat /proc/self/uid_map; grep CapEff /proc/self/status', user, rootfs=mapped_rootfs(box)).ok().out
    same(['0', '0 100000 65536', 'CapEff: 00000000a80425fb'], [' '.join(line.split()) for line in out.splitlines()])


def devices_work_in_a_user_namespace(box):
    box.run('echo x > /dev/null && head -c 4 /dev/zero | wc -c', user, rootfs=mapped_rootfs(box)).ok()


def exec_enters_a_user_namespace(box):
    box.start(edit=user, rootfs=mapped_rootfs(box))
    pid = box.state()['pid']
    out = box.exec('sh', '-c', 'id -u; readlink /proc/self/ns/user').ok().out
    same('0\n%s\n' % namespace(pid, 'user'), out)


def a_user_namespace_can_be_joined(box):
    rootfs = mapped_rootfs(box)
    box.start(edit=user, rootfs=rootfs, id='a')
    pid = box.state('a')['pid']
    out = box.run('id -u; readlink /proc/self/ns/user', join('user', pid), id='b', rootfs=rootfs).ok().out
    same('0\n%s\n' % namespace(pid, 'user'), out)


def user_pid_network_and_ipc_can_be_joined_together(box):
    rootfs = mapped_rootfs(box)
    box.start(edit=user, rootfs=rootfs, id='a')
    pid = box.state('a')['pid']
    edit = both(*[join(kind, pid) for kind in ('user', 'pid', 'network', 'ipc')])
    out = box.run('for n in user pid net ipc; do readlink /proc/self/ns/$n; done', edit, id='b', rootfs=rootfs).ok().out
    same([namespace(pid, kind) for kind in ('user', 'pid', 'network', 'ipc')], out.split())


def host_owned_namespaces_are_joined_beside_a_new_user_namespace(box):
    box.start(id='a')
    pid = box.state('a')['pid']
    edit = both(user, join('network', pid), join('ipc', pid))

    def no_sys(config):
        config['mounts'] = [m for m in config['mounts'] if m['type'] not in ('sysfs', 'mqueue')]
    out = box.run('readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; id -u', both(edit, no_sys), id='b',
                  rootfs=mapped_rootfs(box)).ok().out
    same([namespace(pid, 'network'), namespace(pid, 'ipc'), '0'], out.split())


def clocks_have_the_offsets_that_were_asked_for(box):
    def edit(config):
        config['linux']['namespaces'].append({'type': 'time'})
        config['linux']['timeOffsets'] = {'boottime': {'secs': 8640000}, 'monotonic': {'secs': 1000}}
    out = box.run('cat /proc/uptime /proc/self/timens_offsets', edit).ok().out.split()
    with open('/proc/uptime', encoding='ascii') as f:
        ours = float(f.read().split()[0])
    if not 8639999 <= float(out[0]) - ours < 8640000 + 60:
        fail('uptime is %s here and %s inside' % (ours, out[0]))
    same(['monotonic', '1000', '0', 'boottime', '8640000', '0'], out[2:])
    same(namespace('self', 'time'), namespace('self', 'time_for_children'))


def a_time_namespace_is_entered_by_exec(box):
    def edit(config):
        config['linux']['namespaces'].append({'type': 'time'})
        config['linux']['timeOffsets'] = {'boottime': {'secs': 8640000}}
    box.start(edit=edit)
    inside = float(box.exec('cat', '/proc/uptime').ok().out.split()[0])
    if inside < 8640000:
        fail('uptime %s' % inside)


def a_time_namespace_can_be_joined(box):
    def edit(config):
        config['linux']['namespaces'].append({'type': 'time'})
        config['linux']['timeOffsets'] = {'boottime': {'secs': 8640000}}
    box.start(edit=edit, id='a')
    out = box.run('cat /proc/uptime', join('time', box.state('a')['pid']), id='b').ok().out
    if float(out.split()[0]) < 8640000:
        fail('uptime %s' % out)


def an_impossible_time_offset_is_explained(box):
    def edit(config):
        config['linux']['namespaces'].append({'type': 'time'})
        config['linux']['timeOffsets'] = {'boottime': {'secs': -1 << 40}}
    box.run('true', edit).fails(1, 'linux.timeOffsets', 'negative')


main(globals())
