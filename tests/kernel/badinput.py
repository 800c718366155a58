#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input: one clear error each, the right exit status, and nothing left behind."""
from box import *


def raw(box, text):
    """A bundle whose config.json is these bytes."""
    bundle = box.bundle()
    with open(bundle + '/config.json', 'wb') as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return bundle


def refused(box, r, *parts, status=1):
    r.fails(status, *parts)
    lines = [x for x in r.err.splitlines() if not x.startswith('  hint:')]
    if len([x for x in lines if not x.startswith('ctrctl: warning')]) != 1:
        fail('not one error: %r' % r.err)
    for trap in ('no such file or directory', 'permission denied'):
        has_not(r.err.lower(), trap)
    nothing(box)


def nothing(box):
    if os.path.isdir(box.root):
        same([], [n for n in os.listdir(box.root) if not n.startswith('.')], 'records')
    same(set(), cgroups(box.tag), 'cgroups')
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/cmdline' % pid, 'rb') as f:
                words = f.read().split(b'\0')
        except OSError:
            continue
        if words[0] == b'ctrctl-init' and box.tag in ' '.join(mounts_of(pid)):
            fail('process %s is left' % pid)


def mounts_of(pid):
    try:
        with open('/proc/%s/mountinfo' % pid, encoding='utf-8') as f:
            return f.read().splitlines()
    except OSError:
        return []


def set_at(*path_and_value):
    *path, value = path_and_value

    def edit(config):
        at = config
        for key in path[:-1]:
            at = at[key] if isinstance(at, list) else at.setdefault(key, {})
        if value is None:
            del at[path[-1]]
        else:
            at[path[-1]] = value
    return edit


def each(box, rows, verb='run'):
    """Rows of (edit, parts of the message ...)"""
    rootfs = box.rootfs()
    for edit, *parts in rows:
        bundle = box.bundle(edit, 'true', rootfs)
        refused(box, box.call(verb, '--bundle', bundle, 'c'), *parts)


# -- the file --------------------------------------------------------------------------------------------

def a_missing_bundle_or_config_is_named(box):
    refused(box, box.call('run', '--bundle', '/nowhere', 'c'), '/nowhere')
    empty = os.path.join(box.folder, 'empty')
    os.mkdir(empty)
    refused(box, box.call('run', '--bundle', empty, 'c'), 'config.json')
    refused(box, box.call('create', '--bundle', empty, 'c'), 'config.json')
    refused(box, box.call('run', '--bundle', empty, '--config', '/nowhere/c.json', 'c'), '/nowhere/c.json')
    refused(box, box.call('run', '--bundle', '/etc/passwd', 'c'), '/etc/passwd')


def broken_json_is_refused(box):
    good = open(box.bundle() + '/config.json', encoding='utf-8').read()
    for text in ('', '{', '[]', 'null', '7', '""', good[:-1], good + 'x', good + good, good.replace('{', '{/* */', 1), '\0',
                 b'\xff\xfe', '{"ociVersion":"1.0.0","ociVersion":"1.0.0"}', good.replace('"box"', '"b\\u0000x"'),
                 good.replace('"box"', '"\\ud800"'), '[' * 100000, '{"a":' * 100000, good.replace('"box"', '1e5')):
        refused(box, box.call('run', '--bundle', raw(box, text), 'c'), 'config.json')


def a_config_that_is_no_file_is_refused_without_hanging(box):
    for make in (os.mkdir, os.mkfifo):
        bundle = box.bundle()
        os.unlink(bundle + '/config.json')
        make(bundle + '/config.json')
        refused(box, box.call('run', '--bundle', bundle, 'c', timeout=10), 'config.json')


def a_config_of_20_mib_is_refused(box):
    refused(box, box.call('run', '--bundle', raw(box, '{"a":"%s"}' % ('x' * (20 << 20))), 'c'), 'config.json')


def wrong_types_are_named_with_their_place(box):
    each(box, [
        (set_at('process', 'args', 'sh'), 'process.args'),
        (set_at('process', 'args', [1]), 'process.args'),
        (set_at('process', 'args', []), 'args'),
        (set_at('process', 'args', None), 'args'),
        (set_at('process', 'cwd', 'relative'), 'process.cwd'),
        (set_at('process', 'cwd', None), 'cwd'),
        (set_at('process', 'cwd', 7), 'process.cwd'),
        (set_at('process', 'env', {}), 'process.env'),
        (set_at('process', 'env', ['NO']), 'process.env'),
        (set_at('process', 'env', ['=x']), 'process.env'),
        (set_at('process', 'user', 'uid', -1), 'process.user.uid'),
        (set_at('process', 'user', 'uid', 4294967296), 'process.user.uid'),
        (set_at('process', 'user', 'uid', 1.5), 'process.user.uid'),
        (set_at('process', 'user', 'umask', 0o1000), 'umask'),
        (set_at('process', 'terminal', 'yes'), 'process.terminal'),
        (set_at('process', 'oomScoreAdj', 2000), 'oomScoreAdj'),
        (set_at('process', 'rlimits', [{'type': 'RLIMIT_X', 'soft': 1, 'hard': 1}]), 'rlimits[0]'),
        (set_at('process', 'rlimits', [{'type': 'RLIMIT_CORE', 'soft': 2, 'hard': 1}]), 'rlimits[0]'),
        (set_at('process', 'rlimits', [{'type': 'RLIMIT_CORE', 'soft': 1, 'hard': 1}] * 2), 'rlimits[1]'),
        (set_at('mounts', {}), 'mounts'),
        (set_at('mounts', 0, 'options', 'ro'), 'mounts[0].options'),
        (set_at('mounts', 0, 'destination', None), 'mounts[0]'),
        (set_at('hooks', []), 'hooks'),
        (set_at('hooks', {'prestart': [{'path': 'relative'}]}), 'hooks.prestart[0]'),
        (set_at('hooks', {'prestart': [{'path': '/bin/true', 'timeout': 0}]}), 'hooks.prestart[0]'),
        (set_at('hooks', {'prestart': [{'path': '/bin/true', 'timeout': -1}]}), 'hooks.prestart[0]'),
        (set_at('annotations', {'': 'x'}), 'annotations'),
        (set_at('annotations', {'x': 1}), 'annotations'),
        (set_at('ociVersion', None), 'ociVersion'),
        (set_at('ociVersion', '2.0.0'), 'ociVersion'),
        (set_at('ociVersion', 'x'), 'ociVersion'),
        (set_at('process', None), 'process'),
        (set_at('root', None), 'root'),
        (set_at('hostname', 'x' * 65), 'hostname'),
        (set_at('linux', 'namespaces', 'pid'), 'linux.namespaces'),
    ])


def unknown_values_are_named_with_their_place(box):
    each(box, [
        (set_at('linux', 'namespaces', 0, 'type', 'pidns'), 'linux.namespaces[0]', 'pidns'),
        (set_at('linux', 'namespaces', 1, 'type', 'pid'), 'linux.namespaces[1]'),
        (set_at('linux', 'namespaces', 0, 'path', 'relative'), 'linux.namespaces[0]'),
        (set_at('linux', 'rootfsPropagation', 'sharing'), 'linux.rootfsPropagation', 'sharing'),
        (set_at('linux', 'devices', [{'path': '/dev/x', 'type': 'z', 'major': 1, 'minor': 3}]), 'linux.devices[0]'),
        (set_at('linux', 'devices', [{'path': '/dev/x', 'type': 'c'}]), 'linux.devices[0]'),
        (set_at('linux', 'devices', [{'path': 'dev/x', 'type': 'c', 'major': 1, 'minor': 3}]), 'linux.devices[0]'),
        (set_at('linux', 'seccomp', {'defaultAction': 'SCMP_ACT_MAYBE'}), 'linux.seccomp.defaultAction', 'SCMP_ACT_MAYBE'),
        (set_at('linux', 'seccomp', {'defaultAction': 'SCMP_ACT_ALLOW', 'architectures': ['SCMP_ARCH_PDP11']}),
         'linux.seccomp.architectures[0]'),
        (set_at('linux', 'seccomp', {'defaultAction': 'SCMP_ACT_ALLOW', 'flags': ['X']}), 'linux.seccomp.flags[0]'),
        (set_at('linux', 'seccomp', {'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [
            {'names': ['read'], 'action': 'SCMP_ACT_ERRNO', 'args': [{'index': 6, 'value': 0, 'op': 'SCMP_CMP_EQ'}]}]}),
         'linux.seccomp.syscalls[0]'),
        (set_at('linux', 'seccomp', {'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [
            {'names': ['read'], 'action': 'SCMP_ACT_ERRNO', 'args': [{'index': 0, 'value': 0, 'op': 'SCMP_CMP_XX'}]}]}),
         'linux.seccomp.syscalls[0].args[0].op'),
        (set_at('linux', 'sysctl', {'kernel.core_pattern': '|/x'}), 'kernel.core_pattern'),
        (set_at('linux', 'sysctl', {'net/../kernel.core_pattern': '|/x'}), 'linux.sysctl'),
        (set_at('linux', 'sysctl', {'kernel.shmmax': '0\nx'}), 'linux.sysctl'),
        (set_at('linux', 'cgroupsPath', '/a/../b'), 'cgroupsPath'),
        (set_at('linux', 'cgroupsPath', '/'), 'cgroupsPath'),
        (set_at('linux', 'cgroupsPath', '/a//b'), 'cgroupsPath'),
        (set_at('linux', 'uidMappings', [{'containerID': 0, 'hostID': 0, 'size': 1}]), 'uidMappings'),
        (set_at('linux', 'timeOffsets', {'monotonic': {'secs': 1}}), 'timeOffsets'),
        (set_at('linux', 'resources', {'unified': {'../x': '1'}}), 'unified'),
        (set_at('linux', 'resources', {'unified': {'cgroup.procs': '1'}}), 'unified'),
        (set_at('linux', 'resources', {'unified': {'nosuch.max': '1'}}), 'nosuch'),
        (set_at('linux', 'resources', {'pids': {'limit': 'many'}}), 'linux.resources.pids.limit'),
        (set_at('linux', 'resources', {'devices': [{'allow': False, 'access': 'rwx'}]}), 'linux.resources.devices[0]'),
        (set_at('process', 'scheduler', {'policy': 'SCHED_FAIR'}), 'process.scheduler'),
        (set_at('process', 'ioPriority', {'class': 'IOPRIO_CLASS_X', 'priority': 1}), 'process.ioPriority'),
        (set_at('process', 'apparmorProfile', 'nosuch-profile'), 'nosuch-profile'),
        (set_at('process', 'selinuxLabel', 'a:b:c'), 'selinux label is specified in config'),
        (set_at('linux', 'personality', {'domain': 'LINUX128'}), 'linux.personality'),
    ])


def a_controller_that_is_not_there_is_an_error_that_says_so(box):
    with open(cgroup_mount() + '/cgroup.controllers', encoding='ascii') as f:
        there = f.read().split()
    rows = [('memory', {'memory': {'limit': 1 << 28}}), ('cpu', {'cpu': {'shares': 512}}), ('pids', {'pids': {'limit': 10}}),
            ('cpuset', {'cpu': {'cpus': '0'}}), ('rdma', {'rdma': {'mlx': {'hcaHandles': 1}}})]
    each(box, [(set_at('linux', 'resources', r), name, 'controller') for name, r in rows if name not in there])


def a_missing_rootfs_is_named(box):
    each(box, [(set_at('root', 'path', '/nowhere/rootfs'), '/nowhere/rootfs'),
               (set_at('root', 'path', 'nowhere'), 'nowhere'),
               (set_at('root', 'path', '/etc/passwd'), '/etc/passwd'),
               (set_at('root', 'path', ''), 'root.path')])


def mounts_that_cannot_be_are_named(box):
    def add(**mount):
        return lambda config: config['mounts'].append(mount)
    each(box, [
        (add(destination='/x', type='nosuchfs', source='x'), 'mounts[7]', 'nosuchfs'),
        (add(destination='/x', type='bind', source='/nowhere/file', options=['bind']), 'mounts[7]', '/nowhere'),
        (add(destination='/x', type='bind', source='/etc', options=['bind', 'nosuchoption']), 'mounts[7]', 'nosuchoption'),
        (add(destination='/x', type='tmpfs', source='x', options=['nosuchoption=1']), 'mounts[7]', 'nosuchoption'),
        (add(destination='/etc/passwd/x', type='tmpfs', source='x'), 'mounts[7]', 'Not a directory'),
        (add(destination='/etc/passwd', type='bind', source='/etc', options=['bind']), 'mounts[7]', 'not a directory'),
        (add(destination='/etc', type='bind', source='/etc/passwd', options=['bind']), 'mounts[7]', 'directory'),
        (add(destination='/proc/sys', type='tmpfs', source='x'), 'mounts[7]', '/proc'),
        (add(destination='/proc', type='tmpfs', source='x'), 'mounts[7]', '/proc'),
        (add(destination='/x', type='tmpfs', source='x', options=['idmap']), 'mounts[7]'),
    ])


def proc_and_sys_that_are_links_are_refused(box):
    for name, target in (('proc', '/etc'), ('sys', '/etc'), ('proc', 'nowhere'), ('proc', '../../..'), ('sys', '/proc')):
        rootfs = box.rootfs()
        if os.path.lexists(rootfs + '/' + name):
            os.rmdir(rootfs + '/' + name)
        os.symlink(target, rootfs + '/' + name)
        before = sorted(os.listdir(rootfs + '/etc'))
        refused(box, box.run('true', rootfs=rootfs), '/' + name)
        same(before, sorted(os.listdir(rootfs + '/etc')))


# -- ids and arguments -----------------------------------------------------------------------------------

def ids_that_are_none_are_refused(box):
    bundle = box.bundle()
    for id in ('', '.', '..', 'a/b', '../a', '/', '.hidden', 'x' * 300, 'a b', 'a\nb', '\u00fc', '%2e%2e', 'a\\b', '~', '*'):
        for verb in (['run', '--bundle', bundle], ['create', '--bundle', bundle], ['state'], ['delete'], ['delete', '--force'],
                     ['kill'], ['start']):
            refused(box, box.call(*verb, id))
    refused(box, box.call('exec', 'a/b', 'true'), status=255)
    if os.path.exists(box.root):
        same([], os.listdir(box.root))


def an_id_in_use_is_refused_and_the_first_goes_on(box):
    box.start()
    box.run('true').fails(1, 'container with given ID already exists')
    same('running', box.status())


def an_option_that_is_unknown_or_lacks_its_value_is_named(box):
    refused(box, box.call('run', '--no-such', 'c'), 'flag provided but not defined: -no-such')
    refused(box, box.call('run', '-Z', 'c'), 'flag provided but not defined: -Z')
    refused(box, box.call('run', 'c', '--bundle'), 'flag needs an argument: -bundle')
    refused(box, box.call('run', '--preserve-fds', 'x', 'c'), 'preserve-fds')
    refused(box, box.call('run', '--preserve-fds', '-1', 'c'), 'preserve-fds')
    refused(box, box.call('run', '--preserve-fds', '99999999999', 'c'), 'preserve-fds')
    refused(box, box.call('run'), 'argument')
    refused(box, box.call('run', 'a', 'b'), 'argument')
    refused(box, box.call('exec', 'a'), 'needs a command', status=255)
    refused(box, box.call('nosuch'), 'unknown command "nosuch"')
    refused(box, box.call('checkpoint', 'c'), 'checkpoint')
    refused(box, box.call('--systemd-cgroup', 'run', 'c'), 'systemd')
    refused(box, box.call('--cgroup-manager', 'x', 'run', 'c'), 'cgroup manager')
    refused(box, box.call('--log-format', 'xml', 'state', 'c'), 'log-format')


def preserved_fds_must_be_open(box):
    refused(box, box.call('run', '--preserve-fds', '5', '--bundle', box.bundle(), 'c'), 'unable to stat preserved-fd')
    with open(box.folder + '/f', 'w+', encoding='ascii') as f:
        f.write('hello')
        f.seek(0)
        out = subprocess.run(['bash', '-c', 'exec "$@" 3<&%d' % f.fileno(), 'x', CTRCTL, '--root', box.root, 'run',
                              '--preserve-fds', '1', '--bundle', box.bundle(None, 'cat <&3'), 'c'], pass_fds=[f.fileno()],
                             capture_output=True, timeout=20, check=True).stdout
    same(b'hello', out)


def an_exec_that_cannot_be_is_named_and_the_container_goes_on(box):
    box.start()

    def process(text):
        box.count += 1
        path = '%s/process.json%d' % (box.folder, box.count)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text if isinstance(text, str) else json.dumps(text))
        return ['--process', path]
    good = {'args': ['true'], 'cwd': '/', 'user': {'uid': 0, 'gid': 0}}
    for options, *parts in (
            (process(''), 'process: parse error'), (process('{'), 'process: parse error'), (process('[]'), 'process: '),
            (process({**good, 'cwd': 'x'}), 'process: cwd'), (process({**good, 'args': []}), 'process: args'),
            (process({**good, 'user': {'uid': 'root'}}), 'process: user.uid'),
            (['--process', '/nowhere/p.json'], '/nowhere/p.json'), (['--user', 'root'], 'user'), (['--user', '+1'], 'user'),
            (['--user', '4294967295'], 'user'), (['--user', '1:'], 'user'), (['--user', '-1'], 'user'), (['--user', ' 1'], 'user'),
            (['--env', 'NOEQUALS'], 'NOEQUALS'), (['--cwd', 'relative'], 'cwd'),
            (['--additional-gids', 'x'], 'additional-gids'), (['--cgroup', '../x'], 'cgroup'),
            (['--cgroup', 'nosuch'], 'nosuch')):
        r = box.exec(*([] if options[0] == '--process' else ['true']), options=options).fails(255, *parts)
        has_not(r.err.lower(), 'no such file or directory')
    box.exec('nosuch').fails(255, 'executable file not found in $PATH')
    same('running', box.status())
    same([box.state()['pid']], json.loads(box.call('ps', '-f', 'json', 'c').out))


def start_twice_and_kill_of_a_stopped_one_are_refused(box):
    box.start('true')
    eventually(lambda: box.status() == 'stopped')
    box.call('start', 'c').fails(1, 'cannot start a container that has stopped')
    box.call('kill', 'c').fails(1, 'container not running')
    box.delete()
    nothing(box)


# -- what stays accepted ---------------------------------------------------------------------------------

def links_of_the_rootfs_are_followed_within_it(box):
    rootfs = box.rootfs()
    os.makedirs(rootfs + '/var', exist_ok=True)
    os.makedirs(rootfs + '/run', exist_ok=True)
    shutil.rmtree(rootfs + '/var/run', ignore_errors=True)
    if os.path.lexists(rootfs + '/var/run'):
        os.unlink(rootfs + '/var/run')
    os.symlink('/run', rootfs + '/var/run')

    def edit(config):
        config['mounts'].append({'destination': '/var/run/secrets', 'type': 'tmpfs', 'source': 'tmpfs'})
    has(box.run('grep /run/secrets /proc/self/mountinfo', edit, rootfs=rootfs).ok().out, ' /run/secrets ')


def a_relative_destination_warns(box):
    def edit(config):
        config['mounts'].append({'destination': 'here', 'type': 'tmpfs', 'source': 'tmpfs'})
    r = box.run('grep -c " /here " /proc/self/mountinfo', edit).ok()
    same('1\n', r.out)
    has(r.err, 'here')


def an_unknown_capability_warns(box):
    def edit(config):
        config['process']['capabilities']['bounding'] = DEFAULT_CAPS + ['CAP_NOSUCH']
    has(box.run('true', edit).ok().err, 'CAP_NOSUCH')


def an_unknown_syscall_is_skipped_unless_that_would_allow_it(box):
    def seccomp(default, action):
        return set_at('linux', 'seccomp', {'defaultAction': default, 'syscalls': [{'names': ['nosuchcall'], 'action': action}]})
    box.run('true', seccomp('SCMP_ACT_ALLOW', 'SCMP_ACT_ALLOW')).ok()
    box.run('true', seccomp('SCMP_ACT_LOG', 'SCMP_ACT_ALLOW')).ok()
    refused(box, box.run('true', seccomp('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO')), 'nosuchcall')


def unknown_keys_are_ignored(box):
    def edit(config):
        config['nosuch'] = {'a': [1, {'b': None}]}
        config['process']['nosuch'] = 1
        config['windows'] = {'layerFolders': []}
    box.run('true', edit).ok()


main(globals())
