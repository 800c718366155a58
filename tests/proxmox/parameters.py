#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a request says arrives at the server as it was said, whatever characters it has; what can't arrive is refused before any call."""

import random

from pve import *

ROUNDS = 12
ODD = ['a', 'B', '7', ' ', '  ', '"', "'", '\\', '$', '`', '*', '?', '[', '=', '&', ';', '%', '%41', '+', '#', '!', ',', '/', '\t', '~', '|',
       '<', '(', ')', '{', '$HOME', '$(id)', '\u00e4', '\u20ac', '\U0001f600', '-', '--', '%00', '\\0']


def odd_text(dice, least=0, most=8):
    return ''.join(dice.choice(ODD) for _ in range(dice.randint(least, most)))


def lxc_words(text):
    """As LXC's reader of configurations takes a command apart."""
    text = text.strip()
    if len(text) > 1 and text[0] in '"\'' and text[0] == text[-1]:
        text = text[1:-1]
    words, at = [], 0
    while at < len(text):
        if text[at] in ' \t\n':
            at += 1
        elif text[at] in '"\'':
            end = text.find(text[at], at + 1)
            end = len(text) if end < 0 else end
            words.append(text[at + 1:end])
            at = end + 1
        else:
            end = at
            while end < len(text) and text[end] not in ' \t\n':
                end += 1
            words.append(text[at:end])
            at = end
    return words


def variables(config):
    return dict(v.partition('=')[::2] for v in config.get('env', '').split('\0') if v)


def says(config):
    """What the guest's command, run as LXC would, prints: its own arguments."""
    env = {'PATH': '/usr/bin:/bin', **variables(config)}
    done = subprocess.run(lxc_words(config['entrypoint']), env=env, capture_output=True, timeout=20, check=False)
    return done.stdout.decode(errors='surrogateescape'), done.stderr.decode(errors='replace')


def identity(config):
    """The line that ctrctl writes of it into the description."""
    found = re.search(r'^ctrctl:v1:(\{.*\})$', config['description'], re.M)
    if not found:
        fail('no line of identity in %r' % config['description'])
    return json.loads(found.group(1))


def any_command_reaches_its_program(box):
    dice = random.Random(7)
    for n in range(ROUNDS):
        words = [odd_text(dice) for _ in range(dice.randint(1, 6))]
        id = box.create_guest('c%d' % n, command=['/usr/bin/printf', '%s\\n'], args=words)
        out, err = says(box.guest(id)['config'])
        same('\n'.join(words) + '\n', out, 'arguments of %r (%s)' % (box.guest(id)['config'], err))
        box.delete(id)


def any_variable_reaches_the_guest(box):
    dice = random.Random(8)
    for n in range(ROUNDS):
        wanted = {'V%d' % i: odd_text(dice).rstrip(' \t') for i in range(dice.randint(1, 8))}
        id = box.create_guest('c%d' % n, envs=[{'key': k, 'value': v} for k, v in wanted.items()])
        got = variables(box.guest(id)['config'])
        same(wanted, {k: got.get(k) for k in wanted})
        box.delete(id)


def any_label_is_in_the_description(box):
    dice = random.Random(9)
    for n in range(ROUNDS):
        labels = {'k%d' % i: odd_text(dice) for i in range(3)}
        id = box.create_guest('c%d' % n, labels=labels, annotations={'example.org/x': odd_text(dice) + '\n\nctrctl:v1:{}\n'})
        config = box.guest(id)['config']
        same(labels, identity(config)['labels'])
        same(id, identity(config)['id'])
        same(1, config['description'].count('\nctrctl:v1:') + config['description'].startswith('ctrctl:v1:'))
        box.delete(id)


def a_description_has_its_limit(box):
    for n, size in enumerate((100, 7000, 9000, 200000)):
        id = box.create_guest('c%d' % n, labels={'app': 'web'}, annotations={'example.org/%d' % i: '\u00e4' * 100 for i in range(size // 100)})
        config = box.guest(id)['config']
        if len(config['description']) > 8192 + 1:
            fail('%d characters' % len(config['description']))
        same(id, identity(config)['id'])
        same('running', box.status(id) if box.call('start', id).ok() else '')
        box.delete(id)


def tags_are_as_the_server_wants_them(box):
    id = box.create_guest('UPPER-case', labels={'Tag': 'A:b/c=d'})
    tags = box.guest(id)['config']['tags'].split(';')
    same(['ctrctl', 'ctrctl-' + id[:16]], tags)
    sent = box.server.requests('POST /nodes/pve./lxc$')[0]['params']['tags']
    same(sorted(tags), sorted(re.split('[;, ]', sent)))


def host_names_are_what_the_api_takes(box):
    for name, wanted in (('db', 'db'), ('a.b-c', 'a.b-c'), ('x' * 80, 'x' * 63), ('x' * 60 + '.abc', 'x' * 60 + '.ab')):
        box.by_name = {}
        pod = {'metadata': {'name': name, 'namespace': 'default', 'uid': UID + wanted, 'attempt': 0}}
        id = box.call('sandbox', 'run', '--runtime-handler', 'proxmox', write(box, pod, 'pod.json')).ok().out.strip()
        req = request(box, id, image='lxc/debian-12')
        req['sandbox_config'] = pod
        shown = box.call('explain', write(box, req, 'r.json')).ok().out
        has(shown, '  hostname = %s    <- sandbox_config.metadata.name\n' % wanted)
        id = json.loads(box.call('create', '--request', write(box, req, 'r.json')).ok().out)['containerId']
        same(wanted, box.guest(id)['config']['hostname'])
        box.delete(id)


def name_servers_and_domains_reach_the_guest(box):
    pod = {'metadata': {'name': 'p', 'namespace': 'default', 'uid': UID, 'attempt': 0}, 'hostname': 'p',
           'dns_config': {'servers': ['10.96.0.10', '2001:db8::1'], 'searches': ['default.svc.cluster.local', 'cluster.local']}}
    sandbox_id = box.call('sandbox', 'run', '--runtime-handler', 'proxmox', write(box, pod, 'pod.json')).ok().out.strip()
    req = request(box, sandbox_id, image='lxc/debian-12')
    req['sandbox_config'] = pod
    id = json.loads(box.call('create', '--request', write(box, req, 'r.json')).ok().out)['containerId']
    config = box.guest(id)['config']
    same('10.96.0.10 2001:db8::1', config['nameserver'])
    same('default.svc.cluster.local cluster.local', config['searchdomain'])


def memory_below_what_a_guest_needs_is_raised_with_a_warning(box):
    wanted = {'memory_limit_in_bytes': 4 << 20}
    shown = box.call('explain', write(box, box.guest_request(resources=wanted), 'little.json')).ok()
    same(1, shown.err.count('a guest needs 16 MiB of memory at least'), shown.err)
    made = box.try_guest(resources=wanted).ok()
    id = json.loads(made.out)['containerId']
    same(1, made.err.count('a guest needs 16 MiB of memory at least'), made.err)
    same('16', box.guest(id)['config']['memory'])
    made = box.call('update', '--memory', str(8 << 20), id).ok()
    same(1, made.err.count('a guest needs 16 MiB of memory at least'), made.err)


def resources_are_as_the_server_counts(box):
    id = box.create_guest(resources={'memory_limit_in_bytes': (300 << 20) + 1, 'memory_swap_limit_in_bytes': 400 << 20, 'cpu_quota': 150000,
                                     'cpu_period': 100000, 'cpu_shares': 1024})
    config = box.guest(id)['config']
    same(('301', '1.5'), (config['memory'], config['cpulimit']))
    if not 0 <= int(config['swap']) <= 100:
        fail('swap %s' % config['swap'])
    same(True, 1 <= int(config['cpuunits']) <= 10000)
    box.delete(id)
    id = box.create_guest('third', resources={'cpu_quota': 12600, 'cpu_period': 100000})
    same('0.126', box.guest(id)['config']['cpulimit'])
    # All is sent, so that no default of the server applies.
    id = box.create_guest('second')
    sent = box.server.requests('POST /nodes/pve./lxc$')[-1]['params']
    for name in 'memory', 'swap', 'rootfs', 'unprivileged', 'hostname', 'net0', 'tags', 'description':
        if name not in sent:
            fail('%s was left to the server: %s' % (name, sorted(sent)))


def refused_before_any_call(b, *parts, **more):
    b.pod()
    b.server.clear_requests()
    b.try_guest('refused', **more).fails(1, *parts)
    same([], b.server.requests(), 'requests')
    same([], [n for n in os.listdir(os.path.join(b.data, 'guests')) if n[0] != '.'] if os.path.isdir(os.path.join(
        b.data, 'guests')) else [])


def a_token_is_refused_mounts_of_the_host_before_any_call(box):
    box.configure(localNode='pve1')
    mount_ = {'host_path': '/srv/data', 'container_path': '/data'}
    refused_before_any_call(box, 'config.mounts[0]', 'root@pam', mounts=[mount_])
    refused_before_any_call(box, 'config.devices[0]', 'root@pam', devices=[{'host_path': '/dev/fuse', 'container_path': '/dev/fuse',
                                                                           'permissions': 'rw'}])
    box.configure(box.server.as_root(localNode='pve1'))
    id = box.create_guest('root', mounts=[mount_, {**mount_, 'container_path': '/other', 'readonly': True}])
    config = box.guest(id)['config']
    same(('/srv/data,mp=/data', '/srv/data,mp=/other,ro=1'), (config['mp0'], config['mp1']))


def paths_that_a_property_string_cant_hold_are_refused_before_any_call(box):
    box.configure(box.server.as_root(localNode='pve1'))
    for path in '/srv/a,b', '/srv/a=b', '/srv/a\nb', '/srv/\x01':
        refused_before_any_call(box, 'config.mounts[0]', mounts=[{'host_path': path, 'container_path': '/data'}])
        refused_before_any_call(box, 'config.mounts[0]', mounts=[{'host_path': '/srv', 'container_path': path}])


def control_characters_are_refused_before_any_call(box):
    refused_before_any_call(box, 'config.command', command=['/bin/echo', 'a\nb'])
    refused_before_any_call(box, 'config.args', command=['/bin/echo'], args=['\x7f'])
    refused_before_any_call(box, 'A', envs=[{'key': 'A', 'value': 'a\nb'}])
    refused_before_any_call(box, 'a-b', envs=[{'key': 'a-b', 'value': '1'}])
    refused_before_any_call(box, 'A', envs=[{'key': 'A', 'value': 'lost at the end '}])


main(globals())
