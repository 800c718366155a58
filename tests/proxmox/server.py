#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The simulated server itself: it must answer as the real one does, or the other tests prove nothing. Nothing of ctrctl runs here."""

import http.client
import ssl
import urllib.parse

from pve import *

# program: ordinary
CREATE = {'vmid': '200001', 'ostemplate': 'local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst', 'rootfs': 'data:8',
          'net0': 'name=eth0,bridge=vmbr0,ip=dhcp'}
FORM = 'application/x-www-form-urlencoded'


def encode(form):
    return urllib.parse.urlencode(form, quote_via=lambda text, *_: urllib.parse.quote(text, safe=''))


class Answer:
    def __init__(self, r):
        self.status, self.reason, self.body, self.headers = r.status, r.reason, r.read(), r.headers
        self.closes = r.headers.get('Connection') == 'close'

    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        same(200, self.status, self.reason)
        return self.json()['data']

    def fails(self, status, text):
        same((status, text), (self.status, self.reason))
        return self


class User:
    """One connection with one way of login."""

    def __init__(self, box, **headers):
        self.box = box
        self.headers = headers or {'Authorization': 'PVEAPIToken=' + box.server.token}
        self.conn = http.client.HTTPSConnection('127.0.0.1', box.server.port, timeout=20,
                                                context=ssl.create_default_context(cafile=box.server.ca_file))

    def ask(self, method, path, form=None, body=None, kind=FORM, **headers):
        head = {**self.headers, **headers}
        if form is not None:
            body = encode(form)
        if body is not None:
            head['Content-Type'] = kind
        self.conn.request(method, ('' if path.startswith('/api2') else '/api2/json') + path, body, head)
        return Answer(self.conn.getresponse())

    def get(self, path, **query):
        return self.ask('GET', path + ('?' + encode(query) if query else ''))

    def post(self, path, **form):
        return self.ask('POST', path, form)

    def put(self, path, **form):
        return self.ask('PUT', path, form)

    def delete(self, path, **query):
        return self.ask('DELETE', path + ('?' + encode(query) if query else ''))

    def ended(self, upid):
        """Exit status of a task."""
        path = '/nodes/%s/tasks/%s' % (upid.split(':')[1], urllib.parse.quote(upid, safe=''))
        eventually(lambda: self.get(path + '/status').data['status'] == 'stopped', 10)
        return self.get(path + '/status').data['exitstatus']

    def create(self, **over):
        return self.post('/nodes/pve1/lxc', **{k: v for k, v in {**CREATE, **over}.items() if v is not None})

    def made(self, **over):
        same('OK', self.ended(self.create(**over).data))

    def config(self, vmid=200001):
        return self.get('/nodes/pve1/lxc/%d/config' % vmid).data


def ticket(box, user='root@pam', password=None):
    u = User(box, **{'X': 'y'})
    got = u.post('/access/ticket', username=user, password=password or box.server.password).data
    return User(box, Cookie='PVEAuthCookie=' + urllib.parse.quote(got['ticket'], safe=''), CSRFPreventionToken=got[
        'CSRFPreventionToken']), got


# -- transport -------------------------------------------------------------------------------------------

def a_connection_is_kept_after_success_and_closed_after_an_error(box):
    u = User(box)
    u.get('/version')
    u.get('/version')
    same({1}, {r['connection'] for r in box.server.requests()})
    same(True, u.get('/nodes/pve1/lxc/100/config').closes)
    u.get('/version')
    same({1, 2}, {r['connection'] for r in box.server.requests()})


def the_reason_phrase_carries_the_first_line_of_the_message(box):
    text = "Configuration file 'nodes/pve1/lxc/100.conf' does not exist"
    a = User(box).get('/nodes/pve1/lxc/100/config').fails(500, text)
    same({'data': None, 'message': text + '\n'}, a.json())
    box.server.set(old_errors=True)
    same({'data': None}, User(box).get('/nodes/pve1/lxc/100/config').fails(500, text).json())


def what_the_transport_refuses(box):
    u = User(box)
    u.ask('PATCH', '/version').fails(501, "method 'PATCH' not available")
    u.ask('DELETE', '/nodes/pve1/lxc/100', body='force=1').fails(501, "Unexpected content for method 'DELETE'")
    u.ask('POST', '/nodes/pve1/lxc', body='x=1', kind='text/plain').fails(506, "upload 'Content-Type: text/plain' not implemented")
    same(501, u.ask('POST', '/nodes/pve1/lxc', body='x=' + 'y' * (513 << 10)).status)
    u.get('/nowhere').fails(501, "Method 'GET /nowhere' not implemented")
    same(501, u.ask('GET', '/api2/xml/version').status)
    same(500, u.ask('POST', '/nodes/pve1/lxc', body='{"vmid": ', kind='application/json').status)
    same(501, u.ask('POST', '/nodes/pve1/lxc', body=iter([b'x=1'])).status)
    same(200, u.ask('GET', '//version/').status)
    u.conn.close()
    try:
        u.ask('GET', '/version', X='y' * 9000)
        fail('headers of 9 KB got an answer')
    except (http.client.HTTPException, OSError):
        pass


def http_without_tls_is_sent_elsewhere(box):
    c = http.client.HTTPConnection('127.0.0.1', box.server.port, timeout=5)
    c.request('GET', '/api2/json/version')
    r = c.getresponse()
    same((301, 'https://127.0.0.1:%d/api2/json/version' % box.server.port), (r.status, r.headers['Location']))
    c = http.client.HTTPConnection('127.0.0.1', box.server.port, timeout=5)
    c.request('POST', '/api2/json/version', body='')
    same(308, c.getresponse().status)


def forms_are_split_at_every_raw_equals_sign_and_semicolon(box):
    u = User(box)
    u.ask('POST', '/nodes/pve1/lxc', body='vmid=200001;net0=name=eth0,bridge=vmbr0&description=a+b')
    same({'vmid': '200001', 'net0': 'name', 'description': 'a b'}, box.server.requests()[-1]['params'])


def large_answers_are_packed_when_that_is_asked_for(box):
    box.server.make_many(1000, 50)
    a = User(box).ask('GET', '/cluster/resources', **{'Accept-Encoding': 'gzip'})
    same('gzip', a.headers['Content-Encoding'])
    same(None, User(box).ask('GET', '/version', **{'Accept-Encoding': 'gzip'}).headers['Content-Encoding'])


def numbers_come_as_texts_too(box):
    box.server.make_many(1000, 50)
    kinds = {type(g['vmid']).__name__ for g in User(box).get('/cluster/resources', type='vm').data}
    same({'int', 'str'}, kinds)


# -- login -----------------------------------------------------------------------------------------------

def a_wrong_token_gets_401_without_a_body(box):
    for text, reason in (('PVEAPIToken=ctrctl@pve!ctrl=wrong', 'Authentication failed!'), ('PVEAPIToken=garbage',
                         'Authentication failed!'), ('Basic x', 'No ticket')):
        same(b'', User(box, Authorization=text).get('/version').fails(401, reason).body)
    same(200, User(box, Authorization='PVEAPIToken ' + box.server.token).get('/version').status)
    box.server.revoke()
    User(box).get('/version').fails(401, 'Authentication failed!')


def tickets_need_a_csrf_token_for_what_changes_something(box):
    u, got = ticket(box)
    same(200, u.get('/version').status)
    del u.headers['CSRFPreventionToken']
    u.create().fails(401, 'Permission denied - invalid csrf token')
    u, _ = ticket(box)
    same(200, u.create().status)
    same('root@pam', box.server.tasks()[0]['user'])
    u, _ = ticket(box, password=got['ticket']) # renewed by the old one
    box.server.advance(7300)
    same(401, u.get('/version').status)
    a = User(box, X='y').post('/access/ticket', username='root@pam', password='wrong').fails(401, 'authentication failure')
    same(None, a.json()['data'])
    User(box).post('/access/ticket', username='root@pam', password='x').fails(
        403, "URI '/access/ticket' not available with API token, need proper ticket.")


def a_token_without_privileges_sees_nothing(box):
    box.server.make_many(1000, 3)
    box.server.privileges({})
    u = User(box)
    same([], u.get('/cluster/resources', type='vm').data)
    u.get('/nodes/pve1/lxc/1000/config').fails(403, 'Permission check failed (/vms/1000, VM.Audit)')
    u.create().fails(403, 'Permission check failed')
    box.server.privileges({'/vms': ['VM.Audit', 'VM.Allocate'], '/vms/1001': []})
    same([1000, 1002], sorted(int(g['vmid']) for g in User(box).get('/nodes/pve1/lxc').data))
    has(User(box).create().reason, 'Permission check failed (/vms/200001, VM.Config.')


def what_only_root_may_do_is_refused_to_every_token(box):
    token = 'root@pam!ctrl=' + box.server.token.partition('=')[2]
    for u in User(box), User(box, Authorization='PVEAPIToken=' + token):
        u.create(mp0='/srv,mp=/srv').fails(403, 'Permission check failed (mount point type bind is only allowed for root@pam)')
        u.create(features='nesting=1,keyctl=0').fails(
            403, 'Permission check failed (changing feature flags (except nesting) is only allowed for root@pam)')
        u.create(dev0='/dev/fuse').fails(403, 'Permission check failed (configuring device passthrough is only allowed for root@pam)')
        u.create(ostemplate='/tmp/x.tar').fails(500, 'Only root can pass arbitrary filesystem paths')
    User(box).create(unprivileged='0').fails(403, 'Permission check failed (/, Sys.Modify)')
    u, _ = ticket(box)
    u.made(mp0='/srv,mp=/srv', features='nesting=1,keyctl=1')


# -- parameters ------------------------------------------------------------------------------------------

def errors_by_parameter_have_the_real_texts(box):
    a = User(box).post('/nodes/pve1/lxc', vmid='099', net0='name=eth0,ip=1.2.3.4', foo='x', memory='1', swap='x', cores='9000',
                       onboot='yes', ostype='plan9', hostname='a_b', tags='a:b', password='1234', entrypoint='a\nb', unique='1')
    a.fails(400, 'Parameter verification failed.')
    same({
        'vmid': 'invalid format - value does not look like a valid VM ID\n',
        'ostemplate': 'property is missing and it is not optional\n',
        'foo': 'property is not defined in schema and the schema does not allow additional properties\n',
        'net0': 'invalid format - format error\n'
                'net0.ip: invalid format - value does not look like a valid ipv4 network configuration\n',
        'memory': 'value must have a minimum value of 16\n', 'swap': "type check ('integer') failed - got 'x'\n",
        'cores': 'value must have a maximum value of 8192\n', 'onboot': "type check ('boolean') failed - got 'yes'\n",
        'ostype': "value 'plan9' does not have a value in the enumeration 'debian, devuan, ubuntu, centos, fedora, opensuse, "
                  "archlinux, alpine, gentoo, nixos, unmanaged'\n",
        'hostname': 'invalid format - value does not look like a valid DNS name\n',
        'tags': 'invalid format - invalid characters in tag\n', 'password': 'value must be at least 5 characters long\n',
        'entrypoint': 'value does not match the regex pattern\n',
        'restore': "missing property - 'unique' requires this property\n"}, a.json()['errors'])
    same({'node': 'duplicate parameter (already defined in URI) with conflicting values!\n'},
         User(box).create(node='pve2').json()['errors'])
    same({'memory': "type check ('integer') failed - got ARRAY\n"},
         User(box).ask('POST', '/nodes/pve1/lxc', body=encode(CREATE) + '&memory=512&memory=513').json()['errors'])


def json_bodies_have_types(box):
    u = User(box)
    a = u.ask('POST', '/nodes/pve1/lxc', body=json.dumps({**CREATE, 'onboot': 'true'}), kind='application/json')
    has(a.json()['errors']['onboot'], "type check ('boolean')")
    a = u.ask('POST', '/nodes/pve1/lxc', body=json.dumps({**CREATE, 'vmid': 200001, 'onboot': True, 'pool': None}),
              kind='application/json')
    same('OK', u.ended(a.data))


def older_versions_know_less(box):
    box.server.set(version='9.0')
    a = User(box).create(entrypoint='/bin/x')
    has(a.json()['errors']['entrypoint'], 'not defined in schema')
    same(400, User(box).create(net0=CREATE['net0'] + ',host-managed=1').status)
    same('9.0', User(box).get('/version').data['release'])
    box.server.set(version='7.4')
    a = User(box).post('/nodes/pve1/lxc/200001/status/stop', **{'overrule-shutdown': '1'})
    has(a.json()['errors']['overrule-shutdown'], 'not defined in schema')
    box.server.set(version='8.2')
    has_not(User(box).create(entrypoint='/bin/x').body.decode(), 'message')


# -- guests ----------------------------------------------------------------------------------------------

def a_guest_has_the_servers_defaults(box):
    u = User(box)
    u.made(tags='b;A,b', description='one\ntwo', env='A=1  \0B=2', nameserver='1.1.1.1,8.8.8.8')
    c = u.config()
    same({'hostname': 'CT200001', 'memory': '512', 'swap': '512', 'arch': 'amd64', 'ostype': 'debian', 'unprivileged': '1',
          'rootfs': 'data:vm-200001-disk-0,size=8G', 'tags': 'a;b', 'description': 'one\ntwo\n', 'env': 'A=1\0B=2',
          'nameserver': '1.1.1.1 8.8.8.8'}, {k: str(v) for k, v in c.items() if k not in ('net0', 'digest')})
    if not re.match(r'name=eth0,bridge=vmbr0,hwaddr=BC:24:11:(..:){2}..,ip=dhcp,type=veth$', c['net0']):
        fail(c['net0'])
    same(40, len(c['digest']))


def while_it_is_made_a_guest_is_only_a_lock(box):
    box.server.set(task_seconds=2)
    u = User(box)
    u.create(tags='a', description='b')
    same({'lock': 'create'}, {k: v for k, v in u.config().items() if k != 'digest'})
    u.delete('/nodes/pve1/lxc/200001').fails(500, 'CT is locked (create)')
    u.put('/nodes/pve1/lxc/200001/config', tags='a').fails(500, 'CT is locked (create)')
    row = [g for g in u.get('/cluster/resources', type='vm').data][0]
    same(('unknown', 'create', None), (row['status'], row['lock'], row.get('tags')))


def ids_are_unique_among_all_nodes_and_kinds(box):
    u = User(box)
    u.made()
    box.server.set(seed=1)
    texts = {u.create().reason for _ in range(20)}
    same({"CT 200001 already exists on node 'pve1'", "unable to create CT 200001 - CT 200001 already exists on node 'pve1'"}, texts)
    box.server.make_qemu(101, 'pve2')
    has(u.create(vmid='101').reason, "VM 101 already exists on node 'pve2'")
    has(str(u.get('/cluster/nextid', vmid='101').json()['errors']), 'already exists')
    same('100', u.get('/cluster/nextid').data)


def an_oci_archive_overrides_what_was_sent(box):
    u = User(box)
    u.made(ostemplate='local:vztmpl/postgres-16.tar', entrypoint='/bin/mine', env='MINE=1')
    c = u.config()
    same('docker-entrypoint.sh postgres', c['entrypoint'])
    has_not(c['env'], 'MINE')
    has(c['net0'], 'host-managed=1')
    same([['lxc.init.uid', '999'], ['lxc.init.gid', '999'], ['lxc.init.cwd', '/var/lib/postgresql'], ['lxc.signal.halt', 'SIGINT']],
         c['lxc'])
    u.made(vmid='200002', ostemplate='local:vztmpl/plain-1.tar', entrypoint='/bin/mine')
    same('/bin/mine', u.config(200002)['entrypoint'])


def what_is_wrong_with_storages_and_templates(box):
    u = User(box)
    u.create(rootfs='off:8').fails(500, "storage 'off' is disabled")
    u.create(rootfs='nowhere:8').fails(500, "storage 'nowhere' does not exist")
    u.create(rootfs='offline:8').fails(500, "storage 'offline' is not online")
    same({'storage': "storage 'local' does not support container directories\n"}, u.create(rootfs=None).json()['errors'])
    u.create(rootfs=None, mp0='data:1,mp=/x').fails(500, "mount points configured, but 'rootfs' not set")
    has(u.ended(u.create(rootfs='full:8').data), 'not enough space')
    same("unable to create CT 200001 - volume 'local:vztmpl/no.tar.zst' does not exist",
         u.ended(u.create(ostemplate='local:vztmpl/no.tar.zst').data))
    has(u.ended(u.create(ostemplate='local:vztmpl/broken-1.tar').data), 'exit code 2')
    same([], box.server.guests())
    u.create(pool='no').fails(403, "Permission check failed (pool 'no' does not exist)")


def starting_what_is_not_there_is_queued_and_fails(box):
    u = User(box)
    same("Configuration file 'nodes/pve1/lxc/300000.conf' does not exist",
         u.ended(u.post('/nodes/pve1/lxc/300000/status/start').data))
    u.made()
    box.server.lock(200001, 'backup')
    same('CT is locked (backup)', u.ended(u.post('/nodes/pve1/lxc/200001/status/start').data))
    box.server.lock(200001, 'mounted')
    same('OK', u.ended(u.post('/nodes/pve1/lxc/200001/status/start').data))
    u.post('/nodes/pve1/lxc/200001/status/start').fails(500, 'CT 200001 already running')


def life_of_a_guest(box):
    u = User(box)
    u.made()
    path = '/nodes/pve1/lxc/200001'
    u.post(path + '/status/stop').fails(500, 'CT 200001 not running')
    u.post(path + '/status/reboot').fails(500, 'VM 200001 not running')
    same(None, u.get(path + '/interfaces').data)
    u.ended(u.post(path + '/status/start').data)
    box.server.advance(100)
    same(100, int(u.get(path + '/status/current').data['uptime']))
    same('10.1.50.2/16', u.get(path + '/interfaces').data[1]['inet'])
    u.delete(path).fails(500, 'unable to destroy CT 200001 - container is running')
    box.server.set(honours_shutdown=False)
    same('container did not stop', u.ended(u.post(path + '/status/shutdown', timeout='0').data))
    same('OK', u.ended(u.post(path + '/status/shutdown', timeout='0', forceStop='1').data))
    same('stopped', u.get(path + '/status/current').data['status'])
    u.put(path + '/config', protection='1')
    u.delete(path).fails(500, "can't remove CT 200001 - protection mode enabled")
    u.put(path + '/config', delete='protection')
    same('OK', u.ended(u.delete(path, purge='1', force='1').data))
    u.get(path + '/config').fails(500, "Configuration file 'nodes/pve1/lxc/200001.conf' does not exist")


def a_managed_guest_changes_after_its_task(box):
    u = User(box)
    u.made()
    box.server.ha(200001)
    box.server.set(ha_seconds=50)
    path = '/nodes/pve1/lxc/200001'
    upid = u.post(path + '/status/start').data
    same(('hastart', 'OK'), (upid.split(':')[5], u.ended(upid)))
    same('stopped', u.get(path + '/status/current').data['status'])
    box.server.advance(51)
    same('running', u.get(path + '/status/current').data['status'])
    same('hastop', u.post(path + '/status/shutdown').data.split(':')[5])
    u.delete(path, force='1').fails(500, 'unable to remove CT 200001 - used in HA resources and purge parameter not set.')


def changes_of_a_running_guest_are_pending_or_at_once(box):
    u = User(box)
    u.made()
    path = '/nodes/pve1/lxc/200001'
    u.ended(u.post(path + '/status/start').data)
    digest = u.config()['digest']
    u.put(path + '/config', memory='1024', env='A=1', digest=digest)
    same('1024', str(u.get(path + '/config', current='1').data['memory']))
    same(None, u.get(path + '/config', current='1').data.get('env'))
    same('A=1', u.config()['env'])
    u.put(path + '/config', memory='2048', digest=digest).fails(
        500, 'detected modified configuration - file changed by other user? Try again.')
    u.ended(u.post(path + '/status/reboot').data)
    same('A=1', u.get(path + '/config', current='1').data['env'])
    same({'delete': "unknown option 'foo'\n"}, u.put(path + '/config', delete='foo').json()['errors'])


def guests_and_nodes_elsewhere(box):
    u = User(box)
    u.made()
    box.server.migrate(200001, 'pve2')
    u.get('/nodes/pve1/lxc/200001/config').fails(500, "Configuration file 'nodes/pve1/lxc/200001.conf' does not exist")
    same(200, u.get('/nodes/pve2/lxc/200001/config').status)
    box.server.set(nodes={'pve2': 'offline'})
    same(b'', u.get('/nodes/pve2/lxc/200001/config').fails(595, 'Connection refused').body)
    same(500, u.get('/nodes/pve9/lxc').status)
    box.server.set(quorum=False)
    u.create(vmid='200002').fails(500, 'cluster not ready - no quorum?')


def the_clusters_list_is_stale(box):
    u = User(box)
    u.made()

    def row():
        return u.get('/cluster/resources', type='vm').data[0]
    same('unknown', row()['status'])
    box.server.advance(11)
    same('stopped', row()['status'])
    u.ended(u.post('/nodes/pve1/lxc/200001/status/start').data)
    same('stopped', row()['status'])
    box.server.advance(11)
    same('running', row()['status'])
    box.server.set(stat_lag=0)
    u.ended(u.post('/nodes/pve1/lxc/200001/status/stop').data)
    same('stopped', row()['status'])


# -- tasks -----------------------------------------------------------------------------------------------

def tasks_are_seen_by_their_owner(box):
    u = User(box)
    upid = u.create().data
    if not re.match(r'UPID:pve1:[0-9A-F]{8}:[0-9A-F]{8}:[0-9A-F]{8}:vzcreate:200001:ctrctl@pve!ctrl:$', upid):
        fail(upid)
    u.ended(upid)
    stranger = User(box, Authorization='PVEAPIToken=stranger@pve!x=' + box.server.token.partition('=')[2])
    box.server.control('token', id='stranger@pve!x', privileges={'/vms': ['VM.Audit']})
    same([], stranger.get('/nodes/pve1/tasks').data)
    stranger.get('/nodes/pve1/tasks/%s/status' % upid).fails(403, 'Permission check failed (/nodes/pve1, Sys.Audit)')
    same({'upid': 'no such task\n'}, u.get('/nodes/pve1/tasks/%s/status' % upid.replace('200001', '200002')).json()['errors'])
    same({'upid': 'unable to parse worker upid\n'}, u.get('/nodes/pve1/tasks/UPID:x/status').json()['errors'])


def running_tasks_are_active_and_ended_ones_archived(box):
    box.server.set(task_seconds=2)
    u = User(box)
    upid = u.create().data
    same(0, len(u.get('/nodes/pve1/tasks', vmid='200001').data))
    same(1, len(u.get('/nodes/pve1/tasks', vmid='200001', source='active', typefilter='vzcreate').data))
    same(1, len(u.get('/nodes/pve1/tasks', vmid='200001', source='all').data))
    same(0, len(u.get('/nodes/pve1/tasks', vmid='200002', source='all').data))
    u.delete('/nodes/pve1/tasks/' + upid)
    same('received interrupt', u.ended(upid))
    same([], box.server.guests())
    same(1, len(u.get('/nodes/pve1/tasks', vmid='200001').data))
    same('TASK ERROR: received interrupt', u.get('/nodes/pve1/tasks/%s/log' % upid).data[-1]['t'])


def tasks_go_wrong_by_rule(box):
    u = User(box)
    for rule, wanted in (({'do': 'fail', 'text': 'lost it', 'log': ['x', 'y']}, 'lost it'), ({'do': 'warn', 'warnings': 2}, 'WARNINGS: 2'),
                         ({'do': 'vanish'}, 'unexpected status'), ({'do': 'fail_first'}, 'something went wrong')):
        box.server.fault('TASK vzstart', **rule)
        vmid = '20001%d' % len(box.server.faults())
        u.made(vmid=vmid)
        same(wanted, u.ended(u.post('/nodes/pve1/lxc/%s/status/start' % vmid).data))


# -- what goes wrong on the way --------------------------------------------------------------------------

def answers_go_wrong_by_rule(box):
    for do, more in (('close', {}), ('drop', {}), ('rst', {}), ('close_after_headers', {}), ('truncate', {'bytes': 5}),
                     ('wrong_length', {})):
        box.server.fault('GET /version', do, **more)
        try:
            User(box).get('/version')
            fail('%s gave an answer' % do)
        except (http.client.HTTPException, OSError):
            pass
    for do, test in (('invalid_json', lambda a: a.body.startswith(b'{"data": [')), ('html', lambda a: a.body.startswith(b'<html>')),
                     ('null_data', lambda a: a.json() == {'data': None}), ('gzip_garbage', lambda a: a.body[:2] == b'\x1f\x8b'),
                     ('drip_body', lambda a: a.status == 200)):
        box.server.fault('GET /version', do, seconds=0.001)
        if not test(User(box).get('/version')):
            fail(do)
    box.server.fault('GET /version', 'status', code=596, text='Connection timed out')
    User(box).get('/version').fails(596, 'Connection timed out')
    box.server.fault('GET /version', 'redirect', to='https://127.0.0.1:1/x')
    same('https://127.0.0.1:1/x', User(box).get('/version').fails(301, 'Moved Permanently').headers['Location'])
    same(200, User(box).get('/version').status)


def a_dropped_answer_is_carried_out_and_a_closed_connection_is_not(box):
    for do, n in (('close', 0), ('drop', 1)):
        box.server.fault('POST /nodes/pve1/lxc$', do)
        try:
            User(box).create()
        except (http.client.HTTPException, OSError):
            pass
        same(n, len(box.server.guests()), do)


def something_else_happens_between_two_calls(box):
    box.server.fault('POST /nodes/pve1/lxc$', 'control', op='make_qemu', args={'vmid': '$vmid'})
    has(User(box).create().reason, "VM 200001 already exists on node 'pve1'")
    box.server.fault('GET /version', 'control', op='set', args={'quorum': False}, after=True, nth=2)
    User(box).get('/version')
    same(200, User(box).create(vmid='200002').status)
    User(box).get('/version')
    same(500, User(box).create(vmid='200003').status)


def certificates_change(box):
    box.server.fault('CONNECT', 'cert', cert='other', nth=2)
    seen = set()
    for _ in range(3):
        pem = ssl.get_server_certificate(('127.0.0.1', box.server.port))
        seen.add(pem)
    same(2, len(seen))
    box.server.set(cert='expired')
    try:
        User(box).get('/version')
        fail('an expired certificate was taken')
    except ssl.SSLCertVerificationError:
        pass


def a_thousand_guests_and_a_hundred_connections(box):
    box.server.make_many(1000, 1000, tags='ctrctl;ctrctl-%d')
    box.server.set(keep_alive_seconds=120)      # on a busy machine the last one's turn comes late
    users = [User(box) for _ in range(100)]
    for u in users:
        u.conn.connect()
    for u in users:
        same(1000, len(u.get('/cluster/resources', type='vm').data))


main(globals())
