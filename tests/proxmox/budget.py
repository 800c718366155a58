#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many requests a verb costs. Times are only shown: tools/bench.d/proxmox measures them."""

from pve import *

# program: ordinary
POLLING = r'GET /nodes/[^/]+/tasks/UPID:[^/]+/status$'


def requests_of(box, call):
    """What call() asks for, without the polling of tasks."""
    box.server.clear_requests()
    begin = time.monotonic()
    value = call()
    took = time.monotonic() - begin
    asked = ['%s %s' % (r['method'], r['path']) for r in box.server.requests() if not re.match(
        POLLING, '%s %s' % (r['method'], r['path']))]
    print('# %d requests, %.0f ms: %s' % (len(asked), took * 1000, '; '.join(asked)))
    return value, asked


def at_most(n, asked):
    if len(asked) > n:
        fail('%d requests instead of %d: %s' % (len(asked), n, asked))


def a_template_costs_four_requests(box):
    box.pod()
    for request in {}, {'command': ['/bin/sleep', '1'], 'envs': [{'key': 'A', 'value': '1'}]}:
        id, asked = requests_of(box, lambda: box.create_guest('c%d' % len(request), **request)) # pylint: disable=cell-var-from-loop
        at_most(4, asked)
        same(1, len([a for a in asked if a.startswith('POST')]))


def an_archive_costs_seven_requests(box):
    box.pod()
    _, asked = requests_of(box, lambda: box.create_guest(image='lxc/postgres-16', command=['/bin/mine', 'a b'],
                                                         envs=[{'key': 'A', 'value': '1'}]))
    at_most(7, asked)


def a_ticket_costs_one_request_more(box):
    box.configure(box.server.as_root())
    box.pod()
    _, asked = requests_of(box, box.create_guest)
    at_most(5, asked)
    same(1, asked.count('POST /access/ticket'))


def start_stop_state_and_delete_cost_few_requests(box):
    id = box.create_guest()
    for verb, most in (('start', 4), ('state', 2), ('kill', 6), ('delete', 8)):
        words = [verb, id, 'KILL'] if verb == 'kill' else [verb, '--force', id] if verb == 'delete' else [verb, id]
        _, asked = requests_of(box, lambda: box.call(*words).ok()) # pylint: disable=cell-var-from-loop
        at_most(most, asked)
    same([], box.server.guests())


def the_list_of_a_thousand_guests_is_one_request(box):
    id = box.create_guest()
    copies = clone_guests(box, id, 1000)
    box.server.advance(11)
    r, asked = requests_of(box, lambda: box.call('list', '--format', 'json').ok())
    same(['GET /cluster/resources'], asked)
    listed = json.loads(r.out)
    same(1000, len(listed))
    same([], [one for one in listed if one.get('stray')])
    same({'created'}, {one['status'] for one in listed} - {'stopped'})
    forget(box, copies)


main(globals())
