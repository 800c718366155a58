# SPDX-License-Identifier: Apache-2.0
"""From a request to its answer: who calls, which call it is, its parameters, what becomes of it."""

import copy
import json
import re

from sim import auth, cluster, create, guests, schema, storage, tasks
from sim.world import Fault

CALLS = {**cluster.CALLS, **auth.CALLS, **guests.CALLS, **create.CALLS, **tasks.CALLS, **storage.CALLS}
SINCE = {'entrypoint': (9, 1), 'env': (9, 1), 'overrule-shutdown': (8, 2)}


def pattern(path):
    return re.compile(re.sub(r'\\\{(\w+)\\\}', lambda m: '(?P<%s>%s)' % (m.group(1), '.+' if m.group(1) == 'volume' else '[^/]+'),
                             re.escape(path)) + '$')


ROUTES = [(name.partition(' ')[0], pattern(name.partition(' ')[2]), name) for name in schema.ENDPOINTS]


class Call:
    """One call that was understood."""

    def __init__(self, world, user, method, path, params):
        self.world, self.user, self.method, self.path, self.params, self.extra = world, user, method, path, params, {}

    def flag(self, name):
        return self.params.get(name) == '1'

    def may(self, path, *privileges, some=False):
        return self.world.users.has(self.user, path, privileges, some)

    def need(self, path, *privileges):
        auth.need(self, path, *privileges)


def route(method, path):
    for verb, regex, name in ROUTES:
        found = verb == method and regex.match(path)
        if found:
            return name, found.groupdict()
    raise Fault(501, "Method '%s %s' not implemented\n" % (method, path))


def check(world, name, params):
    """By the schema of the version that is played."""
    errors = {}
    try:
        schema.check(name, params)
    except schema.Invalid as i:
        errors = i.errors
    for key in params:
        if key in SINCE and not world.at_least(*SINCE[key]):
            errors[key] = schema.UNKNOWN
    if not world.at_least(9, 1) and 'lxc' in name:
        for key in params:
            if re.match(r'net\d+$', key) and 'host-managed' in str(params[key]):
                errors[key] = 'invalid format - invalid key in comma-separated list property: host-managed\n'
    if errors:
        raise Fault(400, 'Parameter verification failed.\n', {k: v if v.endswith('\n') else v + '\n' for k, v in errors.items()})


def perform(world, user, method, path, params):
    """Its data and what is beside it; with the lock held."""
    name, of_path = route(method, path)
    for key, value in of_path.items():
        if key in params and params[key] != value:
            raise Fault(400, 'Parameter verification failed.\n', {
                key: 'duplicate parameter (already defined in URI) with conflicting values!\n'})
    params = {**params, **of_path}
    endpoint = schema.ENDPOINTS[name]
    if '!' in (user or '') and not endpoint['token']:
        raise Fault(403, "URI '%s' not available with API token, need proper ticket.\n" % path)
    call = Call(world, user, method, path, params)
    if endpoint['permissions'].get('user') != 'world':
        auth.check(call, endpoint['permissions'])
    if endpoint['proxyto'] == 'node' and schema.NODE.match(params['node']):
        world.need_node(params['node'])
    if name not in CALLS:
        raise Fault(501, "Method '%s %s' not implemented\n" % (method, path))
    check(world, name, params)
    call.params = {k: schema.plain(v) for k, v in params.items()}
    return {'data': CALLS[name](call), **call.extra}


# -- answers ---------------------------------------------------------------------------------------------

NUMBER = re.compile(r'(?:0|[1-9]\d{0,14})(?:\.\d+)?$')
TEXTS = {'data', 'lxc', 'upid', 'message', 'errors', 'hostname', 'name', 'description', 'entrypoint', 'env', 'tags', 'digest', 't', 'release',
         'version', 'release', 'pstart', 'CSRFPreventionToken', 'ticket', 'value', 'pending', 'key', 'node', 'user', 'password', 'exitstatus'}


def blur(value, dice, key=''):
    """Numbers as texts and texts of digits as numbers, in any order of keys: as loose as the real server's types."""
    if isinstance(value, dict):
        items = list(value.items())
        dice.shuffle(items)
        return {k: blur(v, dice, k) for k, v in items}
    if isinstance(value, list):
        return [blur(v, dice, key) for v in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value) if dice.random() < 0.3 else value
    if isinstance(value, str) and key not in TEXTS and NUMBER.match(value) and dice.random() < 0.3:
        return float(value) if '.' in value else int(value)
    return value


def render(world, answer):
    if world.knobs['typing']:
        answer = {k: v if k == 'errors' else blur(v, world.random) for k, v in copy.copy(answer).items()}
    return json.dumps(answer, ensure_ascii=False).encode('utf-8', 'surrogateescape')
