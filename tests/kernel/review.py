#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a review of the whole code found: each case failed once."""
import threading

from box import *


def ended(box, id, edit=None):
    box.create('true', edit, id=id).ok()
    box.call('start', id).ok()
    eventually(lambda: box.status(id) == 'stopped')


def shared(owner):
    def edit(config):
        config['linux']['cgroupsPath'] = '/%s/shared' % owner.tag
    return edit


def alive(pid):
    try:
        with open('/proc/%d/stat' % pid, encoding='utf-8') as f:
            return f.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except FileNotFoundError:
        return False


# -- what is alive --------------------------------------------------------------------------------------

def a_pid_that_a_thread_has_now_is_gone(box):
    ended(box, 'c')
    number, done = [], threading.Event()

    def sleep():
        number.append(threading.get_native_id())
        done.wait()
    thread = threading.Thread(target=sleep)
    thread.start()
    eventually(lambda: number)
    path = os.path.join(box.root, 'c', 'state.json')
    with open(path, encoding='utf-8') as f:
        record = json.load(f)
    record['pid'] = number[0]
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(record, f)
    try:
        same('stopped', box.status())
        box.call('delete', 'c').ok()
    finally:
        done.set()
        thread.join()


# -- whose cgroup it is ---------------------------------------------------------------------------------

def deleting_one_spares_the_next_owner_of_its_cgroup(box):
    ended(box, 'a', shared(box))
    box.start(edit=shared(box), id='b')
    box.call('delete', 'a').ok()
    same('running', box.status('b'))


def kill_all_of_one_that_ended_spares_the_next_owner_of_its_cgroup(box):
    ended(box, 'a', shared(box))
    box.start(edit=shared(box), id='b')
    box.call('kill', '--all', 'a', 'KILL').ok()
    same('running', box.status('b'))


def a_create_that_was_killed_early_owns_nothing(box):
    box.start(edit=shared(box), id='b')
    with open(os.path.join(box.root, 'b', 'state.json'), encoding='utf-8') as f:
        record = json.load(f)
    # What is on disk when create is killed between the record and the cgroup.
    record.update(id='a', phase='creating', pid=0, startTime=0)
    os.mkdir(os.path.join(box.root, 'a'), 0o700)
    with open(os.path.join(box.root, 'a', 'state.json'), 'w', encoding='utf-8') as f:
        json.dump(record, f)
    box.call('delete', '--force', 'a').ok()
    same('running', box.status('b'))


def delete_by_force_ends_a_container_whose_record_is_lost(box):
    for content in ('', '{', '{"version":2}'):
        box.start()
        pid = box.state()['pid']
        with open(os.path.join(box.root, 'c', 'state.json'), 'w', encoding='utf-8') as f:
            f.write(content)
        box.call('delete', '--force', 'c').ok()
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
            fail('its process lives on')
        same(set(), cgroups(box.tag), 'cgroups')


# -- hooks, errors --------------------------------------------------------------------------------------

def a_timeout_beyond_reason_is_refused(box):
    def edit(config):
        config['hooks'] = {'createRuntime': [{'path': '/bin/true', 'timeout': 2 ** 63 - 1}]}
    box.run('true', edit).fails(1, 'hooks.createRuntime[0]', 'at most')


def hooks_after_a_failure_are_in_the_time_namespace_of_the_host(box):
    out = os.path.join(box.folder, 'time')

    def edit(config):
        config['linux']['namespaces'].append({'type': 'time'})
        config['linux']['timeOffsets'] = {'monotonic': {'secs': -999999999, 'nanosecs': 0}}
        config['hooks'] = {'poststop': [{'path': '/bin/sh', 'args': ['sh', '-c', 'readlink /proc/self/ns/time > ' + out]}]}
    box.run('true', edit).fails(1, 'linux.timeOffsets')
    with open(out, encoding='utf-8') as f:
        same(os.readlink('/proc/self/ns/time'), f.read().strip())


def start_names_the_step_that_failed_whatever_create_was_told(box):
    rootfs = box.rootfs()
    program = os.path.join(rootfs, 'bin', 'program')
    for id, options in (('a', ()), ('b', ('--no-new-keyring',)), ('c', ('--no-pivot',))):
        shutil.copy(os.path.join(rootfs, 'bin', 'busybox'), program)
        box.create(['/bin/program'], rootfs=rootfs, id=id, options=options).ok()
        os.unlink(program)
        box.call('start', id).fails(1, 'process.args[0]: execve(/bin/program)')


# -- places of the image --------------------------------------------------------------------------------

def a_symlink_of_the_image_leads_no_mount_into_proc(box):
    rootfs = box.rootfs()
    source = os.path.join(box.folder, 'volume')
    os.mkdir(source)
    os.symlink('/proc', os.path.join(rootfs, 'data'))
    os.symlink('proc', os.path.join(rootfs, 'more'))
    for mount in ({'destination': '/data', 'type': 'bind', 'source': source, 'options': ['rbind']},
                  {'destination': '/data/sys', 'type': 'tmpfs', 'source': 'tmpfs'},
                  {'destination': '/more/1', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['tmpcopyup']}):
        def edit(config, mount=mount):
            config['mounts'].append(mount)
        result = box.run('true', edit, rootfs=rootfs)
        if result.status == 0:
            fail('%s was mounted' % mount['destination'])
        has(result.err, 'mounts[7]')


def without_pivot_root_there_is_a_warning(box):
    has(box.call('run', '--no-pivot', '--bundle', box.bundle(args='true'), 'c').ok().err, '--no-pivot')
    has_not(box.call('run', '--bundle', box.bundle(args='true'), 'c').ok().err, '--no-pivot')


def maps_without_id_0_are_refused_by_their_place(box):
    for which in ('uidMappings', 'gidMappings'):
        def edit(config, which=which):
            config['linux']['namespaces'].append({'type': 'user'})
            for name in ('uidMappings', 'gidMappings'):
                config['linux'][name] = [{'containerID': 0, 'hostID': 100000, 'size': 65536}]
            config['linux'][which][0]['containerID'] = 1
        box.run('true', edit).fails(1, 'linux.' + which, 'id 0')


# -- exec -----------------------------------------------------------------------------------------------

def exec_reaches_a_container_that_manages_its_own_cgroups(box):
    box.start()
    pid = box.state()['pid']
    with open('/proc/%d/cgroup' % pid, encoding='utf-8') as f:
        path = [line.strip()[3:] for line in f if line.startswith('0::')][0]
    os.mkdir(cgroup_mount() + path + '/init.scope')
    with open(cgroup_mount() + path + '/init.scope/cgroup.procs', 'w', encoding='utf-8') as f:
        f.write(str(pid))
    with open(cgroup_mount() + '/cgroup.controllers', encoding='utf-8') as f:
        domain = [c for c in f.read().split() if c in ('hugetlb', 'memory', 'io', 'rdma')]
    if not domain:
        skip('no controller to be passed on')
    with open(cgroup_mount() + '/cgroup.subtree_control', encoding='utf-8') as f:
        passed_on = domain[0] in f.read().split()
    try:
        at = cgroup_mount()
        for part in path.split('/'):
            at = os.path.join(at, part)
            with open(os.path.join(at, 'cgroup.subtree_control'), 'w', encoding='utf-8') as f:
                f.write('+' + domain[0])
        has(box.exec('cat', '/proc/self/cgroup').ok().out, '0::/init.scope')
    finally:
        box.delete()
        if not passed_on:
            with open(cgroup_mount() + '/cgroup.subtree_control', 'w', encoding='utf-8') as f:
                f.write('-' + domain[0])


# -- what the caller has open ---------------------------------------------------------------------------

def nothing_starts_when_fds_cannot_be_closed(box):
    if not shutil.which('strace'):
        skip('no strace')
    bundle = box.bundle(args='ls /proc/self/fd')
    for when in range(1, 4):
        fail_it = ['strace', '-f', '-o', '/dev/null', '-e', 'trace=close_range',
                   '-e', 'inject=close_range:error=ENOSYS:when=%d' % when]
        done = subprocess.run([*fail_it, CTRCTL, '--root', box.root, 'run', '--bundle', bundle, 'c'],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.stdout:
            fail('started after the close_range %d failed: %r' % (when, done.stdout))


def parents_of_a_cgroup_that_could_not_be_opened_are_gone(box):
    if not shutil.which('strace'):
        skip('no strace')
    bundle = box.bundle(args='true')
    for when in range(1, 9):
        fail_it = ['strace', '-o', '/dev/null', '-e', 'trace=openat2', '-e', 'inject=openat2:error=EMFILE:when=%d' % when]
        done = subprocess.run([*fail_it, CTRCTL, '--root', box.root, 'run', '--bundle', bundle, 'c'],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if b'making its parents' in done.stderr:
            same(set(), cgroups(box.tag), 'cgroups after openat2 %d' % when)
            return
    fail('no call hit the parents')


main(globals())
