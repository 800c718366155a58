#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Guests of somebody else's are never touched: whatever number, tags or description they have, and whatever happens to ours."""
from pve import *

TOUCHES = '^(POST|PUT|DELETE) /nodes/[^/]+/lxc/[0-9]+'


def untouched(box, test):
    """Nothing but looks while test() runs."""
    before = len(box.server.requests(TOUCHES))
    test()
    same([], [(r['method'], r['path']) for r in box.server.requests(TOUCHES)[before:]], 'calls that change something')


def taken_over(box, running=True):
    """A container whose guest is gone, and whose VMID somebody else has by now."""
    id = box.create_guest()
    box.call('start', id).ok()
    vmid = box.vmid(id)
    box.server.recreate_by_stranger(vmid, running=running)
    return id, vmid


def a_strangers_guest_under_our_number_is_not_ours(box):
    id, vmid = taken_over(box)
    before = box.server.guest(vmid)

    def test():
        same('stopped', box.status(id))
        for words in ['start', id], ['kill', id, 'KILL'], ['kill', id, 'TERM'], ['update', '--memory', '268435456', id]:
            box.call(*words).fails(1)
        box.call('stop', id)
        r = box.call('delete', id).ok()
        has(r.err, "somebody else's")
    untouched(box, test)
    after = box.server.guest(vmid)
    same((before['config'], True), (after['config'], after['running']))
    box.call('state', id).fails(1, 'does not exist')
    box.server.remove(vmid)


def a_forced_delete_spares_it_too(box):
    id, vmid = taken_over(box)
    untouched(box, lambda: box.call('delete', '--force', id).ok())
    same(True, box.server.guest(vmid)['running'])
    box.server.remove(vmid)


def a_virtual_machine_under_our_number_is_not_ours(box):
    id = box.create_guest()
    vmid = box.vmid(id)
    box.server.remove(vmid)
    box.server.make_qemu(vmid)

    def test():
        same('stopped', box.status(id))
        box.call('start', id).fails(1)
        box.call('delete', '--force', id).ok()
    untouched(box, test)
    same('qemu', box.server.guest(vmid)['kind'])
    same([], box.call('list', '-q').ok().out.split())
    box.server.remove(vmid)


def one_that_may_not_be_seen_under_our_number_ends_with_a_right_to_look(box):
    """Ours, or somebody else's? Without that right nobody can tell, so the record stays until somebody gives it."""
    role = box.server.control('held', id='ctrctl@pve!ctrl')['/']
    id = box.create_guest()
    vmid = box.vmid(id)
    box.server.recreate_by_stranger(vmid)
    box.server.privileges({'/': role, '/vms/%d' % vmid: []})
    untouched(box, lambda: box.call('delete', '--force', id).fails(1, 'pveum acl modify /vms/%d --roles PVEAuditor' % vmid))
    box.server.privileges({'/': role, '/vms/%d' % vmid: ['VM.Audit']})
    untouched(box, lambda: has(box.call('delete', '--force', id).ok().err, "somebody else's"))
    box.server.privileges({'/': role})
    same([vmid], [g['vmid'] for g in box.server.guests()])
    box.server.remove(vmid)


def a_guest_whose_journal_and_rights_were_lost_is_not_given_up(box):
    id = box.create_guest()
    vmid = box.vmid(id)
    os.unlink(os.path.join(box.data, 'guests', id, 'guest.json'))
    role = box.server.control('held', id='ctrctl@pve!ctrl')['/']
    box.server.privileges({'/': ['Datastore.Audit']})
    untouched(box, lambda: box.call('delete', '--force', id).fails(1, 'guest %d' % vmid, 'in use'))
    box.server.privileges({'/': role})
    box.call('delete', id).ok()
    box.nothing_on_the_server()


def one_that_is_taken_over_between_stop_and_delete_is_spared(box):
    """The look right before the DELETE counts, not the one before the stop."""
    id = box.create_guest()
    box.call('start', id).ok()
    vmid = box.vmid(id)
    box.server.fault('POST .*/status/stop$', 'control', op='recreate', args={'vmid': '$vmid'}, after=True)
    box.call('delete', '--force', id)
    same([], box.server.requests('^DELETE /nodes/[^/]+/lxc/'))
    same('other', box.server.guest(vmid)['config']['tags'])
    box.server.remove(vmid)


def one_that_is_taken_over_while_its_lock_is_waited_for_is_spared(box):
    id = box.create_guest()
    vmid = box.vmid(id)
    box.server.lock(vmid, 'backup')
    # Looks: the verb's, the one before the first try, the one before the second.
    box.server.fault('GET .*/status/current$', 'control', op='recreate', args={'vmid': '$vmid'}, nth=3)
    box.call('delete', id).ok()
    same(1, len(box.server.requests('^DELETE /nodes/[^/]+/lxc/')))
    same('other', box.server.guest(vmid)['config']['tags'])
    box.server.remove(vmid)


def an_admins_clone_is_not_ours(box):
    """It has our tags and our description, but another number."""
    id = box.create_guest()
    config = box.guest(id)['config']
    box.server.control('make_guest', vmid=200900, config=config, running=True)
    same([id], [c['id'] for c in json.loads(box.call('list', '--format', 'json').ok().out)])
    box.call('delete', '--force', id).ok()
    same((True, config['tags']), (box.server.guest(200900)['running'], box.server.guest(200900)['config']['tags']))
    same([], json.loads(box.call('list', '--format', 'json').ok().out))
    box.call('delete', '--backend', 'proxmox', '--force', id)
    same(True, box.server.guest(200900)['running'])
    box.server.remove(200900)


def a_clone_that_got_our_number_is_not_ours(box):
    """Ours was removed, and a copy of another of ours was put in its place."""
    one, two = box.create_guest('one'), box.create_guest('two')
    vmid, config = box.vmid(one), box.guest(two)['config']
    box.server.remove(vmid)
    box.server.control('make_guest', vmid=vmid, config=config, running=True)
    untouched(box, lambda: box.call('delete', '--force', one).ok())
    same(True, box.server.guest(vmid)['running'])
    box.server.remove(vmid)


def one_without_tags_is_still_ours(box):
    """They only help to find it; and some datacenters forbid them."""
    id = box.create_guest()
    box.server.strip_tags(box.vmid(id))
    box.call('start', id).ok()
    same('running', box.status(id))
    box.call('stop', id).ok()
    box.call('delete', id).ok()
    same([], [g['vmid'] for g in box.server.guests() if g['kind'] == 'lxc'])


def one_whose_description_was_edited_away_is_not_touched(box):
    id = box.create_guest()
    box.call('start', id).ok()
    vmid = box.vmid(id)
    box.server.edit_description(vmid, 'my notes')

    def test():
        same('running', box.status(id))
        for options in [], ['--all']:
            box.call('kill', *options, id, 'KILL').fails(1, 'its description has no line')
        box.call('delete', '--force', id).fails(1, "isn't touched", 'docs/proxmox.md')
    untouched(box, test)
    same(True, box.server.guest(vmid)['running'])
    # As the hint has it: no tags, no claim.
    box.server.strip_tags(vmid)
    untouched(box, lambda: has(box.call('delete', '--force', id).ok().err, "somebody else's"))
    same(True, box.server.guest(vmid)['running'])
    box.server.remove(vmid)


def notes_around_our_line_do_no_harm(box):
    id = box.create_guest()
    vmid = box.vmid(id)
    box.server.edit_description(vmid, 'call Bob before\n' + box.server.guest(vmid)['config']['description'] + 'and after')
    box.call('start', id).ok()
    box.call('delete', '--force', id).ok()
    box.nothing_on_the_server()


def a_line_that_was_tampered_with_is_none(box):
    id = box.create_guest()
    vmid = box.vmid(id)
    good = box.server.guest(vmid)['config']['description']
    for bad in (good.replace('"vmid":%d' % vmid, '"vmid":%d' % (vmid + 1)), good.replace(id, id[:-1] + ('0' if id[-1] != '0' else '1')),
                good.replace('ctrctl:v1:{', 'ctrctl:v1:{{'), good.replace('ctrctl:v1:', ' ctrctl:v1:')):
        box.server.edit_description(vmid, bad)
        untouched(box, lambda: box.call('start', id).fails(1))
    box.server.edit_description(vmid, good)
    box.call('delete', id).ok()


def one_of_our_id_that_another_host_has_made_is_left_alone(box):
    """Two hosts with one range, and a container of the same id on each: the second guest has our number, tags and id."""
    id = box.create_guest()
    vmid = box.vmid(id)
    config = box.guest(id)['config']
    box.server.remove(vmid)
    box.server.control('make_guest', vmid=vmid, running=True, config={
        'tags': config['tags'], 'description': re.sub('"created":"[^"]*"', '"created":"2031-01-01T00:00:00Z"', config['description'])})
    untouched(box, lambda: box.call('kill', id, 'KILL').fails(1))
    untouched(box, lambda: has(box.call('delete', '--force', id).ok().err, "somebody else's"))
    same(True, box.server.guest(vmid)['running'])
    box.server.remove(vmid)


def without_a_record_there_is_no_second_guest_of_an_id(box):
    """The disk was lost, or another host has a container of this id in the same range."""
    id = box.create_guest()
    vmid = box.vmid(id)
    for kept in 'guests', 'containers':
        shutil.rmtree(os.path.join(box.data, kept))
    untouched(box, lambda: box.try_guest().fails(1, 'VMID %d' % vmid, 'delete --backend proxmox ' + id, 'proxmox.vmids'))
    same([vmid], [g['vmid'] for g in box.server.guests()])
    same([id], box.call('list', '-q').ok().out.split())
    # Its tags alone say nothing: a clone has them, too.
    box.server.control('make_guest', vmid=vmid + 1, config={k: box.guest(id)['config'][k] for k in ('tags', 'description')})
    box.call('delete', '--backend', 'proxmox', id).ok()
    same(id, box.create_guest())
    box.server.remove(vmid + 1)
    box.call('delete', id).ok()


def what_is_protected_stays(box):
    id = box.create_guest()
    box.call('start', id).ok()
    vmid = box.vmid(id)
    box.server.edit(vmid, protection='1')
    untouched(box, lambda: box.call('delete', '--force', id).fails(1, 'protected', '--protection 0'))
    same(('1', True), (box.server.guest(vmid)['config']['protection'], box.server.guest(vmid)['running']))
    box.server.edit(vmid, protection=None)
    box.call('delete', '--force', id).ok()
    box.nothing_on_the_server()


def a_record_of_another_guest_does_not_lead_to_it(box):
    """Whoever writes our files is root; but files get mixed up."""
    one, two = box.create_guest('one'), box.create_guest('two')
    path = os.path.join(box.data, 'guests', one, 'guest.json')
    with open(path, encoding='utf-8') as f:
        text = f.read()
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text.replace(str(box.vmid(one)), str(box.vmid(two))))
    untouched(box, lambda: box.call('start', one).fails(1))
    untouched(box, lambda: box.call('delete', '--force', one).ok())
    same(2, len(box.server.ours()))
    same('created', box.status(two))
    # Its own guest is a stray now.
    box.call('delete', '--backend', 'proxmox', one).ok()
    box.call('delete', two).ok()
    box.nothing_on_the_server()


main(globals())
