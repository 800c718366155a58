# SPDX-License-Identifier: Apache-2.0
"""What a server or the way to it can do wrong with one request or connection."""

import os
import re
import signal
import socket
import ssl
import struct
import time

from sim import control
from sim.world import Gone

HTML = b'<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>\n'


def reset(sock):
    """The other side sees a RST."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        if isinstance(sock, ssl.SSLSocket):
            os.close(sock.detach())
        else:
            sock.close()
    except OSError:
        pass
    raise Gone


def connect(conn, rule):
    """Before TLS."""
    do = rule['do']
    if do == 'rst':
        reset(conn.sock)
    if do == 'close':
        raise Gone
    if do in ('delay', 'stall'):
        # A stall ends when the other side has given up.
        time.sleep(rule.get('seconds', 30))
        if do == 'stall':
            raise Gone
    if do == 'control':
        control.perform(conn.world, rule['op'], rule.get('args', {}))


def kill(rule):
    """The client, by the pid in a file that the test's own start of it has written."""
    with open(rule['pidfile'], encoding='ascii') as f:
        try:
            os.kill(int(f.read()), signal.SIGKILL)
        except ProcessLookupError:
            pass


def raw(conn, data, seconds=None, step=1):
    """As it is, or drop by drop over so many seconds each."""
    conn.sock.settimeout(30)
    if seconds is None:
        conn.sock.sendall(data)
        return
    for at in range(0, len(data), step):
        conn.sock.sendall(data[at:at + step])
        time.sleep(seconds)


def head(conn, n, status=200, phrase='OK', kind='application/json;charset=UTF-8', **more):
    return conn.head_of(status, phrase, {'Content-Length': n, 'Content-Type': kind, **more}, True)


def said_status(conn, r, rule):
    """A status of its own; the call is carried out first only with perform=True."""
    text = rule.get('text', 'Error')
    code = rule['code']
    if code >= 590 and 'body' not in rule:
        return conn.send(code, text.split('\n')[0], b'', False, r, close=True)
    if 'body' in rule:
        return conn.send(code, text.split('\n')[0], rule['body'].encode(), rule.get('json', True), r, close=True)
    if rule.get('empty'):
        return conn.send(code, text.split('\n')[0], b'', False, r, close=True)
    from sim.world import Fault  # pylint: disable=import-outside-toplevel
    return conn.send(*conn.error_of(r, Fault(code, text + '\n', rule.get('errors'))), r)


def huge(conn, rule):
    """A body of so many MiB, of one value."""
    n = rule.get('mib', 64) << 20
    raw(conn, head(conn, n + 11))
    raw(conn, b'{"data":"')
    block = b'x' * (1 << 16)
    for _ in range(n >> 16):
        raw(conn, block)
    raw(conn, b'"}')


def twisted(conn, r, rule, answer):
    """An answer that isn't what it should be."""
    do, body = rule['do'], answer[2]
    if do == 'close_after_headers':
        raw(conn, head(conn, max(len(body), 1)))
    elif do == 'truncate':
        raw(conn, head(conn, len(body)) + body[:rule.get('bytes', len(body) // 2)])
    elif do == 'drip_headers':
        raw(conn, head(conn, len(body)) + body, rule.get('seconds', 0.05))
    elif do == 'drip_body':
        raw(conn, head(conn, len(body)))
        raw(conn, body, rule.get('seconds', 0.05))
    elif do == 'wrong_length':
        raw(conn, head(conn, len(body) + rule.get('more', 10)) + body)
    elif do == 'invalid_json':
        raw(conn, head(conn, 21) + b'{"data": [1, {"a": tru')
    elif do == 'html':
        raw(conn, head(conn, len(HTML), rule.get('code', 200), 'OK', 'text/html') + HTML)
    elif do == 'null_data':
        raw(conn, head(conn, 13) + b'{"data":null}')
    elif do == 'twice':
        text = b'{"data":"UPID:x","data":null}'
        raw(conn, head(conn, len(text)) + text)
    elif do == 'huge':
        huge(conn, rule)
    elif do == 'gzip_garbage':
        raw(conn, head(conn, 64, **{'Content-Encoding': 'gzip'}) + b'\x1f\x8b' + b'\x5a' * 62)
    elif do == 'body':
        text = rule['text'].encode()
        raw(conn, head(conn, len(text)) + text)
    elif do == 'redirect':
        return conn.send(rule.get('code', 301), 'Moved Permanently', b'', False, r, headers={'Location': rule['to']}, close=True)
    else:
        raise ValueError('no such fault: %s' % do)
    return False


PERFORMED = {'drop', 'rst_after', 'close_after_headers', 'truncate', 'drip_headers', 'drip_body', 'wrong_length', 'invalid_json', 'twice',
             'null_data', 'gzip_garbage', 'huge', 'html', 'kill_after', 'body'}


def vmid_of(r):
    """In its parameters, or in its path."""
    return int(r.params.get('vmid') or re.search(r'/(?:lxc|qemu)/(\d+)', r.path).group(1))


def commit(conn, r, rule):
    """The misdeed of a rule on a request. `perform` says whether the call is carried out; each has its own habit."""
    do = rule['do']
    if do == 'delay':
        time.sleep(rule.get('seconds', 1))
        return conn.reply(r, conn.answer(r))
    if do == 'gather':
        # All of them are answered as things were before the first one went on.
        answer = conn.answer(r)
        with conn.world.changed:
            rule['arrived'] = rule.get('arrived', 0) + 1
            conn.world.changed.notify_all()
            conn.world.changed.wait_for(lambda: rule['arrived'] >= rule['n'], 60)
        return conn.reply(r, answer)
    if do == 'hold':
        with conn.world.changed:
            conn.world.changed.wait_for(lambda: rule not in conn.world.rules.rules, 60)
        return conn.reply(r, conn.answer(r))
    if do == 'control':
        with conn.world.lock:
            args = {k: vmid_of(r) if v == '$vmid' else v for k, v in rule.get('args', {}).items()}
            if not rule.get('after'):
                control.perform(conn.world, rule['op'], args)
        answer = conn.answer(r)
        if rule.get('after'):
            with conn.world.lock:
                control.perform(conn.world, rule['op'], args)
        return conn.reply(r, answer)
    if do == 'kill':
        kill(rule)
        conn.note(r, None, 0)
        return False
    performs = rule.get('perform', do in PERFORMED)
    answer = conn.answer(r) if performs else (200, 'OK', b'{"data":null}', True)
    if not performs:
        conn.note(r, None, rule.get('code', 0))
    if do == 'kill_after':
        kill(rule)
        return False
    if rule.get('seconds') and do in ('close', 'drop', 'rst', 'rst_after', 'status'):
        time.sleep(rule['seconds'])
    if do in ('close', 'drop'):
        return False
    if do in ('rst', 'rst_after'):
        reset(conn.sock)
    if do == 'status':
        return said_status(conn, r, rule)
    return twisted(conn, r, rule, answer)
