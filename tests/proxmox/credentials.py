#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tokens, passwords and tickets: where they may come from, what they are sent with, and all the places that they are not in."""

import base64
import ssl
import stat
import urllib.parse
import urllib.request

from tls import Client, became, one, ordinary_one, secret_file
from pve import *

NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--']


def with_token(box, *options):
    return {'token': False, 'options': ('--token', box.server.token_file, *options)}


def as_root(box, password=None):
    return {'token': False, 'options': ('--user', 'root@pam', '--password', password or box.server.password_file)}


def paths(b):
    return ['%s %s' % (r['method'], r['path']) for r in b.server.requests()]


# -- where it comes from ---------------------------------------------------------------------------------

def a_file_that_others_may_use_is_refused(box):
    path = secret_file(box, box.server.token + '\n')
    for mode in (0o644, 0o640, 0o604, 0o660, 0o602, 0o610, 0o777):
        os.chmod(path, mode)
        reply = one(box, box.server, 'GET /version', token=False, options=('--token', path))
        has(reply['error'], path)
        has(reply['error'], '%04o' % mode)
        same('chmod 600 ' + path, reply['hint'])
    same([], box.server.requests())
    for mode in (0o600, 0o400):
        os.chmod(path, mode)
        became('answered', one(box, box.server, 'GET /version', token=False, options=('--token', path)))


def a_file_of_somebody_else_is_refused(box):
    path = secret_file(box, box.server.token + '\n')
    os.chown(path, 1000, 0)
    reply = one(box, box.server, 'GET /version', token=False, options=('--token', path))
    has(reply['error'], 'user 1000')
    has(reply['hint'], 'chown root ' + path)
    same([], box.server.requests())


def what_is_no_file_is_refused(box):
    link, fifo = box.folder + '/link', box.folder + '/fifo'
    os.symlink(box.server.token_file, link)
    os.mkfifo(fifo, 0o600)
    for path, words in ((link, 'symbolic link'), (fifo, 'not a regular file'), (box.folder, 'not a regular file'),
                        (box.folder + '/none', 'the file is missing'), (box.server.token_file + '/x', 'the file is missing')):
        reply = one(box, box.server, 'GET /version', token=False, options=('--token', path))
        has(reply['error'], words)
        has(reply['error'], path)
        for engines_own in ('no such file', 'permission denied', 'not found'):
            has_not(reply['error'].lower(), engines_own)
    same([], box.server.requests())


def a_changed_token_is_read_by_the_next_program(box):
    path = secret_file(box, 'ctrctl@pve!ctrl=wrong\n')
    with Client(box, box.server, '--token', path, token=False) as client:
        became('answered', client.ask('GET /version'), status=401)
        secret_file(box, box.server.token + '\n')
        became('answered', client.ask('GET /version'), status=401)
        pid = client.program()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: open('/proc/%d/stat' % pid, encoding='ascii').read().rpartition(') ')[2][0] == 'Z')
        became('answered', client.ask('GET /version'), status=200)
        client.end()


def an_fd_may_be_a_file_or_a_pipe(box):
    with open(box.server.token_file, 'rb') as f:
        os.lseek(f.fileno(), 0, os.SEEK_END)
        became('answered', one(box, box.server, 'GET /version', token=False, pass_fds=(f.fileno(),),
                               options=('--credential-fd', str(f.fileno()))), status=200)
    r, w = os.pipe()
    os.write(w, box.server.token.encode())
    os.close(w)
    with Client(box, box.server, '--credential-fd', str(r), token=False, pass_fds=(r,)) as client:
        os.close(r)
        became('answered', client.ask('GET /version'), status=200)
        # A pipe can be read once, and programs come and go.
        pid = client.program()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: open('/proc/%d/stat' % pid, encoding='ascii').read().rpartition(') ')[2][0] == 'Z')
        became('answered', client.ask('GET /version'), status=200)
        client.end()


def another_kind_of_fd_is_refused(box):
    a, b = socket.socketpair()
    reply = one(box, box.server, 'GET /version', token=False, pass_fds=(a.fileno(),), options=('--credential-fd', str(a.fileno())))
    has(reply['error'], 'neither a file nor a pipe')
    a.close()
    b.close()
    has(one(box, box.server, 'GET /version', token=False, options=('--credential-fd', '77'))['error'], "77 isn't open")
    same([], box.server.requests())


def a_pipe_with_a_long_text_is_refused(box):
    r, w = os.pipe()
    os.write(w, b'a' * 5000)
    os.close(w)
    became('no-secret', one(box, box.server, 'GET /version', token=False, pass_fds=(r,), options=('--credential-fd', str(r))))
    os.close(r)
    same([], box.server.requests())


# -- logins ----------------------------------------------------------------------------------------------

def a_token_that_is_refused_is_not_tried_again(box):
    box.server.revoke()
    reply = became('answered', one(box, box.server, 'GET /version', **with_token(box)), status=401, body='', count=1)
    has(reply['reason'], 'Authentication failed')
    same(1, len(box.server.requests()))


def a_password_gets_a_ticket_once(box):
    replies = one(box, box.server, 'GET /version', 'GET /nodes', 'GET! /version', **as_root(box))
    for reply in replies:
        became('answered', reply, status=200)
    same([2, 3, 4], [r['count'] for r in replies])
    same(['POST /access/ticket', 'GET /version', 'GET /nodes', 'GET /version'], paths(box))
    same(['root@pam'] * 3, [r['user'] for r in box.server.requests()[1:]])


def what_changes_things_carries_the_csrf_token(box):
    box.server.make_many(300, 1)
    replies = one(box, box.server, 'PUT /nodes/pve1/lxc/300/config description=a%3Db%26c', 'POST /nodes/pve1/lxc/300/status/start',
                  'DELETE /nodes/pve1/lxc/301', **as_root(box))
    for reply in replies:
        if reply['status'] == 401:
            fail(repr(reply))
    became('answered', replies[0], status=200)
    same('a=b&c', box.server.guest(300)['config']['description'].strip())
    same(1, paths(box).count('POST /access/ticket'))


def a_password_may_have_any_character(box):
    """The server takes what is sent apart at & ; and =."""
    path = secret_file(box, 'a&b;c=d%41+ \xe4\n', 'odd')
    became('no-login', one(box, box.server, 'GET /version', **as_root(box, path)), status=401)
    same(['POST /access/ticket'], paths(box))
    same('a&b;c=d%41+ \xe4', box.server.requests()[0]['params']['password'])


def a_login_that_is_refused_is_the_answer(box):
    path = secret_file(box, 'wrong\n', 'wrong')
    reply = became('no-login', one(box, box.server, 'POST /nodes/pve1/lxc vmid=100', **as_root(box, path)), status=401, count=2)
    has(reply['reason'].lower(), 'authentication fail')
    same(['POST /access/ticket'], paths(box))


def a_ticket_that_is_too_old_gets_a_new_login_once(box):
    box.server.set(ticket_seconds=60)
    with Client(box, box.server, *as_root(box)['options'], token=False) as client:
        became('answered', client.ask('GET /version'), status=200)
        box.server.advance(61)
        became('answered', client.ask('GET /nodes'), status=200)
        same(['POST /access/ticket', 'GET /version', 'GET /nodes', 'POST /access/ticket', 'GET /nodes'], paths(box))
        client.end()


def a_ticket_is_as_good_as_the_password(box):
    """So a session gets its next one, long before the old one ends: its characters arrive as they are."""
    form = urllib.parse.urlencode({'username': 'root@pam', 'password': box.server.password}).encode()
    trusting = ssl._create_unverified_context()     # pylint: disable=protected-access
    with urllib.request.urlopen(box.server.origin + '/api2/json/access/ticket', form, 20, context=trusting) as answer:
        ticket = json.load(answer)['data']['ticket']
    box.server.clear_requests()
    became('answered', one(box, box.server, 'GET /nodes', **as_root(box, secret_file(box, ticket + '\n', 'ticket'))), status=200)
    same(['POST /access/ticket', 'GET /nodes'], paths(box))
    same(ticket, box.server.requests()[0]['params']['password'])


def a_login_that_gets_lost_was_no_request(box):
    for do in ('close', 'drop', 'truncate'):
        box.server.clear_requests()
        box.server.fault('POST /access/ticket', do, **({'bytes': 40} if do == 'truncate' else {}))
        became('unreached', one(box, box.server, 'POST /nodes/pve1/lxc vmid=100', **as_root(box)), status=0)
        same(['POST /access/ticket'], paths(box))
        box.server.clear_faults()


def a_login_is_not_answered_by_a_page(box):
    box.server.fault('POST /access/ticket', 'html')
    reply = became('no-login', one(box, box.server, 'GET /version', **as_root(box)), body='')
    has(reply['reason'], 'login')
    same(['POST /access/ticket'], paths(box))


# -- where it is not -------------------------------------------------------------------------------------

def spellings(secret):
    """The secret, and its base64, wherever it begins in what was encoded."""
    raw = secret.encode()
    found = [raw, secret.upper().encode()]
    for pad in range(3):
        text = base64.b64encode(b'\0' * pad + raw)
        found.append(text[4 if pad else 0:len(text) - 4])
    return found


def secrets_of(b):
    return spellings(b.server.token.partition('=')[2]) + spellings(b.server.password)


def not_in(data, wanted, where):
    for secret in wanted:
        if secret in data:
            fail('a secret is in %s' % where)


def processes():
    for pid in filter(str.isdigit, os.listdir('/proc')):
        for name in ('cmdline', 'environ'):
            try:
                with open('/proc/%s/%s' % (pid, name), 'rb') as f:
                    yield '%s of %s' % (name, pid), f.read()
            except OSError:
                pass


def memory(pid):
    """All that can be read of it; with sanitizers, that would be terabytes."""
    with open('/proc/%d/maps' % pid, encoding='utf-8') as maps, open('/proc/%d/mem' % pid, 'rb', buffering=0) as mem:
        for line in maps:
            place, rights = line.split()[:2]
            if rights[0] == 'r' and 'vvar' not in line and 'vsyscall' not in line:
                begin, end = (int(x, 16) for x in place.split('-'))
                try:
                    mem.seek(begin)
                    yield line, mem.read(end - begin)
                except (OSError, OverflowError):
                    pass


def files(b):
    """Whatever was written, but what holds the secrets by intent."""
    for folder, _, names in os.walk(b.folder):
        for name in names:
            path = os.path.join(folder, name)
            if path not in (b.server.token_file, b.server.password_file) and stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, 'rb') as f:
                    yield path, f.read()


def nowhere(box, client, wanted):
    for where, data in processes():
        not_in(data, wanted, where)
    for where, data in memory(client.child.pid):
        not_in(data, wanted, 'memory of the client: ' + where)


def no_secret_is_anywhere_but_in_the_program(box):
    wanted = secrets_of(box)
    for options in (with_token(box)['options'], as_root(box)['options']):
        with Client(box, box.server, *options, token=False, program=ordinary_one()) as client:
            box.server.fault('GET /nodes$', 'delay', seconds=0.5)
            client.send('GET /nodes')
            eventually(lambda: box.server.requests('GET /nodes$'))
            nowhere(box, client, wanted)
            client.receive()
            for do in ('html', 'close', 'redirect', 'rst', 'invalid_json'):
                box.server.fault('GET /version', do, **({'to': 'https://127.0.0.1:1/', 'code': 302} if do == 'redirect' else {}))
                client.ask('GET /version')
            client.ask('POST /nodes/pve1/lxc vmid=1')
            client.ask('GET /nonsense')
            nowhere(box, client, wanted)
            tickets = [data for _, data in memory(client.child.pid) if b'PVE:root@pam:' in data]
            same([], tickets, 'tickets in the memory of the client')
            not_in(client.end().encode(), wanted, 'what was printed')
    for path, data in files(box):
        not_in(data, wanted, path)
    with open(client.log, encoding='utf-8') as f:
        text = f.read()
    has(text, 'GET /version: answer lost')
    has(text, 'to log in')


def no_value_of_a_query_is_in_the_log(box):
    box.server.fault('GET /nodes/pve1/tasks', 'close', count=0)
    one(box, box.server, 'GET /nodes/pve1/tasks?userfilter=hidden-words', **with_token(box))
    with open(os.path.join(box.folder, 'client.log'), encoding='utf-8') as f:
        text = f.read()
    has(text, 'GET /nodes/pve1/tasks: ')
    has_not(text, 'hidden-words')


def nobody_else_can_look_into_the_program(box):
    with Client(box, box.server, *with_token(box)['options'], token=False, program=ordinary_one()) as client:
        client.ask('GET /version')
        pid = client.program()
        same(0, os.stat('/proc/%d/mem' % pid).st_uid, 'it is dumpable')
        for name in ('environ', 'maps', 'mem', 'auxv', 'fd/3'):
            done = subprocess.run([*NOBODY, 'head', '-c1', '/proc/%d/%s' % (pid, name)], capture_output=True, text=True, check=False)
            same(1, done.returncode, name)
        with open('/proc/%d/limits' % pid, encoding='ascii') as f:
            has(re.sub(' +', ' ', f.read()), 'Max core file size 0 0')
        client.end()


def only_in_locked_pages(pid, secrets):
    """Each is in memory that is locked, not dumped and not inherited, once, and in no other."""
    with open('/proc/%d/smaps' % pid, encoding='utf-8') as f:
        flags = dict(re.findall(r'^([0-9a-f]+-[0-9a-f]+) .*?^VmFlags: (.*?)$', f.read(), re.M | re.S))
    found = {name: [] for name in secrets}
    for line, data in memory(pid):
        for name, pattern in secrets.items():
            found[name] += [line] * len(re.findall(pattern, data))
    for name, lines in found.items():
        same(1, len(lines), '%s: %s' % (name, lines))
        for flag in ('dd', 'lo', 'dc'):
            has(flags[lines[0].split()[0]].split(), flag)


def secrets_are_in_pages_that_are_not_dumped(box):
    """A password is kept for the next login, a ticket for the next one of it."""
    token = {'token': re.escape(box.server.token.partition('=')[2].encode())}
    ticket = {'password': re.escape(box.server.password.encode()), 'ticket': rb'PVE:root@pam:[0-9A-F]{8}',
              'cookie': rb'PVE%3Aroot%40pam%3A[0-9A-F]{8}', 'CSRF token': rb'[0-9A-F]{8}:[0-9a-f]{64}'}
    for options, secrets in ((with_token(box)['options'], token), (as_root(box)['options'], ticket)):
        with Client(box, box.server, *options, token=False, program=ordinary_one()) as client:
            for line in 'GET /version', 'GET /nodes', 'POST /nodes/pve1/lxc vmid=1', 'GET! /version':
                client.ask(line)
                only_in_locked_pages(client.program(), secrets)
            client.end()


# -- ctrctl as a whole -----------------------------------------------------------------------------------

ENV_VALUE = 'a-value-of-a-variable-that-nobody-may-see'


def a_life(box, box_log, section):
    """One guest from explain to delete, with failures between, every word of it logged."""
    box.configure(section)
    calls = []

    def call(*args, **more):
        result = box.call('--debug', '--log', box_log, '--log-format', 'json', *args, **more)
        calls.append(' '.join(args) + ':\n' + result.out + result.err)
        return result
    env = [{'key': 'PGPASSWORD', 'value': ENV_VALUE}]
    path = write(box, box.guest_request(image='lxc/postgres-16', envs=env), 'request.json')
    calls.append(box.call('explain', path).err)
    call('check', 'proxmox')
    for do, more in (('status', {'code': 500, 'text': 'some words'}), ('redirect', {'to': 'https://127.0.0.1:1/', 'code': 302}),
                     ('status', {'code': 401, 'text': 'Authentication failed!', 'empty': True})):
        box.server.fault('POST /nodes/pve1/lxc$', do, count=0, **more)
        same(1, call('create', '--request', path).status, do)
        box.server.clear_faults()
    id = json.loads(call('create', '--request', path).ok().out)['containerId']
    call('start', id).ok()
    call('state', id).ok()
    call('list').ok()
    call('kill', id, 'KILL').ok()
    eventually(lambda: box.status(id) == 'stopped')
    files_of_it = list(files(box))
    call('delete', id).ok()
    call('delete', 'no-such-container')
    return calls, files_of_it


def no_secret_is_in_anything_that_ctrctl_writes(box):
    wanted = secrets_of(box)
    for name, section in (('token', box.server.settings()), ('password', box.server.as_root())):
        log = os.path.join(box.folder, 'ctrctl-%s.log' % name)
        calls, found = a_life(box, log, section)
        with open(log, 'rb') as f:
            text = f.read()
        has(text.decode(), 'POST /nodes/pve1/lxc')
        for where, data in [*found, *files(box), *((c.split('\n')[0], c.encode()) for c in calls)]:
            not_in(data, wanted, where)
            not_in(data, [b'PVE:root@pam:', b'CSRFPreventionToken: ', b'PVEAuthCookie'], where)
        for where, data in [('log', text), *((c.split('\n')[0], c.encode()) for c in calls)]:
            not_in(data, spellings(ENV_VALUE), where)


def no_value_of_a_variable_is_in_what_the_server_says_of_it(box):
    """In a task's words, in a status line that lost its control characters, beside the NUL of the next variable."""
    value = 'hidden\twords-of-mine'
    path = write(box, box.guest_request(envs=[{'key': 'AA', 'value': value}, {'key': 'BB', 'value': 'x'}], command=['/bin/x']),
                 'request.json')
    said = 'invalid env AA=%s' % value

    def not_said(where):
        err = box.call('create', '--request', path).fails(1, 'env AA=*', where).err
        for word in 'hidden', 'words-of':
            has_not(err, word)
        box.server.clear_faults()
    box.server.fault('TASK vzcreate', 'fail', text=said, log=['it said: ' + said])
    not_said(' | it said: ')
    box.server.fault('POST /nodes/pve1/lxc$', 'status', code=400, text=said, empty=True)
    not_said('invalid')
    box.server.fault('POST /nodes/pve1/lxc$', 'status', code=400, text='x',
                     body=json.dumps({'data': None, 'message': 'x\n', 'errors': {'env': said + '\0BB=x'}}))
    not_said('env: invalid env')
    box.nothing_on_the_server()


def no_process_of_ctrctl_shows_a_secret(box):
    wanted = secrets_of(box)
    for section in (box.server.settings(), box.server.as_root()):
        box.configure(section)
        box.server.fault('GET /cluster/resources', 'delay', seconds=1)
        child = subprocess.Popen([CTRCTL, *box.globals, 'check', 'proxmox'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        eventually(lambda: os.path.exists('/proc/%d/task/%d/children' % (child.pid, child.pid)) and open(
            '/proc/%d/task/%d/children' % (child.pid, child.pid), encoding='ascii').read() or child.poll() is not None)
        while child.poll() is None:
            for where, data in processes():
                not_in(data, wanted, where)
        child.communicate()


def ctrctl_says_what_is_wrong_with_the_tokens_file(box):
    path = secret_file(box, box.server.token + '\n', mode=0o644)
    box.configure(tokenFile=path)
    result = box.try_guest().fails(1, path, '0644', 'hint: chmod 600 ' + path)
    has_not(result.err.lower(), 'no such file')
    box.configure(tokenFile=box.folder + '/none')
    result = box.try_guest().fails(1, box.folder + '/none', 'the file is missing')
    has_not(result.err.lower(), 'no such file')
    same([], box.server.requests())


def a_credential_comes_by_fd_through_all_of_a_life(box):
    box.pod()
    for more, secret in (({'tokenFile': None}, box.server.token), ({'tokenFile': None, 'user': 'root@pam'}, box.server.password)):
        box.configure(credential='fd', **more)

        def call(*args):
            r, w = os.pipe()
            os.write(w, (secret + '\n').encode())
            os.close(w)
            try:
                return box.call('--credential-fd', str(r), *args, pass_fds=(r,)).ok().out
            finally:
                os.close(r)
        path = write(box, box.guest_request(), 'request.json')
        id = json.loads(call('create', '--request', path))['containerId']
        call('start', id)
        has(call('state', id), 'running')
        call('kill', id, 'KILL')
        eventually(lambda: '"stopped"' in call('state', id))
        call('delete', id)
        box.call('create', '--request', path).fails(1, '--credential-fd')
    box.nothing_on_the_server()


main(globals())
