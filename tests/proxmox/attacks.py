#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What others have written, into our files or on the server, leads to nobody else's container, loses none, and moves no terminal."""
import contextlib
import errno
import glob
import hashlib
import threading

from pve import *

STRAY = '%032x' % 0xabc0000000000000abc


def record(box, id, name):
    return os.path.join(box.data, 'guests', id, name)


def overwrite(path, text):
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)


def contents(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def stray(box, id, vmid, **said):
    """A guest of whoever may write descriptions: it says that it is a container of ours."""
    text = json.dumps({'id': id, 'vmid': vmid, **said})
    tag = id[:16] if re.match('[0-9a-f]{16}', id) else hashlib.sha256(id.encode()).hexdigest()[:16]
    box.server.control('make_guest', vmid=vmid, running=True,
                       config={'tags': 'ctrctl;ctrctl-' + tag, 'description': 'x\nctrctl:v1:' + text + '\n'})


# -- our files -------------------------------------------------------------------------------------------

def a_journal_of_another_container_does_not_lead_to_its_guest(box):
    one, two = box.create_guest('one'), box.create_guest('two')
    for id in one, two:
        box.call('start', id).ok()
    overwrite(record(box, one, 'guest.json'), contents(record(box, two, 'guest.json')))
    for words in ['kill', one, 'KILL'], ['stop', one], ['update', '--memory', '268435456', one]:
        box.call(*words).fails(1)
    box.call('delete', '--force', one).ok()
    same('running', box.status(two))
    same([box.vmid(two)], [g['vmid'] for g in box.server.ours()])


def a_broken_journal_keeps_nobody_from_removing_its_guest(box):
    for text in '', '{', '[]', '{"version":1}', '\0' * 300, '{"version":2,"id":"x","vmid":104,"node":"pve1","phase":"made"}', ' ' * 70000:
        id = box.create_guest()
        box.call('start', id).ok()
        overwrite(record(box, id, 'guest.json'), text)
        box.call('start', id).fails(1, 'journal')
        box.call('delete', id).fails(1, 'journal')
        same(1, len(box.server.ours()))
        box.call('delete', '--force', id).ok()
        box.nothing_on_the_server()
        box.call('state', id).fails(1, 'does not exist')


def with_record_and_journal_broken_it_is_found_by_its_tags(box):
    id = box.create_guest()
    box.call('start', id).ok()
    for name in 'state.json', 'guest.json':
        overwrite(record(box, id, name), '{')
    box.call('delete', '--force', id).ok()
    box.nothing_on_the_server()


def one_that_cannot_be_found_at_all_is_said_to_be_perhaps_there(box):
    id = box.create_guest()
    vmid = box.vmid(id)
    box.server.strip_tags(vmid)
    for name in 'state.json', 'guest.json':
        overwrite(record(box, id, name), '{')
    has(box.call('delete', '--force', id).ok().err, 'may still be there')
    box.server.remove(vmid)


def a_broken_journal_does_not_lead_to_a_strangers_guest(box):
    id = box.create_guest()
    vmid = box.vmid(id)
    box.server.recreate_by_stranger(vmid, running=True)
    overwrite(record(box, id, 'guest.json'), '{')
    box.call('delete', '--force', id).ok()
    same((True, 'other'), (box.server.guest(vmid)['running'], box.server.guest(vmid)['config']['tags']))
    box.server.remove(vmid)


def a_broken_journal_and_no_server_lose_nothing(box):
    id = box.create_guest()
    overwrite(record(box, id, 'guest.json'), '{')
    box.configure(endpoint='https://127.0.0.1:1')
    box.call('delete', '--force', id).fails(1)
    same(True, os.path.exists(record(box, id, 'state.json')))
    box.configure()
    box.call('delete', '--force', id).ok()
    box.nothing_on_the_server()


# -- what a server says ----------------------------------------------------------------------------------

def no_terminal_obeys_what_a_list_shows(box):
    stray(box, STRAY, 200900, created='\x1b[2J\x9b1m\x07evil\nrow')
    rows = [{'vmid': 200900, 'node': '\x1b]0;x\x07pve1', 'type': 'lxc', 'status': 'running', 'tags': 'ctrctl;ctrctl-' + STRAY[:16]}]
    for fake in False, True:
        if fake:
            box.server.fault('GET /cluster/resources', 'body', body=json.dumps({'data': rows}), text=json.dumps({'data': rows}), count=0)
        r = box.call('list')
        same([], [c for c in r.ok().out + r.err if ord(c) < 0x20 and c != '\n' or 0x7f <= ord(c) < 0xa0], 'control characters')
        same(fake or 2, fake or len(r.out.splitlines()), r.out)
    box.server.clear_faults()
    box.server.remove(200900)


def a_description_hides_no_container_of_this_kernel(box):
    box.start(id='here')
    stray(box, 'here', 200901)
    rows = [(r['id'], r['backend'], r['status']) for r in json.loads(box.call('list', '--format', 'json').ok().out)]
    has(rows, ('here', 'native', 'running'))
    box.server.remove(200901)


def nor_gets_it_deleted(box):
    box.start(id='here')
    stray(box, 'here', 200901)
    for words in ['delete', '--force'], ['delete'], ['state']:
        box.call(*words, '--backend', 'proxmox', 'here').fails(1, 'native')
    same('running', box.status('here'))
    box.server.remove(200901)
    box.call('delete', '--force', '--backend', 'proxmox', 'here').fails(1, 'native')
    same('running', box.status('here'))


# -- a data folder that is full --------------------------------------------------------------------------

@contextlib.contextmanager
def small_disk(box, _=None):
    os.makedirs(box.data, exist_ok=True)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m,mode=700', 'small', box.data], check=True)
    try:
        yield os.path.join(box.data, 'filler')
    finally:
        for id in os.listdir(os.path.join(box.data, 'guests')):
            if not id.startswith('.'):
                box.call('delete', '--force', id)
        subprocess.run(['umount', '-l', box.data], check=True)


def fill(path):
    with open(path, 'wb', buffering=0) as f:
        try:
            while True:
                f.write(b'x' * 4096)
        except OSError as e:
            same(errno.ENOSPC, e.errno)


def what_is_there_can_be_stopped_and_removed(box):
    with small_disk(box) as filler:
        ids = [box.create_guest('one'), box.create_guest('two'), box.create_guest('three')]
        for id in ids[:2]:
            box.call('start', id).ok()
        fill(filler)
        box.call('start', ids[2]).fails(1)
        box.call('kill', ids[0], 'KILL').ok()
        same('stopped', box.status(ids[0]))
        box.call('delete', ids[0]).ok()
        fill(filler)
        box.call('delete', '--force', ids[1]).ok()
        fill(filler)
        box.call('delete', ids[2]).ok()
        box.nothing_on_the_server()


def a_create_leaves_nothing_wherever_it_gets_full(box):
    with small_disk(box) as filler:
        box.pod()
        for match in 'POST /nodes/pve1/lxc$', 'GET /nodes/pve1/tasks/.*/status$':
            box.server.fault(match, 'delay', seconds=2)
            maker = threading.Thread(target=box.try_guest)
            maker.start()
            folder = os.path.join(box.data, 'guests')
            while not glob.glob(os.path.join(folder, '*', 'guest.json')):
                time.sleep(0.01)
            fill(filler)
            maker.join()
            os.unlink(filler)
            same([], [n for n in os.listdir(folder) if not n.startswith('.')], match)
            box.nothing_on_the_server()


def nothing_is_mounted_over_a_guests_root(box):
    box.configure(section=box.server.as_root(localNode='pve1'))
    for path in ('/', '//', '/x/..'):
        r = box.try_guest(mounts=[{'container_path': path, 'host_path': '/srv'}])
        r.fails(1, 'container_path')
    same([], box.server.requests('^POST /nodes'))


def a_guest_of_another_hosts_range_isnt_taken(box):
    """Its marks may be right: it is on that host's record."""
    id = box.create_guest()
    for folder in ('guests', 'containers'):
        shutil.rmtree(os.path.join(box.data, folder, id))
    box.configure(vmids=[300000, 300999])
    box.call('delete', '--backend', 'proxmox', id).fails(1, 'does not exist')
    same(1, len(box.server.ours()))
    box.configure()
    box.call('delete', '--backend', 'proxmox', id).ok()
    box.nothing_on_the_server()


main(globals())
