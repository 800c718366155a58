#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The connection to the server: whom it trusts, what it sends, and what it makes of servers that do anything but answer."""

import gzip
import zlib

from tls import *

LAX = """openssl_conf = a
[a]
ssl_conf = b
[b]
system_default = c
[c]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
"""
CUT = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'


def answering(text):
    """A server that answers all with these bytes, then closes."""
    def answer(conn, request):
        conn.send(text)
        conn.close()
    return answer


# -- trust -----------------------------------------------------------------------------------------------

def a_fingerprint_is_enough(box):
    make_leaf(box.folder, 'leaf', san='DNS:elsewhere.example', days='-1')   # a wrong name, expired, by itself
    with Tls(box) as server:
        became('answered', one(box, server, 'GET /version'), status=200, json=True, body='{"data":1}')
        same(1, len(server.requests))


def another_fingerprint_is_refused_before_anything_is_sent(box):
    make_leaf(box.folder, 'other')
    for rsa, version in ((False, None), (True, ssl.TLSVersion.TLSv1_2)):
        make_leaf(box.folder, 'leaf', rsa=rsa)
        with Tls(box, version=version) as server:
            right, server.fingerprint = server.fingerprint, fingerprint_of(box.folder, 'other')
            for line in ('GET /version', 'POST /x a=b'):
                became('untrusted', one(box, server, line), status=0)
            has(one(box, server, 'GET /version')['reason'], right)
            same(3, server.connections)
            same((b'', []), (server.bytes, server.requests))


def a_certificate_that_changes_between_connections_is_noticed(box):
    make_leaf(box.folder, 'other')
    with Tls(box) as server, Client(box, server) as client:
        became('answered', client.ask('GET /a'))
        server.context = context(box.folder, 'other')
        became('answered', client.ask('GET /b'))        # the same connection
        became('untrusted', client.ask('GET! /c'))
        became('untrusted', client.ask('POST /d a=b'))
        became('untrusted', client.ask('GET /e'))
        server.context = context(box.folder, 'leaf')
        became('answered', client.ask('GET /f'))
        same(['/api2/json/' + p for p in 'abf'], [r.path for r in server.requests])
        client.end()


def a_certificate_that_changes_in_the_same_server_is_noticed(box):
    """Tickets of an earlier session would be good there: a session that is resumed shows no certificate."""
    make_leaf(box.folder, 'other')
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with Tls(box, version=version) as server, Client(box, server) as client:
            for _ in range(3):
                became('answered', client.ask('GET! /a'))
            server.context.load_cert_chain(os.path.join(box.folder, 'other.pem'), os.path.join(box.folder, 'other.key'))
            became('untrusted', client.ask('GET! /b'))
            same(3, len(server.requests))
            client.end()


def a_ca_file_vouches_for_its_own_and_for_the_name(box):
    ca, other = make_ca(box.folder, 'ca'), make_ca(box.folder, 'ca2')
    rows = (('good', {}, ca, 'answered'),
            ('named', {'san': 'DNS:localhost'}, ca, 'untrusted'),
            ('expired', {'days': '-1'}, ca, 'untrusted'),
            ('foreign', {}, other, 'untrusted'))
    for name, how, trusted, outcome in rows:
        make_leaf(box.folder, name, 'ca', **how)
        with Tls(box, cert=name) as server:
            reply = became(outcome, one(box, server, 'POST /x a=b', pinned=False, options=('--ca', trusted)))
            same(outcome == 'untrusted', server.fingerprint in reply['reason'], name)
            same(outcome == 'answered', bool(server.requests), name)
            same(outcome == 'answered', bool(server.bytes), name)
    with Tls(box, cert='named') as server:
        became('answered', one(box, server, 'GET /x', pinned=False, options=('--ca', ca), origin='https://localhost:%d' % server.port))


def without_a_ca_the_systems_decide_and_refuse_a_server_that_signed_itself(box):
    with Tls(box) as server:
        became('untrusted', one(box, server, 'GET /x', pinned=False))
        same(b'', server.bytes)


def a_ca_file_takes_the_place_of_the_systems(box):
    ca, other = make_ca(box.folder, 'ca'), make_ca(box.folder, 'ca2')
    make_leaf(box.folder, 'leaf', 'ca')
    certs = box.folder + '/certs'
    os.mkdir(certs)
    for name in ('ca-certificates.crt', 'ca.pem'):
        shutil.copy(ca, os.path.join(certs, name))
    openssl(certs, 'rehash', '.')
    os.chmod(box.folder, 0o711)
    command = ('unshare', '-m', 'sh', '-c', 'mount --bind %s /etc/ssl/certs && exec "$@"' % certs, 'sh')
    with Tls(box) as server:
        became('answered', one(box, server, 'GET /x', pinned=False, command=command))
        became('untrusted', one(box, server, 'GET /x', pinned=False, command=command, options=('--ca', other)))
        became('answered', one(box, server, 'GET /x', pinned=False, command=command, options=('--ca', ca)))
        for hide in ('ca-certificates.crt', 'ca.pem'):      # by the bundle alone, by the folder alone
            os.rename(os.path.join(certs, hide), box.folder + '/hidden')
            became('untrusted', one(box, server, 'GET /x', pinned=False, command=command, options=('--ca', other)))
            os.rename(box.folder + '/hidden', os.path.join(certs, hide))


def a_fingerprint_is_not_widened_by_a_ca(box):
    ca = make_ca(box.folder, 'ca')
    make_leaf(box.folder, 'leaf', 'ca')
    make_leaf(box.folder, 'other', 'ca')
    with Tls(box) as server:
        server.fingerprint = fingerprint_of(box.folder, 'other')
        became('untrusted', one(box, server, 'GET /x', options=('--ca', ca)))
        same(b'', server.bytes)


def a_ca_file_that_is_none_is_no_reason_to_trust(box):
    with Tls(box) as server:
        for text in ('', 'rubbish', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'):
            path = secret_file(box, text, 'ca.pem')
            became('untrusted', one(box, server, 'GET /x', pinned=False, options=('--ca', path)))
        has(one(box, server, 'GET /x', pinned=False, options=('--ca', box.folder + '/none'))['error'], 'the file is missing')
        same(b'', server.bytes)


def tls_before_1_2_is_refused(box):
    """Even where the system's configuration allows it."""
    make_leaf(box.folder, 'leaf', rsa=True)
    lax = secret_file(box, LAX, 'openssl.cnf', 0o644)
    os.chmod(box.folder, 0o711)
    command = ('unshare', '-m', 'sh', '-c', 'mount --bind %s /etc/ssl/openssl.cnf && exec "$@"' % lax, 'sh')
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with Tls(box, version=version) as server:
            became('unreached', one(box, server, 'GET /x', command=command))
            same(1, server.connections)
            same(b'', server.bytes)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with Tls(box, version=version) as server:
            became('answered', one(box, server, 'GET /x', command=command))


def a_server_without_tls_gets_nothing(box):
    with Tls(box, plain=True) as server:
        server.answer = answering(ok('{"data":1}'))
        became('unreached', one(box, server, 'GET /x'))
        has_not(server.bytes.decode('latin-1'), SECRET)


def the_environment_changes_nothing(box):
    keys = os.path.join(box.folder, 'keys')
    secret_file(box, 'machine 127.0.0.1 login a password b\n', '.netrc')
    ca = make_ca(box.folder, 'ca')
    make_leaf(box.folder, 'leaf', 'ca')
    env = {'https_proxy': 'http://127.0.0.1:1', 'HTTPS_PROXY': 'http://127.0.0.1:1', 'ALL_PROXY': 'http://127.0.0.1:1',
           'SSLKEYLOGFILE': keys, 'CURL_CA_BUNDLE': ca, 'SSL_CERT_FILE': ca, 'SSL_CERT_DIR': box.folder, 'HOME': box.folder,
           'OPENSSL_CONF': '/dev/full', 'LD_PRELOAD': '', 'CURL_HOME': box.folder}
    with Tls(box) as server:
        became('answered', one(box, server, 'GET /x', env=env))
        same(False, os.path.exists(keys))
        same('PVEAPIToken=' + TOKEN, server.requests[0].headers['authorization'])
        became('untrusted', one(box, server, 'GET /x', pinned=False, env=env))


# -- what is sent ----------------------------------------------------------------------------------------

def requests_are_as_they_were_asked_for(box):
    with Tls(box) as server:
        for reply in one(box, server, 'GET /nodes/a/../b//c?x=%2F&y=1', 'POST /p a=b%3Dc&d=', 'POST /q', 'PUT /r k=v',
                         'DELETE /s?purge=1'):
            became('answered', reply)
        get, post, bare, put, delete = server.requests
        same('GET /api2/json/nodes/a/../b//c?x=%2F&y=1 HTTP/1.1', get.line)
        same(('POST /api2/json/p HTTP/1.1', b'a=b%3Dc&d='), (post.line, post.body))
        same('application/x-www-form-urlencoded', post.headers['content-type'])
        same(('POST', b'', '0'), (bare.method, bare.body, bare.headers['content-length']))
        same(('PUT', b'k=v', '3'), (put.method, put.body, put.headers['content-length']))
        same(('DELETE', b''), (delete.method, delete.body))
        for request in server.requests:
            for name in ('transfer-encoding', 'expect', 'cookie', 'upgrade'):
                same(None, request.headers.get(name), name)
            same(1, request.head.decode().lower().count('authorization:'))
        same([None, None], [r.headers.get('content-length', None) for r in (get, delete)])


def the_longest_body_arrives_and_a_longer_one_is_refused(box):
    with Tls(box) as server:
        most = 'a' * (512 << 10)
        became('answered', one(box, server, 'POST /x ' + most))
        same(most.encode(), server.requests[0].body)
        same(None, server.requests[0].headers.get('expect'))
        has(one(box, server, 'POST /x a' + most)['error'], '512 KiB')
        same(1, len(server.requests))


def paths_and_tokens_cannot_end_a_line(box):
    with Tls(box) as server:
        for line in ('GET /a\rX:', 'GET /a\tb', 'GET /\x7f', 'GET /a#b', 'GET a', 'GET @127.0.0.1/'):
            has(one(box, server, line)['error'], "percent-encoded" if line[4] == '/' else 'not a request')
        for text in (TOKEN + '\r\nX: y', TOKEN + '\nX: y\n', TOKEN + ';', TOKEN + ' ', 'PVEAPIToken', ''):
            became('no-secret', one(box, server, 'GET /a', token=False, options=('--token', secret_file(box, text))))
        same(b'', server.bytes)


def connections_are_kept_for_gets_and_new_for_what_changes_things(box):
    with Tls(box) as server:
        one(box, server, 'GET /a', 'GET /b', 'GET! /c', 'GET /d', 'POST /e', 'POST /f', 'GET /g')
        same([1, 1, 2, 2, 3, 4, 4], [r.connection for r in server.requests])


def an_idle_connection_is_not_used_again(box):
    with Tls(box) as server:
        with Client(box, server) as client:
            client.ask('GET /a')
            client.send('SLEEP 4200')
            client.ask('GET /b')
            client.end()
        same([1, 2], [r.connection for r in server.requests])


def what_changes_things_is_never_sent_twice(box):
    def answer(conn, request):
        if request.path.endswith('/a'):
            return ok('{"data":1}')
        conn.close()        # without an answer
        return None
    for line in ('POST /b x=1', 'POST /b', 'PUT /b x=1', 'DELETE /b'):
        with Tls(box, answer) as server:
            became('lost', one(box, server, 'GET /a', line)[1])
            same(1, len([r for r in server.requests if r.path.endswith('/b')]), line)


# -- answers ---------------------------------------------------------------------------------------------

def redirects_are_answers(box):
    with Tls(box) as other, Tls(box) as server:
        plain = socket.create_server(('127.0.0.1', 0))
        plain.setblocking(False)
        for code in ('301 Moved', '302 Found', '307 Temporary Redirect', '308 Permanent Redirect'):
            for target in (other.origin + '/x', 'http://127.0.0.1:%d/x' % plain.getsockname()[1]):
                server.answer = lambda conn, request: ok('', 'Location: %s\r\n' % target, code)
                became('answered', one(box, server, 'GET /x'), status=int(code[:3]))
        same(0, other.connections)
        try:
            plain.accept()
            fail('it went to where it was sent')
        except BlockingIOError:
            pass
        plain.close()


def a_cookie_is_not_kept(box):
    with Tls(box, lambda conn, request: ok('{}', 'Set-Cookie: PVEAuthCookie=evil; Path=/\r\n')) as server:
        one(box, server, 'GET /a', 'GET /b', 'GET! /c')
        same([None] * 3, [r.headers.get('cookie') for r in server.requests])


def the_reason_is_kept_without_what_a_terminal_obeys(box):
    words = 'unable to create CT 100 - CT 100 already exists on node \'pve1\''
    rows = ((words, words), ('a\x1b[31mb\x07', 'a[31mb'), ('', ''), ('x' * 5000, 'x' * 2048), ('caf\xe9', 'caf'))
    for sent, wanted in rows:
        with Tls(box, answering(('HTTP/1.1 500 %s\r\nContent-Length: 0\r\n\r\n' % sent).encode('latin-1'))) as server:
            became('answered', one(box, server, 'GET /x'), status=500, reason=wanted, body='')


def odd_statuses_are_passed_on(box):
    for status in ('401 No ticket', '403 Permission check failed (/, Sys.Audit)', '595 Connection refused', '596 x', '501 y'):
        with Tls(box, answering(ok('', status=status))) as server:
            became('answered', one(box, server, 'POST /x a=b'), status=int(status[:3]), reason=status[4:])
            same(1, len(server.requests), 'a token that is refused is not tried again')


def html_is_not_json(box):
    with Tls(box, lambda conn, request: ok('<html>', kind='text/html')) as server:
        became('answered', one(box, server, 'GET /x'), status=200, json=False, body='<html>')


def interim_answers_are_skipped(box):
    text = b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\n' + ok('{"data":2}')
    with Tls(box, lambda conn, request: text) as server:
        became('answered', one(box, server, 'POST /x a=b'), status=200, reason='OK', body='{"data":2}')


def trailers_are_skipped(box):
    text = CUT + b'Transfer-Encoding: chunked\r\n\r\n4\r\n"ab"\r\n0\r\nX-A: b\r\n\r\n'
    with Tls(box, lambda conn, request: text) as server:
        became('answered', one(box, server, 'GET /x'), status=200, body='"ab"')


def compressed_answers_are_read(box):
    data = json.dumps({'data': 'x' * 5000})
    for name, packed in (('gzip', gzip.compress(data.encode())), ('deflate', zlib.compress(data.encode()))):
        with Tls(box, lambda conn, request: ok(packed, 'Content-Encoding: %s\r\n' % name)) as server:
            became('answered', one(box, server, 'GET /x'), body=data)
            has(server.requests[0].headers['accept-encoding'], name)


def half_answers_are_lost(box):
    rows = {
        'nothing': b'',
        'half a status line': b'HTTP/1.1 20',
        'headers without an end': CUT,
        'a short body': CUT + b'Content-Length: 100\r\n\r\n{"data":',
        'a chunk too short': CUT + b'Transfer-Encoding: chunked\r\n\r\n20\r\n{"data":1',
        'no last chunk': CUT + b'Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n',
        'a chunk without a length': CUT + b'Transfer-Encoding: chunked\r\n\r\nxyz\r\n1234\r\n0\r\n\r\n',
        'an endless length': CUT + b'Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n1234',
        'gzip that is none': ok('this is no gzip', 'Content-Encoding: gzip\r\n'),
        'gzip cut': ok(gzip.compress(b'x' * 100)[:15], 'Content-Encoding: gzip\r\n')[:-1],
        'another protocol': b'SSH-2.0-OpenSSH_9.2\r\n',
        'HTTP/0.9': b'{"data":1}',
        'a NUL in a header': CUT + b'X: a\0b\r\nContent-Length: 2\r\n\r\n{}',
        'a negative length': CUT + b'Content-Length: -5\r\n\r\n{}',
    }
    for name, text in rows.items():
        with Tls(box, answering(text)) as server:
            reply = one(box, server, 'POST /x a=b')
            if reply.get('outcome') != 'lost' or reply['status'] or not reply['reason']:
                fail('%s: %r' % (name, reply))
            same(1, len(server.requests), name)


def a_reset_is_a_lost_answer(box):
    def answer(conn, request):
        conn.send(CUT + b'Content-Length: 100\r\n\r\n{"data":')
        time.sleep(0.1)
        conn.reset()
    with Tls(box, answer) as server:
        became('lost', one(box, server, 'GET /x'), timedOut=False)


def too_big(box, answer):
    with Tls(box, answer) as server, Client(box, server, program=ordinary_one()) as client:
        began = time.monotonic()
        became('too-big', client.ask('GET /x'), n=0)
        if time.monotonic() - began > 20:
            fail('it took long to find out')
        if peak_kib(client.program()) > 80 << 10:
            fail('%d KiB for an answer' % peak_kib(client.program()))
        became('answered', client.ask('GET /y'))
        client.end()


def endless(begin, part):
    def answer(conn, request):
        if request.path.endswith('/y'):
            return ok('{}')
        conn.send(begin)
        try:
            for _ in range(100000):
                conn.send(part)
        except OSError:
            pass
        conn.close()
        return None
    return answer


def an_endless_body_is_cut_off(box):
    chunk = b'10000\r\n' + b'x' * 65536 + b'\r\n'
    too_big(box, endless(CUT + b'Transfer-Encoding: chunked\r\n\r\n', chunk))
    too_big(box, endless(CUT + b'\r\n', b'x' * 65536))


def a_body_that_says_it_is_big_is_not_read(box):
    too_big(box, endless(CUT + b'Content-Length: 99999999999\r\n\r\n', b'x' * 65536))


def a_body_that_becomes_big_is_cut_off(box):
    bomb = gzip.compress(b'0' * (512 << 20), 9)
    too_big(box, lambda conn, request: ok('{}') if request.path.endswith('/y') else ok(bomb, 'Content-Encoding: gzip\r\n'))


def endless_headers_are_cut_off(box):
    too_big(box, endless(CUT, b'X-A: ' + b'x' * 2000 + b'\r\n'))
    too_big(box, endless(b'', b'HTTP/1.1 100 Continue\r\n\r\n'))


def an_answer_of_the_greatest_size_is_taken(box):
    data = b'x' * (16 << 20)
    with Tls(box, lambda conn, request: ok(data)) as server:
        became('answered', one(box, server, 'GET /x', options=('--show', '10')), n=16 << 20, body='x' * 10)


# -- time ------------------------------------------------------------------------------------------------

def a_silent_server_is_waited_for_no_longer_than_was_asked(box):
    with Tls(box) as server:
        def answer(conn, request):
            server.stop.wait(60)
        server.answer = answer
        began = time.monotonic()
        became('lost', one(box, server, 'POST /x a=b', options=('--timeout', '1000')), timedOut=True)
        if time.monotonic() - began > 10:
            fail('it waited longer')


def a_handshake_that_stalls_is_not_reached(box):
    with Tls(box, stall=True) as server:
        became('unreached', one(box, server, 'POST /x a=b', options=('--connect', '1')), timedOut=True)
        became('unreached', one(box, server, 'POST /x a=b', options=('--timeout', '1000')), timedOut=True)


def a_port_that_is_closed_is_not_reached(box):
    with Tls(box) as server:
        pass
    became('unreached', one(box, server, 'POST /x a=b'), timedOut=False)
    reply = became('unreached', one(box, server, 'GET /x', origin='https://name.invalid:8006'))
    has(reply['reason'], 'name.invalid')
    for host in ('127.0.0.77', '[::1]'):
        has(became('unreached', one(box, server, 'GET /x', origin='https://' + host))['reason'], ' 8006 ')


def a_connection_that_ends_before_tls_stands_is_not_reached(box):
    for how in ('close', 'reset'):
        with Tls(box) as server:
            server.hang_up = how
            became('unreached', one(box, server, 'POST /x a=b'), timedOut=False)
            same(1, server.connections, how)


def a_name_that_nobody_resolves_is_waited_for_no_longer_than_a_connection(box):
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    address = '127.%d.%d.%d' % (77, *os.urandom(2))
    sink.bind((address, 53))
    conf = secret_file(box, 'nameserver %s\noptions timeout:30\n' % address, 'resolv.conf', 0o644)
    os.chmod(box.folder, 0o711)
    command = ('unshare', '-m', 'sh', '-c', 'mount --bind %s /etc/resolv.conf && exec "$@"' % conf, 'sh')
    with Tls(box) as server:
        began = time.monotonic()
        became('unreached', one(box, server, 'GET /x', origin='https://pve1.example:8006', command=command,
                                options=('--connect', '1')), timedOut=True)
        if time.monotonic() - began > 15:
            fail('it waited longer')
    sink.close()


def a_server_that_drips_is_given_up(box):
    """One byte a second, in the body or in the headers, is no answer; the time-out of the ask would be far away."""
    heads = (CUT + b'Content-Length: 1000\r\n\r\n', b'HTTP/1.1 200 OK\r\n')
    servers = [Tls(box) for _ in heads]

    def dripping(head, server):
        def answer(conn, request):
            conn.send(head)
            conn.drip(b'X-A: ' + b'x' * 200, 0.5, server.stop)
            conn.close()
        return answer
    clients = []
    for i, (head, server) in enumerate(zip(heads, servers)):
        server.answer = dripping(head, server)
        clients.append(Client(box, server))
        clients[i].send('GET /x')
    for client in clients:
        reply = became('lost', client.receive(), timedOut=True)
        has(reply['reason'], 'too slowly')
        client.end()
    for server in servers:
        server.close()


# -- the program -----------------------------------------------------------------------------------------

def the_program_ends_with_its_client_however_that_ends(box):
    with Tls(box) as server:
        for end in ('eof', 'kill'):
            with Client(box, server) as client:
                client.ask('GET /x')
                pid = client.program()
                if end == 'eof':
                    client.end()
                else:
                    client.child.kill()
                    client.child.wait()
                eventually(lambda: not os.path.exists('/proc/%d' % pid), what='end of the program')


def the_program_ends_with_its_client_while_it_waits_for_an_answer(box):
    with Tls(box) as server:
        server.answer = lambda conn, request: server.stop.wait(60) and None
        with Client(box, server) as client:
            client.send('GET /x')
            eventually(lambda: server.requests)
            pid = client.program()
            client.child.kill()
            client.child.wait()
            eventually(lambda: not os.path.exists('/proc/%d' % pid), what='end of the program')


def state_of(pid):
    with open('/proc/%d/stat' % pid, encoding='ascii') as f:
        return f.read().rpartition(') ')[2][0]


def a_program_that_was_killed_is_started_again(box):
    with Tls(box) as server, Client(box, server) as client:
        for _ in range(3):
            became('answered', client.ask('GET /x'))
            pid = client.program()
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: state_of(pid) == 'Z')
        became('answered', client.ask('POST /x a=b'))
        client.end()


def a_program_that_is_killed_over_an_ask_has_lost_it(box):
    with Tls(box) as server, Client(box, server) as client:
        server.answer = lambda conn, request: server.stop.wait(60) and None
        client.send('POST /x a=b')
        eventually(lambda: server.requests)
        os.kill(client.program(), signal.SIGKILL)
        became('lost', client.receive())
        server.answer = lambda conn, request: ok('{}')
        became('answered', client.ask('GET /x'))
        client.end()


def a_program_that_is_stopped_does_not_hang_its_client(box):
    with Tls(box) as server, Client(box, server, '--timeout', '500') as client:
        client.ask('GET /x')
        pid = client.program()
        os.kill(pid, signal.SIGSTOP)
        became('lost', client.ask('GET /y'), timedOut=True)     # 500 ms and a slack of 5 s
        same(False, os.path.exists('/proc/%d' % pid))
        became('answered', client.ask('GET /z'))
        client.end()


def a_child_has_a_program_of_its_own(box):
    with Tls(box) as server, Client(box, server, '--fork') as client:
        became('answered', client.ask('GET /parent'))
        first = client.program()
        became('answered', client.ask('GET /child'))
        same(True, os.path.exists('/proc/%d' % first), 'the program of the parent')
        client.child.stdin.close()
        became('answered', client.receive())                    # the parent's last one, after its child has ended
        same(0, client.child.wait(30))
        same(['/api2/json/parent', '/api2/json/child', '/api2/json/version'], [r.path for r in server.requests])
        same([1, 2, 1], [r.connection for r in server.requests])


def status_of(pid):
    with open('/proc/%d/status' % pid, encoding='ascii') as f:
        return dict(line.split(':\t', 1) for line in f.read().splitlines() if ':\t' in line)


def program_below(pid):
    """The pid of the ctrctl-https that is a descendant of this process."""
    for line in subprocess.run(['ps', '-A', '-o', 'pid=,ppid=,comm='], capture_output=True, text=True, check=True).stdout.splitlines():
        child, parent, name = line.split(None, 2)
        if int(parent) == pid:
            found = int(child) if name == 'ctrctl-https' else program_below(int(child))
            if found:
                return found
    return None


def the_program_runs_as_nobody_with_nothing_but_its_fds(box):
    with Tls(box) as server, Client(box, server, env={'SOMETHING': 'of ours'}, program=ordinary_one()) as client:
        client.ask('GET /x')
        pid = client.program()
        status = status_of(pid)
        same('ctrctl-https', status['Name'])
        same('65534 65534 65534 65534', ' '.join(status['Uid'].split()))
        same('65534 65534 65534 65534', ' '.join(status['Gid'].split()))
        same('', status['Groups'].strip())
        same(['0' * 16] * 3, [status['Cap' + k].strip() for k in ('Prm', 'Eff', 'Amb')])
        same('1', status['NoNewPrivs'].strip())
        with open('/proc/%d/environ' % pid, 'rb') as f:
            same(b'', f.read().strip(b'\0'))
        with open('/proc/%d/cmdline' % pid, 'rb') as f:
            same(b'ctrctl-https\0', f.read())
        fds = {n: os.readlink('/proc/%d/fd/%s' % (pid, n)) for n in os.listdir('/proc/%d/fd' % pid)}
        same(['/dev/null', '/dev/null'], [fds['0'], fds['1']])
        same([], [n for n, v in fds.items() if v.startswith('/') and n not in '012'], 'files: the credential is closed, too')
        client.end()


def where_memfds_cannot_be_executed_it_runs_all_the_same(box):
    if not os.path.exists('/proc/sys/vm/memfd_noexec'):
        skip('the kernel has no vm.memfd_noexec')
    strict = 'echo 2 >/proc/sys/vm/memfd_noexec && exec "$@"'
    with Tls(box) as server:
        r, w = os.pipe()
        os.write(w, TOKEN.encode())
        os.close(w)
        with Client(box, server, '--credential-fd', str(r), token=False, pass_fds=(r,), program=ordinary_one(),
                    command=('unshare', '-p', '-f', '--kill-child', '--mount-proc', 'sh', '-c', strict, 'sh')) as client:
            os.close(r)
            became('answered', client.ask('GET /x'))
            same('65534 65534 65534 65534', ' '.join(status_of(program_below(client.child.pid))['Uid'].split()))
            client.end()


def cannot_be_started(box, words, *command, program=ONE):
    """Nothing was sent then, whatever was asked for."""
    with Tls(box) as server:
        for line in ('GET /x', 'POST /x a=b'):
            has(one(box, server, line, command=command, program=program).get('error', 'no error'), words)
        same(0, server.connections)


def a_program_that_cannot_be_started_is_no_lost_answer(box):
    cannot_be_started(box, 'fcntl(ctrctl-https): Too many open files', 'prlimit', '--nofile=20', '--')
    # As root without the right to be somebody else, it doesn't go on as root.
    cannot_be_started(box, 'setgroups(ctrctl-https): Operation not permitted', 'setpriv', '--bounding-set=-setgid,-setuid',
                      '--inh-caps=-setgid,-setuid', '--', program=ordinary_one())


def a_limit_of_open_files_is_told_as_one(box):
    with Tls(box) as server:
        with open(secret_file(box), 'rb') as f:
            for n in range(f.fileno() + 1, 21):
                reply = one(box, server, 'GET /x', token=False, options=('--credential-fd', str(f.fileno())), pass_fds=(f.fileno(),),
                            command=('prlimit', '--nofile=%d' % n, '--'), program=ordinary_one())
                has(reply.get('error', ''), 'Too many open files')


def a_missing_library_is_named(box):
    """The library is hidden from the client only, in a mount namespace of its own."""
    found = subprocess.run(['sh', '-c', 'ldconfig -p | grep -m1 -o "/.*/libcurl\\.so\\.4$"'], capture_output=True, text=True, check=True)
    hide = 'mount --bind /dev/null %s && exec "$@"' % found.stdout.strip()
    with Tls(box) as server:
        reply = one(box, server, 'GET /x', command=('unshare', '-m', 'sh', '-c', hide, 'sh'))
        has(reply['error'], 'libcurl')
        has(reply['hint'], 'apt-get install libcurl4 libssl3')
        has_not(reply['error'].lower(), 'no such file')
        same(0, server.connections)


main(globals(), TlsBox)
