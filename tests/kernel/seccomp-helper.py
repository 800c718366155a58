# SPDX-License-Identifier: Apache-2.0
"""Helpers of seccomp.sh: put a profile into config.json, or answer for a container's calls.

profile FACTS CONFIG ARG...   an engine's default profile; the process's args
notify SOCKET CONFIG ARG...   mkdir and mkdirat wait for the agent at SOCKET
agent SOCKET                  takes one container's listener, fails its first call with EXDEV, prints what it was told
"""
import fcntl
import json
import socket
import struct
import sys

RECV, SEND = 0xc0502100, 0xc0182101


def rule(names, action, **more):
    return dict({'names': names, 'action': 'SCMP_ACT_' + action}, **more)


def default_profile(path):
    with open(path, encoding='utf-8') as f:
        facts = json.load(f)['containerd']
    rules = [rule(facts['base_allow'] + ['arch_prctl', 'modify_ldt'], 'ALLOW')]
    for r in facts['arg_rules']:
        arg = {'index': r['arg_index'], 'op': 'SCMP_CMP_' + r['op'], 'value': r['value']}
        rules.append(rule(r['names'], 'ALLOW', args=[arg]))
    arg = {'index': 0, 'op': 'SCMP_CMP_MASKED_EQ', 'value': 0x7e020000, 'valueTwo': 0}
    rules.append(rule(['clone'], 'ALLOW', args=[arg]))
    rules.append(rule(['clone3'], 'ERRNO', errnoRet=38))
    return {'defaultAction': 'SCMP_ACT_ERRNO',
            'architectures': ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'], 'syscalls': rules}


def write(path, profile, args):
    with open(path, encoding='utf-8') as f:
        config = json.load(f)
    config['linux']['seccomp'] = profile
    config['process']['args'] = args
    config['process']['terminal'] = False
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(config, f)


def agent(path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.settimeout(60)
        listening.bind(path)
        listening.listen(1)
        conn, _ = listening.accept()
        text, fds, _, _ = socket.recv_fds(conn, 65536, 1)
    said = json.loads(text)
    call = bytearray(80)
    fcntl.ioctl(fds[0], RECV, call)
    ident, pid = struct.unpack_from('QI', call)
    fcntl.ioctl(fds[0], SEND, bytearray(struct.pack('Qqii', ident, 0, -18, 0)))
    print(said['fds'], said['metadata'], said['state']['id'], said['state']['status'],
          said['pid'] == said['state']['pid'] == pid)


verb, where = sys.argv[1:3]
if verb == 'profile':
    write(sys.argv[3], default_profile(where), sys.argv[4:])
elif verb == 'notify':
    write(sys.argv[3], {'defaultAction': 'SCMP_ACT_ALLOW', 'listenerPath': where, 'listenerMetadata': 'm',
                        'syscalls': [rule(['mkdir', 'mkdirat'], 'NOTIFY')]}, sys.argv[4:])
else:
    agent(where)
