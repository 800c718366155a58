# SPDX-License-Identifier: Apache-2.0
"""What a CRI request costs: create from a request, against create from the bundle that it becomes; explain; and the stages."""

import ctypes
import json
import os
import statistics
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
UID = '5b1e0f3c-7d1f-4d43-9f52-3f0c9e1d2a77'
TRACED = 50                  # creates whose stages are timed
CLONE_NEWNS = 0x20000


class Failed(Exception):
    """A command that had to work didn't."""


def own_mounts():
    """What is mounted from here on ends with this process; the driver's namespace begins as a copy."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) < 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    subprocess.run(['mount', '--make-rprivate', '/'], check=True)


class Requests:
    """A pod with an image, and a request for it."""

    def __init__(self, ctrctl, work, cgroup, rootfs):
        self.ctrctl, self.work, self.cgroup, self.rootfs = ctrctl, work, cgroup, rootfs
        self.root, self.data = os.path.join(work, 'state'), os.path.join(work, 'data')

    def argv(self, *words):
        return [self.ctrctl, '--root', self.root, '--data', self.data, '--settings', self.write('settings.json', {}), *words]

    def call(self, *words):
        done = subprocess.run(self.argv(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed('%s: %s' % (' '.join(words), done.stderr.strip()))
        return done.stdout.strip()

    def write(self, name, what):
        path = os.path.join(self.work, name)
        with open(path, 'w', encoding='utf-8') as f:
            json.dump(what, f)
        return path

    def request(self, name):
        return self.write(name + '.json', {
            'pod_sandbox_id': self.pod, 'sandbox_config': self.pod_config,
            'config': {'metadata': {'name': name, 'attempt': 0}, 'image': {'image': 'localhost/bench/image:1'},
                       'command': ['/bin/pause'], 'working_dir': '/',
                       'envs': [{'key': 'GREETING', 'value': 'hello'}], 'log_path': name + '.log',
                       'linux': {'security_context': {'namespace_options': {'pid': 1}}}}})

    def __enter__(self):
        archive = os.path.join(self.work, 'image.tar')
        subprocess.run([os.path.join(HERE, '..', 'pack-image'), self.rootfs, 'localhost/bench/image:1', archive, '/bin/pause'],
                       check=True)
        self.call('image', 'load', archive)
        logs = os.path.join(self.work, 'logs')
        os.makedirs(logs, exist_ok=True)
        self.pod_config = {'metadata': {'name': 'bench', 'namespace': 'default', 'uid': UID, 'attempt': 0},
                           'hostname': 'bench', 'log_directory': logs,
                           'linux': {'cgroup_parent': self.cgroup,
                                     'security_context': {'namespace_options': {'pid': 1}}}}
        self.pod = self.call('sandbox', 'run', self.write('pod.json', self.pod_config))
        return self

    def __exit__(self, *_):
        for container in os.listdir(os.path.join(self.data, 'containers')):
            self.call('delete', '--force', container)
        self.call('sandbox', 'remove', self.pod)

    def make(self, path, *options):
        return json.loads(self.call(*options, 'create', '--request', path))['containerId']

    def bundle(self):
        """The bundle of a request in a folder of its own, with a cgroup of its own. Its container stays: it holds the root."""
        kept = self.make(self.request('kept'))
        source = os.path.join(self.data, 'containers', kept, 'bundle')
        with open(os.path.join(source, 'config.json'), encoding='utf-8') as f:
            config = json.load(f)
        config['root']['path'] = os.path.join(source, 'rootfs')
        config['linux']['cgroupsPath'] = os.path.join(self.cgroup, 'bundle')
        folder = os.path.join(self.work, 'generated')
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, 'config.json'), 'w', encoding='utf-8') as f:
            json.dump(config, f)
        return folder

    def script(self):
        """For the driver: unit, then steps."""
        path = self.request('main')
        made = self.make(path)
        self.call('delete', '--force', made)

        def run(step, *words):
            return '\t'.join(('run', step, *self.argv(*words))) + '\n'
        return ('unit\trequest/request/ctrctl\n' + run('create', 'create', '--request', path) +
                run('delete', 'delete', '--force', made) +
                'unit\trequest/bundle/ctrctl\n' + run('create', 'create', '--bundle', self.bundle(), '%i') +
                run('delete', 'delete', '--force', '%i') +
                'unit\trequest/explain/ctrctl\n' + run('explain', 'explain', path))

    def stages(self):
        """Median milliseconds per stage of a create, in their order, and of all that generate the bundle."""
        trace, times, whole = os.path.join(self.work, 'trace.json'), {}, []
        path = self.request('traced')
        for _ in range(TRACED):
            made = self.make(path, '--trace', trace)
            self.call('delete', '--force', made)
            with open(trace, encoding='utf-8') as f:
                events = json.load(f)
            events = events['traceEvents'] if isinstance(events, dict) else events
            found = {}
            for e in events:
                if e.get('ph') == 'X' and e['name'] not in found:
                    found[e['name']] = e['dur'] / 1000
            for name, value in found.items():
                times.setdefault(name, []).append(value)
            whole.append(self.generating(events))
            os.unlink(trace)
        return {n: round(statistics.median(v), 3) for n, v in times.items()}, round(statistics.median(whole), 3)

    @staticmethod
    def generating(events):
        """From the beginning of the first stage to the end of the one that writes the bundle."""
        spans = {e['name']: (e['ts'], e['ts'] + e['dur']) for e in events if e.get('ph') == 'X'}
        return (spans['bundle'][1] - spans['check'][0]) / 1000


def measure(lane, ctrctl, args):
    """The driver's result lines, milliseconds per stage, milliseconds from the request to its bundle."""
    work = os.path.join(lane.work, 'requests')
    os.mkdir(work, 0o700)
    own_mounts()
    with Requests(ctrctl, work, lane.name + '/pod', os.path.join(lane.work, 'default', 'rootfs')) as r:
        stages, generation = r.stages()
        results, _ = lane.drive(r.script(), args.rounds, args.warmup, int(args.pause_ms * 1000), root='-')
    return results, stages, generation
