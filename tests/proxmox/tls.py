# SPDX-License-Identifier: Apache-2.0
"""A TLS server whose every byte a test decides on, and the client of the Proxmox VE backend against it.

    with Tls(box, answer) as server:
        replies = one(box, server, 'GET /version', 'POST /x a=b')

answer(conn, request) gets each request: conn.send(bytes), conn.close(), conn.reset(); or it returns the bytes. What arrived is in
server.requests (of class Request) and server.bytes (all that was decrypted); server.connections counts connections."""

import base64
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'kernel'))

from box import *  # noqa: E402,F403 pylint: disable=wrong-import-position


def client_of(ctrctl):
    """That of ctrctl's own build folder: it may be one with sanitizers."""
    return os.path.join(os.path.dirname(ctrctl), '..', '..', 'tests', 'proxmox', 'client-one')


ONE = client_of(CTRCTL)
SECRET = '5ec2e7-70ce-4a5e-9b1d-d0cb5a9e77aa'
TOKEN = 'ctrctl@pve!ctrl=' + SECRET


class TlsBox(Box):
    """What a build with sanitizers finds goes to files, and fails the case."""

    def __init__(self, folder):
        super().__init__(folder)
        self.reports = os.path.join(folder, 'sanitizer')
        os.mkdir(self.reports)
        os.environ['ASAN_OPTIONS'] = 'exitcode=99:log_path=' + os.path.join(self.reports, 'address')
        os.environ['UBSAN_OPTIONS'] = 'print_stacktrace=1:halt_on_error=1:exitcode=99:log_path=' + os.path.join(self.reports, 'undefined')

    def left(self):
        found = []
        for name in sorted(os.listdir(self.reports)):
            with open(os.path.join(self.reports, name), encoding='utf-8', errors='replace') as f:
                found.append('sanitizer: ' + f.read())
        return found


# -- certificates ----------------------------------------------------------------------------------------

def openssl(folder, *args):
    done = subprocess.run(['openssl', *args], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise RuntimeError('openssl %s: %s' % (' '.join(args), done.stderr))


def make_ca(folder, name):
    openssl(folder, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650', '-keyout',
            name + '.key', '-out', name + '.pem', '-subj', '/CN=Test CA ' + name)
    return os.path.join(folder, name + '.pem')


def make_leaf(folder, name, ca=None, san='IP:127.0.0.1', days='3650', rsa=False):
    """A certificate by a CA, or by itself."""
    key = ['rsa:2048'] if rsa else ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    signer = ['-CA', ca + '.pem', '-CAkey', ca + '.key', '-set_serial', '7'] if ca else ['-signkey', name + '.key']
    with open(os.path.join(folder, name + '.ext'), 'w', encoding='ascii') as f:
        f.write('subjectAltName=%s\nbasicConstraints=CA:FALSE\n' % san)
    openssl(folder, 'req', '-new', '-newkey', *key, '-nodes', '-keyout', name + '.key', '-out', name + '.csr', '-subj', '/CN=' + name)
    openssl(folder, 'x509', '-req', '-in', name + '.csr', *signer, '-days', days, '-extfile', name + '.ext',
            '-out', name + '.pem')


def fingerprint_of(folder, name):
    with open(os.path.join(folder, name + '.pem'), encoding='ascii') as f:
        der = ssl.PEM_cert_to_DER_cert(f.read())
    text = hashlib.sha256(der).hexdigest().upper()
    return ':'.join(text[i:i + 2] for i in range(0, len(text), 2))


def context(folder, name, version=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(os.path.join(folder, name + '.pem'), os.path.join(folder, name + '.key'))
    if version:
        c.set_ciphers('ALL:@SECLEVEL=0')
        c.minimum_version = c.maximum_version = version
    return c


# -- the server ------------------------------------------------------------------------------------------

class Request:
    def __init__(self, head, body, connection):
        lines = head.decode('latin-1').split('\r\n')
        self.line = lines[0]
        self.method, self.path, self.version = self.line.split(' ', 2)
        self.headers = {k.lower(): v for k, v in (line.split(': ', 1) for line in lines[1:] if line)}
        self.head, self.body, self.connection = head, body, connection


class Conn:
    """A connection, as an answer sees it."""

    def __init__(self, raw, tls, number):
        self.raw, self.tls, self.number = raw, tls, number
        self.open = True

    def send(self, data):
        self.tls.sendall(data.encode() if isinstance(data, str) else data)

    def close(self):
        """Ends it without an end of TLS."""
        self.open = False

    def reset(self):
        self.open = False
        # On the socket under TLS: linger 0 makes it a RST.
        self.tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))

    def drip(self, data, seconds, stop):
        for byte in data:
            if stop.wait(seconds):
                return
            self.send(bytes([byte]))


def ok(data, more='', status='200 OK', kind='application/json;charset=UTF-8'):
    data = data.encode() if isinstance(data, str) else data
    return ('HTTP/1.1 %s\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n' % (status, kind, more, len(data))).encode() + data


class Tls:
    def __init__(self, box, answer=None, cert='leaf', version=None, plain=False, stall=False):
        self.folder = box.folder
        self.answer = answer or (lambda conn, request: ok('{"data":1}'))
        if not os.path.exists(os.path.join(self.folder, cert + '.pem')):
            make_leaf(self.folder, cert)
        self.fingerprint = fingerprint_of(self.folder, cert)
        self.context = None if plain else context(self.folder, cert, version)
        self.stall = stall
        self.hang_up = None     # 'close', 'reset': before TLS
        self.requests, self.bytes, self.connections = [], b'', 0
        self.stop = threading.Event()
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        self.origin = 'https://127.0.0.1:%d' % self.port
        self.threads = []
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop.is_set():
            try:
                raw, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            t = threading.Thread(target=self.serve, args=(raw, self.connections), daemon=True)
            self.threads.append(t)
            t.start()

    def serve(self, raw, number):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.settimeout(60)
        tls = raw
        try:
            if self.stall:
                self.stop.wait(60)
                return
            if self.hang_up:
                raw.recv(1)
                if self.hang_up == 'reset':
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                return
            if self.context:
                tls = self.context.wrap_socket(raw, server_side=True)
            self.talk(Conn(raw, tls, number))
        except OSError:  # ssl.SSLError, too: the client went away, or didn't like us
            pass
        finally:
            tls.close()

    def read_request(self, conn):
        data = b''
        while b'\r\n\r\n' not in data:
            part = conn.tls.recv(65536)
            if not part:
                return None
            with self.lock:
                self.bytes += part
            data += part
        head, _, body = data.partition(b'\r\n\r\n')
        request = Request(head, body, conn.number)
        while len(request.body) < int(request.headers.get('content-length', 0)):
            part = conn.tls.recv(1 << 20)
            if not part:
                return None
            with self.lock:
                self.bytes += part
            request.body += part
        return request

    def talk(self, conn):
        while conn.open:
            request = self.read_request(conn)
            if not request:
                return
            with self.lock:
                self.requests.append(request)
            data = self.answer(conn, request)
            if data is not None:
                conn.send(data)

    def close(self):
        self.stop.set()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.thread.join(10)
        for t in self.threads:
            t.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# -- the client ------------------------------------------------------------------------------------------

def secret_file(box, text=TOKEN + '\n', name='token', mode=0o600):
    path = os.path.join(box.folder, name)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'wb') as f:
        f.write(text.encode() if isinstance(text, str) else text)
    os.chmod(path, mode)
    return path


class Client:
    """A client that stays: ask() for one exchange after another."""

    def __init__(self, box, server, *options, pinned=True, token=True, env=None, pass_fds=(), command=(), origin=None,
                 program=ONE):
        self.log = os.path.join(box.folder, 'client.log')
        args = [*command, program, '--log', self.log]
        if pinned:
            args += ['--fingerprint', server.fingerprint]
        if token:
            args += ['--token', secret_file(box)]
        self.err = open(os.path.join(box.folder, 'client.err'), 'w+b')
        self.child = subprocess.Popen([*args, *options, origin or server.origin], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=self.err, env=env, pass_fds=pass_fds)

    def send(self, line):
        self.child.stdin.write((line + '\n').encode())
        self.child.stdin.flush()

    def receive(self):
        return json.loads(self.child.stdout.readline())

    def ask(self, line):
        self.send(line)
        return self.receive()

    def program(self):
        """The pid of its ctrctl-https."""
        with open('/proc/%d/task/%d/children' % (self.child.pid, self.child.pid), encoding='ascii') as f:
            pids = [int(p) for p in f.read().split()]
        return pids[0] if pids else None

    def end(self, status=0):
        """What it printed to standard error."""
        self.child.stdin.close()
        rest = self.child.stdout.read()
        got = self.child.wait(30)
        self.err.seek(0)
        text = self.err.read().decode()
        self.err.close()
        self.child.stdout.close()
        if got != status:
            fail('client-one ended with %d: %s%s' % (got, rest, text))
        return rest.decode() + text

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()


def one(box, server, *lines, status=0, **more):
    """The replies to these lines, by one client."""
    options = more.pop('options', ())
    with Client(box, server, *options, **more) as client:
        replies = [client.ask(line) for line in lines]
        client.end(status)
    return replies if len(replies) > 1 else replies[0]


def peak_kib(pid):
    with open('/proc/%d/status' % pid, encoding='ascii') as f:
        return int(re.search(r'VmHWM:\s*(\d+)', f.read())[1])


def is_sanitized():
    with open(ONE, 'rb') as f:
        return b'__asan_init' in f.read()


def ordinary_one():
    """A program with sanitizers keeps its user, so that it can report, and has memory without end: where that matters, the ordinary
    one is taken, if the suite has named it."""
    if not is_sanitized():
        return ONE
    if 'ORDINARY' not in os.environ:
        skip('with sanitizers the program is another')
    return client_of(os.environ['ORDINARY'])


def became(outcome, reply, **more):
    if reply.get('outcome') != outcome:
        fail('wanted %r, got %r' % (outcome, reply))
    for key, value in more.items():
        same(value, reply[key], key)
    return reply
