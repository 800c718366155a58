#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several creates at once, and others who take VMIDs meanwhile: no guest is lost, none is doubled, none of somebody else's is touched."""

from pve import *


def at_once(box, n, pod='pod'):
    """n creates begun together: their Results, in order of their names."""
    calls = []
    for i in range(n):
        path = write(box, box.guest_request('c%d' % i, pod=pod), 'request-%d.json' % i)
        out = open(path + '.out', 'w+b') # pylint: disable=consider-using-with
        calls.append((subprocess.Popen([CTRCTL, *box.globals, 'create', '--request', path], stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.PIPE), out))
    results = []
    for child, out in calls:
        err = child.stderr.read().decode(errors='replace')
        child.stderr.close()
        status = child.wait(240)
        out.seek(0)
        results.append(Result(status, out.read().decode(), err))
        out.close()
    return results


def delete_all(box, ids):
    children = [subprocess.Popen([CTRCTL, *box.globals, 'delete', '--force', id], stdin=subprocess.DEVNULL) for id in ids]
    same([0] * len(ids), [c.wait(240) for c in children], 'deletes')


def each_has_its_own(box, results):
    """Every create answered with an id, and that id has one guest of its own."""
    ids = [json.loads(r.ok().out)['containerId'] for r in results]
    same(len(ids), len(set(ids)), 'different ids')
    guests = box.server.guests()
    same(len(ids), len(guests), 'guests')
    same(sorted(ids), sorted(id for id in ids for g in guests if id in g['config'].get('description', '')))
    same([], [g['vmid'] for g in guests if 'lock' in g['config']], 'locked guests')
    return ids


def eight_creates_at_once_that_want_the_same_ids(box):
    box.configure(vmids=[200000, 200007])
    # All of them see an empty cluster before the first one begins.
    box.server.fault('GET /cluster/resources', 'gather', n=8, count=8)
    ids = each_has_its_own(box, at_once(box, 8))
    posts = box.server.requests('POST /nodes/pve./lxc$')
    same(8, len([p for p in posts if p['status'] == 200]))
    same([8], [rule['hits'] for rule in box.server.faults()])
    print('# %d of %d POSTs have lost' % (len(posts) - 8, len(posts)))
    same(set(range(200000, 200008)), {g['vmid'] for g in box.server.guests()})
    delete_all(box, ids)
    same([], box.server.guests())


def a_ninth_create_for_eight_ids_says_that_there_is_none_left(box):
    box.configure(vmids=[200000, 200007])
    each_has_its_own(box, at_once(box, 8))
    r = box.try_guest('ninth').fails(1, '200000', '200007')
    same(8, len(box.server.guests()), r.err)


def a_hundred_creates_at_once(box):
    # The machine may have other things to do, too.
    box.configure(timeouts={'connectSeconds': 60, 'callSeconds': 300})
    ids = each_has_its_own(box, at_once(box, 100))
    same(100, len({g['vmid'] for g in box.server.guests()}))
    same(sorted(ids), sorted(box.call('list', '-q').ok().out.split()))
    delete_all(box, ids)
    same([], box.server.guests())
    same([], box.call('list', '-q').ok().out.split())


def first_vmid(b):
    """What a create would take first: the request's container is deleted again."""
    id = b.create_guest()
    vmid = b.vmid(id)
    b.call('delete', '--force', id).ok()
    b.server.clear_requests()
    return vmid


def a_virtual_machine_at_the_first_id_is_passed_over(box):
    vmid = first_vmid(box)
    box.server.make_qemu(vmid, 'pve2')
    id = box.create_guest()
    same(1, len(box.server.requests('POST /nodes/pve./lxc$')))
    if box.vmid(id) == vmid:
        fail('the same id twice')
    same('qemu', box.server.guest(vmid)['kind'])


def an_id_taken_after_the_look_is_passed_over(box):
    vmid = first_vmid(box)
    box.server.fault('POST /nodes/pve./lxc$', 'control', op='make_qemu', args={'vmid': '$vmid'}, count=3)
    id = box.create_guest()
    same([500, 500, 500, 200], [p['status'] for p in box.server.requests('POST /nodes/pve./lxc$')])
    same(['qemu'] * 3, [g['kind'] for g in box.server.guests() if g['vmid'] != box.vmid(id)])
    same('qemu', box.server.guest(vmid)['kind'])


def an_id_whose_lock_file_is_held_is_passed_over(box):
    box.server.fault('POST /nodes/pve./lxc$', 'status', code=500, text="unable to create CT 200001 - can't lock file "
                     "'/run/lock/lxc/pve-config-200001.lock' - got timeout", count=2)
    box.create_guest()
    same([500, 500, 200], [p['status'] for p in box.server.requests('POST /nodes/pve./lxc$')])


def an_id_of_a_guest_that_may_not_be_seen_is_passed_over(box):
    vmid = first_vmid(box)
    role = box.server.control('held', id='ctrctl@pve!ctrl')['/']
    box.server.privileges({'/': role, '/vms/%d' % vmid: []})
    box.server.control('make_guest', vmid=vmid, config={'description': 'hidden\n'})
    id = box.create_guest()
    same([500, 200], [p['status'] for p in box.server.requests('POST /nodes/pve./lxc$')])
    if box.vmid(id) == vmid:
        fail('the same id twice')


def when_every_id_is_taken_the_walk_ends(box):
    box.server.fault('POST /nodes/pve./lxc$', 'control', op='make_qemu', args={'vmid': '$vmid'}, count=0)
    box.try_guest().fails(1, 'no VMID is free')
    posts = len(box.server.requests('POST /nodes/pve./lxc$'))
    if not 2 <= posts <= 40:
        fail('%d tries' % posts)
    same({'qemu'}, {g['kind'] for g in box.server.guests()})
    same([], box.call('list', '-q').ok().out.split())


def the_same_request_twice_at_once_makes_one_guest(box):
    path = write(box, box.guest_request(), 'request.json')
    argv = [CTRCTL, *box.globals, 'create', '--request', path]
    children = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
    answers = [c.communicate(timeout=120)[0].decode() for c in children]
    # One makes it; for the other, which waits, it is there already.
    same([0, 0], [c.returncode for c in children])
    same(1, len(set(answers)), 'answers: %s' % answers)
    same(1, len(box.server.guests()), 'guests after %s' % answers)
    same(1, len(box.server.requests('POST /nodes/pve./lxc$')))


def a_life_with_faults_at_random_leaves_nothing(box):
    """Each command does what it should, or says that it couldn't; what is there afterwards can be deleted."""
    faults = (('^GET', 'status', {'code': 595, 'empty': True}), ('^GET', 'truncate', {'bytes': 20}), ('^(POST|PUT|DELETE)', 'drop', {}),
              ('^(POST|PUT|DELETE)', 'close', {}))
    guests = os.path.join(box.data, 'guests')
    for seed in 1, 2:
        for match, do, more in faults:
            box.server.fault(match, do, count=0, probability=0.1, seed=seed, **more)
        made = box.try_guest('main%d' % seed)
        if made.status == 0:
            id = json.loads(made.out)['containerId']
            for words in ['start'], ['state'], ['kill'], ['stop'], ['delete']:
                r = box.call(*words, id)
                if r.status not in (0, 1) or (r.status == 1) != bool(r.err):
                    fail('%s: status %d: %s' % (words, r.status, r.err))
        assert sum(rule['hits'] for rule in box.server.faults()) > 0
        box.server.clear_faults()
        for id in os.listdir(guests):
            if not id.startswith('.'):
                box.call('delete', '--force', id).ok()
        box.nothing_on_the_server()
        same('', box.call('list', '-q').ok().out)


main(globals())
