#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The operation on CRI requests, from the command line to a running container and back to nothing."""

from concurrent.futures import ThreadPoolExecutor

from pods import *


def tree(*folders):
    """All paths beneath, with size and time of change."""
    seen = {}
    for folder in folders:
        for d, dirs, files in os.walk(folder):
            for n in dirs + files:
                st = os.lstat(os.path.join(d, n))
                seen[os.path.join(d, n)] = (st.st_size, st.st_mtime_ns, st.st_mode)
    return seen


def containers(b):
    return b.call('list', '-q').ok().out.split()


# -- from request to container -----------------------------------------------------------------------------


def a_request_becomes_a_container_that_runs_logs_and_ends(box):
    load(box)
    logdir = os.path.join(box.folder, 'log')
    pod = sandbox(box, log_directory=logdir)
    id = create(box, pod, command='echo to stdout; echo to stderr >&2; exit 3', log_path='main/0.log')
    same('created', box.status(id))
    box.call('start', id).ok()
    end = ended(box, id)
    same((3, 'Error', False), (end['exitCode'], end['reason'], end['oomKilled']))
    same('done', end['monitor'])
    same('stopped', box.status(id))
    with open(os.path.join(logdir, 'main/0.log'), encoding='utf-8') as f:
        lines = sorted(line.split(' ', 1)[1] for line in f.read().splitlines())
    same(['stderr F to stderr', 'stdout F to stdout'], lines)
    box.call('delete', id).ok()
    box.call('state', id).fails(1, 'container does not exist')
    box.call('sandbox', 'remove', pod).ok()
    same([], containers(box))


def the_answer_of_create_is_one_json_object(box):
    load(box)
    pod = sandbox(box)
    r = try_create(box, request(box, pod, command='true')).ok()
    same(['containerId'], list(json.loads(r.out)))
    same('', r.err)


def an_id_may_be_shortened(box):
    load(box)
    pod = sandbox(box)
    id = create(box, pod, command='sleep 100')
    same(id, box.state(id[:8])['id'])
    box.call('start', id[:8]).ok()
    same('x\n', box.call('exec', id[:8], 'echo', 'x').ok().out)
    box.call('delete', '--force', id[:8]).ok()
    box.call('state', id[:3]).fails(1, 'container does not exist')


def a_request_on_standard_input_works(box):
    load(box)
    pod = sandbox(box)
    r = box.call('create', '--request', '-', text=json.dumps(request(box, pod, command='true')))
    json.loads(r.ok().out)


def crictl_files_find_or_run_their_pod(box):
    load(box)
    config = pod_config()
    config['linux']['cgroup_parent'] = '/' + box.tag
    del config['metadata']['uid']
    pod = write(box, config, 'pod.json')
    ids = []
    for name in 'one', 'two':
        container = {'metadata': {'name': name}, 'image': {'image': 'busybox'}, 'command': ['sleep', '100'],
                     'linux': {'security_context': {'namespace_options': {'pid': 1}}}}
        made = box.call('create', '--pod', pod, '--container', write(box, container, 'c.json')).ok()
        ids.append(json.loads(made.out)['containerId'])
    same(1, len(box.call('sandbox', 'list', '-q').ok().out.split()))
    same(box.state(ids[0])['cri']['sandboxId'], box.state(ids[1])['cri']['sandboxId'])


# -- names -------------------------------------------------------------------------------------------------


def the_same_request_again_gives_the_same_container(box):
    load(box)
    pod = sandbox(box)
    first = create(box, pod, command='sleep 100')
    same(first, create(box, pod, command='sleep 100'))
    same([first], containers(box))


def another_request_of_a_name_in_use_is_refused(box):
    load(box)
    pod = sandbox(box)
    first = create(box, pod, command='sleep 100')
    try_create(box, request(box, pod, command='sleep 200')).fails(1, 'another request has made a container of this name')
    same([first], containers(box))
    same('created', box.status(first))
    if first == create(box, pod, command='sleep 200', attempt=1):
        fail('another attempt has the same id')


def twenty_creates_at_once_of_different_names(box):
    load(box)
    pod = sandbox(box)
    files = [write(box, request(box, pod, name='c%d' % i, command='sleep 100'), 'r%d.json' % i) for i in range(20)]
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda f: box.call('create', '--request', f), files))
    ids = {json.loads(r.ok().out)['containerId'] for r in made}
    same(20, len(ids))
    same(sorted(ids), containers(box))
    for id in ids:
        box.call('delete', '--force', id).ok()
    same([], os.listdir(os.path.join(box.data, 'containers')))


def twenty_creates_at_once_of_one_name(box):
    load(box)
    pod = sandbox(box)
    f = write(box, request(box, pod, command='sleep 100'), 'req.json')
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda _: box.call('create', '--request', f), range(20)))
    same(1, len({json.loads(r.ok().out)['containerId'] for r in made}))
    same(1, len(containers(box)))


# -- pods --------------------------------------------------------------------------------------------------


def two_containers_of_a_sandbox_share_network_and_ipc(box):
    load(box)
    pod = sandbox(box)
    serve = create(box, pod, name='server', command='echo hello from the server | nc -l -p 8080; sleep 100')
    box.call('start', serve).ok()
    eventually(lambda: '1F90' in box.call('exec', serve, 'cat', '/proc/net/tcp', '/proc/net/tcp6').out, what='listening')
    id, code = run(box, pod, name='client', command='nc 127.0.0.1 8080 </dev/null >/dev/shm/answer')
    same(0, code)
    same('hello from the server\n', box.call('exec', serve, 'cat', '/dev/shm/answer').ok().out)
    spaces = [{kind: os.readlink('/proc/%d/ns/%s' % (box.state(c)['pid'], kind)) for kind in ('net', 'ipc', 'uts', 'pid', 'mnt')}
              for c in (serve, create(box, pod, name='third', command='sleep 100'))]
    for kind in 'net', 'ipc', 'uts':
        same(spaces[0][kind], spaces[1][kind], kind)
    for kind in 'pid', 'mnt':
        if spaces[0][kind] == spaces[1][kind]:
            fail('%s namespace is shared' % kind)


def a_shared_pid_namespace_has_the_pause_as_its_first_process(box):
    load(box)
    pod = sandbox(box, linux_={'security_context': {'namespace_options': {'pid': 0}}})
    shared = {'namespace_options': {'pid': 0}}
    one = create(box, pod, name='one', command='sleep 101', security=shared)
    box.call('start', one).ok()
    two, code = run(box, pod, name='two', command='ps; ps | grep -q "sleep 101" && cat /proc/1/comm | grep -qv sleep',
                    security=shared)
    same(0, code)


def files_of_the_pod_are_there(box):
    load(box)
    pod = sandbox(box, pod_config(dns_config={'servers': ['10.1.2.3'], 'searches': ['a.example', 'b.example'], 'options': ['ndots:5']}))
    id = create(box, pod, command='sleep 100')
    box.call('start', id).ok()
    same('search a.example b.example\nnameserver 10.1.2.3\noptions ndots:5\n', box.call('exec', id, 'cat', '/etc/resolv.conf').ok().out)
    same('pod\n', box.call('exec', id, 'cat', '/etc/hostname').ok().out)
    same('pod\n', box.call('exec', id, 'hostname').ok().out)
    has(box.call('exec', id, 'cat', '/etc/hosts').ok().out, '127.0.0.1')
    has(box.call('exec', id, 'cat', '/proc/mounts').ok().out, ' /dev/shm tmpfs ')


def stopping_a_sandbox_kills_its_containers_and_removing_deletes_them(box):
    load(box)
    pod = sandbox(box)
    id = create(box, pod, command='sleep 100')
    box.call('start', id).ok()
    box.call('sandbox', 'stop', pod).ok()
    same('stopped', box.status(id))
    same(137, ended(box, id)['exitCode'])
    try_create(box, request(box, pod, name='late')).fails(1, 'not ready')
    box.call('sandbox', 'remove', pod).ok()
    box.call('state', id).fails(1, 'does not exist')
    box.call('sandbox', 'remove', pod).ok()
    same([], os.listdir(os.path.join(box.data, 'containers')))


# -- what the image says -----------------------------------------------------------------------------------


def entrypoint_cmd_env_user_and_folder_come_from_the_image(box):
    passwd = tar_with(('etc', None), ('etc/passwd', 'root:x:0:0::/root:/bin/sh\napp:x:1234:77::/home:/bin/sh\n', 0o644),
                      ('etc/group', 'root:x:0:\nmore:x:88:app\n', 0o644))
    load(box, passwd, config={'Entrypoint': ['sh', '-c'], 'Cmd': ['id; pwd; echo $FOO $BAR'], 'User': 'app', 'WorkingDir': '/srv/new',
                              'Env': ['PATH=/bin', 'FOO=image', 'BAR=image']})
    logdir = os.path.join(box.folder, 'log')
    pod = sandbox(box, log_directory=logdir)
    id, code = run(box, pod, envs=[{'key': 'FOO', 'value': 'request'}], log_path='l')
    same(0, code)
    text = logs(box, id)
    has(text, 'uid=1234(app) gid=77 groups=77,88(more)')
    has(text, '/srv/new\n')
    has(text, 'request image\n')


def what_one_container_writes_another_does_not_see(box):
    load(box)
    pod = sandbox(box)
    same(0, run(box, pod, name='one', command='echo x >/new; rm /bin/ls')[1])
    same(0, run(box, pod, name='two', command='test ! -e /new && test -e /bin/ls')[1])


def an_image_in_use_is_not_removed(box):
    load(box)
    pod = sandbox(box)
    id = create(box, pod, command='sleep 100')
    box.call('image', 'remove', 'busybox').fails(1, id[:12])
    box.call('delete', '--force', id).ok()
    box.call('image', 'remove', 'busybox').ok()
    try_create(box, request(box, pod)).fails(1, 'busybox', "isn't in the store")


# -- security ----------------------------------------------------------------------------------------------


def the_default_container_has_the_default_restrictions(box):
    load(box)
    pod = sandbox(box)
    id = create(box, pod, command='sleep 100', security={'seccomp': {'profile_type': 0}, 'no_new_privs': True})
    box.call('start', id).ok()
    status = box.call('exec', id, 'cat', '/proc/1/status').ok().out
    has(status, 'CapBnd:\t00000000a80425fb')
    has(status, 'CapInh:\t0000000000000000')
    has(status, 'CapAmb:\t0000000000000000')
    has(status, 'NoNewPrivs:\t1')
    has(status, 'Seccomp:\t2')


def nothing_about_seccomp_is_unconfined(box):
    load(box)
    pod = sandbox(box)
    id = create(box, pod, command='sleep 100')
    box.call('start', id).ok()
    has(box.call('exec', id, 'cat', '/proc/1/status').ok().out, 'Seccomp:\t0')


def a_privileged_container_needs_a_privileged_sandbox(box):
    load(box)
    pod = sandbox(box)
    try_create(box, request(box, pod, command='true', security={'privileged': True})).fails(1, 'privileged')
    pod = sandbox(box, pod_config('priv', {'security_context': {'privileged': True, 'namespace_options': {'pid': 1}}}))
    id = create(box, pod, command='sleep 100', security={'privileged': True})
    box.call('start', id).ok()
    has_not(box.call('exec', id, 'cat', '/proc/1/status').ok().out, 'CapBnd:\t00000000a80425fb')
    box.call('exec', id, 'test', '-c', '/dev/kmsg').ok()


def a_request_that_disagrees_with_its_sandbox_is_refused(box):
    load(box)
    pod = sandbox(box)
    lie = request(box, pod, command='true', security={'privileged': True})
    lie['sandbox_config'] = copy.deepcopy(lie['sandbox_config'])
    lie['sandbox_config']['linux']['security_context']['privileged'] = True
    try_create(box, lie).fails(1, 'privileged')
    same([], containers(box))


# -- what is refused ---------------------------------------------------------------------------------------


def invalid_requests():
    with open(os.path.join(os.environ['SOURCE'], 'tests/data/cri/invalid.jsonl'), encoding='utf-8') as f:
        return [json.loads(line) for line in f]


def every_invalid_request_is_refused_and_leaves_nothing(box):
    load(box)
    config = {'metadata': {'name': 'p', 'namespace': 'n', 'uid': 'u'}, 'linux': {'cgroup_parent': '/' + box.tag}}
    pod = sandbox(box, config)
    before = tree(box.data)
    for case in invalid_requests():
        req = case['request']
        if req['pod_sandbox_id']:
            req['pod_sandbox_id'] = pod
        req['sandbox_config'] = config
        r = try_create(box, req)
        if r.status != 1 or not r.err.startswith('ctrctl: create'):
            fail('%s: status %d, %s%s' % (case['why'], r.status, r.out, r.err))
    same([], containers(box))
    same({p for p in before if p.count('/') < 6}, {p for p in tree(box.data) if p.count('/') < 6})


def all_faults_are_reported_together(box):
    load(box)
    pod = sandbox(box)
    bad = request(box, pod, name='Not/A/Name', working_dir='relative', mounts=[{'container_path': '/x', 'host_path': 'relative'}])
    bad['config']['linux']['security_context']['run_as_group'] = {'value': 5}
    log = os.path.join(box.folder, 'log.json')
    r = box.call('--log', log, '--log-format', 'json', 'create', '--request', write(box, bad, 'bad.json'))
    r.fails(1, 'config.metadata.name', 'config.mounts[0].host_path', 'run_as_group')
    with open(log, encoding='utf-8') as f:
        line = json.loads(f.read().splitlines()[-1])
    same(3, line['grpc'])
    if len(line['faults']) < 3:
        fail('only %r' % line['faults'])


def unknown_keys_are_refused(box):
    load(box)
    pod = sandbox(box)
    bad = request(box, pod, command='true')
    bad['config']['linux']['securityContextt'] = {'privileged': True}
    try_create(box, bad).fails(1, 'securityContextt')


def a_missing_sandbox_is_not_found(box):
    load(box)
    req = request(box, 'a3f1c0d29b7e4c55', command='true')
    req['sandbox_config'] = pod_config()
    log = os.path.join(box.folder, 'log.json')
    box.call('--log', log, '--log-format', 'json', 'create', '--request', write(box, req, 'r.json')).fails(1, 'pod_sandbox_id')
    with open(log, encoding='utf-8') as f:
        same(5, json.loads(f.read().splitlines()[-1])['grpc'])


def a_program_that_is_missing_is_found_out_at_create(box):
    load(box)
    pod = sandbox(box)
    try_create(box, request(box, pod, command=['/no/such/program'])).fails(1, '/no/such/program')
    same([], os.listdir(os.path.join(box.data, 'containers')))


# -- backends ----------------------------------------------------------------------------------------------


def images_of_the_other_backend_are_refused_by_name(box):
    pod = sandbox(box)
    for image in 'lxc/debian', 'db-postgres:16', 'vm-alpine':
        req = request(box, pod, image=image)
        try_create(box, req).fails(1, 'no Proxmox VE server is configured')
        r = box.call('explain', write(box, req, 'r.json'))
        r.fails(1, 'no Proxmox VE server is configured')
        has(r.out, 'backend proxmox')
    same([], containers(box))
    if os.path.exists(os.path.join(box.data, 'containers')):
        same([], os.listdir(os.path.join(box.data, 'containers')))


def explain_shows_all_and_touches_nothing(box):
    load(box)
    pod = sandbox(box)
    req = write(box, request(box, pod, command='true'), 'r.json')
    before = tree(box.data, box.root)
    at = mounts()
    r = box.call('explain', req).ok()
    has(r.out, 'backend native')
    has(r.out, '"ociVersion"')
    has(r.out, 'pivot')
    after = tree(box.data, box.root)
    same([], sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p)))
    same(at, mounts())
    same([], containers(box))


def explain_imagines_a_sandbox_that_is_not_there(box):
    load(box)
    req = request(box, 'f' * 64, command='true')
    req['sandbox_config'] = pod_config()
    r = box.call('explain', write(box, req, 'r.json')).ok()
    has(r.out, 'as it would be made')
    same('', box.call('sandbox', 'list', '-q').ok().out)


# -- in the foreground -------------------------------------------------------------------------------------


def run_shows_the_output_and_the_status(box):
    load(box)
    pod = sandbox(box)
    r = box.call('run', '--request', write(box, request(box, pod, command='echo out; echo err >&2; exit 5'), 'r.json'))
    same((5, 'out\n', 'err\n'), (r.status, r.out, r.err))
    same([], containers(box))


def run_passes_standard_input_on(box):
    load(box)
    pod = sandbox(box)
    req = request(box, pod, command=['cat'], stdin=True, stdin_once=True)
    r = box.call('run', '--request', write(box, req, 'r.json'), text='line\n' * 10000)
    same((0, 'line\n' * 10000, ''), (r.status, r.out, r.err))


def run_loses_no_output(box):
    load(box)
    pod = sandbox(box)
    req = request(box, pod, command='i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done')
    r = box.call('run', '--request', write(box, req, 'r.json')).ok()
    same(''.join('%d\n' % i for i in range(20000)), r.out)


# -- crashes -----------------------------------------------------------------------------------------------


def a_create_that_was_killed_is_done_again_or_removed(box):
    load(box)
    pod = sandbox(box)
    req = write(box, request(box, pod, command='sleep 100'), 'r.json')
    for call, nth in (('mkdirat', 1), ('mkdirat', 3), ('fsmount', 1), ('move_mount', 1), ('renameat', 1), ('clone', 1),
                      ('openat2', 2), ('clone3', 1), ('write', 4), ('execveat', 1)):
        subprocess.run(['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=' + call,
                        '-e', 'inject=%s:signal=KILL:when=%d' % (call, nth), CTRCTL, *box.globals, 'create', '--request', req],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        made = box.call('create', '--request', req)
        if made.status != 0:
            fail('after a death in %s %d: %s' % (call, nth, made.err))
        id = json.loads(made.out)['containerId']
        box.call('start', id).ok()
        box.call('delete', '--force', id).ok()
        same([], os.listdir(os.path.join(box.data, 'containers')), 'left after %s' % call)


main(globals())
