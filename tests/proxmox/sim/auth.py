# SPDX-License-Identifier: Apache-2.0
"""Who calls, and what he may do."""

import hashlib
import hmac
import re

from sim.world import Fault

ROLE = ('VM.Allocate VM.Audit VM.PowerMgmt VM.Config.CPU VM.Config.Disk VM.Config.Memory VM.Config.Network VM.Config.Options '
        'Datastore.AllocateSpace Datastore.Audit Datastore.AllocateTemplate Datastore.Allocate SDN.Use Pool.Audit Sys.Audit '
        'Sys.AccessNetwork').split()
ALL = ROLE + 'VM.Console VM.Clone VM.Migrate VM.Snapshot Sys.Modify Sys.Console Sys.PowerMgmt Pool.Allocate Permissions.Modify'.split()


class Token:
    def __init__(self, ident, secret, privileges=None, expires=0, revoked=False):
        self.id, self.secret, self.expires, self.revoked = ident, secret, expires, revoked
        self.privileges = {'/': list(ROLE)} if privileges is None else privileges


class Users:
    def __init__(self, world, secret, password):
        self.world = world
        self.key = secret.encode()
        self.tokens = {}
        self.passwords = {'root@pam': password, 'ops@pve': password}
        self.privileges = {'ops@pve': {'/': list(ROLE)}}
        self.add(Token('ctrctl@pve!ctrl', secret))
        self.add(Token('root@pam!ctrl', secret, {'/': list(ALL)}))
        self.add(Token('stranger@pve!x', secret))
        self.logins = 0

    def add(self, token):
        self.tokens[token.id] = token

    # -- tickets --

    def sign(self, text):
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()

    def ticket(self, user):
        text = 'PVE:%s:%08X' % (user, int(self.world.now()))
        return '%s::%s+/==' % (text, self.sign(text))

    def csrf(self, user):
        text = '%08X' % int(self.world.now())
        return '%s:%s' % (text, self.sign(text + user))

    def age_is_right(self, stamp):
        return -300 < self.world.now() - int(stamp, 16) < self.world.knobs['ticket_seconds']

    def of_ticket(self, ticket):
        found = re.match(r'(PVE:([^:]+):([0-9A-F]{8}))::(\w+)\+/==$', ticket)
        if not found or self.sign(found.group(1)) != found.group(4) or not self.age_is_right(found.group(3)):
            return None
        return found.group(2)

    def csrf_is_right(self, text, user):
        found = re.match(r'([0-9A-F]{8}):(\w+)$', text or '')
        return bool(found and self.sign(found.group(1) + user) == found.group(2) and self.age_is_right(found.group(1)))

    def login(self, params):
        user = params['username']
        if '@' not in user and params.get('realm'):
            user += '@' + params['realm']
        password = params['password']
        if self.passwords.get(user) != password and self.of_ticket(password) != user:
            raise Fault(401, 'authentication failure\n')
        self.logins += 1
        return {'username': user, 'ticket': self.ticket(user), 'CSRFPreventionToken': self.csrf(user), 'clustername': 'sim',
                'cap': {'vms': {p: 1 for p in ROLE if p.startswith('VM.')}}}

    # -- of a request --

    def of_request(self, method, headers):
        """The user's name. The cookie wins over the token."""
        cookie = re.search(r'(?:^|[;\s])PVEAuthCookie=([^;]*)', headers.get('cookie', ''))
        if cookie:
            ticket = re.sub('%([0-9A-Fa-f]{2})', lambda m: chr(int(m.group(1), 16)), cookie.group(1))
            user = self.of_ticket(ticket)
            if not user:
                raise Fault(401, 'permission denied - invalid PVE ticket')
            if method != 'GET' and not self.csrf_is_right(headers.get('csrfpreventiontoken'), user):
                raise Fault(401, 'Permission denied - invalid csrf token')
            return user
        sent = re.match(r'PVEAPIToken[ =]([^;]*)', headers.get('authorization', ''))
        if not sent:
            raise Fault(401, 'No ticket')
        found = re.match(r'([^@!=\s]+@[^@!=\s]+![^=\s]+)=(\S+)$', sent.group(1).strip())
        token = found and self.tokens.get(found.group(1))
        if not token or token.secret != found.group(2) or token.revoked or token.expires and token.expires < self.world.now():
            raise Fault(401, 'Authentication failed!')
        return token.id

    # -- privileges --

    def roles(self, user):
        if user == 'root@pam':
            return {'/': ALL}
        if user in self.tokens:
            return self.tokens[user].privileges
        return self.privileges.get(user, {})

    def held(self, user, path):
        """What the nearest entry above a path gives."""
        roles = self.roles(user)
        found = re.match(r'/vms/(\d+)$', path)
        guest = found and self.world.guests.get(int(found.group(1)))
        by_pool = self.held(user, '/pool/' + guest.pool) if guest and guest.pool else ()
        while path not in roles and path != '/':
            path = path.rpartition('/')[0] or '/'
        return {*roles.get(path, ()), *by_pool}

    def has(self, user, path, privileges, some=False):
        if user == 'root@pam':
            return True
        held = self.held(user, path)
        return (any if some else all)(p in held for p in privileges)


def denied(what=''):
    raise Fault(403, 'Permission check failed%s\n' % (' (%s)' % what if what else ''))


def need(call, path, *privileges, some=False):
    if not call.world.users.has(call.user, path, privileges, some):
        denied('%s, %s' % (path, '|'.join(privileges)))


def fill(template, params):
    return re.sub(r'\{(\w+)\}', lambda m: str(params.get(m.group(1), '')), template)


def allowed(call, rule, quiet):
    """A rule of the schema: perm, and, or."""
    kind = rule[0]
    if kind == 'perm':
        path, privileges, options = fill(rule[1], call.params), rule[2], dict(zip(rule[3::2], rule[4::2]))
        if options.get('require_param') and options['require_param'] not in call.params:
            return False
        some = bool(options.get('any'))
        if quiet:
            return call.world.users.has(call.user, path, privileges, some)
        need(call, path, *privileges, some=some)
        return True
    if kind == 'and':
        return all(allowed(call, r, quiet) for r in rule[1:])
    if kind == 'or':
        if any(allowed(call, r, True) for r in rule[1:]):
            return True
        return denied() if not quiet else False
    return True


def check(call, permissions):
    rule = permissions.get('check')
    if rule and permissions.get('user') != 'all' and call.user != 'root@pam':
        if not allowed(call, rule, False):
            denied()


# -- calls -----------------------------------------------------------------------------------------------

def permissions(call):
    """The caller's own, by path."""
    users, wanted = call.world.users, call.params.get('path')
    if wanted:
        return {wanted: {p: 1 for p in users.held(call.user, wanted)}}
    return {path: {p: 1 for p in privileges} for path, privileges in users.roles(call.user).items() if privileges}


CALLS = {
    'POST /access/ticket': lambda call: call.world.users.login(call.params),
    'GET /access/permissions': permissions,
}
