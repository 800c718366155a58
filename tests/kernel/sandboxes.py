#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pod sandboxes: what their containers share, what is refused, and that nothing of them stays."""
import fcntl
import random
import re
import socket

from pods import *

SECONDS = int(os.environ.get('SWEEP_SECONDS', '8'))  # for one sweep of kills; what isn't reached by then is left out
STRACE = shutil.which('strace')
HOST = 100000
IDS = [{'host_id': HOST, 'container_id': 0, 'length': 65536}]
NODE, CONTAINER, POD = 2, 1, 0
NS_GET_USERNS = 0xb701


def options(**modes):
    return {'security_context': {'namespace_options': modes}}


def userns():
    return options(pid=CONTAINER, userns_options={'mode': POD, 'uids': IDS, 'gids': IDS})


def status(box, id):
    return json.loads(box.call('sandbox', 'status', id).ok().out)


def run_folder(box, id):
    return os.path.join(box.root, '.sandboxes', id)


def enter(box, id, command, *kinds, check=True):
    """A shell command in the pinned namespaces of these kinds (net, ipc, uts, user, pid)."""
    names = {'net': 'net', 'ipc': 'ipc', 'uts': 'uts', 'user': 'user', 'pid': 'pid'}
    args = ['--%s=%s' % (names[k], os.path.join(run_folder(box, id), k)) for k in kinds or ('net', 'ipc', 'uts')]
    done = subprocess.run(['nsenter', *args, '--', 'sh', '-c', command], capture_output=True, text=True, timeout=30, check=False)
    if check and done.returncode:
        fail('%s: %s' % (command, done.stderr))
    return done.stdout


def own(kind):
    return os.stat('/proc/self/ns/' + kind).st_ino


def inode(box, id, kind):
    return os.stat(os.path.join(run_folder(box, id), kind)).st_ino


def record(box, id):
    return os.path.join(box.data, 'sandboxes', id, 'sandbox.json')


def edit_record(box, id, **changes):
    with open(record(box, id), encoding='utf-8') as f:
        r = json.load(f)
    r.update(changes)
    with open(record(box, id), 'w', encoding='utf-8') as f:
        json.dump(r, f)


def below(of):
    """Mount points of a box."""
    return [m for m in mounts() if m.startswith(of.root)]


def pauses(of):
    """Pause processes in the cgroups of a box's pods."""
    found = []
    for group in cgroups(of.tag) | {os.path.join(cgroup_mount(), n) for n in os.listdir(cgroup_mount())
                                     if n.startswith('ctrctl-pod-')}:
        try:
            with open(os.path.join(group, 'cgroup.procs'), encoding='utf-8') as f:
                found += f.read().split()
        except OSError:
            pass
    return found


def nothing_remains(box, where=''):
    same([], below(box), 'mounts ' + where)
    same(set(), cgroups(box.tag), 'cgroups ' + where)
    for top in (os.path.join(box.root, '.sandboxes'), os.path.join(box.data, 'sandboxes', 'names')):
        same([], os.listdir(top) if os.path.isdir(top) else [], top + ' ' + where)
    top = os.path.join(box.data, 'sandboxes')
    same([], [n for n in (os.listdir(top) if os.path.isdir(top) else []) if n != 'names'], top + ' ' + where)


def refused(box, linux_=None, *parts, **more):
    box.call('sandbox', 'run', write(box, pod_config(linux_=linux_, **more), 'bad.json')).fails(1, *parts)
    nothing_remains(box, 'after a refusal')


# -- namespaces ----------------------------------------------------------------------------------------------

def the_pins_hold_namespaces_of_the_pods_own(box):
    id = sandbox(box, linux_={})
    for kind in ('net', 'ipc', 'uts', 'pid'):
        if inode(box, id, kind) == own(kind):
            fail('%s is the host\'s' % kind)
    has_not(os.listdir(run_folder(box, id)), 'user')
    same('SANDBOX_READY', status(box, id)['state'])


def two_processes_joined_to_the_pins_see_each_other(box):
    id = sandbox(box, hostname='web')
    queue = enter(box, id, 'ipcmk -Q')
    has(enter(box, id, 'ipcs -q'), re.search(r'\d+', queue).group())
    has_not(subprocess.run(['ipcs', '-q'], capture_output=True, text=True, check=True).stdout,
            ' %s ' % re.search(r'\d+', queue).group())
    same('web\n', enter(box, id, 'cat /proc/sys/kernel/hostname'))
    listener = subprocess.Popen(['nsenter', '--net=%s/net' % run_folder(box, id), 'python3', '-c', '''
import socket
s = socket.create_server(("127.0.0.1", 7)); print("up", flush=True); c = s.accept()[0]; c.sendall(b"hello")'''],
                                stdout=subprocess.PIPE)
    try:
        same(b'up\n', listener.stdout.readline())
        same('hello', enter(box, id, 'python3 -c "import socket; '
                                     'print(socket.create_connection((\'127.0.0.1\', 7)).recv(9).decode(), end=\'\')"'))
    finally:
        listener.kill()
        listener.wait()
        listener.stdout.close()


def loopback_is_up_and_nothing_else_is_there(box):
    id = sandbox(box)
    same(['lo'], re.findall(r'^\d+: (\w+)', enter(box, id, 'ip link'), re.M))
    has(enter(box, id, 'ip link'), ',UP')


def without_a_shared_pid_namespace_there_is_no_process(box):
    id = sandbox(box)
    same([], pauses(box))
    same(0, status(box, id)['info']['pausePid'])
    same({'network', 'ipc', 'uts'}, set(status(box, id)['info']['namespaces']))


def the_hosts_network_means_the_hosts_name(box):
    id = sandbox(box, linux_=options(network=NODE, pid=CONTAINER), hostname='')
    same(['ipc', 'shm'], sorted(os.listdir(run_folder(box, id))))
    same('', status(box, id)['info']['hostname'])
    with open(os.path.join(box.data, 'sandboxes', id, 'hostname'), encoding='utf-8') as f:
        same(socket.gethostname() + '\n', f.read())
    with open(os.path.join(box.data, 'sandboxes', id, 'hosts'), encoding='utf-8') as f, open('/etc/hosts', encoding='utf-8') as h:
        same(h.read(), f.read())


def the_hosts_ipc_means_the_hosts_shm(box):
    id = sandbox(box, linux_=options(ipc=NODE, pid=CONTAINER))
    same(['net', 'uts'], sorted(os.listdir(run_folder(box, id))))
    same('', status(box, id)['info']['shm'])


def a_pod_with_all_of_the_hosts_needs_nothing(box):
    id = sandbox(box, linux_=options(ipc=NODE, pid=NODE, network=NODE), hostname='')
    same([], os.listdir(run_folder(box, id)))
    same('SANDBOX_READY', status(box, id)['state'])


def without_a_hostname_it_is_the_begin_of_the_id(box):
    config = pod_config()
    del config['hostname']
    id = sandbox(box, config)
    same(id[:12] + '\n', enter(box, id, 'cat /proc/sys/kernel/hostname'))


def a_user_namespace_owns_the_others(box):
    id = sandbox(box, linux_=userns())
    with open(os.path.join(run_folder(box, id), 'user'), 'rb') as user:
        wanted = os.fstat(user.fileno()).st_ino
    for kind in ('net', 'ipc', 'uts'):
        with open(os.path.join(run_folder(box, id), kind), 'rb') as f:
            owner = fcntl.ioctl(f.fileno(), NS_GET_USERNS)
        same(wanted, os.fstat(owner).st_ino, 'owner of ' + kind)
        os.close(owner)
    same(['0', '100000', '65536'], enter(box, id, 'cat /proc/self/uid_map', 'user').split())
    same(['0', '100000', '65536'], enter(box, id, 'cat /proc/self/gid_map', 'user').split())
    has(enter(box, id, 'ip link', 'net'), ',UP')
    same('pod\n', enter(box, id, 'cat /proc/sys/kernel/hostname', 'uts'))
    for path in (run_folder(box, id) + '/shm', *(os.path.join(box.data, 'sandboxes', id, n)
                                                for n in ('hostname', 'hosts', 'resolv.conf'))):
        same((HOST, HOST), (os.stat(path).st_uid, os.stat(path).st_gid), path)


def a_user_namespace_with_a_shared_pid_namespace_has_its_pause_in_it(box):
    linux_ = userns()
    linux_['security_context']['namespace_options']['pid'] = POD
    id = sandbox(box, linux_=linux_)
    pid = status(box, id)['info']['pausePid']
    same(inode(box, id, 'user'), os.stat('/proc/%d/ns/user' % pid).st_ino)
    same(HOST, os.stat('/proc/%d/task' % pid).st_uid if os.stat('/proc/%d' % pid).st_uid else HOST)
    with open('/proc/%d/status' % pid, encoding='utf-8') as f:
        has(f.read(), 'Uid:\t%d\t%d' % (HOST, HOST))
    has(enter(box, id, 'ps ax -o pid,comm || ps', 'user', 'pid', check=False) or 'PID', 'PID')


def shm_is_a_tmpfs_of_64_mib_for_everybody(box):
    id = sandbox(box)
    m = mountinfo_of('self')[run_folder(box, id) + '/shm']
    same('tmpfs', m.type)
    if not {'nosuid', 'noexec', 'nodev'} <= m.options:
        fail(m.options)
    has(m.fs_options, 'size=65536k')
    same(0o1777, os.stat(m.point).st_mode & 0o7777)


def containers_of_a_bundle_can_join_it(box):
    id = sandbox(box, linux_={})
    paths = status(box, id)['info']['namespaces']

    def edit(config):
        config['linux']['namespaces'] = [{'type': t, **({'path': paths[t]} if t in paths else {})}
                                         for t in ('pid', 'network', 'ipc', 'uts', 'mount', 'cgroup')]
        config.pop('hostname')
    box.start('sleep 100', edit, id='a')
    has(box.run('cat /proc/sys/kernel/hostname; ps', edit).ok().out, 'sleep 100')
    # Process 1 is the pause, and nothing can be had from it, be it by one who may trace.
    r = box.run('tr "\\0" " " </proc/1/cmdline; ls /proc/1/root/ /proc/1/cwd/ /proc/1/fd/ 2>&1; cat /proc/1/environ; true',
                both(edit, lambda c: c['process']['capabilities'].update(
                    {k: DEFAULT_CAPS + ['CAP_SYS_PTRACE'] for k in ('bounding', 'effective', 'permitted')})), id='b').ok()
    same({'ctrctl-pause', '/proc/1/cwd/:', '/proc/1/fd/:', '/proc/1/root/:'}, set(r.out.split()))
    r = box.run('ls /proc/1/root/', edit, id='b')
    has_not(r.out, 'bin')
    box.delete('a')


# -- pause ---------------------------------------------------------------------------------------------------

def the_pause_is_small_and_holds_nothing(box):
    id = sandbox(box, linux_={})
    pid = status(box, id)['info']['pausePid']
    same([str(pid)], pauses(box))
    same([], os.listdir('/proc/%d/fd' % pid))
    same([], os.listdir('/proc/%d/root' % pid))
    with open('/proc/%d/mountinfo' % pid, encoding='utf-8') as f:
        same(1, len(f.readlines()), 'mounts of the pause')
    with open('/proc/%d/status' % pid, encoding='utf-8') as f:
        text = f.read()
    for line in ('CapPrm:\t0000000000000000', 'CapBnd:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2', 'NSpid:\t%d\t1' % pid):
        has(text, line)
    with open('/proc/%d/smaps_rollup' % pid, encoding='utf-8') as f:
        kib = sum(int(n) for n in re.findall(r'^Private_\w+: +(\d+) kB', f.read(), re.M))
    print('# private memory of the pause: %d KiB' % kib)
    if kib > 64:
        fail('%d KiB' % kib)
    with open('/proc/%d/stat' % pid, encoding='utf-8') as f:
        session = f.read().rsplit(')', 1)[1].split()[3]
    same(str(pid), session, 'session')
    for kind in ('net', 'ipc', 'uts'):
        same(inode(box, id, kind), os.stat('/proc/%d/ns/%s' % (pid, kind)).st_ino, kind)


def the_pods_group_holds_groups_only(box):
    id = sandbox(box, linux_={})
    group = cgroup_mount() + status(box, id)['info']['cgroup']
    with open(group + '/cgroup.procs', encoding='utf-8') as f:
        same('', f.read())
    same(1, len([n for n in os.listdir(group) if n.startswith('ctrctl-pause')]))


def the_pause_reaps(box):
    id = sandbox(box, linux_={})
    pid = status(box, id)['info']['pausePid']
    for _ in range(5):
        enter(box, id, '(sleep 0.05 &) ; (true &)', 'pid')

    def children():
        with open('/proc/%d/task/%d/children' % (pid, pid), encoding='utf-8') as f:
            return f.read()
    eventually(lambda: not children(), 5, 'end of the children')
    same('SANDBOX_READY', status(box, id)['state'])


def a_dead_pause_makes_the_pod_not_ready(box):
    for signo in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        id = sandbox(box, linux_={})
        os.kill(status(box, id)['info']['pausePid'], signo)
        eventually(lambda i=id: status(box, i)['state'] == 'SANDBOX_NOTREADY', 5)
        box.call('sandbox', 'remove', id).ok()
        nothing_remains(box)


# -- sysctls -------------------------------------------------------------------------------------------------

def sysctl(key):
    with open('/proc/sys/' + key, encoding='utf-8') as f:
        return f.read().split()


def the_usual_sysctls_are_set(box):
    hosts = sysctl('net/ipv4/ip_unprivileged_port_start'), sysctl('net/ipv4/ping_group_range')
    id = sandbox(box)
    same('0', enter(box, id, 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start').strip())
    same(['0', '2147483647'], enter(box, id, 'cat /proc/sys/net/ipv4/ping_group_range').split())
    same(hosts, (sysctl('net/ipv4/ip_unprivileged_port_start'), sysctl('net/ipv4/ping_group_range')))


def what_the_pod_asks_for_wins(box):
    before = sysctl('kernel/msgmax')
    id = sandbox(box, linux_={**options(pid=CONTAINER), 'sysctls': {
        'net.ipv4.ip_unprivileged_port_start': '80', 'kernel.msgmax': '4711', 'net/core/somaxconn': '99',
        'fs.mqueue.msg_max': '7'}})
    same('80', enter(box, id, 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start').strip())
    same('4711', enter(box, id, 'cat /proc/sys/kernel/msgmax').strip())
    same('99', enter(box, id, 'cat /proc/sys/net/core/somaxconn').strip())
    same('7', enter(box, id, 'cat /proc/sys/fs/mqueue/msg_max').strip())
    same(before, sysctl('kernel/msgmax'))


def sysctls_in_a_user_namespace(box):
    id = sandbox(box, linux_={**userns(), 'sysctls': {'net.ipv4.ip_unprivileged_port_start': '81'}})
    same('81', enter(box, id, 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start').strip())


def sysctls_that_cant_be_set_are_named(box):
    refused(box, {**options(pid=CONTAINER), 'sysctls': {'net.ipv4.no_such': '1'}}, 'net.ipv4.no_such')
    refused(box, {**options(pid=CONTAINER), 'sysctls': {'kernel.msgmax': 'many'}}, 'kernel.msgmax')
    refused(box, {**options(pid=CONTAINER), 'sysctls': {'kernel.core_pattern': '|/x'}}, 'kernel.core_pattern')
    refused(box, {**options(pid=CONTAINER), 'sysctls': {'kernel.msgmax': '0+kernel.core_pattern=|/x'}}, 'kernel.msgmax')
    refused(box, {**options(pid=CONTAINER, network=NODE), 'sysctls': {'net.core.somaxconn': '9'}}, 'net.core.somaxconn', hostname='')
    refused(box, {**options(pid=CONTAINER, ipc=NODE), 'sysctls': {'kernel.msgmax': '9'}}, 'kernel.msgmax')


# -- names, states -------------------------------------------------------------------------------------------

def the_same_pod_again_is_the_same_sandbox(box):
    id = sandbox(box, linux_={})
    same(id, sandbox(box, linux_={}))
    path = write(box, pod_config(linux_={'cgroup_parent': '/' + box.tag}, labels={'a': 'b'}), 'other.json')
    box.call('sandbox', 'run', path).fails(1, id[:12], 'another config')
    path = write(box, pod_config(linux_={'cgroup_parent': '/' + box.tag}), 'same.json')
    box.call('sandbox', 'run', '-r', 'native', path).fails(1, id[:12], 'another runtime handler')
    box.call('sandbox', 'stop', id).ok()
    box.call('sandbox', 'run', path).fails(1, id[:12], 'sandbox remove')
    box.call('sandbox', 'remove', id).ok()
    if sandbox(box, linux_={}) == id:
        fail('an id came back')


def another_attempt_is_another_pod(box):
    config = pod_config()
    first = sandbox(box, config)
    config['metadata']['attempt'] = 1
    if sandbox(box, config) == first:
        fail('the same')
    same(2, len(box.call('sandbox', 'list', '-q').ok().out.split()))


def a_pod_without_a_uid_is_the_same_each_time(box):
    config = pod_config()
    del config['metadata']['uid']
    same(sandbox(box, config), sandbox(box, config))


def the_handler_must_be_known(box):
    path = write(box, pod_config(linux_={'cgroup_parent': '/' + box.tag}), 'pod.json')
    box.call('sandbox', 'run', '--runtime-handler', 'kata', path).fails(1, 'runtime_handler', 'kata')
    id = box.call('sandbox', 'run', '--runtime-handler', 'native', path).ok().out.strip()
    same('native', status(box, id)['runtimeHandler'])


def at_once(box, configs):
    paths = [write(box, c, 'pod%d.json' % i) for i, c in enumerate(configs)]
    running = [subprocess.Popen([CTRCTL, *box.globals, 'sandbox', 'run', p], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for p in paths]
    ids = []
    for p in running:
        out, err = p.communicate(timeout=60)
        if p.returncode:
            fail(err)
        ids.append(out.strip())
    return ids


def twenty_at_once_of_one_name_are_one_sandbox(box):
    config = pod_config(linux_={'cgroup_parent': '/' + box.tag})
    same(1, len(set(at_once(box, [config] * 20))))
    same(1, len(box.call('sandbox', 'list', '-q').ok().out.split()))
    same(1, len(pauses(box)))


def twenty_at_once_of_different_names(box):
    ids = at_once(box, [pod_config('pod%d' % i, linux_={'cgroup_parent': '/%s/%d' % (box.tag, i)}) for i in range(20)])
    same(20, len(set(ids)))
    same(sorted(ids), box.call('sandbox', 'list', '-q').ok().out.split())
    box.call('sandbox', 'remove', *ids).ok()
    nothing_remains(box)


def run_and_remove_at_once_leave_nothing(box):
    path = write(box, pod_config(linux_={'cgroup_parent': '/' + box.tag}), 'pod.json')
    for _ in range(10):
        id = box.call('sandbox', 'run', path).ok().out.strip()
        running = [subprocess.Popen([CTRCTL, *box.globals, 'sandbox', *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                   for args in (['remove', id], ['run', path], ['list'], ['remove', id], ['stop', id], ['run', path])]
        for p in running:
            err = p.communicate(timeout=60)[1]
            if p.returncode and b"isn't ready" not in err:
                fail(err)
        for id in box.call('sandbox', 'list', '-q').ok().out.split():
            box.call('sandbox', 'remove', id).ok()
        nothing_remains(box)


def stop_and_remove_can_be_repeated(box):
    id = sandbox(box, linux_={})
    before = below(box)
    box.call('sandbox', 'stop', id).ok()
    same('SANDBOX_NOTREADY', status(box, id)['state'])
    same([], below(box))
    same([], pauses(box))
    same(({}, '', 0), tuple(status(box, id)['info'][k] for k in ('namespaces', 'shm', 'pausePid')))
    if not before:
        fail('no mounts before')
    box.call('sandbox', 'stop', id, id).ok()
    box.call('sandbox', 'remove', id).ok()
    nothing_remains(box)
    box.call('sandbox', 'remove', id).ok()
    box.call('sandbox', 'stop', id, 'f' * 64, 'nonsense').ok()
    box.call('sandbox', 'status', id).fails(1, 'no such sandbox')


def ids_can_be_cut(box):
    id = sandbox(box)
    same(id, status(box, id[:4])['id'])
    box.call('sandbox', 'status', id[:3]).fails(1, 'no such sandbox')
    box.call('sandbox', 'status', '../' + id).fails(1, 'no such sandbox')
    box.call('sandbox', 'remove', id[:12]).ok()
    nothing_remains(box)


def list_shows_what_crictl_shows(box):
    id = sandbox(box, labels={'app': 'x'}, annotations={'a': 'b'})
    got, = json.loads(box.call('sandbox', 'list', '--format', 'json').ok().out)
    same((id, 'SANDBOX_READY', {'app': 'x'}, {'a': 'b'}, ''),
         (got['id'], got['state'], got['labels'], got['annotations'], got['runtimeHandler']))
    same({'name': 'pod', 'uid': UID, 'namespace': 'default', 'attempt': 0}, got['metadata'])
    table = box.call('sandbox', 'list').ok().out.splitlines()
    same(2, len(table))
    has(table[1], 'Ready')
    same({'network': 'POD', 'pid': 'CONTAINER', 'ipc': 'POD'}, status(box, id)['linux']['namespaces']['options'])


def the_files_say_what_the_config_says(box):
    id = sandbox(box, hostname='web', dns_config={'servers': ['10.0.0.1', '10.0.0.2'], 'searches': ['a.b', 'c'], 'options': ['ndots:5']})
    folder = os.path.join(box.data, 'sandboxes', id)

    def text(name):
        same(0o644, os.stat(os.path.join(folder, name)).st_mode & 0o7777)
        with open(os.path.join(folder, name), encoding='utf-8') as f:
            return f.read()
    same('web\n', text('hostname'))
    has(text('hosts'), 'web')
    has(text('hosts'), '127.0.0.1')
    same('search a.b c\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions ndots:5\n', text('resolv.conf'))
    same(0o700, os.stat(folder).st_mode & 0o7777)
    same(0o600, os.stat(record(box, id)).st_mode & 0o7777)


def slices_of_systemd_are_refused(box):
    refused(box, {'cgroup_parent': 'kubepods-besteffort.slice'}, 'linux.cgroup_parent', 'cgroupfs')
    id = sandbox(box, linux_={'cgroup_parent': '/%s.slice/pod' % box.tag})
    same('/%s.slice/pod' % box.tag, status(box, id)['info']['cgroup'])


def a_parent_that_was_there_stays(box):
    group = os.path.join(cgroup_mount(), box.tag)
    os.mkdir(group)
    try:
        id = sandbox(box, linux_={'cgroup_parent': '/' + box.tag})
        box.call('sandbox', 'remove', id).ok()
        same([], [n for n in os.listdir(group) if os.path.isdir(os.path.join(group, n))])
    finally:
        os.rmdir(group)


def pods_may_have_one_parent(box):
    ids = [sandbox(box, pod_config('pod%d' % i, linux_={'cgroup_parent': '/' + box.tag})) for i in range(2)]
    same(2, len(pauses(box)))
    box.call('sandbox', 'remove', ids[0]).ok()
    same('SANDBOX_READY', status(box, ids[1])['state'])
    box.call('sandbox', 'remove', ids[1]).ok()
    nothing_remains(box)


def a_reboot_makes_it_not_ready_and_nothing_of_others_is_touched(box):
    id = sandbox(box, linux_={})
    pid = status(box, id)['info']['pausePid']
    edit_record(box, id, bootId='00000000-0000-0000-0000-000000000000')
    same('SANDBOX_NOTREADY', status(box, id)['state'])
    box.call('sandbox', 'remove', id).ok()
    os.kill(pid, 0)  # a number of another boot is somebody else's
    same([], below(box))
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not pauses(box))
    for group in sorted(cgroups(box.tag), reverse=True):
        os.rmdir(group)
    nothing_remains(box)


def a_pin_that_is_gone_makes_it_not_ready(box):
    id = sandbox(box)
    subprocess.run(['umount', run_folder(box, id) + '/ipc'], check=True)
    same('SANDBOX_NOTREADY', status(box, id)['state'])


def a_broken_record_can_be_removed(box):
    for parent in ('/' + box.tag, ''):
        id = sandbox(box, linux_={'cgroup_parent': parent})
        with open(record(box, id), 'r+', encoding='utf-8') as f:
            f.truncate(20)
        box.call('sandbox', 'status', id).fails(1, 'sandbox remove')
        has(box.call('sandbox', 'list').ok().err, id[:12])
        box.call('sandbox', 'remove', id).ok()
        box.call('sandbox', 'list').ok()
        if parent:
            os.rmdir(cgroup_mount() + parent)
        same([], [n for n in os.listdir(cgroup_mount()) if n == 'ctrctl-pod-' + id[:12]])
        nothing_remains(box)


# -- mounts --------------------------------------------------------------------------------------------------

def the_hosts_mounts_grow_by_the_pins_only(box):
    before = mounts()
    id = sandbox(box, linux_={})
    same(sorted(before + [run_folder(box, id) + end for end in ('', '/shm', '/net', '/ipc', '/uts', '/pid')]), mounts())


def pins_dont_spread_over_shared_mounts_nor_by_binds(box):
    os.makedirs(box.root, 0o700)
    peer = os.path.join(box.folder, 'peer')
    copy_ = os.path.join(box.folder, 'copy')
    os.mkdir(peer)
    os.mkdir(copy_)
    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', box.root], check=True)
    os.chmod(box.root, 0o700)
    try:
        subprocess.run(['mount', '--make-shared', box.root], check=True)
        subprocess.run(['mount', '--bind', box.root, peer], check=True)
        id = sandbox(box, linux_={})
        same(1, len([m for m in mounts() if m.startswith(peer + '/')]), 'mounts on the peer')
        subprocess.run(['mount', '--rbind', box.root, copy_], check=True)
        same([], [m for m in mounts() if m.startswith(copy_ + '/')], 'mounts of the copy')
        subprocess.run(['umount', '-R', copy_], check=True)
        box.call('sandbox', 'remove', id).ok()
        same([], [m for m in mounts() if m.startswith((peer + '/', box.root + '/'))])
    finally:
        for m in (copy_, peer, box.root):
            subprocess.run(['umount', '-R', m], check=False, stderr=subprocess.DEVNULL)


def mount_namespaces_that_were_copied_meanwhile_hold_nothing(box):
    id = sandbox(box, linux_={})
    with open(run_folder(box, id) + '/shm/x', 'wb') as f:
        f.write(b'x')
    other = subprocess.Popen(['unshare', '--mount', '--propagation', 'private', 'sh', '-c', 'echo; exec sleep 100'],
                             stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        same(6, len([m for m in mountinfo_of(other.pid) if id in m]))
        box.call('sandbox', 'stop', id).ok()
        same([], [m for m in mountinfo_of(other.pid) if id in m])
    finally:
        other.kill()
        other.wait()
        other.stdout.close()


def folders_are_for_root_only(box):
    id = sandbox(box, linux_={})
    for path in (box.root, box.root + '/.sandboxes', run_folder(box, id), box.data, box.data + '/sandboxes',
                 os.path.dirname(record(box, id))):
        same(0o700, os.stat(path).st_mode & 0o7777, path)


# -- containers ----------------------------------------------------------------------------------------------

def stop_ends_containers_in_each_state_and_of_no_other_pod(box):
    load(box)
    pod, other = sandbox(box), sandbox(box, pod_config('other'))
    ids = {n: create(box, pod, name=n, command=['sleep', '1000']) for n in ('created', 'running', 'paused')}
    stranger = create(box, other, command=['sleep', '1000'])
    for id in (ids['running'], ids['paused'], stranger):
        box.call('start', id).ok()
    box.call('pause', ids['paused']).ok()
    box.call('sandbox', 'stop', pod).ok()
    same(['stopped'] * 3, [box.status(id) for id in ids.values()])
    same('running', box.status(stranger))
    box.call('create', '--request', write(box, request(box, pod, name='late'), 'late.json')).fails(1, 'not ready')
    box.call('sandbox', 'remove', pod).ok()
    box.call('state', ids['running']).fails(1, 'does not exist')
    same('running', box.status(stranger))
    box.call('sandbox', 'remove', other).ok()
    nothing_remains(box)


def creates_and_a_stop_at_once_leave_no_container_alive(box):
    load(box)
    for _ in range(3):
        pod = sandbox(box)
        paths = [write(box, request(box, pod, name='c%d' % i, command=['sleep', '1000']), 'req%d.json' % i) for i in range(6)]
        running = [subprocess.Popen([CTRCTL, *box.globals, 'create', '--request', p], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for p in paths]
        time.sleep(0.02)
        box.call('sandbox', 'stop', pod).ok()
        for p in running:
            err = p.communicate(timeout=60)[1]
            if p.returncode:
                has(err.decode(), 'not ready')
        for id in box.call('list', '-q').ok().out.split():
            same('stopped', box.status(id))
        box.call('sandbox', 'remove', pod).ok()
        same('', box.call('list', '-q').ok().out)
        nothing_remains(box)


def a_pause_that_dies_takes_the_pods_processes_with_it(box):
    load(box)
    pod = sandbox(box, linux_={})
    id = create(box, pod, command=['sleep', '1000'], security={'namespace_options': {'pid': POD}})
    box.call('start', id).ok()
    os.kill(status(box, pod)['info']['pausePid'], signal.SIGKILL)
    eventually(lambda: box.status(id) == 'stopped', 10)
    box.call('sandbox', 'remove', pod).ok()
    nothing_remains(box)


# -- death at any point --------------------------------------------------------------------------------------

SETUP = ('execve', 'exit_group', 'brk', 'mprotect', 'pread64', 'arch_prctl', 'set_tid_address', 'rseq', 'prlimit64', 'futex',
         'munmap', 'set_robust_list', 'readlink', 'getuid', 'geteuid', 'umask')


def calls_of(box, argv):
    """What system calls a run of it makes, in order: [(name, how many before it), ...]."""
    log = os.path.join(box.folder, 'calls')
    subprocess.run([STRACE, '-qq', '-o', log, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=60, check=True)
    points, count = [], {}
    with open(log, encoding='utf-8', errors='replace') as f:
        for line in f:
            name = re.match(r'(?:\d+ +)?(\w+)\(', line)
            if name and name.group(1) not in SETUP:
                count[name.group(1)] = count.get(name.group(1), 0) + 1
                points.append((name.group(1), count[name.group(1)]))
    random.Random(1).shuffle(points)
    return points


def injected(point, how, argv):
    name, n = point
    return subprocess.run([STRACE, '-qq', '-o', '/dev/null', '-e', 'trace=' + name, '-e', 'inject=%s:%s:when=%d' % (name, how, n),
                           *argv], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)


def sweep(box, verb, linux_, after):
    """Kills `verb` at each of its calls; then after(point) must be enough."""
    if not STRACE:
        skip('no strace')
    path = write(box, pod_config(linux_={'cgroup_parent': '/' + box.tag, **linux_}), 'pod.json')

    def argv():
        if verb == 'run':
            return [CTRCTL, *box.globals, 'sandbox', 'run', path]
        return [CTRCTL, *box.globals, 'sandbox', verb, box.call('sandbox', 'run', path).ok().out.strip()]
    points = calls_of(box, argv())
    for id in box.call('sandbox', 'list', '-q').ok().out.split():
        box.call('sandbox', 'remove', id).ok()
    nothing_remains(box, 'before the sweep')
    end = time.monotonic() + SECONDS
    killed = tried = 0
    for point in points:
        if time.monotonic() > end:
            break
        tried += 1
        killed += injected(point, 'signal=KILL', argv()).returncode != 0
        after(path)
        for id in box.call('sandbox', 'list', '-q').ok().out.split():
            box.call('sandbox', 'remove', id).ok()
        nothing_remains(box, 'after a kill at %s:%d' % point)
    print('# killed at %d of %d points of sandbox %s' % (killed, len(points), verb))
    if killed < 10:
        fail('killed %d times only' % killed)


def run_killed_anywhere_can_be_repeated(box):
    sweep(box, 'run', {}, lambda path: box.call('sandbox', 'run', path).ok())


def run_killed_anywhere_is_cleaned_up_by_list(box):
    sweep(box, 'run', {}, lambda path: box.call('sandbox', 'list').ok())


def run_in_a_user_namespace_killed_anywhere(box):
    sweep(box, 'run', userns(), lambda path: box.call('sandbox', 'list').ok())


def stop_killed_anywhere_can_be_repeated(box):
    def again(_):
        for id in box.call('sandbox', 'list', '-q').ok().out.split():
            box.call('sandbox', 'stop', id).ok()
            same('SANDBOX_NOTREADY', status(box, id)['state'])
        same([], below(box))
    sweep(box, 'stop', {}, again)


def remove_killed_anywhere_can_be_repeated(box):
    def again(_):
        for id in box.call('sandbox', 'list', '-q').ok().out.split():
            box.call('sandbox', 'remove', id).ok()
    sweep(box, 'remove', {}, again)


def remove_with_a_container_killed_anywhere(box):
    if not STRACE:
        skip('no strace')
    load(box)

    def argv():
        pod = sandbox(box)
        box.call('start', create(box, pod, command=['sleep', '1000'])).ok()
        return [CTRCTL, *box.globals, 'sandbox', 'remove', pod]
    end = time.monotonic() + SECONDS
    killed = 0
    for point in calls_of(box, argv()):
        if time.monotonic() > end:
            break
        killed += injected(point, 'signal=KILL', argv()).returncode != 0
        for id in box.call('sandbox', 'list', '-q').ok().out.split():
            box.call('sandbox', 'remove', id).ok()
        same([], os.listdir(os.path.join(box.data, 'containers')), 'containers after a kill at %s:%d' % point)
        nothing_remains(box, 'after a kill at %s:%d' % point)
    print('# killed %d times' % killed)


def a_call_that_fails_leaves_nothing(box):
    if not STRACE:
        skip('no strace')
    path = write(box, pod_config(linux_={'cgroup_parent': '/' + box.tag}), 'pod.json')
    argv = [CTRCTL, *box.globals, 'sandbox', 'run', path]
    points = [p for p in calls_of(box, argv) if p[0] in (
        'mkdirat', 'openat', 'fsopen', 'fsconfig', 'fsmount', 'move_mount', 'open_tree', 'mount_setattr', 'clone3', 'memfd_create',
        'socketpair', 'recvfrom', 'sendto', 'renameat', 'fsync', 'write', 'getrandom', 'flock')]
    for id in box.call('sandbox', 'list', '-q').ok().out.split():
        box.call('sandbox', 'remove', id).ok()
    end = time.monotonic() + SECONDS
    failed = 0
    for point in points:
        if time.monotonic() > end:
            break
        done = injected(point, 'error=ENOMEM', argv)
        if done.returncode:
            failed += 1
            has(done.stderr.decode(), 'ctrctl:')
        for id in box.call('sandbox', 'list', '-q').ok().out.split():
            box.call('sandbox', 'remove', id).ok()
        nothing_remains(box, 'after ENOMEM at %s:%d' % point)
    print('# %d of %d calls failed' % (failed, len(points)))
    if failed < 10:
        fail('%d failed only' % failed)


main(globals())
