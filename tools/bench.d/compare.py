# SPDX-License-Identifier: Apache-2.0
"""The self-check: do all contenders make the same container? Each runs a probe instead of true, also by exec."""

import os
import re

import units
from bundles import MASKED

STATUS = ('Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs',
          'Seccomp', 'Seccomp_filters', 'SigIgn', 'SigBlk')
# What a contender is known to do otherwise: (verb, contender, words). It is shown, and is no failure.
KNOWN = (('exec', 'crun', 'NoNewPrivs'), ('exec', 'crun', 'files'))  # only as asked for on exec's command line
ATTRIBUTES = ('ro', 'nosuid', 'nodev', 'noexec')


def mount(line):
    """Where, what, and the attributes that protect. How a place is masked is each runtime's own business."""
    left, right = line.split(' - ')
    point, options = left.split()[4], left.split()[5].split(',')
    if point in MASKED:
        return point + ' masked'
    return '%s %s %s' % (point, right.split()[0], ' '.join(o for o in ATTRIBUTES if o in options))


def normal(text):
    """The probe's lines without what may differ between two good containers (ids, sizes, sources)."""
    own = dict(line.split(':[') for line in namespaces('/proc/self/ns'))
    out = []
    for line in text.splitlines():
        kind, _, rest = line.partition(' ')
        if kind == 'mount':
            out.append('mount ' + mount(rest))
        elif kind == 'status':
            key, _, value = rest.partition(':')
            if key in STATUS:
                out.append('%s %s' % (key, ' '.join(value.split())))
        elif kind == 'namespace':
            name, number = rest.split(':[')
            out.append('namespace %s %s' % (name, "the host's" if own[name] == number else 'new'))
        elif kind == 'cgroup':
            if rest.startswith('0:'):
                out.append(line)
        elif not line.startswith('node /dev/core') and kind in (
                'node', 'device', 'host', 'files', 'lo', 'call', 'cwd', 'open', 'session'):
            out.append(line)
    return sorted(out)


def namespaces(folder):
    return [os.readlink(os.path.join(folder, n))
            for n in ('pid', 'net', 'ipc', 'uts', 'mnt', 'cgroup', 'user', 'time')]


def versions(lane, found):
    out = {}
    for name, program in found.items():
        if name == 'floor':
            out[name] = 'bare C'
            continue
        _, log = lane.drive(units.line('unit', name) + units.line('run', 'version', program, '--version') +
                            'keep\n', 1, 0, 0)
        out[name] = re.sub(r'^\w+ version ', '', log.splitlines()[0]).strip() if log else 'unknown'
    return out


def probe(lane, name, program, flavour):
    """What the first process of a container sees, and what one that exec adds sees."""
    c = units.of(name, program)
    unit = units.line('unit', 'check/%s/%s' % (flavour, name))
    run = c.verb(flavour, name, 'run', '%s/%s/probe' % (lane.work, flavour), ['/bin/probe'])
    life = units.life(name, c, flavour, '%s/%s/pause' % (lane.work, flavour), '/bin/probe', 'keep\n')
    _, first = lane.drive(unit + units.line('run', 'run', *run) + 'keep\n', 1, 0, 0)
    _, second = lane.drive(unit + life, 1, 0, 0)
    return normal(first), normal(second)


def is_known(verb, name, text):
    return any(verb == v and name == n and text.startswith(words) for v, n, words in KNOWN)


def differences(sides, wanted):
    for verb, mine, other in zip(('run', 'exec'), sides, wanted):
        for mark, lines in (('lacks', set(other) - set(mine)), ('has', set(mine) - set(other))):
            for text in sorted(lines):
                yield verb, mark, text


def containers(lane, found):
    """Compares each with the floor (else with the first); prints what differs. True where nothing does."""
    same = True
    for flavour in units.FLAVOURS:
        seen = {name: probe(lane, name, program, flavour) for name, program in found.items()}
        model = 'floor' if 'floor' in seen else next(iter(seen))
        for name, sides in seen.items():
            for verb, mark, text in differences(sides, seen[model]):
                known = is_known(verb, name, text)
                same = same and known
                print('check: %s, %s: %s %s: %s%s' % (flavour, verb, name, mark, text,
                                                      ' (known)' if known else ''))
        print('check: %s: %d lines compared, of %s' % (flavour, sum(map(len, seen[model])), ', '.join(seen)))
    return same
