# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 over TLS as pveproxy speaks it: its limits, its statuses, when it closes."""

import json
import re
import socket
import ssl
import threading
import time
import traceback
import zlib
from email.utils import formatdate

from sim import api, misdeeds
from sim.world import Fault, Gone

BODY_MAX, HEADERS_MAX, LINES_MAX = 512 << 10, 8192, 64
PHRASES = {200: 'OK', 301: 'Moved Permanently', 308: 'Permanent Redirect'}


class TooLong(Exception):
    """Headers that the server doesn't even answer."""


class Request:
    def __init__(self, method, target, version, headers):
        self.method, self.target, self.version, self.headers = method, target, version, headers
        self.body = b''
        self.path, self.params = '', {}


def unescape(text):
    """Percent-decoding into bytes, then text; what isn't UTF-8 is kept as it is."""
    raw = re.sub(rb'%([0-9A-Fa-f]{2})', lambda m: bytes([int(m.group(1), 16)]), text)
    return raw.decode('utf-8', 'surrogateescape')


def parse_form(raw):
    """Pairs end at '&' and ';'; of a pair that has several raw '=' only the second part is kept."""
    params = {}
    for pair in re.split(rb'[&;]', raw):
        if not pair:
            continue
        parts = pair.replace(b'+', b' ').split(b'=')
        key, value = unescape(parts[0]), unescape(parts[1]) if len(parts) > 1 else ''
        if key in params:
            before = params[key]
            params[key] = (before if isinstance(before, list) else [before]) + [value]
        else:
            params[key] = value
    return params


def parse_json(raw):
    try:
        found = json.loads(raw)
        if not isinstance(found, dict):
            raise ValueError
    except ValueError:
        raise Fault(500, 'malformed JSON string, neither tag, array, object, number, string or atom, at character offset 0 '
                         '(before "%s") at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 1170.\n' % raw[:20].decode(
                             'utf-8', 'replace')) from None
    return {k: v for k, v in found.items() if v is not None}


class Connection:
    def __init__(self, server, sock, number):
        self.server, self.world, self.sock, self.number = server, server.world, sock, number
        self.buffer, self.served = b'', 0

    # -- reading --

    def fill(self, seconds):
        self.sock.settimeout(seconds)
        more = self.sock.recv(65536)
        if not more:
            raise Gone
        self.buffer += more

    def read_head(self):
        knobs = self.world.knobs
        while b'\r\n\r\n' not in self.buffer:
            if len(self.buffer) > HEADERS_MAX:
                raise TooLong
            self.fill(knobs['keep_alive_seconds'])
        head, _, self.buffer = self.buffer.partition(b'\r\n\r\n')
        lines = head.decode('latin-1').split('\r\n')
        if len(head) > HEADERS_MAX or len(lines) - 1 > LINES_MAX:
            raise TooLong
        first = re.match(r'(\S+) (\S+) (HTTP/\d(?:\.\d)?)$', lines[0])
        if not first:
            raise Fault(506, 'unable to parse request')
        request = Request(*first.groups(), {k.strip().lower(): v.strip() for k, _, v in (line.partition(':') for line in lines[1:])})
        if request.version not in ('HTTP/1.1', 'HTTP/1.0'):
            raise Fault(506, 'http protocol version %s not supported' % request.version[5:])
        return request

    def read_body(self, r):
        if 'transfer-encoding' in r.headers:
            raise Fault(501, 'unable to handle transfer encoding')
        n = int(r.headers.get('content-length') or 0)
        if r.method not in ('GET', 'POST', 'PUT', 'DELETE'):
            raise Fault(501, "method '%s' not available" % r.method)
        if n and r.method in ('GET', 'DELETE'):
            raise Fault(501, "Unexpected content for method '%s'" % r.method)
        if n > BODY_MAX:
            raise Fault(501, 'for data too large')
        while len(self.buffer) < n:
            self.fill(10)
        r.body, self.buffer = self.buffer[:n], self.buffer[n:]

    def understand(self, r):
        """Path and parameters. The query goes over the body."""
        path, _, query = r.target.partition('?')
        path = re.sub('/+', '/', unescape(path.encode('latin-1')))
        found = re.match(r'/api2/([^/]+)(/.*)?$', path)
        if not found:
            raise Fault(500, "no such file '%s'" % path)
        if found.group(1) not in ('json', 'extjs'):
            raise Fault(501, "no formatter for uri '%s'" % path)
        r.extjs = found.group(1) == 'extjs'
        r.path = (found.group(2) or '/').rstrip('/') or '/'
        kind = r.headers.get('content-type', '').partition(';')[0].strip().lower()
        if r.method in ('POST', 'PUT'):
            if kind == 'application/json':
                r.params = parse_json(r.body) if r.body else {}
            elif kind in ('', 'application/x-www-form-urlencoded'):
                r.params = parse_form(r.body)
            else:
                raise Fault(506, "upload 'Content-Type: %s' not implemented" % kind)
        r.params.update(parse_form(query.encode('latin-1')))
        r.params.pop('_dc', None)

    # -- answering --

    def head_of(self, status, phrase, headers, close):
        lines = ['HTTP/1.1 %d %s' % (status, phrase), 'Cache-Control: max-age=0', 'Connection: ' + ('close' if close else 'Keep-Alive'),
                 'Date: ' + formatdate(usegmt=True), 'Pragma: no-cache', 'Server: pve-api-daemon/3.0']
        lines += ['%s: %s' % pair for pair in headers.items()]
        return ('\r\n'.join(lines) + '\r\n\r\n').encode('utf-8', 'replace')

    def answer_of(self, r):
        """(status, phrase, body, is JSON) of a request."""
        world = self.world
        user = None
        try:
            if (r.method, r.path) != ('POST', '/access/ticket') or 'authorization' in r.headers:
                user = world.users.of_request(r.method, r.headers)
            r.user = user
            data = api.perform(world, user, r.method, r.path, dict(r.params))
        except Fault as f:
            return self.error_of(r, f)
        except Exception:
            world.bugs.append('%s %s %s: %s' % (r.method, r.path, r.params, traceback.format_exc()))
            raise
        body = {'success': 1, **data} if r.extjs else data
        return 200, 'OK', api.render(world, body), True

    def error_of(self, r, f):
        phrase = f.message.strip('\n').split('\n')[0] or PHRASES.get(f.status, 'Error')
        if f.status == 401 and not f.message.endswith('\n') or f.status >= 590:
            return f.status, phrase, b'', False
        body = {'data': None}
        if f.errors:
            body['errors'] = f.errors
        if getattr(r, 'extjs', False):
            body.update(success=0, status=f.status, message=f.message)
            return 200, 'OK', api.render(self.world, body), True
        if not self.world.knobs['old_errors'] and self.world.at_least(8, 4):
            body['message'] = f.message
        return f.status, phrase, api.render(self.world, body), True

    def send(self, status, phrase, body, is_json, r=None, headers=None, close=False):
        """True when the connection may be used again."""
        knobs = self.world.knobs
        self.served += 1
        close = close or status >= 400 or self.served >= knobs['keep_alive_requests'] or (
            r is not None and (r.version == 'HTTP/1.0' or r.headers.get('connection', '').lower() == 'close'))
        head = {'Content-Length': None, 'Content-Type': 'application/json;charset=UTF-8' if is_json else 'text/plain'}
        wants = r.headers.get('accept-encoding', '') if r is not None else ''
        if is_json and knobs['gzip'] and len(body) > 1024 and re.search(r'\b(gzip|deflate)\b', wants):
            head['Content-Encoding'] = 'gzip'
            pack = zlib.compressobj(1, zlib.DEFLATED, 31)
            body = pack.compress(body) + pack.flush()
        head['Content-Length'] = len(body)
        head.update(headers or {})
        self.sock.settimeout(30)
        self.sock.sendall(self.head_of(status, phrase, head, close) + body)
        return not close

    def linger(self):
        """What the other side still sends is read for a while, else it may lose the answer with the connection."""
        end = time.monotonic() + 1
        try:
            while time.monotonic() < end:
                self.buffer = b''
                self.fill(0.3)
        except (Gone, OSError):
            pass
        return False

    # -- one request --

    def serve_one(self):
        world = self.world
        r = Request('', '', 'HTTP/1.1', {})
        try:
            r = self.read_head()
            self.read_body(r)
            self.understand(r)
        except Fault as f:
            if r.method:
                self.note(r, None, f.status)
            text = f.message.split('\n')[0]
            if f.status == 500 and f.message.endswith('\n'):
                return self.send(*self.error_of(r, f), r)
            self.send(f.status, text, (text + '\n').encode(), False, r, close=True)
            return self.linger()
        r.user = None
        with world.lock:
            world.tick()
            rule = world.rules.of('%s %s' % (r.method, r.path))
        if rule:
            return misdeeds.commit(self, r, rule)
        return self.reply(r, self.answer(r))

    def answer(self, r):
        with self.world.lock:
            begin = time.monotonic()
            self.world.tick()
            found = self.answer_of(r)
            self.note(r, r.user, found[0], time.monotonic() - begin)
            self.world.serial += r.method != 'GET'
        if found[0] == 401:
            time.sleep(self.world.knobs['auth401_delay'])
        return found

    def reply(self, r, answer):
        return self.send(*answer, r)

    def note(self, r, user, status, seconds=0.0):
        self.world.log.append({'method': r.method, 'path': r.path or r.target, 'params': r.params, 'user': user, 'status': status,
                               'connection': self.number, 'at': time.time(), 'seconds': seconds})

    # -- life --

    def run(self):
        try:
            rule = self.connect_rule()
            if rule:
                misdeeds.connect(self, rule)
            self.sock.settimeout(10)
            if self.sock.recv(1, socket.MSG_PEEK) != b'\x16':
                self.plain()
                return
            self.sock = self.server.context(rule).wrap_socket(self.sock, server_side=True)
            while self.serve_one():
                pass
        except TooLong:
            time.sleep(self.world.knobs['header_seconds'])
        except (Gone, OSError, ssl.SSLError, ValueError):
            pass
        finally:
            try:
                self.sock.close()
            except OSError:
                pass
            with self.world.lock:
                self.server.open -= 1

    def connect_rule(self):
        with self.world.lock:
            self.world.tick()
            return self.world.rules.of('CONNECT')

    def plain(self):
        """HTTP without TLS is sent elsewhere."""
        while b'\r\n\r\n' not in self.buffer and len(self.buffer) < HEADERS_MAX:
            self.fill(5)
        words = self.buffer.decode('latin-1').split()
        host = re.search(r'\r\n[Hh]ost: *([^\r\n]*)', self.buffer.decode('latin-1'))
        status = 301 if words and words[0] in ('GET', 'HEAD') else 308
        place = 'https://%s%s' % (host.group(1) if host else '', words[1] if len(words) > 1 else '/')
        self.send(status, PHRASES[status], b'', False, headers={'Location': place}, close=True)


class Server:
    """Listens, one thread for each connection."""

    def __init__(self, world, contexts):
        self.world, self.contexts = world, contexts
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.number = self.open = self.last = 0
        world.server = self

    def context(self, rule):
        name = rule.get('cert') if rule and rule.get('do') == 'cert' else None
        return self.contexts[name or self.world.knobs['cert']]

    def run(self):
        while True:
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.number += 1
            with self.world.lock:
                self.open += 1
                self.last = peer[1]
            threading.Thread(target=Connection(self, sock, self.number).run, daemon=True).start()
