#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The requests of tests/data/cri, as kubelets write them: what each becomes, on a host with hybrid cgroups and in a VM with pure
cgroup v2, and that what became a container honours what was asked for.

Only what must be local is changed (local()): images are busybox under the example's names, with scripts in place of the programs
that it lacks; folders of the host lie below the box's own; cgroups below the box's. Rows after the first of an example are the
same without what was refused, so that the rest of it is proven too."""

import re

from pods import *

UNIFIED = cgroup_mount() == '/sys/fs/cgroup'
APPARMOR = os.path.exists('/sys/kernel/security/apparmor/profiles')
CONTAINER = 'container'
POD, CREATE = 'sandbox', 'create'
SCRIPT = '#!/bin/sh\necho "$0 $*"\nexec sleep 1000\n'
ENV = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin']
DEFAULT_BOUND = 0xa80425fb
CAP = {'NET_BIND_SERVICE': 10, 'NET_ADMIN': 12, 'IPC_LOCK': 14, 'SYS_ADMIN': 21, 'SYS_NICE': 23}


# -- the table ---------------------------------------------------------------------------------------------

def drop(*paths):
    """Takes members out of a request; a path is like config.linux.resources, and a member of a list like envs.0."""
    def edit(req):
        for path in paths:
            *way, last = path.split('.')
            at = req
            for name in way:
                at = at[int(name) if isinstance(at, list) else name]
            del at[int(last) if isinstance(at, list) else last]
    return edit


def put(path, value):
    def edit(req):
        *way, last = path.split('.')
        at = req
        for name in way:
            at = at[int(name) if isinstance(at, list) else name]
        at[last] = value
    return edit


SECURITY = 'config.linux.security_context.'
RESOURCES = 'config.linux.resources'
KVM = CONTAINER if os.path.exists('/dev/kvm') else (CREATE, 5, 'config.devices[0].host_path', '/dev/kvm')
PROXMOX = (CREATE, 9, None, 'no Proxmox VE server is configured')
PORT = (POD, 9, 'port_mappings[0].host_port', "can't be mapped")
NO_CONTROLLER = (CREATE, 9, None, 'controller')

def profile_is_loaded():
    if not APPARMOR:
        return False
    with open('/sys/kernel/security/apparmor/profiles', encoding='utf-8') as f:
        return 'ctrctl-default (enforce)\n' in f


PROFILE = profile_is_loaded()

# Of an example, one row after the other: (what is taken out or changed, edits, on a hybrid host, in the VM). The outcome is
# "container", or: which command fails, the gRPC code, the field of the first fault, words of the message. Without a field the
# request is right and the host can't do it.
TABLE = {
    '01-minimal': [('nothing', [], CONTAINER, CONTAINER)],
    '02-web-server-logged': [
        ('nothing', [], PORT, PORT),
        ('host port', [drop('sandbox_config.port_mappings.0.host_port')], NO_CONTROLLER, CONTAINER),
        ('limits', [drop(RESOURCES + '.cpu_shares', RESOURCES + '.memory_limit_in_bytes')], CONTAINER, CONTAINER)],
    '03-restricted-nonroot': [
        ('nothing', [], (CREATE, 9, SECURITY + 'apparmor', "AppArmor isn't enabled"),
         CONTAINER if PROFILE else (CREATE, 9, SECURITY + 'apparmor', '"ctrctl-default" isn\'t loaded: load it with apparmor_parser')),
        ('apparmor', [drop(SECURITY + 'apparmor')], NO_CONTROLLER, CONTAINER),
        ('resources', [drop(RESOURCES)], CONTAINER, CONTAINER)],
    '04-secrets-and-volumes': [('nothing', [], CONTAINER, CONTAINER)],
    '05-privileged-node-debug': [
        ('nothing', [], KVM, KVM),
        ('kvm', [drop('config.devices')], CONTAINER, CONTAINER)],
    '06-hugepages-devices-cpuset': [
        ('nothing', [], (CREATE, 9, 'config.CDI_devices[0]', 'CDI'), (CREATE, 9, 'config.CDI_devices[0]', 'CDI')),
        ('CDI', [drop('config.CDI_devices', 'config.annotations')],
         (CREATE, 5, 'config.devices[0].host_path', '/dev/vfio'), (CREATE, 5, 'config.devices[0].host_path', '/dev/vfio')),
        ('vfio', [drop('config.devices.0')], NO_CONTROLLER, (CREATE, 3, None, '"4-7": this machine has the CPUs')),
        ('CPUs that there are', [put(RESOURCES + '.cpuset_cpus', '1')], NO_CONTROLLER, CONTAINER),
        ('resources', [drop(RESOURCES)], CONTAINER, CONTAINER)],
    '07-userns-localhost-profiles': [
        ('nothing', [], (CREATE, 9, SECURITY + 'apparmor', "AppArmor isn't enabled"),
         (CREATE, 9, SECURITY + 'apparmor.localhost_ref', '"ci-builder" isn\'t loaded')),
        ('apparmor', [drop(SECURITY + 'apparmor')], (CREATE, 9, SECURITY + 'selinux_options', "SELinux isn't enabled"),
         (CREATE, 9, SECURITY + 'selinux_options', "SELinux isn't enabled")),
        ('selinux', [drop(SECURITY + 'selinux_options')], NO_CONTROLLER, CONTAINER),
        ('memory', [drop(RESOURCES + '.memory_limit_in_bytes')], CONTAINER, CONTAINER)],
    '08-backend-lxc': [('nothing', [], PROXMOX, PROXMOX)],
}


# -- from an example to a request of this machine --------------------------------------------------------------

def example(name):
    with open(os.path.join(os.environ['SOURCE'], 'tests/data/cri', name + '.json'), encoding='utf-8') as f:
        return json.load(f)


def below(box, what):
    """The same with the folders of kubelet, logs and volumes below the box's."""
    if isinstance(what, dict):
        return {key: box.folder + value if key in ('host_path', 'log_directory', 'localhost_ref')
                and re.match('/(var|tank)/', value) else below(box, value) for key, value in what.items()}
    return [below(box, value) for value in what] if isinstance(what, list) else what


def local(box, name, ids):
    req = below(box, example(name))
    pod = req['sandbox_config']['linux'] if 'linux' in req['sandbox_config'] else req['sandbox_config'].setdefault('linux', {})
    pod['cgroup_parent'] = '/' + box.tag + pod.get('cgroup_parent', '')
    image = req['config']['image']
    image['image'] = ids.get(image['image'], image['image'])
    return req


def image(box, name, scripts=(), files=(), **config):
    """Busybox with these programs in it, under that name; its id and its digest."""
    folders = sorted({'/'.join(f.split('/')[:n]) for f in [*scripts, *dict(files)] for n in range(1, f.count('/') + 1)})
    # Symlinks of the image stay what they are: only folders that it doesn't have.
    entries = [(f, None) for f in folders if not os.path.lexists(os.path.join(BUSYBOX, f))]
    entries += [(f, SCRIPT) for f in scripts] + [(f, text, 0o644) for f, text in dict(files).items()]
    load(box, *([tar_with(*entries)] if entries else []), config={'Env': ENV, **config}, name=name)
    return json.loads(box.call('image', 'inspect', name).ok().out)


def file(box, path, text=''):
    path = box.folder + path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)


# -- what is looked at -------------------------------------------------------------------------------------

class Seen:
    """A running container, from outside: no process more than needed, as a VM may be slow."""

    def __init__(self, box, id, log):
        self.box, self.id, self.log = box, id, log
        self.pid = box.state(id)['pid']
        eventually(lambda: self.read('comm') == 'sleep\n', what='the program')

    def read(self, name):
        with open('/proc/%d/%s' % (self.pid, name), encoding='utf-8') as f:
            return f.read()

    def status(self, name):
        return re.search('^%s:[\t ]*(.*)$' % name, self.read('status'), re.M).group(1).strip()

    def caps(self, name):
        return int(self.status(name), 16)

    def env(self):
        return dict(e.split('=', 1) for e in self.read('environ').split('\0') if e)

    def mounts(self):
        return mountinfo(self.read('mountinfo'))

    def cgroup(self):
        path = re.search('^0::(.*)$', self.read('cgroup'), re.M).group(1)
        return cgroup_mount() + path

    def limit(self, name):
        with open(os.path.join(self.cgroup(), name), encoding='utf-8') as f:
            return f.read().strip()

    def limits(self, **wanted):
        for name, value in wanted.items():
            same(value, self.limit(name.replace('__', '.')), name)

    def sh(self, script):
        return self.box.call('exec', self.id, 'sh', '-c', script).ok().out

    def lines(self, n=1):
        """Of the log, without times; the first n are awaited, as it is another process that writes them."""
        def read():
            with open(self.log, encoding='utf-8') as f:
                return [line.split(' ', 1)[1] for line in f.read().splitlines()]
        eventually(lambda: len(read()) >= n, what='line %d of the log' % n)
        return read()

    def namespace(self, kind):
        return os.readlink('/proc/%d/ns/%s' % (self.pid, kind))


def under_its_profile(c, req):
    """The default one where it is loaded, but never a privileged container."""
    if APPARMOR:
        privileged = req['config'].get('linux', {}).get('security_context', {}).get('privileged')
        same('ctrctl-default (enforce)' if PROFILE and not privileged else 'unconfined', c.read('attr/current').strip())


def bits(*names):
    return sum(1 << CAP[n] for n in names)


def protected(c, masked, readonly):
    """These paths are masked or read-only, as far as this kernel has them."""
    at = c.mounts()
    for path in filter(os.path.exists, masked):
        if path not in at:
            fail('%s is not masked' % path)
    for path in filter(os.path.exists, readonly):
        has(at[path].options, 'ro')


def look_01(c, req):
    same('sleep\x003600\0', c.read('cmdline'))
    same(DEFAULT_BOUND, c.caps('CapBnd'))
    same('0', c.status('Seccomp'))
    protected(c, ['/proc/kcore', '/proc/keys', '/sys/firmware'], [])
    has(c.mounts()['/proc/sys'].options, 'ro')


def look_02(c, req):
    same(['stdout F /usr/bin/web -listen :8080 -root /srv/www'], c.lines())
    env = c.env()
    same(('8080', 'hello = world', '', 'image', 'shop-0'), tuple(env[k] for k in ('PORT', 'GREETING', 'EMPTY', 'FROM', 'HOSTNAME')))
    same('/srv', os.readlink('/proc/%d/cwd' % c.pid))
    same('page', c.sh('cat www/index.html; ! echo x 2>/dev/null >www/new').strip())
    has(c.sh('cat /etc/resolv.conf'), 'search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\n')
    has(c.mounts()['/srv/www'].options, 'ro')
    same('979', c.read('oom_score_adj').strip())
    state = c.box.state(c.id)['cri']
    same(req['config']['labels'], state['labels'])
    same(req['config']['annotations'], state['annotations'])
    has(c.cgroup(), '/%s/kubepods.slice/kubepods-burstable.slice/' % c.box.tag)
    if 'memory_limit_in_bytes' in req['config']['linux']['resources']:
        c.limits(memory__max='134217728', memory__swap__max='0')
        if not 1 < int(c.limit('cpu.weight')) < 100:
            fail('cpu.weight is %s' % c.limit('cpu.weight'))


def look_03(c, req):
    same(['stdout F /usr/bin/api --config=/etc/api/config.toml'], c.lines())
    same('10001\t10001\t10001\t10001', c.status('Uid'))
    same('10001\t10001\t10001\t10001', c.status('Gid'))
    same({'2000', '3000', '10001'}, set(c.status('Groups').split()) | {'10001'})
    same((bits('NET_BIND_SERVICE'), 0), (c.caps('CapBnd'), c.caps('CapEff')))
    same(('1', '2'), (c.status('NoNewPrivs'), c.status('Seccomp')))
    has(c.mounts()['/'].options, 'ro')
    protected(c, *(req['config']['linux']['security_context'][paths] for paths in ('masked_paths', 'readonly_paths')))
    same('0\n', c.sh('cat /proc/sys/net/ipv4/ip_unprivileged_port_start'))
    if 'resources' in req['config']['linux']:
        same('-997', c.read('oom_score_adj').strip())
        c.limits(cpu__max='50000 100000', memory__max='268435456', memory__swap__max='0', pids__max='256', memory__oom__group='1',
                 memory__high=str(241591910 // 4096 * 4096))


def look_04(c, req):
    same(['stdout F /usr/bin/worker '], c.lines())
    same('10.96.0.1', c.env()['KUBERNETES_SERVICE_HOST'])
    same('2', c.status('Seccomp'))
    out = c.sh('cat /etc/hosts /var/run/secrets/kubernetes.io/serviceaccount/token $DB_PASSWORD_FILE /etc/worker/worker.conf '
               '/models/w.bin; echo bye >/dev/termination-log; echo made >/work/new; for f in /run/secrets/db/x /models/x '
               '/var/run/secrets/kubernetes.io/serviceaccount/x /etc/worker/worker.conf; do (: >$f) 2>/dev/null && echo wrote $f; done; :')
    same('192.0.2.1 worker-x\ntoken\nsecret\nconf\nweights\n', out)
    at = c.mounts()
    same(set(), {'ro', 'noexec', 'nosuid', 'nodev'} - at['/run/secrets/db'].options)
    same(set(), {'ro', 'noexec', 'nosuid', 'nodev'} - at['/models'].options)
    has(at['/mnt/csi'].peers, 'master:')
    pods = c.box.folder + '/var/lib/kubelet/pods/77aa/'
    with open(pods + 'containers/worker/7e1b', encoding='utf-8') as f:
        same('bye\n', f.read())
    same(['new'], os.listdir(pods + 'volumes/kubernetes.io~empty-dir/scratch'))


def look_05(c, req):
    with open('/proc/self/status', encoding='utf-8') as f:
        own = int(re.search('^CapBnd:\t(.*)', f.read(), re.M).group(1), 16)
    same((own, own, '0'), (c.caps('CapBnd'), c.caps('CapEff'), c.status('Seccomp')))
    for kind in 'net', 'pid', 'ipc', 'uts':
        same(os.readlink('/proc/self/ns/' + kind), c.namespace(kind), kind)
    has(c.mounts()['/host'].peers, 'master:')
    has(c.mounts()['/var/lib/kubelet'].peers, 'shared:')
    has(c.lines()[0], 'stdout F /bin/bash -l')
    if c.read('stat').rsplit(')', 1)[1].split()[4] == '0':
        fail('no terminal')
    c.sh('test -d /host%s && mkdir -p /var/lib/kubelet/new && mount -t tmpfs new /var/lib/kubelet/new' % c.box.folder)
    has(mounts(), c.box.folder + '/var/lib/kubelet/new')
    c.sh('umount /var/lib/kubelet/new')
    has_not(mounts(), c.box.folder + '/var/lib/kubelet/new')
    if 'devices' in req['config']:
        c.sh('test -c /dev/kvm')


def look_06(c, req):
    same(['stdout F /opt/dpdk/testpmd -l 4-7 --huge-dir /hugepages'], c.lines())
    same(DEFAULT_BOUND | bits('IPC_LOCK', 'NET_ADMIN', 'SYS_NICE'), c.caps('CapBnd'))
    c.sh('test -c /dev/net/tun && : <>/dev/net/tun && touch /hugepages/x')
    if 'resources' in req['config']['linux']:
        same('-997', c.read('oom_score_adj').strip())
        c.limits(cpu__max='400000 100000', memory__max='4294967296', cpuset__cpus='1', cpuset__mems='0')


def look_07(c, req):
    lines = c.lines(2)
    same(['0', '196608', '65536'], lines[0].split()[2:])
    same('stdout F /usr/bin/make ', lines[1])
    same('196608\t196608\t196608\t196608', c.status('Uid'))
    same((DEFAULT_BOUND | bits('SYS_ADMIN'), '2'), (c.caps('CapBnd'), c.status('Seccomp')))
    same('/src', os.readlink('/proc/%d/cwd' % c.pid))
    same('0:0\n', c.sh('touch new && ! ln -s new link 2>/dev/null && stat -c %u:%g new'))
    st = os.stat(c.box.folder + '/var/lib/kubelet/pods/ab12/volumes/kubernetes.io~empty-dir/src/new')
    same((0, 0), (st.st_uid, st.st_gid))
    same('1000', c.read('oom_score_adj').strip())
    if 'memory_limit_in_bytes' in req['config']['linux']['resources']:
        c.limits(memory__max='536870912')


# -- the examples ------------------------------------------------------------------------------------------

def refused(box, command, outcome, *args):
    where, grpc, field, words = outcome
    same(where, command, 'what fails')
    log = os.path.join(box.folder, 'log.json')
    if os.path.exists(log):
        os.unlink(log)
    r = box.call('--log', log, '--log-format', 'json', *args)
    if r.status != 1:
        fail('status %d instead of a refusal: %s%s' % (r.status, r.out, r.err))
    with open(log, encoding='utf-8') as f:
        line = json.loads(f.read().splitlines()[-1])
    faults = line.get('faults') or [{'field': None, 'text': line['msg']}]
    first = faults[0]
    if (grpc, field) != (line['grpc'], first['field']) or words not in first['text']:
        fail('wanted %r, got %d %s: %s' % (outcome, line['grpc'], first['field'], line['msg']))


def the_rows(box, name, look, ids=()):
    req, pod, made_with = local(box, name, dict(ids)), None, None
    for what, edits, hybrid, unified in TABLE[name]:
        wanted = unified if UNIFIED else hybrid
        for edit in edits:
            edit(req)
        try:
            if pod is None or made_with != req['sandbox_config']:
                config = write(box, req['sandbox_config'], 'pod.json')
                if wanted != CONTAINER and wanted[0] == POD:
                    refused(box, POD, wanted, 'sandbox', 'run', config)
                    continue
                pod = box.call('sandbox', 'run', config).ok().out.strip()
                made_with = copy.deepcopy(req['sandbox_config'])
            req['pod_sandbox_id'] = pod
            if wanted != CONTAINER:
                refused(box, CREATE, wanted, 'create', '--request', write(box, req, 'req.json'))
                continue
            id = json.loads(try_create(box, req).ok().out)['containerId']
            box.call('start', id).ok()
            log = req['sandbox_config'].get('log_directory', '') + '/' + req['config'].get('log_path', '')
            seen = Seen(box, id, log)
            under_its_profile(seen, req)
            look(seen, req)
            box.call('delete', '--force', id).ok()
            if os.path.isfile(log):
                os.unlink(log) # the next one of that name would go on with it
        except Failed as f:
            raise Failed('%s, without %s: %s' % (name, what, f)) from f
    if pod:
        box.call('sandbox', 'remove', pod).ok()
    same(('', ''), (box.call('list', '-q').ok().out, box.call('sandbox', 'list', '-q').ok().out), 'what is left')
    folder = os.path.join(box.data, 'containers')
    same([], os.listdir(folder) if os.path.exists(folder) else [], 'containers')


def example_01_minimal(box):
    image(box, 'docker.io/library/busybox:1.36')
    the_rows(box, '01-minimal', look_01)
    told = box.call('explain', write(box, local(box, '01-minimal', {}), 'req.json')).ok().out
    same(APPARMOR and not PROFILE, 'no AppArmor profile: none is asked for' in told, 'told of no profile')
    same(PROFILE, '"apparmorProfile": "ctrctl-default"' in told, 'profile in config.json')


def example_02_web_server_logged(box):
    at = image(box, 'registry.example.net/shop/web:2.4', ['usr/bin/web'], Entrypoint=['/usr/bin/web'], Cmd=['-help'],
               Env=[*ENV, 'PORT=80', 'FROM=image'])
    file(box, '/var/lib/kubelet/pods/6d3c/volumes/kubernetes.io~configmap/site/index.html', 'page')
    name = '02-web-server-logged'
    the_rows(box, name, look_02, {example(name)['config']['image']['image']: at['id']})


def example_03_restricted_nonroot(box):
    at = image(box, 'registry.example.net/platform/api:1', ['usr/bin/api'])
    name = '03-restricted-nonroot'
    the_rows(box, name, look_03, {example(name)['config']['image']['image']: at['digests'][0]})


def example_04_secrets_and_volumes(box):
    image(box, 'registry.example.net/jobs/worker:5', ['usr/bin/worker'], Cmd=['/usr/bin/worker'])
    image(box, 'registry.example.net/models/small:1', files={'weights/w.bin': 'weights\n', 'other/x': 'not to be seen'})
    pods = '/var/lib/kubelet/pods/77aa/'
    file(box, pods + 'etc-hosts', '192.0.2.1 worker-x\n')
    file(box, pods + 'containers/worker/7e1b')
    file(box, pods + 'volumes/kubernetes.io~projected/kube-api-access/token', 'token\n')
    file(box, pods + 'volumes/kubernetes.io~secret/db/password', 'secret\n')
    file(box, pods + 'volume-subpaths/conf/worker/0', 'conf\n')
    os.makedirs(box.folder + pods + 'volumes/kubernetes.io~empty-dir/scratch')
    the_rows(box, '04-secrets-and-volumes', look_04)


def example_05_privileged_node_debug(box):
    image(box, 'docker.io/library/debian:12', ['bin/bash'])
    os.makedirs(box.folder + '/var/lib/kubelet')
    the_rows(box, '05-privileged-node-debug', look_05)


def example_06_hugepages_devices_cpuset(box):
    image(box, 'registry.example.net/net/dpdk:24.11', ['opt/dpdk/testpmd'])
    the_rows(box, '06-hugepages-devices-cpuset', look_06)


def example_07_userns_localhost_profiles(box):
    os.chmod(box.folder, 0o755)
    image(box, 'registry.example.net/ci/builder:latest', ['usr/bin/make'])
    file(box, '/var/lib/kubelet/seccomp/profiles/builder.json', json.dumps(
        {'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [{'names': ['symlink', 'symlinkat'], 'action': 'SCMP_ACT_ERRNO'}]}))
    settings = write(box, {'defaults': {'seccompProfileDirs': [box.folder + '/var/lib/kubelet/seccomp']}}, 'settings.json')
    box.globals += ['--settings', settings]
    the_rows(box, '07-userns-localhost-profiles', look_07)


def example_08_backend_lxc(box):
    the_rows(box, '08-backend-lxc', None)
    r = box.call('explain', write(box, local(box, '08-backend-lxc', {}), 'req.json'))
    r.fails(1, 'no Proxmox VE server is configured')
    has(r.out, 'image lxc/debian-12-standard\nbackend proxmox: ')


# -- crictl's two files ------------------------------------------------------------------------------------

def crictl_files(folder, tag):
    """A pod and a container as people write them for crictl."""
    pod = {'metadata': {'name': 'busybox-sandbox', 'namespace': 'default', 'attempt': 1, 'uid': 'hzq7c1c8m2f04x'},
           'log_directory': folder + '/var/log/pods/busybox', 'labels': {'app_name': 'busybox'},
           'linux': {'cgroup_parent': '/' + tag}}
    container = {'metadata': {'name': 'busybox'}, 'image': {'image': 'busybox:latest'}, 'command': ['top'],
                 'log_path': 'busybox/0.log', 'labels': {'app_name': 'busybox'}, 'linux': {}}
    return pod, container


def camel(what):
    """Names of messages as protojson writes them; those of labels are the user's."""
    if not isinstance(what, dict):
        return what
    return {re.sub('_(.)', lambda m: m.group(1).upper(), key): value if key == 'labels' else camel(value)
            for key, value in what.items()}


def top_runs_and_logs(box, pod, container):
    load(box)
    made = box.call('create', '--pod', write(box, pod, 'pod.json'), '--container', write(box, container, 'container.json')).ok()
    id = json.loads(made.out)['containerId']
    box.call('start', id).ok()
    log = box.folder + '/var/log/pods/busybox/busybox/0.log'
    eventually(lambda: os.path.getsize(log) > 0, what='a line of the log')
    with open(log, encoding='utf-8') as f:
        line = f.readline()
    if not re.match('[-0-9]{10}T[:0-9]{8}\\.[0-9]{9}Z stdout [FP] .*Mem: ', line):
        fail('line of the log: %r' % line)
    same({'app_name': 'busybox'}, box.state(id)['cri']['labels'])
    same('running', box.status(id))
    box.call('delete', '--force', id).ok()


def crictls_two_files_become_a_container(box):
    top_runs_and_logs(box, *crictl_files(box.folder, box.tag))


def so_do_they_in_camel_case(box):
    pod, container = (camel(f) for f in crictl_files(box.folder, box.tag))
    has(container, 'logPath')
    top_runs_and_logs(box, pod, container)


if __name__ == '__main__':
    # As on a node with systemd: mounts are passed on, here no further than to this program's containers.
    private_mounts()
    subprocess.run(['mount', '--make-rshared', '/'], check=True)
    main(globals())
