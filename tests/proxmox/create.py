#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Guests are made: the ordinary way, with answers that get lost, and by a ctrctl that dies over it."""

import glob

from pve import *

POST = 'POST /nodes/pve[12]/lxc$'
EXACT = {'template': 'local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst'}
POSTGRES = {'template': 'local:vztmpl/postgres-16.tar'}


def sent(box, _=None):
    """What was asked beside polling."""
    return ['%s %s' % (r['method'], r['path']) for r in box.server.requests()
            if not re.search(r'/tasks/UPID[^/]*/status$', r['path'])]


def posts(box, _=None):
    return [r for r in box.server.requests(POST)]


def one_guest(box, id):
    """Exactly one, which is the container's."""
    same(1, len(box.server.guests()), 'guests')
    return box.guest(id)


def ids(box, _=None):
    """Of the records."""
    return sorted(os.path.basename(p) for p in glob.glob(os.path.join(box.data, 'guests', '[!.]*')))


def nothing_left(box, _=None):
    same([], box.server.guests(), 'guests')
    same([], ids(box), 'records')


# -- the ordinary way ------------------------------------------------------------------------------------

def a_template_takes_four_requests(box):
    box.pod()
    box.server.clear_requests()
    id = box.create_guest()
    if len(sent(box)) > 4:
        fail('too many requests: %s' % sent(box))
    guest = one_guest(box, id)
    config = guest['config']
    has(config['description'], '"id":"%s"' % id)
    has(config['description'], '"vmid":%d' % guest['vmid'])
    has(config['tags'], 'ctrctl')
    same('0', config.get('swap'), 'swap')
    same('1', config['unprivileged'])
    if not 200000 <= guest['vmid'] <= 299999:
        fail('VMID %d is out of the range' % guest['vmid'])
    same('created', box.status(id))
    same([], [t for t in box.server.tasks() if t['exit'] != 'OK'], 'tasks')
    box.call('delete', id).ok()
    nothing_left(box)


def the_newest_version_of_a_template_is_used(box):
    box.create_guest()
    has(posts(box)[0]['params']['ostemplate'], 'debian-12-standard_12.12-1')


def an_exact_template_takes_three_requests(box):
    box.configure(images={'db-exact': EXACT})
    box.pod()
    box.server.clear_requests()
    id = box.create_guest(image='db-exact')
    same(3, len(sent(box)), 'requests: %s' % sent(box))
    one_guest(box, id)


def an_oci_archive_takes_seven_requests_and_keeps_both_environments(box):
    box.configure(images={'db-pg': POSTGRES})
    box.pod()
    box.server.clear_requests()
    id = box.create_guest(image='db-pg', command=['docker-entrypoint.sh', 'postgres', '-c', 'x=1 2'],
                          envs=[{'key': 'PGUSER', 'value': 'me'}, {'key': 'PG_MAJOR', 'value': '17'}])
    if len(sent(box)) > 7:
        fail('too many requests: %s' % sent(box))
    config = one_guest(box, id)['config']
    env = config['env'].split('\0')
    for wanted in 'PATH=/usr/local/bin:/usr/bin:/bin', 'PGUSER=me', 'PG_MAJOR=17':
        if wanted not in env:
            fail('no %r in %r' % (wanted, env))
    if 'PG_MAJOR=16' in env:
        fail('the image\'s value won: %r' % env)
    has(config['entrypoint'], 'docker-entrypoint.sh')
    has(config['entrypoint'], '"x=1 2"')
    has_not(json.dumps(posts(box)[0]['params']), 'PGUSER')


def a_configuration_that_changes_meanwhile_is_read_again(box):
    box.configure(images={'db-pg': POSTGRES})
    box.server.fault('PUT /nodes/pve[12]/lxc/[0-9]+/config', 'control', op='edit', args={'vmid': '$vmid', 'onboot': '1'})
    id = box.create_guest(image='db-pg', envs=[{'key': 'PGUSER', 'value': 'me'}])
    config = one_guest(box, id)['config']
    same('1', config.get('onboot'))
    has(config['env'], 'PGUSER=me')
    same(2, len(box.server.requests('PUT /nodes')), 'PUTs')


def a_second_step_waits_for_a_lock_that_goes_away(box):
    box.configure(images={'db-pg': POSTGRES})
    box.server.fault('PUT /nodes/pve[12]/lxc/[0-9]+/config', 'control', op='lock', args={'vmid': '$vmid', 'kind': 'backup', 'seconds': 1})
    id = box.create_guest(image='db-pg', envs=[{'key': 'PGUSER', 'value': 'me'}])
    has(one_guest(box, id)['config']['env'], 'PGUSER=me')
    same(1, len(posts(box)), 'POSTs')


def a_guest_that_moves_between_the_steps_is_followed(box):
    box.configure(images={'db-pg': POSTGRES})
    for n, match in enumerate(('GET /nodes/pve1/lxc/[0-9]+/config', 'PUT /nodes/pve1/lxc/[0-9]+/config')):
        box.server.fault(match, 'control', op='migrate', args={'vmid': '$vmid', 'node': 'pve2'})
        id = box.create_guest('c%d' % n, image='db-pg', envs=[{'key': 'PGUSER', 'value': 'me'}])
        same('pve2', box.guest(id)['node'])
        has(box.guest(id)['config']['env'], 'PGUSER=me')
        box.call('delete', id).ok()


def a_second_step_whose_answer_is_lost_is_done_once(box):
    box.configure(images={'db-pg': POSTGRES})
    box.server.fault('PUT /nodes/pve[12]/lxc/[0-9]+/config', 'drop')
    id = box.create_guest(image='db-pg', envs=[{'key': 'PGUSER', 'value': 'me'}])
    has(one_guest(box, id)['config']['env'], 'PGUSER=me')


def a_second_step_that_is_refused_leaves_nothing(box):
    box.configure(images={'db-pg': POSTGRES})
    box.server.fault('PUT /nodes', 'status', code=403, text='Permission check failed (/vms/200000, VM.Config.Options)')
    box.try_guest(image='db-pg', envs=[{'key': 'A', 'value': 'b'}]).fails(
        1, 'guest 2', 'its command and environment', 'VM.Config.Options')
    nothing_left(box)


def a_guest_that_is_removed_between_the_steps_is_said(box):
    box.configure(images={'db-pg': POSTGRES})
    box.server.fault('GET /nodes/pve[12]/lxc/[0-9]+/config', 'control', op='remove', args={'vmid': '$vmid'})
    box.try_guest(image='db-pg', envs=[{'key': 'A', 'value': 'b'}]).fails(1, 'it was removed by somebody else')
    nothing_left(box)


def the_node_with_more_free_memory_is_taken(box):
    box.server.set(memory_used={'pve1': 60 << 30, 'pve2': 1 << 30})
    box.configure(templateStorages=['local'])
    id = box.create_guest()
    same('pve2', one_guest(box, id)['node'])


def a_node_that_has_the_template_is_taken_before_one_that_hasnt(box):
    for name in 'debian-12-standard_12.7-1_amd64.tar.zst', 'debian-12-standard_12.12-1_amd64.tar.zst':
        box.server.template(name, node='pve2', remove=True)
    box.server.set(memory_used={'pve1': 60 << 30, 'pve2': 1 << 30})
    id = box.create_guest()
    same('pve1', one_guest(box, id)['node'])


def a_template_that_no_node_has_is_said(box):
    box.try_guest(image='lxc/nosuch-1').fails(1, 'nosuch-1')
    nothing_left(box)


def only_allowed_nodes_are_taken(box):
    box.server.set(memory_used={'pve1': 60 << 30, 'pve2': 1 << 30})
    box.configure(nodes=['pve1'])
    id = box.create_guest()
    same('pve1', one_guest(box, id)['node'])


def a_node_that_is_off_is_passed_over(box):
    box.server.set(memory_used={'pve1': 60 << 30, 'pve2': 1 << 30}, nodes={'pve2': 'offline'})
    id = box.create_guest()
    same('pve1', one_guest(box, id)['node'])


def with_all_nodes_off_it_says_so(box):
    box.configure(nodes=['pve2'])
    box.server.set(nodes={'pve2': 'offline'})
    box.try_guest().fails(1, 'pve2 is off')
    nothing_left(box)


def too_little_memory_is_said(box):
    box.server.set(memory_used={'pve1': 63 << 30, 'pve2': 63 << 30})
    box.try_guest(resources={'memory_limit_in_bytes': 8 << 30}).fails(1, 'MiB')
    nothing_left(box)


# -- VMIDs -----------------------------------------------------------------------------------------------

def used_numbers_are_passed_over(box):
    box.configure(vmids=[200000, 200002])
    box.server.make_qemu(200000)
    box.server.make_qemu(200002)
    id = box.create_guest()
    same(200001, box.vmid(id))
    same(1, len(posts(box)), 'POSTs')


def without_a_free_number_it_says_so(box):
    box.configure(vmids=[200000, 200001])
    box.server.make_qemu(200000)
    box.server.make_qemu(200001)
    box.try_guest().fails(1, 'no VMID is free')
    same([], ids(box))


def a_number_that_is_taken_meanwhile_is_passed_over(box):
    box.server.fault(POST, 'control', op='make_qemu', args={'vmid': '$vmid'})
    id = box.create_guest()
    same(2, len(posts(box)), 'POSTs')
    same(2, len(box.server.guests()))
    same('lxc', box.guest(id)['kind'])
    box.call('delete', id).ok()
    same(['qemu'], [g['kind'] for g in box.server.guests()])


def a_number_whose_lock_is_held_is_passed_over(box):
    box.server.fault(POST, 'status', code=500,
                     text="unable to create CT 200000 - can't lock file '/run/lock/lxc/pve-config-200000.lock' - got timeout")
    id = box.create_guest()
    same(2, len({p['params']['vmid'] for p in posts(box)}), 'VMIDs')
    one_guest(box, id)


# -- answers that get lost -------------------------------------------------------------------------------

def lost(box, number_of_posts, **fault):
    """A POST whose answer doesn't come: one guest all the same."""
    box.server.clear_requests()
    box.server.fault(POST, **fault)
    id = box.create_guest()
    one_guest(box, id)
    same(number_of_posts, len(posts(box)), 'POSTs')
    same(1, len({p['params']['vmid'] for p in posts(box)}), 'VMIDs')
    same('created', box.status(id))
    box.call('delete', id).ok()
    nothing_left(box)


def an_answer_that_is_dropped_is_found_out(box):
    lost(box, 1, do='drop')


def a_reset_after_it_was_carried_out_is_found_out(box):
    lost(box, 1, do='rst_after')


def an_answer_that_is_garbled_is_found_out(box):
    lost(box, 1, do='invalid_json')


def an_answer_without_a_task_is_found_out(box):
    lost(box, 1, do='null_data')


def a_request_that_never_arrived_is_sent_again(box):
    lost(box, 2, do='close')


def a_596_after_it_was_carried_out_is_found_out(box):
    lost(box, 1, do='status', code=596, text='Connection timed out', perform=True)


def a_596_before_it_was_carried_out_is_sent_again(box):
    lost(box, 2, do='status', code=596, text='Connection timed out')


def no_worker_upid_is_sent_again(box):
    lost(box, 2, do='status', code=500, text='got no worker upid - start worker failed')


def no_worker_upid_of_a_worker_that_runs_is_found_out(box):
    lost(box, 1, do='status', code=500, text='got no worker upid - start worker failed', perform=True)


def a_slow_task_whose_answer_was_lost_is_waited_for(box):
    box.server.fault('TASK vzcreate', 'slow', seconds=2)
    lost(box, 1, do='drop')


def a_lost_answer_about_an_oci_archive_is_found_out(box):
    box.configure(images={'db-pg': POSTGRES})
    box.server.fault(POST, 'drop')
    id = box.create_guest(image='db-pg', envs=[{'key': 'PGUSER', 'value': 'me'}])
    has(one_guest(box, id)['config']['env'], 'PGUSER=me')


def a_stranger_who_took_the_number_while_the_answer_was_lost_is_left_alone(box):
    box.server.fault(POST, 'status', code=596, text='Connection timed out')
    box.server.fault(POST, 'control', nth=2, op='recreate', args={'vmid': '$vmid'})
    id = box.create_guest()
    same(2, len(box.server.guests()), 'guests')
    same(2, len({p['params']['vmid'] for p in posts(box)}), 'VMIDs')
    box.call('delete', id).ok()
    same(['somebody else\'s\n'], [g['config']['description'] for g in box.server.guests()])


def a_machine_that_took_the_number_while_the_answer_was_lost_is_left_alone(box):
    box.server.fault(POST, 'status', code=596, text='Connection timed out')
    box.server.fault(POST, 'control', nth=2, op='make_qemu', args={'vmid': '$vmid'})
    id = box.create_guest()
    box.call('delete', id).ok()
    same(['qemu'], [g['kind'] for g in box.server.guests()])


def a_server_that_goes_with_the_answer_leaves_a_record(box):
    box.pod()
    box.server.fault(POST, 'drop')
    box.server.fault('GET ', 'close', nth=3, count=0)
    box.try_guest().fails(1, 'after an answer was lost', 'ctrctl delete --force')
    box.server.clear_faults()
    id, = ids(box)
    recovered(box, id)


def answers_that_are_lost_for_good_end_in_an_error(box):
    """What was sent may come late: the record stays, and delete waits until nothing can come any more."""
    box.server.fault(POST, 'status', code=596, text='Connection timed out', count=0)
    begin = time.monotonic()
    box.try_guest().fails(1, '596', 'guest 2', 'may still be made', 'ctrctl delete --force')
    if time.monotonic() - begin > 30:
        fail('it has waited itself')
    same(3, len(posts(box)), 'POSTs')
    same([], box.server.guests())
    box.server.clear_faults()
    box.let_time_pass()
    recovered(box, *ids(box))


def an_unknown_failure_leaves_nothing_whatever_was_done(box):
    for performed in False, True:
        box.server.fault(POST, 'status', code=500, text='the moon is full', perform=performed)
        box.try_guest().fails(1, 'the moon is full')
        nothing_left(box)


def rights_that_come_by_a_pool_are_enough(box):
    """They end with the guest: what is gone can't be asked for any more."""
    rights = ['VM.Allocate', 'VM.Audit', 'VM.PowerMgmt', 'VM.Config.CPU', 'VM.Config.Disk', 'VM.Config.Memory', 'VM.Config.Network',
              'VM.Config.Options', 'Pool.Audit']
    box.server.privileges({'/pool/ctrctl': rights, '/storage': ['Datastore.AllocateSpace', 'Datastore.Audit'], '/sdn': ['SDN.Use']})
    box.configure(pool='ctrctl')
    lost(box, 1, do='drop')
    lost(box, 2, do='close')
    box.server.fault('TASK vzcreate', 'fail_first', text='no')
    box.try_guest().fails(1, 'no')
    nothing_left(box)


def without_quorum_nothing_is_begun(box):
    box.configure(timeouts={'callSeconds': 2})
    box.server.set(quorum=False)
    box.try_guest().fails(1, 'quorum')
    box.server.set(quorum=True)
    nothing_left(box)


# -- tasks that fail -------------------------------------------------------------------------------------

def a_full_storage_is_said_with_node_and_number_and_task(box):
    box.configure(storage='full')
    r = box.try_guest().fails(1, 'not enough space', 'guest 2', ' on pve', 'UPID:pve', ':vzcreate:')
    has(r.err, posts(box)[0]['params']['vmid'])
    nothing_left(box)


def a_disabled_storage_is_refused_at_once(box):
    box.configure(storage='off')
    box.try_guest().fails(1, "storage 'off' is disabled")
    same([], box.server.tasks())
    nothing_left(box)


def a_template_that_is_removed_meanwhile_is_said(box):
    name = 'debian-12-standard_12.12-1_amd64.tar.zst'
    for node in 'pve1', 'pve2':
        box.server.fault(POST.replace('[12]', node[-1]), 'control', op='template', args={'name': name, 'node': node, 'remove': True})
    box.try_guest().fails(1, 'does not exist', name, 'UPID:')
    nothing_left(box)


def a_task_that_fails_is_said_with_the_end_of_its_log(box):
    box.server.fault('TASK vzcreate', 'fail_first', text='command failed: exit code 5',
                     log=['first', 'mkfs: the device is gone', 'giving up'])
    box.try_guest().fails(1, 'exit code 5', 'mkfs: the device is gone', 'giving up')
    nothing_left(box)


def a_broken_template_is_said(box):
    box.configure(images={'db-broken': {'template': 'local:vztmpl/broken-1.tar'}})
    box.try_guest(image='db-broken').fails(1, 'exit code 2')
    nothing_left(box)


def warnings_of_a_task_are_warnings(box):
    box.server.fault('TASK vzcreate', 'warn', text='the clock is wrong')
    r = box.try_guest().ok()
    has(r.err, 'the clock is wrong')
    one_guest(box, json.loads(r.out)['containerId'])


def a_task_that_doesnt_end_is_ended(box):
    box.configure(timeouts={'createSeconds': 1})
    box.server.fault('TASK vzcreate', 'never')
    box.try_guest().fails(1, 'UPID:pve', "hasn't ended")
    same(['received interrupt'], [t['exit'] for t in box.server.tasks('vzcreate')])
    nothing_left(box)


def a_lock_that_stays_needs_somebody_on_the_node(box):
    box.server.fault('TASK vzcreate', 'vanish')
    box.try_guest().fails(1, 'unexpected status')
    guest, = box.server.guests()
    id, = ids(box)
    box.call('delete', '--force', id).fails(1, 'locked (create)', 'pct unlock %d' % guest['vmid'], guest['node'])
    same([id], ids(box))
    box.server.edit(guest['vmid'], lock=None)
    box.server.remove(guest['vmid'])
    box.call('delete', '--force', id).ok()
    nothing_left(box)


def free_tags_that_are_forbidden_are_left_out(box):
    box.server.set(free_tags=False)
    r = box.try_guest().ok()
    has(r.err, 'tags')
    id = json.loads(r.out)['containerId']
    same(None, one_guest(box, id)['config'].get('tags'))
    same('created', box.status(id))
    box.call('delete', id).ok()
    nothing_left(box)


def a_missing_privilege_is_said(box):
    box.server.privileges({'/': ['VM.Audit', 'Datastore.Audit', 'Sys.Audit']})
    box.try_guest().fails(1, 'Permission check failed')
    nothing_left(box)


# -- the log of what has none ----------------------------------------------------------------------------

def log_case(box, _=None):
    box.configure(waive=['logs'])
    logs = os.path.join(box.folder, 'logs')
    box.pod(log_directory=logs)
    return logs


def the_log_file_says_where_the_output_is(box):
    logs = log_case(box)
    id = box.create_guest(log_path='main/0.log')
    with open(os.path.join(logs, 'main/0.log'), encoding='utf-8') as f:
        text = f.read()
    if not re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z stdout F [^\n]*\n', text):
        fail('no line of a log: %r' % text)
    has(text, 'guest %d on node %s' % (box.vmid(id), box.guest(id)['node']))
    has(json.dumps(box.state(id)), 'logs')


def a_log_file_that_is_a_link_is_refused_before_anything_is_made(box):
    logs = log_case(box)
    os.makedirs(logs)
    victim = os.path.join(box.folder, 'victim')
    with open(victim, 'w', encoding='utf-8'):
        pass
    os.symlink(victim, os.path.join(logs, '0.log'))
    box.try_guest(log_path='0.log').fails(1, 'symbolic link')
    os.unlink(os.path.join(logs, '0.log'))
    os.link(victim, os.path.join(logs, '0.log'))
    box.try_guest(log_path='0.log').fails(1, 'hard link')
    os.mkfifo(os.path.join(logs, 'fifo'))
    box.try_guest(log_path='fifo').fails(1, 'log file fifo')
    os.symlink(box.folder, os.path.join(logs, 'sub'))
    box.try_guest(log_path='sub/victim').fails(1, 'sub')
    same(0, os.path.getsize(victim))
    same([], posts(box))


# -- a ctrctl that dies over it --------------------------------------------------------------------------

def killed(box, match, do, image='lxc/debian-12', nth=1, **more):
    """ctrctl is killed at that request; the id of what it leaves."""
    pidfile = os.path.join(box.folder, 'pid')
    path = write(box, box.guest_request(image=image, **more), 'killed.json')
    box.server.fault(match, do, pidfile=pidfile, nth=nth)
    done = subprocess.run(['sh', '-c', 'echo $$ >"$0"; exec "$@"', pidfile, CTRCTL, *box.globals, 'create', '--request', path],
                          capture_output=True, timeout=60, check=False)
    same(-9, done.returncode, 'status (%s)' % done.stderr)
    found = ids(box)
    return found[0] if found else None


def recovered(box, id):
    """List shows it, delete ends it, twice is fine."""
    has(box.call('list').ok().out, id[:12])
    box.let_time_pass()
    box.call('delete', '--force', id).ok()
    nothing_left(box)
    box.call('delete', '--force', id).ok()


def killed_before_anything_was_sent_it_can_be_deleted(box):
    id = killed(box, 'GET /cluster/resources', 'kill')
    if id:
        box.call('delete', '--force', id).ok()
    nothing_left(box)


def killed_before_the_request_is_carried_out_it_can_be_deleted(box):
    recovered(box, killed(box, POST, 'kill'))


def killed_before_it_knows_the_task_it_can_be_deleted(box):
    recovered(box, killed(box, POST, 'kill_after'))


def killed_before_it_knows_a_slow_task_it_waits_and_deletes(box):
    box.server.fault('TASK vzcreate', 'slow', seconds=1.5)
    recovered(box, killed(box, POST, 'kill_after'))


def killed_before_it_knows_the_task_of_one_without_tags_it_can_be_deleted(box):
    """Only the journal knows of it."""
    box.server.set(free_tags=False)
    recovered(box, killed(box, POST, 'kill_after', nth=2))


def killed_while_the_task_runs_it_ends_the_task(box):
    box.server.fault('TASK vzcreate', 'never')
    recovered(box, killed(box, '/tasks/UPID.*/status', 'kill', nth=2))
    same(['received interrupt'], [t['exit'] for t in box.server.tasks('vzcreate')])


def killed_between_the_steps_of_an_oci_archive_it_can_be_deleted(box):
    box.configure(images={'db-pg': POSTGRES})
    for do in 'kill', 'kill_after':
        recovered(box, killed(box, 'PUT /nodes', do, image='db-pg', envs=[{'key': 'A', 'value': 'b'}]))


def killed_with_the_server_away_the_record_stays(box):
    id = killed(box, POST, 'kill_after')
    box.server.fault('CONNECT', 'close', count=0)
    box.call('delete', '--force', id).fails(1)
    same([id], ids(box))
    box.server.clear_faults()
    recovered(box, id)


def killed_and_somebody_else_has_the_number_by_now_it_is_left_alone(box):
    for do in 'kill_after', 'kill':
        id = killed(box, POST, do)
        vmid = posts(box)[-1]['params']['vmid']
        box.server.recreate_by_stranger(vmid)
        box.call('delete', '--force', id).ok()
        same(['somebody else\'s\n'], [g['config']['description'] for g in box.server.guests()])
        same([], ids(box))
        box.server.remove(vmid)


def a_request_that_comes_after_the_end_is_waited_for(box):
    """The server is slow: ctrctl has died, and delete has looked already, when the guest comes."""
    path = write(box, box.guest_request(), 'late.json')
    box.server.fault(POST, 'delay', seconds=2)
    child = subprocess.Popen([CTRCTL, *box.globals, 'create', '--request', path], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    guests = os.path.join(box.data, 'guests')
    eventually(lambda: glob.glob(os.path.join(guests, '*', 'guest.json')), what='journal')
    time.sleep(0.3)
    child.kill()
    child.wait()
    id, = ids(box)
    box.call('delete', '--force', id).ok()
    time.sleep(2.5)
    nothing_left(box)


main(globals())
