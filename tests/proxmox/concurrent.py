#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands that meet: one waits in the middle of its work, and others come. The server holds answers back until both are there, so nothing
here depends on time."""
from pve import *

LOOK = 'GET .*/status/current$'


def begin(box, *args):
    return subprocess.Popen([CTRCTL, *box.globals, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)


def ends(child, status=0):
    out, err = child.communicate(timeout=60)
    same(status, child.returncode, err)
    return out, err


def looks(box, pattern=LOOK):
    return len(box.server.requests(pattern))


def start_that_waits(box, id):
    """It has looked, has noted that it starts it, and looks again: the next who looks lets it go on."""
    box.server.clear_requests()
    box.server.fault(LOOK, 'gather', n=2, nth=2, count=2)
    child = begin(box, 'start', id)
    eventually(lambda: looks(box) == 2, 30, 'the second look')
    return child


def state_during_a_start_is_not_stopped(box):
    id = box.create_guest()
    child = start_that_waits(box, id)
    same('created', box.status(id))
    ends(child)
    same('running', box.status(id))


def list_during_a_start_is_not_stopped(box):
    box.server.set(stat_lag=0)
    id = box.create_guest()
    child = start_that_waits(box, id)
    same({id: 'created'}, {c['id']: c['status'] for c in json.loads(box.call('list', '--format', 'json').ok().out)})
    box.status(id)
    ends(child)


def a_stop_during_a_start_stops_it(box):
    id = box.create_guest()
    child = start_that_waits(box, id)
    box.call('stop', id).ok()
    ends(child)
    same('stopped', box.status(id))
    same((1, False), (len(box.server.tasks('vzstart')), box.guest(id)['running']))


def a_kill_during_a_start_reaches_it(box):
    id = box.create_guest()
    child = start_that_waits(box, id)
    box.call('kill', id, 'KILL').ok()
    ends(child)
    same('stopped', box.status(id))
    same((1, 1), (len(box.server.tasks('vzstart')), len(box.server.tasks('vzstop'))))


def a_delete_during_a_start_waits_for_it(box):
    id = box.create_guest()
    child = start_that_waits(box, id)
    other = begin(box, 'delete', id)
    box.status(id)
    ends(child)
    has(ends(other, 1)[1], 'not stopped: running')
    box.call('delete', '--force', id).ok()
    box.nothing_on_the_server()


def a_wait_that_was_begun_before_the_start_ends(box):
    id = box.create_guest()
    box.server.clear_requests()
    child = begin(box, 'wait', id)
    eventually(lambda: looks(box) >= 1, 30, 'the look')
    box.call('start', id).ok()
    box.call('kill', id, 'KILL').ok()
    has(ends(child)[0], '137')


def a_start_that_is_given_up_and_goes_on_is_one(box):
    """Its deadline is over, and the task isn't: an end after it is one, and it may be started again."""
    box.configure(timeouts={'startSeconds': 1})
    id = box.create_guest()
    vmid = box.vmid(id)
    box.server.fault('TASK vzstart', 'never')
    box.call('start', id).fails(1, 'UPID')
    box.server.control('state', vmid=vmid, running=True)
    same('running', box.status(id))
    box.server.control('state', vmid=vmid, running=False)
    same('stopped', box.status(id))
    same('255', box.call('wait', id).out.strip()[:3])


def a_start_that_never_reached_the_server_can_be_repeated(box):
    id = box.create_guest()
    box.server.fault('POST .*/status/start$', 'status', code=595, empty=True, count=0)
    box.call('start', id).fails(1)
    box.server.clear_faults()
    box.call('start', id).ok()
    same('running', box.status(id))


# -- in a pod --------------------------------------------------------------------------------------------

POST = 'POST /nodes/[^/]+/lxc$'


def create_that_waits(box, pod):
    """Its guest is being made; the create of another goes with it."""
    other = write(box, box.guest_request('other', pod='other'), 'other.json')
    path = write(box, box.guest_request(pod=pod), 'request.json')
    box.server.clear_requests()
    box.server.fault(POST, 'gather', n=2, count=2)
    child = begin(box, 'create', '--request', path)
    eventually(lambda: looks(box, POST) == 1, 30, 'the POST')
    return child, other


def only_the_other_is_there(box, child, other):
    id = json.loads(box.call('create', '--request', other).ok().out)['containerId']
    has(ends(child, 1)[1], 'not ready any more')
    same([box.vmid(id)], [g['vmid'] for g in box.server.ours()])
    same([id], os.listdir(os.path.join(box.data, 'guests')))
    same([id], os.listdir(os.path.join(box.data, 'containers')))


def a_pod_can_be_stopped_while_a_guest_is_made_in_it(box):
    child, other = create_that_waits(box, 'pod')
    box.call('sandbox', 'stop', box.pod()).ok()
    only_the_other_is_there(box, child, other)


def a_pod_that_is_removed_takes_along_what_is_made_in_it(box):
    child, other = create_that_waits(box, 'pod')
    remover = begin(box, 'sandbox', 'remove', box.pod())
    eventually(lambda: 'NOTREADY' in box.call('sandbox', 'list').ok().out.upper(), 30, 'the end of the pod')
    only_the_other_is_there(box, child, other)
    remover.communicate(timeout=60)
    # The remover may have waited too long for the create.
    box.call('sandbox', 'remove', box.pod()).ok()


main(globals())
