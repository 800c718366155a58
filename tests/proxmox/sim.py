# SPDX-License-Identifier: Apache-2.0
"""A Proxmox VE server for tests, as strict as the real one: its API over TLS, its state in memory.

usage: sim.py FOLDER CERTS     FOLDER: where the control socket is made; CERTS: keys and certificates (see pve.py)

Prints one line of JSON when it listens, and ends when its standard input does. pve.py starts it; the files of sim/ do the work."""

import hashlib
import json
import os
import secrets
import ssl
import sys
import threading

from sim import auth, cluster, control, faults, transport, world


def context(folder, name):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.minimum_version = ssl.TLSVersion.TLSv1_2
    c.load_cert_chain(os.path.join(folder, name + '.pem'), os.path.join(folder, name + '.key'))
    return c


def fingerprint(folder, name):
    with open(os.path.join(folder, name + '.pem'), encoding='ascii') as f:
        der = ssl.PEM_cert_to_DER_cert(f.read())
    text = hashlib.sha256(der).hexdigest().upper()
    return ':'.join(text[i:i + 2] for i in range(0, len(text), 2))


def main():
    folder, certs = sys.argv[1:3]
    w = world.World()
    secret, password = secrets.token_hex(16), 'pw-' + secrets.token_hex(8)
    w.users = auth.Users(w, secret, password)
    w.rules = faults.Rules()
    w.fingerprint = fingerprint(certs, 'leaf')
    cluster.watch(w)
    server = transport.Server(w, {name: context(certs, name) for name in ('leaf', 'other', 'expired')})
    door = control.listen(os.path.join(folder, 'control'))
    threading.Thread(target=control.serve, args=(w, door), daemon=True).start()
    threading.Thread(target=server.run, daemon=True).start()
    print(json.dumps({'port': server.port, 'fingerprint': w.fingerprint, 'token': 'ctrctl@pve!ctrl=' + secret, 'password': password}),
          flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


main()
