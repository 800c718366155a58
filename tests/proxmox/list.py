#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One list for both backends: one request, however many there are; up to ten seconds old, and honest about it."""
from pve import *

ID = '%016x0123456789abcdef'  # an id whose tag is its beginning


def listed(box, result=None):
    """By id."""
    rows = json.loads((result or box.call('list', '--format', 'json')).ok().out)
    same(len(rows), len({r['id'] for r in rows}), 'ids, each once')
    return {r['id']: r for r in rows}


def statuses(box, result=None):
    return {id: r['status'] for id, r in listed(box, result).items()}


def description(id, vmid):
    return 'a guest\nctrctl:v1:' + json.dumps({'id': id, 'vmid': vmid})


def make_stray(box, number, vmid, claimed=None, **more):
    """One with our marks and no record."""
    id = ID % number
    box.server.control('make_guest', vmid=vmid, running=True,
                       config={'tags': 'ctrctl;ctrctl-%016x' % number, 'description': description(id, claimed or vmid) + '\n', **more})
    return id


def a_list_is_one_request(box):
    box.server.set(stat_lag=0)
    ids = [box.create_guest('main%d' % i) for i in range(3)]
    box.call('start', ids[1]).ok()
    box.call('start', ids[2]).ok()
    box.call('stop', ids[2]).ok()
    box.server.clear_requests()
    rows = listed(box)
    same(['created', 'running', 'stopped'], [rows[id]['status'] for id in ids])
    same(['/cluster/resources'], [r['path'] for r in box.server.requests()])
    for id in ids:
        same(('proxmox', 'pve1/%d' % box.vmid(id), 10), (rows[id]['backend'], rows[id]['place'], rows[id]['maxAgeSeconds']))


def a_new_guest_is_listed_though_nobody_has_reported_it(box):
    """The nodes report every ten seconds; until then it is "unknown" there."""
    box.server.set(stat_lag=1000)
    id = box.create_guest()
    same('created', listed(box)[id]['status'])
    box.call('start', id).ok()
    same('running', listed(box)[id]['status'])
    same('running', box.status(id))


def a_list_may_be_late_and_state_is_not(box):
    box.server.set(stat_lag=1000)
    id = box.create_guest()
    box.server.set(stat_lag=1001)  # it is noted now: stopped
    box.call('start', id).ok()
    same(('stopped', 'running'), (listed(box)[id]['status'], box.status(id)))


def native_ones_are_listed_without_the_server(box):
    guest = box.create_guest()
    box.start(id='here')
    box.configure(endpoint='https://127.0.0.1:1')
    r = box.call('list', '--format', 'json')
    same({'here': 'running', guest: 'unknown'}, statuses(box, r))
    has(r.err, 'list: proxmox')
    box.configure()
    box.server.fault('/cluster/resources', 'status', code=500, text='something broke\n', count=0)
    r = box.call('list', '--format', 'json')
    same({'here': 'running', guest: 'unknown'}, statuses(box, r))
    has(r.err, 'something broke')


def a_list_that_is_none_is_no_list(box):
    guest = box.create_guest()
    for do in 'null_data', 'invalid_json', 'html':
        box.server.fault('/cluster/resources', do, count=0)
        same({guest: 'unknown'}, statuses(box), do)
        box.server.clear_faults()


def a_guest_that_moved_is_listed_where_it_is(box):
    id = box.create_guest()
    box.server.migrate(box.vmid(id), 'pve2')
    same('pve2/%d' % box.vmid(id), listed(box)[id]['place'])


def a_node_that_is_off_makes_its_guests_unknown(box):
    box.server.set(stat_lag=0)
    id = box.create_guest()
    box.call('start', id).ok()
    record = os.path.join(box.data, 'guests', id, 'state.json')
    with open(record, encoding='utf-8') as f:
        text = f.read()
    with open(record, 'w', encoding='utf-8') as f:  # not a new one
        f.write(re.sub(r'"created":"[^"]*"', '"created":"2026-01-02T03:04:05.000000000Z"', text))
    box.server.migrate(box.vmid(id), 'pve2')
    box.server.set(nodes={'pve2': 'offline'})
    same(('unknown', 'pve2/%d' % box.vmid(id)), (listed(box)[id]['status'], listed(box)[id]['place']))
    box.call('state', id).fails(1)
    box.call('delete', '--force', id).fails(1)
    box.server.set(nodes={'pve2': 'online'})
    same('running', box.status(id))


def a_guest_that_was_removed_is_stopped(box):
    id, other = box.create_guest(), box.create_guest('other')
    box.server.remove(box.vmid(id))
    same('stopped', statuses(box)[id])
    same('stopped', box.status(id))
    same('created', statuses(box)[other])
    box.call('delete', id).ok()


def guests_that_may_not_be_seen_are_not_stopped(box):
    id = box.create_guest()
    box.server.privileges({'/storage': ['Datastore.Audit']})
    r = box.call('list', '--format', 'json')
    same({id: 'unknown'}, statuses(box, r))
    has(r.err, 'VM.Audit')
    box.server.privileges({'/': 'VM.Allocate VM.Audit VM.PowerMgmt VM.Config.Options Datastore.Audit'.split()})
    same({id: 'created'}, statuses(box))


def one_without_its_tags_is_known_by_its_description(box):
    id = box.create_guest()
    box.server.strip_tags(box.vmid(id))
    same('pve1/%d' % box.vmid(id), listed(box)[id]['place'])


def a_stranger_under_its_number_is_not_it(box):
    id = box.create_guest()
    vmid = box.vmid(id)
    box.server.recreate_by_stranger(vmid, running=True)
    row = listed(box)[id]
    same(('stopped', None), (row['status'], row.get('place')))
    box.call('delete', id).ok()
    same(True, box.server.guest(vmid)['running'])
    box.server.remove(vmid)


# -- strays ----------------------------------------------------------------------------------------------

def strays_are_listed_and_copies_are_not(box):
    on_record = box.create_guest()
    id = make_stray(box, 1, 200500)
    make_stray(box, 2, 200501, claimed=200777)  # somebody's copy of another
    make_stray(box, 3, 150000)                  # another host's: outside of our range
    box.server.control('make_guest', vmid=200502, config={'tags': 'ctrctl;ctrctl-0000000000000009'})
    rows = listed(box)
    same({on_record, id}, set(rows))
    same((True, 'pve1/200500'), (rows[id]['stray'], rows[id]['place']))
    has(box.call('list').ok().out, id)
    for vmid in 200500, 200501, 150000, 200502:
        box.server.remove(vmid)


def a_second_guest_of_a_container_is_told_of(box):
    id = box.create_guest()
    config = box.guest(id)['config']
    text = re.sub(r'"vmid":[0-9]+', '"vmid":200600', config['description'])
    box.server.control('make_guest', vmid=200600, config={'tags': config['tags'], 'description': text})
    r = box.call('list', '--format', 'json')
    same([id], list(statuses(box, r)))
    has(r.err, '200600')
    box.server.remove(200600)
    same('created', box.status(id))


def a_strays_id_is_no_path(box):
    for i, id in enumerate(('../../../etc', 'a/b', 'a b', '.hidden', 'x' * 201, 'a\x1b[31m')):
        box.server.control('make_guest', vmid=200700 + i, config={'tags': 'ctrctl-0000000000000001',
                                                                  'description': description(id, 200700 + i) + '\n'})
    same({}, listed(box))
    for i in range(6):
        box.server.remove(200700 + i)


# -- many ------------------------------------------------------------------------------------------------

def write_records(box, id, n):
    """n more records like that of a guest, numbered, with guests 210000 and up."""
    folder = os.path.join(box.data, 'guests')
    with open(os.path.join(folder, id, 'state.json'), encoding='utf-8') as f:
        state = f.read()
    with open(os.path.join(folder, id, 'guest.json'), encoding='utf-8') as f:
        journal = f.read()
    vmid = str(box.vmid(id))
    for i in range(n):
        os.mkdir(os.path.join(folder, ID % i), 0o700)
        for name, text in (('state.json', state), ('guest.json', journal)):
            with os.fdopen(os.open(os.path.join(folder, ID % i, name), os.O_WRONLY | os.O_CREAT, 0o600), 'w') as f:
                f.write(text.replace(id, ID % i).replace(vmid, str(210000 + i)))


def a_thousand_guests_are_one_request(box):
    first = box.create_guest()
    n = 1000
    box.server.set(stat_lag=0)
    write_records(box, first, n)
    for i in range(n):
        box.server.control('make_guest', vmid=210000 + i, node='pve%d' % (i % 2 + 1), running=i % 3 == 0,
                           config={'hostname': 'ct%d' % i, 'tags': 'ctrctl;ctrctl-%016x' % i})
    box.server.clear_requests()
    rows = listed(box)
    same(1, len(box.server.requests()), 'requests')
    same(n + 1, len(rows))
    for i in range(n):
        same(('pve%d/%d' % (i % 2 + 1, 210000 + i), 'running' if i % 3 == 0 else 'created'),
             (rows[ID % i]['place'], rows[ID % i]['status']), ID % i)
    for i in range(n):
        box.server.remove(210000 + i)
        shutil.rmtree(os.path.join(box.data, 'guests', ID % i))


main(globals())
