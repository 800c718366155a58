#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what ctrctl itself takes to make and to list guests of a Proxmox VE server: the simulated one of tests/proxmox, whose
tasks end at once. Needs root; `tools/bench.d/proxmox.py --help` has the options."""

import argparse
import os
import statistics
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BUDGETS = {'create': 100.0, 'list': 50.0} # ms


def arguments():
    p = argparse.ArgumentParser(description='Client time of create and list against a simulated Proxmox VE server.')
    p.add_argument('--ctrctl', default=None, help='default: that of build-release/, else of build/')
    p.add_argument('--rounds', type=int, default=30)
    p.add_argument('--guests', type=int, default=1000, help='how many are listed')
    p.add_argument('--check', action='store_true', help='exit with 1 when a budget is exceeded')
    a = p.parse_args()
    places = [os.path.join(SOURCE, b, 'src/cli/ctrctl') for b in ('build-release', 'build')]
    a.ctrctl = a.ctrctl or next((path for path in places if os.path.exists(path)), None)
    if not a.ctrctl:
        p.error('no ctrctl: build it first')
    return a


def row(name, what, times):
    times = sorted(t * 1000 for t in times)
    print('%-28s %7.1f ms median  %7.1f ms p95  %7.1f ms least  (%d rounds, budget %.0f ms)' % (
        what, statistics.median(times), times[int(len(times) * 0.95) - 1], times[0], len(times), BUDGETS[name]))
    return statistics.median(times) <= BUDGETS[name]


def main():
    a = arguments()
    os.environ['CTRCTL'] = os.path.abspath(a.ctrctl)
    os.environ.setdefault('BUILD', os.path.join(SOURCE, 'build'))
    sys.path.insert(0, os.path.join(SOURCE, 'tests/proxmox'))
    import pve # pylint: disable=import-outside-toplevel

    def timed(box, *words):
        """Without the time that the simulated server itself has worked."""
        box.server.clear_requests()
        begin = pve.time.monotonic()
        r = box.call(*words).ok()
        took = pve.time.monotonic() - begin
        return took - sum(request['seconds'] for request in box.server.requests()), r
    with tempfile.TemporaryDirectory(prefix='ctrctl-bench-') as folder:
        box = pve.PveBox(folder)
        try:
            box.server.set(task_seconds=0, stat_lag=0)
            creates = []
            path = pve.write(box, box.guest_request(), 'request.json')
            for _ in range(a.rounds):
                took, r = timed(box, 'create', '--request', path)
                creates.append(took)
                box.call('delete', '--force', pve.json.loads(r.out)['containerId']).ok()
            good = row('create', 'create from a template', creates)
            pve.clone_guests(box, box.create_guest(), a.guests)
            good &= row('list', 'list of %d guests' % a.guests, [timed(box, 'list')[0] for _ in range(a.rounds)])
        finally:
            box.close()
    return 1 if a.check and not good else 0


if __name__ == '__main__':
    sys.exit(main())
