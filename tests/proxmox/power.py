#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a crash of the host, or a lost file, leaves behind: a guest that runs is never stopped or removed for it, and nothing comes back."""
from pve import *

TOUCHES = '^(POST|PUT|DELETE) /nodes/[^/]+/lxc'
STRACE = shutil.which('strace')
ORDINARY = os.path.join(BUILD, 'src/cli/ctrctl')
TRACED = ORDINARY if BUILD and os.path.exists(ORDINARY) else CTRCTL


def running(box, name='main'):
    id = box.create_guest(name)
    box.call('start', id).ok()
    box.server.clear_requests()
    return id


def kept(box, id, *name):
    return os.path.join(box.data, 'containers', id, *name)


def untouched(box, id):
    same([], [(r['method'], r['path']) for r in box.server.requests(TOUCHES)], 'calls that change something')
    same('running', box.status(id))


def a_create_that_meets_an_adopted_guest_leaves_it_alone(box):
    id = running(box)
    for name in 'guests', 'containers':
        shutil.rmtree(os.path.join(box.data, name))
    # A delete without force takes it on record, and goes no further.
    box.call('delete', '--backend', 'proxmox', id).fails(1, 'running')
    box.server.clear_requests()
    box.try_guest().fails(1, id)
    untouched(box, id)
    same(False, os.path.exists(kept(box, id)))
    box.call('delete', '--force', id).ok()
    same(id, box.create_guest())


def a_create_that_finds_the_requests_folder_lost_leaves_the_guest_alone(box):
    id = running(box)
    shutil.rmtree(kept(box, id))
    box.try_guest().fails(1, 'delete --force ' + id)
    untouched(box, id)


def a_create_that_finds_an_empty_intent_leaves_the_guest_alone(box):
    id = running(box)
    os.unlink(kept(box, id, 'container.json'))
    with open(kept(box, id, 'intent.json'), 'w', encoding='utf-8'):
        pass
    box.try_guest().fails(1, 'delete --force ' + id)
    untouched(box, id)


def a_commit_that_was_lost_is_made_good(box):
    id = running(box)
    os.rename(kept(box, id, 'container.json'), kept(box, id, 'intent.json'))
    same(id, box.create_guest())
    untouched(box, id)
    same(True, os.path.exists(kept(box, id, 'container.json')))


def a_request_that_outlived_its_record_is_made_anew(box):
    """As a delete leaves it whose last removal was lost."""
    id = box.create_guest()
    shutil.copytree(kept(box, id), kept(box, id) + '.copy')
    box.call('delete', id).ok()
    os.rename(kept(box, id) + '.copy', kept(box, id))
    same('stopped', box.status(id))
    same(id, box.create_guest())
    same('created', box.status(id))


def a_delete_that_died_over_the_records_can_be_followed_by_the_create(box):
    id = box.create_guest()
    lost = os.path.join(box.data, 'guests', id)
    shutil.copytree(lost, lost + '.copy')
    shutil.copytree(kept(box, id), kept(box, id) + '.copy')
    box.call('delete', id).ok()
    os.rename(lost + '.copy', lost)
    os.rename(kept(box, id) + '.copy', kept(box, id))
    os.unlink(os.path.join(lost, 'state.json'))
    same(id, box.create_guest())
    same('created', box.status(id))


# -- what is on the disk, and when -----------------------------------------------------------------------

def traced(box, *args):
    """Its calls that bind: ("fsync", path), ("rename", to), ("unlink", path)."""
    log = os.path.join(box.folder, 'calls')
    subprocess.run([STRACE, '-y', '-qq', '-s', '400', '-o', log, '-e', 'trace=fsync,fdatasync,renameat,renameat2,unlinkat',
                    TRACED, *box.globals, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60, check=True)
    calls = []
    with open(log, encoding='utf-8', errors='replace') as f:
        for line in f:
            name, _, rest = line.partition('(')
            if name in ('fsync', 'fdatasync'):
                calls.append(('fsync', re.match(r'\d+<([^>]*)>', rest).group(1)))
            elif name in ('renameat', 'renameat2'):
                folder, new = re.search(r', (?:\d+|AT_FDCWD)<([^>]*)>, "([^"]*)"', rest).groups()
                calls.append(('rename', folder + '/' + new))
            elif name == 'unlinkat':
                folder, old = re.match(r'(?:\d+|AT_FDCWD)<([^>]*)>, "([^"]*)"', rest).groups()
                calls.append(('unlink', folder + '/' + old))
    return calls


def in_order(calls, *wanted):
    at = -1
    for one in wanted:
        later = [i for i, call in enumerate(calls) if i > at and call == one]
        if not later:
            fail('%s not after %s: %s' % (one, wanted[:wanted.index(one)], calls))
        at = later[0]


def a_request_is_on_the_disk_before_the_server_is_asked(box):
    if not STRACE:
        skip('no strace')
    path = write(box, box.guest_request(), 'request.json')
    calls = traced(box, 'create', '--request', path)
    id = os.listdir(os.path.join(box.data, 'guests'))[0]
    folder, top, guests = kept(box, id), os.path.join(box.data, 'containers'), os.path.join(box.data, 'guests')
    in_order(calls, ('fsync', folder + '/intent.json'), ('fsync', folder), ('fsync', top), ('fsync', guests),
             ('rename', folder + '/container.json'), ('fsync', folder))
    # What leads there, of which the first guest makes a part.
    in_order(calls, ('fsync', folder + '/intent.json'), ('fsync', box.data), ('fsync', os.path.dirname(box.data)), ('fsync', guests))
    calls = traced(box, 'delete', id)
    in_order(calls, ('unlink', guests + '/' + id), ('fsync', guests), ('unlink', top + '/' + id), ('fsync', top))


main(globals())
