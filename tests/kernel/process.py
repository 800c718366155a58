#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""process: everything that the program is given, read back from inside."""
import socket

from box import *


def process(**values):
    return lambda config: config['process'].update(values)


def probe(config):
    """The probe as /probe."""
    config['mounts'].append({'destination': '/probe', 'type': 'bind', 'source': os.path.abspath(PROBE), 'options': ['bind', 'ro']})


def unmasked(config):
    config['linux']['maskedPaths'] = []
    config['linux']['readonlyPaths'] = []


def status_of(text):
    return {key: value.split() for key, _, value in (line.partition(':') for line in text.splitlines())}


def status(box, *edits, **more):
    return status_of(box.run(['cat', '/proc/self/status'], both(*edits), **more).ok().out)


# -- ids, umask ------------------------------------------------------------------------------------------

def the_program_has_its_ids_and_no_others(box):
    s = status(box, process(user={'uid': 1000, 'gid': 2000}))
    same((['1000'] * 4, ['2000'] * 4, []), (s['Uid'], s['Gid'], s['Groups']))
    s = status(box, process(user={'uid': 4294967294, 'gid': 4294967294, 'additionalGids': [5, 4000000000, 7]}))
    same((['4294967294'] * 4, ['5', '7', '4000000000']), (s['Uid'], s['Groups']))
    same([], status(box)['Groups'], 'groups of root')


def the_umask_is_0022_or_as_given(box):
    same(['0022'], status(box)['Umask'])
    same(['0077'], status(box, process(user={'uid': 0, 'gid': 0, 'umask': 0o77}))['Umask'])
    same(['0000'], status(box, process(user={'uid': 0, 'gid': 0, 'umask': 0}))['Umask'])
    box.run('true', process(user={'uid': 0, 'gid': 0, 'umask': 0o1000})).fails(1, 'umask')


def an_id_without_a_mapping_is_named(box):
    rootfs = mapped_rootfs(box)
    box.run('true', both(user_namespace, process(user={'uid': 70000, 'gid': 0})), rootfs=rootfs).fails(1, 'process.user', '70000')
    box.run('true', both(user_namespace, process(user={'uid': 0, 'gid': 70000})), rootfs=rootfs).fails(1, 'process.user', '70000')
    box.run('true', both(user_namespace, process(user={'uid': 0, 'gid': 0, 'additionalGids': [70000]})), rootfs=rootfs).fails(
        1, 'process.user', '70000')


# -- working directory -----------------------------------------------------------------------------------

def the_working_directory_is_made_and_entered(box):
    rootfs = box.rootfs()
    same('/made/for/me\n', box.run('pwd', cwd='/made/for/me', rootfs=rootfs).ok().out)
    same(0o755, os.stat(rootfs + '/made/for/me').st_mode & 0o7777)
    same('/srv\n', box.run('pwd', cwd='/tmp/../srv/.', rootfs=rootfs).ok().out)


def a_relative_or_missing_working_directory_is_refused(box):
    box.run('pwd', cwd='srv').fails(1, 'Cwd must be an absolute path')
    box.run('pwd', cwd='').fails(1, 'cwd')


def a_working_directory_that_is_a_file_is_refused(box):
    has_not(box.run('pwd', cwd='/etc/passwd').fails(1, 'process.cwd', 'ot a directory').err, 'o such file')


def a_working_directory_behind_a_link_stays_inside(box):
    rootfs = box.rootfs()
    os.symlink('/../../srv', rootfs + '/out')
    os.symlink('../' * 20 + 'tmp/nowhere', rootfs + '/up')
    same('/srv\n', box.run('pwd', cwd='/out', rootfs=rootfs).ok().out)
    same('/tmp/nowhere\n', box.run('pwd', cwd='/up', rootfs=rootfs).ok().out)
    if os.path.exists('/tmp/nowhere'):
        fail('made on the host')


def no_working_directory_leads_to_the_host_through_proc(box):
    for fd in range(3, 12):
        for path in ('/proc/self/fd/%d', '/proc/self/fd/%d/../../..', '/proc/1/fd/%d'):
            r = box.run('pwd; ls', cwd=path % fd)
            if r.status == 0:
                fail('%s was entered: %s' % (path % fd, r.out))


def a_folder_that_only_root_may_enter_is_a_working_directory_all_the_same(box):
    rootfs = box.rootfs()
    os.mkdir(rootfs + '/closed', 0o700)
    same('/closed\n', box.run('pwd', cwd='/closed', rootfs=rootfs, user={'uid': 1000, 'gid': 1000}).ok().out)


def a_working_directory_below_a_read_only_path_is_the_read_only_one(box):
    rootfs = box.rootfs()
    os.makedirs(rootfs + '/data/in')
    r = box.run('touch x', linux(readonlyPaths=['/data']), cwd='/data/in', rootfs=rootfs)
    has(r.err, 'Read-only')


# -- environment -----------------------------------------------------------------------------------------

def environment(box, *env, edit=None, **more):
    out = box.run(['cat', '/proc/self/environ'], edit, env=list(env), **more).ok().out
    return out.split('\0')[:-1]


def the_environment_is_the_given_one_in_its_order(box):
    env = ['B=1', 'PATH=/bin', 'A=2', 'HOME=/x', 'EMPTY=', 'WITH==signs=', 'Ü=ö']
    same(env, environment(box, *env))


def of_the_same_name_twice_the_last_one_counts(box):
    same(['PATH=/bin', 'HOME=/x', 'A=3'], environment(box, 'A=1', 'PATH=/bin', 'A=2', 'HOME=/x', 'A=3'))


def home_is_that_of_the_user_unless_given(box):
    rootfs = box.rootfs()
    with open(rootfs + '/etc/passwd', 'w', encoding='ascii') as f:
        f.write('root:x:0:0::/root:/bin/sh\n\nbroken\nuser:x:1000:1000::/home/user:/bin/sh\n7:x:3:3::/seven:/bin/sh\n')
    for uid, home in ((0, '/root'), (1000, '/home/user'), (7, '/')):
        has(environment(box, 'PATH=/bin', rootfs=rootfs, user={'uid': uid, 'gid': 0}), 'HOME=' + home)
    same(['PATH=/bin', 'HOME=/mine'], environment(box, 'PATH=/bin', 'HOME=/mine', rootfs=rootfs))
    os.unlink(rootfs + '/etc/passwd')
    has(environment(box, 'PATH=/bin', rootfs=rootfs), 'HOME=/')
    for bad in (lambda p: os.mkfifo(p), lambda p: os.symlink('/dev/zero', p), lambda p: os.symlink('/proc/self/fd/0', p), os.mkdir):
        bad(rootfs + '/etc/passwd')
        has(environment(box, 'PATH=/bin', rootfs=rootfs), 'HOME=/')
        shutil.rmtree(rootfs + '/etc/passwd') if os.path.isdir(rootfs + '/etc/passwd') else os.unlink(rootfs + '/etc/passwd')


def a_broken_variable_is_refused(box):
    for bad in ('NOSIGN', '=value', ''):
        box.run('true', env=['PATH=/bin', bad]).fails(1, 'process.env[1]')


def the_callers_environment_never_leaks(box):
    bundle = box.bundle(None, ['cat', '/proc/self/environ'], env=['PATH=/bin', 'HOME=/'])
    env = dict(os.environ, LEAKED='secret', LISTEN_PID='1', LISTEN_FDNAMES='x', LD_PRELOAD='/nowhere.so', NOTIFY_SOCKET='/x')
    del env['LD_PRELOAD']
    r = box.call('run', '--bundle', bundle, 'c', env=env).ok()
    same(['PATH=/bin', 'HOME=/'], r.out.split('\0')[:-1])


# -- capabilities ----------------------------------------------------------------------------------------

SETS = ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')


def mask(*numbers):
    return ['%016x' % sum(1 << n for n in numbers)]


def capabilities(**sets):
    return lambda config: config['process'].update(capabilities={
        kind: ['CAP_' + n for n in sets.get(kind, '').split()]
        for kind in ('bounding', 'effective', 'inheritable', 'permitted', 'ambient')})


def has_sets(box, wanted, *edits, **more):
    s = status(box, *edits, **more)
    same(dict(zip(SETS, wanted)), {name: s[name] for name in SETS}, 'sets')


CHOWN, KILL, RAW, SYS_ADMIN = 0, 5, 13, 21


def the_five_sets_of_root(box):
    sets = capabilities(bounding='CHOWN KILL', effective='KILL', permitted='KILL')
    has_sets(box, (mask(), mask(KILL), mask(KILL), mask(CHOWN, KILL), mask()), sets)
    # without no_new_privs root's execve makes all that is bounding or inheritable permitted and effective
    has_sets(box, (mask(), mask(CHOWN, KILL), mask(CHOWN, KILL), mask(CHOWN, KILL), mask()), sets, process(noNewPrivileges=False))
    has_sets(box, (mask(KILL), mask(CHOWN, KILL), mask(CHOWN, KILL), mask(CHOWN, KILL), mask(KILL)),
             capabilities(bounding='CHOWN KILL', effective='KILL', permitted='CHOWN KILL', inheritable='KILL', ambient='KILL'))


def the_five_sets_of_another_user(box):
    user = process(user={'uid': 1000, 'gid': 1000})
    none = mask()
    has_sets(box, (none, none, none, mask(CHOWN, KILL), none), user, capabilities(bounding='CHOWN KILL', effective='KILL', permitted='KILL'))
    has_sets(box, (mask(KILL), none, none, mask(CHOWN, KILL), none), user,
             capabilities(bounding='CHOWN KILL', effective='KILL', permitted='KILL', inheritable='KILL'))
    has_sets(box, (mask(KILL), mask(KILL), mask(KILL), mask(CHOWN, KILL), mask(KILL)), user,
             capabilities(bounding='CHOWN KILL', effective='KILL', permitted='KILL', inheritable='KILL', ambient='KILL'))


def without_the_property_there_are_none(box):
    def edit(config):
        del config['process']['capabilities']
    has_sets(box, (mask(),) * 5, edit)
    has_sets(box, (mask(),) * 5, edit, process(user={'uid': 1000, 'gid': 1000}))


def an_unknown_capability_warns_and_the_others_are_given(box):
    r = box.run(['cat', '/proc/self/status'], capabilities(bounding='CHOWN COW', effective='CHOWN COW', permitted='CHOWN')).ok()
    same(mask(CHOWN), status_of(r.out)['CapEff'])
    has(r.err, 'CAP_COW')
    same(1, r.err.count('\n'), 'lines of warning')


def an_ambient_capability_needs_the_others(box):
    r = box.run(['cat', '/proc/self/status'], capabilities(bounding='KILL', effective='KILL', permitted='KILL', ambient='KILL')).ok()
    same(mask(), status_of(r.out)['CapAmb'])
    has(r.err, 'CAP_KILL')


def no_new_privileges_is_set_when_it_is_asked_for(box):
    same(['1'], status(box)['NoNewPrivs'])
    same(['0'], status(box, process(noNewPrivileges=False))['NoNewPrivs'])


# -- limits ----------------------------------------------------------------------------------------------

RLIMITS = {'AS': 'Max address space', 'CORE': 'Max core file size', 'CPU': 'Max cpu time', 'DATA': 'Max data size',
           'FSIZE': 'Max file size', 'LOCKS': 'Max file locks', 'MEMLOCK': 'Max locked memory', 'MSGQUEUE': 'Max msgqueue size',
           'NICE': 'Max nice priority', 'NOFILE': 'Max open files', 'NPROC': 'Max processes', 'RSS': 'Max resident set',
           'RTPRIO': 'Max realtime priority', 'RTTIME': 'Max realtime timeout', 'SIGPENDING': 'Max pending signals',
           'STACK': 'Max stack size'}


def limits_of(text):
    return {line[:25].strip(): tuple(line[26:68].split()) for line in text.splitlines()[1:]}


def raised_limits_allowed():
    with open('/proc/self/status', encoding='ascii') as f:
        return int(status_of(f.read())['CapEff'][0], 16) >> 24 & 1


def each_limit_is_set(box):
    ours = {}
    with open('/proc/self/limits', encoding='ascii') as f:
        ours = limits_of(f.read())
    wanted = {}
    for name, label in RLIMITS.items():
        hard = ours[label][1]
        hard = 1 << 40 if hard == 'unlimited' else int(hard)
        wanted[name] = (max(hard - 2, 0), max(hard - 1, 0))
    rlimits = [{'type': 'RLIMIT_' + n, 'soft': s, 'hard': h} for n, (s, h) in wanted.items()]
    got = limits_of(box.run(['cat', '/proc/self/limits'], rlimits=rlimits).ok().out)
    for name, (soft, hard) in wanted.items():
        unit = 4096 if name in () else 1
        same((str(soft * unit), str(hard * unit)), got[RLIMITS[name]], name)


def unlimited_is_two_to_the_64th_minus_one(box):
    rlimits = [{'type': 'RLIMIT_CORE', 'soft': 0, 'hard': 18446744073709551615},
               {'type': 'RLIMIT_FSIZE', 'soft': 18446744073709551615, 'hard': 18446744073709551615}]
    got = limits_of(box.run(['cat', '/proc/self/limits'], rlimits=rlimits).ok().out)
    same((('0', 'unlimited'), ('unlimited', 'unlimited')), (got['Max core file size'], got['Max file size']))


def low_limits_do_not_break_the_set_up(box):
    for name, soft in (('NOFILE', 3), ('NOFILE', 0), ('AS', 8 << 20), ('FSIZE', 0), ('STACK', 1 << 16), ('NPROC', 1), ('CPU', 5),
                       ('MEMLOCK', 0), ('DATA', 4 << 20)):
        # busybox's cat needs a fd for its file: a built-in of the shell is enough here
        r = box.run(['sh', '-c', ':'], rlimits=[{'type': 'RLIMIT_' + name, 'soft': soft, 'hard': soft}])
        same((0, ''), (r.status, r.err), name)


def bad_limits_are_refused(box):
    one = {'type': 'RLIMIT_CORE', 'soft': 0, 'hard': 1}
    box.run('true', rlimits=[one, one]).fails(1, 'RLIMIT_CORE')
    box.run('true', rlimits=[{'type': 'RLIMIT_COW', 'soft': 0, 'hard': 1}]).fails(1, 'wrong rlimit value: RLIMIT_COW')
    box.run('true', rlimits=[{'type': 'RLIMIT_CORE', 'soft': 2, 'hard': 1}]).fails(1, 'process.rlimits[0]')


def a_limit_that_needs_more_privileges_says_so(box):
    if raised_limits_allowed():
        skip('this process may raise limits')
    with open('/proc/self/limits', encoding='ascii') as f:
        hard = limits_of(f.read())['Max open files'][1]
    more = int(hard) * 4
    box.run('true', rlimits=[{'type': 'RLIMIT_NOFILE', 'soft': more, 'hard': more}]).fails(1, 'rlimits[0]', 'CAP_SYS_RESOURCE')


def the_score_for_the_oom_killer_is_set(box):
    same('500\n', box.run(['cat', '/proc/self/oom_score_adj'], oomScoreAdj=500).ok().out)
    same('1000\n', box.run(['cat', '/proc/self/oom_score_adj'], oomScoreAdj=1000, user={'uid': 1000, 'gid': 1000}).ok().out)
    with open('/proc/self/oom_score_adj', encoding='ascii') as f:
        ours = f.read()
    same(ours, box.run(['cat', '/proc/self/oom_score_adj']).ok().out, 'unset')
    box.run('true', oomScoreAdj=1001).fails(1, 'oomScoreAdj')
    if not raised_limits_allowed():
        box.run('true', oomScoreAdj=-999).fails(1, 'oomScoreAdj', 'CAP_SYS_RESOURCE')


# -- scheduling ------------------------------------------------------------------------------------------

def each_policy_is_set(box):
    for given, wanted in (({'policy': 'SCHED_OTHER', 'nice': 5}, '0 5 0 0'), ({'policy': 'SCHED_BATCH', 'nice': 3}, '3 3 0 0'),
                          ({'policy': 'SCHED_IDLE'}, '5 0 0 0'), ({'policy': 'SCHED_FIFO', 'priority': 7}, '1 0 7 0'),
                          ({'policy': 'SCHED_RR', 'priority': 9, 'flags': ['SCHED_FLAG_RESET_ON_FORK']}, '2 0 9 1')):
        r = box.run(['/probe', 'sched'], both(probe, process(scheduler=given)))
        if r.status and 'sched_setattr' in r.err and 'not permitted' in r.err and given['policy'] in ('SCHED_FIFO', 'SCHED_RR'):
            continue        # a v1 cpu controller without real-time budget, or a lesser root
        same(wanted, ' '.join(r.ok().out.split()[:4]), given['policy'])


def a_deadline_is_set_or_explained(box):
    given = {'policy': 'SCHED_DEADLINE', 'runtime': 1000000, 'deadline': 20000000, 'period': 20000000}
    r = box.run(['/probe', 'sched'], both(probe, process(scheduler=given)))
    if r.status == 0:
        same('6 0 0 0 1000000 20000000 20000000', r.out.strip())
    else:
        r.fails(1, 'process.scheduler')


def scheduling_that_makes_no_sense_is_refused(box):
    for bad in ({'policy': 'SCHED_COW'}, {'policy': 'SCHED_FIFO', 'nice': 3}, {'policy': 'SCHED_OTHER', 'priority': 3},
                {'policy': 'SCHED_OTHER', 'nice': 20}, {'policy': 'SCHED_RR', 'runtime': 5}):
        box.run('true', scheduler=bad).fails(1, 'process.scheduler')


def the_io_priority_is_set(box):
    for given, wanted in (({'class': 'IOPRIO_CLASS_BE', 'priority': 3}, '2 3'), ({'class': 'IOPRIO_CLASS_IDLE', 'priority': 0}, '3 0'),
                          ({'class': 'IOPRIO_CLASS_RT', 'priority': 2}, '1 2')):
        same(wanted, box.run(['/probe', 'ioprio'], both(probe, process(ioPriority=given))).ok().out.strip())
    box.run('true', ioPriority={'class': 'IOPRIO_CLASS_BE', 'priority': 8}).fails(1, 'ioPriority')


def the_personality_is_set(box):
    same('x86_64 00000000', ' '.join(box.run('uname -m; cat /proc/self/personality').ok().out.split()))
    same('i686 00000008', ' '.join(box.run('uname -m; cat /proc/self/personality', linux(personality={'domain': 'LINUX32'})).ok().out.split()))
    box.run('true', linux(personality={'domain': 'COW'})).fails(1, 'personality')


def the_memory_policy_is_set(box):
    for given, wanted in (({'mode': 'MPOL_BIND', 'nodes': '0'}, '2 1'), ({'mode': 'MPOL_INTERLEAVE', 'nodes': '0'}, '3 1'),
                          ({'mode': 'MPOL_PREFERRED', 'nodes': '0', 'flags': ['MPOL_F_STATIC_NODES']}, '32769 1')):
        r = box.run(['/probe', 'mempolicy'], both(probe, linux(memoryPolicy=given)))
        if r.status and 'ENOSYS' in r.err:
            skip('a kernel without NUMA')
        same(wanted, r.ok().out.strip(), given['mode'])
    box.run('true', linux(memoryPolicy={'mode': 'MPOL_BIND', 'nodes': '0-cow'})).fails(1, 'memoryPolicy')
    box.run('true', linux(memoryPolicy={'mode': 'MPOL_BIND', 'nodes': '900'})).fails(1, 'memoryPolicy')


# -- sysctl ----------------------------------------------------------------------------------------------

def sysctls_of_own_namespaces_are_written(box):
    values = {'net.ipv4.ip_forward': '1', 'net.ipv4.conf.lo/forwarding': '1', 'kernel.shm_rmid_forced': '1', 'fs.mqueue.msg_max': '11',
              'kernel.msgmax': '9000', 'kernel.domainname': 'a.domain'}
    files = ['net/ipv4/ip_forward', 'kernel/shm_rmid_forced', 'fs/mqueue/msg_max', 'kernel/msgmax', 'kernel/domainname']
    del values['net.ipv4.conf.lo/forwarding']
    out = box.run(['cat'] + ['/proc/sys/' + f for f in files], linux(sysctl=values)).ok().out
    same(['1', '1', '11', '9000', 'a.domain'], out.split())


def sysctls_work_in_a_user_namespace_and_without_a_pid_namespace(box):
    values = {'net.ipv4.ip_forward': '1', 'kernel.msgmax': '9000'}
    out = box.run('cat /proc/sys/net/ipv4/ip_forward', both(user_namespace, linux(sysctl={'net.ipv4.ip_forward': '1'})), rootfs=mapped_rootfs(box)).ok().out
    same('1\n', out)
    out = box.run('cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax', both(without('pid'), linux(sysctl=values))).ok().out
    same(['1', '9000'], out.split())


def sysctls_of_the_host_are_refused(box):
    for name in ('kernel.panic', 'vm.swappiness', 'fs.file-max', 'kernel.core_pattern', 'kernel.hostname', '../x', 'net', 'net/../kernel/panic'):
        box.run('true', linux(sysctl={name: '1'})).fails(1, name)
    box.run('true', both(without('network'), linux(sysctl={'net.ipv4.ip_forward': '1'}))).fails(
        1, 'sysctl "net.ipv4.ip_forward" is not in a separate kernel namespace')
    box.run('true', both(without('ipc'), linux(sysctl={'kernel.msgmax': '1'}),
                         lambda c: c.update(mounts=[m for m in c['mounts'] if m['type'] != 'mqueue']))).fails(1, 'kernel.msgmax')


def a_sysctl_that_the_kernel_lacks_is_named(box):
    r = box.run('true', linux(sysctl={'net.ipv4.cow': '1'})).fails(1, 'net.ipv4.cow')
    has_not(r.err, 'o such file')
    box.run('true', linux(sysctl={'net.ipv4.ip_forward': 'cow'})).fails(1, 'net.ipv4.ip_forward', 'Invalid argument')


# -- what is inherited, and what must not be -------------------------------------------------------------

def the_session_keyring_is_the_containers_own(box):
    mine = subprocess.run([PROBE, 'session'], capture_output=True, check=False).stdout.decode()
    name, number = box.run(['/probe', 'session'], probe).ok().out.split()
    has(name, '_ses.c')
    if mine and number == mine.split()[1]:
        fail('the caller\'s keyring')
    bundle = box.bundle(probe, ['/probe', 'session'])
    same(mine, box.call('run', '--no-new-keyring', '--bundle', bundle, 'd').out)


def the_program_leads_a_session_of_its_own(box):
    out = box.run(['/probe', 'isatty'], probe).ok().out.split()
    same(['1', '1', '-1'], out)


def signals_are_as_after_a_boot(box):
    bundle = box.bundle(None, ['cat', '/proc/self/status'])

    def hostile():
        for s in (signal.SIGINT, signal.SIGPIPE, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD, 33, 64):
            if s != 33:
                signal.signal(s, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    done = subprocess.run([CTRCTL, '--root', box.root, 'run', '--bundle', bundle, 'c'], capture_output=True, preexec_fn=hostile,
                          timeout=60, check=False, stdin=subprocess.DEVNULL)
    s = status_of(Result(done.returncode, done.stdout.decode(), done.stderr.decode()).ok().out)
    zero = ['0' * 16]
    same((zero, zero, zero), (s['SigBlk'], s['SigIgn'], s['SigCgt']))


def the_callers_umask_nice_affinity_and_limits(box):
    """The umask is the specification's; what is not part of it is inherited."""
    bundle = box.bundle(None, 'umask; grep Cpus_allowed_list /proc/self/status')

    def odd():
        os.umask(0o77)
        os.sched_setaffinity(0, {0})
    done = subprocess.run([CTRCTL, '--root', box.root, 'run', '--bundle', bundle, 'c'], capture_output=True, preexec_fn=odd, timeout=60,
                          check=False, stdin=subprocess.DEVNULL)
    out = Result(done.returncode, done.stdout.decode(), done.stderr.decode()).ok().out.split()
    same('0022', out[0])
    with open('/proc/self/status', encoding='ascii') as f:
        same(status_of(f.read())['Cpus_allowed_list'], out[-1:], 'CPUs: the caller\'s own choice isn\'t the container\'s')


def stdio_is_the_callers_and_owned_by_the_user(box):
    bundle = box.bundle(probe, ['/probe', 'fds'], user={'uid': 1000, 'gid': 1000})
    paths = [os.path.join(box.folder, n) for n in ('in', 'out', 'err')]
    with open(paths[0], 'w+b') as i, open(paths[1], 'wb') as o, open(paths[2], 'wb') as e:
        subprocess.run([CTRCTL, '--root', box.root, 'run', '--bundle', bundle, 'c'], stdin=i, stdout=o, stderr=e, timeout=60, check=True)
    same([1000] * 3, [os.stat(p).st_uid for p in paths])
    with open(paths[1], encoding='utf-8') as f:
        same(['0', '1', '2'], [line.split()[0] for line in f])


def dev_null_is_the_containers_own_and_keeps_its_owner(box):
    before = os.stat('/dev/null')
    bundle = box.bundle(probe, 'for i in 0 1 2; do stat -L -c "%d %u" /proc/self/fd/$i; stat -c "%d %u" /dev/null; done > /tmp/got',
                        user={'uid': 0, 'gid': 0})
    with open('/dev/null', 'r+b', buffering=0) as null:
        subprocess.run([CTRCTL, '--root', box.root, 'run', '--bundle', bundle, 'c'], stdin=null, stdout=null, stderr=null, timeout=60, check=True)
    with open(bundle + '/config.json', encoding='utf-8') as f:
        rootfs = json.load(f)['root']['path']
    with open(rootfs + '/tmp/got', encoding='utf-8') as f:
        got = f.read().splitlines()
    same(got[1], got[0], 'stdin')
    same(got[5], got[4], 'stderr')
    after = os.stat('/dev/null')
    same((before.st_uid, before.st_mode), (after.st_uid, after.st_mode), '/dev/null of the host')


def closed_standard_fds_do_no_harm(box):
    bundle = box.bundle(None, 'echo hello > /tmp/got')
    for closed in ((0,), (1,), (2,), (0, 1, 2)):
        def close(closed=closed):
            for fd in closed:
                os.close(fd)
        done = subprocess.run([CTRCTL, '--root', box.root, 'run', '--bundle', bundle, 'c'], preexec_fn=close, timeout=60, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        same(0, done.returncode, 'without %s' % (closed,))


def no_fd_leaks_into_the_container(box):
    bundle = box.bundle(probe, ['/probe', 'fds'])
    pipes = [os.pipe() for _ in range(10)]
    fds = [fd for pair in pipes for fd in pair]
    r = box.call('run', '--bundle', bundle, 'c', pass_fds=fds).ok()
    same(['0', '1', '2'], [line.split()[0] for line in r.out.splitlines()])
    box.create(['/probe', 'fds'], probe, id='d').ok()
    box.call('start', 'd', pass_fds=fds).ok()
    eventually(lambda: box.status('d') == 'stopped')
    same(['0', '1', '2'], [line.split()[0] for line in box.output('d').splitlines()])
    for fd in fds:
        os.close(fd)


def preserved_fds_arrive_and_missing_ones_are_named(box):
    bundle = box.bundle(probe, ['/probe', 'fds'])
    path = os.path.join(box.folder, 'kept')
    with open(path, 'w', encoding='ascii') as a:
        def call(n, redirections):
            command = 'exec "$0" --root "$1" run --preserve-fds %d --bundle "$2" c %s' % (n, redirections)
            done = subprocess.run(['bash', '-c', command, CTRCTL, box.root, bundle, path], capture_output=True,
                                  stdin=subprocess.DEVNULL, timeout=60, check=False)
            return Result(done.returncode, done.stdout.decode(), done.stderr.decode())
        a.flush()
        for n, wanted in ((2, ['3', '4']), (1, ['3']), (0, [])):
            r = call(n, '3>"$3" 4>"$3"').ok()
            same([[fd, path] for fd in wanted], [line.split() for line in r.out.splitlines()][3:])
        call(3, '3>"$3" 4>"$3"').fails(1, 'unable to stat preserved-fd 3 (of 3)')


def listening_sockets_arrive_with_their_variables(box):
    bundle = box.bundle(None, 'echo $LISTEN_FDS $LISTEN_PID; ls -l /proc/self/fd | grep -c socket')
    path = os.path.join(box.folder, 'socket')
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        command = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" --root "$1" run --bundle "$2" c 3<&%d' % s.fileno()
        done = subprocess.run(['bash', '-c', command, CTRCTL, box.root, bundle], capture_output=True, pass_fds=[s.fileno()],
                              stdin=subprocess.DEVNULL, timeout=60, check=False)
    same(['1 1', '1'], done.stdout.decode().splitlines()[:2], done.stderr.decode())


# -- the program -----------------------------------------------------------------------------------------

def script(rootfs, path, text, mode=0o755):
    with open(rootfs + path, 'w', encoding='utf-8') as f:
        f.write(text)
    os.chmod(rootfs + path, mode)


def the_program_is_looked_for_in_the_order_of_path(box):
    rootfs = box.rootfs()
    for name in ('one', 'two', 'three'):
        os.mkdir('%s/%s' % (rootfs, name))
    script(rootfs, '/one/x', '#!/bin/sh\necho one\n', 0o644)
    os.mkdir(rootfs + '/two/x')
    script(rootfs, '/three/x', '#!/bin/sh\necho three $0\n')
    same('three /three/x\n', box.run(['x'], env=['PATH=/none:/one:/two:/three'], rootfs=rootfs).ok().out)
    same('three /three/x\n', box.run(['/three/x'], env=['PATH=/bin'], rootfs=rootfs).ok().out)
    same('three ./three/x\n', box.run(['./three/x'], rootfs=rootfs).ok().out)
    same('three three/x\n', box.run(['three/x'], rootfs=rootfs).ok().out)


def argv_reaches_the_program_unchanged(box):
    args = ['sh', '-c', 'echo "$0|$1|$2|$#"', 'zero', '', 'with  blanks\n']
    same('zero||with  blanks\n|2\n', box.run(args).ok().out)


def without_path_the_usual_folders_are_searched(box):
    same('ok\n', box.run(['echo', 'ok'], env=['A=1']).ok().out)
    same('ok\n', box.run(['echo', 'ok'], env=['PATH=']).ok().out)


def a_missing_program_fails_at_create_with_the_words_of_the_engines(box):
    r = box.create(['cow'])
    r.fails(1, 'executable file not found in $PATH')
    r = box.create(['/no/cow'])
    r.fails(1, 'no such file or directory')
    has(r.err, '/no/cow')
    same(1, box.call('state', 'c').status)


def what_is_not_executable_is_permission_denied(box):
    rootfs = box.rootfs()
    script(rootfs, '/bin/plain', 'x', 0o644)
    box.create(['/bin/plain'], rootfs=rootfs).fails(1, 'permission denied')
    box.create(['plain'], rootfs=rootfs).fails(1, 'permission denied')
    box.create(['/bin'], rootfs=rootfs).fails(1, 'permission denied')
    script(rootfs, '/bin/rootonly', '#!/bin/sh\n', 0o700)
    box.create(['/bin/rootonly'], capabilities(), rootfs=rootfs, user={'uid': 1000, 'gid': 1000}).fails(1, 'permission denied')


def what_the_kernel_refuses_to_run_is_explained(box):
    rootfs = box.rootfs()
    script(rootfs, '/bin/nointerp', '#!/no/interpreter\n')
    script(rootfs, '/bin/crlf', '#!/bin/sh\r\necho\r\n')
    script(rootfs, '/bin/garbage', 'garbage')
    script(rootfs, '/bin/empty', '')
    with open(rootfs + '/bin/busybox', 'rb') as f:
        elf = bytearray(f.read())
    elf[18:20] = b'\xb7\x00'        # EM_AARCH64
    with open(rootfs + '/bin/foreign', 'wb') as f:
        f.write(elf)
    os.chmod(rootfs + '/bin/foreign', 0o755)
    shutil.copy('/bin/true', rootfs + '/bin/dynamic')
    for name, part in (('nointerp', '/no/interpreter'), ('crlf', '/bin/sh\\r'), ('dynamic', '/lib64/ld-linux-x86-64.so.2'), ('garbage', 'xec format error'), ('empty', 'xec format error'),
                       ('foreign', 'xec format error')):
        r = box.run(['/bin/' + name], rootfs=rootfs)
        if r.status == 0:
            fail('%s ran' % name)
        has(r.err, name)
        has(r.err, part)


def a_program_on_a_noexec_mount_is_refused(box):
    path = os.path.join(box.folder, 'src')
    os.mkdir(path)
    shutil.copy(BUSYBOX + '/bin/busybox', path + '/true')
    r = box.run(['/m/true'], mount('/m', 'bind', path, ['bind', 'noexec']))
    if r.status == 0:
        fail('it ran')
    has(r.err, 'permission denied')


def the_program_is_never_init_itself(box):
    for path in ('/proc/self/exe', '/proc/1/exe', '/proc/self/fd/3', '/proc/self/fd/5'):
        r = box.run([path])
        if r.status == 0:
            fail('%s ran: %s' % (path, r.out))


def the_exit_status_is_the_programs(box):
    for code in (0, 1, 42, 126, 127, 255):
        same(code, box.run('exit %d' % code).status)
    same(128 + 9, box.run(['sh', '-c', 'kill -9 $$'], without('pid')).status)


def args_are_needed(box):
    box.run([], None).fails(1, 'args must not be empty')
    box.run([''], None).fails(1, 'args must not be empty')

    def none(config):
        del config['process']
    box.run('true', none).fails(1, 'process property must not be empty')


main(globals())
