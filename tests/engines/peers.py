#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bundles that ctrctl makes from CRI requests, run unchanged by Debian's runc and crun."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), '..', 'kernel'))
from pods import *  # noqa: E402

SHOWS = ('id; echo $GREETING; hostname; pwd; cat /etc/resolv.conf /secret/token; grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status; cat /proc/self/attr/current; '
         'touch /written; echo x >/secret/token; cat /proc/sys/kernel/shm_rmid_forced; ulimit -n; '
         'for s in uts ipc net; do readlink /proc/self/ns/$s; done; exit 7')


def bundle_of(box, pod_security=None, **more):
    """A created container of a request that is over before it began: its bundle, and what ctrctl itself makes of it."""
    load(box)
    secret = os.path.join(box.folder, 'secret')
    os.makedirs(secret, exist_ok=True)
    with open(os.path.join(secret, 'token'), 'w', encoding='ascii') as f:
        f.write('for the container\n')
    pod = sandbox(box, log_directory=box.folder, dns_config={'servers': ['10.9.8.7'], 'searches': ['a.example']},
                  linux_={'security_context': {'namespace_options': {'pid': 1}, **(pod_security or {})}})
    common = {'command': SHOWS, 'envs': [{'key': 'GREETING', 'value': 'hello'}], 'working_dir': '/tmp',
              'mounts': [{'container_path': '/secret', 'host_path': secret, 'readonly': True}], **more}
    own, code = run(box, pod, name='own', log_path='own.log', **common)
    same(7, code, 'exit code')
    with open(os.path.join(box.folder, 'own.log'), encoding='utf-8') as f:
        lines = [line.rstrip('\n').split(' ', 3) for line in f]
    output = '\n'.join(parts[3] for parts in lines if parts[1] == 'stdout')
    box.call('delete', own).ok()
    id = create(box, pod, name='peer', log_path='peer.log', **common)
    box.call('kill', id, 'KILL').ok()
    eventually(lambda: box.status(id) == 'stopped', what='end of the container')
    return os.path.join(box.data, 'containers', id, 'bundle'), output


def under(peer, box, **more):
    bundle, wanted = bundle_of(box, **more)
    before = open(bundle + '/config.json', 'rb').read()
    done = subprocess.run([peer, '--root', os.path.join(box.folder, peer), 'run', '--bundle', bundle, 'peer-' + box.tag],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 7:
        fail('%s: status %d: %s%s' % (peer, done.returncode, done.stdout, done.stderr))
    same(wanted, done.stdout.rstrip('\n'), 'output')
    same(before, open(bundle + '/config.json', 'rb').read())


def runc_runs_the_bundle_of_a_request(box):
    under('runc', box)


def crun_runs_the_bundle_of_a_request(box):
    under('crun', box)


def runc_runs_the_bundle_of_an_unprivileged_one(box):
    under('runc', box, security={'run_as_user': {'value': 1000}, 'no_new_privs': True, 'readonly_rootfs': True,
                                 'capabilities': {'drop_capabilities': ['ALL']}})


def crun_runs_the_bundle_of_an_unprivileged_one(box):
    under('crun', box, security={'run_as_user': {'value': 1000}, 'no_new_privs': True, 'readonly_rootfs': True,
                                 'capabilities': {'drop_capabilities': ['ALL']}})


def crun_runs_the_bundle_of_a_privileged_one(box):
    under('crun', box, pod_security={'privileged': True}, security={'privileged': True})


def load_profile():
    """The default profile of containers, as an operator of a host with AppArmor loads it."""
    with open('/sys/module/apparmor/parameters/enabled', encoding='ascii') as f:
        if f.read().strip() != 'Y':
            return
    subprocess.run(['apparmor_parser', '--replace', '--skip-cache'], check=True, text=True, input='profile ctrctl-default '
                   'flags=(attach_disconnected,mediate_deleted) { network, capability, file, mount, umount, signal, ptrace, }')


load_profile()
main(globals())
