#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What clusters do beside what is asked of them: managers, reboots, clocks, versions, answers of loose types."""

from pve import *


def whole_life(b, name='main', image='lxc/debian-12'):
    id = b.create_guest(name, image=image)
    b.call('start', id).ok()
    same('running', b.status(id))
    has(b.call('list', '-q').ok().out, id)
    b.call('stop', '--time', '1', id).ok()
    same('stopped', b.status(id))
    b.delete(id)
    same([], b.server.guests())


def answers_of_any_type_will_do(box):
    for seed in range(8):
        box.server.set(seed=seed)
        whole_life(box, 'seed%d' % seed, ('lxc/debian-12', 'lxc/postgres-16')[seed % 2])


def every_version_has_a_whole_life(box):
    for version in '7.4', '8.2', '8.4', '9.0', '9.1', '9.2':
        box.server.set(version=version)
        whole_life(box, 'v' + version.replace('.', '-'))


def a_managed_guest_is_waited_for_beyond_its_task(box):
    id = box.create_guest()
    box.server.ha(box.vmid(id))
    box.server.set(ha_seconds=1)
    box.call('start', id).ok()
    same('running', box.status(id))
    box.call('stop', '--time', '2', id).ok()
    same('stopped', box.status(id))
    box.delete(id)
    same(['vzcreate', 'hastart', 'hastop', 'vzdestroy'], [t['type'] for t in box.server.tasks()])
    same([], box.server.guests())


def a_node_that_reboots_over_a_create_leaves_what_only_its_admin_can_mend(box):
    path = write(box, box.guest_request(), 'request.json')
    box.server.set(task_seconds=600)
    create = subprocess.Popen([CTRCTL, *box.globals, 'create', '--request', path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    eventually(lambda: box.server.guests())
    box.server.set(task_seconds=0.03)
    box.server.reboot_node('pve1')
    _, err = create.communicate(timeout=60)
    same(1, create.returncode)
    has(err, 'unexpected status')
    vmid = box.server.guests()[0]['vmid']
    has(err, 'its making was cut off')
    id = os.listdir(os.path.join(box.data, 'guests'))[0]
    box.call('delete', '--force', id).fails(1, 'pct unlock %d' % vmid)
    box.server.edit(vmid, lock=None)
    box.delete(id)
    same([], box.server.guests())


def a_guest_that_was_recovered_from_a_dead_node_is_found(box):
    """High availability has taken it elsewhere; its node doesn't answer any more."""
    box.configure(nodes=['pve2'])
    id = box.create_guest()
    box.call('start', id).ok()
    box.server.migrate(box.vmid(id), 'pve1')
    box.server.set(nodes={'pve2': 'offline'})
    same('running', box.status(id))
    box.call('kill', id, 'KILL').ok()
    same('stopped', box.status(id))
    box.call('delete', id).ok()
    same([], box.server.guests())


def a_node_that_reboots_ends_its_guests(box):
    id = box.create_guest()
    box.call('start', id).ok()
    box.server.reboot_node('pve1')
    same('stopped', box.status(id))
    same(255, box.state(id)['cri']['exitCode'] if 'cri' in box.state(id) else 255)
    box.call('delete', id).ok()
    same([], box.server.guests())


def a_clock_that_jumps_breaks_nothing(box):
    for n, seconds in enumerate((-7200, 14400, -3600)):
        box.server.fault('POST /nodes/pve./lxc$', 'control', op='advance', args={'seconds': seconds, 'wall_only': True})
        whole_life(box, 'c%d' % n)


def a_ticket_that_ends_by_a_jump_is_renewed(box):
    box.configure(box.server.as_root())
    box.server.fault('GET /nodes/pve./tasks/', 'control', op='advance', args={'seconds': 14400, 'wall_only': True})
    whole_life(box)


def a_delayed_401_is_waited_for_once(box):
    box.server.set(auth401_delay=3)
    box.server.revoke()
    box.try_guest().fails(1, '401')
    same([401], [r['status'] for r in box.server.requests()])


def a_slow_server_is_only_slow(box):
    box.server.fault('.', 'delay', seconds=0.3, count=0)
    whole_life(box)


def dripping_answers_are_read(box):
    box.server.fault('^(GET|POST|PUT)', 'drip_body', seconds=0.001, count=0)
    whole_life(box)


main(globals())
